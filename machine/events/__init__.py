"""Events: what a user defined (definition, registry), what then happens (dispatch)."""

from __future__ import annotations

from machine.events import sdk
from machine.events.addresses import ExecutionHooks
from machine.events.blocks import RootActions, block_of
from machine.events.debug_registers import DebugRegisterMoves
from machine.events.definition import Action, BreakAction, CodeAction, EventDefinition, ScriptAction
from machine.events.dispatch import BlockKind, Dispatcher, Surroundings, Trigger
from machine.events.exceptions import Exceptions, is_raised
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
from machine.events.instructions import Arrivals, Instructions, Waiting
from machine.events.interrupts import Interrupts
from machine.events.memory import Monitors
from machine.events.modes import Modes
from machine.events.registry import (
    Event,
    EventCells,
    EventsOfKind,
    Facts,
    RegistrationError,
    Registry,
    require_emulated,
)
from machine.events.system_calls import KERNEL_BITS, Sides, SystemCalls, WayBack
from machine.events.traces import Traces

__all__ = [
    "ALL_BITS",
    "COMPARISONS",
    "KERNEL_BITS",
    "NEVER",
    "Action",
    "Arrivals",
    "Assign",
    "AtAddress",
    "Binary",
    "BlockKind",
    "BreakAction",
    "ByProcessor",
    "CodeAction",
    "Constant",
    "DebugRegisterMoves",
    "Dispatcher",
    "Event",
    "EventCells",
    "EventDefinition",
    "EventsOfKind",
    "Exceptions",
    "ExecutionHooks",
    "Exit",
    "Expression",
    "Facts",
    "Hooked",
    "Instructions",
    "Interrupts",
    "Modes",
    "Monitors",
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
    "Step",
    "Surroundings",
    "SystemCalls",
    "ToLevel",
    "Traces",
    "Trigger",
    "Waiting",
    "WayBack",
    "block_of",
    "is_raised",
    "require_emulated",
    "sdk",
]
