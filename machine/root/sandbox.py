"""Conditions and code blocks in vmx-root mode (events-and-commands B.5), in an emulator of their own.

A block sees the memory of the process that triggered, kernel memory (GS is the processor block of the core), the
debugger's buffers and the scripts' globals, through pages that are translated on first touch. It runs on its own stack
from a clean state, for at most `max_root_instructions`; only its own code can be executed. Registers of the guest are
reached through GUEST_REGS, except the XMM registers, which are the guest's own. A fault ends the block, leaves the
guest's registers as they were, and is returned as a value. rax is 0 on entry.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

import capstone
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from machine import msr
from machine.binding import (
    BLOCK_HOOK,
    INTERRUPT_HOOK,
    SYSCALL_HOOK,
    TIME_STAMP_HOOK,
    TLB_FILL_HOOK,
    WORD_MASK,
    Batch,
    Engine,
    address_of,
    function_address,
)
from machine.block_counter import BlockCounter
from machine.cpu import CPU_MODEL, Cpu
from machine.memory import PAGE, GuestMemory, MapError, Protection, Quota, Region, page_ceil, page_floor
from machine.native import block_hook
from machine.native.tables import RootState
from machine.registers import VECTOR_IDS
from machine.root.guest_regs import GuestRegs
from machine.root.memory import RootMemory
from machine.root.plain_code import is_plain
from machine.window import window_of

CODE_BASE = 0xFFFF_B100_0000_0000
STACK_BASE = 0xFFFF_B200_0000_0000
STACK_SIZE = 0x1_0000
_CODE_CHUNK = 0x1_0000
_RETURN = CODE_BASE + 0x10  # where a block's return leads: to a HLT
_RETURNED = _RETURN + 1
_HOME_SPACE = 0x20  # that a caller leaves above the return address (Microsoft x64 convention)
_ENTRY_FLAGS = 1 << 1
_CR4 = 0x600  # OSFXSR and OSXMMEXCPT
_HLT, _SYSCALL, _INT3, _INT = b"\xf4", b"\x0f\x05", b"\xcc", b"\xcd"
_LONGEST_INSTRUCTION = 15

_SYSCALL_HERE = "SYSCALL in vmx-root mode"

_ENTRY_IDS = (
    x86.UC_X86_REG_RCX, x86.UC_X86_REG_RDX, x86.UC_X86_REG_R8, x86.UC_X86_REG_RSP, x86.UC_X86_REG_GS_BASE,
    x86.UC_X86_REG_FS_BASE,
)  # fmt: skip
_EXIT_IDS = (x86.UC_X86_REG_RAX, x86.UC_X86_REG_RIP, x86.UC_X86_REG_CR0, x86.UC_X86_REG_CR3, x86.UC_X86_REG_CR4)

_ACCESS_NAMES = {uc.UC_MEM_READ: "read", uc.UC_MEM_WRITE: "write", uc.UC_MEM_FETCH: "fetch"}


@dataclass(frozen=True)
class RootFault:
    """Why a block stopped: what happened, at which address, how far into the block, and the instruction there."""

    what: str
    address: int
    offset: int
    instruction: str

    def describe(self) -> str:
        """One line for the user; the offset is hexadecimal."""
        place = f"at {self.address:x}"
        if self.offset >= 0:
            place += f" (+{self.offset:x})"
        return f"{self.what} {place}: {self.instruction}"


@dataclass(frozen=True)
class RootResult:
    """What a block returned in rax, or its fault."""

    value: int
    fault: RootFault | None = None


@dataclass(frozen=True)
class _Block:
    """A block in the code area.

    `is_plain`: see machine.root.plain_code. `uses_xmm`: it may touch XMM registers, so the guest's are carried in and
    out.
    """

    address: int
    code: bytes
    is_plain: bool
    uses_xmm: bool


@dataclass(frozen=True)
class Call:
    """The three arguments of a block, in rcx, rdx and r8."""

    first: int
    second: int
    third: int = 0


class RootSandbox:
    """Runs blocks for all processes of a machine. `time_stamp` serves RDTSC.

    Machine code may run plain blocks itself, by `state` (machine.native.protocol).
    """

    def __init__(
        self,
        root: RootMemory,
        quota: Quota,
        budget: int,
        time_stamp: Callable[[], int],
        script_globals: Region | None = None,
        gate: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`gate` is entered for what callbacks look at beyond this sandbox and its guest."""
        self._gate = RLock() if gate is None else gate
        self._root = root
        self._own = GuestMemory(quota)
        self._blocks_entered = BlockCounter(self._own)
        self._budget = budget
        self._time_stamp = time_stamp
        self._shared: tuple[GuestMemory, ...] = (self._own, root)
        if script_globals is not None:
            memory = GuestMemory(quota)
            memory.adopt(script_globals)
            self._shared += (memory,)
        self._own.map(STACK_BASE, STACK_SIZE, Protection.READ | Protection.WRITE, "vmx-root stack")
        self._code_next = self._code_end = CODE_BASE
        self._blocks: dict[bytes, _Block] = {}
        self._place(bytes(_RETURN - CODE_BASE) + _HLT)
        self.guest_regs = GuestRegs(root)
        self.state = RootState(
            budget=budget,
            counter=self._blocks_entered.state,
            guest_regs=self.guest_regs.address,
            guest_regs_at=self.guest_regs.host_address,
            leave=_RETURN,
            left=_RETURNED,
            flags=_ENTRY_FLAGS,
            start=function_address("uc_emu_start"),
            restore_context=function_address("uc_context_restore"),
            write_one=function_address("uc_reg_write"),
        )
        self._decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._guest: Cpu | None = None
        self._what = ""
        self._changed_code: set[Region] = set()
        self._serves_machine_code = False
        self._start_engine()

    # --- running

    def run(self, code: bytes, call: Call, guest: Cpu, gs_base: int) -> RootResult:
        """One run of a block whose last instruction returns. The guest's registers follow GUEST_REGS afterwards."""
        try:
            block = self._block(code)
        except MapError as error:
            return RootResult(0, RootFault(str(error), 0, -1, "not run"))
        self._renew_engine()
        if guest is not self._guest or guest.memory.removals != self._removals[guest]:
            self._enter_address_space(guest)
        self._prepare(block, call, guest, gs_base)
        self._blocks_entered.allow(self._budget)
        status = self._engine.start(block.address, 0)
        fault = self._finish(block, guest, status)
        if fault is not None:
            return RootResult(0, fault)
        value = self._exit.values[0]
        self.guest_regs.store(guest.registers)
        if block.uses_xmm:
            self._xmm.read()
            guest.write_vectors(self._xmm.values)
        return RootResult(value)

    # --- what machine code asks for

    def serve_machine_code(self) -> None:
        """Let `state` say where everything is, and count instructions by machine code."""
        self._serves_machine_code = True
        block_hook.address()
        self._start_engine()

    def plain_address(self, code: bytes) -> int:
        """Where a plain block stands; 0 for one that `run` must run. Raises machine.memory.MapError."""
        block = self._block(code)
        return block.address if block.is_plain and self.state.general else 0

    def enter(self, guest: Cpu, token: int) -> None:
        """Translate for this process from now on; `token` names it in the state."""
        self._renew_engine()
        self._enter_address_space(guest)
        self.state.token = token

    def finish(self, code: bytes, guest: Cpu, status: int) -> RootFault | None:
        """What follows a run that did more than return, or did not return. The guest's registers do not follow yet."""
        return self._finish(self._block(code), guest, status)

    def _finish(self, block: _Block, guest: Cpu, status: int) -> RootFault | None:
        self._exit.read()
        values = self._exit.values
        rip, control_registers = values[1], tuple(values[2:])
        what, self._what = self._what, ""
        self._publish_changed_code(guest)
        fault = None if rip == _RETURNED and not what else self._fault(block, rip, status, what)
        if fault is not None or control_registers != self._control_registers:
            # A fault can leave more behind than a context has, and translations know the control registers.
            self._is_spoiled, self.state.token = True, 0
        return fault

    def _prepare(self, block: _Block, call: Call, guest: Cpu, gs_base: int) -> None:
        self.guest_regs.load(guest.registers)
        self._engine.uc.context_restore(self._clean)
        self.state.restore = 1
        entry = self._entry.values
        entry[0], entry[1], entry[2] = call.first, call.second, call.third
        entry[3], entry[4], entry[5] = self._stack_pointer, gs_base, guest.read_msr(msr.FS_BASE)
        self._entry.write()
        self._stack_top[:] = _RETURN.to_bytes(8, "little")
        if block.uses_xmm:
            guest.read_vectors(self._xmm.values)
            self._xmm.write()

    def _publish_changed_code(self, guest: Cpu) -> None:
        """What a block wrote into executable memory is translated anew by the guest."""
        if self._changed_code:
            for region in self._changed_code:
                guest.code_changed(region.start, region.end)
            self._changed_code.clear()
            self._engine.flush_tlb()
        self.state.attention = self.state.always

    # --- blocks

    def place(self, code: bytes) -> None:
        """Give a block its place before it is run, so that places do not depend on the course of a run."""
        with suppress(MapError):  # `run` says so
            self._block(code)

    def _block(self, code: bytes) -> _Block:
        block = self._blocks.get(code)
        if block is None:
            address = self._place(code)
            block = self._blocks[code] = _Block(address, code, is_plain(code), self._may_use_xmm(code))
        return block

    def _place(self, code: bytes) -> int:
        address = (self._code_next + 15) & -16
        if address + len(code) > self._code_end:
            size = max(_CODE_CHUNK, page_ceil(len(code) + 16))
            self._own.map(self._code_end, size, Protection.ALL, "vmx-root code")
            self._code_end += size
        self._own.write(address, code)
        self._code_next = address + len(code)
        return address

    def _may_use_xmm(self, code: bytes) -> bool:
        covered = 0
        for _, length, _, operands in self._decoder.disasm_lite(code, 0):
            if "xmm" in operands:
                return True
            covered += length
        return covered < len(code)

    # --- faults

    def _fault(self, block: _Block, rip: int, status: int, what: str) -> RootFault:
        if not what and status == uc.UC_ERR_INSN_INVALID:
            what = "invalid instruction"
        before = self._own.read(rip - 2, 2) or b""
        if not what and before.endswith(_HLT):
            what, rip = "HLT", rip - 1
        rip -= _length_of_trap(what, before)
        offset = rip - block.address
        inside = 0 <= offset < len(block.code)
        code = self._own.read_up_to(rip, _LONGEST_INSTRUCTION)
        text = next((f"{m} {o}".rstrip() for _, _, m, o in self._decoder.disasm_lite(code, rip, 1)), "no instruction")
        return RootFault(what or f"emulator error {status}", rip, offset if inside else -1, text)

    def _stop(self, what: str) -> None:
        self._what = self._what or what
        self.state.attention = 1
        self._engine.stop()

    # --- the engine

    def _renew_engine(self) -> None:
        """Take another engine after a run that has spoiled this one."""
        if self._is_spoiled:
            self._start_engine()

    def _start_engine(self) -> None:
        """A fresh engine: no translation, no fault, no control register of an earlier block."""
        self._is_spoiled = False
        engine = self._engine = Engine(CPU_MODEL)
        engine.uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        engine.end_nowhere()
        self._count_blocks()
        engine.add_hook(uc.UC_HOOK_TLB_FILL, TLB_FILL_HOOK(self._on_translation))
        engine.add_hook(uc.UC_HOOK_INTR, INTERRUPT_HOOK(self._on_interrupt))
        engine.add_hook(uc.UC_HOOK_INSN, SYSCALL_HOOK(self._on_syscall), x86.UC_X86_INS_SYSCALL)
        engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(self._on_rdtsc), x86.UC_X86_INS_RDTSC)
        engine.add_hook(uc.UC_HOOK_INSN, TIME_STAMP_HOOK(self._on_rdtsc), x86.UC_X86_INS_RDTSCP)
        self._entry = Batch(engine.handle, _ENTRY_IDS)
        self._exit: Batch = Batch(engine.handle, _EXIT_IDS)
        self._xmm = Batch(engine.handle, VECTOR_IDS, words=2)
        self._physical: dict[Region, int] = {}
        self._next_physical = PAGE
        self._guest = None
        self._removals: WeakKeyDictionary[Cpu, int] = WeakKeyDictionary()
        self._stack_pointer = STACK_BASE + STACK_SIZE - _HOME_SPACE - 8
        stack = self._own.region_at(self._stack_pointer)
        assert stack is not None
        offset = self._stack_pointer - stack.start
        self._stack_top = memoryview(stack.buffer)[offset : offset + 8]
        self.state.stack_pointer, self.state.stack_top = self._stack_pointer, stack.host_pointer + offset
        engine.set_register(x86.UC_X86_REG_CR4, _CR4)
        self._exit.read()
        self._control_registers: tuple[int, ...] = tuple(self._exit.values[2:])
        self._show_engine()

    def _show_engine(self) -> None:
        """Let machine code see the engine as it is now."""
        self._clean = self._engine.uc.context_save()
        state = self.state
        state.engine, state.clean = address_of(self._engine.handle), address_of(self._clean._context)
        state.token, state.restore = 0, 1
        window = window_of(self._engine) if self._serves_machine_code else None
        if window is not None:
            state.general, state.rip = window.general, window.rip

    def _count_blocks(self) -> None:
        """Count instructions as machine.cpu does, by machine code if there is some."""
        hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, BLOCK_HOOK(self._on_block))
        code = block_hook.address() if self._serves_machine_code else None
        if code is not None:
            self._blocks_entered.call(hook.callback)
            self._engine.add_hook(uc.UC_HOOK_BLOCK, code, data=self._blocks_entered.state)
            self._slow_hook = hook
            self._engine.remove_hook(hook)

    def _on_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block that machine code does not count: new, or beyond the budget."""
        try:
            with self._gate:
                plain = is_plain(self._own.read(address, size) or b"")
            if not plain:
                self.state.attention = self.state.restore = 1
            if not self._blocks_entered.enter(address, size, listed=plain):
                self._stop(f"limit max_root_instructions ({self._budget} instructions) reached")
        except BaseException as error:
            self._stop(f"{type(error).__name__}: {error}")

    def _enter_address_space(self, guest: Cpu) -> None:
        """Translate for this process from now on; buffers stay mapped until it has unmapped memory."""
        removals = guest.memory.removals
        if self._removals.get(guest, removals) != removals:
            for region in [region for region in self._physical if not self._is_shared(region)]:
                self._engine.unmap(self._physical.pop(region), region.size)
        self._engine.flush_tlb()
        self._guest, self._removals[guest] = guest, removals
        self._engine.uc.context_restore(self._clean)
        for row in msr.MSRS:
            if row.number not in (msr.GS_BASE, msr.EFER):
                self._engine.write_msr(row.number, guest.read_msr(row.number))
        self._show_engine()

    def _is_shared(self, region: Region) -> bool:
        return any(memory.region_at(region.start) is region for memory in self._shared)

    def _on_translation(self, _engine: int, address: int, access: int, entry: Any, _data: int) -> bool:
        try:
            with self._gate:
                region = self._region_at(address)
            wanted = {uc.UC_MEM_WRITE: Protection.WRITE, uc.UC_MEM_FETCH: Protection.EXECUTE}
            if region is None or not region.protection & wanted.get(access, Protection.READ):
                name = _ACCESS_NAMES.get(access, "access")
                self._what = (
                    self._what or f"{name} of page {page_floor(address):x}, which is not mapped or not allowed,"
                )
                return False
            protection = region.protection
            if region in self._own.regions:
                if Protection.EXECUTE in protection:
                    protection = self._own_code_protection(access, protection)
            else:
                if access == uc.UC_MEM_FETCH:
                    self._what = self._what or f"fetch of page {page_floor(address):x}, which is not code of a block,"
                    return False
                protection &= ~Protection.EXECUTE
                if Protection.EXECUTE in region.protection:
                    if access == uc.UC_MEM_WRITE:
                        self._changed_code.add(region)
                        self.state.attention = 1
                    else:
                        protection &= ~Protection.WRITE  # so that the first write is seen
            entry[0].physical_address = self._physical_base(region) + page_floor(address) - region.start
            entry[0].protection = int(protection)
        except BaseException as error:
            self._what = self._what or f"{type(error).__name__}: {error}"
            return False
        return True

    def _own_code_protection(self, access: int, protection: Protection) -> Protection:
        """The first write is to be seen: from then on nothing is known of what a block leaves behind."""
        if access != uc.UC_MEM_WRITE:
            return protection & ~Protection.WRITE
        self.state.always = self.state.attention = self.state.restore = 1
        return protection

    def _region_at(self, address: int) -> Region | None:
        assert self._guest is not None
        for memory in (self._guest.memory, *self._shared):
            region = memory.region_at(address)
            if region is not None:
                return region
        return None

    def _physical_base(self, region: Region) -> int:
        base = self._physical.get(region)
        if base is None:
            base, self._next_physical = self._next_physical, self._next_physical + region.size
            self._engine.map_pointer(base, region.size, int(Protection.ALL), region.host_pointer)
            self._physical[region] = base
        return base

    def _on_interrupt(self, _engine: int, vector: int, _data: int) -> None:
        self._stop(f"exception {vector:x}")

    def _on_syscall(self, _engine: int, _data: int) -> None:
        self._stop(_SYSCALL_HERE)

    def _on_rdtsc(self, _engine: int, _data: int) -> int:
        with self._gate:
            ticks = self._time_stamp() & WORD_MASK
        self._engine.set_register(x86.UC_X86_REG_RAX, ticks & 0xFFFF_FFFF)
        self._engine.set_register(x86.UC_X86_REG_RDX, ticks >> 32)
        return 1


def _length_of_trap(what: str, before: bytes) -> int:
    """How far RIP is behind the instruction that ended the block, by the two bytes before RIP."""
    if what == _SYSCALL_HERE:
        return len(_SYSCALL)
    if what == "exception 3" and before.endswith(_INT3):
        return 1
    vector = what.removeprefix("exception ")
    return 2 if before.startswith(_INT) and vector == f"{before[1]:x}" else 0


def region_over(buffer: Any, start: int, size: int, name: str) -> Region:
    """A region over a buffer that somebody else keeps, such as the globals of the scripts."""
    return Region(start, size, Protection.READ | Protection.WRITE, name, buffer, ctypes.c_char.from_buffer(buffer))
