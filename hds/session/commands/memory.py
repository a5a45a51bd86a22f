"""Memory: display (`db dc dd dq dl`), editing (`eb ed eq`), search (`sb sd sq`), `.dump` (E.3, E.4, E.6).

Commands with `!` take physical addresses (machine.memory.physical), which mean the same for all processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from hds.session.commands.handler import (
    Arguments,
    Handler,
    address,
    incorrect_use,
    number,
    process_of,
    split,
)
from hds.session.refused import CommandFailed
from machine.debugger import a88
from machine.memory import PAGE
from vm import FileRefused, open_for_writing, reason
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import plain_number

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process

ADDRESS_MASK = 0xFFFF_FFFF_FFFF_FFFF
DEFAULT_LENGTH = 0x80
LONGEST_DISPLAY = 0x10_0000  # bytes
DEFAULT_NODES = 0x100
MAX_RESULTS = 0x1000
_ROW = 16

_ELEMENT_SIZES = {"b": 1, "c": 4, "d": 4, "q": 8}
_ELEMENT_NAMES = {1: "byte", 4: "dword", 8: "qword"}


def is_physical(command: Command) -> bool:
    """Whether the command takes physical addresses."""
    return command.canonical_name.startswith("!")


class Space(msgspec.Struct, frozen=True):
    """The memory that a command names by addresses: that of a process (None: physical), as the debugger sees it."""

    session: Session
    process: Process | None

    def read_up_to(self, start: int, size: int) -> bytes:
        """The readable bytes from `start` on, at most `size`."""
        if self.process is None:
            return self.session.machine.physical.read_up_to(start, size)
        return self.process.cpu.memory.read_up_to(start, size) or _debugger_memory(self.session, start, size)

    def write(self, start: int, data: bytes) -> bool:
        """Write all of `data`, or nothing where a byte is not there."""
        if self.process is None:
            return self.session.machine.physical.write(start, data)
        return self.process.cpu.memory.write(start, data) or self.session.machine.write_memory(start, data)

    def not_written(self) -> CommandFailed:
        """What `write` could not do."""
        if self.process is None:
            error = ErrorNumber.INVALID_PHYSICAL_ADDRESS
        elif self.process is self.session.process:
            error = ErrorNumber.EDIT_ADDRESS_IN_CURRENT_PROCESS
        else:
            error = ErrorNumber.EDIT_ADDRESS_IN_OTHER_PROCESS
        return CommandFailed(error.err())

    def next_after(self, start: int, end: int) -> int:
        """Where in [start, end) memory may begin again; `end` if nowhere."""
        if self.process is None:
            page = self.session.machine.physical.next_page(start)
            return end if page is None else min(page, end)
        behind = self.process.cpu.memory.overlapping(start, end - start)
        return end if behind is None else behind.start


def space_of(session: Session, command: Command, arguments: Arguments) -> Space:
    """The memory that a command is about; `pid` names the process. Raises CommandFailed."""
    process = process_of(session, arguments)
    return Space(session, None if is_physical(command) else process)


def _debugger_memory(session: Session, start: int, size: int) -> bytes:
    """Buffers and texts of the debugger itself, page by page."""
    pieces: list[bytes] = []
    at, end = start, start + size
    while at < end:
        length = min(end - at, PAGE - at % PAGE)
        piece = session.machine.read_memory(at, length)
        if piece is None:
            break
        pieces.append(piece)
        at += length
    return b"".join(pieces)


def unreadable(command: Command) -> CommandFailed:
    """There is no memory at an address of the command."""
    number = ErrorNumber.INVALID_PHYSICAL_ADDRESS if is_physical(command) else ErrorNumber.INVALID_ADDRESS
    return CommandFailed(number.err())


def _one_address(session: Session, command: Command, arguments: Arguments) -> int:
    if len(arguments.plain) != 1:
        raise incorrect_use(command)
    start = address(session, arguments.plain[0])
    if not start:
        raise CommandFailed("err, please enter a valid address")
    return start


# --- display


def display(session: Session, command: Command, prepared: Prepared) -> None:
    """`db dc dd dq`: rows of sixteen bytes, from exactly the given address."""
    arguments = split(command, ("l", "pid"))
    start = _one_address(session, command, arguments)
    length = number(arguments.keyed.get("l"), DEFAULT_LENGTH, "length")
    if length > LONGEST_DISPLAY:
        raise CommandFailed(f"err, at most {LONGEST_DISPLAY:x} bytes are shown at once")
    data = space_of(session, command, arguments).read_up_to(start, length)
    if not data:
        raise unreadable(command)
    form = command.canonical_name[-1]
    mark = "#\t" if is_physical(command) else ""
    rows = range(0, length, _ROW)
    session.show("".join(f"{mark}{a88(start + row)}  {_row(form, data[row : row + _ROW])}\n" for row in rows))


def _row(form: str, data: bytes) -> str:
    size = _ELEMENT_SIZES[form]
    elements = (data[at : at + size] for at in range(0, _ROW, size))
    shown = "".join(_element(element, size) for element in elements)
    if form not in "bc":
        return shown.rstrip()
    return f"{shown} {''.join(chr(c) if 0x20 <= c < 0x7F else '.' for c in data)}"


def _element(data: bytes, size: int) -> str:
    if len(data) < size:
        return {1: "?? ", 4: "???????? ", 8: "????????`???????? "}[size]
    value = int.from_bytes(data, "little")
    if size == 8:
        return f"{value >> 32:08X}`{value & 0xFFFF_FFFF:08X} "
    return f"{value:0{2 * size}X} "


def walk_list(session: Session, command: Command, prepared: Prepared) -> None:
    """`dl ADDR [l MAX] [o OFFSET]`: follow the pointers of a linked list."""
    arguments = split(command, ("l", "o", "pid"))
    start = _one_address(session, command, arguments)
    space = space_of(session, command, arguments)
    offset = number(arguments.keyed.get("o"), 0, "offset")
    nodes = number(arguments.keyed.get("l"), DEFAULT_NODES, "number of nodes")
    kind = "physical" if is_physical(command) else "virtual"
    lines = [f"walking linked list, {kind} address: {start:016x}, start: {start:x}, offset: {offset:x}", ""]
    node = start
    for index in range(nodes):
        lines.append(f"{index:02x}: {node:016x}")
        data = space.read_up_to((node + offset) & ADDRESS_MASK, 8)
        if len(data) < 8:
            break
        node = int.from_bytes(data, "little")
        if node == start:
            lines.append("(the list is circular)")
        if node in (0, start):
            break
    session.show("\n".join(lines) + "\n")


# --- editing and searching


def edit(session: Session, command: Command, prepared: Prepared) -> None:
    """`eb ed eq`: write values one behind the other, to read-only pages too."""
    arguments = split(command, ("pid",))
    if len(arguments.plain) < 2:
        raise incorrect_use(command)
    start = address(session, arguments.plain[0])
    space = space_of(session, command, arguments)
    data = b"".join(_values(command, [token.text for token in arguments.plain[1:]]))
    if not space.write(start, data):
        raise space.not_written()


def _values(command: Command, texts: list[str]) -> Iterator[bytes]:
    size = _ELEMENT_SIZES[command.canonical_name[-1]]
    for text in texts:
        value = plain_number(text)
        if value is None or value >> 8 * size:
            raise CommandFailed(f"err, please specify a {_ELEMENT_NAMES[size]} value, not '{text}'")
        yield value.to_bytes(size, "little")


def search(session: Session, command: Command, prepared: Prepared) -> None:
    """`sb sd sq ADDR l LEN V1 ...`: where the elements stand one behind the other, in steps of their size."""
    arguments = split(command, ("l", "pid"))
    if len(arguments.plain) < 2 or "l" not in arguments.keyed:
        raise incorrect_use(command)
    start = address(session, arguments.plain[0])
    length = number(arguments.keyed["l"], 0, "length")
    wanted = b"".join(_values(command, [token.text for token in arguments.plain[1:]]))
    data = space_of(session, command, arguments).read_up_to(start, length)
    if len(data) < length or not length:
        raise unreadable(command)
    step = _ELEMENT_SIZES[command.canonical_name[-1]]
    found: list[int] = []
    at = data.find(wanted)
    while at >= 0 and len(found) < MAX_RESULTS:
        if at % step == 0:
            found.append(start + at)
        at = data.find(wanted, at + 1)
    session.show("".join(f"{place:x}\n" for place in found) or "not found\n")


# --- files


def dump(session: Session, command: Command, prepared: Prepared) -> None:
    """`.dump FROM TO path FILE`: the bytes from FROM up to TO, which is not included."""
    arguments = split(command, ("pid", "path"))
    if len(arguments.plain) != 2:
        raise incorrect_use(command)
    if "path" not in arguments.keyed:
        raise CommandFailed("err, please specify the file: path FILE")
    start, end = (address(session, token) for token in arguments.plain)
    if end <= start:
        raise CommandFailed("err, the end must lie behind the start")
    space = space_of(session, command, arguments)
    path = session.locate(arguments.keyed["path"].text)
    try:
        with os.fdopen(open_for_writing(path, guarded=session.guest_folder), "wb") as file:
            for at, page in _pages(space, start, end):
                if page is None:
                    session.notice(f"{unreadable(command)} at {at:x}")
                else:
                    file.write(page)
    except FileRefused as error:
        raise CommandFailed(f"err, {error}", error.hint) from None
    except OSError as error:
        raise CommandFailed(f"err, cannot write {path}: {reason(error)}") from None
    session.show(f"the dump file is saved at: {path}\n")


def _pages(space: Space, start: int, end: int) -> Iterator[tuple[int, bytes | None]]:
    """Page by page; a stretch that is not mapped is one None."""
    at = start
    while at < end:
        length = min(end - at, PAGE - at % PAGE)
        page = space.read_up_to(at, length)
        if len(page) == length:
            yield at, page
            at += length
            continue
        yield at, None
        at = max(space.next_after(at, end), at + length)


def _families(letter: str, forms: str, handler: Handler) -> dict[str, Handler]:
    return {f"{mark}{letter}{form}": handler for form in forms for mark in ("", "!")}


HANDLERS: dict[str, Handler] = {
    **_families("d", "bcdq", display),
    **_families("d", "l", walk_list),
    **_families("e", "bdq", edit),
    **_families("s", "bdq", search),
    ".dump": dump,
    "!dump": dump,
}

__all__ = ["HANDLERS", "Space", "is_physical", "space_of", "unreadable"]
