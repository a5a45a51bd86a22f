"""What one event command says, as data: the trigger, its filters and its actions. Nothing here changes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from vm import Loaded
from vm.facts.events import Detection, EventKind
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from machine.events.dispatch import Trigger

TAG_BASE = 0x100_0000  # tag = TAG_BASE + id
RETURN = b"\xc3"  # HyperDbg appends a near return to every condition and code block


class ActionKind(IntEnum):
    """The kinds of actions, by the numbers of HyperDbg's SDK, which has no CALL."""

    BREAK = 0
    SCRIPT = 1
    CODE = 2
    CALL = 3


class BreakAction(msgspec.Struct, frozen=True):
    """Halt and hand control to the debugger."""

    kind = ActionKind.BREAK


class ScriptAction(msgspec.Struct, frozen=True, eq=False):
    """Run a loaded program."""

    program: Loaded
    kind = ActionKind.SCRIPT


class CodeAction(msgspec.Struct, frozen=True):
    """Run machine code in vmx-root mode. The return that ends it is part of `code`."""

    code: bytes
    kind = ActionKind.CODE


class CallAction(msgspec.Struct, frozen=True, eq=False):
    """Call a function of the host's while the trigger holds the guest; what it raises ends the run and is raised there.

    With cores in parallel it is called in the thread of its core, by one core at a time. One that `looks_on` writes
    nothing of the guest or the trigger: there is less to do around it.
    """

    function: Callable[[Trigger], None]
    looks_on: bool = False
    kind = ActionKind.CALL


Action = BreakAction | ScriptAction | CodeAction | CallAction


class EventDefinition(msgspec.Struct, frozen=True, eq=False):
    """One event. `None` as a filter lets everything pass.

    `parameters` are the kind's own ones by name; `actions` run in this order: by convention the
    script first, then the code, then the break (events-and-commands B.4). `command` is the text that `events` shows.
    """

    id: int
    kind: EventKind
    command: str
    parameters: Mapping[str, int] = msgspec.field(default_factory=dict)
    process_id: int | None = None
    core: int | None = None
    stage: Stage = Stage.PRE
    short_circuit: bool = False
    immediate: bool = True
    buffer_size: int = 0
    condition: bytes | None = None
    actions: tuple[Action, ...] = ()
    outputs: tuple[str, ...] = ()
    detection: Detection = Detection.READ_BYTES
    any_byte: bool = False  # of an access to memory counts, as for debug registers, and not the first one alone

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The machine code of the condition and of the actions."""
        codes = tuple(action.code for action in self.actions if isinstance(action, CodeAction))
        return codes if self.condition is None else (self.condition, *codes)

    @property
    def tag(self) -> int:
        """HyperDbg's name for the event."""
        return TAG_BASE + self.id
