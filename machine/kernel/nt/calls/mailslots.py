"""Calls on mailslots; the calls on files open, read and write them by what is here, too."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, NtThread, UInt, call
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.files import File
from machine.kernel.nt.mailslots import FOR_EVER, Mailslot, MailslotClient
from machine.kernel.nt.operations import Told, begin, give
from machine.kernel.nt.paths import components
from machine.kernel.nt.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_IO_TIMEOUT,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.outcomes import Result

_DEVICE = "mailslot\\"
_NONE = 0xFFFF_FFFF  # MAILSLOT_NO_MESSAGE
_SYNCHRONOUS = 0x30
_CREATED = 2  # FILE_CREATED
_UNITS = 10_000  # of 100 ns in a millisecond
_TICKS = _UNITS * TICKS_PER_UNIT


def _name_of(thread: NtThread, attributes: int) -> str | None:
    """The name of a mailslot; None where it is about something else. Raises NtError."""
    if thread.word(attributes + 8):
        return None
    name = thread.object_name(attributes)
    found = components(name, None)
    if not isinstance(found, str) or not found.startswith(_DEVICE):
        return None
    return name[len(name) - len(found) + len(_DEVICE) :]


def open_mailslot(thread: NtThread, attributes: int) -> MailslotClient | None:
    """The end that writes into the slot that OBJECT_ATTRIBUTES name; None for other names. Raises NtError."""
    name = _name_of(thread, attributes)
    if name is None:
        return None
    slot = thread.state.mailslots.find(name)
    if slot is None:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    return MailslotClient(slot=slot)


@call("NtCreateMailslotFile")
def create_mailslot(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, block: Address, options: UInt, quota: UInt,
    longest: UInt, timeout: Address,
) -> int:  # fmt: skip
    """The end that reads."""
    name = _name_of(thread, attributes)
    if not name:
        return STATUS_OBJECT_NAME_INVALID
    made = thread.state.mailslots.create(name, longest, _milliseconds(thread.word(timeout)) if timeout else FOR_EVER)
    made.is_asynchronous = not options & _SYNCHRONOUS
    return give(thread, handle, block, made, access, attributes, _CREATED)


def _milliseconds(relative: int) -> int:
    """Of a relative time in units of 100 ns."""
    left = -relative % (1 << 64)
    return FOR_EVER if left in (1 << 63, 1) else left // _UNITS


def read_mailslot(thread: NtThread, slot: Mailslot, told: Told, buffer: int, length: int) -> Result:
    """The first message, now or when one comes within the slot's time. Raises NtError."""
    clock = thread.services.clock
    deadline = None if slot.timeout == FOR_EVER else clock.elapsed() + slot.timeout * _TICKS

    def ready() -> bool:
        return bool(slot.queue) or (deadline is not None and clock.elapsed() >= deadline)

    def finish() -> tuple[int, int]:
        if not slot.queue:
            return STATUS_IO_TIMEOUT, 0
        data = slot.receive(length)
        thread.put(buffer, data)
        return STATUS_SUCCESS, len(data)

    return begin(thread, slot, told, ready, finish, deadline=deadline)


def mailslot_information(slot: Mailslot) -> bytes:
    """FILE_MAILSLOT_QUERY_INFORMATION."""
    timeout = (1 << 64) - 1 if slot.timeout == FOR_EVER else -slot.timeout * _UNITS % (1 << 64)
    following = len(slot.queue[0]) if slot.queue else _NONE
    return struct.pack("<4IQ", slot.longest, 0, following, len(slot.queue), timeout)


def set_mailslot(thread: NtThread, file: File, buffer: int) -> int:
    """FILE_MAILSLOT_SET_INFORMATION: the address of a time, or with Wine's DLLs the time. Raises NtError."""
    if not isinstance(file, Mailslot):
        return STATUS_INVALID_PARAMETER
    given = thread.word(buffer)
    file.timeout = _milliseconds(given if thread.state.unix_functions else thread.word(given))
    return STATUS_SUCCESS
