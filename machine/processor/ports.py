"""IN and OUT: no device is there; code of level 3 may not use them where IOPL does not allow it.

While events wait for OUT, each has a hook of its own (machine.events.instructions), which refuses it: the emulator's
hook of the instruction would cost half as much as the whole trigger.
"""

from __future__ import annotations

import ctypes

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import instruction_hooks
from machine.processor.binding import PORT_READ_HOOK, PORT_WRITE_HOOK, Hook
from machine.processor.core import Core
from machine.processor.exceptions import Exceptions
from machine.processor.fault import Vector
from vm.facts.registers import RFLAGS, RIP

_IOPL_SHIFT = 12
_IN, _OUT = x86.UC_X86_INS_IN, x86.UC_X86_INS_OUT
_NATIVE = {_IN: "on_port_read", _OUT: "on_port_write"}  # functions of machine.processor.instruction_hooks


class Ports:
    """Those of one CPU. `native` is what machine code needs that lets the kernel pass, once there is some."""

    def __init__(self, core: Core, exceptions: Exceptions, calls: instruction_hooks.Calls) -> None:
        self._engine, self._registers, self._blocks = core.engine, core.registers, core.blocks
        self._hidden, self._run = core.hidden, core.run
        self._exceptions, self._calls = exceptions, calls
        self.native: instruction_hooks.PortAccess | None = None
        self._callbacks = {_IN: PORT_READ_HOOK(self._on_read), _OUT: PORT_WRITE_HOOK(self._on_write)}
        self._hooks = {number: self._hook(number) for number in self._callbacks}
        self._writes_have_hooks = False

    def _hook(self, number: int) -> Hook:
        """Install what is called for an instruction."""
        code = None if self.native is None else instruction_hooks.compiled()
        if self.native is None or code is None:
            return self._engine.add_hook(uc.UC_HOOK_INSN, self._callbacks[number], number)
        data = ctypes.addressof(self.native)
        return self._engine.add_hook(uc.UC_HOOK_INSN, code.address(_NATIVE[number]), number, data=data)

    def leave_writes_to_hooks(self, wanted: bool) -> None:
        """From the next run on every OUT has a hook that refuses it on level 3; or, from now on, none has."""
        self._writes_have_hooks = wanted
        if not wanted and _OUT not in self._hooks:
            self._hooks[_OUT] = self._hook(_OUT)

    def begin_run(self) -> None:
        """A run starts."""
        if self._writes_have_hooks and _OUT in self._hooks:
            self._engine.remove_hook(self._hooks.pop(_OUT))

    def _on_read(self, _engine: int, _port: int, _size: int, _data: int) -> int:
        self._protect()
        return instruction_hooks.NO_DEVICE

    def _on_write(self, _engine: int, _port: int, _size: int, _value: int, _data: int) -> None:
        self._protect()

    def _protect(self) -> None:
        """Raise #GP where IOPL does not allow the instruction, which the emulator does not look at (SDM 19.5.1)."""
        try:
            self._registers.forget()
            is_free = self._hidden.level <= self._registers.read(RFLAGS) >> _IOPL_SHIFT & 3
            if not is_free and self._exceptions.undone is None:
                self._exceptions.raise_here(Vector.GP, self._blocks.first_port_access(self._registers.read(RIP)))
            elif self.native is None and self._calls.are_many():
                self._let_kernel_pass()
        except BaseException as error:
            self._run.carry(error)

    def _let_kernel_pass(self) -> None:
        """Have machine code do nothing at accesses of level 0."""
        self.native = access = instruction_hooks.PortAccess(self._hidden.level_address)
        access.read, access.write = (
            ctypes.cast(self._callbacks[each], ctypes.c_void_p).value or 0 for each in (_IN, _OUT)
        )
        for number in tuple(self._hooks):
            self._engine.remove_hook(self._hooks[number])
            self._hooks[number] = self._hook(number)
