"""Accesses to a range of memory: `!monitor` in its seven kinds (events-and-commands B.7, B.14, C.2)."""

from __future__ import annotations

from msgspec.structs import replace

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, Accessing, Exit, Register
from machine.events.registry import RegistrationError, Registry
from machine.memory import PAGE, page_floor
from vm.facts.errors import ErrorNumber
from vm.facts.events import EXECUTION_HOOKS, MONITORS, EventKind, MonitoredAccess
from vm.facts.paging import EXECUTE, READ, WRITE

_RIGHTS = {"R": READ, "W": WRITE, "X": EXECUTE}
OTHER_KIND = "the page carries a hook of another kind; a page carries one kind only"
_PAGE_HINTS = (
    "every page of the range must be mapped: it may be paged out, or not have been touched yet (demand paging)",
    "give the process with pid, or register the event when the program has come to use the pages",
)


def check(definition: EventDefinition, registry: Registry) -> None:
    """A range of memory that there is, in pages without hooks of other kinds; of one byte, too (Z20)."""
    number, facts = ErrorNumber, registry.facts
    first, last = Accessing.range_of(definition.parameters)
    if last >> 64:
        raise RegistrationError(number.INVALID_ADDRESS, f"the range from {first:x} goes past the last address")
    if first > last:
        raise RegistrationError(number.INVALID_ADDRESS, f"the range {first:x} to {last:x} ends before it begins")
    if Accessing.is_physical(definition.parameters):
        if not facts.is_physical(last):
            raise RegistrationError(number.INVALID_PHYSICAL_ADDRESS, f"there is no physical memory at {last:x}")
        return
    process_id = definition.process_id or facts.current_process()
    if process_id is None or not facts.is_mapped(process_id, first, last):
        raise RegistrationError(number.INVALID_ADDRESS, f"invalid address: {first:x} to {last:x}", _PAGE_HINTS)
    for kind in EXECUTION_HOOKS:
        for event in registry.newest_first(kind):
            if page_floor(first) <= page_floor(event.definition.parameters["address"]) <= last and meet(
                definition, event.definition
            ):
                raise RegistrationError(
                    number.SEVERAL_HOOKS_IN_PAGE,
                    OTHER_KIND,
                )


def watches(registry: Registry, definition: EventDefinition, address: int) -> bool:
    """Whether an event of these kinds watches the page of an address, in a process that a definition is for, too."""
    for kind in MONITORS:
        for event in registry.newest_first(kind):
            first, last = Accessing.range_of(event.definition.parameters)
            is_there = (
                not Accessing.is_physical(event.definition.parameters)
                and page_floor(first) <= address <= last | PAGE - 1
            )
            if is_there and meet(definition, event.definition):
                return True
    return False


def meet(definition: EventDefinition, other: EventDefinition) -> bool:
    """Whether there may be a process that both events are for."""
    return definition.process_id in (None, other.process_id) or not other.process_id


def _meant(definition: EventDefinition) -> EventDefinition:
    """A range of physical addresses is one of all processes, whatever pid says."""
    return replace(definition, process_id=None) if Accessing.is_physical(definition.parameters) else definition


def _exit(kind: EventKind) -> Exit:
    rights = sum(_RIGHTS[letter] for letter in MonitoredAccess(kind.number).name)
    return Exit(kind, Accessing(rights), context=Register("rip"), effect=BY_PROCESSOR, check=check, meant=_meant)


FORMS = tuple(_exit(kind) for kind in MONITORS)
EXIT = FORMS[0]
