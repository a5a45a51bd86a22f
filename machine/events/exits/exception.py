"""Exceptions: `!exception` (events-and-commands B.7, C.2; Intel SDM volume 3A, chapter 6; volume 3C, section 26.2)."""

from __future__ import annotations

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, EVERYTHING, Constant, Exit, Raised
from machine.events.registry import RegistrationError, Registry
from machine.processor import EXCEPTION_VECTORS
from vm.facts.errors import ErrorNumber
from vm.facts.events import EXCEPTION


def _check(definition: EventDefinition, registry: Registry) -> None:
    """The first 32 vectors, which v0.23 means as well, and refuses the last of (Z21)."""
    vector = definition.parameters.get("vector", EVERYTHING)
    if vector != EVERYTHING and vector >= EXCEPTION_VECTORS:
        raise RegistrationError(ErrorNumber.EXCEPTION_INDEX)


EXIT = Exit(EXCEPTION, Raised(), context=Constant(0), parameter="vector", effect=BY_PROCESSOR, check=_check)
"""The vector stands in for the constant (machine.events.exceptions)."""
