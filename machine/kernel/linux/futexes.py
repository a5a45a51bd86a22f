"""Futexes: who waits at which word, in the order in which they came (futex(2)).

A word is known by what it is a word of: an address space, or memory that several of them show.
"""

from __future__ import annotations

import ctypes
from collections.abc import Hashable

import msgspec

ANY = 0xFFFF_FFFF  # the bit set of those that name none


class Waiter(msgspec.Struct, eq=False):
    """A thread that waits at a word; `bits` are what it waits for."""

    word: Hashable
    bits: int
    woken: bool = False


class Futexes(msgspec.Struct):
    """The waiters of all words; rows that are empty are removed. `words` is a cell that counts the others."""

    _rows: dict[Hashable, list[Waiter]] = msgspec.field(default_factory=dict)
    words: ctypes.c_uint64 = msgspec.field(default_factory=ctypes.c_uint64)

    def add(self, word: Hashable, bits: int) -> Waiter:
        """One more, behind the others."""
        waiter = Waiter(word, bits)
        self._rows.setdefault(word, []).append(waiter)
        self.words.value = len(self._rows)
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """One that waits no longer, if it was not woken."""
        if waiter.woken:
            return
        self._keep(waiter.word, [other for other in self._rows[waiter.word] if other is not waiter])

    def wake(self, word: Hashable, most: int, bits: int = ANY) -> int:
        """Wake those that came first; how many."""
        row = self._rows.get(word, [])
        chosen = [waiter for waiter in row if waiter.bits & bits][:most]
        for waiter in chosen:
            waiter.woken = True
        self._keep(word, [waiter for waiter in row if not waiter.woken])
        return len(chosen)

    def requeue(self, word: Hashable, target: Hashable, most: int) -> int:
        """Have those that came first wait at another word; how many."""
        row = self._rows.get(word, [])
        moved, kept = row[:most], row[most:]
        self._keep(word, kept)
        for waiter in moved:
            waiter.word = target
            self._rows.setdefault(target, []).append(waiter)
        self.words.value = len(self._rows)
        return len(moved)

    def _keep(self, word: Hashable, row: list[Waiter]) -> None:
        if row:
            self._rows[word] = row
        else:
            self._rows.pop(word, None)
        self.words.value = len(self._rows)
