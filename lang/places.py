"""Places: expressions that designate something with a type which can be read and, mostly, written (language.md 1.3).

A Place knows how to be loaded, stored and pinned (its address computed once, for `op=`). Arrays reached through a name
or a member carry the size of the whole array, against which the address of a base element is checked (9.1).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from lang import typed as t
from lang.operations import add_offset, operation, scaled
from lang.source import Span
from lang.types import I64, U64, Array, Float, Pointer, Type
from vm.facts.registers import REGISTERS


class Place(msgspec.Struct, frozen=True):
    """One of: a local scalar, a global scalar, a register, or memory at an address (all objects with an address)."""

    type: Type
    span: Span
    variable: t.Variable | None = None
    global_variable: t.GlobalVariable | None = None
    register: int | None = None
    address: t.Value | None = None
    array_bytes: int | None = None  # of the array as a whole, while `type` is a part of it that is an array
    array_offset: t.Value | None = None  # bytes from its start to this part; None is 0
    typed: bool = True  # a declaration gave it its type; U64 otherwise

    def load(self) -> t.Value:
        """The value of a scalar; an array is the address of its first base element (9.2)."""
        if isinstance(self.type, Array):
            return replace(self.location(), type=Pointer(self.type.base), span=self.span)
        if self.variable is not None and self.address is None:
            return t.ReadVariable(self.type, self.span, self.variable)
        if self.global_variable is not None and self.address is None:
            return t.ReadGlobal(self.type, self.span, self.global_variable)
        if self.register is not None:
            return t.ReadRegister(I64, self.span, self.register)
        assert self.address is not None
        return t.Load(self.type, self.span, self.address, self.type)

    def store(self, value: t.Value, span: Span) -> t.Statement:
        """Write a value of the place's type."""
        if self.address is not None:
            return t.StoreMemory(span, self.address, value, self.type.size)
        if self.variable is not None:
            return t.StoreVariable(span, self.variable, value)
        if self.global_variable is not None:
            return t.StoreGlobal(span, self.global_variable, value)
        assert self.register is not None
        return t.StoreRegister(span, self.register, value)

    def location(self) -> t.Value:
        """The address, as U64. The place must have one; a local variable moves into memory for it."""
        if self.address is not None:
            offset = self.array_offset
            if offset is None:
                return self.address
            if isinstance(offset, t.Constant):
                return add_offset(self.address, offset.bits)
            return operation("ADD", U64, self.span, self.address, offset)
        if self.variable is not None:
            self.variable.in_memory = True
            return t.AddressOfVariable(U64, self.span, self.variable)
        assert self.global_variable is not None
        return t.AddressOfGlobal(U64, self.span, self.global_variable)

    def element(self, index: t.Value, span: Span) -> Place:
        """`place[index]` of an array; a base element is checked against the whole array."""
        assert isinstance(self.type, Array)
        assert self.address is not None
        element = self.type.element
        whole = self.type.size if self.array_bytes is None else self.array_bytes
        offset = scaled(index, element.size)
        if self.array_offset is not None:
            offset = operation("ADD", U64, span, self.array_offset, offset)
        if isinstance(element, Array):
            return Place(element, span, address=self.address, array_bytes=whole, array_offset=offset)
        if isinstance(offset, t.Constant) and offset.bits < whole:
            return Place(element, span, address=add_offset(self.address, offset.bits))
        checked = t.Bounded(U64, span, offset, whole)
        return Place(element, span, address=t.Operation(U64, span, "ADD", (self.address, checked)))

    def pinned(self, temporary: Callable[[Type], t.Variable]) -> tuple[list[t.Statement], Place]:
        """Statements that compute the address once, and the place at that address."""
        if self.address is None or isinstance(self.address, t.AddressOfVariable | t.AddressOfGlobal | t.Constant):
            return [], self
        holder = temporary(U64)
        pinned = replace(self, address=t.ReadVariable(U64, self.span, holder))
        return [t.StoreVariable(self.span, holder, self.address)], pinned

    @property
    def is_float(self) -> bool:
        """Whether it holds a floating-point number."""
        return isinstance(self.type, Float)

    @property
    def name(self) -> str:
        """How messages call it."""
        if self.variable is not None:
            return f"`{self.variable.name}`"
        if self.global_variable is not None:
            return f"`.{self.global_variable.name}`"
        return f"`@{REGISTERS[self.register].name}`" if self.register is not None else "this place"
