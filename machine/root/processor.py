"""One emulator of the vmx-root sandbox: runs blocks, one after the other, each from a clean state.

Its pages are translated on first touch, for the block and the process that it was last `enter`ed for. They see the
block's code, which is not writable, a stack with GUEST_REGS above it, the event's buffers, the process's memory and the
scripts' globals; of the code only the block's own can be executed. What a run has left behind is undone before the
next: the part of the stack that was written is zeroed, registers are set, and where a run did more than compute
(`machine.root.plain_code`), a context is restored or another emulator taken.
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc, x86_const as x86

from machine.memory import PAGE, AddressSpace, Area, Protection, SharedMemory, page_ceil
from machine.processor import (
    BLOCK_HOOK,
    CODE_HOOK,
    INITIAL_STATE,
    INTERRUPT_HOOK,
    INVALID_INSTRUCTION_HOOK,
    LONGEST_INSTRUCTION,
    RIGHTS,
    SYSCALL_HOOK,
    TIME_STAMP_HOOK,
    TLB_FILL_HOOK,
    VECTOR_IDS,
    WORD_MASK,
    Batch,
    BlockCounter,
    BmiInstruction,
    Cpu,
    Cpuid,
    Engine,
    RegisterFile,
    address_of,
    block_hook,
    function_address,
    msr,
    new_engine,
    window_of,
)
from machine.root import block as layout
from machine.root.block import Block
from machine.root.fault import SYSCALL_HERE, RootFault, RootResult, fault_at
from machine.root.guest_regs import GuestRegs
from machine.root.plain_code import Effect, effect_of
from machine.root.state import RootState
from vm import GLOBALS_BASE
from vm.facts.paging import EXECUTE, FRAME_MASK, PAGE_BITS, READ, WRITE
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from machine.root.sandbox import Call, Surroundings

_ENTRY_FLAGS = 1 << 1
_TRANSLATION_BYTES = 8 << 20
_ENTRY_IDS = (
    x86.UC_X86_REG_RCX, x86.UC_X86_REG_RDX, x86.UC_X86_REG_R8, x86.UC_X86_REG_RSP, x86.UC_X86_REG_GS_BASE,
)  # fmt: skip
_EXIT_IDS = (x86.UC_X86_REG_RAX, x86.UC_X86_REG_RIP)
_SHOWN_MSRS = tuple(row.number for row in msr.MSRS if row.number not in (msr.GS_BASE, msr.EFER))

_ACCESS_NAMES = {uc.UC_MEM_READ: "read", uc.UC_MEM_WRITE: "write", uc.UC_MEM_FETCH: "fetch"}
_REFUSED = "not mapped or not allowed"
_READ_AND_WRITE = Protection.READ | Protection.WRITE
_CODE = Protection.READ | Protection.EXECUTE

Rights = tuple[int, int]  # a place in physical memory, and what is allowed there (vm.facts.paging)


class RootProcessor:
    """Machine code may run plain blocks itself, by `state` (machine.native.protocol)."""

    _engine: Engine  # from the first block on

    def __init__(self, surroundings: Surroundings) -> None:
        """Raises machine.memory.MapError."""
        self._surroundings = surroundings
        self._physical = surroundings.source.physical
        self._own = AddressSpace(surroundings.source)  # the stack, and the code of `block`
        self._stack = SharedMemory(surroundings.source, layout.STACK_SIZE)
        end = layout.STACK_BASE + layout.STACK_SIZE
        self._own.map(Area(layout.STACK_BASE, end, _READ_AND_WRITE, "vmx-root stack", backing=self._stack))
        self._blocks_entered = BlockCounter(self._own)
        self._guest_regs = GuestRegs(self._physical.buffer, self._stack.start + layout.GUEST_REGS - layout.STACK_BASE)
        self.block: Block | None = None
        self.guest: Cpu | None = None
        self._takings = 0  # of the guest's memory, when it was last looked at
        self._is_spoiled = True  # and has no engine yet
        self._serves_machine_code = False
        self._what = ""
        self._msrs_are_shown = False
        self._changed_code: set[int] = set()  # frames
        self.state = RootState(
            budget=surroundings.budget,
            counter=self._blocks_entered.state,
            guest_regs_at=self._host_address(layout.GUEST_REGS),
            stack_pointer=layout.STACK_POINTER,
            stack_top=self._host_address(layout.STACK_POINTER),
            begin=layout.BEGIN,
            leave=layout.RETURN,
            left=layout.RETURNED,
            flags=_ENTRY_FLAGS,
            start=function_address("uc_emu_start"),
            restore_context=function_address("uc_context_restore"),
            write_one=function_address("uc_reg_write"),
        )

    def _host_address(self, address: int) -> int:
        return self._physical.host_address + self._stack.start + address - layout.STACK_BASE

    def serve_machine_code(self) -> None:
        """Let `state` say where everything is, and count instructions by machine code, from the next `enter` on."""
        self._serves_machine_code = self._is_spoiled = True
        self.state.token = 0

    # --- whom it translates for

    def enter(self, block: Block, guest: Cpu) -> None:
        """Run this block in this process from now on."""
        if block is not self.block and (block.bmi or (self.block is not None and self.block.bmi)):
            self._spoil()  # translations of a block have its hooks in them
        is_new = self._is_spoiled
        if is_new:
            self._start_engine()
        if block is not self.block:
            self._take_in(block)
        for row in block.bmi if is_new else ():
            self._engine.add_hook(uc.UC_HOOK_CODE, CODE_HOOK(partial(self._on_bmi, row)), address=row.address)
        self.guest, self._takings = guest, guest.memory.takings
        self._clear_stack()
        self.state.clear_bytes = 0
        self._engine.flush_tlb()
        self.state.restore, self.state.block, self.state.token = 1, block.number, 0

    def is_ready(self, block: Block, guest: Cpu) -> bool:
        """Whether it was entered for these last, and knows nothing of the guest's memory that is true no more."""
        is_entered = self.block is block and self.guest is guest and not self._is_spoiled
        return is_entered and self._takings == guest.memory.takings

    def _entered(self) -> tuple[Block, Cpu]:
        assert self.block is not None
        assert self.guest is not None
        return self.block, self.guest

    def _take_in(self, block: Block) -> None:
        if self.block is not None:
            end = layout.CODE_BASE + self.block.size
            self._own.unmap(layout.CODE_BASE, end)
            self._blocks_entered.forget(layout.CODE_BASE, end)
        end = layout.CODE_BASE + block.size
        self._own.map(Area(layout.CODE_BASE, end, _CODE, "vmx-root code", backing=block.memory))
        self.block = block

    def _on_bmi(self, row: BmiInstruction, _engine: int, _address: int, _size: int, _data: int) -> None:
        self._registers.forget()
        try:
            with self._surroundings.gate:
                is_done = row.carry_out(self._registers, self._read)
            if is_done:
                self._registers.store()
        except BaseException as error:
            self._stop(f"{type(error).__name__}: {error}")

    def _read(self, address: int, size: int) -> bytes | None:
        """What the block may read; None where it is refused."""
        data = b""
        while len(data) < size:
            start = address + len(data) & WORD_MASK
            found = self._rights(start & -PAGE, READ)
            if isinstance(found, str):
                return None
            offset = start % PAGE
            data += self._engine.uc.mem_read(found[0] + offset, min(size - len(data), PAGE - offset))
        return data

    # --- running

    def run(self, call: Call, gs_base: int) -> RootResult:
        """One run of the block. The guest's registers follow GUEST_REGS afterwards."""
        block, guest = self._entered()
        self._prepare(block, call, guest, gs_base)
        status = self._engine.start(layout.BEGIN, 0)
        fault = self.finish(status)
        if fault is not None:
            return RootResult(0, fault)
        value = self._exit.values[0]
        self._guest_regs.store(guest.registers)
        if block.uses_xmm:
            self._xmm.read()
            guest.write_vectors(self._xmm.values)
        return RootResult(value)

    def _prepare(self, block: Block, call: Call, guest: Cpu, gs_base: int) -> None:
        self._clear_stack()
        self._guest_regs.load(guest.registers)
        self._engine.uc.context_restore(self._clean)
        self.state.restore = 1
        entry = self._entry.values
        entry[0], entry[1], entry[2] = call.first, call.second, call.third
        entry[3], entry[4] = layout.STACK_POINTER, gs_base
        self._entry.write()
        ctypes.c_uint64.from_address(self.state.stack_top).value = layout.RETURN
        if block.uses_xmm:
            guest.read_vectors(self._xmm.values)
            self._xmm.write()
        self._blocks_entered.allow(self._surroundings.budget)

    def _clear_stack(self) -> None:
        if self.state.clear_bytes:
            ctypes.memset(self.state.clear_at, 0, self.state.clear_bytes)

    def finish(self, status: int) -> RootFault | None:
        """What follows a run that did more than return, or did not return. The guest's registers do not follow yet."""
        block, _ = self._entered()
        self._exit.read()
        rip = self._exit.values[1]
        what, self._what = self._what, ""
        self._publish_changed_code()
        self._msrs_are_shown = False
        fault = None
        if rip != layout.RETURNED or what:
            fault = fault_at(block, rip, status, what)
            self.state.restore = 1
        self.state.attention = 0
        return fault

    def _publish_changed_code(self) -> None:
        """What a block wrote into code is translated anew by all who execute it."""
        if self._changed_code:
            for frame in self._changed_code:
                self._physical.code_written(frame, 0, PAGE)
            self._changed_code.clear()
            self._engine.flush_tlb()

    def interrupt(self) -> None:
        """End a run that is under way before its next block. Safe in another thread."""
        self._blocks_entered.close()

    def _stop(self, what: str) -> None:
        self._what = self._what or what
        self.state.attention = 1
        self._engine.stop()

    # --- the engine

    def _spoil(self) -> None:
        self._is_spoiled, self.state.token = True, 0

    def _start_engine(self) -> None:
        """A fresh engine: no translation, no fault, no control register of an earlier run."""
        self._is_spoiled = False
        if self.block is not None:  # it has one, of some MB
            self._engine.close()
        engine = self._engine = new_engine(_TRANSLATION_BYTES)
        engine.uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        engine.end_nowhere()
        self._count_blocks()
        engine.add_hook(uc.UC_HOOK_TLB_FILL, TLB_FILL_HOOK(self._on_translation))
        engine.add_hook(uc.UC_HOOK_INTR, INTERRUPT_HOOK(self._on_interrupt))
        engine.add_hook(uc.UC_HOOK_INSN_INVALID, INVALID_INSTRUCTION_HOOK(self._on_invalid_instruction))
        self._registers = RegisterFile(engine)
        self._cpuid = Cpuid(engine, None)
        engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_syscall), x86.UC_X86_INS_SYSCALL)
        engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(self._on_rdtsc), x86.UC_X86_INS_RDTSC)
        engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(self._on_rdtscp), x86.UC_X86_INS_RDTSCP)
        self._entry = Batch(engine.handle, _ENTRY_IDS)
        self._exit = Batch(engine.handle, _EXIT_IDS)
        self._xmm = Batch(engine.handle, VECTOR_IDS, words=2)
        self._map_memory(engine)
        for register, value in INITIAL_STATE:
            engine.set_register(register, value)
        self._clean = engine.uc.context_save()
        self._show_engine()

    def _show_engine(self) -> None:
        """Let machine code see the engine."""
        state = self.state
        state.engine, state.clean = address_of(self._engine.handle), address_of(self._clean._context)
        window = window_of(self._engine) if self._serves_machine_code else None
        state.general, state.rip = (0, 0) if window is None else (window.general, window.rip)

    def _count_blocks(self) -> None:
        """Count instructions as machine.processor.cpu does, by machine code if there is some."""
        hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, BLOCK_HOOK(self._on_block))
        code = block_hook.address() if self._serves_machine_code else None
        if code is not None:
            self._blocks_entered.call(hook.callback)
            self._engine.add_hook(uc.UC_HOOK_BLOCK, code, data=self._blocks_entered.state)
            self._slow_hook = hook
            self._engine.remove_hook(hook)

    def _on_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block that machine code does not count: new, more than plain, or beyond the budget."""
        try:
            with self._surroundings.gate:
                effect = effect_of(self._own.read(address, size) or b"")
            if effect is not Effect.PLAIN:
                self._note(effect)
            if not self._blocks_entered.enter(address, size, listed=effect is Effect.PLAIN):
                limit = f"limit max_root_instructions ({self._surroundings.budget} instructions) reached"
                self._stop("interrupted" if self._surroundings.brake.is_pulled else limit)
        except BaseException as error:
            self._stop(f"{type(error).__name__}: {error}")

    def _note(self, effect: Effect) -> None:
        """What is about to be executed does more than a plain block."""
        self.state.attention = self.state.restore = 1
        if effect >= Effect.READING and not self._msrs_are_shown:
            assert self.guest is not None
            self._msrs_are_shown = True
            with self._surroundings.gate:
                for number in _SHOWN_MSRS:
                    self._engine.write_msr(number, self.guest.read_msr(number))
        if effect is Effect.SYSTEM:
            self._spoil()

    def _on_interrupt(self, _engine: int, vector: int, _data: int) -> None:
        self._stop(f"exception {vector:x}")

    def _on_invalid_instruction(self, _engine: int, _data: int) -> bool:
        """Whether it is executed now."""
        block, _ = self._entered()
        self._registers.forget()
        code = self._own.read_up_to(self._registers.read(RIP), LONGEST_INSTRUCTION)
        is_executed = block.random_numbers.carry_out(code, self._registers)
        self._registers.store()
        return is_executed

    def _on_syscall(self, _engine: int, _data: int) -> None:
        self._stop(SYSCALL_HERE)

    def _on_rdtsc(self, _engine: int, _data: int) -> int:
        with self._surroundings.gate:
            ticks = self._surroundings.time_stamp() & WORD_MASK
        self._engine.set_register(x86.UC_X86_REG_RAX, ticks & 0xFFFF_FFFF)
        self._engine.set_register(x86.UC_X86_REG_RDX, ticks >> 32)
        return 1

    def _on_rdtscp(self, engine: int, data: int) -> int:
        assert self.guest is not None
        with self._surroundings.gate:
            self._engine.set_register(x86.UC_X86_REG_RCX, self.guest.read_msr(msr.TSC_AUX) & 0xFFFF_FFFF)
        return self._on_rdtsc(engine, data)

    # --- pages

    def _map_memory(self, engine: Engine) -> None:
        """Show it all physical memory, and behind it the scripts' globals."""
        buffer, store = self._physical.buffer, self._surroundings.globals
        engine.map_pointer(0, len(buffer), int(Protection.ALL), self._physical.host_address)
        if store is not None:
            self._globals_place = page_ceil(len(buffer))
            anchor = ctypes.c_char.from_buffer(store.memory)
            size = page_ceil(len(store.memory))
            engine.map_pointer(self._globals_place, size, int(_READ_AND_WRITE), ctypes.addressof(anchor))

    def _on_translation(self, _engine: int, page: int, access: int, entry: Any, _data: int) -> bool:
        try:
            with self._surroundings.gate:
                rights = self._rights(page, RIGHTS[access])
            if isinstance(rights, str):
                self._what = self._what or f"{_ACCESS_NAMES.get(access, 'access')} of page {page:x}, which is {rights},"
                return False
            entry[0].physical_address, entry[0].protection = rights
        except BaseException as error:
            self._what = self._what or f"{type(error).__name__}: {error}"
            return False
        return True

    def _rights(self, page: int, right: int) -> Rights | str:
        """Where a page lies and what is allowed on it, `right` included; or why it is refused."""
        if self._own.area_at(page) is not None:
            return self._rights_on_own(page, right) or (
                "not code of a block" if right == EXECUTE else "code of a block"
            )
        if right == EXECUTE:
            return "not code of a block" if self._rights_on_others(page, READ) else _REFUSED
        return self._rights_on_others(page, right) or _REFUSED

    def _rights_on_own(self, page: int, right: int) -> Rights | None:
        word = self._own.fault_in(page, right)
        place, rights = word & FRAME_MASK, word & (READ | WRITE | EXECUTE)
        if rights & WRITE and right != WRITE:
            rights = READ  # so that the first write is seen
        elif rights & WRITE:
            start, end = self._host_address(page), self._host_address(layout.STACK_BASE + layout.STACK_SIZE)
            if self.state.clear_bytes < end - start:
                self.state.clear_at, self.state.clear_bytes = start, end - start
        return (place, rights) if rights else None

    def _rights_on_others(self, page: int, right: int) -> Rights | None:
        """The guest's memory, the event's buffers and the scripts' globals."""
        block, guest = self._entered()
        word = guest.memory.fault_in(page, right)
        frame, rights = (word & FRAME_MASK) >> PAGE_BITS, word & (READ | WRITE)
        if rights and self._physical.is_code(frame):
            if right != WRITE:
                rights &= ~WRITE  # so that the first write is seen
            else:
                self._changed_code.add(frame)
                self.state.attention = 1
        if not rights and self._surroundings.root.owner(page) in block.root_code.buffers:
            word = self._surroundings.root.fault_in(page, right)
            rights = word & (READ | WRITE)
        if rights:
            return word & FRAME_MASK, rights
        store = self._surroundings.globals
        if store is not None and 0 <= page - GLOBALS_BASE < store.used:
            return self._globals_place + page - GLOBALS_BASE, READ | WRITE
        return None
