"""Values of expressions as machine code computes them, in a process that the native carrier serves."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from machine.events.exit import Expression
from machine.machine import Machine
from machine.native import protocol
from machine.native.expressions import emit
from machine.native.writer import HookWriter, nothing
from machine.options import MachineOptions
from machine.processor.cpu import Cpu
from vm.native.emitter import POINTER, Module, Value, number
from vm.native.engine import NativeEngine
from vm.native.jit import compile_text
from vm.native.layout import CELL

OPERAND = 6  # of the instruction


class _ProbeWriter(HookWriter):
    def operand(self) -> Value:
        return number(OPERAND)


class Probe:
    """A machine with one process."""

    def __init__(self) -> None:
        self.machine = Machine(NativeEngine(), MachineOptions(kernel="bare"))
        self.cpu: Cpu = self.machine.load(b"nop", "asm").cpu
        assert self.machine._carrier is not None
        self._state = self.machine._carrier.hook_of(self.machine.processes[0]).state

    def emitted(self, expressions: Sequence[Expression]) -> list[int]:
        """The values that machine code has for them."""
        module = Module()
        protocol.define_registers(module)
        e = _ProbeWriter(module, "probe", nothing(POINTER, POINTER, POINTER), internal=False)
        protocol.begin(e, e.load(e.own("rip_at")))
        for index, expression in enumerate(expressions):
            e.store(emit(expression, e), e.at(e.parameters[2], CELL * index))
        e.give()
        code = compile_text(str(module))
        values = (ctypes.c_uint64 * len(expressions))()
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(code.address("probe"))
        function(self.cpu._engine.handle, ctypes.addressof(self._state), ctypes.addressof(values))
        return list(values)
