"""What a system call is: one function whose typed signature is its argument table, found by a decorator.

    @call("dup2")
    def dup2(task: Task, fd: Fd, target: Fd) -> int: ...

The first parameter is the thread that asks. The others stand in the order of the kernel's argument registers; their
types say how the 64 bits of a register become a value. The result is what the program finds in rax, or an outcome
(machine.kernel.outcomes). Kernels add types of their own, such as paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

import msgspec

from machine.kernel.outcomes import Result

_LOW = 0xFFFF_FFFF


class Argument(msgspec.Struct, frozen=True):
    """How an argument is read: `decode(thread, word)` of the 64 bits that were passed; None for the bits themselves."""

    doc: str
    decode: Callable[[Any, int], object] | None = None


def _int(_thread: object, word: int) -> int:
    return (word & _LOW ^ 0x8000_0000) - 0x8000_0000


def _uint(_thread: object, word: int) -> int:
    return word & _LOW


def _long(_thread: object, word: int) -> int:
    return (word ^ 1 << 63) - (1 << 63)


Int: TypeAlias = Annotated[int, Argument("a signed integer of 32 bits", _int)]
UInt: TypeAlias = Annotated[int, Argument("an unsigned integer of 32 bits", _uint)]
Long: TypeAlias = Annotated[int, Argument("a signed integer of 64 bits", _long)]
Word: TypeAlias = Annotated[int, Argument("an unsigned integer of 64 bits")]
Address: TypeAlias = Annotated[int, Argument("an address")]


def narrowed(argument: Argument) -> Argument:
    """The same of a register of 32 bits: signed numbers are extended by their sign."""
    decode = argument.decode
    if decode is None or decode is _long:
        return Argument(argument.doc, _uint if decode is None else _int)
    return Argument(argument.doc, lambda thread, word: decode(thread, word & _LOW))


Answer = TypeVar("Answer", bound=Callable[..., Result])


class Call(msgspec.Struct, frozen=True, dict=True):
    """One system call that is carried out: `answer(thread, *arguments)` is what it comes to."""

    number: int
    name: str
    answer: Callable[..., Result]

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """How its arguments are read, by the signature of its function. The first parameter is the thread."""
        hints = get_type_hints(self.answer, include_extras=True)
        code = self.answer.__code__
        return tuple(hints[name].__metadata__[0] for name in code.co_varnames[1 : code.co_argcount])


class CallTable(dict[int, Call]):
    """The calls of one kernel by number, in the order of their functions; `numbers` are all that the kernel has."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        super().__init__()
        self._numbers = numbers

    def call(self, *names: str) -> Callable[[Answer], Answer]:
        """The function carries out the calls of these names. Raises KeyError; ValueError for a second one."""

        def add(answer: Answer) -> Answer:
            for name in names:
                number = self._numbers[name]
                if number in self:
                    raise ValueError(f"{name} is carried out twice")
                self[number] = Call(number, name, answer)
            return answer

        return add
