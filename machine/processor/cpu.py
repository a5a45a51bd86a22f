"""One emulated CPU with its memory: Unicorn behind a small face. Every oddity of Unicorn's engine is dealt with here.

Instructions are counted per basic block, on entry, and settled where one is left in its middle: a block that does not
fit in the budget is not begun, one that faults halfway counts as far as it was executed, a REP instruction counts once
per iteration and once for its end. That count is the virtual time, so a run is deterministic: RDTSC reads the clock
given by the machine, and the CPU model has no RDRAND.
Not here: what a SYSCALL means (`machine.events.syscall`), which process runs when (`machine.machine`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import RLock
from typing import Any

from unicorn import unicorn_const as uc, x86_const as x86

from machine.memory import PAGE, AddressSpace, Protection, is_canonical, page_floor
from machine.processor import block_hook, descriptors, instruction_hooks, msr, translation
from machine.processor.arrival import Arrival
from machine.processor.binding import (
    BLOCK_HOOK,
    CODE_HOOK,
    EDGE_HOOK,
    INTERRUPT_HOOK,
    INVALID_INSTRUCTION_HOOK,
    PORT_READ_HOOK,
    PORT_WRITE_HOOK,
    SYSCALL_HOOK,
    TIME_STAMP_HOOK,
    TLB_FILL_HOOK,
    WORD_MASK,
    Batch,
    EmulatorError,
    Engine,
    Hook,
    MsrBatch,
    callback_address,
    function_address,
)
from machine.processor.block_counter import EVERYTHING, BlockCounter
from machine.processor.branch_ring import note_block_address
from machine.processor.branches import LastBranches
from machine.processor.debug_registers import DebugRegisters
from machine.processor.fault import IN_TABLE, WITH_ERROR_CODE, DebugStatus, Fault, PageFault, Vector
from machine.processor.fxsave import Fxsave
from machine.processor.hidden_state import HiddenState, load_table
from machine.processor.instruction_finder import (
    LONGEST_INSTRUCTION,
    InstructionFinder,
    InstructionPattern,
    Serve,
    Site,
    Translation,
)
from machine.processor.interrupt_table import InterruptTable
from machine.processor.memory_operands import accesses, faulting
from machine.processor.not_emulated import asked_for
from machine.processor.register_file import RegisterFile
from machine.processor.registers import VECTOR_IDS
from machine.processor.thread_registers import ThreadRegisters, ThreadState
from machine.processor.translation import FILLS, RIGHTS, ROOT, WATCHED_PAGE, WATCHED_RIGHT, WATCHING
from machine.processor.watched import AccessCarrier, Due, SingleStep, WatchedInstruction
from machine.processor.window import window_of
from vm.facts.paging import EXECUTE, FRAME_MASK, INDEX_BITS, PAGE_BITS, READ, SUPERVISOR, WATCHED_SHIFT, WRITE
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

SYSCALL_LENGTH = 2
EXCEPTION_STATUS = uc.UC_ERR_EXCEPTION  # of a run that ends by a refused access

# SSE4.2 and RDTSCP, but neither AVX (which Unicorn lacks) nor RDRAND (which would read the host's entropy).
CPU_MODEL = x86.UC_CPU_X86_SANDYBRIDGE

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
    (x86.UC_X86_REG_CR4, 0x620),  # PAE, OSFXSR and OSXMMEXCPT
)

_MANY_FILLS = 8_192  # which take about a millisecond, a flush 20 us with what is asked for again
_CLOCK_INSTRUCTIONS = {"on_rdtsc": x86.UC_X86_INS_RDTSC, "on_rdtscp": x86.UC_X86_INS_RDTSCP}
_FEW_CALLS, _MANY_CALLS = 32, 20_000  # of hooks of instructions before machine code pays, with and without its compiler
_ACCESS_NAMES = {READ: "read", WRITE: "write", EXECUTE: "fetch"}
_HLT = 0xF4
_NO_PAGES = (ctypes.c_uint64 * (1 << INDEX_BITS))()
_RDPMC, _INT1 = InstructionPattern(b"\x0f\x33"), InstructionPattern(b"\xf1")
_INT3, _SYSCALL = b"\xcc", b"\x0f\x05"
_OPEN_VECTORS: frozenset[int] = frozenset((Vector.BP, Vector.OF))
_IOPL_SHIFT = 12
_CR2, _RF = STORAGE_INDEX["cr2"], 1 << 16
_MOST_BLOCKS = 1 << 17  # that a hook of blocks is called for: Unicorn keeps 80 bytes of each as long as the hook lives
_PATIENCE = 100_000  # blocks that are counted in Python before machine code is compiled for it, once in a process


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


@dataclass(frozen=True)
class Refusal:
    """An access that the emulator's TLB was refused: the start of the page, and the right (vm.facts.paging)."""

    page: int
    right: int
    is_exhausted: bool = False  # for want of memory
    is_watched: bool = False  # somebody wants to be told first
    is_other_paging: bool = False  # the guest has changed its paging


@dataclass(frozen=True)
class AddressCallback:
    """What is called at a hooked address: a C function, and a number that grows with every hook of a CPU."""

    function: Any
    number: int


class Cpu:
    """One CPU in 64-bit mode. An AddressSpace is its MMU.

    With `level` its guest begins on that privilege level, 0 or 3, and has the descriptor table that `descriptors` puts
    into its memory; None: on level 0, without a table.
    """

    def __init__(self, memory: AddressSpace, level: int | None = None) -> None:
        """Raises machine.memory.MapError, and vm.host_memory.HostMemoryError."""
        self.memory = memory
        self.on_syscall: Callable[[], None] = lambda: None
        self.on_invalid_instruction: Callable[[], bool] = lambda: False  # whether RIP was moved and the guest goes on
        self.on_watched: Callable[[WatchedInstruction], Due | None] = lambda watched: Due(watched.rip)
        self.on_end: Callable[[], None] = lambda: None  # a run is about to end between two instructions; may move RIP
        self.time_stamp: Callable[[], int] = lambda: self.executed
        self.gate: AbstractContextManager[Any] = RLock()  # is entered for what callbacks do beyond this CPU
        self._engine = Engine(CPU_MODEL)
        self.window = window_of(self._engine)
        self.registers = RegisterFile(self._engine, self.window)
        self._debug = DebugRegisters(self.registers)
        self._breakpoint_hooks: list[Hook] = []
        self._trap = 0  # what the #DB behind a watched instruction sets in DR6
        self._instruction = self._instruction_pointer()
        self._blocks = BlockCounter(memory, self._stores_into)
        self._stop_requested = self._running = False
        self._code_changes, self._given_up = ctypes.c_uint64(), ctypes.c_uint64()
        self.arrival = Arrival()
        self._address_callbacks = 0
        self._hooked: dict[Hook, int] = {}
        self._refused: Refusal | None = None  # the first of a run
        self._why: StopKind | None = None
        self._event: StopReason | None = None
        self._undone: bytes | None = None  # general registers before the instruction that has raised `_event`
        self._carried: BaseException | None = None
        self._reading: instruction_hooks.Reading | None = None
        self._everywhere: Callable[[], int] = lambda: self.executed
        self._port_access: instruction_hooks.PortAccess | None = None
        self._calls = 0
        self._entry_msrs = self._system_call_msrs()
        self._vectors = Batch(self._engine.handle, VECTOR_IDS, words=2)
        self._thread = ThreadState(self._engine)
        self._fxsave = Fxsave(self._engine)
        self.open_vectors = _OPEN_VECTORS  # of INT on level 3
        self.home_level = descriptors.KERNEL if level is None else level
        self._map_memory()
        for register, value in (*INITIAL_STATE, *PAGING, (x86.UC_X86_REG_CR3, memory.table.root_place)):
            self._engine.set_register(register, value)
        self._engine.write_msr(msr.EFER, msr.EFER_LME | msr.EFER_LMA | msr.EFER_SCE)
        self._hidden = HiddenState(self._engine, self.window)
        self.interrupt_table = InterruptTable(self._engine, memory, self.registers, self._hidden, self.home_level)
        self._accesses: AccessCarrier | None = None
        self._due: Due | None = None  # of the thread, for the instruction at RIP
        if level is not None:
            self._come_to(level)
        self._finder = InstructionFinder(memory)
        self._edge_hook: Hook | None = None
        self.last_branches: LastBranches | None = None  # while they are recorded
        self._branch_hook: Hook | None = None
        self._install_hooks()
        self.registers.on_debug = self._debug_registers_changed
        self._unserved: list[Site] | None = None  # in the block that was translated last: it is not entered
        self._looks_again = False

    # --- memory

    def code_changed(self, begin: int, end: int) -> None:
        """Translate [begin, end) anew: its bytes were changed by somebody else than this CPU, or are going to be."""
        if begin >= end:
            return
        self._forget_code(begin, end)
        self._blocks.forget(begin, end)
        self._code_changes.value += 1

    def _forget_code(self, begin: int, end: int) -> None:
        """Have the emulator translate [begin, end) anew."""
        for page in range(page_floor(begin), end, PAGE):
            word = self.memory.table.word(page >> PAGE_BITS)
            if word & EXECUTE:  # elsewhere Unicorn would be refused, and end the run
                with self._seeing(word), self._step.opened(word):
                    self._engine.forget_code(max(begin, page), min(end, page + PAGE))

    def _on_translation(self, _engine: int, page: int, access: int, entry: Any, _data: int) -> bool:
        """What the emulator's TLB does not have: the page table may, or the address space has an answer."""
        if self._undone is not None:
            return False  # behind an instruction that has raised an exception
        right = RIGHTS[access]
        if self._running and self._has_other_paging():
            self._refused = self._refused or Refusal(page, right, is_other_paging=True)
            return False
        word = self.memory.table.word(page >> PAGE_BITS)
        is_user = self._hidden.level == descriptors.USER
        if not word & right or (is_user and word & SUPERVISOR):
            try:
                with self.gate:
                    self.memory.physical.work.charge(PAGE)
                    word = self.memory.fault_in(page, right, is_user=is_user)
            except BaseException as error:
                self._carry(error)
                return False
        if not word & right:
            self._refused = self._refused or Refusal(page, right, self.memory.is_exhausted)
            return False
        watched = word >> WATCHED_SHIFT & self._translation_state[WATCHING]
        if watched & right:
            self._refused = self._refused or Refusal(page, right, is_watched=True)
            return False
        self._translation_state[FILLS] += 1
        entry[0].physical_address = word & FRAME_MASK
        entry[0].protection = word & ~watched & (READ | WRITE | EXECUTE)
        return True

    def _has_other_paging(self) -> bool:
        control = (x86.UC_X86_REG_CR0, x86.UC_X86_REG_CR3, x86.UC_X86_REG_CR4)
        return translation.has_other_paging(self.memory.table.root_place, *map(self._engine.read_register, control))

    @property
    def code_changes(self) -> int:
        """Grows when code was changed by somebody else than this CPU."""
        return self._code_changes.value

    @property
    def code_changes_address(self) -> int:
        """Of the word that has `code_changes`."""
        return ctypes.addressof(self._code_changes)

    @property
    def given_up(self) -> int:
        """Grows when an instruction is not executed to its end: it raised an exception, or a run starts elsewhere."""
        return self._given_up.value

    @property
    def given_up_address(self) -> int:
        """Of the word that has `given_up`."""
        return ctypes.addressof(self._given_up)

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
        self.memory.code_listeners.remove(self.code_changed)
        self.memory.on_taken.remove(self._engine.flush_tlb)
        self._engine.close()

    # --- threads take turns

    def save(self) -> ThreadRegisters:
        """What the thread has that is in this CPU, between two runs."""
        self.registers.store()
        self.registers.forget()
        arrival, due = self.arrival.exchange(None), self._due
        self._due = None
        return replace(self._thread.read(), level=self.privilege_level, arrival=arrival, due=due)

    def restore(self, registers: ThreadRegisters) -> None:
        """Let another thread have this CPU, between two runs; what was not saved of the one before is lost."""
        self.registers.forget()
        self._thread.write(registers)
        self._debug_registers_changed()
        self.privilege_level = registers.level
        self.arrival.exchange(registers.arrival)
        self._due = registers.due

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

    def _come_to(self, level: int) -> None:
        """Load the descriptor table, and execute an IRETQ, after which everything that depends on the level is so.

        What stands behind it may not be fetched on every level, which the emulator tells as an error.
        """
        load_table(self._engine, descriptors.TABLE_AT)
        self._engine.set_register(x86.UC_X86_REG_RSP, descriptors.stack_at(level))
        status = self._engine.start(descriptors.GATE_AT, descriptors.BEHIND_GATE)
        self.registers.forget()
        if self.registers.read(RIP) != descriptors.BEHIND_GATE or self._hidden.level != level:
            raise EmulatorError(f"IRETQ did not come to level {level} (error {status})")
        self.registers.forget()
        self._engine.set_register(x86.UC_X86_REG_RIP, 0)

    @contextmanager
    def _seeing(self, word: int) -> Iterator[None]:
        """While the emulator is to find a page of which the page table has this word."""
        level = self._hidden.level
        hides = level == descriptors.USER and word & SUPERVISOR
        if hides:
            self._hidden.level = descriptors.KERNEL
        try:
            yield
        finally:
            if hides:
                self._hidden.level = level

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

    def _system_call_msrs(self) -> Callable[[], list[int]]:
        if self.window is None:
            return MsrBatch(self._engine.handle, (msr.STAR, msr.LSTAR, msr.FMASK)).read
        window = self.window
        cells = [ctypes.c_uint64.from_address(place) for place in (window.star, window.lstar, window.fmask)]
        return lambda: [cell.value for cell in cells]

    # --- hooks of addresses

    def hook_address(self, address: int, callback: Callable[[], None], replaces: bool = False) -> Hook:
        """Call `callback` before each instruction that starts at `address`; other code keeps its speed.

        The callback may write registers; when it changes RIP the guest goes on there, without the instruction; with
        `replaces` in any case. After `stop` the run ends before the instruction, and the next run does not call again.
        """
        return self._hook_address(address, self.address_callback(address, callback, replaces).function)

    def carry_address(self, address: int, code: int, data: int) -> Hook:
        """Have machine code called before each such instruction instead, with `data`."""
        return self._hook_address(address, code, data)

    def _hook_address(self, address: int, callback: Any, data: int = 0) -> Hook:
        hook = self._engine.add_hook(uc.UC_HOOK_CODE, callback, address=address, data=data)
        self._hooked[hook] = address
        self.code_changed(address, address + 1)
        self._finder.come_last(address)
        return hook

    def address_callback(self, address: int, callback: Callable[[], None], replaces: bool = False) -> AddressCallback:
        """What `hook_address` has called. Hooks are to be installed in the order in which this is called."""
        self._address_callbacks += 1
        number = self._address_callbacks

        def on_code(_engine: int, _address: int, _size: int, _data: int) -> None:
            if self._blocks.is_settled:
                return  # another hook of this address has it begun anew, or has taken its place
            if self.arrival.is_waited_for and self.arrival.was_called(address, number, self.executed):
                return
            self.registers.forget()
            if self.registers.read(RIP) != address:
                return  # another hook of this address has moved it
            changes = self.code_changes
            try:
                with self.gate:
                    self._call(callback, address, number, changes, replaces)
            except BaseException as error:
                self._carry(error)
            self.registers.forget()

        return AddressCallback(CODE_HOOK(on_code), number)

    def unhook(self, hook: Hook) -> None:
        """Remove a hook of an address; safe in its own callback."""
        self._hooked.pop(hook, None)
        self._engine.remove_hook(hook)

    def _call(self, callback: Callable[[], None], address: int, number: int, changes: int, replaces: bool) -> None:
        """Call back at an address; begin the instruction anew where what follows was translated for another state.

        `changes` is what `code_changes` was when the trigger began.

        Unicorn's translation of a block knows which instruction set the flags, so flags that are written here count
        from the next block on only (test_flags_written_at_a_hook_decide_the_next_branch); nor has it later hooks.
        """
        registers = self.registers
        flags = registers.read(RFLAGS)
        callback()
        rip = registers.read(RIP)
        stays = rip == address and not replaces
        renew = registers.read(RFLAGS) != flags or self.code_changes != changes
        registers.store()
        if stays and (renew or self._stop_requested or self._event is not None):
            if self._event is None:
                self.arrival.begin_anew(address, number, self._blocks.executed_at(address))
            self._blocks.settle(address)
            self._cut(address)
            self._engine.set_register(x86.UC_X86_REG_RIP, address)
        elif not stays:
            self._blocks.leave(address)
            self._cut(address)
            if rip == address:
                self._engine.set_register(x86.UC_X86_REG_RIP, rip)
        if self._event is not None:
            self._engine.stop()
        elif self._stop_requested:
            self._why = StopKind.STOPPED
            self._engine.stop()

    def leave_address(
        self, address: int, number: int, changes: int, body: Callable[[], None], replaces: bool = False
    ) -> None:
        """End a trigger that machine code has begun when `code_changes` was `changes`; `body` writes registers.

        `number` is that of its AddressCallback.
        """
        self.registers.forget()
        try:
            with self.gate:
                self._call(body, address, number, changes, replaces)
        except BaseException as error:
            self._carry(error)
        self.registers.forget()

    # --- instructions that are looked for

    def look_for(self, wanted: Mapping[InstructionPattern, Serve]) -> None:
        """Have these instructions served wherever code is executed, from the next block on; others no more.

        Code that is under way is left: the run ends before its next block when there is something new to look for.
        """
        if self._finder.look_for(wanted):
            self._looks_again = True
            if self._running:
                self.stop()

    # --- branches

    def record_branches(self, wanted: bool) -> LastBranches | None:
        """Record the last branches from the next block on, or no more; what was recorded before is forgotten."""
        self.last_branches = LastBranches(self.memory.read) if wanted else None
        if self._accesses is not None:
            self._accesses.forget()  # it cuts no blocks
        self._looks_again = True
        if self._running:
            self.stop()
        return self.last_branches

    def _watch_branches(self) -> None:
        """Have the blocks written into the ring by a hook, or no more; code that is translated then has it."""
        if self._branch_hook is not None:
            self._engine.remove_hook(self._branch_hook)
            self._branch_hook = None
        if self.last_branches is not None:
            ring = self.last_branches.ring
            code = note_block_address()
            hook = BLOCK_HOOK(lambda _engine, address, size, _data: ring.note(address, size)) if code is None else code
            self._branch_hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, hook, data=ring.state)

    def _cut(self, rip: int) -> None:
        """The block under way was left before the instruction at RIP, or that was not executed as it stands."""
        if self.last_branches is not None:
            self.last_branches.ring.cut(rip)

    def _look_again(self, start: int) -> None:
        """Before a run: have all code translated anew that has not been looked at, and look at the first block."""
        if self._looks_again:
            self._looks_again = False
            self._watch_branches()
            self._forget_all_code()
            self._watch_translations()
        if self._finder.is_active:
            found = self._finder.unserved_from(start)
            if found:
                with self.gate:  # of other cores, too, there are hooks to be made
                    self._finder.serve(found)

    def _forget_all_code(self) -> None:
        self._engine.forget_all_code()
        self._blocks.forget(*EVERYTHING)

    def _watch_translations(self) -> None:
        if self._edge_hook is None:
            self._edge_hook = self._engine.add_hook(uc.UC_HOOK_EDGE_GENERATED, EDGE_HOOK(self._on_translated))

    def _on_translated(self, _engine: int, block: int, _before: int, _data: int) -> None:
        """A block was translated that is about to be entered."""
        try:
            translated = Translation.from_address(block)
            self._blocks.translated(translated.address, translated.size)
            if not self._finder.is_active:
                return
            with self.gate:
                self._unserved = self._finder.unserved(translated.address, translated.size)
            if self._unserved is not None:
                self._blocks.hold()
        except BaseException as error:
            self._carry(error)

    def _serve_first(self, sites: list[Site], address: int, size: int) -> None:
        """Serve what was found in a block, and have it translated anew."""
        self._unserved = None
        self._blocks.refuse(address, size)
        self._cut(address)
        self._blocks.release()
        with self.gate:
            self._finder.serve(sites)
        self.code_changed(address, address + size)
        self._engine.set_register(x86.UC_X86_REG_RIP, address)
        if self._stop_requested:
            self._blocks.close()

    # --- time

    def share_clock(self, cells: int, executed: Callable[[], int]) -> None:
        """Let machine code read the clock: the address of its words (machine.schedule.clock), and what it counts.

        Others than this CPU must not execute instructions while it runs.
        """
        if self.window is not None:
            self._everywhere = executed
            self._reading = instruction_hooks.Reading(
                counter=self._blocks.state,
                clock=cells,
                general=self.window.general,
                rip=self.window.rip,
                changes=self.code_changes_address,
                read_one=function_address("uc_reg_read"),
                msr=msr.TSC_AUX,
            )

    def _read_clock_natively(self, reading: instruction_hooks.Reading) -> bool:
        """Have machine code read the clock, this time already: Unicorn comes to hooks that are added meanwhile."""
        code = instruction_hooks.compiled()
        if code is None:
            self._reading = None
            return False
        reading.in_python = callback_address(self._time_hooks[0])
        reading.elsewhere = (self._everywhere() - self.executed) & WORD_MASK
        for hook in self._time_hooks:
            self._engine.remove_hook(hook)
        for name, number in _CLOCK_INSTRUCTIONS.items():
            self._engine.add_hook(uc.UC_HOOK_INSN, code.address(name), number, data=ctypes.addressof(reading))
        return True

    def _note_place(self, reading: instruction_hooks.Reading) -> None:
        """Machine code has asked about the instruction at hand: let it know how many of its block stand behind it."""
        if not self._blocks.is_settled:
            rip = self._instruction()
            place = reading.place_of(rip)
            place.rip, place.changes = rip, self.code_changes
            place.block, place.shape, place.rest = self._blocks.behind(rip)

    def _is_worth_compiling(self) -> bool:
        """Whether hooks of instructions have been called so often that machine code pays; this call counts, too."""
        self._calls += 1
        return self._calls > (_FEW_CALLS if block_hook.is_compiled() else _MANY_CALLS)

    def _let_kernel_use_ports(self) -> None:
        """Have machine code do nothing at accesses of level 0 to ports."""
        code = instruction_hooks.compiled()
        self._port_access = access = instruction_hooks.PortAccess(self.level_address)
        if code is not None:
            access.read, access.write = map(callback_address, self._port_hooks)
            names = {"on_port_read": x86.UC_X86_INS_IN, "on_port_write": x86.UC_X86_INS_OUT}
            for hook, (name, number) in zip(self._port_hooks, names.items(), strict=True):
                self._engine.remove_hook(hook)
                self._engine.add_hook(uc.UC_HOOK_INSN, code.address(name), number, data=ctypes.addressof(access))

    # --- execution

    @property
    def executed(self) -> int:
        """Instructions since the CPU was made; in a hook with the one at hand, which is not executed yet."""
        return self._blocks.executed if self._blocks.is_settled else self._blocks.executed_at(self._instruction())

    @property
    def entered(self) -> int:
        """The same for another thread while this CPU is in machine code: with the whole of the block under way."""
        return self._blocks.executed

    @property
    def block_counter(self) -> int:
        """The address of the words of machine.processor.block_counter."""
        return self._blocks.state

    def leave_block(self, address: int) -> tuple[int, int, int]:
        """Have counted what was executed where a hook in machine code moves RIP away from the instruction at `address`.

        For the next time: the two words of the block that it stands in, and how many instructions stand behind it.
        """
        self._cut(address)
        return self._blocks.leave(address)

    def run(self, start: int, until: int, budget: int) -> StopReason:
        """Execute from `start` until RIP is `until`, for at most `budget` instructions.

        An exception that a callback raises ends the run and is raised here; RIP is that of the trigger. Ctrl-C is the
        caller's business (machine.schedule.interrupt).
        """
        self.registers.write(RIP, start)
        self.registers.store()
        self.registers.forget()
        self._stop_requested = False
        self._look_again(start)
        self._grow_tlb()
        if self.arrival.start_at(start, self.executed + 1):
            self._given_up.value += 1
        self._blocks.allow(budget)
        self._blocks.end_at(until)
        self._why, self._event, self._carried = None, None, None
        self._running = True
        if self._due is not None:
            self._resume(start)
        if self._reading is not None and self._reading.in_python:
            self._reading.elsewhere = (self._everywhere() - self.executed) & WORD_MASK
        status = self._start(start, until)
        while self._goes_on(status, until):
            self.registers.forget()
            start = self.registers.read(RIP)
            self._look_again(start)
            status = self._start(start, until)
        self._running = False
        self.registers.forget()
        reason = self._classify(status, until)
        if self._event is not None:
            self._hidden.forget_exception()
        self._go_back(reason)
        if self._carried is not None:
            carried, self._carried = self._carried, None
            raise carried
        return reason

    def _goes_on(self, status: int, until: int) -> bool:
        """Whether a run that the emulator has ended is not over."""
        if self._hook_is_due:
            with self.gate:
                self._renew_block_hook()
            return True
        self.registers.forget()
        if (self._refused is not None or self._due is not None) and self._goes_on_watched(status):
            return True
        if self._event is not None or self._carried is not None:
            return False
        ends = self.registers.read(RIP) == until
        with self.gate:
            self.on_end()
        moved = ends and self.registers.read(RIP) != until
        self.registers.store()
        if self._stop_requested and moved:
            self._why = StopKind.STOPPED
        return moved and not self._stop_requested

    def _start(self, start: int, until: int) -> int:
        """`_emulate`, whose result it has; it executes what stands before an instruction that cannot be fetched.

        Unicorn translates a block as a whole, and refuses all of it for an instruction that reaches into a page without
        code.
        """
        self._refused = None
        status = self._emulate(start, until)
        refused = self._refused
        if refused is not None and refused.right == EXECUTE and not refused.is_other_paging:
            self.registers.forget()
            rip = self.registers.read(RIP)
            reaching = self._blocks.instruction_across(rip, refused.page)
            if reaching != rip:
                self._refused = None
                self._blocks.end_at(reaching)
                status = self._emulate(rip, reaching)
                self._blocks.end_at(until)
                self.registers.forget()
                if self.registers.read(RIP) == reaching:
                    self._refused = refused
        return status

    def _emulate(self, start: int, until: int) -> int:
        """One uc_emu_start, and its status; what it has left in the middle of a block is counted then."""
        status = self._engine.start(start, until) if self._accesses is None else self._start_carried(start, until)
        rip = self._instruction() if self._event is None else self._event.rip
        self._blocks.settle(rip)
        self._cut(rip)
        if self._translation_state[WATCHED_RIGHT] or self._refused is not None:
            return self._take_refusal(status, rip, until)
        return status

    def _instruction_pointer(self) -> Callable[[], int]:
        """What reads RIP as the emulator has it, in a hook or between runs."""
        if self.window is None:
            return lambda: self._engine.read_register(x86.UC_X86_REG_RIP)
        cell = ctypes.c_uint64.from_address(self.window.rip)
        return lambda: cell.value

    def _take_refusal(self, status: int, rip: int, until: int) -> int:
        """Of a run that has ended at RIP: keep the refusal that has ended it; the status without any other.

        Whenever the emulator stops it fetches from `until`, to forget what it has put there, and says so when that is
        refused: such a refusal comes last, and may be the only one.
        """
        state, refused = self._translation_state, self._refused
        if refused is not None and refused.is_other_paging:
            return status
        right, state[WATCHED_RIGHT] = state[WATCHED_RIGHT], 0
        watched = Refusal(state[WATCHED_PAGE], right, is_watched=True) if right else None
        is_over = self._event is not None or self._why is not None or rip == until
        for found in (watched, refused):
            at_end = found is not None and found.right == EXECUTE and found.page == page_floor(until)
            distance = 0 if found is None else found.page - page_floor(rip)
            if found is not None and not (at_end and (is_over or distance not in (0, PAGE))):
                self._refused = found
                return status
        self._refused = None
        return uc.UC_ERR_OK if status == uc.UC_ERR_EXCEPTION else status

    # --- exceptions

    def deliver(self, fault: Fault) -> None:
        """Between two runs: what the processor notes of an exception that it delivers, in CR2 and DR6."""
        if fault.address is not None:
            self.registers.write(_CR2, fault.address)
        if fault.debug:
            self._debug.delivered(fault.debug)

    def count_given_up(self) -> None:
        """Between two runs: an instruction whose exception was dropped takes its time."""
        self._blocks.count_one()

    # --- hardware breakpoints

    @property
    def has_breakpoints(self) -> bool:
        """Whether a debug register asks for one."""
        return bool(self._debug.breakpoints)

    def move_debug_register(self, code: bytes) -> None:
        """In the hook of a MOV from or to a debug register, of which this is the code."""
        fault = None if self.privilege_level else self._debug.move(code)
        if fault is not None:
            self._raise_before(fault)

    def _debug_registers_changed(self) -> None:
        had = self.has_breakpoints
        if not self._debug.look_again():
            return
        while self._breakpoint_hooks:
            self.unhook(self._breakpoint_hooks.pop())
        for address in self._debug.executions:
            self._breakpoint_hooks.append(self.hook_address(address, self._at_breakpoint))
        self.memory.breakpoints = self._debug.rights_of if self.has_breakpoints else None
        if had or self.has_breakpoints:
            self.memory.watch_anew()
        if self._accesses is not None:
            self._accesses.forget()  # it knows no breakpoints

    def _at_breakpoint(self) -> None:
        """Before the instruction of an execution breakpoint; RF has it executed."""
        rip, flags = self.registers.read(RIP), self.registers.read(RFLAGS)
        if flags & _RF:
            self.registers.write(RFLAGS, flags & ~_RF)
        elif self._event is None:
            self._raise_before(Fault(Vector.DB, rip, debug=self._debug.status_at(rip)))

    def _raise_before(self, fault: Fault) -> None:
        """Raise an exception in the hook of an address, before its instruction."""
        self._given_up.value += 1
        self._event = StopReason.of(fault)

    # --- watched memory

    def length_at(self, address: int) -> int:
        """The bytes of the instruction there; 1 where none is known."""
        return self._blocks.length_of(self.memory.read_up_to(address, LONGEST_INSTRUCTION))

    @property
    def engine_address(self) -> int:
        """Of the emulator, for machine code that is called between two stretches of guest code."""
        return self._engine.handle.value or 0

    def _start_carried(self, start: int, until: int) -> int:
        assert self._accesses is not None
        self._engine.forget_removed()
        status = self._accesses.start(start, until)
        begun = self._accesses.given_back()
        if begun is not None:
            self._step.take_over(*begun)
            self._due = Due(begun[0])
        return status

    def carry_accesses(self, carrier: AccessCarrier, code: int, data: int) -> int:
        """Have machine code deal with watched accesses, and called at exceptions; the hook of those in Python."""
        self._accesses = carrier
        self._engine.end_at_exits()
        hook = self._interrupt_hook
        self._carried_interrupt_hook = self._engine.add_hook(uc.UC_HOOK_INTR, code, data=data)
        self._engine.remove_hook(hook)
        return callback_address(hook)

    @property
    def translation_state(self) -> int:
        """The address of the words of machine.processor.translation."""
        return ctypes.addressof(self._translation_state)

    def is_hooked(self, address: int) -> bool:
        """Whether somebody waits for the execution of an address."""
        return address in self._hooked.values()

    def block_at(self, rip: int) -> tuple[int, int, int] | None:
        """Of the block that was left at RIP last: the words of its slot, and how many instructions are not executed."""
        return self._blocks.left_at(rip)

    def _resume(self, start: int) -> None:
        """A run starts: it executes a watched instruction that somebody was told of before the last one ended."""
        if self._due is not None and self._due.rip == start:
            self._step.begin(start)
        else:
            self._due = None

    def _goes_on_watched(self, status: int) -> bool:
        """Deal with a watched instruction, before it is executed or behind it; whether the run goes on at RIP."""
        step = self._step
        halted = step.active and self._end_step(status)
        if step.completed:
            step.completed = False
            return self._execute_behind() and not halted
        if self._refused is not None and self._refused.is_watched and status == uc.UC_ERR_EXCEPTION:
            return self._tell(self._refused.right)
        return False

    def _end_step(self, status: int) -> bool:
        """The emulator has ended a run that was to execute a watched instruction, but not by the #DB behind it.

        Whether the run is over with it: it was HLT, or the last one.
        """
        assert self._due is not None
        at_end = self._event is None and self._refused is None and status == uc.UC_ERR_OK
        completed = at_end and self.registers.read(RIP) != self._due.rip
        self._close_step(completed)
        halted = self._why is None
        if completed:
            self._why = None
            if self._due.debug:
                self._event = self._trapped(self.registers.read(RIP), self._due.debug)
        elif not at_end:
            self._due = None
        return halted

    def _close_step(self, completed: bool) -> bool:
        wants_exception = self._step.end(completed)
        if completed:
            self._blocks.finish()
            self.arrival.exchange(None)
        if self._stop_requested:
            self._blocks.close()
        self.registers.forget()
        return wants_exception

    def _tell(self, right: int) -> bool:
        """Before a watched instruction; whether the run goes on, with it or at another RIP."""
        registers, blocks = self.registers, self._blocks
        if blocks.is_full:
            self._why = StopKind.STOPPED if self._stop_requested else StopKind.BUDGET
            return False
        rip = registers.read(RIP)
        code = self.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        watched = WatchedInstruction(rip, accesses(code, rip, registers.read))
        hooks = self._address_callbacks  # that were called
        blocks.count_one()
        try:
            with self.gate:
                if self._accesses is not None and self._accesses.was_told:
                    self._due = self._accesses.decide(rip)
                else:
                    self._due = self.on_watched(watched)
        except BaseException as error:
            self._carry(error)
        registers.store()
        registers.forget()
        if self._carried is not None:
            return False
        if self._due is None:
            self._given_up.value += 1
        else:
            blocks.discount_one()
        if self._stop_requested:
            self._why = StopKind.STOPPED
            return False
        if self._due is not None:
            status = self._debug.status_of(watched.accesses) if self.has_breakpoints else 0
            if status:
                self._due = replace(self._due, debug=status)
            if right != EXECUTE:
                self.arrival.begin_anew(rip, hooks, blocks.executed + 1)
            self._step.begin(rip)
        return True

    def _execute_behind(self) -> bool:
        """What waits for the end of a watched instruction; whether the run goes on."""
        due, self._due = self._due, None
        if due is not None and due.behind is not None:
            try:
                with self.gate:
                    due.behind()
            except BaseException as error:
                self._carry(error)
            self.registers.store()
            self.registers.forget()
        if self._stop_requested:
            self._why = StopKind.STOPPED
        return not self._stop_requested and self._carried is None and self._event is None

    def _has_stepped(self, vector: int) -> bool:
        """Whether an exception is the end of a watched instruction that was executed alone."""
        if vector != Vector.DB or not self._step.active:
            return False
        hit = 0 if self._due is None else self._due.debug
        wants_exception = self._close_step(completed=True)
        self._trap = hit | DebugStatus.BS * wants_exception
        if self._trap or self._stop_requested or (self._due is not None and self._due.behind is not None):
            self._engine.stop()
        else:
            self._step.completed, self._due = False, None
        return not self._trap

    def stop(self) -> None:
        """End the current run before its next block. May be called by a hook or by another thread."""
        self._stop_requested = True
        self._blocks.close()

    def forget_stop(self) -> None:
        """Between two runs: what was asked for so far is over."""
        self._stop_requested = False

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._running

    @property
    def is_settled(self) -> bool:
        """Whether no instruction is at hand in a hook: none of the block under way is left to be executed."""
        return self._blocks.is_settled

    def raise_carried(self) -> None:
        """Between two runs: raise what a callback of machine code has raised."""
        if self._carried is not None:
            carried, self._carried = self._carried, None
            raise carried

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
        return self._stop_requested

    def _classify(self, status: int, until: int) -> StopReason:
        rip = self.registers.read(RIP)
        if self._event is not None:
            return self._event
        if rip == until:
            return StopReason(StopKind.REACHED, rip)
        if self._why is not None:
            return StopReason(self._why, rip)
        if self._refused is not None and self._refused.is_other_paging:
            return StopReason(StopKind.PAGING, rip)
        if status == uc.UC_ERR_INSN_INVALID:
            return StopReason(StopKind.INVALID, rip)
        if self._refused is not None:
            return self._fault_of(self._refused, rip)
        if status != uc.UC_ERR_OK and self._carried is None:
            raise EmulatorError(f"uc_emu_start failed with error {status} at {rip:#x}")
        # HLT ends a run like a triple fault does, with success; only the byte before RIP tells them apart.
        if self.memory.read((rip - 1) & WORD_MASK, 1) == bytes((_HLT,)):
            return StopReason(StopKind.HALT, rip)
        return StopReason(StopKind.FAULT, rip, vector=Vector.DF)

    def _fault_of(self, refused: Refusal, rip: int) -> StopReason:
        """What a refused access is to the guest."""
        self._given_up.value += 1
        address, is_write = refused.page, refused.right == WRITE
        if not is_canonical(address):
            return StopReason(StopKind.FAULT, rip, vector=Vector.GP)
        if refused.right == EXECUTE:
            address = rip if page_floor(rip) == refused.page else address
        else:
            made = accesses(self.memory.read_up_to(rip, LONGEST_INSTRUCTION), rip, self.registers.read)
            found = faulting(made, refused.page, is_write)
            address = address if found is None else found[0]
            is_write = is_write or any(access.modifies and access.address == address for access in made)
        access = _ACCESS_NAMES[refused.right]
        kind = StopKind.MEMORY if refused.is_exhausted else StopKind.UNMAPPED
        return StopReason(kind, rip, address=address, access=access, error=self._page_fault_code(refused, is_write))

    def _page_fault_code(self, refused: Refusal, is_write: bool) -> int:
        area = self.memory.area_at(refused.page)
        has_memory = bool(self.memory.table.word(refused.page >> PAGE_BITS))
        return (
            PageFault.PRESENT * (has_memory and area is not None and bool(area.protection))
            | PageFault.WRITE * is_write
            | PageFault.USER * (self.privilege_level == descriptors.USER)
            | PageFault.FETCH * (refused.right == EXECUTE)
        )

    def _go_back(self, reason: StopReason) -> None:
        """Let RIP be that of the fault, where the emulator was farther."""
        if self._undone is not None:
            self.registers.set_general(self._undone)
            self._undone = None
            self._translation_state[ROOT] = self.memory.table.root
            self._engine.flush_tlb()
        if self.registers.read(RIP) != reason.rip:
            self.registers.write(RIP, reason.rip)
        self.registers.store()

    def _grow_tlb(self) -> None:
        """Let the TLB grow where it has missed often (test_a_guest_that_uses_many_pages_gets_a_larger_tlb).

        It begins with 256 entries, and doubles when it is flushed while most of them are in use, never else.
        """
        if self._translation_state[FILLS] >= _MANY_FILLS:
            self._translation_state[FILLS] = 0
            self._engine.flush_tlb()

    # --- hooks

    def _map_memory(self) -> None:
        """Show Unicorn the physical memory, once. It is never unmapped: the TLB has the pages of the address space."""
        physical = self.memory.physical
        self._engine.uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        self._engine.map_pointer(0, len(physical.buffer), int(Protection.ALL), physical.host_address)
        self.memory.code_listeners.append(self.code_changed)
        self.memory.on_taken.append(self._engine.flush_tlb)
        self._translation_hook = self._engine.add_hook(uc.UC_HOOK_TLB_FILL, TLB_FILL_HOOK(self._on_translation))
        table = self.memory.table
        state = self._translation_state = translation.new_state(
            table.root,
            table.root_place,
            callback_address(self._translation_hook),
            0 if self.window is None else self.window.cr2,
        )
        self._step = SingleStep(self._engine, self.registers, self.memory, self._blocks, state)

    def _translate_natively(self) -> None:
        """Have machine code answer the TLB where the page table has the answer."""
        code = translation.address()
        if code is not None and self.window is not None:
            self._engine.add_hook(uc.UC_HOOK_TLB_FILL, code, data=ctypes.addressof(self._translation_state))
            self._engine.remove_hook(self._translation_hook)

    def _install_hooks(self) -> None:
        engine = self._engine
        self._block_hook = engine.add_hook(uc.UC_HOOK_BLOCK, BLOCK_HOOK(self._on_block))
        self._blocks.make_room(_MOST_BLOCKS)
        self._watch_translations()
        self._patience, self._hook_is_due = _PATIENCE, False
        if block_hook.is_compiled():
            self._count_natively()
        engine.add_hook(uc.UC_HOOK_INSN_INVALID, INVALID_INSTRUCTION_HOOK(self._on_invalid_instruction))
        self._interrupt_hook = engine.add_hook(uc.UC_HOOK_INTR, INTERRUPT_HOOK(self._on_interrupt))
        self._syscall_hook = engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_syscall), x86.UC_X86_INS_SYSCALL)
        self._carried_syscall_hook = self._syscall_hook
        self._time_hooks = [
            engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(callback), number)
            for callback, number in zip((self._on_rdtsc, self._on_rdtscp), _CLOCK_INSTRUCTIONS.values(), strict=True)
        ]
        self._port_hooks = [
            engine.add_hook(uc.UC_HOOK_INSN, PORT_READ_HOOK(self._on_port_read), x86.UC_X86_INS_IN),
            engine.add_hook(uc.UC_HOOK_INSN, PORT_WRITE_HOOK(self._on_port_write), x86.UC_X86_INS_OUT),
        ]
        engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_sysenter), x86.UC_X86_INS_SYSENTER)

    def _carry(self, error: BaseException) -> None:
        """End the run with an exception, which cannot pass through C code."""
        self._carried = error
        self._engine.stop()

    def _count_natively(self) -> None:
        """Have the blocks counted by machine code, which is worth its compilation in a longer run only."""
        self._patience = -1
        self._translate_natively()
        code = block_hook.address()
        if code is not None:
            self._other_block_hook = BLOCK_HOOK(self._on_other_block)
            self._blocks.call(self._other_block_hook, learn=function_address("uc_ctl"))
            self._count_by(code, self._blocks.state)
            self._engine.add_hook(uc.UC_HOOK_EDGE_GENERATED, block_hook.translated_address(), data=self._blocks.state)
            if self._edge_hook is not None and not self._finder.is_active:
                self._engine.remove_hook(self._edge_hook)
                self._edge_hook = None
            self._forget_all_code()

    def _renew_block_hook(self) -> None:
        """Let machine code count from now on, or begin the same hook anew: Unicorn forgets its blocks then."""
        self._hook_is_due = False
        if self._patience != -1:
            self._count_natively()
        else:
            self._count_by(self._block_hook.callback, self._blocks.state)
        self._blocks.make_room(_MOST_BLOCKS)

    def _count_by(self, callback: Any, data: int) -> None:
        """Have this hook called for each block in the place of the one before."""
        self._forget_all_code()
        with self._engine.without_translation():
            self._engine.remove_hook(self._block_hook)
            self._block_hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, callback, data=data)
            self._watch_branches()
            self._forget_all_code()

    def _on_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block, while Python counts."""
        try:
            if self._unserved is not None:
                self._serve_first(self._unserved, address, size)
            elif not self._blocks.has_room or self._is_beyond_python(address, size):
                self._wait_for_hook(address, size)
            else:
                self._enter(address, size)
        except BaseException as error:
            self._carry(error)

    def _on_other_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block that machine code does not let in: new and the last of the run, a part of another, or too large."""
        try:
            if self._unserved is not None:
                self._serve_first(self._unserved, address, size)
            elif not self._blocks.has_room:
                self._wait_for_hook(address, size)
            else:
                self._enter(address, size)
        except BaseException as error:
            self._carry(error)

    def _is_beyond_python(self, address: int, size: int) -> bool:
        """Whether machine code is to count, if there can be any: the run is long, or Capstone does not know a block."""
        if self._patience < 0:
            return False
        if self._patience == 0 or not self._blocks.is_certain(address, size):
            return True
        self._patience -= 1
        return False

    def _wait_for_hook(self, address: int, size: int) -> None:
        """End uc_emu_start before this block, which is entered when there is another hook."""
        self._hook_is_due = True
        self._blocks.refuse(address, size)
        self._engine.stop()

    def _enter(self, address: int, size: int) -> None:
        if self._step.active and self._blocks.is_full and self._due is not None and self._due.rip == address:
            self._blocks.settle(address)  # it stores into its own page of code, and the emulator begins it anew
        if not self._blocks.enter(address, size):
            self._close()
        elif self._blocks.has_begun_anew:
            self._forget_code(address, address + size)  # another time it is translated anew, which tells of it

    def _stores_into(self, rip: int, begin: int, end: int) -> bool:
        """Whether the instruction at RIP is about to store into [begin, end), in the hook of a block."""
        code = self.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        self.registers.forget()
        made = accesses(code, rip, self.registers.read)
        return any(access.is_write and access.address < end and begin < access.address + access.size for access in made)

    def _close(self) -> None:
        self._why = StopKind.STOPPED if self._stop_requested else StopKind.BUDGET
        self._engine.stop()

    def _on_interrupt(self, _engine: int, vector: int, _data: int) -> None:
        try:
            self.registers.forget()
            if self._has_stepped(vector) or (vector == Vector.DB and not self._trap and self._is_behind_call()):
                return
            self._given_up.value += 1
            self._event = self._exception(vector, self.registers.read(RIP))
            self._engine.stop()
        except BaseException as error:
            self._carry(error)

    def _is_behind_call(self) -> bool:
        """Whether a single step ends behind SYSCALL: the flags are from the kernel's way back, by IRET in effect.

        The trap is behind the next instruction then (Intel SDM volume 3B, section 17.3.1.4).
        """
        return self._blocks.is_settled or self._blocks.ends_with(_SYSCALL)

    def _exception(self, vector: int, rip: int) -> StopReason:
        """What the emulator raises; an INT whose gate level 3 may not pass is another exception."""
        if self._hidden.was_software:
            length = self._blocks.length_before(rip)
            is_closed = vector not in self.open_vectors and not self.interrupt_table.is_loaded
            if is_closed and self.privilege_level == descriptors.USER:
                error = vector << 3 | IN_TABLE
                return StopReason(StopKind.FAULT, rip - length, vector=Vector.GP, error=error)
            is_interrupt = self.memory.read(rip - 1, 1) != _INT3 or vector != Vector.BP
            return StopReason.of(Fault(vector, rip, length=length, is_interrupt=is_interrupt, is_trap=True))
        if vector == Vector.DB:
            trap, self._trap = self._trap or DebugStatus.BS, 0
            return self._trapped(rip, trap)
        error = self._hidden.error_code & 0xFFFF if vector in WITH_ERROR_CODE else 0
        return StopReason(StopKind.FAULT, rip, vector=vector, error=error)

    @staticmethod
    def _trapped(rip: int, status: int) -> StopReason:
        return StopReason.of(Fault(Vector.DB, rip, is_trap=True, debug=status))

    def _on_port_read(self, _engine: int, _port: int, _size: int, _data: int) -> int:
        self._protect_port()
        return instruction_hooks.NO_DEVICE

    def _on_port_write(self, _engine: int, _port: int, _size: int, _value: int, _data: int) -> None:
        self._protect_port()

    def _protect_port(self) -> None:
        """Raise #GP where IOPL does not allow the instruction, which the emulator does not look at (SDM 19.5.1)."""
        try:
            self.registers.forget()
            if self._undone is None and self.privilege_level > self.registers.read(RFLAGS) >> _IOPL_SHIFT & 3:
                self._raise_here(Vector.GP, self._blocks.first_port_access(self.registers.read(RIP)))
            elif self._port_access is None and self._is_worth_compiling():
                self._let_kernel_use_ports()
        except BaseException as error:
            self._carry(error)

    def _on_sysenter(self, _engine: int, _data: int) -> None:
        """SYSENTER, for which no kernel stand-in has set up an entry (SDM volume 2B)."""
        try:
            self.registers.forget()
            self._raise_here(Vector.GP, self.registers.read(RIP))
        except BaseException as error:
            self._carry(error)

    def _raise_here(self, vector: Vector, rip: int) -> None:
        """Raise an exception in the hook of an instruction, of which nothing happens then."""
        self._given_up.value += 1
        self._event = StopReason(StopKind.FAULT, rip, vector=vector)
        self._undone = self.registers.general()
        self._translation_state[ROOT] = ctypes.addressof(_NO_PAGES)
        self._engine.flush_tlb()  # the emulator executes the block to its end, or to an access to memory
        self._engine.stop()

    def _on_syscall(self, _engine: int, _data: int) -> None:
        self.within_system_call(self.on_syscall)

    def within_system_call(self, body: Callable[[], None]) -> None:
        """Let a SYSCALL have its effect, in its hook."""
        self.registers.forget()
        try:
            with self.gate:
                body()
            self.registers.store_in_hook(SYSCALL_LENGTH)
        except BaseException as error:
            self.registers.forget()
            self._carry(error)
        if self._stop_requested:
            self._blocks.finish()
            self._heed_stop()

    def _heed_stop(self) -> None:
        self._why = StopKind.STOPPED
        self._engine.stop()

    def carry_system_calls(self, code: int, data: int) -> int:
        """Have machine code called at a SYSCALL instead, with `data`; the address of the hook in Python."""
        self._engine.remove_hook(self._carried_syscall_hook)
        self._carried_syscall_hook = self._engine.add_hook(uc.UC_HOOK_INSN, code, x86.UC_X86_INS_SYSCALL, data=data)
        return callback_address(self._syscall_hook)

    def aside(self, body: Callable[[], None]) -> bool:
        """Do a part of the work of a hook in machine code; False when the run ends at once, by an exception."""
        try:
            with self.gate:
                body()
        except BaseException as error:
            self._carry(error)
            return False
        if self._stop_requested:
            self._heed_stop()
        return True

    def _on_invalid_instruction(self, _engine: int, _data: int) -> bool:
        handled = False
        self.registers.forget()
        try:
            with self.gate:
                handled = self.on_invalid_instruction()
            if handled:
                self.registers.store()
            else:
                self._undefined(self.registers.read(RIP))
        except BaseException as error:
            self._carry(error)
        self.registers.forget()
        if handled and self._stop_requested:
            self._blocks.finish()
            self._heed_stop()
        return handled

    def _undefined(self, rip: int) -> None:
        """Instructions that the emulator takes for undefined: RDPMC is a privileged one, INT1 a trap."""
        self._given_up.value += 1
        code = self.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        if _RDPMC.matches(code):
            self._event = StopReason(StopKind.FAULT, rip, vector=Vector.GP)
        elif _INT1.matches(code):
            length = _INT1.length_of(code)
            self._event = StopReason.of(Fault(Vector.DB, rip + length, length=length, is_trap=True))
        else:  # the emulator's own error is lost where it cannot fetch `until` when it ends
            self._event = StopReason(StopKind.INVALID, rip)

    def _on_rdtsc(self, _engine: int, _data: int) -> int:
        try:
            reading = self._reading
            if reading is not None and reading.in_python:
                self._note_place(reading)
            elif reading is not None and self._is_worth_compiling() and self._read_clock_natively(reading):
                return 0  # machine code goes on
            with self.gate:
                ticks = self.time_stamp()
            self._engine.set_register(x86.UC_X86_REG_RAX, ticks & 0xFFFF_FFFF)
            self._engine.set_register(x86.UC_X86_REG_RDX, ticks >> 32 & 0xFFFF_FFFF)
        except BaseException as error:
            self._blocks.finish()  # the block is executed to its end
            self._carry(error)
        return 1  # the instruction is done

    def _on_rdtscp(self, engine: int, data: int) -> int:
        try:
            self._engine.set_register(x86.UC_X86_REG_RCX, self.read_msr(msr.TSC_AUX) & 0xFFFF_FFFF)
        except BaseException as error:
            self._carry(error)
        return self._on_rdtsc(engine, data)
