"""Hooks of addresses: somebody is called before each instruction that starts there; other code keeps its speed.

Hooks of one address are called in the order of their installation; what one of them changes may have the instruction
begun anew, and the others get their turn then (`arrival`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor.arrival import Arrival
from machine.processor.binding import CODE_HOOK, Hook
from machine.processor.core import Core
from machine.processor.translated_code import TranslatedCode
from vm.facts.registers import RFLAGS, RIP


class AddressCallback(msgspec.Struct, frozen=True):
    """What is called at a hooked address: a C function, and a number that grows with every hook of a CPU."""

    function: Any
    number: int


class AddressHooks:
    """Those of one CPU. `count` is the number of the last callback."""

    def __init__(self, core: Core, code: TranslatedCode) -> None:
        self._engine, self._registers, self._blocks, self._run = core.engine, core.registers, core.blocks, core.run
        self._code = code
        self._hooked: dict[Hook, int] = {}
        self.arrival = Arrival()
        self.count = 0

    def add(self, address: int, callback: Callable[[], object], replaces: bool = False) -> Hook:
        """Call `callback` before each instruction that starts at `address`; other code keeps its speed.

        The callback may write registers; when it changes RIP the guest goes on there, without the instruction; with
        `replaces` in any case. After `stop` the run ends before the instruction, and the next run does not call again.
        """
        return self._install(address, self.callback(address, callback, replaces).function)

    def add_before(self, address: int, callback: Callable[[], object]) -> Hook:
        """The same where nothing was translated yet, also while the page is being fetched."""
        return self._hook(address, self.callback(address, callback).function)

    def carry(self, address: int, code: int, data: int) -> Hook:
        """Have machine code called before each such instruction instead, with `data`."""
        return self._install(address, code, data)

    def _install(self, address: int, callback: Any, data: int = 0) -> Hook:
        hook = self._hook(address, callback, data)
        self._code.changed(address, address + 1)
        self._code.come_last(address)
        return hook

    def _hook(self, address: int, callback: Any, data: int = 0) -> Hook:
        hook = self._engine.add_hook(uc.UC_HOOK_CODE, callback, address=address, data=data)
        self._hooked[hook] = address
        self._blocks.mark(address)
        return hook

    def remove(self, hook: Hook) -> None:
        """Remove a hook of an address; safe in its own callback.

        Unicorn goes on to call it where its code is translated (test_a_hook_that_is_removed_is_called_no_more).
        """
        address = self._hooked.pop(hook, None)
        if self._engine.remove_hook(hook) and address is not None:
            self._code.translate_anew(address, address + 1)

    def is_hooked(self, address: int) -> bool:
        """Whether somebody waits for the execution of an address."""
        return address in self._hooked.values()

    def callback(self, address: int, callback: Callable[[], object], replaces: bool = False) -> AddressCallback:
        """What `add` has called. Hooks are to be installed in the order in which this is called."""
        self.count += 1
        number = self.count

        def on_code(_engine: int, _address: int, _size: int, _data: int) -> None:
            if self._blocks.is_settled:
                return  # another hook of this address has it begun anew, or has taken its place
            if self.arrival.is_waited_for and self.arrival.was_called(address, number, self._run.executed):
                return
            self._registers.forget()
            if self._registers.read(RIP) != address:
                return  # another hook of this address has moved it
            changes = self._code.changes
            try:
                with self._run.gate:
                    self._call(callback, address, number, changes, replaces)
            except BaseException as error:
                self._run.carry(error)
            self._registers.forget()

        return AddressCallback(CODE_HOOK(on_code), number)

    def leave(self, address: int, number: int, changes: int, body: Callable[[], None], replaces: bool = False) -> None:
        """End a trigger that machine code has begun when the code had had `changes`; `body` writes registers.

        `number` is that of its AddressCallback.
        """
        self._registers.forget()
        try:
            with self._run.gate:
                self._call(body, address, number, changes, replaces)
        except BaseException as error:
            self._run.carry(error)
        self._registers.forget()

    def _call(self, callback: Callable[[], object], address: int, number: int, changes: int, replaces: bool) -> None:
        """Call back at an address; begin the instruction anew where what follows was translated for another state.

        `changes` is what the code had had when the trigger began.

        Unicorn's translation of a block knows which instruction set the flags, so flags that are written here count
        from the next block on only (test_flags_written_at_a_hook_decide_the_next_branch); nor has it later hooks.
        """
        registers, run = self._registers, self._run
        flags = registers.read(RFLAGS)
        callback()
        rip = registers.read(RIP)
        stays = rip == address and not replaces
        renew = registers.read(RFLAGS) != flags or self._code.changes != changes
        registers.store()
        if stays and (renew or run.stop_requested or run.event is not None):
            if run.event is None:
                self.arrival.begin_anew(address, number, self._blocks.executed_at(address))
            self._blocks.settle(address)
            self._code.cut_branch(address)
            self._engine.set_register(x86.UC_X86_REG_RIP, address)
        elif not stays:
            self._blocks.leave(address)
            self._code.cut_branch(address)
            if rip == address:
                self._engine.set_register(x86.UC_X86_REG_RIP, rip)
        if run.event is not None:
            self._engine.stop()
        elif run.stop_requested:
            run.heed_stop()
