"""Code: `u` and `u2` show it, `a` assembles it (events-and-commands E.3, E.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, incorrect_use, number, split
from hds.session.commands.memory import LONGEST_DISPLAY, is_physical, space_of
from hds.session.refused import CommandFailed
from lang.commands import TokenKind
from machine.debugger import disassemble
from machine.root import AssemblerError
from vm import late_pattern

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command, Token
    from machine.root import Assembly
    from machine.schedule import Process


_LENGTHS = {64: 0x40, 32: 0x80}
_EXPRESSION = late_pattern(r"<([^<>]*)>")


def show(session: Session, command: Command, prepared: Prepared) -> None:
    """`u ADDR [l LEN] [pid P]`: instructions until the bytes end or one is invalid."""
    arguments = split(command, ("l", "pid"))
    if len(arguments.plain) != 1:
        raise incorrect_use(command)
    bits = 32 if command.canonical_name.endswith("2") else 64
    start = address(session, arguments.plain[0])
    length = number(arguments.keyed.get("l"), _LENGTHS[bits], "length")
    space = space_of(session, command, arguments)
    code = space.read_up_to(start, min(length, LONGEST_DISPLAY))
    if not code:
        raise CommandFailed("err, invalid address")
    mark = "#\t" if is_physical(command) else ""
    if bits == 32:
        session.notice("the program is 64-bit code: u decodes it as such")
    lines: list[str] = []
    for line in disassemble(code, start, bits=bits, syntax=session.settings.syntax):
        name = "" if space.process is None else symbol_at(session, space.process, line.address)
        if name and (not lines or "+" not in name):
            lines.append(f"{name}:")
        lines.append(f"{mark}{line}")
    session.show("".join(f"{line}\n" for line in lines))


def symbol_at(session: Session, process: Process, where: int) -> str:
    """`module!name+0x..` of the nearest symbol at or below an address; empty when none is near, or not wanted."""
    return session.symbols.place(process, where) if session.settings.addressconversion else ""


def assemble_text(session: Session, command: Command, prepared: Prepared) -> None:
    """`a ADDR {statements}` writes code, `a {statements} [START]` only shows it."""
    arguments = split(command, ("pid",))
    blocks = [token for token in arguments.plain if token.kind is TokenKind.BRACKET_STRING]
    places = [token for token in arguments.plain if token.kind is not TokenKind.BRACKET_STRING]
    if len(blocks) != 1 or len(places) > 1:
        raise incorrect_use(command)
    start = address(session, places[0]) if places else 0
    assembly = _assemble(session, blocks[0], start)
    shown = " ".join(f"{byte:02x}" for byte in assembly.code)
    session.show(f"generated: {len(assembly.code)} bytes, {assembly.statements} statements\n{shown}\n")
    if not places or arguments.plain[0] is not places[0]:
        return
    space = space_of(session, command, arguments)
    if not space.write(start, assembly.code):
        raise space.not_written()
    session.show(f"successfully assembled at {start:016x} address\n")


def _assemble(session: Session, block: Token, start: int) -> Assembly:
    """Machine code of a block; expressions in angle brackets are evaluated, bare numbers are hexadecimal."""
    from machine.root import assemble

    def value(match: re.Match[str]) -> str:
        return f"0x{session.value_of(block.span_of(*match.span(1))):x}"

    text = _EXPRESSION.sub(value, block.text)
    try:
        made = assemble(text, address=start, radix=16, limits=session.limits)
    except AssemblerError as error:
        raise CommandFailed(f"err, {error}", error.hint or None) from None
    for warning in made.warnings:
        session.notice(str(warning))
    return made


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("u", "u2", "!u", "!u2"), show),
    **dict.fromkeys(("a", "!a"), assemble_text),
}
