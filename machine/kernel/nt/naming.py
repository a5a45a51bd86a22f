"""Named objects: \\BaseNamedObjects and what is relative to it. One table of paths from there on."""

from __future__ import annotations

from typing import TypeVar

from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.objects import KernelObject, ObjectDirectory
from machine.kernel.nt.status import (
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_EXISTS,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
    NtError,
)

Wanted = TypeVar("Wanted", bound=KernelObject)
_CASE_INSENSITIVE, _OPEN_IF = 0x40, 0x80
_FOLDERS = ("\\sessions\\1\\basenamedobjects\\", "\\basenamedobjects\\")
_LINKS = ("local\\", "global\\", "session\\1\\")  # to such a folder, within one
_LEAST_SWEPT = 256


def path_of(thread: NtThread, attributes: int) -> str:
    """The path that OBJECT_ATTRIBUTES name, from \\BaseNamedObjects on; others are whole. Raises NtError."""
    name, root = thread.object_name(attributes), thread.word(attributes + 8) if attributes else 0
    if root and name:
        folder = thread.state.handles.of(root, ObjectDirectory).name
        name = f"{folder}\\{name}" if folder else name
    for starts in (_FOLDERS, _LINKS):
        for start in starts:
            if name.lower().startswith(start):
                name = name[len(start) :]
                break
    return name


def _found(thread: NtThread, path: str, attributes: int) -> KernelObject | None:
    names, flags = thread.state.names, int.from_bytes(thread.data(attributes + 0x18, 4), "little")
    found = names.get(path)
    if found is None and flags & _CASE_INSENSITIVE:
        found = next((each for name, each in names.items() if name.lower() == path.lower()), None)
    return found if found is not None and found.is_referenced else None


def _check_folder(thread: NtThread, path: str, attributes: int) -> None:
    """Raises NtError where the folder of a path is none that somebody has made."""
    folder = path.rpartition("\\")[0]
    if not folder.strip("\\") or folder.lower() in _KNOWN:
        return
    if not isinstance(_found(thread, folder, attributes), ObjectDirectory):
        raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)


_KNOWN = ("\\kernelobjects", "\\sessions", "\\sessions\\1", "\\device", "\\??", "\\dosdevices", "\\global??")


def publish(thread: NtThread, attributes: int, made: Wanted) -> Wanted:
    """The object of the name in OBJECT_ATTRIBUTES: `made` where there was none, or it has no name. Raises NtError."""
    path = path_of(thread, attributes)
    if not path:
        return made
    found = _found(thread, path, attributes)
    if found is not None:
        flags = int.from_bytes(thread.data(attributes + 0x18, 4), "little")
        if not flags & _OPEN_IF:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if type(found) is not type(made):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        return found
    _check_folder(thread, path, attributes)
    made.name = path
    names = thread.state.names
    names[path] = made
    if len(names) >= thread.state.names_swept_at:
        for name in [name for name, each in names.items() if each is not made and not each.is_referenced]:
            del names[name]
        thread.state.names_swept_at = max(_LEAST_SWEPT, 2 * len(names))
    return made


def create_named(thread: NtThread, handle: int, access: int, attributes: int, made: KernelObject) -> int:
    """Write a handle of `made`, or of what has its name already; the status says which. Raises NtError."""
    found = publish(thread, attributes, made)
    thread.open(handle, found, access, attributes)
    return STATUS_SUCCESS if found is made else STATUS_OBJECT_NAME_EXISTS


def find_named(thread: NtThread, attributes: int, kind: type[Wanted]) -> Wanted:
    """The object of this name. Raises NtError."""
    path = path_of(thread, attributes)
    found = _found(thread, path, attributes)
    if found is None:
        _check_folder(thread, path, attributes)
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    if not isinstance(found, kind):
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
    return found
