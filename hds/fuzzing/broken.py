"""Text that is no program: valid programs with something done to them, and words in any order."""

from __future__ import annotations

from functools import cache

from hds.fuzzing.choices import Choices
from hds.fuzzing.expressions import PSEUDO, REGISTERS, STRINGS, WIDE_STRINGS
from hds.fuzzing.programs import program
from lang.codes import ERRORS, WARNINGS
from vm.facts.builtins import BUILTINS

WORDS = (
    "if", "elsif", "else", "for", "while", "do", "break", "continue", "return", "struct", "typedef", "sizeof",
    "signed", "unsigned", "void", "bool", "char", "short", "int", "long", "float", "double", "x", "y", ".g", "fn",
    "S", "a", "b0", "1", "0x10", "0n12", "0y102", "0x", "1.5", "1e5", ".5", "1.5.2", "0X1", "12u", "0n12ab",
    "11112222333344445555", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "<<", ">>", "<", ">", "<=", ">=", "==",
    "!=", "&&", "||", "=", "+=", "-=", "<<=", "++", "--", "->", ".", ",", ";", "(", ")", "{", "}", "[", "]", "?", ":",
    "#", "\\", "`", "'", '"', "#include", '#include "nothing.hds"', "nt!NtClose", "$arg0", "@", "$", "//", "/*", "*/",
    "L", "main", "@r8b", "$nope",
    "switch", "goto", "union", "enum", "const", "static", "'a'", '"\\q"', "\n", "\r", "\t", "\ufeff", "é", "\0", "𝛼",
    *REGISTERS, *PSEUDO, *STRINGS, *WIDE_STRINGS,
)  # fmt: skip


@cache
def _vocabulary() -> tuple[str, ...]:
    return (*WORDS, *(row.name for row in BUILTINS))


@cache
def examples() -> tuple[str, ...]:
    """The examples of `hds explain`, the wrong ones and the right ones."""
    return tuple(text for row in (*ERRORS, *WARNINGS) for text in (row.bad, row.good) if text)


def broken(choices: Choices) -> str:
    """A text that is most probably wrong."""
    way = choices.below(10)
    if way < 4:
        return junk(choices)
    if way < 6:
        text = choices.pick(examples())
    else:
        text = program(choices, 4)
    for _ in range(choices.between(1, 4)):
        text = damaged(choices, text)
    if way == 9:
        text = nested(choices, text)
    return text


def junk(choices: Choices) -> str:
    """Words of the language in any order."""
    words = [choices.pick(_vocabulary()) for _ in range(choices.below(30))]
    return choices.pick((" ", "", "\n")).join(words)


def damaged(choices: Choices, text: str) -> str:
    """Something left out, doubled, moved, or replaced."""
    if not text:
        return text
    start = choices.below(len(text))
    end = min(len(text), start + 1 + choices.below(8))
    match choices.below(7):
        case 0:
            return text[:start] + text[end:]
        case 1:
            return text[:end] + text[start:]
        case 2:
            return text[:start] + choices.pick(_vocabulary()) + text[end:]
        case 3:
            return text[:start] + choices.pick(_vocabulary()) + text[start:]
        case 4:
            return text[:start]
        case 5:
            other = choices.below(len(text))
            return text[:start] + text[other : other + 12] + text[end:]
    return text[:start] + chr(choices.below(0x250)) + text[end:]


def nested(choices: Choices, text: str) -> str:
    """Deep nesting of one kind, around the limit or far beyond it."""
    depth = choices.pick((3, 499, 501, 3000))
    before, after = choices.pick(
        (("(", ")"), ("{", "}"), ("- ", ""), ("if (1) {", "}"), ("x[", "]"), ("(int)", ""), ("*", ""),
         ("!", ""), ("sizeof ", ""), ("int v[1] = {", "};"), ("fn(", ")"), ("x = ", ""),
         ("1 + (", ")"), ("1 + ", "1"), ("p->", ""))
    )  # fmt: skip
    return f"x = {before * depth}1{after * depth};" + text[:200]
