"""Calls on directories of named objects, and on the symbolic links there."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, answer_with, call
from machine.kernel.nt.naming import create_named, find_named
from machine.kernel.nt.objects import ObjectDirectory, SymbolicLink
from machine.kernel.nt.rights import DIRECTORY_QUERY, DIRECTORY_TRAVERSE, LINK_QUERY
from machine.kernel.nt.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_NO_MORE_ENTRIES,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
)

_DRIVES = {"c:": ("C:", "\\Device\\HarddiskVolume1")}  # by name in small letters: as it is spelt, what it stands for
_DOS_DEVICES = ("\\??\\", "\\dosdevices\\", "\\global??\\")


@call("NtOpenDirectoryObject")
def open_directory(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """Of named objects. What is not made by programs is there, but for \\KnownDlls."""
    name = thread.object_name(attributes)
    if "knowndlls" in name.lower():
        return STATUS_OBJECT_NAME_NOT_FOUND
    if name.startswith("\\") and "\\basenamedobjects\\" not in name.lower():
        thread.open(handle, ObjectDirectory(name=name), access, attributes)
    else:
        thread.open(handle, find_named(thread, attributes, ObjectDirectory), access, attributes)
    return STATUS_SUCCESS


@call("NtCreateDirectoryObject", "NtCreateDirectoryObjectEx")
def create_directory(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """For objects that are named there."""
    return create_named(thread, handle, access, attributes, ObjectDirectory())


@call("NtQueryDirectoryObject")
def directory_entries(
    thread: NtThread, handle: Handle, buffer: Address, length: UInt, single: UInt, restart: UInt, context: Address,
    returned: Address,
) -> int:  # fmt: skip
    """The links of the drives, in the directory of those; what else is named is not listed."""
    directory = thread.state.handles.of(handle, ObjectDirectory, DIRECTORY_QUERY)
    first = 0 if restart & 0xFF else int.from_bytes(thread.data(context, 4), "little")
    known = list(_DRIVES.values()) if f"{directory.name.lower()}\\".replace("\\\\", "\\") in _DOS_DEVICES else []
    rows = known[first : first + 1] if single & 0xFF else known[first:]
    if not rows:
        return STATUS_NO_MORE_ENTRIES
    heads, texts = b"", b""
    for name, _ in rows:
        for text in (name, "SymbolicLink"):
            place = buffer + 32 * (len(rows) + 1) + len(texts)
            heads += struct.pack("<HHIQ", 2 * len(text), 2 * len(text) + 2, 0, place)
            texts += f"{text}\0".encode("utf-16-le")
    status = answer_with(thread, heads + bytes(32) + texts, buffer, length, returned, STATUS_BUFFER_TOO_SMALL)
    if status == STATUS_SUCCESS:
        thread.put_half(context, first + len(rows))
    return status


@call("NtOpenSymbolicLinkObject")
def open_link(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """The link of a drive."""
    name, root = thread.object_name(attributes).lower(), thread.word(attributes + 8)
    if root:
        name = f"{thread.state.handles.of(root, ObjectDirectory, DIRECTORY_TRAVERSE).name.lower()}\\{name}"
    row = next((_DRIVES.get(name.removeprefix(start)) for start in _DOS_DEVICES if name.startswith(start)), None)
    if row is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    thread.open(handle, SymbolicLink(row[1]), access, attributes)
    return STATUS_SUCCESS


@call("NtQuerySymbolicLinkObject")
def query_link(thread: NtThread, handle: Handle, target: Address, returned: Address) -> int:
    """What it stands for, into a UNICODE_STRING."""
    text = thread.state.handles.of(handle, SymbolicLink, LINK_QUERY).target.encode("utf-16-le")
    if returned:
        thread.put_half(returned, len(text) + 2)
    if int.from_bytes(thread.data(target + 2, 2), "little") < len(text):
        return STATUS_BUFFER_TOO_SMALL
    thread.put(thread.word(target + 8), text)
    thread.put(target, struct.pack("<H", len(text)))
    return STATUS_SUCCESS
