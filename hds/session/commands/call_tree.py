"""`!track`: a tree of the calls and returns of the current program, step by step (events-and-commands E.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.disassembly import symbol_at
from hds.session.commands.handler import Handler, incorrect_use
from hds.session.commands.registers import all_registers
from hds.session.commands.stepping import MANY, from_here, until_timeout
from machine.debugger import a88
from vm.facts.numbers import number_32
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process

_DEEPEST = 64  # levels that are drawn


def track(session: Session, command: Command, prepared: Prepared) -> None:
    """`!track [tree|reg] [COUNT]`: at most so many instructions; with `reg`, the registers behind each call."""
    words = [token.lower for token in command.tokens]
    shows_registers = words[:1] == ["reg"]
    if words[:1] in (["reg"], ["tree"]):
        words = words[1:]
    count = MANY if not words else number_32(words[0])
    if len(words) > 1 or count is None:
        raise incorrect_use(command)
    from_here(session, lambda process, left: _walk(session, process, left, shows_registers), count)


def _walk(session: Session, process: Process, count: int, shows_registers: bool) -> None:
    execution, level = session.execution, 0
    for _ in until_timeout(session, count):
        line = execution.instruction(process)
        goes_on = execution.step_in(process)
        if line is not None and line.is_call and process.cpu.registers.read(RIP) != line.address:
            session.show(f"{_indent(level)}┌── {_place(session, process)}\n")
            level += 1
            if shows_registers:
                session.show(all_registers(session))
        elif line is not None and line.is_return and process.cpu.registers.read(RIP) != line.address:
            level = max(level - 1, 0)
            session.show(f"{_indent(level)}└── {_place(session, process)}\n")
        if not goes_on:
            return
    session.show(f"{execution.instruction_line(process)}\n")


def _indent(level: int) -> str:
    return "│  " * level if level <= _DEEPEST else "│  " * _DEEPEST + f"({level:x}) "


def _place(session: Session, process: Process) -> str:
    """Where the guest is: `symbol (address)`, or the address alone."""
    here = process.cpu.registers.read(RIP)
    name = symbol_at(session, process, here)
    return f"{name} ({a88(here)})" if name else a88(here)


HANDLERS: dict[str, Handler] = {"!track": track}
