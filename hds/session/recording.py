"""Triggers as records, where they are wanted: an action before the others of every event looks at the guest.

Without it nothing is paid; with it each trigger enters Python once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from hds.report.records import Triggered
from machine.events import CallAction, Trigger
from vm.facts.events import CALL_NUMBER, SYSTEM_CALL_FAMILY
from vm.facts.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from hds.session.session import Session
    from machine.schedule import Process

RECORDABLE = ("triggers", "registers", "arguments", "blocks", "lines", "times")

BLOCKS = "blocks"  # of code, which the machine records
LINES = "lines"  # of scripts, which the engine counts
TIMES = "times"  # of events, which the machine measures

GENERAL_AND_STATE = {**{name: STORAGE_INDEX[name] for name in GENERAL}, "rip": RIP, "rflags": RFLAGS}


class _Convention(msgspec.Struct, frozen=True):
    """Where a caller puts arguments: registers, then words from `stack` bytes above rsp on."""

    registers: tuple[str, ...]
    stack: int = 0

    def read(self, process: Process, count: int) -> tuple[int, ...]:
        """So many words; those that memory does not have are 0."""
        registers = process.cpu.registers
        words = [registers.read(STORAGE_INDEX[name]) for name in self.registers]
        more = count - len(words)
        if more > 0:
            start = registers.read(STORAGE_INDEX["rsp"]) + self.stack
            data = process.cpu.memory.read_up_to(start, 8 * more).ljust(8 * more, b"\0")
            words += [int.from_bytes(data[at : at + 8], "little") for at in range(0, 8 * more, 8)]
        return tuple(words[:count])


USUAL_ARGUMENTS = 6
_SYSTEM_CALL = {
    "linux": _Convention(("rdi", "rsi", "rdx", "r10", "r8", "r9")),
    "bare": _Convention(("rdi", "rsi", "rdx", "r10", "r8", "r9")),
    "nt": _Convention(("r10", "rdx", "r8", "r9"), stack=0x28),
}
_FUNCTION = {
    "linux": _Convention(("rdi", "rsi", "rdx", "rcx", "r8", "r9")),
    "bare": _Convention(("rdi", "rsi", "rdx", "rcx", "r8", "r9")),
    "nt": _Convention(("rcx", "rdx", "r8", "r9"), stack=0x28),
}


def recorded(wanted: Iterable[str] | str | None) -> frozenset[str]:
    """What is to be recorded: names in RECORDABLE, or one of them. Raises ValueError for others."""
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    for name in names:
        if name not in RECORDABLE:
            raise ValueError(f"{name!r} cannot be recorded; there are {', '.join(RECORDABLE)}")
    return frozenset(names)


class Recording(msgspec.Struct, frozen=True):
    """What is recorded at a trigger beside the trigger itself; not `is_reported`: only aggregations hear of it."""

    registers: bool = False
    arguments: bool = False
    is_reported: bool = True

    @classmethod
    def of(cls, names: frozenset[str]) -> Recording | None:
        """Of names in RECORDABLE; None where nothing of triggers is wanted."""
        return cls("registers" in names, "arguments" in names) if names - {BLOCKS, LINES, TIMES} else None

    def action(self, session: Session) -> CallAction:
        """What is done at each trigger: the session hears of it."""

        def report(trigger: Trigger) -> None:
            session.machine.messages.catch_up()  # with what was said before
            session.report(self.record(session, trigger))

        return CallAction(report, looks_on=True)

    def record(self, session: Session, trigger: Trigger) -> Triggered:
        """The trigger as it is now."""
        process, kind = trigger.process, trigger.event.definition.kind
        values = process.cpu.registers.user_values() if self.registers else {}
        return Triggered(
            trigger.event.definition.id,
            int(trigger.stage is Stage.POST),
            trigger.core,
            session.machine.clock.elapsed(),
            process.pid,
            process.tid,
            process.name,
            session.machine.kernels.thread_name(process.thread),
            trigger.instruction_pointer,
            session.symbols.place(process, trigger.instruction_pointer) or None,
            trigger.context,
            session.machine.kernels.known_call_name(trigger.context) if kind.context == CALL_NUMBER else None,
            {name: values[storage] for name, storage in GENERAL_AND_STATE.items()} if self.registers else None,
            arguments_at(trigger, session.machine.options.kernel) if self.arguments else None,
            kind.name,
        )


def arguments_at(trigger: Trigger, kernel: str | None, count: int = USUAL_ARGUMENTS) -> tuple[int, ...]:
    """So many words in the places of arguments: of a system call, and elsewhere of a function that begins here.

    `kernel` is the one that all processes have, if they do.
    """
    process, kind = trigger.process, trigger.event.definition.kind
    convention = (_SYSTEM_CALL if kind in SYSTEM_CALL_FAMILY else _FUNCTION)[kernel or process.image.kernel]
    return convention.read(process, count)
