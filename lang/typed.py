"""The typed tree: what the checker makes of the syntax tree, with every conversion explicit.

Values are canonical 64-bit patterns (`vm.isa`). An `Operation` is an instruction of the virtual machine applied to
values; addresses are ordinary U64 values. So this tree has few kinds of nodes, and lowering is mechanical.
"""

from __future__ import annotations

import msgspec

from lang.source import Span
from lang.types import Type
from vm.facts.builtins import Builtin


class Variable(msgspec.Struct, eq=False):
    """A local variable, parameter, or a temporary of the checker (name ""). In memory if its address is needed.

    `typed` when a declaration gave it its type.
    """

    name: str
    type: Type
    in_memory: bool = False
    typed: bool = False


class GlobalVariable(msgspec.Struct, eq=False):
    """A global of the session. `typed` when a declaration gave it its type."""

    name: str
    type: Type
    typed: bool = False


class FunctionEntity(msgspec.Struct, eq=False):
    """A user function: its signature, and its body once that was checked."""

    name: str
    result: Type
    parameters: tuple[Variable, ...]
    span: Span
    body: tuple[Statement, ...] = ()


# --- values


class Value(msgspec.Struct, frozen=True, eq=False):
    """An expression with a value of a scalar type (or void, for calls)."""

    type: Type
    span: Span


class Constant(Value, frozen=True, eq=False):
    """A value known at compile time: its canonical 64 bits."""

    bits: int


class Literal(Value, frozen=True, eq=False):
    """The address of a string literal; `data` are its bytes with the terminating zero."""

    data: bytes


class ReadVariable(Value, frozen=True, eq=False):
    """A local scalar."""

    variable: Variable


class ReadGlobal(Value, frozen=True, eq=False):
    """A global scalar."""

    variable: GlobalVariable


class ReadRegister(Value, frozen=True, eq=False):
    """A register, an index into vm.facts.registers.REGISTERS."""

    index: int


class ReadPseudo(Value, frozen=True, eq=False):
    """A pseudo-register, an index into vm.facts.pseudo_registers.PSEUDO_REGISTERS."""

    index: int


class AddressOfVariable(Value, frozen=True, eq=False):
    """The address of a local in script memory, plus a constant offset in bytes."""

    variable: Variable
    offset: int = 0


class AddressOfGlobal(Value, frozen=True, eq=False):
    """The address of a global, plus a constant offset in bytes."""

    variable: GlobalVariable
    offset: int = 0


class Load(Value, frozen=True, eq=False):
    """The scalar of type `cell` at an address."""

    address: Value
    cell: Type


class Operation(Value, frozen=True, eq=False):
    """An instruction on values, which are computed left to right. `kind` is the immediate operand of D2I.

    `swapped`: the instruction gets its two operands in reverse order (a > b is b < a).
    """

    mnemonic: str
    operands: tuple[Value, ...]
    kind: int | None = None
    swapped: bool = False


class Bounded(Value, frozen=True, eq=False):
    """`offset`, if it is below `size` as an unsigned number; else the run stops with index_out_of_range."""

    offset: Value
    size: int


class Logical(Value, frozen=True, eq=False):
    """`&&` (`is_and`) or `||` of two truth values (0 or not 0)."""

    is_and: bool
    left: Value
    right: Value


class CallFunction(Value, frozen=True, eq=False):
    """A call of a user function."""

    function: FunctionEntity
    arguments: tuple[Value, ...]


class CallBuiltin(Value, frozen=True, eq=False):
    """A call of a built-in that is no instruction of its own."""

    builtin: Builtin
    arguments: tuple[Value, ...]


# --- statements


class Statement(msgspec.Struct, frozen=True, eq=False):
    """Anything that is executed."""

    span: Span


class Evaluate(Statement, frozen=True, eq=False):
    """A value whose effects alone matter."""

    value: Value


class StoreVariable(Statement, frozen=True, eq=False):
    """A local scalar = value (already of its type)."""

    variable: Variable
    value: Value


class StoreGlobal(Statement, frozen=True, eq=False):
    """A global scalar = value."""

    variable: GlobalVariable
    value: Value


class StoreRegister(Statement, frozen=True, eq=False):
    """A machine register = the low bits of value."""

    index: int
    value: Value


class StoreMemory(Statement, frozen=True, eq=False):
    """`size` bytes at address = the low bits of value; the address is computed first."""

    address: Value
    value: Value
    size: int


class CopyObject(Statement, frozen=True, eq=False):
    """`size` bytes at target = those at source; the target's address is computed first."""

    target: Value
    source: Value
    size: int


class ZeroObject(Statement, frozen=True, eq=False):
    """`size` bytes at target = 0."""

    target: Value
    size: int


class Print(Statement, frozen=True, eq=False):
    """The message of print."""

    value: Value


class Printf(Statement, frozen=True, eq=False):
    """The message of printf; floating-point arguments are doubles."""

    format: bytes
    arguments: tuple[Value, ...]


class Group(Statement, frozen=True, eq=False):
    """Statements in order; its temporaries are free again behind it."""

    statements: tuple[Statement, ...]
    temporaries: tuple[Variable, ...] = ()


class Choose(Statement, frozen=True, eq=False):
    """if: the first branch whose condition is not 0, else `otherwise`."""

    branches: tuple[tuple[Value, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


class Loop(Statement, frozen=True, eq=False):
    """A loop; without a condition it is endless. `test_first` is false for do. `continue` goes to `step`."""

    condition: Value | None
    body: tuple[Statement, ...]
    step: tuple[Statement, ...] = ()
    test_first: bool = True


class LeaveLoop(Statement, frozen=True, eq=False):
    """break."""


class NextRound(Statement, frozen=True, eq=False):
    """continue."""


class Leave(Statement, frozen=True, eq=False):
    """return, with a value already of the result type."""

    value: Value | None


class TypedProgram(msgspec.Struct, frozen=True):
    """A checked script: the main program and its functions."""

    main: FunctionEntity
    functions: tuple[FunctionEntity, ...]
    globals: dict[str, GlobalVariable] = msgspec.field(default_factory=dict)
