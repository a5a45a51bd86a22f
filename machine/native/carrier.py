"""The native carrier of events: keeps the tables of `machine.native.tables` equal to the registry.

The hooks in machine code do the whole of a trigger, and call back for what has no native form: requests, errors and
immediate messages of scripts, breaks, blocks that do more than compute, scripts that are too large to compile, system
calls that the kernel's model carries out. Each is dealt with before the guest goes on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from machine.events import (
    KERNEL_BITS,
    Arrivals,
    BlockKind,
    Dispatcher,
    Event,
    EventsOfKind,
    Exit,
    Sides,
    Surroundings,
    Waiting,
    block_of,
)
from machine.events.exits import exit_of
from machine.host import DebuggerState
from machine.kernel import Kernel
from machine.messages import Message
from machine.native import hooks
from machine.native.accesses import CarriedAccesses
from machine.native.desk import Desk
from machine.native.handling import Handling
from machine.native.marks import Maker
from machine.native.process_cells import ProcessCells
from machine.native.protocol import CONDITION
from machine.native.tables import EventTable, HookedAddress, HookState
from machine.processor import (
    BATCH_IDS,
    BATCH_STORAGES,
    CS_ID,
    GENERAL_IDS,
    LONGEST_INSTRUCTION,
    MSR_ID,
    PLAIN_IDS,
    RIP_ID,
    SS_ID,
    WORD_MASK,
    Hook,
    Site,
    function_address,
    has_plain_flags,
    msr,
    plain_operand,
)
from machine.root import RootSandbox
from machine.schedule import Process
from vm.facts.events import EXCEPTION, SYSCALL, SYSRET, SYSTEM_CALL_FAMILY, Detection, EventKind
from vm.facts.registers import GENERAL
from vm.facts.stages import Stage
from vm.native import CELL, NativeEngine

_U64 = ctypes.c_uint64
_UNKNOWN = HookedAddress(shape=WORD_MASK)
_UNKNOWN_ADDRESS = ctypes.addressof(_UNKNOWN)
_ASK = ctypes.CFUNCTYPE(None)
_ACT = ctypes.CFUNCTYPE(None, _U64, _U64)
_SETTLE = ctypes.CFUNCTYPE(None, _U64, _U64, ctypes.c_int32)
_RUN_STAGE = ctypes.CFUNCTYPE(None, *[_U64] * 6)
_BLOCK = ctypes.CFUNCTYPE(_U64, _U64, _U64, ctypes.c_int32)
SLOW_CALLS = 64  # of a process that Python carries out, before machine code is made for quick ones


class Table:
    """The EventTable of one thing that events wait for. A trigger that is under way goes on with the lists it has."""

    def __init__(self) -> None:
        self.row = EventTable()
        self.address = ctypes.addressof(self.row)
        self._lists: list[Any] = []

    def show(self, pre: Iterable[Handling], post: Iterable[Handling] = ()) -> None:
        """List these events, newest first."""
        self.row.pre, self.row.pre_count = self._list(pre)
        self.row.post, self.row.post_count = self._list(post)

    def _list(self, handlings: Iterable[Handling]) -> tuple[int, int]:
        addresses = [ctypes.addressof(handling.row) for handling in handlings]
        rows = (_U64 * len(addresses))(*addresses)
        self._lists.append(rows)
        return ctypes.addressof(rows), len(addresses)

    def forget_old(self) -> None:
        """No trigger is under way: only the lists that are shown are needed."""
        del self._lists[:-2]


class CarriedAddress:
    """A hooked address of one process: the machine code of an exit, and what does the same in Python."""

    def __init__(
        self,
        hook: ProcessHook,
        address: int,
        code: int,
        in_python: Callable[[], None],
        table: Table,
        behind: int = 0,
        waiting: Waiting | None = None,
        replaces: bool = False,
    ) -> None:
        cpu = hook.process.cpu
        self._hook = hook
        self.table = table
        callback = cpu.address_hooks.callback(address, in_python, replaces)
        self._functions = (
            callback.function,
            _ASK(lambda: hook.moved(address, callback.number, replaces)),
            _ASK(self._left),
        )
        self._waiting = waiting
        self.state = HookedAddress(
            state=ctypes.addressof(hook.state),
            address=address,
            behind=behind,
            events=table.address,
            waiting=0 if waiting is None else ctypes.addressof(waiting),
            anew=cpu.address_hooks.arrival.cell_address,
            changes=cpu.code.changes_address,
            in_python=_address(self._functions[0]),
            moved=_address(self._functions[1]),
            left=_address(self._functions[2]),
        )
        self.installed: Hook = cpu.address_hooks.carry(address, code, ctypes.addressof(self.state))

    def show(self, events: tuple[Event, ...]) -> None:
        """These events wait here, newest first."""
        self.table.show(self._hook.handlings(events))

    def _left(self) -> None:
        """Machine code moves RIP away."""
        cpu, state = self._hook.process.cpu, self.state
        state.block, state.shape, state.rest = cpu.leave_block(state.address)
        state.known_at = cpu.code.changes

    def remove(self) -> None:
        """Carry it no more."""
        self._hook.unhook(self)


class ProcessHook:
    """The hooks of one process."""

    def __init__(self, carrier: Carrier, process: Process) -> None:
        self.process = process
        self.cells = ProcessCells(carrier.state, process)
        self.state = HookState()
        self._carrier = carrier
        self._callbacks = carrier.engine.callbacks
        self._desk = carrier.desk_of(process)
        self._thread = process.thread  # that the cells show
        self._sides: Sides | None = None
        self._kernel: Kernel | None = None
        self._events: dict[EventKind, EventsOfKind] = {}  # that the tables show
        self._handlings: dict[int, Handling] = {}
        self._young: list[Handling] = []  # those whose scripts may get better code
        self._carries_calls = self._carries_events = False
        self._slow_calls = 0
        self._tables: dict[EventKind, Table] = {}  # of instructions
        self._addresses: list[CarriedAddress] = []
        self._accesses: CarriedAccesses | None = None
        self._memory_tables: dict[tuple[tuple[Event, ...], Stage], Table] = {}
        self._sysrets: list[CarriedAddress] = []  # those of them that are SYSRETs
        self._removed: list[CarriedAddress] = []  # in this turn: the trigger under way may be at one of them
        self.state.syscalls = self._table(SYSCALL).address
        for kind in (SYSRET, EXCEPTION):
            self._table(kind)
        self.state.direct = ctypes.addressof(self.cells.direct)
        self._state_address = ctypes.addressof(self.state)
        self._context_at = self._state_address + int(getattr(HookState, "context").offset)  # noqa: B009 - a descriptor
        self._run_stage = _RUN_STAGE(hooks.address_of_stage())
        self._show_registers()
        self._show_functions()
        self._leave_sandbox()
        process.cpu.memory.on_taken.append(self._leave_sandbox)

    def close(self) -> None:
        """The process is gone, with its CPU."""
        self.process.cpu.memory.on_taken.remove(self._leave_sandbox)

    # --- what does not change

    def _show_registers(self) -> None:
        state, window = self.state, self.process.cpu.window
        state.counter = self.process.cpu.block_counter
        for storage, number in zip(BATCH_STORAGES, BATCH_IDS, strict=True):
            state.ids[storage] = number
        for storage, number in PLAIN_IDS.items():
            state.ids[storage] = number
        for index, number in enumerate((msr.STAR, msr.LSTAR, msr.FMASK)):
            state.msrs[2 * index] = number
        names = ("rip", "cs", "ss", "star", "lstar", "fmask")
        copies, msrs = (ctypes.addressof(getattr(state, name)) for name in ("copies", "msrs"))
        cells = [copies + CELL * index for index in range(3)] + [msrs + 2 * CELL * index for index in range(3)]
        state.copied = int(window is None)
        state.unknown, state.clock = _UNKNOWN_ADDRESS, self._carrier.state.clock.cells_address
        state.hidden_flags_at = self.process.cpu.registers.hidden_flags_address
        cpu = self.process.cpu
        state.level_at, state.given_up_at = cpu.level_address, cpu.given_up_address
        for index, name in enumerate(names):
            copy = cells[index] + (CELL if index >= 3 else 0)
            setattr(state, f"{name}_at", copy if window is None else getattr(window, name))
        ids = (*GENERAL_IDS, RIP_ID, CS_ID, SS_ID, *[MSR_ID] * 3)
        general = [self.cells.direct.general + CELL * index for index in range(len(GENERAL))]
        self._copied = ((ctypes.c_int * len(ids))(*ids), (ctypes.c_void_p * len(ids))(*general, *cells))
        state.copy_ids, state.copy_cells = (ctypes.addressof(array) for array in self._copied)

        state.home_level, state.read_clock = cpu.home_level, self._carrier.read_clock

    def _show_functions(self) -> None:
        state = self.state
        state.read_batch, state.write_batch = map(function_address, ("uc_reg_read_batch", "uc_reg_write_batch"))
        state.read_one, state.write_one = map(function_address, ("uc_reg_read", "uc_reg_write"))
        self._functions = {
            "block_in_python": _BLOCK(self._block_in_python),
            "finish": _BLOCK(self._finish_block),
            "enter": _BLOCK(self._enter_sandbox),
            "act": _ACT(self._act),
            "settle": _SETTLE(self._settle),
            "perform": _ASK(lambda: self._end_system_call(self._require_sides().perform)),
            "complete": _ASK(lambda: self._end_system_call(self._require_sides().complete)),
            "done": _ASK(lambda: self._aside(self._require_sides().done)),
            "relevel": _ASK(self.process.cpu.take_level),
        }
        for name, function in self._functions.items():
            setattr(state, name, _address(function))

    # --- system calls

    def take_system_calls(self, kernel: Kernel, sides: Sides) -> None:
        """Carry SYSCALL from the next turn on; SYSRET, too, when events of the family exist."""
        self._sides = sides
        state = self.state
        state.entry, state.sysret = kernel.entry.lstar, kernel.entry.text.sysret
        self._kernel = kernel
        state.answers = self._desk.answers(kernel).address
        self._functions["answer"] = answer = _ASK(self._answer_of(kernel))
        state.answer = _address(answer)
        self.refresh()

    def _carry_system_calls(self, code: int) -> None:
        self._carries_calls = True
        self.state.syscall_in_python = self.process.cpu.carry_system_calls(code, ctypes.addressof(self.state))

    def _carry_events(self) -> None:
        """Carry what the events of SYSCALL and SYSRET need as well, once they exist."""
        if not self._carries_events:
            self._carries_events = True
            self._carry_system_calls(hooks.address_of(exit_of(SYSCALL)))

    def _require_sides(self) -> Sides:
        assert self._sides is not None  # a SYSCALL is carried
        return self._sides

    def begin_turn(self) -> None:
        """The process is about to run; no trigger is under way."""
        for table in (*self._tables.values(), *(address.table for address in self._addresses)):
            table.forget_old()
        self._removed.clear()
        self._memory_tables.clear()
        if len(self._handlings) > len(live := self._carrier.state.registry.ids):
            self._handlings = {number: handling for number, handling in self._handlings.items() if number in live}
        self._young = [handling for handling in self._young if handling.renew()]
        self.refresh()
        if self._kernel is not None and not self._carries_calls:
            self._carry_system_calls(hooks.plain_address())

    def refresh(self) -> None:
        """Take in what may have changed."""
        state, sides = self.state, self._sides
        state.core = self.process.core
        if self._thread is not self.process.thread:
            self._thread = self.process.thread
            self.cells.show_thread()
        if self._desk is not (desk := self._carrier.desk_of(self.process)):
            self._move_to(desk)
        if state.processor_block != self.process.processor_block:
            state.processor_block = self.process.processor_block
            self._leave_sandbox()
        self._show_events()
        if sides is not None:
            self._show_sides(sides)
        if state.caller:
            self._show_caller()

    def _be_quick(self) -> None:
        """Python has carried out one more call; have machine code do so, once that pays."""
        self._slow_calls += 1
        if self._slow_calls >= SLOW_CALLS and self._kernel is not None and self._kernel.quick_calls:
            if not self._carrier.takes_turns:
                return
            self._desk.answers(self._kernel).be_quick()
            self._show_caller()

    def _show_caller(self) -> None:
        assert self._kernel is not None  # it has quick calls
        self.state.caller = ctypes.addressof(self._kernel.caller(self.process))
        clock = self._carrier.state.clock
        self.state.time_base = (clock.elapsed() - clock.added - self.process.cpu.executed) & WORD_MASK

    def _show_sides(self, sides: Sides) -> None:
        self.state.way_back = sides.way_back()
        self.state.someone_waits = int(sides.someone_waits())

    def _move_to(self, desk: Desk) -> None:
        """The process is on a core that has another desk; no trigger is under way."""
        self._desk = desk
        if self._kernel is not None:
            self.state.answers = desk.answers(self._kernel).address
        for handling in self._handlings.values():
            handling.move_to(desk)

    def _table(self, kind: EventKind) -> Table:
        return self._tables.setdefault(kind, Table())

    def _show_events(self) -> None:
        """Let the tables of instructions show the events that exist."""
        changed = False
        for kind, table in self._tables.items():
            events = self._carrier.state.registry.of_kind(kind)
            if events is not self._events.get(kind):
                self._events[kind], changed = events, True
                table.show(self.handlings(events.pre), self.handlings(events.post))
        if changed or self._sysrets:
            self._show_variants()

    def _show_variants(self) -> None:
        """What the events of the SYSCALL family look at."""
        family = [event for kind in SYSTEM_CALL_FAMILY for event in self._events.get(kind, EventsOfKind()).all]
        if family:
            self._carry_events()
        guesses = any(event.definition.detection is Detection.ANY_UNDEFINED for event in family)
        is_undefined = bool(family and self._carrier.state.registry.of_kind(EXCEPTION).all)  # to events of exceptions
        self.state.guess_bits = WORD_MASK if is_undefined else KERNEL_BITS if guesses else 0
        watches_modes = self._sides is not None and self._sides.watches_modes()
        for carried in self._sysrets:
            in_doubt = guesses and not carried.state.address & KERNEL_BITS
            carried.state.always_in_python = int(is_undefined or in_doubt or watches_modes)

    def handlings(self, events: tuple[Event, ...]) -> list[Handling]:
        """How this process handles those of the events that concern it, in their order."""
        return [self._handling(event) for event in events if event.definition.process_id in (None, self.process.pid)]

    def _handling(self, event: Event) -> Handling:
        handling = self._handlings.get(event.definition.id)
        if handling is None:
            self._carrier.serve_blocks()
            handling = self._handlings[event.definition.id] = Handling(event, self.cells, self.state)
            handling.fill_in(self._carrier.engine, self._desk, self._carrier.state)
            self._young.append(handling)
        return handling

    # --- memory

    def learn_access(self, rip: int, ranges: Sequence[tuple[int, int, Event]]) -> None:
        """Machine code may deal with a watched instruction; an event of a range has a pre stage only."""
        cpu = self.process.cpu
        code = cpu.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        operand = plain_operand(code, rip)
        if cpu.window is None or cpu.last_branches is not None or cpu.breakpoints.are_set:
            return
        if operand is None or not has_plain_flags(code):
            return
        if self._accesses is None:
            self._accesses = CarriedAccesses(self.process, self.state, self.cells.pour, hooks.shared_symbols())
        rows = []
        for first, last, event in ranges:
            row, meant = self._handling(event).row, event.definition.process_id in (None, self.process.pid)
            rows.append((first, last, ctypes.addressof(row), int(not meant)))
        self._accesses.learn(rip, operand, rows)

    def forget_accesses(self) -> None:
        """The ranges have changed."""
        if self._accesses is not None:
            self._accesses.forget()

    def run_stage(self, events: tuple[Event, ...], stage: Stage, context: int) -> bool:
        """Run the events of a stage, between two stretches of guest code; whether any of them short-circuits."""
        table = self._memory_tables.get((events, stage))
        if table is None:
            table = self._memory_tables[events, stage] = Table()
            table.show(self.handlings(events))
        cpu, row, state = self.process.cpu, table.row, self.state
        cpu.registers.store()
        state.context = context
        is_post = int(stage is Stage.POST)
        self._run_stage(cpu.engine_address, self._state_address, row.pre, row.pre_count, is_post, self._context_at)
        self.cells.pour()
        return bool(state.short)

    # --- addresses

    def hook_address(self, kind: EventKind, address: int, trigger: Callable[[], None]) -> CarriedAddress:
        """Carry the execution of an address; `trigger` does the same in Python."""
        return self._carry(address, hooks.address_of(exit_of(kind)), trigger, Table())

    def take_sysret(self, site: Site, in_python: Callable[[], None]) -> CarriedAddress:
        """Carry a SYSRET; `in_python` does the same."""
        self._carry_events()
        table = self._table(SYSRET)
        code = hooks.address_of(exit_of(SYSRET))
        carried = self._carry(site.address, code, in_python, table, site.address + site.length, replaces=True)
        self._sysrets.append(carried)
        self._show_events()
        self._show_variants()
        return carried

    def take_instruction(self, exit_: Exit, site: Site, arrivals: Arrivals) -> CarriedAddress:
        """Carry an instruction that the processor executes; `arrivals` do the same in Python."""
        table, code = self._table(exit_.kind), hooks.address_of(exit_)
        self._show_events()
        behind, waiting = site.address + site.length, arrivals.waiting
        return self._carry(site.address, code, arrivals.before, table, behind, waiting, operand=site.operand)

    def take_behind(self, exit_: Exit, site: Site, arrivals: Arrivals) -> CarriedAddress:
        """Carry the address behind it."""
        table, behind = self._table(exit_.kind), site.address + site.length
        return self._carry(behind, hooks.address_behind(), arrivals.behind, table, 0, arrivals.waiting)

    def _carry(
        self,
        address: int,
        code: int,
        in_python: Callable[[], None],
        table: Table,
        behind: int = 0,
        waiting: Waiting | None = None,
        replaces: bool = False,
        operand: int = 0,
    ) -> CarriedAddress:
        carried = CarriedAddress(self, address, code, in_python, table, behind, waiting, replaces)
        carried.state.operand = operand
        self._addresses.append(carried)
        return carried

    def unhook(self, carried: CarriedAddress) -> None:
        """An address is carried no more."""
        self._addresses.remove(carried)
        if carried in self._sysrets:
            self._sysrets.remove(carried)
        self._removed.append(carried)
        self.process.cpu.unhook(carried.installed)

    def moved(self, address: int, number: int, replaces: bool) -> None:
        """Events of an address have written RIP or flags, or Python has taken part."""
        self.process.cpu.address_hooks.leave(address, number, self.state.changes, self.cells.pour, replaces)

    # --- what the hooks call; none of these may raise

    def _count(self, detour: str) -> None:
        self._callbacks[detour] += 1

    def _aside(self, body: Callable[[], None]) -> None:
        if not self.process.cpu.aside(body):
            self.state.over = 1

    def _act(self, event_id: int, index: int) -> None:
        self._aside(lambda: self._act_in_python(self._handlings[event_id], index))

    def _act_in_python(self, handling: Handling, index: int) -> None:
        action = handling.action(index)
        self._count(f"action: {action.kind.name.lower()}")
        with handling.python() as trigger:
            self._carrier.dispatcher.act(action, trigger)

    def _settle(self, event_id: int, index: int, status: int) -> None:
        self._aside(lambda: self._follow_up(self._handlings[event_id], index, status))

    def _follow_up(self, handling: Handling, index: int, status: int) -> None:
        """Deliver the messages of a run, and report its error."""
        self._count("trigger: message or error")
        activation = handling.activations[index]
        with handling.python():
            self._carrier.state.messages.catch_up()
            activation.drain()
            fault = activation.outcome(status).fault
            self._learn_place()
            if fault is not None:
                handling.event.faults += 1
                self._carrier.owner.script_fault(handling.event, fault, activation.loaded)

    def _learn_place(self) -> None:
        """Where the trigger's address stands in its block, so that machine code knows the time there."""
        if self.state.hooked not in (0, _UNKNOWN_ADDRESS):
            place, cpu = HookedAddress.from_address(self.state.hooked), self.process.cpu
            place.block, place.shape, place.rest = cpu.block_behind(place.address)
            place.known_at = cpu.code.changes

    def ticks(self) -> int:
        """What a Mark that was made now would say, modulo 2**64."""
        return self.process.cpu.executed + self._carrier.state.clock.added

    def _answer_of(self, kernel: Kernel) -> Callable[[], None]:
        """What has a kernel's model carry out a system call, in whose trigger general registers were written at most.

        It is called for each one: names are bound here.
        """
        process, callbacks, aside = self.process, self._callbacks, self.process.cpu.aside
        registers, system_call = process.cpu.registers, kernel.system_call
        sides = self._require_sides()

        def carry_out() -> None:
            callbacks["system call"] += 1
            registers.forget()
            system_call(process.thread)
            if not self.state.caller:
                self._be_quick()
            if sides.someone_waits():  # since this call, perhaps
                self._show_sides(sides)
            registers.store_general()
            if registers.changed:
                self.cells.take()

        def answer() -> None:
            if not aside(carry_out):
                self.state.over = 1

        return answer

    def _end_system_call(self, body: Callable[[], None]) -> None:
        """Do the rest of a SYSCALL."""
        self._count("system call")

        def end() -> None:
            self.cells.pour()
            body()
            if not self.state.caller:
                self._be_quick()

        self.process.cpu.within_system_call(end)

    # --- blocks

    def _enter_sandbox(self, event_id: int, index: int, _status: int) -> int:
        def enter(handling: Handling, _kind: BlockKind, code: bytes) -> int:
            self._desk.sandbox.enter(block_of(handling.event, code), self.process.cpu, self.state.token)
            return 1

        return self._ask_of_block(event_id, index, enter)

    def _leave_sandbox(self) -> None:
        """The process's memory or core has changed: what the sandbox has translated is stale."""
        self.state.token = self._carrier.new_token()

    def _block_in_python(self, event_id: int, index: int, _status: int) -> int:
        return self._ask_of_block(event_id, index, self._run_block)

    def _finish_block(self, event_id: int, index: int, status: int) -> int:
        def has_returned(handling: Handling, kind: BlockKind, code: bytes) -> int:
            return int(self._finish_in_python(handling, kind, code, status))

        return self._ask_of_block(event_id, index, has_returned)

    def _ask_of_block(self, event_id: int, index: int, question: Callable[[Handling, BlockKind, bytes], int]) -> int:
        handling, answers = self._handlings[event_id], [0]
        if index == CONDITION:
            kind, code = BlockKind.CONDITION, handling.event.definition.condition or b""
        else:
            kind, code = BlockKind.CODE, handling.code(index)

        def ask() -> None:
            answers[0] = question(handling, kind, code)

        self._aside(ask)
        return answers[0]

    def _run_block(self, handling: Handling, kind: BlockKind, code: bytes) -> int:
        self._count(f"block: {kind.value}")
        with handling.python() as trigger:
            return self._carrier.dispatcher.block(kind, code, trigger)

    def _finish_in_python(self, handling: Handling, kind: BlockKind, code: bytes, status: int) -> bool:
        with handling.python() as trigger:
            fault = self._desk.sandbox.finish(block_of(handling.event, code), status)
            if fault is not None:
                self._carrier.dispatcher.block_fault(kind, fault, trigger)
        return fault is None


class Carrier:
    """The hooks of one machine.

    `sandboxes` has one for each core; cores that take turns have the same, and with it their desk. `outside` are the
    cores that are in machine code at the moment, in threads of their own.
    """

    def __init__(
        self,
        engine: NativeEngine,
        state: DebuggerState,
        owner: Surroundings,
        dispatcher: Dispatcher,
        sandboxes: Sequence[RootSandbox],
        outside: Collection[int],
        defers: bool,
        measures: bool,
    ) -> None:
        self.engine = engine
        self.read_clock = _address(ctypes.CDLL(None).clock_gettime) if measures else 0
        self.state = state
        self.owner = owner
        self.dispatcher = dispatcher
        self._outside = outside
        self._sandboxes = sandboxes
        self.takes_turns = len(set(sandboxes)) == 1
        defers = defers and self.takes_turns
        self._desks = {sandbox: Desk(sandbox, engine.limits, defers) for sandbox in sandboxes}
        for desk in self._desks.values():
            desk.sent.maker, desk.sent.deliver = self._maker, state.messages.send_kept
            desk.collected.collect = state.messages.hold_all
        self._hooks: dict[Process, ProcessHook] = {}
        self._states: dict[int, ProcessHook] = {}  # by the addresses of their HookStates
        self._serves_blocks = False
        self._next_token = 0
        state.messages.source = self._hand_over

    def hook_of(self, process: Process) -> ProcessHook:
        """The hooks of a process."""
        if process not in self._hooks:
            self._hooks[process] = hook = ProcessHook(self, process)
            self._states[ctypes.addressof(hook.state)] = hook
        return self._hooks[process]

    def make_ready(self, kernel: Kernel) -> None:
        """Make what the first process of a kernel needs."""
        for desk in self._desks.values():
            desk.answers(kernel)

    def forget(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        if process in self._hooks:
            self.state.messages.catch_up()  # with what it has said
            hook = self._hooks.pop(process)
            del self._states[ctypes.addressof(hook.state)]
            hook.close()

    def serve_blocks(self) -> None:
        """Have the sandboxes run blocks for machine code from now on."""
        if not self._serves_blocks:
            self._serves_blocks = True
            for sandbox in self._desks:
                sandbox.serve_machine_code()

    def desk_of(self, process: Process) -> Desk:
        """That of the core that the process is on."""
        return self._desks[self._sandboxes[process.core]]

    def begin_turn(self, process: Process) -> None:
        """A process is about to run; no trigger is under way in it."""
        if process in self._hooks:
            self._hooks[process].begin_turn()

    def count_answers(self) -> None:
        """Bring the kernels' counts up to date."""
        for desk in self._desks.values():
            desk.count_answers()

    def new_token(self) -> int:
        """A name for what the sandbox translates."""
        self._next_token += 1
        return self._next_token

    def _hand_over(self) -> None:
        """Give the messages that wait to the reader, but for those of cores that may be adding to them."""
        for core, desk in enumerate(self._desks.values()):
            if core not in self._outside:
                desk.sent.hand_over()  # there is nothing where the others have something
                self.state.messages.hold_all(desk.collected.take())

    def _maker(self) -> Maker:
        """What makes the messages that machine code has kept, as they were when they were sent: in this turn."""
        now = self.state.clock.elapsed()
        places = {state: (hook.process.core, hook.process.pid, hook.ticks()) for state, hook in self._states.items()}

        def message(text: bytes, mark: Sequence[int]) -> Message:
            _, event, stage, pointer, thread, then, state = mark
            core, process, ticks = places[state]
            return Message(text, event, core, stage, process, thread, pointer, now - ((ticks - then) & WORD_MASK))

        return message


def _address(function: Any) -> int:
    """The address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
