"""The interface of a system-call model, and what the models share.

A model is asked after SYSCALL has entered the kernel (rcx = return address, r11 = flags) and answers in rax. The return
to user mode is not its business (`machine.system_call.return_to_user`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from machine.process import Process


@dataclass(frozen=True)
class EntryPoint:
    """The system-call MSRs that a kernel sets up."""

    star: int
    lstar: int
    fmask: int


class Kernel(Protocol):
    """A system-call model. `unknown_calls` counts the calls that it did not carry out, by number."""

    name: ClassVar[str]
    entry: ClassVar[EntryPoint]
    unknown_calls: Counter[int]

    def system_call(self, process: Process) -> None:
        """Carry out the call whose number is in rax; the result goes to rax. May end the process."""
        ...


@dataclass
class UnknownCalls:
    """The part of a kernel that counts what it does not know."""

    unknown_calls: Counter[int] = field(default_factory=Counter)
