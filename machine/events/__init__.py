"""Events: what a user defined (definition, registry), what then happens (dispatch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.events import sdk as sdk
    from machine.events.blocks import RootActions as RootActions, block_of as block_of
    from machine.events.definition import (
        RETURN as RETURN,
        Action as Action,
        BreakAction as BreakAction,
        CallAction as CallAction,
        CodeAction as CodeAction,
        EventDefinition as EventDefinition,
        ScriptAction as ScriptAction,
    )
    from machine.events.dispatch import (
        BlockKind as BlockKind,
        Dispatcher as Dispatcher,
        Surroundings as Surroundings,
        Trigger as Trigger,
    )
    from machine.events.exceptions import is_raised as is_raised
    from machine.events.exit import (
        ALL_BITS as ALL_BITS,
        COMPARISONS as COMPARISONS,
        NEVER as NEVER,
        Assign as Assign,
        AtAddress as AtAddress,
        Binary as Binary,
        ByProcessor as ByProcessor,
        Constant as Constant,
        Exit as Exit,
        Expression as Expression,
        Hooked as Hooked,
        Msr as Msr,
        Operand as Operand,
        OperandRegister as OperandRegister,
        PrivilegeLevel as PrivilegeLevel,
        Register as Register,
        Step as Step,
        ToLevel as ToLevel,
    )
    from machine.events.instructions import Arrivals as Arrivals, Waiting as Waiting
    from machine.events.registry import (
        Event as Event,
        EventCells as EventCells,
        EventsOfKind as EventsOfKind,
        Facts as Facts,
        RegistrationError as RegistrationError,
        Registry as Registry,
        require_emulated as require_emulated,
    )
    from machine.events.sources import Sources as Sources
    from machine.events.system_calls import (
        KERNEL_BITS as KERNEL_BITS,
        Sides as Sides,
        WayBack as WayBack,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "blocks": "RootActions block_of",
            "definition": "Action BreakAction CallAction CodeAction EventDefinition RETURN ScriptAction",
            "dispatch": "BlockKind Dispatcher Surroundings Trigger",
            "exceptions": "is_raised",
            "exit": "ALL_BITS Assign AtAddress Binary ByProcessor COMPARISONS Constant Exit Expression Hooked "
            "Msr NEVER Operand OperandRegister PrivilegeLevel Register Step ToLevel",
            "instructions": "Arrivals Waiting",
            "registry": "Event EventCells EventsOfKind Facts RegistrationError Registry require_emulated",
            "sources": "Sources",
            "system_calls": "KERNEL_BITS Sides WayBack",
        },
        late="iterations",
    )
