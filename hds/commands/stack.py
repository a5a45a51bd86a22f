"""The stack: `k` lists what look like return addresses, `kd` and `kq` every slot (events-and-commands E.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hds.commands.disassembly import symbol_at
from hds.commands.handler import Handler, address, current_process, incorrect_use, number, split
from hds.commands.memory import read_up_to
from hds.disassembly import disassemble
from hds.session import CommandFailed
from machine.memory import Protection
from vm.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from hds.scripts import Prepared
    from hds.session import Session
    from lang.commands import Command
    from machine.process import Process

_LENGTHS = {8: 0x2000, 4: 0x1000}
_CALL_LENGTHS = (5, 2, 3, 4, 6, 7)  # bytes of a CALL: direct first, then by register or memory
_RSP = STORAGE_INDEX["rsp"]


def stack(session: Session, command: Command, prepared: Prepared) -> None:
    """`k [base ADDR] [l LEN]`, upwards from rsp or the given address."""
    arguments = split(command, ("base", "l"))
    if arguments.plain:
        raise incorrect_use(command)
    process = current_process(session)
    size = 4 if command.canonical_name == "kd" else 8
    base = arguments.keyed.get("base")
    start = process.cpu.registers.read(_RSP) if base is None else address(session, base)
    length = number(arguments.keyed.get("l"), _LENGTHS[size], "length")
    data = read_up_to(session, process, start, length)
    if not data:
        raise CommandFailed("err, invalid address (c0000005)")
    every_slot = command.canonical_name != "k"
    session.show("".join(_lines(session, process, data, size, every_slot)))


def _lines(session: Session, process: Process, data: bytes, size: int, every_slot: bool) -> Iterator[str]:
    for offset in range(0, len(data) - size + 1, size):
        value = int.from_bytes(data[offset : offset + size], "little")
        call = _call_before(session, process, value)
        if call is not None:
            yield f"[$+{offset:03x}]   {value:016x}    (from {_named(session, call)})\n"
        elif not every_slot:
            continue
        elif process.cpu.read(value, 1) is not None:
            yield f"[$+{offset:03x}]      {value:016x} (addr {_named(session, value)})\n"
        else:
            yield f"[$+{offset:03x}]      {value:016x}\n"


def _named(session: Session, where: int) -> str:
    name = symbol_at(session, where)
    return (f"{name} " if name else "") + f"<{where:016x}>"


def _call_before(session: Session, process: Process, value: int) -> int | None:
    """The address of the CALL that ends at `value`, when there is one in executable memory."""
    region = process.cpu.memory.region_at(value)
    if region is None or Protection.EXECUTE not in region.protection:
        return None
    for length in _CALL_LENGTHS:
        code = read_up_to(session, process, value - length, length)
        line = next(disassemble(code, value - length), None)
        if line is not None and line.is_call and line.end == value:
            return value - length
    return None


HANDLERS: dict[str, Handler] = dict.fromkeys(("k", "kd", "kq"), stack)
