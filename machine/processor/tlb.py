"""The emulator's TLB: it is answered from the page table of an address space, and an access that it is refused is told.

Machine code answers where the page table has the answer (`translation`), once there is some; Python does the rest.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86

from machine.memory import PAGE, Protection, is_canonical, page_floor
from machine.processor import descriptors, memory_operands, translation
from machine.processor.binding import TLB_FILL_HOOK, callback_address
from machine.processor.core import Core
from machine.processor.fault import PageFault, Vector
from machine.processor.instruction_finder import LONGEST_INSTRUCTION
from machine.processor.run_state import StopKind, StopReason
from machine.processor.translation import FILLS, RIGHTS, ROOT, WATCHED_PAGE, WATCHED_RIGHT, WATCHING
from vm.facts.paging import EXECUTE, FRAME_MASK, INDEX_BITS, PAGE_BITS, READ, SUPERVISOR, WATCHED_SHIFT, WRITE

_MANY_FILLS = 8_192  # which take about a millisecond, a flush 20 us with what is asked for again
_NO_PAGES = (ctypes.c_uint64 * (1 << INDEX_BITS))()
_CONTROL = (x86.UC_X86_REG_CR0, x86.UC_X86_REG_CR3, x86.UC_X86_REG_CR4)
_ACCESS_NAMES = {READ: "read", WRITE: "write", EXECUTE: "fetch"}


class Refusal(msgspec.Struct, frozen=True):
    """An access that the emulator's TLB was refused: the start of the page, and the right (vm.facts.paging)."""

    page: int
    right: int
    is_exhausted: bool = False  # for want of memory
    is_watched: bool = False  # somebody wants to be told first
    is_other_paging: bool = False  # the guest has changed its paging


class Tlb:
    """That of one CPU. `refused` is the first refusal since the emulator was started."""

    def __init__(self, core: Core) -> None:
        """Show the emulator the physical memory, once. It is never unmapped: the TLB has the pages that mean something.

        Raises EmulatorError.
        """
        self._engine, self._memory, self._registers = core.engine, core.memory, core.registers
        self._hidden, self._run, self._window = core.hidden, core.run, core.window
        self._is_hidden = False
        self.on_executable: Callable[[int], None] = lambda page: None  # a page is executed for the first time
        self.refused: Refusal | None = None
        self._registers.on_translation = self._stop_before_other_paging
        physical = self._memory.physical
        self._engine.uc.ctl_set_tlb_mode(uc.UC_TLB_VIRTUAL)
        self._engine.map_pointer(0, len(physical.buffer), int(Protection.ALL), physical.host_address)
        self._memory.on_taken.append(self._engine.flush_tlb)
        self._hook = self._engine.add_hook(uc.UC_HOOK_TLB_FILL, TLB_FILL_HOOK(self._answer))
        table = self._memory.table
        self.words = translation.new_state(
            table.root,
            table.root_place,
            callback_address(self._hook),
            0 if self._window is None else self._window.cr2,
        )

    def close(self) -> None:
        """The emulator is given back."""
        self._memory.on_taken.remove(self._engine.flush_tlb)

    @property
    def words_address(self) -> int:
        """Of the words of machine.processor.translation."""
        return ctypes.addressof(self.words)

    def translate_natively(self) -> None:
        """Have machine code answer where the page table has the answer."""
        code = translation.address()
        if code is not None and self._window is not None:
            self._engine.add_hook(uc.UC_HOOK_TLB_FILL, code, data=self.words_address)
            self._engine.remove_hook(self._hook)

    def grow(self) -> None:
        """Let the TLB grow where it has missed often (test_a_guest_that_uses_many_pages_gets_a_larger_tlb).

        It begins with 256 entries, and doubles when it is flushed while most of them are in use, never else.
        """
        if self.words[FILLS] >= _MANY_FILLS:
            self.words[FILLS] = 0
            self._engine.flush_tlb()

    @contextmanager
    def seeing(self, word: int) -> Iterator[None]:
        """While the emulator is to find a page of which the page table has this word, whatever the guest's level."""
        level = self._hidden.level
        hides = level == descriptors.USER_LEVEL and word & SUPERVISOR
        if hides:
            self._hidden.level = descriptors.KERNEL_LEVEL
        try:
            yield
        finally:
            if hides:
                self._hidden.level = level

    def _answer(self, _engine: int, page: int, access: int, entry: Any, _data: int) -> bool:
        """What the emulator's TLB does not have: the page table may, or the address space has an answer."""
        if self._is_hidden:
            return False
        right = RIGHTS[access]
        if self._run.is_running and self._has_other_paging():
            self.refused = self.refused or Refusal(page, right, is_other_paging=True)
            return False
        word = self._memory.table.word(page >> PAGE_BITS)
        is_user, is_new = self._hidden.level == descriptors.USER_LEVEL, not word & right
        if is_new or (is_user and word & SUPERVISOR):
            try:
                with self._run.gate:
                    self._memory.physical.work.charge(PAGE)
                    word = self._memory.fault_in(page, right, is_user=is_user)
            except BaseException as error:
                self._run.carry(error)
                return False
        if not word & right:
            self.refused = self.refused or Refusal(page, right, self._memory.is_exhausted)
            return False
        watched = word >> WATCHED_SHIFT & self.words[WATCHING]
        if watched & right:
            self.refused = self.refused or Refusal(page, right, is_watched=True)
            return False
        if right == EXECUTE and is_new:
            self.on_executable(page_floor(page))
        self.words[FILLS] += 1
        entry[0].physical_address = word & FRAME_MASK
        entry[0].protection = word & ~watched & (READ | WRITE | EXECUTE)
        return True

    def _has_other_paging(self) -> bool:
        return translation.has_other_paging(self._memory.table.root_place, *map(self._engine.read_register, _CONTROL))

    def _stop_before_other_paging(self) -> None:
        """Somebody else than the guest has written a control register: the next run is refused its first page."""
        if self._has_other_paging():
            self._run.stop()

    # --- behind an instruction that has raised an exception

    def hide_memory(self) -> None:
        """In a hook: let the emulator, which executes a block to its end, come to an access to memory at most."""
        self._is_hidden = True
        self.words[ROOT] = ctypes.addressof(_NO_PAGES)
        self._engine.flush_tlb()

    def show_memory(self) -> None:
        """Let the emulator see the memory again."""
        self._is_hidden = False
        self.words[ROOT] = self._memory.table.root
        self._engine.flush_tlb()

    # --- accesses that are refused

    def take_refusal(self, status: int, rip: int, until: int) -> int:
        """Of a run that has ended at RIP: keep the refusal that has ended it; the status without any other.

        Whenever the emulator stops it fetches from `until`, to forget what it has put there, and says so when that is
        refused: such a refusal comes last, and may be the only one.
        """
        words, refused = self.words, self.refused
        if refused is not None and refused.is_other_paging:
            return status
        right, words[WATCHED_RIGHT] = words[WATCHED_RIGHT], 0
        watched = Refusal(words[WATCHED_PAGE], right, is_watched=True) if right else None
        is_over = self._run.event is not None or self._run.why is not None or rip == until
        for found in (watched, refused):
            at_end = found is not None and found.right == EXECUTE and found.page == page_floor(until)
            distance = 0 if found is None else found.page - page_floor(rip)
            if found is not None and not (at_end and (is_over or distance not in (0, PAGE))):
                self.refused = found
                return status
        self.refused = None
        return uc.UC_ERR_OK if status == uc.UC_ERR_EXCEPTION else status

    def fault_of(self, refused: Refusal, rip: int) -> StopReason:
        """What a refused access is to the guest, whose instruction at RIP has made it."""
        self._run.give_up()
        address, is_write = refused.page, refused.right == WRITE
        made: tuple[memory_operands.Access, ...] = ()
        if refused.right != EXECUTE:
            code = self._memory.read_up_to(rip, LONGEST_INSTRUCTION)
            made = memory_operands.accesses(code, rip, self._registers.read)
        beyond = memory_operands.out_of_range(made, refused.page, is_write)
        if beyond is not None or not is_canonical(address):
            on_stack = beyond is not None and beyond.on_stack
            return StopReason(StopKind.FAULT, rip, vector=Vector.SS if on_stack else Vector.GP)
        if refused.right == EXECUTE:
            address = rip if page_floor(rip) == refused.page else address
        else:
            found = memory_operands.faulting(made, refused.page, is_write)
            address = address if found is None else found[0]
            is_write = is_write or any(access.modifies and access.address == address for access in made)
        access = _ACCESS_NAMES[refused.right]
        kind = StopKind.MEMORY if refused.is_exhausted else StopKind.UNMAPPED
        return StopReason(kind, rip, address=address, access=access, error=self._error_code(refused, is_write))

    def _error_code(self, refused: Refusal, is_write: bool) -> int:
        area = self._memory.area_at(refused.page)
        has_memory = bool(self._memory.table.word(refused.page >> PAGE_BITS))
        return (
            PageFault.PRESENT * (has_memory and area is not None and bool(area.protection))
            | PageFault.WRITE * is_write
            | PageFault.USER * (self._hidden.level == descriptors.USER_LEVEL)
            | PageFault.FETCH * (refused.right == EXECUTE)
        )
