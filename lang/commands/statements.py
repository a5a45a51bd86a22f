"""What reads as a statement of the script language, and not as a command: where one is mistaken for the other."""

from __future__ import annotations

import re

from vm import late_pattern
from vm.facts.builtins import ALIASES, BUILTIN_INDEX

_COMMENT_OR_BLANK = late_pattern(r"(?:\ufeff|\s++|//[^\r\n]*+|/\*.*?\*/)*+", re.DOTALL)
# The first words of a statement that no line of commands begins with. Only `r NAME = VALUE` has a `=` among the
# commands, and not behind the first word.
_STATEMENT = late_pattern(
    r"""\#[ \t]*include\b | [{;*] | \+\+ | --
      | (?:if|for|while|do|struct|typedef|signed|unsigned|void|bool|char|short|int|long|float|double)\b
      | [@.]?[A-Za-z_][\w`]* (?: \( | \[ | -> | \+\+ | -- | \.\w | [ \t]* (?:[-+*/%&|^]|<<|>>)? = (?!=) )
    """,
    re.VERBOSE,
)
_WORD = late_pattern(r"\w+")
_LONGEST_SHOWN = 60  # characters


def begins_as_statement(text: str) -> bool:
    """Whether what follows blanks and comments at the start of a text reads as a statement."""
    start = _COMMENT_OR_BLANK.match(text)
    return reads_as_statement(text, start.end() if start else 0)


def reads_as_statement(text: str, at: int) -> bool:
    """Whether a statement begins at this offset; a line of commands does not begin like that."""
    return _STATEMENT.match(text, at) is not None


def statement_hint(line: str) -> str | None:
    """How to run a line that is no command: as a script. None for what is no statement either."""
    word = _WORD.match(line)
    builtin = word is not None and (word[0] in BUILTIN_INDEX or word[0] in ALIASES)
    if not builtin and not reads_as_statement(line, 0):
        return None
    if builtin and word is not None and not reads_as_statement(line, 0):
        line = f"{word[0]}(...)"
    if "\n" in line or "\r" in line or len(line) > _LONGEST_SHOWN or line.startswith("{"):
        return "statements of the script language stand behind `?`: `? { ... }`"
    end = "" if line.endswith((";", "}")) else ";"
    return f"a statement of the script language stands behind `?`: `? {line}{end}`"
