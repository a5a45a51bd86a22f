"""Behind an instruction that event_trace_* has asked for: `!trace` (events-and-commands C.2, F.3).

`$context` is the type of the step, which v0.23 does not tell (Z42).
"""

from __future__ import annotations

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, Constant, Exit, Traced
from machine.events.registry import RegistrationError, Registry
from vm.facts.errors import ErrorNumber
from vm.facts.events import TRACE, TraceType


def _check(definition: EventDefinition, registry: Registry) -> None:
    if definition.parameters.get("type") not in tuple(TraceType):
        raise RegistrationError(ErrorNumber.TRACE_BAD_OPERATION)


EXIT = Exit(TRACE, Traced(), context=Constant(0), parameter="type", effect=BY_PROCESSOR, check=_check)
