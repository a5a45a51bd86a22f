"""`hds test`: what a test may expect, what is said when it differs, exit codes, --update, -k and --junit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from source_trees import ROOT

from hds.cli import case_runs
from hds.cli.main import main
from hds.script_tests import Case, Outcome, Subcommand

GUESTS = ROOT / "examples" / "guests"
SCHEMA = ROOT / "tests" / "hds" / "script_tests" / "junit.xsd"
LOG = '!syscall script {\n    .calls = .calls + 1;\n    printf("%d: call %llx\\n", .calls, $context);\n}\n\n'


@dataclass(frozen=True)
class Place:
    """A folder with scripts, where `hds test` is started."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def write(self, name: str, text: str) -> Path:
        """A file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and what stands on standard output."""
        self.capture.readouterr()
        code = main(["test", *words])
        return code, self.capture.readouterr().out

    def failures(self, *words: str) -> str:
        """What stands between the headings of failures and of the summary."""
        code, text = self.run(*words)
        assert code == 1
        return re.split(r"=+ FAILURES =+\n|=+ short summary =+\n", text)[1]


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    shutil.copy(GUESTS / "greet.asm", tmp_path)
    return Place(tmp_path, capsys)


# --- what holds

PASSING = {
    "exact lines": "run: greet.asm\nout: 1: call 1\nout: 2: call 1\nout: 3: call 1\nout: 4: call 27\nout: 5: call 3c",
    "gaps and patterns": "run: greet.asm\nout: 1: call 1\nout: ...\nre: [45]: call 27\nout: ...",
    "lines in any order": "run: greet.asm\nhas: call 3c\nhas-re: ^4: .*27$\nnot: call 99\nnot-re: ^6",
    "counted lines": "run: greet.asm\ncount: 3 call 1\ncount-re: 1 ^4:\ncount: 0 call 99",
    "what the guest writes": "run: greet.asm\nguest: hello\nguest-re: h.*o\nguest: hello",
    "registers and memory": "run: greet.asm\nreg: rdi=7 al=0\nmem: 400037 = 68 65 \"llo\\x0a\"",
    "values": "run: greet.asm\nvalue: .calls = 5\nvalue: .calls * 2 + @rdi = 11\nvalue: .calls >= 5",
    "counters": "run: greet.asm\nevent: 0 triggers=5 errors=0\ntotal: messages>=5 breaks=0 instructions<100",
    "exit codes": "run: --guest-exit-code greet.asm\nexit: 7\nguest-exit: 7",
    "limits": "run: --max-instructions 5 greet.asm\nexit: 6",
    "no program": "silent:",
    "no findings": "check: --target hds\nfinding: none",
    "skipped": "needs: nowhere.bin\nrun: nowhere.bin",
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_what_a_test_of_commands_may_expect(place: Place, name: str) -> None:
    lines = "".join(f"//   {line}\n" for line in PASSING[name].split("\n"))
    place.write("a.hds", f"{LOG}// test: {name}\n{lines}")
    code, text = place.run("a.hds")
    assert (code, "1 skipped" if name == "skipped" else "1 passed") == (0, re.findall(r"1 \w+", text)[-1])


def test_what_a_test_of_a_bare_script_may_expect(place: Place) -> None:
    place.write("part.ds", "print(@rax + 1);\n")
    place.write("image.bin", "Hello")
    place.write(
        "a.ds",
        '#include "part.ds"\nprintf("%s\\n", 1000);\n@ax = 0n99;\n.x = 4;\n'
        "// test: all\n//   eval: --reg rax=5 --memory 1000=@image.bin\n//   out: 6\n//   out: Hello\n"
        '//   reg: ax=63\n//   mem: 1000 = "Hello" 00\n//   value: .x * 2 = 8\n',
    )
    assert place.run()[0] == 0


def test_marks_beside_statements_are_expectations(place: Place) -> None:
    place.write("a.ds", "print(1);   //> 1\nx = 1 / (@rax - @rax); //! stop division_by_zero\n// test: stops\n")
    place.write("b.ds", "print(1);\n  print(x[0]);  //! E090@9 W001\n// test: errors\n//   check: --target hds\n")
    assert place.run("-v")[1].count("PASSED") == 2


def test_a_finding_may_name_its_place(place: Place) -> None:
    place.write("a.ds", "print(qq);\n// test: warning\n//   eval:\n//   finding: W001 1:7\n")
    assert place.run()[0] == 0
    place.write("a.ds", "print(qq);\n// test: warning\n//   eval:\n//   finding: W001 1:8\n//   finding: W002\n")
    assert "- W001 at a.ds:1:8\n- W002\n+ a.ds:1:7: W001: " in place.failures()


# --- what differs

FAILING = {
    "run: greet.asm\nout: 1: call 1\nout: 2: call 7\nout: ...":
        "a.hds:8:1: the output differs\n  1: call 1\n- 2: call 7\n  ...\n",
    "run: greet.asm\nguest: hello": "what the guest program writes differs\n  hello\n+ hello\n+ hello\n",
    "run: greet.asm\ncount: 2 call 1": "expected 2 lines of output with call 1, got 3\n  1: call 1\n",
    "run: greet.asm\nnot: call 27": "expected no line of output with call 27, got 1\n  4: call 27\n",
    "run: greet.asm\nhas: zzz": "expected a line of output with zzz, got none\n",
    "run: greet.asm\nreg: rdi=8": "expected rdi=8, got 7\n",
    "run: greet.asm\nmem: 400037 = 00": "the memory at 400037 differs\n- 00\n+ 68\n",
    "run: greet.asm\nmem: 10 = 00": "the memory at 10 differs\n- 00\n+ is not mapped\n",
    "run: greet.asm\nvalue: .calls = 6": "expected .calls = 6, got 5\n",
    "run: greet.asm\nvalue: .calls / (@rdi - 7) = 6": "has no value: division_by_zero: ",
    "run: greet.asm\nvalue: calls = 6": "calls has no value: ",
    "run: greet.asm\nvalue: ) = 6": ") has no value: ",
    "run: greet.asm\nevent: 7 triggers=1": "there is no event 7; the run had 0\n",
    "run: greet.asm\nevent: 0 triggers!=5": "event 0: expected triggers!=5, got 5\n",
    "run: greet.asm\nguest-exit: 6": "expected the exit code 6 of the guest, got 7\n",
    "run: nowhere.asm": "expected the exit code 0 of hds, got 3: cannot read nowhere.asm: No such file or directory\n",
    "run: greet.asm\nout-file: nowhere.out": "cannot read nowhere.out: ",
    "run: --max-instructions 5 greet.asm": "expected the exit code 0 of hds, got 6: stopped: ",
    "run: greet.asm\nfault: step_limit": "the run-time errors differ\n- step_limit\n",
    "check: --disable P050\nfinding: E201": "the findings differ\n- E201\n",
}  # fmt: skip


@pytest.mark.parametrize("lines", FAILING)
def test_what_is_said_of_a_test_that_fails(place: Place, lines: str) -> None:
    directives = "".join(f"//   {line}\n" for line in lines.split("\n"))
    place.write("a.hds", f"{LOG}// test: one\n{directives}")
    assert FAILING[lines] in place.failures("a.hds")


def test_a_run_time_error_that_nobody_expects_is_a_failure(place: Place) -> None:
    place.write("a.hds", "!syscall script { x = 1 / ($context - $context); }\n// test: one\n//  run: greet.asm\n")
    assert "the run-time errors differ\n+ division_by_zero at a.hds:1:" in place.failures()


def test_what_does_not_compile_is_told_with_its_finding(place: Place) -> None:
    place.write("a.hds", "!syscall script { print(1 }\n// test: one\n//   silent:\n")
    assert "got 1" in place.failures()
    assert "E030" in place.failures()


def test_control_characters_and_markup_are_shown_escaped(place: Place) -> None:
    place.write("a.ds", 'printf("%s", 1000);\n// test: one\n//   eval: --memory 1000=1b5b336d3c2f613e\n//   out: x\n')
    assert '+ "\\x1b[3m</a>"\n' in place.failures()


# --- a test never ends the others


def test_a_test_that_crashes_hds_does_not_end_the_rest(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = case_runs._CARRY_OUT[Subcommand.EVAL]

    def crash(case: Case, *rest: object) -> Outcome:
        if case.name == "bad":
            raise RecursionError("too deep")
        return usual(case, *rest)  # type: ignore[arg-type]  # as it came

    monkeypatch.setitem(case_runs._CARRY_OUT, Subcommand.EVAL, crash)
    place.write("a.ds", "print(1);\n// test: bad\n//   out: 1\n\n// test: good\n//   out: 1\n")
    code, text = place.run("-v")
    assert code == 1
    assert "a.ds::bad ERROR" in text
    assert "internal error: RecursionError: too deep" in text
    assert "a.ds::good PASSED" in text


@pytest.mark.lasting
def test_endless_scripts_programs_and_patterns_come_to_an_end(place: Place) -> None:
    place.write("spin.asm", "again: jmp again\n")
    place.write("a.hds", "? .x = 1;\n// test: spins\n//   timeout: 0.2\n//   run: spin.asm\n//   exit: 6\n")
    place.write("b.ds", "for (;;) { }\n// test: loops\n//   fault: step_limit\n//   exit: 4\n")
    place.write("c.ds", f'printf("{"a" * 40}\\n");\n// test: pattern\n//   has-re: ^(a+)+b$\n')
    place.write("d.ds", "print(1);\n// test: good\n//   out: 1\n")
    case_runs_seconds = "hds.script_tests.judging.SECONDS_TO_JUDGE"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case_runs_seconds, 0.3)
        code, text = place.run("-v")
    assert code == 1
    assert re.findall(r"::(\w+) (\w+)", text.partition("FAILURES")[0]) == [
        ("spins", "PASSED"), ("loops", "PASSED"), ("pattern", "FAILED"), ("good", "PASSED"),
    ]  # fmt: skip
    assert "a regular expression has too many ways to match" in text


def test_a_test_that_writes_without_end_is_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_runs, "MOST_OUTPUT", 10_000)
    place.write("a.ds", 'for (i = 0; i < 0n500; i++) { printf("aaaaaaaaaaaaaaaaaaaaaaaa\\n"); }\n// test: one\n')
    place.write("b.hds", '? for (i = 0; i < 0n500; i++) { printf("aaaaaaaaaaaaaaaaaaaaaaaa\\n"); }\n// test: one\n')
    assert place.failures("a.ds", "b.hds").count("more") == 2


@pytest.mark.lasting
def test_a_script_whose_time_is_up_is_told_as_a_program_is(place: Place) -> None:
    loop = "for (;;) { }\n// test: slow\n//   timeout: 0.2\n//   eval: --max-steps 9000000000000000000\n"
    place.write("a.ds", loop)
    assert place.failures("a.ds").splitlines()[1:] == [
        "a.ds:2:1: expected the exit code 0 of hds, got 6: stopped: timeout"
    ]
    place.write("b.ds", f"{loop}//   exit: 6\n")
    assert place.run("b.ds")[0] == 0


@pytest.mark.lasting
def test_ctrl_c_ends_all_tests(place: Place) -> None:
    place.write("spin.asm", "again: jmp again\n")
    place.write("a.hds", "? .x = 1;\n// test: spins\n//   run: spin.asm\n\n// test: more\n//   silent:\n")
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    code, text = place.run("-v")
    timer.cancel()
    assert (code, "::" in text) == (130, False)


def test_each_test_begins_anew(place: Place) -> None:
    place.write("a.ds", ".x = .x + 1;\nprint(.x);\n// test: one\n//   out: 1\n\n// test: two\n//   out: 1\n")
    assert place.run()[0] == 0


def test_files_are_named_from_the_folder_of_the_script(place: Place) -> None:
    place.write("deep/inc.ds", "print(5);\n")
    place.write("deep/a.hds", '? {\n    #include "inc.ds"\n}\n\n// test: one\n//   run: ../greet.asm\n//   out: 5\n')
    assert place.run("deep")[0] == 0
    assert Path.cwd() == place.folder


# --- which tests


TWO = "print(1);\n// test: calls, slowly\n//   out: 1\n\n// test: Bytes\n//   out: 1\n"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("calls", ["calls, slowly"]),
        ("bytes", ["Bytes"]),
        ("calls or bytes", ["calls, slowly", "Bytes"]),
        ("a.ds and not slowly", ["Bytes"]),
        ("not (calls or bytes)", []),
    ],
)
def test_tests_are_chosen_by_words(place: Place, choice: str, names: list[str]) -> None:
    place.write("a.ds", TWO)
    code, text = place.run("-k", choice, "--list")
    assert text == "".join(f"a.ds::{name}\n" for name in names)
    assert code == (0 if names else 3)


@pytest.mark.parametrize("choice", ["", "(", "a b", "a and", "not", ")", "(" * 1001])
def test_a_wrong_choice_is_a_wrong_command_line(place: Place, choice: str) -> None:
    place.write("a.ds", TWO)
    assert place.run("-k", choice)[0] == 2


def test_a_file_of_tests_in_utf_16_is_not_passed_over(place: Place) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeffprint(1);\n// test: a\n//   out: 1\n".encode(encoding)
        (place.folder / f"{encoding}.ds").write_bytes(text)
    (place.folder / "other.ds").write_bytes(b"print(1);\n// test: a\n//   out: 1\n")
    assert main(["test"]) == 3
    said = place.capture.readouterr()
    assert "2 files with errors" in said.out
    assert said.err.count("the file is UTF-16; save it as UTF-8") == 2


def test_folders_are_searched_in_order_and_hidden_ones_are_not(place: Place) -> None:
    for name in ("b/x.ds", "a.hds", "b/a.ds", ".hidden/c.ds", "b/note.txt", ".d.ds"):
        place.write(name, "// test: t\n")
    assert place.run("--list")[1] == "a.hds::t\nb/a.ds::t\nb/x.ds::t\n"
    assert place.run("--list", "b/x.ds", "b", "./b/x.ds")[1] == "b/x.ds::t\nb/a.ds::t\n"


def test_exit_codes(place: Place) -> None:
    assert place.run()[0] == 3
    assert place.run("nowhere.hds")[0] == 3
    place.write("a.ds", TWO)
    assert place.run("a.ds", "nowhere.hds")[0] == 3
    assert place.run("a.ds", "--engin", "x")[0] == 2
    place.write("b.ds", "// test: one\n// outt: 1\n")
    assert place.run()[0] == 1
    place.write("b.ds", "// test: one\n// out: \udcff\n")
    assert place.run()[0] == 3


def test_the_first_failure_ends_the_run_on_wish(place: Place) -> None:
    place.write("a.ds", TWO.replace("out: 1", "out: 2"))
    assert "1 failed" in place.run("-x")[1]
    assert "2 failed" in place.run()[1]


def test_two_runs_print_the_same(place: Place) -> None:
    place.write("a.ds", TWO.replace("out: 1", "out: 2"))
    place.write("b.hds", f"{LOG}// test: calls\n//   run: greet.asm\n//   count: 4 call 1\n")
    assert place.run() == place.run()


# --- update


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_update_rewrites_the_lines_that_differ_and_nothing_else(place: Place, end: str) -> None:
    before = (
        f"{LOG}// test: calls\n//\trun: greet.asm\n  //  out: 1: call 1\n//\tout: old\n//\tre: 3: c.*\n"
        "//\thas: call 3c\n//\tout: more\n// # done\n\n// test: quiet\n//  out: something\n\n"
        "// test: good\n//   run: greet.asm\n//   out: ...\n//   out: 5: call 3c\n? .y = 1;   \t"
    )
    after = (
        f"{LOG}// test: calls\n//\trun: greet.asm\n  //  out: 1: call 1\n  //  out: 2: call 1\n//\tre: 3: c.*\n"
        "  //  out: 4: call 27\n  //  out: 5: call 3c\n//\thas: call 3c\n// # done\n\n// test: quiet\n//  silent:\n\n"
        "// test: good\n//   run: greet.asm\n//   out: ...\n//   out: 5: call 3c\n? .y = 1;   \t"
    )
    path = place.write("a.hds", "\ufeff" + before.replace("\n", end))
    code, text = place.run("--update")
    assert path.read_bytes().decode() == "\ufeff" + after.replace("\n", end)
    assert (code, "3 passed, 2 updated" in text) == (0, True)
    assert place.run()[0] == 0
    place.run("--update")
    assert path.read_bytes().decode() == "\ufeff" + after.replace("\n", end)


def test_update_writes_lines_so_that_they_are_read_as_they_were(place: Place) -> None:
    place.write(
        "a.ds", 'printf("%s", 1000);\n// test: one\n//   eval: --memory 1000=1b0a0a2e2e2e0a220aff20\n//   out: ?\n'
    )
    assert place.run("--update")[0] == 0
    assert place.run()[0] == 0


def test_update_writes_companion_files_where_hds_was_sent(place: Place) -> None:
    text = "print(1);\n// test: one\n//   out-file: {}\n"
    place.write("in/a.ds", text.format("a.out"))
    place.write("in/b.ds", text.format("../b.out"))
    assert place.run("--update", "in")[0] == 0
    assert (place.folder / "in/a.out").read_bytes() == b"1\n" == (place.folder / "b.out").read_bytes()
    outside = place.folder.parent / "outside.out"
    place.write("in/c.ds", text.format("../../outside.out"))
    assert place.run("--update", "in/c.ds")[0] == 1
    assert not outside.exists()


def test_update_leaves_other_differences(place: Place) -> None:
    path = place.write("a.ds", "print(1);\n// test: one\n//   out: 2\n//   reg: rax=5\n")
    assert place.run("--update")[0] == 1
    assert path.read_text() == "print(1);\n// test: one\n//   out: 1\n//   reg: rax=5\n"


def test_an_output_file_is_compared_byte_for_byte(place: Place) -> None:
    place.write("a.ds", 'printf("1");\n// test: one\n//   out-file: a.out\n')
    place.write("a.out", "1\n")
    assert "its last line has no end" in place.failures()
    place.write("a.out", "1")
    assert place.run()[0] == 0


# --- JUnit


def test_an_output_file_that_is_not_there_is_said_once(place: Place) -> None:
    place.write("a.ds", "print(1);\n// test: one\n//   out-file: no.out\n")
    assert place.failures().count("cannot read") == 1


def test_junit_has_every_test_and_obeys_its_schema(place: Place) -> None:
    place.write("deep/a.ds", TWO.replace("out: 1", "out: 2", 1) + "\n// test: skipped\n//   needs: nowhere\n")
    place.write("b.ds", 'printf("\\x1b\\x01<&>");\n// test: control ]]> <b>\n//   out: x\n')
    place.write("c.ds", "// test: wrong\n// outt: 1\n")
    assert place.run("--junit", "out.xml")[0] == 1
    path = place.folder / "out.xml"
    xmlschema.XMLSchema(str(SCHEMA)).validate(str(path))
    root = ElementTree.parse(path).getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "5", "failures": "2", "errors": "1",
    }  # fmt: skip
    found = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {
        "directives": ["error"], "control ]]> <b>": ["failure"], "calls, slowly": ["failure"], "Bytes": [],
        "skipped": ["skipped"],
    }  # fmt: skip
    assert root.find("testsuite/testcase[@name='calls, slowly']").attrib["classname"] == "deep.a"  # type: ignore[union-attr]


def test_junit_is_not_written_over_a_script(place: Place) -> None:
    path = place.write("a.ds", "print(1);\n// test: one\n//   out: 1\n")
    assert place.run("--junit", "a.ds")[0] == 2
    assert path.read_text().startswith("print(1);")


def test_junit_of_nothing_is_valid(place: Place) -> None:
    assert place.run("--junit", "out.xml")[0] == 3
    xmlschema.XMLSchema(str(SCHEMA)).validate(str(place.folder / "out.xml"))


def test_a_hint_says_that_expectations_can_be_rewritten(place: Place) -> None:
    place.write("a.ds", 'printf("one\\n");\n// test: lines\n//   out: two\n')
    place.write("b.ds", "@rax = 5;\n// test: register\n//   reg: rax=6\n")
    hint = "hint: `hds test --update` writes what came"
    assert hint in place.run("a.ds")[1]
    assert hint not in place.run("b.ds")[1]
    assert hint not in place.run("--update", "a.ds")[1]
