"""The known name nearest to a mistyped one.

Two words are near if removing at most one letter from each makes them equal: one letter missing, too many, wrong, or
two neighbours swapped. `NearestName` finds such a name in time that does not depend on how many names there are;
`nearest` looks further, for a few names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

# Characters; the work grows with the square of the length, and names of scripts may have any.
_LONGEST = 24
_LONGEST_COMPARED = 64


class NearestName:
    """Finds the near name among fixed names; the first one given wins a tie."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    @cached_property
    def _by_shape(self) -> dict[str, str]:
        by_shape: dict[str, str] = {}
        for name in self._names:
            if len(name) <= _LONGEST + 1:
                for shape in _shapes(name):
                    by_shape.setdefault(shape, name)
        return by_shape

    def find(self, word: str) -> str | None:
        """The near name, or None. A single letter is near to nothing."""
        if not 2 <= len(word) <= _LONGEST:
            return None
        return next((self._by_shape[shape] for shape in _shapes(word) if shape in self._by_shape), None)


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `word`, if one does; long ones look like nothing."""
    if len(word) > _LONGEST_COMPARED:
        return None
    names = [name for name in known if len(name) <= _LONGEST_COMPARED]
    found = NearestName(names).find(word)
    if found is not None:
        return found
    import difflib  # only needed for a message

    matches = difflib.get_close_matches(word, names, 1, 0.6)
    return matches[0] if matches else None


def nearest_hint(word: str, known: Iterable[str], prefix: str = "") -> Callable[[], str | None]:
    """A hint that offers the nearest known name, looked for when it is shown."""

    def hint() -> str | None:
        name = nearest_name(word, known)
        return f"did you mean `{prefix}{name}`?" if name else None

    return hint


def _shapes(word: str) -> Iterator[str]:
    """The word, and the word without each of its letters."""
    yield word
    if len(word) > 1:
        yield from (word[:i] + word[i + 1 :] for i in range(len(word)))
