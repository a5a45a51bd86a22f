"""One emulated CPU with its memory: Unicorn behind a small face, and what makes a run of it exact.

Instructions are counted per basic block, on entry, and settled where one is left in its middle: a block that does not
fit in the budget is not begun, one that faults halfway counts as far as it was executed, a REP instruction counts once
per iteration and once for its end. That count is the virtual time, so a run is deterministic: RDTSC reads the clock
given by the machine, and RDRAND a generator that it seeds.
The oddities of Unicorn's engine are dealt with in the parts: `tlb`, `translated_code`, `block_entries`,
`address_hooks`, `watched_accesses`, `exceptions`, `breakpoints`, `time_stamp`, `random_numbers`, `ports`,
which share a `core`.
Not here: what a SYSCALL means (`machine.events.system_calls`), which process runs when (`machine.run_loop`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from unicorn import unicorn_const as uc, x86_const as x86

from machine.memory import PAGE, AddressSpace, MapError
from machine.processor import descriptors, instruction_hooks, msr
from machine.processor.address_hooks import AddressHooks
from machine.processor.binding import (
    SYSCALL_HOOK,
    WORD_MASK,
    Batch,
    EmulatorError,
    Engine,
    Hook,
    MsrBatch,
    callback_address,
)
from machine.processor.block_counter import BlockCounter
from machine.processor.block_entries import BlockEntries
from machine.processor.bmi import BmiCorrections
from machine.processor.breakpoints import Breakpoints
from machine.processor.core import Core
from machine.processor.cpu_model import new_engine
from machine.processor.debug_registers import DebugRegisters
from machine.processor.exceptions import Exceptions
from machine.processor.fault import Fault, Vector
from machine.processor.fxsave import Fxsave
from machine.processor.hidden_state import HiddenState, load_table
from machine.processor.instruction_finder import LONGEST_INSTRUCTION, InstructionPattern, Serve
from machine.processor.interrupt_table import InterruptTable
from machine.processor.not_emulated import asked_for
from machine.processor.ports import Ports
from machine.processor.random_numbers import Cpuid, Generator
from machine.processor.register_file import RegisterFile
from machine.processor.registers import VECTOR_IDS
from machine.processor.run_state import RunState, StopKind, StopReason
from machine.processor.thread_registers import ThreadRegisters, ThreadState
from machine.processor.time_stamp import TimeStamp
from machine.processor.tlb import Tlb
from machine.processor.translated_code import TranslatedCode, stores_into
from machine.processor.translation import WATCHED_RIGHT
from machine.processor.watched import AccessCarrier, SingleStep
from machine.processor.watched_accesses import WatchedAccesses
from machine.processor.window import Window, window_of
from machine.processor.x87 import X87Corrections
from vm.facts.paging import EXECUTE
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from machine.processor.branches import LastBranches
    from machine.processor.coverage import Coverage

SYSCALL_LENGTH = 2
EXCEPTION_STATUS = uc.UC_ERR_EXCEPTION  # of a run that ends by a refused access

# What FNINIT and an operating system set up. Unicorn starts with all zero: SSE instructions are #UD then, x87 computes
# with the 24 bits of single precision, and every floating-point exception is unmasked.
INITIAL_STATE: tuple[tuple[int, int], ...] = (
    (x86.UC_X86_REG_CR4, 0x600),  # OSFXSR and OSXMMEXCPT
    (x86.UC_X86_REG_FPCW, 0x37F),
    (x86.UC_X86_REG_FPTAG, 0xFFFF),
    (x86.UC_X86_REG_MXCSR, 0x1F80),
)
# Of a guest: its page tables are in use, and the emulator forgets its TLB where that is changed.
PAGING: tuple[tuple[int, int], ...] = (
    (x86.UC_X86_REG_CR0, 0x8000_0011),  # PG, ET and PE
    (x86.UC_X86_REG_CR4, 0x1_0620),  # PAE, OSFXSR, OSXMMEXCPT and FSGSBASE
)

_HLT = 0xF4


class Cpu:
    """One CPU in 64-bit mode. An AddressSpace is its MMU.

    With `level` its guest begins on that privilege level, 0 or 3, and has the descriptor table that `descriptors` puts
    into its memory; None: on level 0, without a table.
    """

    def __init__(self, memory: AddressSpace, level: int | None = None) -> None:
        """Raises machine.memory.MapError, and vm.host_memory.HostMemoryError."""
        self.memory = memory
        self.is_closed = False
        self.on_syscall: Callable[[], None] = lambda: None
        self.on_end: Callable[[], None] = lambda: None  # a run is about to end between two instructions; may move RIP
        self.home_level = descriptors.KERNEL_LEVEL if level is None else level
        self._engine = engine = new_engine()
        self.window = window_of(engine)
        self.registers = RegisterFile(engine, self.window)
        self._instruction = _instruction_pointer(engine, self.window)
        self._blocks = BlockCounter(memory, partial(stores_into, memory, self.registers))
        self._hidden = HiddenState(engine, self.window)
        self._run = RunState(engine, self._blocks, self._instruction)
        self._entry_msrs = _system_call_msrs(engine, self.window)
        self._vectors = Batch(engine.handle, VECTOR_IDS, words=2)
        self._thread = ThreadState(engine)
        self._fxsave = Fxsave(engine)
        core = Core(engine, self.window, memory, self.registers, self._blocks, self._hidden, self._run)
        self.tlb = Tlb(core)
        for register, value in (*INITIAL_STATE, *PAGING, (x86.UC_X86_REG_CR3, memory.table.root_place)):
            engine.set_register(register, value)
        engine.write_msr(msr.EFER, msr.EFER_LME | msr.EFER_LMA | msr.EFER_SCE)
        if level is not None:
            self._come_to(level)
        step = SingleStep(engine, self.registers, memory, self._blocks, self.tlb.words)
        self.code = TranslatedCode(core, self.tlb, step.opened)
        self.address_hooks = AddressHooks(core, self.code)
        self.bmi = BmiCorrections(core, self.code, self.address_hooks)
        self.x87 = X87Corrections(core, self.address_hooks)
        self.tlb.on_executable = self._look_at
        self.interrupt_table = InterruptTable(engine, memory, self.registers, self._hidden, self.home_level)
        debug = DebugRegisters(self.registers)
        self.watched = WatchedAccesses(core, self.tlb, step, self.address_hooks, debug)
        self._entries = BlockEntries(core, self.tlb, self.code, self.watched)
        self.random_numbers = Generator()
        self.exceptions = Exceptions(
            core, self.tlb, self.watched, debug, self.interrupt_table, self.random_numbers.carry_out
        )
        self.breakpoints = Breakpoints(core, debug, self.address_hooks, self.watched)
        self._syscall_hook = engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_syscall), x86.UC_X86_INS_SYSCALL)
        self._carried_syscall_hook = self._syscall_hook
        calls = instruction_hooks.Calls()
        self.time_stamp = TimeStamp(core, self.code, calls)
        self.ports = Ports(core, self.exceptions, calls)
        self.cpuid = Cpuid(engine, self.window, calls)

    # --- state

    def _look_at(self, page: int) -> None:
        """A page is about to be executed for the first time."""
        code = self.memory.read(page, PAGE) or b""
        self.bmi.look_at(code)
        self.x87.look_at(page, code)

    def record_blocks(self, coverage: Coverage) -> None:
        """Have the basic blocks recorded that are entered from now on, which costs a call of Python for each."""
        coverage.record(self._engine, self.memory)
        if self._blocks.has_own_slots:
            self.code.spare_checks()  # no more

    def read_vectors(self, values: Any) -> None:
        """Copy XMM0 to XMM15 into an array of 32 words."""
        self._vectors.read()
        values[:] = self._vectors.values[:]

    def write_vectors(self, values: Any) -> None:
        """Set XMM0 to XMM15 from an array of 32 words."""
        self._vectors.values[:] = values[:]
        self._vectors.write()

    def not_emulated(self) -> list[str]:
        """The names of modes that the guest has asked for and does not get (machine.processor.not_emulated)."""
        return asked_for(self._engine)

    def read_fxsave(self) -> bytes:
        """The x87 and SSE state, as FXSAVE has it: 512 bytes."""
        return self._fxsave.read()

    def write_fxsave(self, image: bytes) -> None:
        """Set the x87 and SSE state from such an image."""
        self._fxsave.write(image)

    def close(self) -> None:
        """Give back what the emulator has taken of the host: this CPU is not used any more."""
        self.is_closed = True
        self.code.close()
        self.tlb.close()
        self._engine.close()

    # --- threads take turns

    def save(self) -> ThreadRegisters:
        """What the thread has that is in this CPU, between two runs."""
        self.registers.store()
        self.registers.forget()
        arrival, due = self.address_hooks.arrival.exchange(None), self.watched.due
        self.watched.due = None
        return replace(self._thread.read(), level=self.privilege_level, arrival=arrival, due=due)

    def restore(self, registers: ThreadRegisters) -> None:
        """Let another thread have this CPU, between two runs; what was not saved of the one before is lost."""
        self.registers.forget()
        self._thread.write(registers)
        self.breakpoints.look_again()
        self.privilege_level = registers.level
        self.address_hooks.arrival.exchange(registers.arrival)
        self.watched.due = registers.due

    def copy_registers(self) -> ThreadRegisters:
        """What the thread has, in one of its hooks, on the program's privilege level.

        RIP, RFLAGS, CS and SS may be those from before the hook.
        """
        self.registers.store_general()
        return replace(self._thread.read(), level=self.home_level).without_breakpoints()

    # --- privilege levels

    @property
    def privilege_level(self) -> int:
        """That of the guest's code, 0 to 3. Setting it changes no selector; inside a hook, from the next block on."""
        return self._hidden.level

    @privilege_level.setter
    def privilege_level(self, level: int) -> None:
        self._hidden.level = level

    @property
    def level_address(self) -> int:
        """Of 32 bits whose lowest two are the level; `take_level` is to be called where somebody writes them."""
        return self._hidden.level_address

    def take_level(self) -> None:
        """Somebody has written at `level_address`."""
        self._hidden.take_level()

    # --- model-specific registers

    def read_msr(self, number: int) -> int:
        """The value of an MSR; 0 for one that the CPU model does not have."""
        return self._engine.read_msr(number)

    def write_msr(self, number: int, value: int) -> None:
        """Set an MSR; ignored for one that the CPU model does not have. The mode bits of EFER stay."""
        if number == msr.EFER:
            value = self._engine.read_msr(number) & ~msr.EFER_WRITABLE | value & msr.EFER_WRITABLE
        self._engine.write_msr(number, value)

    def system_call_msrs(self) -> list[int]:
        """STAR, LSTAR and FMASK."""
        return self._entry_msrs()

    # --- hooks

    @property
    def gate(self) -> AbstractContextManager[Any]:
        """Is entered for what callbacks do beyond this CPU."""
        return self._run.gate

    @gate.setter
    def gate(self, gate: AbstractContextManager[Any]) -> None:
        self._run.gate = gate

    def hook_address(self, address: int, callback: Callable[[], None], replaces: bool = False) -> Hook:
        """As `AddressHooks.add`."""
        return self.address_hooks.add(address, callback, replaces)

    def refuse(self, vector: Vector) -> None:
        """In the hook of an address: raise an exception in the place of the instruction."""
        self._run.raise_before(Fault(vector, self.registers.read(RIP)))

    def unhook(self, hook: Hook) -> None:
        """Remove a hook of an address; safe in its own callback."""
        self.address_hooks.remove(hook)

    def look_for(self, wanted: Mapping[InstructionPattern, Serve]) -> None:
        """As `TranslatedCode.look_for`."""
        self.code.look_for(wanted)

    @property
    def last_branches(self) -> LastBranches | None:
        """The branches, while they are recorded."""
        return self.code.last_branches

    def record_branches(self, wanted: bool) -> LastBranches | None:
        """Record the last branches from the next block on, or no more; what was recorded before is forgotten."""
        self.watched.forget_learned()
        return self.code.record_branches(wanted)

    def carry_accesses(self, carrier: AccessCarrier, code: int, data: int) -> int:
        """Have machine code deal with watched accesses, and called at exceptions; the hook of those in Python."""
        self.watched.carrier = carrier
        self._engine.end_at_exits()
        return self.exceptions.carry(code, data)

    def _on_syscall(self, _engine: int, _data: int) -> None:
        self.within_system_call(self.on_syscall)

    def within_system_call(self, body: Callable[[], None]) -> None:
        """Let a SYSCALL have its effect, in its hook."""
        self.registers.forget()
        try:
            with self._run.gate:
                body()
            self.registers.store_in_hook(SYSCALL_LENGTH)
        except BaseException as error:
            self.registers.forget()
            self._run.carry(error)
        if self._run.stop_requested:
            self._blocks.finish()
            self._run.heed_stop()

    def carry_system_calls(self, code: int, data: int) -> int:
        """Have machine code called at a SYSCALL instead, with `data`; the address of the hook in Python."""
        self._engine.remove_hook(self._carried_syscall_hook)
        self._carried_syscall_hook = self._engine.add_hook(uc.UC_HOOK_INSN, code, x86.UC_X86_INS_SYSCALL, data=data)
        return callback_address(self._syscall_hook)

    def aside(self, body: Callable[[], None]) -> bool:
        """Do a part of the work of a hook in machine code; False when the run ends at once, by an exception."""
        try:
            with self._run.gate:
                body()
        except BaseException as error:
            self._run.carry(error)
            return False
        if self._run.stop_requested:
            self._run.heed_stop()
        return True

    # --- execution

    @property
    def executed(self) -> int:
        """Instructions since the CPU was made; in a hook with the one at hand, which is not executed yet."""
        return self._run.executed

    @property
    def entered(self) -> int:
        """The same for another thread while this CPU is in machine code: with the whole of the block under way."""
        return self._blocks.executed

    @property
    def block_counter(self) -> int:
        """The address of the words of machine.processor.block_counter."""
        return self._blocks.state

    def block_behind(self, address: int) -> tuple[int, int, int]:
        """In a hook of this address: the two words of the block under way, and how many of its instructions follow."""
        return self._blocks.behind(address)

    def leave_block(self, address: int) -> tuple[int, int, int]:
        """Have counted what was executed where a hook in machine code moves RIP away from the instruction at `address`.

        For the next time: the two words of the block that it stands in, and how many instructions stand behind it.
        """
        self.code.cut_branch(address)
        return self._blocks.leave(address)

    def run(self, start: int, until: int, budget: int) -> StopReason:
        """Execute from `start` until RIP is `until`, for at most `budget` instructions.

        An exception that a callback raises ends the run and is raised here; RIP is that of the trigger. Ctrl-C is the
        caller's business (machine.schedule.interrupt).
        """
        self.registers.write(RIP, start)
        self.registers.store()
        self.registers.forget()
        self._run.stop_requested = False
        self.code.look_again(start)
        self.tlb.grow()
        if self.address_hooks.arrival.start_at(start, self.executed + 1):
            self._run.give_up()
        self._blocks.allow(budget)
        self._blocks.end_at(until)
        self._run.begin()
        if self.watched.due is not None:
            self.watched.resume(start)
        self.time_stamp.begin_run()
        self.ports.begin_run()
        self.cpuid.begin_run()
        status = self._start(start, until)
        while self._goes_on(status, until):
            self.registers.forget()
            start = self.registers.read(RIP)
            self.code.look_again(start)
            status = self._start(start, until)
        self._run.is_running = False
        self.registers.forget()
        reason = self._classify(status, until)
        self.exceptions.go_back(reason)
        self._run.raise_carried()
        return reason

    def _goes_on(self, status: int, until: int) -> bool:
        """Whether a run that the emulator has ended is not over."""
        run, watched = self._run, self.watched
        if self._entries.is_hook_due:
            with run.gate:
                self._entries.renew_hook()
            return True
        if self.code.is_renewal_due:
            self.code.is_renewal_due = False
            if not run.stop_requested:
                self._blocks.release()
                return True
            run.why = StopKind.STOPPED
        self.registers.forget()
        if (self.tlb.refused is not None or watched.due is not None) and watched.goes_on(status):
            return True
        if run.event is not None or run.carried is not None:
            return False
        ends = self.registers.read(RIP) == until
        with run.gate:
            self.on_end()
        moved = ends and self.registers.read(RIP) != until
        self.registers.store()
        if run.stop_requested and moved:
            run.why = StopKind.STOPPED
        return moved and not run.stop_requested

    def _start(self, start: int, until: int) -> int:
        """`_emulate`, whose result it has; it executes what stands before an instruction that cannot be fetched.

        Unicorn translates a block as a whole, and refuses all of it for an instruction that reaches into a page without
        code.
        """
        self.tlb.refused = None
        status = self._emulate(start, until)
        refused = self.tlb.refused
        if refused is not None and refused.right == EXECUTE and not refused.is_other_paging:
            self.registers.forget()
            rip = self.registers.read(RIP)
            reaching = self._blocks.instruction_across(rip, refused.page)
            if reaching != rip:
                self.tlb.refused = None
                self._blocks.end_at(reaching)
                status = self._emulate(rip, reaching)
                self._blocks.end_at(until)
                self.registers.forget()
                if self.registers.read(RIP) == reaching:
                    self.tlb.refused = refused
        return status

    def _emulate(self, start: int, until: int) -> int:
        """One uc_emu_start, and its status; what it has left in the middle of a block is counted then."""
        carrier = self.watched.carrier
        if carrier is None:
            status = self._engine.start(start, until)
        else:
            status = self.watched.start_carried(carrier, start, until)
        event = self._run.event
        rip = self._instruction() if event is None else event.rip
        self._blocks.settle(rip)
        self.code.cut_branch(rip)
        if self.tlb.words[WATCHED_RIGHT] or self.tlb.refused is not None:
            return self.tlb.take_refusal(status, rip, until)
        return status

    def shorten(self, budget: int) -> None:
        """In a hook: let the current run have at most so many more instructions."""
        self._blocks.shorten(budget)

    def stop(self) -> None:
        """End the current run before its next block. May be called by a hook or by another thread."""
        self._run.stop()

    def forget_stop(self) -> None:
        """Between two runs: what was asked for so far is over."""
        self._run.stop_requested = False

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._run.is_running

    @property
    def is_settled(self) -> bool:
        """Whether no instruction is at hand in a hook: none of the block under way is left to be executed."""
        return self._blocks.is_settled

    def raise_carried(self) -> None:
        """Between two runs: raise what a callback of machine code has raised."""
        self._run.raise_carried()

    @property
    def refused_block(self) -> int:
        """The instructions of the block that did not fit in a budget last."""
        return self._blocks.refused

    @property
    def is_shadowed(self) -> bool:
        """Whether the instruction at RIP comes before any interrupt: it is behind STI, or a MOV to SS."""
        return self._hidden.is_shadowed

    @property
    def stop_requested(self) -> bool:
        """Whether somebody has called `stop` since the last run began."""
        return self._run.stop_requested

    @property
    def given_up(self) -> int:
        """Grows when an instruction is not executed to its end: it raised an exception, or a run starts elsewhere."""
        return self._run.given_up

    @property
    def given_up_address(self) -> int:
        """Of the word that has `given_up`."""
        return self._run.given_up_address

    def _classify(self, status: int, until: int) -> StopReason:
        rip = self.registers.read(RIP)
        if self._run.event is not None:
            return self._run.event
        if rip == until:
            return StopReason(StopKind.REACHED, rip)
        if self._run.why is not None:
            return StopReason(self._run.why, rip)
        if self.tlb.refused is not None and self.tlb.refused.is_other_paging:
            return StopReason(StopKind.PAGING, rip)
        if status == uc.UC_ERR_INSN_INVALID:
            return StopReason(StopKind.INVALID, rip)
        if self.tlb.refused is not None:
            return self.tlb.fault_of(self.tlb.refused, rip)
        if status != uc.UC_ERR_OK and self._run.carried is None:
            raise EmulatorError(f"uc_emu_start failed with error {status} at {rip:#x}")
        # HLT ends a run like a triple fault does, with success; only the byte before RIP tells them apart.
        if self.memory.read((rip - 1) & WORD_MASK, 1) == bytes((_HLT,)):
            return StopReason(StopKind.HALT, rip)
        return StopReason(StopKind.FAULT, rip, vector=Vector.DF)

    # --- for machine code

    def length_at(self, address: int) -> int:
        """The bytes of the instruction there; 1 where none is known."""
        return self._blocks.length_of(self.memory.read_up_to(address, LONGEST_INSTRUCTION))

    @property
    def engine_address(self) -> int:
        """Of the emulator, for machine code that is called between two stretches of guest code."""
        return self._engine.handle.value or 0

    def block_at(self, rip: int) -> tuple[int, int, int] | None:
        """Of the block that was left at RIP last: the words of its slot, and how many instructions are not executed."""
        return self._blocks.left_at(rip)

    def _come_to(self, level: int) -> None:
        """Load the descriptor table, and execute an IRETQ, after which everything that depends on the level is so.

        What stands behind it may not be fetched on every level, which the emulator tells as an error.
        """
        load_table(self._engine, descriptors.TABLE_AT)
        self._engine.set_register(x86.UC_X86_REG_RSP, descriptors.stack_at(level))
        status = self._engine.start(descriptors.GATE_AT, descriptors.BEHIND_GATE)
        self.registers.forget()
        if self.memory.is_exhausted:
            raise MapError(f"max_guest_memory is used up ({self.memory.source.limit:#x} bytes)", "max_guest_memory")
        if self.registers.read(RIP) != descriptors.BEHIND_GATE or self._hidden.level != level:
            raise EmulatorError(f"IRETQ did not come to level {level} (error {status})")
        self.registers.forget()
        self._engine.set_register(x86.UC_X86_REG_RIP, 0)


def _instruction_pointer(engine: Engine, window: Window | None) -> Callable[[], int]:
    """What reads RIP as the emulator has it, in a hook or between runs."""
    if window is None:
        return lambda: engine.read_register(x86.UC_X86_REG_RIP)
    cell = ctypes.c_uint64.from_address(window.rip)
    return lambda: cell.value


def _system_call_msrs(engine: Engine, window: Window | None) -> Callable[[], list[int]]:
    """What reads STAR, LSTAR and FMASK."""
    if window is None:
        return MsrBatch(engine.handle, (msr.STAR, msr.LSTAR, msr.FMASK)).read
    cells = [ctypes.c_uint64.from_address(place) for place in (window.star, window.lstar, window.fmask)]
    return lambda: [cell.value for cell in cells]
