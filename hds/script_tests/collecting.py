"""Which files have tests, and which of these are wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".hds", ".ds")
MOST_FILES = 100_000  # that are looked at in all folders
_WORD = re.compile(r"\s*(\(|\)|[^\s()]+)")
LONGEST_EXPRESSION = 1000  # characters


class TooManyFiles(ValueError):  # noqa: N818 - it says what is wrong
    """The folders have more script files than are looked at."""


def script_files(folder: str) -> Iterator[str]:
    """The script files of a folder and those in it, in the order of their names; hidden folders and links are left out.

    Raises TooManyFiles, and OSError where the folder itself cannot be read.
    """
    os.scandir(folder).close()
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                count += 1
                if count > MOST_FILES:
                    raise TooManyFiles(f"{folder} has more than {MOST_FILES} script files")
                yield os.path.normpath(Path(place, name))


class BadExpression(ValueError):  # noqa: N818 - it says what is wrong
    """An expression of `-k` is none."""


class Choice:
    """`-k`: words that are looked for in `PATH::NAME`, in any case; `and`, `or`, `not` and parentheses between them."""

    def __init__(self, text: str) -> None:
        """Raises BadExpression."""
        if len(text) > LONGEST_EXPRESSION:
            raise BadExpression(f"an expression has at most {LONGEST_EXPRESSION} characters")
        self._words = [match[1] for match in _WORD.finditer(text)]
        self._at = 0
        self._name = ""
        self._parsed = False
        self.takes("")
        self._parsed = True

    def takes(self, name: str) -> bool:
        """Whether a test of this name is wanted."""
        self._at, self._name = 0, name.lower()
        found = self._any()
        if self._at < len(self._words):
            raise BadExpression(f"`{self._words[self._at][:40]}` is not expected here")
        return found

    def _any(self) -> bool:
        found = self._all()
        while self._next("or"):
            other = self._all()
            found = found or other
        return found

    def _all(self) -> bool:
        found = self._one()
        while self._next("and"):
            other = self._one()
            found = found and other
        return found

    def _one(self) -> bool:
        if self._next("not"):
            return not self._one()
        if self._next("("):
            found = self._any()
            if not self._next(")"):
                raise BadExpression("a `)` is missing")
            return found
        if self._at == len(self._words) or self._words[self._at] in (")", "and", "or"):
            raise BadExpression("a word is missing")
        self._at += 1
        return self._words[self._at - 1].lower() in self._name

    def _next(self, word: str) -> bool:
        found = self._at < len(self._words) and self._words[self._at] == word
        self._at += found
        return found
