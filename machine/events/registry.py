"""The events of a machine: registration with HyperDbg's checks and error numbers, enabling, disabling, clearing.

Ids count up from 0 and are never used again. An id is taken when a command has been parsed, so a registration that
fails leaves a gap (events-and-commands B.3). Triggers see newer events first, lists show older ones first.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec
from msgspec.structs import replace

from machine.events.definition import CallAction, CodeAction, EventDefinition
from machine.events.exits import exit_of
from machine.memory import MapError
from vm.facts.errors import ErrorNumber
from vm.facts.events import EventKind
from vm.facts.stages import Stage
from vm.native import U64, cells


class RegistrationError(Exception):
    """An event is refused, or an id does not exist; `number` is HyperDbg's error number."""

    def __init__(self, number: ErrorNumber, message: str = "", hints: tuple[str, ...] = ()) -> None:
        message = message or number.text
        super().__init__("\n".join((number.err(message), *hints)))
        self.number = number
        self.message = message
        self.hints = hints


LARGEST_BUFFER = 999  # decimal; HyperDbg refuses 0x3e8 and above


@cells
class EventCells(ctypes.Structure):
    """What machine code reads of an event."""

    enabled: U64


class Counter(Protocol):
    """What machine code counts of an event in one process."""

    triggers: int
    rejections: int
    fuel: int
    time_ns: int


class Event:
    """A registered event: its definition, whether it is enabled, its buffers (one per action), its triggers so far."""

    def __init__(self, definition: EventDefinition, buffers: tuple[int, ...], enabled: bool = True) -> None:
        self.definition = definition
        self.buffers = buffers
        self.faults = 0  # of its scripts
        self.code_faults = 0  # of its condition and code blocks
        self.counters: list[Counter] = []
        self._triggers = self._rejections = self._fuel = self._time_ns = 0  # that Python has counted
        self._cells = EventCells(enabled=int(enabled))

    @property
    def enabled(self) -> bool:
        """Whether the event can fire."""
        return self._cells.enabled != 0

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._cells.enabled = int(enabled)

    @property
    def triggers(self) -> int:
        """How often its actions ran."""
        return self._triggers + sum(counter.triggers for counter in self.counters)

    @property
    def rejections(self) -> int:
        """How often its condition was false."""
        return self._rejections + sum(counter.rejections for counter in self.counters)

    @property
    def fuel(self) -> int:
        """What its scripts have executed, in the unit of `Limits.max_steps`."""
        return self._fuel + sum(counter.fuel for counter in self.counters)

    @property
    def time_ns(self) -> int:
        """Real nanoseconds that its condition and actions took; 0 where they are not measured (`measure_times`)."""
        return self._time_ns + sum(counter.time_ns for counter in self.counters)

    def count_trigger(self) -> None:
        """Its actions run."""
        self._triggers += 1

    def count_rejection(self) -> None:
        """Its condition was false."""
        self._rejections += 1

    def charge(self, fuel: int) -> None:
        """A script of it has used so much."""
        self._fuel += fuel

    def took(self, nanoseconds: int) -> None:
        """Its condition and actions have taken so long."""
        self._time_ns += nanoseconds

    @property
    def address(self) -> int:
        """Of the cells; valid as long as the event lives."""
        return ctypes.addressof(self._cells)


class EventsOfKind(msgspec.Struct, frozen=True):
    """The events of one kind, disabled ones too, newest first: all of them, and those that ask for each stage."""

    all: tuple[Event, ...] = ()
    pre: tuple[Event, ...] = ()
    post: tuple[Event, ...] = ()


_NO_EVENTS = EventsOfKind()


def require_emulated(kind: EventKind) -> None:
    """Raises RegistrationError for a kind of event that this machine does not raise."""
    if not kind.emulated:
        raise RegistrationError(ErrorNumber.EVENT_TYPE_INVALID, f"events of kind {kind.name} are not emulated")


class Facts(msgspec.Struct, frozen=True):
    """What registration must know of the machine.

    `current_process` is the id of the process that a command means when it names none. `is_mapped(pid, first, last)`,
    of all bytes, `is_physical(address)` and `allocate(size)`, an address in the debugger's memory, are the machine's.
    `changed` is called when events of a kind were added or removed.
    """

    core_count: int
    process_ids: Callable[[], Collection[int]]
    current_process: Callable[[], int | None]
    is_mapped: Callable[[int, int, int], bool]
    is_physical: Callable[[int], bool]
    allocate: Callable[[int], int]
    changed: Callable[[EventKind], None]


class Registry(msgspec.Struct):
    """All events that were not cleared."""

    facts: Facts
    ever_registered: list[Event] = msgspec.field(default_factory=list)  # cleared ones too, oldest first
    _events: dict[int, Event] = msgspec.field(default_factory=dict)
    _by_kind: dict[int, EventsOfKind] = msgspec.field(default_factory=dict)
    _next_id: int = 0

    def take_id(self) -> int:
        """The id of the event whose command has just been parsed."""
        taken = self._next_id
        self._next_id += 1
        return taken

    def register(self, definition: EventDefinition) -> Event:
        """Add an event, enabled if it has an action. Raises RegistrationError; nothing is added then."""
        self._check(definition)
        definition = exit_of(definition.kind).meant(definition)
        event = Event(definition, self._allocate_buffers(definition), enabled=bool(definition.actions))
        self._events[definition.id] = event
        self.ever_registered.append(event)
        self._index(definition.kind)
        self.facts.changed(definition.kind)
        return event

    def enable(self, event_id: int) -> None:
        """Let the event fire again. Raises RegistrationError for an unknown id."""
        self.get(event_id).enabled = True

    def disable(self, event_id: int) -> None:
        """Keep the event from firing; actions that run now are finished. Raises RegistrationError."""
        self.get(event_id).enabled = False

    def clear(self, event_id: int) -> None:
        """Remove the event for good. Raises RegistrationError for an unknown id."""
        event = self.get(event_id)
        event.enabled = False  # a dispatch that is under way may still come to it
        del self._events[event_id]
        self._index(event.definition.kind)
        self.facts.changed(event.definition.kind)

    def bind(self, event_id: int, process_id: int) -> None:
        """Let the event apply to another process from now on. Raises RegistrationError for an unknown id."""
        event = self.get(event_id)
        event.definition = exit_of(event.definition.kind).meant(replace(event.definition, process_id=process_id))
        self._index(event.definition.kind)
        self.facts.changed(event.definition.kind)

    def get(self, event_id: int) -> Event:
        """The event with this id. Raises RegistrationError."""
        event = self._events.get(event_id)
        if event is None:
            raise RegistrationError(ErrorNumber.MODIFY_EVENTS_INVALID_TAG, f"there is no event with id {event_id:x}")
        return event

    @property
    def ids(self) -> Collection[int]:
        """Of all events."""
        return self._events.keys()

    def oldest_first(self) -> tuple[Event, ...]:
        """All events as `events` lists them."""
        return tuple(self._events.values())

    def newest_first(self, kind: EventKind) -> tuple[Event, ...]:
        """The events of a kind, disabled ones too."""
        return self.of_kind(kind).all

    def of_kind(self, kind: EventKind) -> EventsOfKind:
        """The events of a kind as a trigger walks them. Later changes do not alter the result."""
        return self._by_kind.get(kind.number, _NO_EVENTS)

    def _index(self, kind: EventKind) -> None:
        events = [event for event in self._events.values() if event.definition.kind.number == kind.number]
        newest_first = tuple(reversed(events))
        self._by_kind[kind.number] = EventsOfKind(
            newest_first,
            tuple(event for event in newest_first if event.definition.stage & Stage.PRE),
            tuple(event for event in newest_first if event.definition.stage & Stage.POST),
        )

    def _allocate_buffers(self, definition: EventDefinition) -> tuple[int, ...]:
        if not definition.buffer_size:
            return (0,) * len(definition.actions)
        calls = {index for index, action in enumerate(definition.actions) if isinstance(action, CallAction)}
        try:
            return tuple(
                0 if index in calls else self.facts.allocate(definition.buffer_size)
                for index in range(len(definition.actions))
            )
        except MapError as error:
            raise RegistrationError(ErrorNumber.CANNOT_ALLOCATE_ACTION, str(error)) from None

    def _check(self, definition: EventDefinition) -> None:
        kind, number = definition.kind, ErrorNumber
        require_emulated(kind)
        if definition.id in self._events:
            raise RegistrationError(number.EVENT_IS_NOT_APPLIED, f"the id {definition.id:x} is in use")
        if definition.core is not None and definition.core >= self.facts.core_count:
            raise RegistrationError(number.INVALID_CORE_ID)
        if definition.process_id and definition.process_id not in self.facts.process_ids():
            raise RegistrationError(number.PROCESS_ID_INVALID)
        if definition.stage != Stage.PRE and not kind.stages:
            raise RegistrationError(
                number.EVENT_IS_NOT_APPLIED, f"the calling stage is not meaningful for !{kind.name}"
            )
        if definition.short_circuit and definition.stage != Stage.PRE:
            raise RegistrationError(number.SHORT_CIRCUITING_WITH_POST)
        if definition.buffer_size > LARGEST_BUFFER:
            raise RegistrationError(number.SAFE_BUFFER_TOO_BIG, f"a buffer has at most {LARGEST_BUFFER:x} bytes")
        if any(isinstance(action, CodeAction) and not action.code for action in definition.actions):
            raise RegistrationError(number.ACTION_BUFFER_SIZE_IS_ZERO, "the code is empty")
        exit_of(kind).check(definition, self)
