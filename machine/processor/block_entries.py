"""The hook of every basic block that is entered: it is counted and let in under the ceiling, or the run ends before it.

Python counts at first; machine code (`block_hook`) does once a run is long enough to be worth its compilation, and asks
Python about the few blocks that it does not let in.
"""

from __future__ import annotations

from typing import Any

from unicorn import unicorn_const as uc

from machine.processor import block_hook
from machine.processor.binding import BLOCK_HOOK, function_address, user_data_address
from machine.processor.core import Core
from machine.processor.tlb import Tlb
from machine.processor.translated_code import TranslatedCode
from machine.processor.watched_accesses import WatchedAccesses

_MOST_BLOCKS = 1 << 17  # that a hook of blocks is called for: Unicorn keeps 80 bytes of each as long as the hook lives
_PATIENCE = 100_000  # blocks that are counted in Python before machine code is compiled for it, once in a process


class BlockEntries:
    """Those of one CPU. `is_hook_due` when a run was ended to have another hook from here on."""

    def __init__(self, core: Core, tlb: Tlb, code: TranslatedCode, watched: WatchedAccesses) -> None:
        self._engine, self._blocks, self._run = core.engine, core.blocks, core.run
        self._hidden, self._tlb, self._code, self._watched = core.hidden, tlb, code, watched
        self._hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, BLOCK_HOOK(self._on_block))
        self._blocks.make_room(_MOST_BLOCKS)
        self._code.watch()
        self._patience, self.is_hook_due = _PATIENCE, False
        if block_hook.is_compiled():
            self._count_natively()

    def _count_natively(self) -> None:
        """Have the blocks counted by machine code, which is worth its compilation in a longer run only."""
        self._patience = -1
        self._tlb.translate_natively()
        code = block_hook.address()
        if code is not None:
            self._other_block_hook = BLOCK_HOOK(self._on_other_block)
            self._blocks.call(self._other_block_hook, learn=function_address("uc_ctl"))
            self._count_by_machine_code()
            self._engine.add_hook(uc.UC_HOOK_EDGE_GENERATED, block_hook.translated_address(), data=self._blocks.state)
            self._code.watch_no_more()
            self._code.forget_all()

    def renew_hook(self) -> None:
        """Let machine code count from now on, or begin the same hook anew: Unicorn forgets its blocks then."""
        self.is_hook_due = False
        if self._patience != -1:
            self._count_natively()
        elif block_hook.address() is None:
            self._count_by(self._hook.callback, self._blocks.state)
        else:
            self._count_by_machine_code()
        self._blocks.make_room(_MOST_BLOCKS)

    def _count_by_machine_code(self) -> None:
        own, code = self._blocks.own_slots, block_hook.own_address()
        self._count_by(code, own)
        place = user_data_address(self._hook, own)
        if place is None or code is None:
            self._count_by(block_hook.address(), self._blocks.state)
        else:
            self._blocks.give_own_slots(place, code)
            self._code.spare_checks()

    def _count_by(self, callback: Any, data: int) -> None:
        """Have this hook called for each block in the place of the one before."""
        self._code.forget_all()
        self._blocks.take_own_slots()
        with self._engine.without_translation():
            self._engine.remove_hook(self._hook)
            self._hook = self._engine.add_hook(uc.UC_HOOK_BLOCK, callback, data=data)
            self._code.hook_branches()
            self._code.forget_all()
        self._hidden.forget_exception()  # Unicorn has asked for the pages of code in vain: page faults, to QEMU

    def _on_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block, while Python counts."""
        try:
            if self._code.is_renewal_due:
                self._stop_before(address, size)
            elif self._code.unserved is not None:
                self._code.serve_first(self._code.unserved, address, size)
            elif not self._blocks.has_room or self._is_beyond_python(address, size):
                self._wait_for_hook(address, size)
            else:
                self._enter(address, size)
        except BaseException as error:
            self._run.carry(error)

    def _on_other_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        """A block that machine code does not let in: new and the last of the run, a part of another, or too large."""
        try:
            unchecked = self._blocks.take_unchecked()
            if unchecked:
                self._code.translate_anew(address, address + size)
            if self._code.is_renewal_due:
                self._stop_before(address, size)
            elif self._code.unserved is not None:
                self._code.serve_first(self._code.unserved, address, size)
            elif not self._blocks.has_room:
                self._wait_for_hook(address, size)
            elif unchecked:
                self._code.begin_block_anew(address, size)
            else:
                self._enter(address, size)
        except BaseException as error:
            self._run.carry(error)

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
        self.is_hook_due = True
        self._stop_before(address, size)

    def _stop_before(self, address: int, size: int) -> None:
        self._blocks.refuse(address, size)
        self._engine.stop()

    def _enter(self, address: int, size: int) -> None:
        if self._watched.due is not None and self._watched.is_begun_anew(address):
            self._blocks.settle(address)  # it stores into its own page of code, and the emulator begins it anew
        if not self._blocks.enter(address, size):
            self._run.refuse_block()
        elif self._blocks.has_begun_anew:
            self._code.translate_anew(address, address + size)  # another time, which tells of it
