"""What commands have changed of a recorded session, so that only such are said to be undone when one goes back."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import msgspec

from vm.facts.commands import CHANGING_COMMANDS, COMMAND_BY_NAME, COMPARED_COMMANDS, CommandRow
from vm.facts.registers import STORAGES

if TYPE_CHECKING:
    from hds.session.session import Session


class Entry(msgspec.Struct):
    """What was typed, at which count of instructions, and whether it has changed something, once that is known."""

    text: str
    begin: int
    changed: bool = False


class Watch:
    """Of one command, made before it is carried out: what may change."""

    def __init__(self, session: Session, entry: Entry) -> None:
        row = COMMAND_BY_NAME.get(entry.text.split(maxsplit=1)[0].lower())
        self._row: CommandRow | None = row if row and _may_change(row) else None
        self._entry = entry
        self._refused = session.totals.failed_commands
        self._before = _mark(session) if self._is_seen else None

    @property
    def _is_seen(self) -> bool:
        return self._row is not None and (self._row.is_event or self._row.name in COMPARED_COMMANDS)

    def end(self, session: Session) -> None:
        """The command is over: note in its entry whether it has changed something."""
        if self._is_seen:
            self._entry.changed = _mark(session) != self._before
        elif self._row is not None:
            self._entry.changed = session.totals.failed_commands == self._refused


def _may_change(row: CommandRow) -> bool:
    return row.is_event or row.name in CHANGING_COMMANDS | COMPARED_COMMANDS


def _mark(session: Session) -> Hashable:
    """Registers, events, globals and which process is debugged; how often scripts of commands have written memory."""
    machine, process, held = session.machine, session.process, session.execution.held
    cpu = None if process is None or process.cpu.is_closed else process.cpu
    registers = () if cpu is None else tuple(cpu.registers.read(storage) for storage in range(len(STORAGES)))
    thread = None if process is None else (process.pid, process.tid, process.thread.injected)
    store = session.store
    return (
        registers,
        cpu and cpu.read_fxsave(),
        thread,
        tuple((event.definition.id, event.enabled) for event in machine.registry.oldest_first()),
        held is not None and held.short_circuit,
        store.memory[: store.used].rstrip(b"\0"),  # a global that is new is 0
        machine.writes,
        tuple(each.pid for each in session.debugged),
        session.ended,
    )
