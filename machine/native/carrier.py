"""The native carrier of system-call events: keeps the tables of `machine.native.tables` equal to the registry.

It takes the triggers of `!syscall` whose events are scripts in the pre stage; as long as one event is of another form
(a condition, code, a break, the post stage, `!syscall2`, a program that is too large to compile) the portable carrier
has them all. Both give the same results: a script's requests, errors and immediate messages are dealt with in Python
before the guest goes on, system calls that the kernel's model carries out are answered there.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

from unicorn import x86_const as x86

from machine import msr
from machine.binding import function_address
from machine.events.definition import Detection, EventDefinition, ScriptAction, Stage
from machine.events.dispatch import Surroundings
from machine.events.registry import Event, EventsOfKind
from machine.events.syscall import ALL_NUMBERS, Sides
from machine.host import DebuggerState
from machine.kernel import Kernel
from machine.native import syscall_hook
from machine.native.script_host import ProcessCells, TriggerHost
from machine.native.tables import (
    ANSWERS,
    CS,
    ENTRY,
    FETCHABLE,
    R11,
    RAX,
    RCX,
    SS,
    AnswerRow,
    HookState,
)
from machine.process import Process
from machine.registers import BATCH_IDS, BATCH_STORAGES
from vm.native.activation import Activation, Workspace
from vm.native.engine import NativeEngine
from vm.native.layout import CELL
from vm.native.trigger import entry_point, prepare, registers_used
from vm.registers import RFLAGS, RIP

_PATIENCE = 1_000_000  # triggers and steps of scripts between two looks at signals and deadlines: some 10 ms
_PYTHON_WORK = 2_000  # what a detour through Python counts for
_WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF

_IN_PYTHON = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_SETTLE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32)
_ASK = ctypes.CFUNCTYPE(None)


class Owner(Surroundings, Protocol):
    """What the carrier needs of the machine."""

    def breathe(self) -> None:
        """Called now and then: end the run if its time is over."""
        ...


def is_native(definition: EventDefinition) -> bool:
    """Whether machine code can carry an event of kind syscall."""
    if definition.condition is not None or definition.stage is not Stage.PRE or len(definition.actions) > 1:
        return False
    if definition.detection is not Detection.READ_BYTES:
        return False
    return all(isinstance(action, ScriptAction) and entry_point(action.program) for action in definition.actions)


class Answers:
    """What one kernel's model answers to the calls that it does not carry out."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._rows = (AnswerRow * ANSWERS)()
        self.address = ctypes.addressof(self._rows)
        for number, row in enumerate(self._rows):
            value = kernel.default_answer(number)
            if value is not None:
                row.known, row.value = 1, value & _WORD_MASK

    def count(self) -> None:
        """Let the kernel know how often it has answered."""
        for number, row in enumerate(self._rows):
            if row.count:
                self._kernel.unknown_calls[number] += row.count
                row.count = 0


@dataclass(frozen=True, eq=False)
class _Registers:
    """A list of registers as Unicorn wants it. The arrays must live as long as somebody has their addresses."""

    ids: Any
    cells: Any

    @classmethod
    def of(cls, *rows: tuple[int, int]) -> _Registers:
        """Of ids and the host addresses of their values."""
        ids = (ctypes.c_int * len(rows))(*(number for number, _ in rows))
        return cls(ids, (ctypes.c_void_p * len(rows))(*(cell for _, cell in rows)))

    @property
    def addresses(self) -> tuple[int, int]:
        """Of the ids and of the list of cells."""
        return ctypes.addressof(self.ids), ctypes.addressof(self.cells)


class _Script:
    """One event's script in one process."""

    def __init__(self, carrier: Carrier, hook: ProcessHook, event: Event) -> None:
        self.event = event
        self.host = TriggerHost(carrier.state, hook.cells, event, hook.state, hook.refresh)
        self.activation: Activation | None = None
        self._registers: _Registers | None = None
        self._fill_in(carrier, hook)

    def _fill_in(self, carrier: Carrier, hook: ProcessHook) -> None:
        row, definition = self.host.row, self.event.definition
        row.event = self.event.address
        row.any_core, row.core = int(definition.core is None), definition.core or 0
        number = definition.parameters[0] if definition.parameters else ALL_NUMBERS
        row.any_number, row.number = int(number == ALL_NUMBERS), number
        row.short_circuit = int(definition.short_circuit)
        row.id, row.tag = definition.id, definition.tag
        row.waiting = carrier.never.address
        for action, buffer in zip(definition.actions, self.event.buffers, strict=True):
            assert isinstance(action, ScriptAction)
            workspace = carrier.immediate if definition.immediate else carrier.held
            self.activation = prepare(carrier.engine, action.program, self.host, workspace)
            row.entry, row.context = entry_point(action.program), self.activation.address
            row.buffer = buffer
            if definition.immediate:
                row.waiting = workspace.ring.address  # the first cell of the header: the cells in use
            mask = registers_used(action.program.program).read & FETCHABLE & ~ENTRY
            storages = [storage for storage in BATCH_STORAGES if mask >> storage & 1]
            self._registers = hook.registers(*storages)
            row.registers, row.register_count = mask, len(storages)
            row.register_ids, row.register_cells = self._registers.addresses


class ProcessHook:
    """The hook of one process."""

    def __init__(self, carrier: Carrier, process: Process, kernel: Kernel, answers: Answers, sides: Sides) -> None:
        self._carrier = carrier
        self._process = process
        self._sides = sides
        self._scripts: dict[int, _Script] = {}
        self._events: EventsOfKind | None = None
        self._tables: list[Any] = []
        self.cells = ProcessCells(carrier.state, process)
        self.state = HookState(patience=_PATIENCE, entry=kernel.entry.lstar, answers=answers.address)
        self.state.direct = ctypes.addressof(self.cells.direct)
        self.state.star[0], self.state.lstar[0] = msr.STAR, msr.LSTAR
        self._set_registers()
        self._set_functions()
        code = syscall_hook.address()
        self.state.in_python = process.cpu.carry_system_calls(code, ctypes.addressof(self.state))

    def registers(self, *storages: int) -> _Registers:
        """A list of registers whose values are the cells of the scripts."""
        return _Registers.of(*((self.state.ids[storage], self._cell(storage)) for storage in storages))

    def _cell(self, storage: int) -> int:
        first = ctypes.addressof(self.cells.direct.registers)
        return first + CELL * storage

    def _set_registers(self) -> None:
        state = self.state
        for storage, number in zip(BATCH_STORAGES, BATCH_IDS, strict=True):
            state.ids[storage] = number
        msrs = ((x86.UC_X86_REG_MSR, ctypes.addressof(cells)) for cells in (state.star, state.lstar))
        entry = ((state.ids[storage], self._cell(storage)) for storage in (RAX, RIP, RFLAGS, CS, SS))
        self._lists = (_Registers.of(*entry, *msrs), self.registers(RAX, RCX, R11))
        state.entry_ids, state.entry_cells = self._lists[0].addresses
        state.result_ids, state.result_cells = self._lists[1].addresses

    def _set_functions(self) -> None:
        state = self.state
        state.read_batch, state.write_batch = map(function_address, ("uc_reg_read_batch", "uc_reg_write_batch"))
        state.read_one, state.write_one = map(function_address, ("uc_reg_read", "uc_reg_write"))
        self._functions = (_SETTLE(self._settle), _ASK(self._answer), _ASK(self._breathe))
        state.settle, state.answer, state.breathe = (
            ctypes.cast(function, ctypes.c_void_p).value or 0 for function in self._functions
        )

    # --- tables

    def begin_turn(self) -> None:
        """The process is about to run; no trigger is under way."""
        del self._tables[:-1]
        if self._events is not None:
            known = {event.definition.id for event in self._events.all}
            self._scripts = {number: script for number, script in self._scripts.items() if number in known}
        self.refresh()

    def refresh(self) -> None:
        """Take in what may have changed. A trigger that is under way goes on with the table it has."""
        state, events = self.state, self._sides.events()
        if events is not self._events:
            self._events = events
            armed = not events.post and all(is_native(event.definition) for event in events.all)
            state.armed = int(armed)
            if armed:
                self._list(events.pre)
        self._read_msrs()
        state.core = self._process.core
        state.quiet = int(self._sides.is_quiet())

    def _read_msrs(self) -> None:
        """Python has taken part in a trigger, and may have written what the hook has read."""
        self.state.star[1], self.state.lstar[1], _ = self._process.cpu.system_call_msrs()

    def _list(self, events: tuple[Event, ...]) -> None:
        pid = self._process.pid
        here = [event for event in events if event.definition.process_id in (None, pid)]
        for event in here:
            if event.definition.id not in self._scripts:
                self._scripts[event.definition.id] = _Script(self._carrier, self, event)
        addresses = (ctypes.addressof(self._scripts[event.definition.id].host.row) for event in here)
        rows = (ctypes.c_uint64 * len(here))(*addresses)
        self._tables.append(rows)
        self.state.rows, self.state.row_count = ctypes.addressof(rows), len(here)

    # --- what the hook calls; none of these may raise

    def _settle(self, event_id: int, status: int) -> int:
        self.state.patience -= _PYTHON_WORK
        script = self._scripts[event_id]
        return int(self._process.cpu.aside(lambda: self._follow_up(script, status)))

    def _follow_up(self, script: _Script, status: int) -> None:
        """Deliver the messages of a run, and report its error."""
        activation, event = script.activation, script.event
        assert activation is not None
        with script.host.python():
            self._carrier.state.messages.catch_up()
            activation.drain()
            fault = activation.outcome(status).fault
            if fault is not None:
                event.faults += 1
                self._carrier.owner.script_fault(event, fault, activation.loaded)
        self._read_msrs()

    def _answer(self) -> None:
        self.state.patience -= _PYTHON_WORK
        self._process.cpu.within_system_call(self._perform)

    def _perform(self) -> None:
        self.cells.pour()
        self._sides.perform()
        self.refresh()

    def _breathe(self) -> None:
        self.state.patience = _PATIENCE
        self._process.cpu.aside(self._carrier.owner.breathe)


class Carrier:
    """The hooks of one machine. Scripts run one at a time, so they share what a run needs."""

    def __init__(self, engine: NativeEngine, state: DebuggerState, owner: Owner) -> None:
        self.engine = engine
        self.state = state
        self.owner = owner
        self.immediate = Workspace(engine.limits)
        self.held = Workspace(engine.limits)
        self.never = _Never()
        self._answers: dict[str, Answers] = {}
        state.messages.source = self._hand_over

    def attach(self, process: Process, kernel: Kernel, sides: Sides) -> ProcessHook:
        """Take the system calls of a process."""
        if kernel.name not in self._answers:
            self._answers[kernel.name] = Answers(kernel)
        return ProcessHook(self, process, kernel, self._answers[kernel.name], sides)

    def count_answers(self) -> None:
        """Bring the kernels' counts up to date."""
        for answers in self._answers.values():
            answers.count()

    def _hand_over(self) -> None:
        self.state.messages.hold_all(self.held.ring.take())


class _Never:
    """A cell that is 0."""

    def __init__(self) -> None:
        self._cell = ctypes.c_uint64()
        self.address = ctypes.addressof(self._cell)
