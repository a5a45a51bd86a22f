"""Which module of this package carries a command out; it is loaded when one of its commands is first carried out."""

from __future__ import annotations

from importlib import import_module

from hds.session.commands.handler import Handler
from vm.facts.commands import COMMANDS, Support
from vm.facts.events import EVENT_BY_NAME

# Each module, and its commands by their canonical names; `events` has those of all kinds of events besides, `control`
# those that have no effect.
_FAMILIES = """
attaching      .attach .detach .switch
branches       !lbr !lbrdump
breakpoints    bp bl be bd bc
call_tree      !track
control        g continue sleep pause flush exit unload
disassembly    u u2 !u !u2 a !a
evaluation     ? print .formats
events         events
going_back     t- p- g- watch
memory         db !db dc !dc dd !dd dq !dq dl !dl eb !eb ed !ed eq !eq sb !sb sd !sd sq !sq .dump !dump
outputs        output
paging         !va2pa !pa2va !pte
processes      .process .thread .start .restart .kill lm x
program_files  .pe
registers      r rdmsr wrmsr cpu cpuid
session        .script .logopen .logclose settings .status .cls .help
stack          k kd kq
stepping       p pr t tr i ir gu ~
symbol_files   .sym
types          dt !dt struct
"""

HOMES = {  # by the name of a command: its module
    **dict.fromkeys(EVENT_BY_NAME, "events"),
    **{row.name: "control" for row in COMMANDS if row.support is Support.NO_EFFECT},
    **{name: family for family, *names in map(str.split, _FAMILIES.strip().splitlines()) for name in names},
}


def handlers_of(family: str) -> dict[str, Handler]:
    """What each command of a module does."""
    handlers: dict[str, Handler] = import_module(f"{__package__}.{family}").HANDLERS
    return handlers


def handler_of(name: str) -> Handler | None:
    """What the command of this canonical name does; None where it is not available offline."""
    family = HOMES.get(name)
    return None if family is None else handlers_of(family)[name]


def load_all() -> None:
    """Load all of them now."""
    for family in dict.fromkeys(HOMES.values()):
        handlers_of(family)
