"""Events: what a user defined (definition, registry), what then happens (dispatch)."""

from __future__ import annotations

from machine.events import sdk
from machine.events.blocks import RootActions, block_of
from machine.events.definition import RETURN, Action, BreakAction, CallAction, CodeAction, EventDefinition, ScriptAction
from machine.events.dispatch import BlockKind, Dispatcher, Surroundings, Trigger
from machine.events.exceptions import is_raised
from machine.events.exit import (
    ALL_BITS,
    COMPARISONS,
    NEVER,
    Assign,
    AtAddress,
    Binary,
    ByProcessor,
    Constant,
    Exit,
    Expression,
    Hooked,
    Msr,
    Operand,
    OperandRegister,
    PrivilegeLevel,
    Register,
    Step,
    ToLevel,
)
from machine.events.instructions import Arrivals, Waiting
from machine.events.registry import (
    Event,
    EventCells,
    EventsOfKind,
    Facts,
    RegistrationError,
    Registry,
    require_emulated,
)
from machine.events.sources import Sources
from machine.events.system_calls import KERNEL_BITS, Sides, WayBack

__all__ = [
    "ALL_BITS",
    "COMPARISONS",
    "KERNEL_BITS",
    "NEVER",
    "RETURN",
    "Action",
    "Arrivals",
    "Assign",
    "AtAddress",
    "Binary",
    "BlockKind",
    "BreakAction",
    "ByProcessor",
    "CallAction",
    "CodeAction",
    "Constant",
    "Dispatcher",
    "Event",
    "EventCells",
    "EventDefinition",
    "EventsOfKind",
    "Exit",
    "Expression",
    "Facts",
    "Hooked",
    "Msr",
    "Operand",
    "OperandRegister",
    "PrivilegeLevel",
    "Register",
    "RegistrationError",
    "Registry",
    "RootActions",
    "ScriptAction",
    "Sides",
    "Sources",
    "Step",
    "Surroundings",
    "ToLevel",
    "Trigger",
    "Waiting",
    "WayBack",
    "block_of",
    "is_raised",
    "require_emulated",
    "sdk",
]
