"""Exits: what a kind of event is to the machine, as frozen data that both carriers read.

An exit says where the guest leaves its code (source), what `$context` is, which own parameter of an event is compared
with it, and what the processor does then (effect): assignments of expressions to registers, or `by the processor`.
Expressions are evaluated here and emitted as machine code by `machine.native.expressions`; nothing in this module runs
anything. Each kind's exit stands in its file of `machine.events.exits`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from machine.processor import InstructionPattern
from vm.facts.events import EventKind
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from machine.events.definition import EventDefinition
    from machine.events.registry import Registry

WORD_MASK = (1 << 64) - 1
EVERYTHING = 0xFFFF_FFFF  # of a parameter: no filter, as HyperDbg's interface says

# --- expressions: unsigned 64-bit values of a stopped CPU


class Expression:
    """A value; `+ & | << >> ~` make larger ones. Sums are modulo 2^64, shift counts constants below 64."""

    def __add__(self, other: Expression | int) -> Expression:
        return Binary("add", self, _expression(other))

    def __and__(self, other: Expression | int) -> Expression:
        return Binary("and", self, _expression(other))

    def __or__(self, other: Expression | int) -> Expression:
        return Binary("or", self, _expression(other))

    def __lshift__(self, count: int) -> Expression:
        return Binary("shl", self, Constant(count))

    def __rshift__(self, count: int) -> Expression:
        return Binary("lshr", self, Constant(count))

    def __invert__(self) -> Expression:
        return Binary("xor", self, Constant(WORD_MASK))


@dataclass(frozen=True)
class Constant(Expression):
    """A number of 64 bits."""

    value: int


@dataclass(frozen=True)
class Register(Expression):
    """A storage of `vm.facts.registers`, by name."""

    name: str

    @property
    def storage(self) -> int:
        """Its index."""
        return STORAGE_INDEX[self.name]


@dataclass(frozen=True)
class Msr(Expression):
    """A model-specific register; STAR, LSTAR and FMASK have a native form."""

    number: int


@dataclass(frozen=True)
class Binary(Expression):
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
}


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

    def read_msr(self, number: int) -> int:
        """A model-specific register."""
        ...


def evaluate(expression: Expression, cpu: Processor) -> int:
    """The value of an expression, 0 to 2^64 - 1."""
    match expression:
        case Constant(value):
            return value
        case Register():
            return cpu.registers.read(expression.storage)
        case Msr(number):
            return cpu.read_msr(number)
        case Binary(operation, left, right):
            return OPERATIONS[operation](evaluate(left, cpu), evaluate(right, cpu)) & WORD_MASK
    raise AssertionError(f"{expression} is no expression")


# --- sources: where the guest leaves its code


@dataclass(frozen=True)
class Hooked:
    """An instruction for which the emulator has a hook of its own: SYSCALL."""

    length: int


@dataclass(frozen=True)
class AtAddress:
    """Whatever instruction starts at the address that the event's parameter of this name gives."""

    parameter: str


Source = Hooked | InstructionPattern | AtAddress  # an InstructionPattern is found where code is translated

# --- effects


@dataclass(frozen=True)
class Assign:
    """A register's new value; all values of an effect are computed before the first one is written."""

    register: str
    value: Expression

    @property
    def storage(self) -> int:
        """The index of the register."""
        return STORAGE_INDEX[self.register]


@dataclass(frozen=True)
class ByProcessor:
    """The emulator executes the instruction; a post stage waits behind it."""


Effect = tuple[Assign, ...] | ByProcessor
BY_PROCESSOR = ByProcessor()


Check = Callable[["EventDefinition", "Registry"], None]


def _no_check(definition: EventDefinition, registry: Registry) -> None:
    pass


@dataclass(frozen=True)
class Exit:
    """A kind of event.

    `parameter` names the own parameter that is compared with the context, where it is given and not `all_value`. The
    context is that of the pre stage in both stages, unless it is `read_anew` for each event. `check` is what the kind
    adds to the checks of a registration; it raises RegistrationError.
    """

    kind: EventKind
    source: Source
    context: Expression
    effect: Effect
    parameter: str | None = None
    all_value: int | None = EVERYTHING
    read_anew: bool = False
    check: Check = _no_check

    def wanted(self, parameters: Mapping[str, int]) -> int | None:
        """The context that an event with these own parameters asks for; None for every one."""
        value = None if self.parameter is None else parameters.get(self.parameter)
        return None if value == self.all_value else value
