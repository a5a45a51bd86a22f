"""Named objects: \\BaseNamedObjects and what is relative to it. One flat space of names in small letters."""

from __future__ import annotations

from typing import TypeVar

from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.status import (
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)

Wanted = TypeVar("Wanted", bound=KernelObject)
_OPEN_IF = 0x80
_PREFIXES = ("\\sessions\\1\\basenamedobjects\\", "\\basenamedobjects\\", "local\\", "global\\", "session\\1\\")


def _name(thread: NtThread, attributes: int) -> str:
    name = thread.object_name(attributes).lower()
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def publish(thread: NtThread, attributes: int, made: Wanted) -> Wanted:
    """The object of the name in OBJECT_ATTRIBUTES: `made` where there was none, or it has no name. Raises NtError."""
    name = _name(thread, attributes)
    if not name:
        return made
    found = thread.state.names.get(name)
    if found is not None and found.handles:
        if type(found) is not type(made):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        if not int.from_bytes(thread.data(attributes + 0x18, 4), "little") & _OPEN_IF:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        return found
    made.name = name
    thread.state.names[name] = made
    return made


def find_named(thread: NtThread, attributes: int, kind: type[Wanted]) -> Wanted:
    """The object of this name. Raises NtError."""
    found = thread.state.names.get(_name(thread, attributes))
    if found is None or not found.handles:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    if not isinstance(found, kind):
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
    return found
