"""Futexes: who waits at which word of one address space, in the order in which they came (futex(2))."""

from __future__ import annotations

from dataclasses import dataclass, field

ANY = 0xFFFF_FFFF  # the bit set of those that name none


@dataclass(eq=False)
class Waiter:
    """A thread that waits at a word; `bits` are what it waits for."""

    address: int
    bits: int
    woken: bool = False


@dataclass
class Futexes:
    """The waiters of all words; rows that are empty are removed."""

    _rows: dict[int, list[Waiter]] = field(default_factory=dict)

    def add(self, address: int, bits: int) -> Waiter:
        """One more, behind the others."""
        waiter = Waiter(address, bits)
        self._rows.setdefault(address, []).append(waiter)
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """One that waits no longer and was not woken."""
        self._keep(waiter.address, [other for other in self._rows[waiter.address] if other is not waiter])

    def wake(self, address: int, most: int, bits: int = ANY) -> int:
        """Wake those that came first; how many."""
        row = self._rows.get(address, [])
        chosen = [waiter for waiter in row if waiter.bits & bits][:most]
        for waiter in chosen:
            waiter.woken = True
        self._keep(address, [waiter for waiter in row if not waiter.woken])
        return len(chosen)

    def requeue(self, address: int, target: int, most: int) -> int:
        """Have those that came first wait at another word; how many."""
        row = self._rows.get(address, [])
        moved, kept = row[:most], row[most:]
        self._keep(address, kept)
        for waiter in moved:
            waiter.address = target
            self._rows.setdefault(target, []).append(waiter)
        return len(moved)

    def _keep(self, address: int, row: list[Waiter]) -> None:
        if row:
            self._rows[address] = row
        else:
            self._rows.pop(address, None)
