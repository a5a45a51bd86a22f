"""One file for each kind of event that the machine raises, named as the kind; its EXIT is found by that name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from machine.events.exit import Exit
from machine.events.exits import syscall, sysret
from vm.facts.events import EventKind

__all__ = ["exit_of", "syscall", "sysret"]


@cache
def exit_of(kind: EventKind) -> Exit:
    """The exit of a kind that is emulated. Raises ModuleNotFoundError for another."""
    exit_: Exit = import_module(f"{__name__}.{kind.family}").EXIT
    return exit_
