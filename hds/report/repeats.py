"""Errors that repeat at every trigger: the first of each sort is said in full, the others are counted."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec


class _Sort(msgspec.Struct):
    title: str
    owner: object  # kept alive, so that no other object gets the identity that the key names
    more: int = 0


class Repeats(msgspec.Struct):
    """At most `most` sorts of errors are told apart at a time (limit max_shown_errors), so memory stays flat."""

    say: Callable[[str], None]
    most: int
    _sorts: dict[Hashable, _Sort] = msgspec.field(default_factory=dict)
    _others: int = 0

    def add(self, key: Hashable, owner: object, describe: Callable[[], tuple[str, str]]) -> None:
        """One error: `describe` gives the title of its sort and the whole text. Errors of one sort have one key."""
        known = self._sorts.get(key)
        if known is not None:
            known.more += 1
        elif len(self._sorts) < self.most:
            title, text = describe()
            self._sorts[key] = _Sort(title, owner)
            self.say(text)
        else:
            self._others += 1

    def settle(self) -> None:
        """Say how many there were, and begin anew."""
        sorts, others = list(self._sorts.values()), self._others
        self._sorts.clear()
        self._others = 0
        for sort in sorts:
            if sort.more:
                self.say(f"{sort.title}: and {sort.more:,} more like this")
        if others:
            self.say(f"and {others:,} more errors of other sorts (limit max_shown_errors)")
