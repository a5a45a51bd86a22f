"""Registration in the shape of HyperDbg's programming interface (events-and-commands B.14 and D.7).

    from machine.events import sdk
    event = sdk.register(
        machine.registry,
        sdk.EventDetail("SYSCALL_HOOK_EFER_SYSCALL", optional_parameters=(0x55,)),
        [sdk.Action.script(loaded), sdk.Action.custom_code(b"\\x90\\x90")],
    )

An event may have several actions of one kind here, which no command can say. What is refused is a RegistrationError,
which carries HyperDbg's number.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from machine.events import definition as model
from machine.events.definition import RETURN, ActionKind, BreakAction, CodeAction, EventDefinition, ScriptAction
from machine.events.registry import Event, RegistrationError, Registry
from vm import Loaded
from vm.facts.errors import ErrorNumber
from vm.facts.events import EVENT_KINDS, GIVEN, SYSTEM_CALL_FAMILY, Detection, EventKind
from vm.facts.stages import Stage

APPLY_TO_ALL = 0xFFFF_FFFF  # cores, processes, system calls, ports, ...

KIND_BY_SDK_NAME: dict[str, EventKind] = {kind.sdk_name: kind for kind in EVENT_KINDS}
KIND_BY_NUMBER: dict[int, EventKind] = {kind.number: kind for kind in EVENT_KINDS}


class EventDetail(msgspec.Struct, frozen=True):
    """DEBUGGER_GENERAL_EVENT_DETAIL: the trigger. `event_type` is a name or a number of the SDK's enumeration.

    `optional_parameters` are OptionalParam1 and those that follow; `stage` is 1 pre, 2 post, 3 all.
    """

    event_type: str | int
    optional_parameters: tuple[int, ...] = ()
    core_id: int = APPLY_TO_ALL
    process_id: int = APPLY_TO_ALL
    stage: int = Stage.PRE
    enable_short_circuiting: bool = False
    condition: bytes | None = None
    output_sources: tuple[str, ...] = ()
    command: str = ""


class Action(msgspec.Struct, frozen=True):
    """DEBUGGER_GENERAL_ACTION: what is done. `action_type` is a number of the SDK: 0 break, 1 script, 2 custom code."""

    action_type: int
    program: Loaded | None = None
    code: bytes = b""
    pre_allocated_buffer: int = 0
    immediate_message_passing: bool = True

    @classmethod
    def break_to_debugger(cls) -> Action:
        """Halt."""
        return cls(ActionKind.BREAK)

    @classmethod
    def script(cls, program: Loaded, *, buffer: int = 0, immediate: bool = True) -> Action:
        """Run a loaded program."""
        return cls(ActionKind.SCRIPT, program=program, pre_allocated_buffer=buffer, immediate_message_passing=immediate)

    @classmethod
    def custom_code(cls, code: bytes, *, buffer: int = 0) -> Action:
        """Run machine code; a near return is appended to it."""
        return cls(ActionKind.CODE, code=code, pre_allocated_buffer=buffer)


def register(registry: Registry, detail: EventDetail, actions: Sequence[Action]) -> Event:
    """Register an event with its actions. Raises RegistrationError; nothing is registered then, but an id is used up.

    Actions share one buffer size, the largest that any asks for, and messages are immediate unless all say otherwise.
    """
    event_id = registry.take_id()
    return registry.register(_definition(event_id, detail, actions))


def _definition(event_id: int, detail: EventDetail, actions: Sequence[Action]) -> EventDefinition:
    kind = _kind(detail.event_type)
    if detail.stage not in tuple(Stage):
        raise RegistrationError(ErrorNumber.EVENT_IS_NOT_APPLIED, f"there is no calling stage {detail.stage}")
    return EventDefinition(
        id=event_id,
        kind=kind,
        command=detail.command or kind.name,
        parameters=_parameters(kind, detail.optional_parameters),
        process_id=_unless_all(detail.process_id),
        core=_unless_all(detail.core_id),
        stage=Stage(detail.stage),
        short_circuit=detail.enable_short_circuiting,
        immediate=any(action.immediate_message_passing for action in actions) or not actions,
        buffer_size=max((action.pre_allocated_buffer for action in actions), default=0),
        condition=None if detail.condition is None else detail.condition + RETURN,
        actions=tuple(_action(action) for action in actions),
        outputs=detail.output_sources,
        detection=_detection(kind, detail.optional_parameters),
    )


def _kind(event_type: str | int) -> EventKind:
    kind = KIND_BY_SDK_NAME.get(event_type) if isinstance(event_type, str) else KIND_BY_NUMBER.get(event_type)
    if kind is None:
        raise RegistrationError(ErrorNumber.EVENT_TYPE_INVALID, f"there is no event type {event_type}")
    return kind


def _unless_all(value: int) -> int | None:
    return None if value == APPLY_TO_ALL else value


def _parameters(kind: EventKind, values: tuple[int, ...]) -> dict[str, int]:
    """The kind's own parameters by name; behind GIVEN the next one counts only if that is not 0."""
    named = dict(zip(kind.sdk_parameters, values, strict=False))
    return {} if named.pop(GIVEN, 1) == 0 else named


def _detection(kind: EventKind, values: tuple[int, ...]) -> Detection:
    if kind not in SYSTEM_CALL_FAMILY or len(values) < 2:
        return Detection.READ_BYTES
    try:
        return Detection(values[1])
    except ValueError:
        raise RegistrationError(
            ErrorNumber.EVENT_IS_NOT_APPLIED, f"OptionalParam2 is 0 or 1, not {values[1]:x}"
        ) from None


def _action(action: Action) -> model.Action:
    if action.action_type == ActionKind.BREAK:
        return BreakAction()
    if action.action_type == ActionKind.SCRIPT and action.program is not None:
        return ScriptAction(action.program)
    if action.action_type == ActionKind.CODE:
        return CodeAction(action.code + RETURN if action.code else b"")
    raise RegistrationError(ErrorNumber.INVALID_ACTION_TYPE, f"there is no action type {action.action_type:x}")
