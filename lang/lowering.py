"""Typed tree -> Program: registers, frame slots, constants, jumps.

A value is computed into a register; `want` names the register where the result is wanted, if that matters. Locals live
in registers as long as these last and nobody needs their address, the others in slots of the frame. Temporaries follow
stack discipline above the locals; where they run out they wait in the frame, too.
"""

from __future__ import annotations

from array import array
from typing import TypeVar

import msgspec

from lang import typed as t
from lang.assembly import Assembly, Label
from lang.operations import is_signed
from lang.source import SourceFile, Span
from lang.types import Integer, Type, describe, is_scalar
from vm import JUMP16_RANGE, SLOT, Function, GlobalSymbol, Position, Program, Source
from vm.facts.builtins import BUILTIN_INDEX

REGISTERS = 256
LOCAL_REGISTERS = 160  # for variables; the rest is for temporaries
LOW_TEMPORARIES = 24  # with fewer free than this, a waiting value goes to the frame
POOL = 0x1_0000


Key = TypeVar("Key")


class TooLarge(Exception):  # noqa: N818 - the compiler turns it into a diagnostic
    """The script needs more functions, literals, formats or code than instructions can name."""


class _Pool(msgspec.Struct):
    """The tables that all functions of a program share."""

    constants: dict[int, int] = msgspec.field(default_factory=dict)
    strings: dict[bytes, int] = msgspec.field(default_factory=dict)
    formats: dict[bytes, int] = msgspec.field(default_factory=dict)
    globals: dict[t.GlobalVariable, int] = msgspec.field(default_factory=dict)
    functions: dict[t.FunctionEntity, int] = msgspec.field(default_factory=dict)

    def index(self, table: dict[Key, int], key: Key) -> int:
        """The number of an entry, made on first use. Raises TooLarge."""
        number = table.setdefault(key, len(table))
        if number >= POOL:
            raise TooLarge("more than 65,536 different literals, formats or functions")
        return number


def lower(checked: t.TypedProgram) -> Program:
    """The program of a checked script. Raises TooLarge.

    Before: a typed tree without errors. After: a program that the verifier takes; the bodies of the tree are let go on
    the way (MEMORY_PER_BYTE), so that it is of no use any more.
    """
    pool = _Pool()
    for number, entity in enumerate(checked.functions, 1):
        pool.functions[entity] = number
    code = array("I")
    functions: list[Function] = []
    spans: list[Span] = []
    for entity in (checked.main, *checked.functions):
        lowering = _FunctionLowering(entity, pool)
        words, places = lowering.run()
        entity.body = ()
        start = len(code)
        code += words
        spans += places
        functions.append(Function(entity.name, len(entity.parameters), lowering.frame, start, len(code)))
    sources, positions = _positions(spans)
    return Program(
        code=tuple(code),
        functions=tuple(functions),
        constants=tuple(pool.constants),
        strings=tuple(pool.strings),
        formats=tuple(pool.formats),
        globals=tuple(
            GlobalSymbol(g.name, describe(g.type), max(SLOT, g.type.size) if is_scalar(g.type) else g.type.size)
            for g in pool.globals
        ),
        sources=sources,
        positions=positions,
    )


def _positions(spans: list[Span]) -> tuple[tuple[Source, ...], tuple[Position, ...]]:
    files: dict[SourceFile, int] = {}
    positions: list[Position] = []
    before: Span | None = None
    for pc, span in enumerate(spans):
        number = files.setdefault(span.file, len(files))
        if span is not before and span != before:
            positions.append(Position(pc, number, span.start, span.end))
        before = span
    return tuple(Source(file.name, file.text) for file in files), tuple(positions)


class _FunctionLowering:
    """One function."""

    def __init__(self, entity: t.FunctionEntity, pool: _Pool) -> None:
        self.entity = entity
        self.pool = pool
        self.code = Assembly()
        self.code.span = entity.span
        self.registers: dict[t.Variable, int] = {}
        self.slots: dict[t.Variable, int] = {}  # in bytes
        self.free_registers: list[int] = []
        self.free_slots: dict[int, list[int]] = {}
        self.next_local = 0
        self.temporaries = 0  # in use, above LOCAL_REGISTERS
        self.frame = 0
        self.loops: list[tuple[Label, Label]] = []  # where break and continue go

    def run(self) -> tuple[array[int], list[Span]]:
        """The words of the function and where they come from."""
        for number, variable in enumerate(self.entity.parameters):
            self.parameter(number, variable)
        self.statements(self.entity.body)
        self.code.emit("RETV")
        try:
            return self.code.words()
        except ValueError:
            raise TooLarge("more than 8 million instructions in one function") from None

    # --- storage

    def parameter(self, number: int, variable: t.Variable) -> None:
        """Fetch an argument into its variable."""
        if self.in_register(variable):
            self.code.emit("PAR", self.registers[variable], number)
            return
        register = self.take()
        self.code.emit("PAR", register, number)
        self.code.emit("STF", register, self.slot(variable) // SLOT)
        self.give()

    def in_register(self, variable: t.Variable) -> bool:
        """Whether a variable lives in a register; decided at its first mention.

        What a temporary leaves behind is taken by temporaries only: a local that nobody assigned must be 0.
        """
        if variable in self.registers:
            return True
        if variable.in_memory or variable in self.slots or not is_scalar(variable.type):
            return False
        if self.free_registers and not variable.name:
            self.registers[variable] = self.free_registers.pop()
            return True
        if self.next_local >= LOCAL_REGISTERS:
            return False
        self.registers[variable] = self.next_local
        self.next_local += 1
        return True

    def slot(self, variable: t.Variable) -> int:
        """Offset in bytes of a variable in the frame."""
        if variable not in self.slots:
            self.slots[variable] = self.reserve(max(SLOT, variable.type.size), fresh=bool(variable.name))
        return self.slots[variable]

    def reserve(self, size: int, *, fresh: bool = False) -> int:
        """Room in the frame; its offset in bytes. `fresh`: room that is still 0, as locals are that nobody assigned."""
        size = -(-size // SLOT) * SLOT
        free = self.free_slots.get(size)
        if free and not fresh:
            return free.pop()
        self.frame += size
        return self.frame - size

    def release(self, variable: t.Variable) -> None:
        """A temporary variable is not needed any more."""
        register = self.registers.pop(variable, None)
        if register is not None:
            self.free_registers.append(register)
        offset = self.slots.pop(variable, None)
        if offset is not None:
            size = -(-max(SLOT, variable.type.size) // SLOT) * SLOT
            self.free_slots.setdefault(size, []).append(offset)

    def take(self) -> int:
        """The next temporary register."""
        register = LOCAL_REGISTERS + self.temporaries
        assert register < REGISTERS
        self.temporaries += 1
        return register

    def give(self, count: int = 1) -> None:
        """The last temporaries are free again."""
        self.temporaries -= count

    # --- values

    def value(self, node: t.Value, want: int | None = None) -> int:
        """The register that holds a value: `want`, a variable's own, or a new temporary (the caller gives it back)."""
        chain: list[t.Operation] = []
        while isinstance(node, t.Operation):
            chain.append(node)
            node = node.operands[0]
        if not chain:
            return self.simple_value(node, want)
        mark = self.temporaries
        result = self.simple_value(node)
        for operation in reversed(chain):
            last = operation is chain[0]
            result = self.operation(operation, result, mark, want if last else None)
        return result

    def operation(self, node: t.Operation, first: int, mark: int, want: int | None) -> int:
        """An instruction whose first operand is in a register; temporaries above `mark` are free behind it."""
        parked = None
        operands = [first]
        for operand in node.operands[1:]:
            if not isinstance(operand, t.Constant) and first >= LOCAL_REGISTERS:
                parked = self.park(first)
                if parked is not None:
                    self.temporaries = mark
            operands.append(self.value(operand))
        if parked is not None:
            operands[0] = self.take()
            self.code.emit("LDF", operands[0], parked // SLOT)
            self.free_slots.setdefault(SLOT, []).append(parked)
        self.temporaries = mark
        target = want if want is not None else self.take()
        if node.swapped:
            operands.reverse()
        outer, self.code.span = self.code.span, node.span
        self.code.emit(node.mnemonic, target, *operands, *(() if node.kind is None else (node.kind,)))
        self.code.span = outer
        return target

    def park(self, register: int) -> int | None:
        """Move a waiting temporary to the frame when registers run low; the slot's offset."""
        if REGISTERS - LOCAL_REGISTERS - self.temporaries >= LOW_TEMPORARIES:
            return None
        offset = self.reserve(SLOT)
        self.code.emit("STF", register, offset // SLOT)
        return offset

    def into(self, want: int | None) -> int:
        """The register for a result."""
        return want if want is not None else self.take()

    def simple_value(self, node: t.Value, want: int | None = None) -> int:
        """A value that is no Operation."""
        outer, self.code.span = self.code.span, node.span
        result = self._simple_value(node, want)
        self.code.span = outer
        return result

    def _simple_value(self, node: t.Value, want: int | None) -> int:
        match node:
            case t.Constant():
                return self.constant(node.bits, self.into(want))
            case t.ReadVariable():
                return self.read_variable(node.variable, want)
            case t.ReadGlobal():
                register = self.into(want)
                self.code.emit("LDG", register, self.global_index(node.variable))
                return self.narrow(register, node.variable.type)
            case t.ReadRegister():
                register = self.into(want)
                self.code.emit("LDM", register, node.index)
                return register
            case t.ReadPseudo():
                register = self.into(want)
                self.code.emit("LDP", register, node.index)
                return register
            case t.Literal():
                register = self.into(want)
                self.code.emit("STR", register, self.pool.index(self.pool.strings, node.data))
                return register
            case t.AddressOfVariable():
                return self.frame_address(self.slot(node.variable) + node.offset, self.into(want))
            case t.AddressOfGlobal():
                register = self.into(want)
                self.code.emit("ADG", register, self.global_index(node.variable))
                return self.add_constant(register, node.offset)
            case t.Load():
                return self.load(node, want)
            case t.Bounded():
                return self.bounded(node, want)
            case t.Logical():
                return self.logical(node, want)
            case t.CallFunction():
                return self.call("CALL", self.pool.functions[node.function], node.arguments, want)
            case t.CallBuiltin():
                return self.call("SYS", BUILTIN_INDEX[node.builtin.name], node.arguments, want)
        raise AssertionError(node)

    def constant(self, bits: int, register: int) -> int:
        """Load 64 bits."""
        value = bits - (1 << 64) if bits >> 63 else bits
        if value in JUMP16_RANGE:
            self.code.emit("LDI", register, value)
        elif bits in self.pool.constants or len(self.pool.constants) < POOL:
            self.code.emit("LDK", register, self.pool.constants.setdefault(bits, len(self.pool.constants)))
        else:
            self.code.emit("LDI", register, 0)
            for shift in (48, 32, 16, 0):
                self.code.emit("LDH", register, bits >> shift & 0xFFFF)
        return register

    def add_constant(self, register: int, offset: int) -> int:
        """register += offset."""
        if offset:
            step = self.take()
            self.constant(offset, step)
            self.code.emit("ADD", register, register, step)
            self.give()
        return register

    def read_variable(self, variable: t.Variable, want: int | None) -> int:
        """A local: in its own register, or loaded from the frame."""
        if self.in_register(variable):
            own = self.registers[variable]
            if want is None or want == own:
                return own
            self.code.emit("MOV", want, own)
            return want
        register = self.into(want)
        self.load_slot(register, self.slot(variable))
        return self.narrow(register, variable.type)

    def load_slot(self, register: int, offset: int) -> None:
        """64 bits of the frame."""
        if offset // SLOT < POOL:
            self.code.emit("LDF", register, offset // SLOT)
        else:
            self.frame_address(offset, register)
            self.code.emit("LD64", register, register)

    def store_slot(self, register: int, offset: int) -> None:
        """64 bits to the frame."""
        if offset // SLOT < POOL:
            self.code.emit("STF", register, offset // SLOT)
            return
        address = self.frame_address(offset, self.take())
        self.code.emit("ST64", address, register)
        self.give()

    def frame_address(self, offset: int, register: int) -> int:
        """The address of a byte of the frame."""
        if offset // SLOT < POOL:
            self.code.emit("LEA", register, offset // SLOT)
            return self.add_constant(register, offset % SLOT)
        self.code.emit("LEA", register, 0)
        return self.add_constant(register, offset)

    def narrow(self, register: int, kind: Type) -> int:
        """A variable in memory is its low bytes (language.md 15)."""
        if kind.size < SLOT:
            extend = "SX" if is_signed(kind) else "ZX"
            self.code.emit(f"{extend}{8 * kind.size}", register, register)
        return register

    def global_index(self, variable: t.GlobalVariable) -> int:
        """The number of a global in this program."""
        return self.pool.index(self.pool.globals, variable)

    def load(self, node: t.Load, want: int | None) -> int:
        """A scalar in memory."""
        mark = self.temporaries
        address = self.value(node.address)
        self.temporaries = mark
        register = self.into(want)
        cell = node.cell
        signed = "S" if isinstance(cell, Integer) and cell.signed and cell.size < 8 else ""
        self.code.emit(f"LD{8 * cell.size}{signed}", register, address)
        return register

    def bounded(self, node: t.Bounded, want: int | None) -> int:
        """An offset that was checked."""
        register = self.value(node.offset, want)
        size = self.constant(node.size, self.take())
        self.code.emit("BOUND", register, size)
        self.give()
        return register

    def logical(self, node: t.Logical, want: int | None) -> int:
        """`&&`, `||` as a value; the operands are done before the result is written, for they may read `want`."""
        decided, end = Label(), Label()
        self.jump_if(node, not node.is_and, decided)
        register = self.into(want)
        self.constant(1 if node.is_and else 0, register)
        self.code.emit("JMP", to=end)
        self.code.place(decided)
        self.constant(0 if node.is_and else 1, register)
        self.code.place(end)
        return register

    def call(self, mnemonic: str, index: int, arguments: tuple[t.Value, ...], want: int | None) -> int:
        """Arguments left to right, then all of them at once, then the call."""
        mark = self.temporaries
        self.give_arguments(arguments)
        self.temporaries = mark
        register = self.into(want)
        self.code.emit(mnemonic, register, index)
        return register

    def give_arguments(self, arguments: tuple[t.Value, ...]) -> None:
        """Evaluate, then ARG each; waiting values are parked when registers run low."""
        held: list[tuple[int, int | None]] = []
        for argument in arguments:
            mark = self.temporaries
            register = self.value(argument)
            parked = self.park(register) if register >= LOCAL_REGISTERS else None
            if parked is not None:
                self.temporaries = mark
            held.append((register, parked))
        for number, (register, parked) in enumerate(held):
            if parked is not None:
                register = LOCAL_REGISTERS + self.temporaries
                self.code.emit("LDF", register, parked // SLOT)
                self.free_slots.setdefault(SLOT, []).append(parked)
            self.code.emit("ARG", register, number)

    # --- conditions

    def jump_if(self, node: t.Value, when: bool, target: Label) -> None:
        """Jump to target if the truth of the value is `when`."""
        if isinstance(node, t.Constant):
            if bool(node.bits) == when:
                self.code.emit("JMP", to=target)
        elif isinstance(node, t.Logical):
            self.jump_logical(node, when, target)
        elif isinstance(node, t.Operation) and node.mnemonic in ("ISZ", "BOOL"):
            self.jump_if(node.operands[0], when != (node.mnemonic == "ISZ"), target)
        else:
            mark = self.temporaries
            register = self.value(node)
            self.code.emit("JNZ" if when else "JZ", register, to=target)
            self.temporaries = mark

    def jump_logical(self, node: t.Logical, when: bool, target: Label) -> None:
        """A left-leaning chain of the same operator, in a loop."""
        parts: list[t.Value] = []
        left: t.Value = node
        while isinstance(left, t.Logical) and left.is_and == node.is_and:
            parts.append(left.right)
            left = left.left
        parts.append(left)
        parts.reverse()
        if when != node.is_and:  # one operand decides
            for part in parts:
                self.jump_if(part, when, target)
            return
        out = Label()
        for part in parts[:-1]:
            self.jump_if(part, not when, out)
        self.jump_if(parts[-1], when, target)
        self.code.place(out)

    # --- statements

    def statements(self, items: tuple[t.Statement, ...]) -> None:
        """Statements in order."""
        for item in items:
            outer, self.code.span = self.code.span, item.span
            mark = self.temporaries
            self.statement(item)
            self.temporaries = mark
            self.code.span = outer

    def statement(self, item: t.Statement) -> None:
        """One statement."""
        match item:
            case t.Evaluate():
                self.value(item.value)
            case t.StoreVariable():
                self.store_variable(item.variable, item.value)
            case t.StoreGlobal():
                self.code.emit("STG", self.value(item.value), self.global_index(item.variable))
            case t.StoreRegister():
                self.code.emit("STM", self.value(item.value), item.index)
            case t.StoreMemory():
                self.pair(f"ST{8 * item.size}", item.address, item.value)
            case t.CopyObject():
                address, source = self.value(item.target), self.value(item.source)
                self.code.emit("COPY", address, source, self.constant(item.size, self.take()))
            case t.ZeroObject():
                address = self.value(item.target)
                self.code.emit("ZERO", address, self.constant(item.size, self.take()))
            case t.Print():
                self.code.emit("PRINT", self.value(item.value))
            case t.Printf():
                self.give_arguments(item.arguments)
                self.code.emit("PRINTF", self.pool.index(self.pool.formats, item.format))
            case t.Group():
                self.statements(item.statements)
                for variable in item.temporaries:
                    self.release(variable)
            case t.Choose():
                self.choose(item)
            case t.Loop():
                self.loop(item)
            case t.LeaveLoop():
                self.code.emit("JMP", to=self.loops[-1][0])
            case t.NextRound():
                self.code.emit("JMP", to=self.loops[-1][1])
            case t.Leave() if item.value is not None:
                self.code.emit("RET", self.value(item.value))
            case t.Leave():
                self.code.emit("RETV")

    def pair(self, mnemonic: str, first: t.Value, second: t.Value) -> None:
        """An instruction with two operands, evaluated left to right."""
        one = self.value(first)
        self.code.emit(mnemonic, one, self.value(second))

    def store_variable(self, variable: t.Variable, value: t.Value) -> None:
        """A local = value, computed right into its register where it has one."""
        if self.in_register(variable):
            own = self.registers[variable]
            register = self.value(value, own)
            assert register == own
            return
        self.store_slot(self.value(value), self.slot(variable))

    def choose(self, item: t.Choose) -> None:
        """if, elsif, else."""
        end = Label()
        for number, (condition, body) in enumerate(item.branches):
            following = Label()
            self.jump_if(condition, False, following)
            self.statements(body)
            if item.otherwise or number < len(item.branches) - 1:
                self.code.emit("JMP", to=end)
            self.code.place(following)
        self.statements(item.otherwise)
        self.code.place(end)

    def loop(self, item: t.Loop) -> None:
        """The condition stands behind the body: one jump per round."""
        body, test, step, out = Label(), Label(), Label(), Label()
        always = item.condition is None or (isinstance(item.condition, t.Constant) and item.condition.bits != 0)
        if item.test_first and not always:
            self.code.emit("JMP", to=test)
        self.loops.append((out, step))
        self.code.place(body)
        self.statements(item.body)
        self.code.place(step)
        self.statements(item.step)
        self.code.place(test)
        if item.condition is None:
            self.code.emit("JMP", to=body)
        else:
            self.jump_if(item.condition, True, body)
        self.code.place(out)
        self.loops.pop()
