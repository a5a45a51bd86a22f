"""The two ways into the kernel: how a call made by SYSCALL, and one made by INT 0x80, is read and carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from machine.kernel.abi import Call, narrowed
from machine.kernel.linux.calls import call_of
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import ARCH_I386, ARCH_X86_64, NAMES, NAMES_386, NUMBERS
from machine.kernel.linux.refused import REFUSED
from machine.kernel.outcomes import Result
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel.linux.task import Task


class Plan(msgspec.Struct, frozen=True):
    """How one call is carried out: a storage and a conversion for each argument, made when a program first calls it."""

    answer: Callable[..., Result]
    arguments: tuple[tuple[int, Callable[[Task, int], object] | None], ...]


class CallingConvention(msgspec.Struct, frozen=True):
    """The calls that a way into the kernel leads to, by number, and where their arguments are."""

    architecture: int  # AUDIT_ARCH_*
    names: Mapping[int, str]
    first_count: int  # that of its call 0 among the unknown ones
    call_of: Callable[[int], Call | None]
    arguments: tuple[int, ...]  # storages
    is_short: bool = False  # 32 bits of them
    plans: dict[int, Plan] = msgspec.field(default_factory=dict)

    def plan(self, number: int) -> Plan | None:
        """The plan of a call that is carried out."""
        if number not in self.plans and (call := self.call_of(number)) is not None:
            self.plans[number] = self._plan_of(call)
        return self.plans.get(number)

    def _plan_of(self, call: Call) -> Plan:
        decoders = (narrowed(each).decode if self.is_short else each.decode for each in call.arguments)
        return Plan(call.answer, tuple(zip(self.arguments, decoders, strict=False)))

    def refusal(self, number: int) -> Errno:
        """With what a call fails that is not carried out."""
        return REFUSED.get(NUMBERS.get(self.names.get(number, ""), -1), Errno.ENOSYS)


def _storages(registers: str) -> tuple[int, ...]:
    return tuple(STORAGE_INDEX[name] for name in registers.split())


def _interrupt_call_of(number: int) -> Call | None:
    from machine.kernel.linux.calls import INTERRUPT_CALLS

    return INTERRUPT_CALLS.get(number)


SYSCALL = CallingConvention(ARCH_X86_64, NAMES, 0, call_of, _storages("rdi rsi rdx r10 r8 r9"))
INT80 = CallingConvention(
    ARCH_I386, NAMES_386, 1 << 32, _interrupt_call_of, _storages("rbx rcx rdx rsi rdi rbp"), is_short=True
)


def call_name(number: int) -> str | None:
    """The name of a call by its number among the unknown ones."""
    if number in NAMES:
        return NAMES[number]
    short = number - INT80.first_count
    return f"{NAMES_386.get(short, f'{short:x}')} (int 0x80)" if 0 <= short < 1 << 32 else None
