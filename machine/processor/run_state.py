"""How a run of a CPU ends: the reasons, and what is known of the run under way, which all parts of the CPU share."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from threading import RLock
from typing import Any

from machine.processor.binding import Engine
from machine.processor.block_counter import BlockCounter
from machine.processor.fault import Fault, Vector


class StopKind(Enum):
    """Why `Cpu.run` came back."""

    REACHED = "reached"  # RIP is the `until` address
    BUDGET = "budget"  # the next block does not fit in the budget
    HALT = "halt"  # HLT was executed
    FAULT = "fault"  # exception or software interrupt `vector`
    INVALID = "invalid"  # undefined instruction
    UNMAPPED = "unmapped"  # `access` to `address`, which is not mapped or not allowed
    PAGING = "paging"  # CR0.PG, CR3 or CR4.PAE was changed: the guest wants page tables of its own, or none
    MEMORY = "memory"  # there is no memory for the page of `address`: max_guest_memory is used up
    STOPPED = "stopped"  # somebody called `stop`


@dataclass(frozen=True)
class StopReason:
    """Why a run ended, and the RIP it ended at; the other fields are those of the kind.

    `address` is the first byte of an access that was refused, as CR2 has it; `error` is the exception's error code.
    `raised` is an exception of which there is more to say.
    """

    kind: StopKind
    rip: int
    vector: int | None = None
    address: int | None = None
    access: str | None = None
    error: int = 0
    raised: Fault | None = field(default=None, compare=False)

    @classmethod
    def of(cls, fault: Fault) -> StopReason:
        """The end by an exception."""
        return cls(StopKind.FAULT, fault.rip, vector=fault.vector, error=fault.error, raised=fault)

    @classmethod
    def trapped(cls, rip: int, status: int) -> StopReason:
        """The end by a #DB behind an instruction, which sets these bits in DR6."""
        return cls.of(Fault(Vector.DB, rip, is_trap=True, debug=status))

    @property
    def fault(self) -> Fault | None:
        """The exception, where it is one; a page for which there is no memory is none."""
        if self.raised is not None:
            return self.raised
        match self.kind:
            case StopKind.FAULT:
                assert self.vector is not None
                return Fault(self.vector, self.rip, self.error)
            case StopKind.INVALID:
                return Fault(Vector.UD, self.rip)
            case StopKind.UNMAPPED:
                return Fault(Vector.PF, self.rip, self.error, self.address)
        return None


class RunState:
    """Why the run under way of one CPU is going to end, as far as that is known.

    `event` is an exception of the guest, `carried` one of a callback, `why` what has ended the run else. `instruction`
    reads RIP as the emulator has it, in a hook or between runs.
    """

    def __init__(self, engine: Engine, blocks: BlockCounter, instruction: Callable[[], int]) -> None:
        self._engine = engine
        self._blocks = blocks
        self.instruction = instruction
        self.gate: AbstractContextManager[Any] = RLock()  # is entered for what callbacks do beyond this CPU
        self.is_running = self.stop_requested = False
        self.why: StopKind | None = None
        self.event: StopReason | None = None
        self.carried: BaseException | None = None
        self._given_up = ctypes.c_uint64()

    def begin(self) -> None:
        """A run starts, and nothing has ended it."""
        self.why, self.event, self.carried = None, None, None
        self.is_running = True

    @property
    def executed(self) -> int:
        """Instructions since the CPU was made; in a hook with the one at hand, which is not executed yet."""
        blocks = self._blocks
        return blocks.executed if blocks.is_settled else blocks.executed_at(self.instruction())

    def stop(self) -> None:
        """End the run before its next block. May be called by a hook or by another thread."""
        self.stop_requested = True
        self._blocks.close()

    def heed_stop(self) -> None:
        """In a hook: end the run now, since somebody has called `stop`."""
        self.why = StopKind.STOPPED
        self._engine.stop()

    def refuse_block(self) -> None:
        """In a hook: end the run before a block that is not let in."""
        self.why = self.without_budget
        self._engine.stop()

    @property
    def without_budget(self) -> StopKind:
        """Why a run ends in which no instruction is let in any more."""
        return StopKind.STOPPED if self.stop_requested else StopKind.BUDGET

    def carry(self, error: BaseException) -> None:
        """End the run with an exception, which cannot pass through C code."""
        self.carried = error
        self._engine.stop()

    def raise_carried(self) -> None:
        """Between two runs: raise what a callback has raised."""
        if self.carried is not None:
            carried, self.carried = self.carried, None
            raise carried

    @property
    def given_up(self) -> int:
        """Grows when an instruction is not executed to its end: it raised an exception, or a run starts elsewhere."""
        return self._given_up.value

    @property
    def given_up_address(self) -> int:
        """Of the word that has `given_up`."""
        return ctypes.addressof(self._given_up)

    def give_up(self) -> None:
        """The instruction at hand is not executed to its end."""
        self._given_up.value += 1

    def raise_before(self, fault: Fault) -> None:
        """Raise an exception of the guest in the hook of an address, before its instruction."""
        self.give_up()
        self.event = StopReason.of(fault)
