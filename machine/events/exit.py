"""Exits: what a kind of event is to the machine, as frozen data that both carriers read.

An exit says where the guest leaves its code (source), what `$context` is, which own parameter of an event is compared
with it, and what the processor does then (effect): assignments of expressions to registers, or `by the processor`.
What comes before the exit on hardware is `refused`: the guest's privilege level decides there, and only there.
Expressions are evaluated here and emitted as machine code by `machine.native.expressions`; nothing in this module runs
anything. Each kind's exit stands in its file of `machine.events.exits`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from machine.processor import InstructionPattern, Vector
from vm.facts.events import AddressSpace, EventKind
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from machine.events.definition import EventDefinition
    from machine.events.registry import Registry

WORD_MASK = (1 << 64) - 1
EVERYTHING = 0xFFFF_FFFF  # of a parameter: no filter, as HyperDbg's interface says

# --- expressions: unsigned 64-bit values of a stopped CPU


class Expression:
    """A value; `+ & | ^ << >> ~` make larger ones. Sums are modulo 2^64, shift counts constants below 64.

    Comparisons are 1 where they hold, else 0.
    """

    def __add__(self, other: Expression | int) -> Expression:
        return Binary("add", self, _expression(other))

    def __and__(self, other: Expression | int) -> Expression:
        return Binary("and", self, _expression(other))

    def __or__(self, other: Expression | int) -> Expression:
        return Binary("or", self, _expression(other))

    def __xor__(self, other: Expression | int) -> Expression:
        return Binary("xor", self, _expression(other))

    def is_equal(self, other: Expression | int) -> Expression:
        """Whether two values are equal."""
        return Binary("eq", self, _expression(other))

    def is_above(self, other: Expression | int) -> Expression:
        """Whether this value is larger."""
        return Binary("ugt", self, _expression(other))

    def __lshift__(self, count: int) -> Expression:
        return Binary("shl", self, Constant(count))

    def __rshift__(self, count: int) -> Expression:
        return Binary("lshr", self, Constant(count))

    def __invert__(self) -> Expression:
        return Binary("xor", self, Constant(WORD_MASK))


class Constant(Expression, msgspec.Struct, frozen=True):
    """A number of 64 bits."""

    value: int


class Register(Expression, msgspec.Struct, frozen=True):
    """A storage of `vm.facts.registers`, by name."""

    name: str

    @property
    def storage(self) -> int:
        """Its index."""
        return STORAGE_INDEX[self.name]


class Msr(Expression, msgspec.Struct, frozen=True):
    """A model-specific register; STAR, LSTAR and FMASK have a native form."""

    number: int


class Operand(Expression, msgspec.Struct, frozen=True):
    """The operand in the encoding of the instruction at a site (machine.processor.OperandKind)."""


class OperandRegister(Expression, msgspec.Struct, frozen=True):
    """The general register whose number that operand is."""


class PrivilegeLevel(Expression, msgspec.Struct, frozen=True):
    """The level of the guest's code, 0 (kernel) to 3 (user), as the machine models it."""


class Binary(Expression, msgspec.Struct, frozen=True):
    """An operation, named as LLVM names it."""

    operation: str
    left: Expression
    right: Expression


OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "shl": operator.lshift,
    "lshr": operator.rshift,
    "eq": operator.eq,
    "ugt": operator.gt,
}
COMPARISONS = ("eq", "ugt")


def _expression(value: Expression | int) -> Expression:
    return value if isinstance(value, Expression) else Constant(value & WORD_MASK)


class Registers(Protocol):
    """The registers of a stopped CPU."""

    def read(self, storage: int) -> int:
        """A register's value."""
        ...


class Processor(Protocol):
    """What expressions read: a stopped CPU."""

    @property
    def registers(self) -> Registers:
        """Its registers."""
        ...

    @property
    def privilege_level(self) -> int:
        """Of the guest's code."""
        ...

    def read_msr(self, number: int) -> int:
        """A model-specific register."""
        ...


def evaluate(expression: Expression, cpu: Processor, operand: int = 0) -> int:
    """The value of an expression, 0 to 2^64 - 1; `operand` is that of the instruction."""
    match expression:
        case Constant(value):
            return value
        case Register():
            return cpu.registers.read(expression.storage)
        case Msr(number):
            return cpu.read_msr(number)
        case Operand():
            return operand
        case OperandRegister():
            return cpu.registers.read(operand)
        case PrivilegeLevel():
            return cpu.privilege_level
        case Binary(operation, left, right):
            return OPERATIONS[operation](evaluate(left, cpu, operand), evaluate(right, cpu, operand)) & WORD_MASK
    raise AssertionError(f"{expression} is no expression")


# --- sources: where the guest leaves its code


class Hooked(msgspec.Struct, frozen=True):
    """An instruction for which the emulator has a hook of its own: SYSCALL."""

    length: int


class AtAddress(msgspec.Struct, frozen=True):
    """Whatever instruction starts at the address that the event's parameter of this name gives."""

    parameter: str


class Accessing(msgspec.Struct, frozen=True):
    """An instruction that accesses a byte of the event's range in one of these ways: READ, WRITE or EXECUTE.

    `$context` is the address of the access.
    """

    rights: int

    @staticmethod
    def is_physical(parameters: Mapping[str, int]) -> bool:
        """Whether the range is one of physical addresses."""
        return parameters.get("space") == AddressSpace.PHYSICAL

    @staticmethod
    def range_of(parameters: Mapping[str, int]) -> tuple[int, int]:
        """The first and the last byte of the range."""
        first, length = parameters.get("from", 0), parameters.get("length")
        return first, parameters.get("to", 0) if length is None else first + length - 1


class Raised(msgspec.Struct, frozen=True):
    """An instruction that raises an exception. `$context` is the vector."""


class ChangingMode(msgspec.Struct, frozen=True):
    """The first instruction that a thread executes in user or kernel mode after the other one."""


class Traced(msgspec.Struct, frozen=True):
    """The end of a single step that a script has asked for. `$context` is the type of the step."""


class Arriving(msgspec.Struct, frozen=True):
    """An interrupt, between two instructions. `$context` is the vector."""


# An InstructionPattern is found where code is translated.
Source = Hooked | InstructionPattern | AtAddress | Accessing | Raised | ChangingMode | Traced | Arriving

# --- effects


class Assign(msgspec.Struct, frozen=True):
    """A register's new value; all values of an effect are computed before the first one is written."""

    register: str
    value: Expression

    @property
    def storage(self) -> int:
        """The index of the register."""
        return STORAGE_INDEX[self.register]


class ToLevel(msgspec.Struct, frozen=True):
    """The code that follows is the kernel's, on privilege level 0; or the program's, on that of the program."""

    is_kernel: bool


class ByProcessor(msgspec.Struct, frozen=True):
    """The emulator executes the instruction; a post stage waits behind it."""


class Correction(msgspec.Struct, frozen=True):
    """What the emulator would get wrong where `when` is not 0: these assignments are made, and RIP is behind."""

    when: Expression
    effect: tuple[Assign, ...]


Step = Assign | ToLevel
Effect = tuple[Step, ...] | ByProcessor
BY_PROCESSOR = ByProcessor()


Check = Callable[["EventDefinition", "Registry"], None]
NEVER = Constant(0)
ALL_BITS = Constant(WORD_MASK)


def _no_check(definition: EventDefinition, registry: Registry) -> None:
    pass


def _as_it_is(definition: EventDefinition) -> EventDefinition:
    return definition


def _all_bits(parameters: Mapping[str, int]) -> int:
    return WORD_MASK


class Exit(msgspec.Struct, frozen=True):
    """A kind of event.

    `parameter` names the own parameter that is compared with the context, where it is given and not `all_value`. The
    context is that of the pre stage in both stages, unless it is `read_anew` for each event. Besides, an event is meant
    only if one of the `bits`, as they are in the pre stage, is in the `mask` that its own parameters come to.

    Above level 0, where `refused` is not 0, the processor raises an exception, and there is no exit. `raises` is that
    exception where events raise it, since the processor's ports leave it to them. An instruction
    that the emulator does not have, and that has the effect `by the processor`, assigns `made_up` while events of the
    kind exist, and the guest goes on behind it; None: it is undefined. One that it has, and gets wrong now and then,
    may have a `correction`, which events make, since the CPU leaves it to them. With `once`, all iterations of a REP
    instruction are one exit, and none is none. `check` is what the kind adds to the checks of a registration; it raises
    RegistrationError. `meant` is what the kind makes of a definition that is registered.
    """

    kind: EventKind
    source: Source
    context: Expression
    effect: Effect
    parameter: str | None = None
    all_value: int | None = EVERYTHING
    read_anew: bool = False
    bits: Expression = ALL_BITS
    mask: Callable[[Mapping[str, int]], int] = _all_bits
    refused: Expression = NEVER
    raises: Vector | None = None
    made_up: tuple[Assign, ...] | None = None
    correction: Callable[[], Correction | None] | None = None
    once: bool = False
    check: Check = _no_check
    meant: Callable[[EventDefinition], EventDefinition] = _as_it_is

    def wanted(self, parameters: Mapping[str, int]) -> int | None:
        """The context that an event with these own parameters asks for; None for every one."""
        value = None if self.parameter is None else parameters.get(self.parameter)
        return None if value == self.all_value else value
