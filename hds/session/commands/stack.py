"""The stack: `k` lists return addresses, `kd` and `kq` every slot (events-and-commands E.5).

`k` unwinds by the tables of the code, or follows the chain of frame pointers from rbp; without a plausible one it lists
what looks like a return address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hds.session.commands.disassembly import symbol_at
from hds.session.commands.handler import Handler, address, current_process, incorrect_use, number, split
from hds.session.commands.memory import Space
from hds.session.refused import CommandFailed
from machine.debugger import CallStack, Slot
from vm.facts.errors import ErrorNumber
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process

_LENGTHS = {8: 0x2000, 4: 0x1000}
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
    read_up_to = Space(session, process).read_up_to
    data = read_up_to(start, length)
    if not data:
        raise CommandFailed(ErrorNumber.INVALID_ADDRESS.err())
    calls = CallStack(process, read_up_to)
    every_slot = command.canonical_name != "k"
    if not every_slot and base is None:
        end = start + length if "l" in arguments.keyed else None
        frames = calls.calls(start, end)
        if frames:
            session.show("".join(_lines(session, process, frames, every_slot)))
            return
    session.show("".join(_lines(session, process, calls.slots(data, size), every_slot)))


def _lines(session: Session, process: Process, slots: Iterable[Slot], every_slot: bool) -> Iterator[str]:
    for slot in slots:
        if slot.call is not None:
            yield _call_line(session, process, slot, slot.call)
        elif not every_slot:
            continue
        elif process.cpu.memory.read(slot.value, 1) is not None:
            yield f"[$+{slot.offset:03x}]      {slot.value:016x} (addr {_named(session, process, slot.value)})\n"
        else:
            yield f"[$+{slot.offset:03x}]      {slot.value:016x}\n"


def _call_line(session: Session, process: Process, slot: Slot, call: int) -> str:
    line = session.symbols.line(process, slot.value - 1)
    from_where = f"(from {_named(session, process, call)})"
    return f"[$+{slot.offset:03x}]   {slot.value:016x}    {from_where}{f' at {line}' if line else ''}\n"


def _named(session: Session, process: Process, where: int) -> str:
    name = symbol_at(session, process, where)
    return (f"{name} " if name else "") + f"<{where:016x}>"


HANDLERS: dict[str, Handler] = dict.fromkeys(("k", "kd", "kq"), stack)
