"""Which hooks of an address have been called for an arrival at its instruction, where it is begun anew.

Several hooks of one address are called in the order of their numbers. One of them may have the instruction begun anew:
those up to it are passed over then, and the others get their turn. Pure bookkeeping; `machine.processor` does the rest.
"""

from __future__ import annotations

import ctypes

import msgspec
from msgspec.structs import replace


class Mark(msgspec.Struct, frozen=True):
    """An instruction is begun anew some of whose hooks have been called, those up to the number `called`.

    `tick` is the count of executed instructions at that arrival, which is the same when it is begun anew.
    """

    address: int
    called: int
    tick: int


class Arrival:
    """The arrival under way in one CPU, as far as an instruction is begun anew."""

    def __init__(self) -> None:
        self._cell = ctypes.c_uint64()
        self._anew: Mark | None = None

    @property
    def cell_address(self) -> int:
        """Of a word that is not 0 when an instruction may be begun anew some of whose hooks have been called."""
        return ctypes.addressof(self._cell)

    @property
    def is_waited_for(self) -> bool:
        """Whether an instruction may be begun anew some of whose hooks have been called."""
        return self._anew is not None

    def begin_anew(self, address: int, called: int, tick: int) -> None:
        """The instruction at an address is going to be begun anew; its hooks up to the number `called` were called."""
        self._set(Mark(address, called, tick))

    def start_at(self, address: int, tick: int) -> bool:
        """A run starts, whose first instruction has this tick; somewhere else, it is another arrival.

        Whether an instruction is given up.
        """
        anew = self._anew
        given_up = anew is not None and anew.address != address
        self._set(None if anew is None or given_up else replace(anew, tick=tick))
        return given_up

    def was_called(self, address: int, number: int, tick: int) -> bool:
        """Whether a hook that is to be called now was called for this arrival."""
        anew = self._anew
        if anew is not None and (anew.address, anew.tick) == (address, tick):
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
