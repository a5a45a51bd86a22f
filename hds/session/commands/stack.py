"""The stack: `k` lists return addresses, `kd` and `kq` every slot (events-and-commands E.5).

`k` follows the chain of frame pointers from rbp; without a plausible one it lists what looks like a return address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hds.session.commands.disassembly import symbol_at
from hds.session.commands.handler import Handler, address, current_process, incorrect_use, number, split
from hds.session.commands.memory import ADDRESS_MASK, read_up_to
from hds.session.session import CommandFailed
from machine.debugger.disassembly import disassemble
from machine.memory.guest_memory import Protection
from vm.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule.process import Process

_LENGTHS = {8: 0x2000, 4: 0x1000}
_CALL_LENGTHS = (5, 2, 3, 4, 6, 7)  # bytes of a CALL: direct first, then by register or memory
_RSP, _RBP, _RIP = (STORAGE_INDEX[name] for name in ("rsp", "rbp", "rip"))
_MOST_FRAMES = 0x400


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
    if not every_slot and base is None:
        end = start + length if "l" in arguments.keyed else None
        chain = _chain(session, process, start, end)
        if chain:
            session.show("".join(_call_line(session, process, *slot) for slot in chain))
            return
    session.show("".join(_lines(session, process, data, size, every_slot)))


def _lines(session: Session, process: Process, data: bytes, size: int, every_slot: bool) -> Iterator[str]:
    for offset in range(0, len(data) - size + 1, size):
        value = int.from_bytes(data[offset : offset + size], "little")
        call = _call_before(session, process, value)
        if call is not None:
            yield _call_line(session, process, offset, value, call)
        elif not every_slot:
            continue
        elif process.cpu.read(value, 1) is not None:
            yield f"[$+{offset:03x}]      {value:016x} (addr {_named(session, process, value)})\n"
        else:
            yield f"[$+{offset:03x}]      {value:016x}\n"


def _call_line(session: Session, process: Process, offset: int, value: int, call: int) -> str:
    return f"[$+{offset:03x}]   {value:016x}    (from {_named(session, process, call)})\n"


def _chain(session: Session, process: Process, rsp: int, end: int | None) -> list[tuple[int, int, int]]:
    """(offset from rsp, return address, its CALL) of each frame below `end`; empty without a plausible chain.

    The innermost function may have no frame of its own yet, or no more: its return address lies at rsp, or behind the
    rbp that it has just pushed.
    """
    cpu = process.cpu
    slots: list[tuple[int, int, int]] = []
    frame, least = cpu.registers.read(_RBP), rsp
    while len(slots) < _MOST_FRAMES and frame >= least:
        found = _frame(session, process, frame)
        if found is None:
            break
        following, value, call = found
        slots.append((frame + 8 - rsp, value, call))
        frame, least = following, frame + 1
    if not slots:
        return []
    offset = 8 if _quadword(process, rsp) == cpu.registers.read(_RBP) else 0
    innermost = _quadword(process, rsp + offset)
    caller = _call_before(session, process, innermost)
    if offset < slots[0][0] and caller is not None and _is_innermost(process, caller, slots[0][2]):
        slots.insert(0, (offset, innermost, caller))
    return [slot for slot in slots if end is None or rsp + slot[0] + 8 <= end]


def _is_innermost(process: Process, call: int, next_call: int) -> bool:
    """Whether rip can be in what `call` called, and not in what `next_call` called: the nearest start below counts."""
    rip = process.cpu.registers.read(_RIP)
    target, next_target = _target(process, call), _target(process, next_call)
    if target is None or target == rip:
        return True
    return target < rip and (next_target is None or not target <= next_target <= rip)


def _target(process: Process, call: int) -> int | None:
    """Where a direct CALL goes."""
    code = process.cpu.read(call, 5)
    if code is None or code[0] != 0xE8:
        return None
    return (call + 5 + int.from_bytes(code[1:], "little", signed=True)) & ADDRESS_MASK


def _quadword(process: Process, where: int) -> int:
    data = process.cpu.read(where, 8)
    return 0 if data is None else int.from_bytes(data, "little")


def _frame(session: Session, process: Process, frame: int) -> tuple[int, int, int] | None:
    """The saved rbp, the return address behind it and its CALL."""
    data = process.cpu.read(frame, 16)
    if data is None:
        return None
    value = int.from_bytes(data[8:], "little")
    call = _call_before(session, process, value)
    return None if call is None else (int.from_bytes(data[:8], "little"), value, call)


def _named(session: Session, process: Process, where: int) -> str:
    name = symbol_at(session, process, where)
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
