"""Body: one function of a program while it is lowered, with what the lowering of an instruction needs.

Bytecode registers are stack cells that LLVM turns into SSA values; within a basic block the last value of each is kept
in `_values`, so that the generated code stays small. A compiled function is `{value, steps, stopped}(context, depth,
steps, arguments...)`; when it has stopped the run, the context says why and the other two mean nothing.
"""

from __future__ import annotations

from vm.facts.registers import GENERAL
from vm.isa import Operand, decode
from vm.native import faults
from vm.native.access import DirectAccess
from vm.native.emitter import (
    F32,
    F64,
    I1,
    I32,
    I64,
    INVARIANT,
    NO,
    POINTER,
    UNLIKELY,
    YES,
    Block,
    Module,
    Phi,
    Signature,
    Value,
    number,
)
from vm.native.layout import CELL
from vm.native.linkage import Linked
from vm.native.records import Waiting
from vm.program import Function, Program
from vm.script_memory import Literals

RESULT = "{ i64, i64, i1 }"  # value, steps, whether the run has stopped
_STEPS = "steps"


def signature(function: Function) -> Signature:
    """The LLVM type of a function of a program."""
    return Signature(RESULT, (POINTER, I64, I64, *[I64] * function.parameters), "nounwind")


class Body(Linked):
    """The function `program.functions[index]`; `symbols` are the names of all of them in the module.

    `formats` are those of printf: how a message of each waits for the end of the run, if it can.
    """

    def __init__(
        self, module: Module, program: Program, index: int, symbols: list[str], formats: tuple[Waiting | None, ...]
    ) -> None:
        self.bytecode = program.functions[index]
        super().__init__(module, symbols[index], signature(self.bytecode), internal=True)
        self.program = program
        self.symbols = symbols
        self.formats = formats
        self.literals = Literals(program.strings).addresses
        self.depth, entered_with, *self.given = self.parameters[1:]
        self.arguments: list[Value] = []
        self.pc = self.bytecode.start
        self.code_blocks: dict[int, Block] = {}  # by the pc of their first instruction
        self.frame_base: Value | None = None  # where a function with a frame has it: an offset in the stack
        self._settings: dict[str, Value] = {}
        self._values: dict[str, Value] = {}
        self._written: set[str] = set()
        self._cells = {_STEPS: self.cell(_STEPS)}
        self.store(entered_with, self._cells[_STEPS])
        for register in _registers_used(program, self.bytecode):
            name = f"r{register}"
            self._cells[name] = self.cell(name)
            self.store(number(0), self._cells[name])
        self._scratch = self.cell("scratch", _most_arguments(program, self.bytecode))
        self._settings_block = self.block
        self._start = self.new_block("start")
        self._stop_phis: dict[int, list[Phi]] = {}
        self._stops = {values: self._stop_block(values) for values in (0, 2)}
        self.block = self._start

    def setting(self, name: str) -> Value:
        """As in Linked, but loaded once, where the function is entered."""
        if name not in self._settings:
            here, self.block = self.block, self._settings_block
            self._settings[name] = super().setting(name)
            self.block = here
        return self._settings[name]

    def close(self) -> None:
        """Call this when everything is written."""
        self.block = self._settings_block
        self.jump(self._start)

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
        return self._read(_STEPS)

    @steps.setter
    def steps(self, value: Value) -> None:
        self._write(_STEPS, value)

    def _read(self, name: str) -> Value:
        if name not in self._values:
            self._values[name] = self.load(self._cells[name])
        return self._values[name]

    def _write(self, name: str, value: Value) -> None:
        self._values[name] = value
        self._written.add(name)

    def end_block(self) -> None:
        """Put the registers back into their cells: control leaves the basic block."""
        for name in sorted(self._written):
            self.store(self._values[name], self._cells[name])

    def begin_block(self, block: Block) -> None:
        """Go on in this block; nothing is known about the registers."""
        self.block = block
        self._values.clear()
        self._written.clear()

    # --- stopping

    def _stop_block(self, values: int) -> Block:
        """A block that ends the run; every check adds where it comes from and what it says."""
        self.block = block = self.new_block("stop")
        phis = [self.phi(I64) for _ in range(2 + values)]
        says = [phi.value for phi in phis] + [number(0)] * (2 - values)
        self.support("stop", *says)
        self.give(number(0), number(0), YES)
        self._stop_phis[values] = phis
        return block

    def stop_if(self, bad: Value, fault: str, *values: Value, entering: Value | None = None) -> None:
        """Stop the run with a row of `vm.native.faults.FAULTS` when `bad` is true."""
        where = number(faults.site(self.pc, fault)) if entering is None else entering
        width = 2 if values else 0
        says = [self.steps, where, *values, *[number(0)] * (width - len(values))]
        for phi, value in zip(self._stop_phis[width], says, strict=True):
            phi.add(value, self.block)
        go_on = self.new_block("ok")
        self.branch(bad, self._stops[width], go_on, UNLIKELY)
        self.block = go_on

    def stop_unless(self, good: Value, fault: str, *values: Value) -> None:
        """Stop the run when `good` is false."""
        self.stop_if(self.opposite(good), fault, *values)

    def got(self, pair: Value, fault: str = "raised", *values: Value) -> Value:
        """The value of a `maybe` pair; stop the run when there is none."""
        self.stop_unless(self.part(pair, 1, I1), fault, *values)
        return self.part(pair, 0)

    def unwind_if(self, stopped: Value) -> None:
        """Return at once when a function that was called has stopped the run."""
        unwind, go_on = self.new_block("unwind"), self.new_block("returned")
        self.branch(stopped, unwind, go_on, UNLIKELY)
        self.block = unwind
        self.give(number(0), number(0), YES)
        self.block = go_on

    def finish(self, value: Value) -> None:
        """Return a value to the caller."""
        self.give(value, self.steps, NO)

    # --- arguments

    def take_arguments(self) -> list[Value]:
        """The arguments that have been given since the last call."""
        arguments, self.arguments = self.arguments, []
        return arguments

    def array(self, values: list[Value]) -> Value:
        """The address of these values as an array, until the next one."""
        for index, value in enumerate(values):
            self.store(value, self.at(self._scratch, CELL * index))
        return self._scratch

    # --- numbers

    def sign_extend(self, value: Value, bits: int) -> Value:
        """The low bits of a value, sign-extended."""
        return self.convert("sext", self.convert("trunc", value, f"i{bits}"), I64)

    def zero_extend(self, value: Value, bits: int) -> Value:
        """The low bits of a value, zero-extended."""
        return self.op("and", value, number((1 << bits) - 1))

    def double(self, bits: Value) -> Value:
        """64 bits as binary64."""
        return self.convert("bitcast", bits, F64)

    def single(self, bits: Value) -> Value:
        """The low 32 bits as binary32."""
        return self.convert("bitcast", self.convert("trunc", bits, I32), F32)

    def bits_of(self, value: Value) -> Value:
        """The bits of a binary64, or those of a binary32 zero-extended."""
        if value.type == F64:
            return self.convert("bitcast", value, I64)
        return self.convert("zext", self.convert("bitcast", value, I32), I64)

    # --- the host's cells

    def direct_cell(self, name: str, index: int = 0) -> Value:
        """The address of a cell of the host's DirectAccess."""
        return self.field_at(DirectAccess, name, self.setting("direct"), index)

    def register_cell(self, storage: int) -> Value:
        """The address of the cell of a storage."""
        if storage >= len(GENERAL):
            return self.direct_cell("registers", storage)
        first = self.field(DirectAccess, "general", self.setting("direct"), hint=INVARIANT)
        return self.at(first, CELL * storage)

    def bit_set(self, mask: str, bit: int) -> Value:
        """Whether a bit of a mask of the host's DirectAccess is set."""
        found = self.op("and", self.load(self.direct_cell(mask)), number(1 << bit))
        return self.compare("ne", found, number(0))


def _most_arguments(program: Program, function: Function) -> int:
    """The longest list of arguments that the function gives; at least 1."""
    rows = (decode(program.code[pc]) for pc in range(function.start, function.end))
    return max((operands[1] + 1 for row, operands in rows if row.mnemonic == "ARG"), default=1)


def _registers_used(program: Program, function: Function) -> list[int]:
    used: set[int] = set()
    for pc in range(function.start, function.end):
        row, operands = decode(program.code[pc])
        for kind, value in zip(row.operands, operands, strict=True):
            if kind in (Operand.DST, Operand.SRC):
                used.add(value)
    return sorted(used)
