"""What every stretch of a text is: the parts are in order, and what is in none of them is white space."""

from __future__ import annotations

import pytest
from effort import often
from example_texts import EXAMPLES, damaged
from hypothesis import given
from scripts import TEXTS

from lang.commands.parts import command_parts
from lang.commands.statements import begins_as_statement
from lang.parts import Part, PartKind, script_parts
from lang.source import SourceFile

K = PartKind


def parts(text: str) -> list[Part]:
    source = SourceFile("x", text)
    return list(script_parts(source) if begins_as_statement(text) else command_parts(source))


def shown(text: str) -> list[tuple[PartKind, str]]:
    return [(kind, text[start:end]) for kind, start, end in parts(text)]


def check_order(text: str) -> list[str]:
    """The stretches that are in no part."""
    gaps, at = [], 0
    for part in parts(text):
        assert at <= part.start < part.end <= len(text)
        gaps.append(text[at : part.start])
        at = part.end
    return [*gaps, text[at:]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_all_of_an_example_is_in_some_part(name: str) -> None:
    assert [gap for gap in check_order(EXAMPLES[name]) if gap.strip()] == []


@pytest.mark.parametrize("name", list(EXAMPLES)[:: often(6, 1)])
def test_parts_of_broken_texts_are_in_order(name: str) -> None:
    for text in damaged(EXAMPLES[name], 1, often(20, 400)):
        check_order(text)


@pytest.mark.slow
@given(TEXTS)
def test_parts_of_any_text_are_in_order(text: str) -> None:
    check_order(text)
    check_order(f"!syscall script {{ {text}")
    check_order(f"? {text}")


def test_the_words_of_commands() -> None:
    assert shown("!monitor RW 401000 l 8 stage post // x\nbp hello!main\n.logopen \"a\"") == [
        (K.EVENT, "!monitor"), (K.CONSTANT, "RW"), (K.NUMBER, "401000"), (K.OPTION, "l"), (K.NUMBER, "8"),
        (K.OPTION, "stage"), (K.CONSTANT, "post"), (K.COMMENT, "// x"),
        (K.COMMAND, "bp"), (K.SYMBOL, "hello!main"), (K.COMMAND, ".logopen"), (K.STRING, '"a"'),
    ]  # fmt: skip


def test_the_blocks_of_events() -> None:
    text = (
        "!syscall asm condition { cld } code { 90 } output {a, b} script { .x = 1; }\n!syscall script { file: a b.ds }"
    )
    assert [row for row in shown(text) if row[0] is not K.PUNCTUATION] == [
        (K.EVENT, "!syscall"), (K.OPTION, "asm"), (K.OPTION, "condition"), (K.ASSEMBLY, "cld"), (K.OPTION, "code"),
        (K.CODE, "90"), (K.OPTION, "output"), (K.WORD, "a"), (K.WORD, "b"), (K.OPTION, "script"), (K.GLOBAL, ".x"),
        (K.OPERATOR, "="), (K.NUMBER, "1"),
        (K.EVENT, "!syscall"), (K.OPTION, "script"), (K.OPTION, "file:"), (K.PATH, "a b.ds"),
    ]  # fmt: skip


def test_the_tokens_of_scripts() -> None:
    text = (
        "#include \"a.ds\"\nint twice(long n_v) { return p->left.right + q[0].up * rax + enable_event(1.5, ff, 'c'); }"
    )
    assert [row for row in shown(text) if row[0] not in (K.PUNCTUATION, K.OPERATOR)] == [
        (K.DIRECTIVE, "#include"), (K.PATH, '"a.ds"'), (K.TYPE, "int"), (K.FUNCTION, "twice"), (K.TYPE, "long"),
        (K.NAME, "n_v"), (K.KEYWORD, "return"), (K.NAME, "p"), (K.MEMBER, "left"), (K.MEMBER, "right"), (K.NAME, "q"),
        (K.NUMBER, "0"), (K.MEMBER, "up"), (K.REGISTER, "rax"), (K.BUILTIN, "enable_event"), (K.NUMBER, "1.5"),
        (K.NUMBER, "ff"), (K.ERROR, "'c'"),
    ]  # fmt: skip
    assert shown('x = "a\\n😀\\x41";') == [
        (K.NAME, "x"), (K.OPERATOR, "="), (K.STRING, '"a'), (K.ESCAPE, "\\n"), (K.STRING, "😀"), (K.ESCAPE, "\\x41"),
        (K.STRING, '"'), (K.PUNCTUATION, ";"),
    ]  # fmt: skip


def test_a_block_that_is_never_closed_is_still_what_it_was() -> None:
    assert shown("!syscall script { if (@rax")[-4:] == [
        (K.PUNCTUATION, "{"), (K.KEYWORD, "if"), (K.PUNCTUATION, "("), (K.REGISTER, "@rax"),
    ]  # fmt: skip


def test_escaped_braces_are_those_of_the_script() -> None:
    assert shown("? 1\n!syscall script { if (1) \\{ x = 1; }")[-7:-5] == [(K.PUNCTUATION, ")"), (K.PUNCTUATION, "{")]
