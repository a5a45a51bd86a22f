"""One file for each kind of event that the machine raises, named as the kind; its EXIT is found by that name.

Where the instructions of a kind differ in more than the file's EXIT says - other contexts, operands elsewhere in the
encoding - the file has FORMS, an exit for each; EXIT is the first of them and speaks for the kind. The FORMS of a
family of kinds are those of all of them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from machine.events.exit import Exit
from machine.events.exits import dr, syscall, sysret
from vm.facts.events import EventKind

__all__ = ["dr", "exit_of", "forms_of", "syscall", "sysret"]


@cache
def forms_of(kind: EventKind) -> tuple[Exit, ...]:
    """The exits of a kind that is emulated. Raises ModuleNotFoundError for another."""
    module = import_module(f"{__name__}.{kind.family}")
    forms: tuple[Exit, ...] = vars(module).get("FORMS") or (module.EXIT,)
    return tuple(form for form in forms if form.kind is kind)


@cache
def exit_of(kind: EventKind) -> Exit:
    """The exit that speaks for a kind that is emulated. Raises ModuleNotFoundError for another."""
    return forms_of(kind)[0]
