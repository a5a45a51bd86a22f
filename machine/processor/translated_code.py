"""What the emulator has translated of a guest's code: it is translated anew where something else is to be there.

Code that somebody else than the guest has changed, instructions that are looked for, and the hook that records
branches: all of them count from the next translation on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from unicorn import unicorn_const as uc, x86_const as x86

from machine.memory import PAGE, AddressSpace, page_floor
from machine.processor import block_hook, branch_ring, branches, memory_operands
from machine.processor.binding import BLOCK_HOOK, EDGE_HOOK, Hook
from machine.processor.block_counter import EVERYTHING
from machine.processor.core import Core
from machine.processor.exit_checks import exit_checks
from machine.processor.instruction_finder import (
    LONGEST_INSTRUCTION,
    InstructionFinder,
    InstructionPattern,
    Serve,
    Site,
    Translation,
)
from machine.processor.register_file import RegisterFile
from machine.processor.tlb import Tlb
from vm.facts.paging import EXECUTE, PAGE_BITS


class TranslatedCode:
    """That of one CPU.

    `unserved` are the instructions in the block that was translated last, if it is not to be entered before they are
    served; `last_branches` is not None while they are recorded. With `is_renewal_due` the emulator is to stop before
    its next block, and `look_again` comes before it is started again.
    """

    def __init__(self, core: Core, tlb: Tlb, opened: Callable[[int], AbstractContextManager[None]]) -> None:
        """`opened` is SingleStep's."""
        self._engine, self._memory, self._blocks, self._run = core.engine, core.memory, core.blocks, core.run
        self._tlb = tlb
        self._opened = opened
        self._changes = ctypes.c_uint64()
        self._finder = InstructionFinder(core.memory)
        self._edge_hook: Hook | None = None
        self._branch_hook: Hook | None = None
        self._looks_again = False
        self._wanted: Mapping[InstructionPattern, Serve] = {}
        self.is_renewal_due = False
        self._always: dict[InstructionPattern, Serve] = {}
        self.unserved: list[Site] | None = None
        self.last_branches: branches.LastBranches | None = None
        core.memory.code_listeners.append(self.changed)

    def close(self) -> None:
        """The emulator is given back."""
        self._memory.code_listeners.remove(self.changed)

    def changed(self, begin: int, end: int) -> None:
        """Translate [begin, end) anew: its bytes were changed by somebody else than this CPU, or are going to be."""
        if begin >= end:
            return
        self.translate_anew(begin, end)
        self._blocks.forget(begin, end)
        self._changes.value += 1

    def translate_anew(self, begin: int, end: int) -> None:
        """Have the emulator translate [begin, end) anew, of which nothing has changed."""
        for page in range(page_floor(begin), end, PAGE):
            word = self._memory.table.word(page >> PAGE_BITS)
            if word & EXECUTE:  # elsewhere Unicorn would be refused, and end the run
                with self._tlb.seeing(word), self._opened(word):
                    self._engine.forget_code(max(begin, page), min(end, page + PAGE))

    @property
    def changes(self) -> int:
        """Grows when code was changed by somebody else than this CPU."""
        return self._changes.value

    @property
    def changes_address(self) -> int:
        """Of the word that has `changes`."""
        return ctypes.addressof(self._changes)

    def forget_all(self) -> None:
        """Translate everything anew."""
        self._engine.forget_all_code()
        self._blocks.forget(*EVERYTHING)

    def look_again(self, start: int) -> None:
        """Before a run: have all code translated anew that has not been looked at, and look at the first block."""
        if self._looks_again:
            self._looks_again = False
            self.hook_branches()
            self.forget_all()
            self.watch()
        if self._finder.is_active:
            found = self._finder.unserved_from(start)
            if found:
                with self._run.gate:  # of other cores, too, there are hooks to be made
                    self._finder.serve(found)

    def _look_again_soon(self) -> None:
        self._looks_again = True
        if self._run.is_running:
            self._run.stop()

    # --- instructions that are looked for

    def look_for(self, wanted: Mapping[InstructionPattern, Serve]) -> None:
        """Have these instructions served wherever code is executed, from the next block on; others no more.

        Code that is under way is left: the run ends before its next block when there is something new to look for.
        """
        self._wanted = wanted
        if self._finder.look_for({**self._always, **wanted}):
            self._look_again_soon()

    def look_always(self, wanted: Mapping[InstructionPattern, Serve]) -> None:
        """Have these served besides, whatever else is looked for; a run that is under way goes on behind that."""
        self._always.update(wanted)
        if self._finder.look_for({**self._always, **self._wanted}):
            self._looks_again = True
            if self._run.is_running and not self.is_renewal_due:
                self.is_renewal_due = True
                self._blocks.hold()

    def come_last(self, address: int) -> None:
        """An address has got another hook, which is to be called before the one of an instruction looked for."""
        self._finder.come_last(address)

    def watch(self) -> None:
        """Be told of each translation."""
        if self._edge_hook is None:
            self._edge_hook = self._engine.add_hook(uc.UC_HOOK_EDGE_GENERATED, EDGE_HOOK(self._on_translated))

    def watch_no_more(self) -> None:
        """Be told of translations only where something is looked for: machine code learns of them by itself."""
        if self._edge_hook is not None and not self._finder.is_active:
            self._engine.remove_hook(self._edge_hook)
            self._edge_hook = None

    def _on_translated(self, _engine: int, block: int, _before: int, _data: int) -> None:
        """A block was translated that is about to be entered."""
        try:
            translated = Translation.from_address(block)
            self._blocks.translated(translated.address, translated.size)
            if not self._finder.is_active or self.is_renewal_due:
                return
            with self._run.gate:
                self.unserved = self._finder.unserved(translated.address, translated.size)
            if self.unserved is not None:
                self._blocks.hold()
        except BaseException as error:
            self._run.carry(error)

    def serve_first(self, sites: list[Site], address: int, size: int) -> None:
        """Serve what is `unserved` in a block that is about to be entered, and have it translated anew."""
        self.unserved = None
        self._blocks.refuse(address, size)
        self.cut_branch(address)
        self._blocks.release()
        with self._run.gate:
            self._finder.serve(sites)
        self.changed(address, address + size)
        self._engine.set_register(x86.UC_X86_REG_RIP, address)
        if self._run.stop_requested:
            self._blocks.close()

    def begin_block_anew(self, address: int, size: int) -> None:
        """Have a block that was about to be entered looked up anew, where it may be translated otherwise by then."""
        self._blocks.refuse(address, size)
        self.cut_branch(address)
        self._engine.set_register(x86.UC_X86_REG_RIP, address)

    def spare_checks(self) -> None:
        """Spare the emulator's checks where that is possible: there is no second hook of blocks."""
        checks = exit_checks() if block_hook.spares_checks() else None
        switch = 0 if checks is None else checks.switch_of(self._engine)
        self._blocks.spare_checks(switch, wanted=self._engine.block_hooks == 1)

    # --- branches

    def record_branches(self, wanted: bool) -> branches.LastBranches | None:
        """Record the last branches from the next block on, or no more; what was recorded before is forgotten."""
        self.last_branches = branches.LastBranches(self._memory.read) if wanted else None
        self._look_again_soon()
        return self.last_branches

    def cut_branch(self, rip: int) -> None:
        """The block under way was left before the instruction at RIP, or that was not executed as it stands."""
        if self.last_branches is not None:
            self.last_branches.ring.cut(rip)

    def hook_branches(self) -> None:
        """Have the blocks written into the ring by a hook, or no more; code that is translated then has it."""
        if self._branch_hook is not None:
            self._engine.remove_hook(self._branch_hook)
            self._branch_hook = None
        if self.last_branches is not None:
            ring = self.last_branches.ring
            code = branch_ring.note_block_address()
            hook = BLOCK_HOOK(lambda _engine, address, size, _data: ring.note(address, size)) if code is None else code
            self._branch_hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, hook, data=ring.state)
        if self._blocks.has_own_slots:
            self.spare_checks()


def stores_into(memory: AddressSpace, registers: RegisterFile, rip: int, begin: int, end: int) -> bool:
    """Whether the instruction at RIP is about to store into [begin, end), in the hook of a block."""
    code = memory.read_up_to(rip, LONGEST_INSTRUCTION)
    registers.forget()
    made = memory_operands.accesses(code, rip, registers.read)
    return any(access.is_write and access.address < end and begin < access.address + access.size for access in made)
