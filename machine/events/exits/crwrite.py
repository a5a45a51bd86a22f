"""MOV to CR0 or CR4: `!crwrite` (events-and-commands C.2; Intel SDM volume 2B, MOV; volume 3C, section 25.1.3)."""

from __future__ import annotations

from collections.abc import Mapping

from machine.events.definition import EventDefinition
from machine.events.exit import (
    BY_PROCESSOR,
    WORD_MASK,
    Constant,
    Exit,
    OperandRegister,
    PrivilegeLevel,
    Register,
)
from machine.events.registry import RegistrationError, Registry
from machine.processor import InstructionPattern, OperandKind
from vm.facts.errors import ErrorNumber
from vm.facts.events import CRWRITE

_REGISTERS = {0: "cr0", 4: "cr4"}


def _check(definition: EventDefinition, registry: Registry) -> None:
    if definition.parameters.get("register") not in _REGISTERS:
        raise RegistrationError(ErrorNumber.INVALID_REGISTER_NUMBER, "the register is CR0 or CR4")


def _mask(parameters: Mapping[str, int]) -> int:
    return parameters.get("mask", WORD_MASK)


FORMS = tuple(
    Exit(
        CRWRITE,
        InstructionPattern(b"\x0f\x22", register=number, operand=OperandKind.REGISTER),
        context=Constant(number),
        parameter="register",
        bits=OperandRegister() ^ Register(name),
        mask=_mask,
        refused=PrivilegeLevel(),
        effect=BY_PROCESSOR,
        check=_check,
    )
    for number, name in _REGISTERS.items()
)
