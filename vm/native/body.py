"""Body: one function of a program while it is lowered, with what the lowering of an instruction needs.

Bytecode registers are stack cells that LLVM turns into SSA values; within a basic block the last value of each is kept
in `_values`, so that the generated code stays small. A compiled function is `{value, steps, status}(context, depth,
steps, arguments...)`; status 1 means that the run has stopped and the context says why.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from vm.isa import Operand, decode
from vm.native.access import DirectAccess
from vm.native.emitter import CELL, F32, F64, I1, I32, I64, POINTER, Emitter, Value, offset_of
from vm.native.faults import FAULT_NUMBER
from vm.program import Function, Program
from vm.script_memory import Literals

RESULT = ir.LiteralStructType([I64, I64, I1])  # value, steps, whether the run has stopped
_FAULT_VALUES = 2


def function_type(function: Function) -> Any:
    """The LLVM type of a function of a program."""
    return ir.FunctionType(RESULT, [POINTER, I64, I64, *[I64] * function.parameters])


class Body(Emitter):
    """The function `program.functions[index]`; `siblings` are the LLVM functions of all of them."""

    def __init__(self, program: Program, index: int, siblings: list[Any], deferred: tuple[bool, ...]) -> None:
        super().__init__(siblings[index])
        self.program = program
        self.bytecode = program.functions[index]
        self.siblings = siblings
        self.deferred = deferred  # by printf format: whether its message can be rendered after the run
        self.literals = Literals(program.strings).addresses
        self.depth, entered_with, *self.parameters = self.function.args[1:]
        self.depth.name, entered_with.name = "depth", "steps.in"
        self.arguments: list[Value] = []
        self.pc = self.bytecode.start
        self._values: dict[str, Value] = {}
        self._written: set[str] = set()
        self._cells: dict[str, Value] = {}
        for name in ("steps", *(f"r{number}" for number in _registers_used(program, self.bytecode))):
            self._cells[name] = self.ir.alloca(I64, name=f"{name}.cell")
        for name, cell in self._cells.items():
            self.ir.store(entered_with if name == "steps" else self.number(0), cell)
        self._scratch = self.ir.alloca(I64, size=self.number(_most_arguments(program, self.bytecode)), name="scratch")
        self.blocks: dict[int, Value] = {}
        self.frame_base: Value = None  # of a function with a frame: its offset in the stack
        self._begin_stop()

    # --- registers

    def get(self, register: int) -> Value:
        """The value of a bytecode register."""
        return self._read(f"r{register}")

    def set(self, register: int, value: Value) -> None:
        """Give a bytecode register a value."""
        self._write(f"r{register}", value)

    @property
    def steps(self) -> Value:
        """Fuel charged so far."""
        return self._read("steps")

    @steps.setter
    def steps(self, value: Value) -> None:
        self._write("steps", value)

    def _read(self, name: str) -> Value:
        if name not in self._values:
            self._values[name] = self.ir.load(self._cells[name])
        return self._values[name]

    def _write(self, name: str, value: Value) -> None:
        self._values[name] = value
        self._written.add(name)

    def end_block(self) -> None:
        """Put the registers back into their cells: control leaves the basic block."""
        for name in sorted(self._written):
            self.ir.store(self._values[name], self._cells[name])
        self._written.clear()

    def begin_block(self, block: Value) -> None:
        """Go on in this block; nothing is known about the registers."""
        self.ir.position_at_end(block)
        self._values.clear()

    # --- stopping

    def _begin_stop(self) -> None:
        """The block that ends the run; every check adds where it comes from and what it says."""
        self._stop_block = self.function.append_basic_block("stop")
        with self.ir.goto_block(self._stop_block):
            self._stop_values = [self.ir.phi(I64) for _ in range(3 + _FAULT_VALUES)]
            self.call("fault", *self._stop_values)
            self.give(self.number(0), self.number(0), stopped=True)

    def stop_if(self, bad: Value, fault: str, *values: Value, pc: Value = None) -> None:
        """Stop the run with a row of `vm.native.faults.FAULTS` when `bad` is true."""
        where = self.number(self.pc) if pc is None else pc
        padding = [self.number(0)] * (_FAULT_VALUES - len(values))
        says = [self.steps, where, self.number(FAULT_NUMBER[fault]), *values, *padding]
        for phi, value in zip(self._stop_values, says, strict=True):
            phi.add_incoming(value, self.ir.block)
        go_on = self.function.append_basic_block("ok")
        self.ir.cbranch(bad, self._stop_block, go_on)
        self.ir.position_at_end(go_on)

    def stop_unless(self, good: Value, fault: str, *values: Value) -> None:
        """Stop the run when `good` is false."""
        self.stop_if(self.ir.not_(good), fault, *values)

    def got(self, pair: Value, fault: str = "raised", *values: Value) -> Value:
        """The value of a `maybe` pair; stop the run when there is none."""
        self.stop_unless(self.ir.extract_value(pair, 1), fault, *values)
        return self.ir.extract_value(pair, 0)

    def give(self, value: Value, steps: Value, stopped: bool = False) -> None:
        """Return from the function."""
        result = ir.Constant(RESULT, [None, None, int(stopped)])
        for position, part in enumerate((value, steps)):
            result = self.ir.insert_value(result, part, position)
        self.ir.ret(result)

    def unwind_if(self, stopped: Value) -> None:
        """Return at once when a function that was called has stopped the run."""
        unwind, go_on = (self.function.append_basic_block(name) for name in ("unwind", "returned"))
        self.ir.cbranch(stopped, unwind, go_on).set_weights([1, 99])
        self.ir.position_at_end(unwind)
        self.give(self.number(0), self.number(0), stopped=True)
        self.ir.position_at_end(go_on)

    # --- arguments

    def take_arguments(self) -> list[Value]:
        """The arguments that have been given since the last call."""
        arguments, self.arguments = self.arguments, []
        return arguments

    def cells(self, values: list[Value]) -> Value:
        """The address of these values as an array, until the next one."""
        for index, value in enumerate(values):
            self.store(value, self._scratch, CELL * index)
        return self._scratch

    # --- numbers

    def sign_extend(self, value: Value, bits: int) -> Value:
        """The low bits of a value, sign-extended."""
        return self.ir.sext(self.ir.trunc(value, ir.IntType(bits)), I64)

    def zero_extend(self, value: Value, bits: int) -> Value:
        """The low bits of a value, zero-extended."""
        return self.ir.and_(value, self.number((1 << bits) - 1))

    def double(self, bits: Value) -> Value:
        """64 bits as binary64."""
        return self.ir.bitcast(bits, F64)

    def single(self, bits: Value) -> Value:
        """The low 32 bits as binary32."""
        return self.ir.bitcast(self.ir.trunc(bits, I32), F32)

    def bits_of(self, value: Value) -> Value:
        """The bits of a binary64, or those of a binary32 zero-extended."""
        if value.type is F64:
            return self.ir.bitcast(value, I64)
        return self.ir.zext(self.ir.bitcast(value, I32), I64)

    # --- the host's cells

    def direct_cell(self, name: str, index: int = 0) -> Value:
        """The address of a cell of the host's DirectAccess."""
        return self.at(self.setting("direct"), offset_of(DirectAccess, name) + CELL * index)

    def bit_set(self, mask: str, bit: int) -> Value:
        """Whether a bit of a mask of the host's DirectAccess is set."""
        found = self.ir.and_(self.ir.load(self.direct_cell(mask), typ=I64), self.number(1 << bit))
        return self.ir.icmp_unsigned("!=", found, self.number(0))


def _most_arguments(program: Program, function: Function) -> int:
    """The longest list of arguments that the function gives; at least 1."""
    rows = (decode(program.code[pc]) for pc in range(function.start, function.end))
    return max((operands[1] + 1 for row, operands in rows if row.mnemonic == "ARG"), default=1)


def _registers_used(program: Program, function: Function) -> list[int]:
    used: set[int] = set()
    for pc in range(function.start, function.end):
        row, operands = decode(program.code[pc])
        used.update(
            value
            for kind, value in zip(row.operands, operands, strict=True)
            if kind in (Operand.DST, Operand.SRC)
        )
    return sorted(used)
