"""Instruction fetch at exactly an address: `!epthook` (events-and-commands B.7, C.2)."""

from __future__ import annotations

from machine.events.definition import EventDefinition
from machine.events.exit import BY_PROCESSOR, AtAddress, Exit, Register
from machine.events.exits import monitor
from machine.events.registry import RegistrationError, Registry
from machine.memory import page_floor
from vm.facts.errors import ErrorNumber
from vm.facts.events import EPTHOOK, EXECUTION_HOOKS

MOST_HOOKS_IN_PAGE = 40
_ADDRESS_HINTS = (
    "the address may be paged out, or the page may not have been touched yet (demand paging)",
    "give the process with pid, or register the event when the program has come to use the page",
)


def check(definition: EventDefinition, registry: Registry) -> None:
    """An address that is mapped, in a page that carries hooks of this kind only and not too many of them."""
    number, address = ErrorNumber, definition.parameters.get("address", 0)
    if not address:
        raise RegistrationError(number.INVALID_ADDRESS, "choose an address for the hook")
    process_id = definition.process_id or registry.facts.current_process()
    if process_id is None or not registry.facts.is_mapped(process_id, address, address):
        raise RegistrationError(number.INVALID_ADDRESS, f"invalid address {address:x}", _ADDRESS_HINTS)
    page = page_floor(address)
    same_page = [
        event.definition
        for kind in EXECUTION_HOOKS
        for event in registry.newest_first(kind)
        if page_floor(event.definition.parameters["address"]) == page and monitor.meet(definition, event.definition)
    ]
    if any(other.kind is not definition.kind for other in same_page) or monitor.watches(registry, definition, address):
        raise RegistrationError(number.SEVERAL_HOOKS_IN_PAGE, monitor.OTHER_KIND)
    if len({other.parameters["address"] for other in same_page} | {address}) > MOST_HOOKS_IN_PAGE:
        raise RegistrationError(
            number.TOO_MANY_BREAKPOINTS_IN_PAGE, f"a page has at most {MOST_HOOKS_IN_PAGE} hidden breakpoints"
        )


EXIT = Exit(EPTHOOK, AtAddress("address"), context=Register("rip"), effect=BY_PROCESSOR, check=check)
