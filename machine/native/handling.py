"""Handling: one event in one process, as the hooks see it (an EventRow) and as Python sees it (a Trigger)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from machine.events import Action, CodeAction, Event, ScriptAction, Trigger, block_of
from machine.events.exits import exit_of
from machine.host import DebuggerState, GuestHost
from machine.memory import MapError
from machine.native.desk import Desk
from machine.native.process_cells import AT_HAND, ProcessCells
from machine.native.tables import FETCHABLE, GENERAL_REGISTERS, ActionRow, EventRow, HookState
from machine.processor import WORD_MASK
from machine.root import BlockRow
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import RIP
from vm.facts.stages import Stage
from vm.native import (
    Activation,
    NativeEngine,
    entry_point,
    has_run,
    keeps_to_itself,
    prepare,
    registers_used,
    sends_messages,
)

_NEVER = ctypes.c_uint64(0)  # a cell that stays 0
_REGISTERS = GENERAL_REGISTERS | 1 << RIP
_CONTEXT, _POINTER, _BUFFER = (PSEUDO_INDEX[name] for name in ("context", "ip", "buffer"))


class TriggerHost(GuestHost):
    """A `vm.native.access.NativeHost` for one script of an event in one process."""

    def __init__(self, state: DebuggerState, handling: Handling) -> None:
        super().__init__(state, handling.cells.process, handling.cells.process.core)
        self.direct = handling.cells.direct
        self._handling = handling

    def attend(self, trigger: Trigger) -> None:
        """Python takes part in this trigger."""
        self._trigger, self._core = trigger, trigger.core

    # --- vm.host.Host

    def read_register(self, storage: int) -> int:
        with self._handling.python():
            return super().read_register(storage)

    def write_register(self, storage: int, value: int) -> None:
        with self._handling.python():
            super().write_register(storage, value)

    def write_memory(self, address: int, data: bytes) -> bool:
        self._handling.take_part()
        return super().write_memory(address, data)

    def message(self, text: bytes) -> None:
        if self._handling.event.definition.immediate:
            with self._handling.python():
                super().message(text)
        else:
            self._state.messages.hold(text)

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        with self._handling.python():
            return super().request(name, arguments)


class Handling:
    """`row` is valid as long as this object lives."""

    def __init__(self, event: Event, cells: ProcessCells, hook: HookState) -> None:
        self.event = event
        self.cells = cells
        self.activations: dict[int, Activation] = {}  # by the index of the action
        self._hook = hook
        self._hosts: list[TriggerHost] = []
        self._trigger: Trigger | None = None
        self._fuel = 0  # of the row, when its scripts were told of it
        definition = event.definition
        exit_ = exit_of(definition.kind)
        number = exit_.wanted(definition.parameters)
        self._actions = (ActionRow * len(definition.actions))()
        self._blocks: list[tuple[BlockRow, bytes]] = []
        self.row = EventRow(
            event=event.address,
            any_core=int(definition.core is None),
            core=definition.core or 0,
            any_number=int(number is None),
            number=number or 0,
            mask=exit_.mask(definition.parameters),
            short_circuit=int(definition.short_circuit),
            actions=ctypes.addressof(self._actions),
            action_count=len(self._actions),
            id=definition.id,
            tag=definition.tag,
        )
        event.counters.append(self.row)

    # --- what the hooks read

    def fill_in(self, engine: NativeEngine, desk: Desk, state: DebuggerState) -> None:
        """Fill in the rows of the condition and of the actions, for triggers at this desk."""
        definition, workspace = self.event.definition, desk.workspace_of(self.event)
        if definition.condition is not None:
            self.row.condition = self._block(definition.condition)
        for index, (action, row) in enumerate(zip(definition.actions, self._actions, strict=True)):
            row.buffer = self.event.buffers[index]
            row.before = ctypes.addressof(_NEVER)
            if isinstance(action, CodeAction):
                row.block = self._block(action.code)
            elif isinstance(action, ScriptAction) and entry_point(action.program):
                host = TriggerHost(state, self)
                self._hosts.append(host)
                self.activations[index] = activation = prepare(engine, action.program, host, workspace)
                row.entry, row.context = entry_point(action.program), activation.address
                row.registers = registers_used(action.program.program).read & FETCHABLE & ~_REGISTERS
        self.move_to(desk)

    @property
    def is_plain(self) -> bool:
        """Whether a trigger is one run of a script that asks nobody anything, but for whether it is its number."""
        row, activation = self.row, self.activations.get(0)
        if activation is None or len(self._actions) != 1 or not row.any_core or row.mask != WORD_MASK:
            return False
        if row.condition or row.short_circuit or self._hook.read_clock:
            return False
        return keeps_to_itself(activation.loaded.program, _REGISTERS, AT_HAND)

    def renew(self) -> bool:
        """Take over what scripts were compiled to by now; no trigger is under way. Whether there may be better code."""
        new, self._fuel = self.row.fuel - self._fuel, self.row.fuel
        programs = [(self._actions[index], activation.loaded) for index, activation in self.activations.items()]
        finished = [has_run(program, new) for _, program in programs]
        for row, program in programs:
            row.entry = entry_point(program)
        return not all(finished)

    def _block(self, code: bytes) -> int:
        row = BlockRow()
        self._blocks.append((row, code))
        return ctypes.addressof(row)

    def move_to(self, desk: Desk) -> None:
        """The process has come to another core's desk."""
        for block, code in self._blocks:
            try:
                desk.sandbox.show(block_of(self.event, code), block)
            except MapError:
                block.number = 0  # Python says why
        workspace = desk.workspace_of(self.event)
        for index, activation in self.activations.items():
            if activation.workspace is not workspace:
                activation.attach(workspace, activation.host)
            if sends_messages(activation.loaded.program):
                row = self._actions[index]
                row.marks, row.before = desk.marks_of(self.event), desk.before(self.event)

    def action(self, index: int) -> Action:
        """An action of the event."""
        return self.event.definition.actions[index]

    def code(self, index: int) -> bytes:
        """The machine code of an action of that kind."""
        action = self.action(index)
        assert isinstance(action, CodeAction)
        return action.code

    # --- Python's part

    @contextmanager
    def python(self) -> Iterator[Trigger]:
        """A stretch in which Python takes part in the trigger under way; such stretches may be nested."""
        if self._trigger is not None:
            yield self._trigger
            return
        self.take_part()
        self._trigger = trigger = self._trigger_under_way()
        for host in self._hosts:
            host.attend(trigger)
        try:
            with self.cells.shown():
                yield trigger
        finally:
            self.cells.direct.short = int(trigger.short_circuit)
            self._trigger = None

    def look_on(self, function: Callable[[Trigger], None]) -> None:
        """Show a function that writes nothing the trigger under way, between two actions."""
        self.cells.pour()
        try:
            function(self._trigger_under_way())
        except BaseException:
            self.take_part()  # the run ends here
            raise
        cpu = self.cells.process.cpu
        cpu.registers.forget()
        if cpu.stop_requested:
            self.take_part()

    def take_part(self) -> None:
        """Let the hook know that more than registers may have changed."""
        self._hook.python = 1

    def _trigger_under_way(self) -> Trigger:
        process, pseudo = self.cells.process, self.cells.direct.pseudo
        stage, short = Stage.POST if self._hook.stage else Stage.PRE, bool(self.cells.direct.short)
        return Trigger(
            self.event, process, process.core, stage, pseudo[_CONTEXT], pseudo[_POINTER], short, pseudo[_BUFFER]
        )
