"""IN and OUT: no device is there; code of level 3 may not use them where IOPL does not allow it."""

from __future__ import annotations

import ctypes

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import instruction_hooks
from machine.processor.binding import PORT_READ_HOOK, PORT_WRITE_HOOK, callback_address
from machine.processor.core import Core
from machine.processor.exceptions import Exceptions
from machine.processor.fault import Vector
from vm.facts.registers import RFLAGS, RIP

_IOPL_SHIFT = 12
_INSTRUCTIONS = {"on_port_read": x86.UC_X86_INS_IN, "on_port_write": x86.UC_X86_INS_OUT}


class Ports:
    """Those of one CPU. `native` is what machine code needs that lets the kernel pass, once there is some."""

    def __init__(self, core: Core, exceptions: Exceptions, calls: instruction_hooks.Calls) -> None:
        self._engine, self._registers, self._blocks = core.engine, core.registers, core.blocks
        self._hidden, self._run = core.hidden, core.run
        self._exceptions, self._calls = exceptions, calls
        self.native: instruction_hooks.PortAccess | None = None
        self._hooks = [
            self._engine.add_hook(uc.UC_HOOK_INSN, PORT_READ_HOOK(self._on_read), x86.UC_X86_INS_IN),
            self._engine.add_hook(uc.UC_HOOK_INSN, PORT_WRITE_HOOK(self._on_write), x86.UC_X86_INS_OUT),
        ]

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
        code = instruction_hooks.compiled()
        self.native = access = instruction_hooks.PortAccess(self._hidden.level_address)
        if code is not None:
            access.read, access.write = map(callback_address, self._hooks)
            for hook, (name, number) in zip(self._hooks, _INSTRUCTIONS.items(), strict=True):
                self._engine.remove_hook(hook)
                self._engine.add_hook(uc.UC_HOOK_INSN, code.address(name), number, data=ctypes.addressof(access))
