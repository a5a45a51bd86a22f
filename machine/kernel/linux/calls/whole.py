"""All calls: those of SYSCALL and of INT 0x80."""

from __future__ import annotations

from machine.kernel.linux.abi import CALLS, INTERRUPT_CALLS
from machine.kernel.linux.calls import (
    interrupt,
    interrupt_resources,  # noqa: F401 - its calls are there when it is loaded, as those of the next one
    interrupt_times,  # noqa: F401
)
from machine.kernel.linux.calls.families import HOMES, call_of

for _number in HOMES:
    call_of(_number)
interrupt.take_over()

__all__ = ["CALLS", "INTERRUPT_CALLS"]
