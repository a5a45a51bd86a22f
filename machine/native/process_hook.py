"""The hooks of one process: its tables are kept equal to the registry, whatever it has come to between its turns."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from machine.events import KERNEL_BITS, Arrivals, Event, EventsOfKind, Exit, Sides, Waiting
from machine.events.exits import exit_of
from machine.kernel import Kernel
from machine.native import accesses, hooks
from machine.native.callbacks import Callbacks
from machine.native.carried_addresses import CarriedAddress, Table
from machine.native.desk import Desk
from machine.native.handling import Handling
from machine.native.process_cells import ProcessCells
from machine.native.tables import HookedAddress, HookState
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
    Site,
    function_address,
    has_plain_flags,
    memory_operands,
    msr,
)
from machine.schedule import Process
from vm.facts.events import EXCEPTION, SYSCALL, SYSRET, SYSTEM_CALL_FAMILY, Detection, EventKind
from vm.facts.registers import GENERAL
from vm.facts.stages import Stage
from vm.native import CELL

if TYPE_CHECKING:
    from machine.native.carrier import Carrier

_U64 = ctypes.c_uint64
_UNKNOWN = HookedAddress(shape=WORD_MASK)
_UNKNOWN_ADDRESS = ctypes.addressof(_UNKNOWN)
_RUN_STAGE = ctypes.CFUNCTYPE(None, *[_U64] * 6)
SLOW_CALLS = 64  # of a process that Python carries out, before machine code is made for quick ones


class ProcessHook:
    """The hooks of one process."""

    def __init__(self, carrier: Carrier, process: Process) -> None:
        self.process = process
        self.cells = ProcessCells(carrier.state, process)
        self.state = HookState()
        self.carrier = carrier
        self.desk = carrier.desk_of(process)
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
        self._accesses: accesses.CarriedAccesses | None = None
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
        self._callbacks = Callbacks(self)
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
        state.unknown, state.clock = _UNKNOWN_ADDRESS, self.carrier.state.clock.cells_address
        state.hidden_flags_at = self.process.cpu.registers.hidden_flags_address
        cpu = self.process.cpu
        state.level_at, state.given_up_at = cpu.level_address, cpu.given_up_address
        for index, name in enumerate(names):
            copy = cells[index] + (CELL if index >= 3 else 0)
            setattr(state, f"{name}_at", copy if window is None else getattr(window, name))
        if window is not None:
            state.eflags_at, state.read_flags = window.eflags, window.read_flags
        ids = (*GENERAL_IDS, RIP_ID, CS_ID, SS_ID, *[MSR_ID] * 3)
        general = [self.cells.direct.general + CELL * index for index in range(len(GENERAL))]
        self._copied = ((ctypes.c_int * len(ids))(*ids), (ctypes.c_void_p * len(ids))(*general, *cells))
        state.copy_ids, state.copy_cells = (ctypes.addressof(array) for array in self._copied)
        state.home_level, state.read_clock = cpu.home_level, self.carrier.read_clock
        state.read_batch, state.write_batch = map(function_address, ("uc_reg_read_batch", "uc_reg_write_batch"))
        state.read_one, state.write_one = map(function_address, ("uc_reg_read", "uc_reg_write"))

    # --- system calls

    def take_system_calls(self, kernel: Kernel, sides: Sides) -> None:
        """Carry SYSCALL from the next turn on; SYSRET, too, when events of the family exist."""
        self._sides = sides
        state = self.state
        state.entry, state.sysret = kernel.entry.lstar, kernel.entry.text.sysret
        self._kernel = kernel
        state.answers = self.desk.answers(kernel).address
        self._callbacks.answer_for(kernel)
        self.refresh()

    def _carry_system_calls(self, code: int) -> None:
        self._carries_calls = True
        self.state.syscall_in_python = self.process.cpu.carry_system_calls(code, ctypes.addressof(self.state))

    def _carry_events(self) -> None:
        """Carry what the events of SYSCALL and SYSRET need as well, once they exist."""
        if not self._carries_events:
            self._carries_events = True
            self._carry_system_calls(hooks.address_of(exit_of(SYSCALL)))

    @property
    def sides(self) -> Sides:
        """What a SYSCALL needs, which is carried."""
        assert self._sides is not None  # a SYSCALL is carried
        return self._sides

    def begin_turn(self) -> None:
        """The process is about to run; no trigger is under way."""
        for table in (*self._tables.values(), *(address.table for address in self._addresses)):
            table.forget_old()
        self._removed.clear()
        self._memory_tables.clear()
        if len(self._handlings) > len(live := self.carrier.state.registry.ids):
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
        if self.desk is not (desk := self.carrier.desk_of(self.process)):
            self._move_to(desk)
        if state.processor_block != self.process.processor_block:
            state.processor_block = self.process.processor_block
            self._leave_sandbox()
        self._show_events()
        if sides is not None:
            self.show_sides(sides)
        if state.caller:
            self._show_caller()

    def be_quick(self) -> None:
        """Python has carried out one more call; have machine code do so, once that pays."""
        self._slow_calls += 1
        if self._slow_calls >= SLOW_CALLS and self._kernel is not None and self._kernel.quick_calls:
            if not self.carrier.takes_turns:
                return
            self.desk.answers(self._kernel).be_quick()
            self._show_caller()

    def _show_caller(self) -> None:
        assert self._kernel is not None  # it has quick calls
        self.state.caller = ctypes.addressof(self._kernel.caller(self.process))
        clock = self.carrier.state.clock
        self.state.time_base = (clock.elapsed() - clock.added - self.process.cpu.executed) & WORD_MASK

    def show_sides(self, sides: Sides) -> None:
        """How the process comes back from a system call, and whether it gives way, may have changed."""
        self.state.way_back = sides.way_back()
        self.state.someone_waits = int(sides.someone_waits())

    def _move_to(self, desk: Desk) -> None:
        """The process is on a core that has another desk; no trigger is under way."""
        self.desk = desk
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
            events = self.carrier.state.registry.of_kind(kind)
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
        is_undefined = bool(family and self.carrier.state.registry.of_kind(EXCEPTION).all)  # to events of exceptions
        self.state.guess_bits = WORD_MASK if is_undefined else KERNEL_BITS if guesses else 0
        watches_modes = self._sides is not None and self._sides.watches_modes()
        for carried in self._sysrets:
            in_doubt = guesses and not carried.state.address & KERNEL_BITS
            carried.state.always_in_python = int(is_undefined or in_doubt or watches_modes)

    def handlings(self, events: tuple[Event, ...]) -> list[Handling]:
        """How this process handles those of the events that concern it, in their order."""
        return [self._handling(event) for event in events if event.definition.process_id in (None, self.process.pid)]

    def handling_of(self, event_id: int) -> Handling:
        """How this process handles an event that has a trigger under way."""
        return self._handlings[event_id]

    def _handling(self, event: Event) -> Handling:
        handling = self._handlings.get(event.definition.id)
        if handling is None:
            self.carrier.serve_blocks()
            handling = self._handlings[event.definition.id] = Handling(event, self.cells, self.state)
            handling.fill_in(self.carrier.engine, self.desk, self.carrier.state)
            self._young.append(handling)
        return handling

    # --- memory

    def learn_access(self, rip: int, ranges: Sequence[tuple[int, int, Event]]) -> None:
        """Machine code may deal with a watched instruction; an event of a range has a pre stage only."""
        cpu = self.process.cpu
        code = cpu.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        operand = memory_operands.plain_operand(code, rip)
        if cpu.window is None or cpu.last_branches is not None or cpu.breakpoints.are_set:
            return
        if operand is None or not has_plain_flags(code):
            return
        if self._accesses is None:
            self._accesses = accesses.CarriedAccesses(self.process, self.state, self.cells.pour, hooks.shared_symbols())
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

    def ticks(self) -> int:
        """What a Mark that was made now would say, modulo 2**64."""
        return self.process.cpu.executed + self.carrier.state.clock.added

    def _leave_sandbox(self) -> None:
        """The process's memory or core has changed: what the sandbox has translated is stale."""
        self.state.token = self.carrier.new_token()
