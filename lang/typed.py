"""The typed tree: what the checker makes of the syntax tree, with every conversion explicit.

Values are canonical 64-bit patterns (`vm.isa`). An `Operation` is an instruction of the virtual machine applied to
values; addresses are ordinary U64 values. So this tree has few kinds of nodes, and lowering is mechanical.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lang.source import Span
from lang.types import Type
from vm.facts.builtins import Builtin


@dataclass(eq=False)
class Variable:
    """A local variable, parameter, or a temporary of the checker (name ""). In memory if its address is needed.

    `typed` when a declaration gave it its type.
    """

    name: str
    type: Type
    in_memory: bool = False
    typed: bool = False


@dataclass(eq=False)
class GlobalVariable:
    """A global of the session. `typed` when a declaration gave it its type."""

    name: str
    type: Type
    typed: bool = False


@dataclass(eq=False)
class FunctionEntity:
    """A user function: its signature, and its body once that was checked."""

    name: str
    result: Type
    parameters: tuple[Variable, ...]
    span: Span
    body: tuple[Statement, ...] = ()


# --- values


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """An expression with a value of a scalar type (or void, for calls)."""

    type: Type
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Constant(Value):
    """A value known at compile time: its canonical 64 bits."""

    bits: int


@dataclass(frozen=True, eq=False, slots=True)
class Literal(Value):
    """The address of a string literal; `data` are its bytes with the terminating zero."""

    data: bytes


@dataclass(frozen=True, eq=False, slots=True)
class ReadVariable(Value):
    """A local scalar."""

    variable: Variable


@dataclass(frozen=True, eq=False, slots=True)
class ReadGlobal(Value):
    """A global scalar."""

    variable: GlobalVariable


@dataclass(frozen=True, eq=False, slots=True)
class ReadRegister(Value):
    """A register, an index into vm.facts.registers.REGISTERS."""

    index: int


@dataclass(frozen=True, eq=False, slots=True)
class ReadPseudo(Value):
    """A pseudo-register, an index into vm.facts.pseudo_registers.PSEUDO_REGISTERS."""

    index: int


@dataclass(frozen=True, eq=False, slots=True)
class AddressOfVariable(Value):
    """The address of a local in script memory, plus a constant offset in bytes."""

    variable: Variable
    offset: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class AddressOfGlobal(Value):
    """The address of a global, plus a constant offset in bytes."""

    variable: GlobalVariable
    offset: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Load(Value):
    """The scalar of type `cell` at an address."""

    address: Value
    cell: Type


@dataclass(frozen=True, eq=False, slots=True)
class Operation(Value):
    """An instruction on values, which are computed left to right. `kind` is the immediate operand of D2I.

    `swapped`: the instruction gets its two operands in reverse order (a > b is b < a).
    """

    mnemonic: str
    operands: tuple[Value, ...]
    kind: int | None = None
    swapped: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Bounded(Value):
    """`offset`, if it is below `size` as an unsigned number; else the run stops with index_out_of_range."""

    offset: Value
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class Logical(Value):
    """`&&` (`is_and`) or `||` of two truth values (0 or not 0)."""

    is_and: bool
    left: Value
    right: Value


@dataclass(frozen=True, eq=False, slots=True)
class CallFunction(Value):
    """A call of a user function."""

    function: FunctionEntity
    arguments: tuple[Value, ...]


@dataclass(frozen=True, eq=False, slots=True)
class CallBuiltin(Value):
    """A call of a built-in that is no instruction of its own."""

    builtin: Builtin
    arguments: tuple[Value, ...]


# --- statements


@dataclass(frozen=True, eq=False, slots=True)
class Statement:
    """Anything that is executed."""

    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Evaluate(Statement):
    """A value whose effects alone matter."""

    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class StoreVariable(Statement):
    """A local scalar = value (already of its type)."""

    variable: Variable
    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class StoreGlobal(Statement):
    """A global scalar = value."""

    variable: GlobalVariable
    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class StoreRegister(Statement):
    """A machine register = the low bits of value."""

    index: int
    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class StoreMemory(Statement):
    """`size` bytes at address = the low bits of value; the address is computed first."""

    address: Value
    value: Value
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class CopyObject(Statement):
    """`size` bytes at target = those at source; the target's address is computed first."""

    target: Value
    source: Value
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class ZeroObject(Statement):
    """`size` bytes at target = 0."""

    target: Value
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class Print(Statement):
    """The message of print."""

    value: Value


@dataclass(frozen=True, eq=False, slots=True)
class Printf(Statement):
    """The message of printf; floating-point arguments are doubles."""

    format: bytes
    arguments: tuple[Value, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Group(Statement):
    """Statements in order; its temporaries are free again behind it."""

    statements: tuple[Statement, ...]
    temporaries: tuple[Variable, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Choose(Statement):
    """if: the first branch whose condition is not 0, else `otherwise`."""

    branches: tuple[tuple[Value, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Loop(Statement):
    """A loop; without a condition it is endless. `test_first` is false for do. `continue` goes to `step`."""

    condition: Value | None
    body: tuple[Statement, ...]
    step: tuple[Statement, ...] = ()
    test_first: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class LeaveLoop(Statement):
    """break."""


@dataclass(frozen=True, eq=False, slots=True)
class NextRound(Statement):
    """continue."""


@dataclass(frozen=True, eq=False, slots=True)
class Leave(Statement):
    """return, with a value already of the result type."""

    value: Value | None


@dataclass(frozen=True)
class TypedProgram:
    """A checked script: the main program and its functions."""

    main: FunctionEntity
    functions: tuple[FunctionEntity, ...]
    globals: dict[str, GlobalVariable] = field(default_factory=dict)
