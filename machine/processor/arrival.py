"""Which hooks of an address have been called for an arrival at its instruction, where it is begun anew.

Several hooks of one address are called in the order of their numbers. One of them may have the instruction begun anew:
those up to it are passed over then, and the others get their turn. Pure bookkeeping; `machine.processor` does the rest.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass


@dataclass
class Mark:
    """An instruction is begun anew some of whose hooks have been called, those up to the number `called`.

    `before` is the count of executed instructions when that was decided, `behind` what it is afterwards: an instruction
    that is begun anew enters a block, which counts.
    """

    address: int
    called: int
    before: int
    behind: int | None = None


class Arrival:
    """The arrival under way in one CPU, as far as an instruction is begun anew."""

    def __init__(self) -> None:
        self._cell = ctypes.c_uint64()
        self._anew: Mark | None = None
        self._last: Mark | None = None

    @property
    def cell_address(self) -> int:
        """Of a word that is not 0 when an instruction may be begun anew some of whose hooks have been called."""
        return ctypes.addressof(self._cell)

    def begin_anew(self, address: int, called: int, executed: int) -> None:
        """The instruction at an address is going to be begun anew; its hooks up to the number `called` were called."""
        self._last = anew = Mark(address, called, executed)
        self._set(anew)

    def began_anew(self, address: int, executed: int) -> bool:
        """Whether the instruction at an address was begun anew with so many executed instructions."""
        return self._last is not None and (self._last.address, self._last.behind) == (address, executed)

    def start_at(self, address: int) -> bool:
        """A run starts; somewhere else, it is another arrival. Whether an instruction is given up."""
        given_up = self._anew is not None and self._anew.address != address
        if given_up:
            self._set(None)
        return given_up

    def was_called(self, address: int, number: int, executed: int) -> bool:
        """Whether a hook that is to be called now was called for this arrival, or will be when it is begun anew."""
        anew = self._anew
        if anew is None:
            return False
        if anew.address == address:
            if executed == anew.before:
                return True  # the instruction is given up
            if anew.behind is None:
                anew.behind = executed
            if executed == anew.behind:
                return number <= anew.called
        self._set(None)
        return False

    def exchange(self, other: Mark | None) -> Mark | None:
        """Another thread comes, with what is noted of it; what is noted of the one that leaves."""
        present = self._anew
        self._set(other)
        return present

    def _set(self, anew: Mark | None) -> None:
        self._anew = anew
        self._cell.value = int(anew is not None)
