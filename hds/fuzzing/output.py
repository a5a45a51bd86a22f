"""`printf` statements with every specifier, and flags as far as C defines what they do."""

from __future__ import annotations

from hds.fuzzing.choices import Choices
from hds.fuzzing.expressions import Expressions

INTEGER = (
    "d",
    "i",
    "u",
    "x",
    "X",
    "o",
    "ld",
    "lu",
    "lx",
    "hd",
    "hu",
    "hx",
    "ho",
    "lld",
    "llu",
    "llx",
    "llo",
    "llX",
    "li",
)
FLAGS = {"d": "-+ 0", "i": "-+ 0", "u": "-0", "x": "-#0", "X": "-#0", "o": "-#0", "c": "-", "p": "-", "s": "-"}
PIECES = ("", " ", "a", "%% ", "100% ", "\\x41", ", ", "\\t|", "%k")


def printf(choices: Choices, expressions: Expressions) -> str:
    """A printf statement with some specifiers and arguments that fit."""
    text, arguments = "", list[str]()
    for _ in range(choices.below(4)):
        text += choices.pick(PIECES)
        specifier, argument = _conversion(choices, expressions)
        text += specifier
        arguments.append(argument)
    ending = choices.pick(PIECES) + choices.pick(("\\n", ""))
    return "printf(" + ", ".join([f'"{text}{ending}"', *arguments]) + ");"


def _conversion(choices: Choices, expressions: Expressions) -> tuple[str, str]:
    way = choices.below(12)
    if way < 6:
        letters = choices.pick(INTEGER)
        return "%" + _layout(choices, letters[-1]) + letters, expressions.integer(2)
    if way < 8:
        letters = choices.pick(("f", "e", "g", "lf", "le", "lg"))
        return "%" + _layout(choices, "f") + letters, expressions.floating(2)
    if way == 8:
        return "%" + _layout(choices, "c", precision=False) + "c", str(choices.between(0x20, 0x7E))
    if way == 9:
        return "%" + _layout(choices, "p", precision=False) + "p", expressions.integer(1)
    if way == 10:
        return "%" + _layout(choices, "s") + "s", expressions.text()
    return "%" + choices.pick(("ws", "ls", "5ws")), expressions.wide_text()


def _layout(choices: Choices, letter: str, *, precision: bool = True) -> str:
    """Flags, width and precision; mostly none."""
    if not choices.chance(25):
        return ""
    flags = "".join(choices.shuffled(FLAGS.get(letter, "-+ #0")))
    width = str(choices.between(1, 24)) if choices.chance(60) else ""
    digits = f".{choices.below(12)}" if precision and choices.chance(40) else ""
    return flags + width + digits
