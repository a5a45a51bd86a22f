"""The first instruction of a thread in another mode: `!mode` (events-and-commands B.7, C.2).

The mode is that of the selector in CS, which a system call changes in programs of every privilege level.
"""

from __future__ import annotations

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, ChangingMode, Exit, Register
from machine.events.registry import RegistrationError, Registry
from vm.facts.errors import ErrorNumber
from vm.facts.events import MODE, ExecutionMode


def _check(definition: EventDefinition, registry: Registry) -> None:
    if definition.parameters.get("mode") not in tuple(ExecutionMode):
        raise RegistrationError(ErrorNumber.EXECUTION_MODE_INVALID)


EXIT = Exit(
    MODE,
    ChangingMode(),
    context=Register("cs") & ExecutionMode.USER,
    parameter="mode",
    all_value=ExecutionMode.USER_AND_KERNEL,
    effect=BY_PROCESSOR,
    check=_check,
)
