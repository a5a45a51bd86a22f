"""What each command does: THE table of handlers by canonical name, put together from one module per family."""

from __future__ import annotations

from hds.session.commands import (
    attaching,
    branches,
    breakpoints,
    call_tree,
    control,
    disassembly,
    evaluation,
    events,
    going_back,
    memory,
    outputs,
    paging,
    processes,
    program_files,
    registers,
    session,
    stack,
    stepping,
    symbol_files,
    types,
)
from hds.session.commands.events import register as create_event
from hds.session.commands.handler import Handler
from hds.session.commands.usage import commands_page

FAMILIES = (
    events, outputs, evaluation, registers, memory, paging, disassembly, control, stepping, breakpoints, stack,
    processes, session, types, symbol_files, branches, attaching, call_tree,
    program_files, going_back,
)  # fmt: skip
HANDLERS: dict[str, Handler] = {name: handler for family in FAMILIES for name, handler in family.HANDLERS.items()}

__all__ = ["HANDLERS", "Handler", "commands_page", "create_event"]
