"""Directives: each error has its code and place, and no text makes the reader crash."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hds.cli.case_runs import Usual, wrong_words
from hds.script_tests import DIRECTIVES, TestFile, has_tests, read_tests
from lang.codes.directive_errors import TEST_ERRORS
from lang.codes.rows import Row
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS


def read(text: str) -> TestFile:
    return read_tests(SourceFile("a.hds", text), "a.hds", DEFAULT_LIMITS)


def codes(text: str) -> list[str]:
    """What is wrong with the tests of a file, their command lines included."""
    found = read(text)
    wrong = ["E304" for case in found.cases if wrong_words(case, Usual())]
    return [str(item.code) for item in found.errors] + wrong


@pytest.mark.parametrize("row", TEST_ERRORS, ids=lambda row: str(row.code))
def test_the_bad_example_gives_the_code_and_the_good_one_none(row: Row) -> None:
    assert codes(row.bad) == [row.code]
    assert codes(row.good) == []


TEST = "print(1);\n\n// test: one\n"
WRONG = {
    "//   outt: 1": ("E300", 4, 1),
    "//   no directive": ("E300", 4, 1),
    "//   re: [": ("E301", 4, 10),
    "//   re: " + "a" * 1001: ("E301", 4, 10),
    '//   out: "a': ("E301", 4, 11),
    "//   has:": ("E301", 4, 10),
    "//   count: x y": ("E301", 4, 13),
    "//   count: 99999999999999999999 y": ("E301", 4, 13),
    "//   exit: 0x1": ("E301", 4, 12),
    "//   reg: rxa=1": ("E301", 4, 11),
    "//   reg: rax=zz": ("E301", 4, 11),
    "//   mem: 1000": ("E301", 4, 11),
    "//   mem: 1000 = 4": ("E301", 4, 11),
    '//   mem: 1000 = "a': ("E301", 4, 11),
    "//   value: .x": ("E301", 4, 13),
    "//   event: 0": ("E301", 4, 13),
    "//   event: 0 trigger=1": ("E301", 4, 13),
    "//   total: triggers=ten": ("E301", 4, 13),
    "//   fault: division": ("E301", 4, 13),
    "//   finding: 12": ("E301", 4, 15),
    "//   timeout: -1": ("E301", 4, 15),
    "//   timeout: nan": ("E301", 4, 15),
    "//   silent: 1": ("E301", 4, 14),
    "//   out-file:": ("E301", 4, 15),
    "//   needs:": ("E301", 4, 12),
    "//   eval: 'a": ("E301", 4, 12),
    "//   run:\n//   eval:": ("E303", 5, 11),
    "//   eval:\n//   guest: a": ("E303", 5, 1),
    "//   check:\n//   reg: rax=1": ("E303", 5, 11),
    "//   out: a\n//   out-file: b": ("E303", 5, 16),
    "//   eval: --stdin a": ("E304", 4, 12),
    "//   eval: other.ds": ("E304", 4, 12),
    "//   run: -e g": ("E304", 4, 11),
    "//   run: --stdin -": ("E304", 4, 11),
    "//   run: --allow-modules": ("E304", 4, 11),
    "//   run: --help": ("E304", 4, 11),
}


@pytest.mark.parametrize("lines", WRONG, ids=lambda lines: lines[:30])
def test_a_wrong_line_has_a_code_and_a_place(lines: str) -> None:
    found = read(TEST + lines + "\n")
    if found.errors:
        (item,) = found.errors
        assert (item.code, item.span.line, item.span.column) == WRONG[lines]
        assert item.hint or item.code == "E301"
    else:
        (case,) = found.cases
        assert wrong_words(case, Usual())
        assert ("E304", case.words_span.line, case.words_span.column) == WRONG[lines]


def test_several_mistakes_are_told_at_once_in_order() -> None:
    assert codes(TEST + "//   outt: 1\n//   re: (\n//   exit: x\n") == ["E300", "E301", "E301"]


def test_a_file_has_several_tests_with_remarks_between() -> None:
    found = read("print(1);\n// test: one\n//   # a remark\n//\n//   out: 1\nprint(2);\n  // test: two\n  // out: 1\n")
    assert [case.name for case in found.cases] == ["one", "two"]
    assert [item.text for case in found.cases for item in (case.output.items if case.output else ())] == ["1", "1"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_no_part_of_values(end: str) -> None:
    (case,) = read(end.join(["print(1);", "// test: one", "// out: a", "// out: b "])).cases
    assert case.output is not None
    assert [item.text for item in case.output.items] == ["a", "b "]


def test_marks_are_not_looked_for_in_texts() -> None:
    (case,) = read('printf("//> 1");  //> 2\n// test: one\n').cases
    assert case.output is not None
    assert [item.text for item in case.output.items] == ["2"]


def test_a_wrong_mark_is_an_error() -> None:
    assert codes("print(1); //! E1\n// test: one\n") == ["E301"]


def test_comments_that_look_like_no_test_are_none() -> None:
    assert not has_tests(b"// tests: none\n// a test: b\nprint(1);\n")
    assert read("// run: this by hand\nprint(1);\n").cases == ()


PARTS = [
    *(f"{key}: " for key in DIRECTIVES), "test: ", "//", "\n// ", "//> ", '"', "=", "\\", "1", "E031", "...", "(", "[",
    "*", " ", "\r\n", "rax", "\u20ac", "\0", "{", "'",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=30))
def test_no_text_makes_the_reader_crash(parts: list[str]) -> None:
    found = read("print(1);\n// test: a\n// " + "".join(parts))
    assert not (found.errors and found.cases)
