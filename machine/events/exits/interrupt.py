"""External interrupts: `!interrupt` (events-and-commands B.7, C.2; Intel SDM volume 3A, chapter 6)."""

from __future__ import annotations

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, Arriving, Constant, Exit
from machine.events.registry import RegistrationError, Registry
from machine.processor import EXCEPTION_VECTORS
from vm.facts.errors import ErrorNumber
from vm.facts.events import INTERRUPT

_VECTORS = range(EXCEPTION_VECTORS, 0x100)


def _check(definition: EventDefinition, registry: Registry) -> None:
    """One of the vectors that are not those of exceptions; there is no event for all of them."""
    if definition.parameters.get("vector") not in _VECTORS:
        raise RegistrationError(ErrorNumber.INTERRUPT_INDEX)


EXIT = Exit(
    INTERRUPT, Arriving(), context=Constant(0), parameter="vector", all_value=None, effect=BY_PROCESSOR, check=_check
)
"""The vector stands in for the constant (machine.events.interrupts)."""
