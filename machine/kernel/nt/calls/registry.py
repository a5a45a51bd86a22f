"""Calls on the registry."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, call
from machine.kernel.nt.calls.time import system_time_of
from machine.kernel.nt.objects import Event
from machine.kernel.nt.operations import Told
from machine.kernel.nt.registry import CHANGES_NAME, CHANGES_VALUE, Key, KeyObject, KeyWatch, Value
from machine.kernel.nt.rights import (
    DELETE,
    KEY_CREATE_SUB_KEY,
    KEY_ENUMERATE_SUB_KEYS,
    KEY_NOTIFY,
    KEY_QUERY_VALUE,
    KEY_SET_VALUE,
    KEY_WRITE,
)
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANNOT_DELETE,
    STATUS_CHILD_MUST_BE_VOLATILE,
    STATUS_INVALID_PARAMETER,
    STATUS_KEY_DELETED,
    STATUS_NO_MORE_ENTRIES,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_PENDING,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.outcomes import Result, Wait

_CREATED, _OPENED = 1, 2
_VOLATILE = 1  # REG_OPTION_VOLATILE
_NAME = 3  # KeyNameInformation
_VERSION = "currentversion"  # 6.3 on Windows 10, too: but Wine's loader takes the version of the system from there
_LARGEST_VALUE = 1 << 20
_LONGEST_NAME = 255  # of a key
_PREFIX = "registry"
_MOST_KEYS = 64  # that are watched by one call


def _key(thread: NtThread, handle: int, access: int = 0) -> Key:
    key = thread.state.handles.of(handle, KeyObject, access).key
    if key.is_deleted:
        raise NtError(STATUS_KEY_DELETED)
    return key


def _start(thread: NtThread, attributes: int) -> tuple[Key, list[str]]:
    """Where a name in OBJECT_ATTRIBUTES begins, and its parts. Raises NtError."""
    root, name = thread.word(attributes + 8), thread.object_name(attributes)
    parts = list(filter(None, name.split("\\")))
    if root:
        return _key(thread, root), parts
    if not parts or parts[0].lower() != _PREFIX:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND if not parts else STATUS_OBJECT_PATH_NOT_FOUND)
    return thread.state.registry.root, parts[1:]


@call("NtOpenKey", "NtOpenKeyEx")
def open_key(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """A key that is there."""
    start, parts = _start(thread, attributes)
    found = thread.state.registry.find(start, parts)
    if found is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    thread.open(handle, KeyObject(found, name=found.path), access, attributes)
    return STATUS_SUCCESS


@call("NtCreateKey")
def create_key(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, index: UInt, kind: Address, options: UInt,
    disposition: Address,
) -> int:  # fmt: skip
    """A key, which is made if it is not there; its parent has to be."""
    start, parts = _start(thread, attributes)
    parent = thread.state.registry.find(start, parts[:-1])
    if parent is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    if parts and thread.state.registry.find(start, parts) is None:
        if thread.word(attributes + 8):
            _key(thread, thread.word(attributes + 8), KEY_CREATE_SUB_KEY)
        if parent.is_volatile and not options & _VOLATILE:
            return STATUS_CHILD_MUST_BE_VOLATILE
    key, made = thread.state.registry.create(start, parts, system_time_of(thread))
    if made:
        key.is_volatile = bool(options & _VOLATILE)
        thread.state.registry.changed(key.parent or key, CHANGES_NAME)
    thread.open(handle, KeyObject(key, name=key.path), access, attributes)
    thread.put_half(disposition, _CREATED if made else _OPENED)
    return STATUS_SUCCESS


@call("NtDeleteKey")
def delete_key(thread: NtThread, handle: Handle) -> int:
    """A key without keys."""
    key = _key(thread, handle, DELETE)
    if key.keys or key.parent is None:
        return STATUS_CANNOT_DELETE if key.keys else STATUS_ACCESS_DENIED
    thread.state.registry.remove(key)
    for each in (key, key.parent):
        thread.state.registry.changed(each, CHANGES_NAME)
    return STATUS_SUCCESS


@call("NtRenameKey")
def rename_key(thread: NtThread, handle: Handle, name: Address) -> int:
    """Another name in the same key."""
    key, wanted = _key(thread, handle, KEY_WRITE), thread.text(name)
    if not wanted or "\\" in wanted or len(wanted) > _LONGEST_NAME:
        return STATUS_INVALID_PARAMETER
    if key.parent is None or key.parent.parent is None:
        return STATUS_ACCESS_DENIED
    thread.state.registry.rename(key, wanted)
    thread.state.registry.changed(key.parent, CHANGES_NAME)
    key.written = system_time_of(thread)
    return STATUS_SUCCESS


@call("NtFlushKey")
def flush_key(thread: NtThread, handle: Handle) -> int:
    """There is nothing to flush."""
    _key(thread, handle)
    return STATUS_SUCCESS


@call("NtNotifyChangeKey")
def notify_change(
    thread: NtThread, handle: Handle, event: Handle, routine: Address, context: Word, block: Address, kinds: UInt,
    deep: UInt, buffer: Address, length: UInt, is_asynchronous: UInt,
) -> Result:  # fmt: skip
    """The next change that the guest makes in a key, or below it; that its handle is closed is one, too."""
    return _notify(thread, handle, (), Told(block, event, routine, context), kinds, deep, is_asynchronous)


@call("NtNotifyChangeMultipleKeys")
def notify_changes(
    thread: NtThread, handle: Handle, count: UInt, others: Address, event: Handle, routine: Address, context: Word,
    block: Address, kinds: UInt, deep: UInt, buffer: Address, length: UInt, is_asynchronous: UInt,
) -> Result:  # fmt: skip
    """The same of more keys, each named by an OBJECT_ATTRIBUTES."""
    if count > _MOST_KEYS:
        return STATUS_INVALID_PARAMETER
    found = [thread.state.registry.find(*_start(thread, others + 48 * index)) for index in range(count)]
    keys = [key for key in found if key is not None]
    if len(keys) < count:
        return STATUS_OBJECT_NAME_NOT_FOUND
    return _notify(thread, handle, keys, Told(block, event, routine, context), kinds, deep, is_asynchronous)


def _notify(
    thread: NtThread, handle: int, others: Sequence[Key], told: Told, kinds: int, deep: int, is_asynchronous: int
) -> Result:
    key, registry = _key(thread, handle, KEY_NOTIFY), thread.state.registry
    opened = thread.state.handles.of(handle, KeyObject)
    event = thread.state.handles.of(told.event, Event) if told.event else None
    own = thread.own
    # Wine's RegNotifyChangeKeyValue names a block on its own stack, which is gone when the change comes.
    has_block = bool(told.block) and not thread.state.is_wine

    def over(status: int) -> None:
        with suppress(NtError):  # the memory is gone
            if has_block:
                thread.set_io_status(told.block, status, 0)
        if event is not None:
            event.is_set = True
        if told.routine:
            with suppress(NtError):
                own.queue_apc((told.routine, told.context, told.block, 0))

    watch = KeyWatch((key, *others), kinds, bool(deep & 0xFF), over)
    registry.watch(watch)
    opened.watches = [*(each for each in opened.watches if not each.is_over), watch]
    opened.end_watch = registry.end_watch
    if event is not None:
        event.is_set = False
    if is_asynchronous & 0xFF:
        return STATUS_PENDING
    return Wait(lambda: watch.is_over, None, lambda late: STATUS_SUCCESS)


@call("NtSetValueKey")
def set_value(
    thread: NtThread, handle: Handle, name: Address, index: UInt, kind: UInt, data: Address, size: UInt
) -> int:
    """Set a value."""
    if size > _LARGEST_VALUE:
        return STATUS_INVALID_PARAMETER
    key = _key(thread, handle, KEY_SET_VALUE)
    thread.state.registry.set(key, thread.text(name), kind, thread.data(data, size))
    key.written = system_time_of(thread)
    thread.state.registry.changed(key, CHANGES_VALUE)
    return STATUS_SUCCESS


@call("NtDeleteValueKey")
def delete_value(thread: NtThread, handle: Handle, name: Address) -> int:
    """Remove a value."""
    key, registry = _key(thread, handle, KEY_SET_VALUE), thread.state.registry
    if not registry.unset(key, thread.text(name)):
        return STATUS_OBJECT_NAME_NOT_FOUND
    registry.changed(key, CHANGES_VALUE)
    return STATUS_SUCCESS


@call("NtQueryValueKey")
def query_value(
    thread: NtThread, handle: Handle, name: Address, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """A value by name."""
    text = thread.text(name).lower()
    value = _key(thread, handle, KEY_QUERY_VALUE).values.get(text)
    if value is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    if text == _VERSION and not thread.state.is_loaded and thread.state.unix_functions:
        value = Value(value.name, value.kind, "10.0\0".encode("utf-16-le"))
    return _tell(thread, _value(value, kind), buffer, length, returned, 24 if kind == 1 else 12)


@call("NtEnumerateValueKey")
def enumerate_value(
    thread: NtThread, handle: Handle, index: UInt, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """A value by number."""
    values = list(_key(thread, handle, KEY_QUERY_VALUE).values.values())
    if index >= len(values):
        return STATUS_NO_MORE_ENTRIES
    return _tell(thread, _value(values[index], kind), buffer, length, returned, 20 if kind == 1 else 12)


def _value(value: Value, kind: int) -> bytes:
    name = value.name.encode("utf-16-le", "surrogatepass")
    if kind == 0:
        return struct.pack("<III", 0, value.kind, len(name)) + name
    if kind in (1, 3):
        start = 20 + len(name) + 7 & -8
        head = struct.pack("<IIIII", 0, value.kind, start, len(value.data), len(name)) + name
        return head.ljust(start, b"\0") + value.data
    if kind in (2, 4):
        head = (
            struct.pack("<III", 0, value.kind, len(value.data))
            if kind == 2
            else struct.pack("<II", value.kind, len(value.data))
        )
        return head + value.data
    raise NtError(STATUS_INVALID_PARAMETER)


@call("NtEnumerateKey")
def enumerate_key(
    thread: NtThread, handle: Handle, index: UInt, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """A key of a key, by number."""
    keys = _key(thread, handle, KEY_ENUMERATE_SUB_KEYS).listed()
    if index >= len(keys):
        return STATUS_NO_MORE_ENTRIES
    return _tell(thread, _describe(keys[index], kind), buffer, length, returned, 16)


@call("NtQueryKey")
def query_key(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """Of an open key."""
    return _tell(
        thread,
        _describe(_key(thread, handle, 0 if kind == _NAME else KEY_QUERY_VALUE), kind),
        buffer,
        length,
        returned,
        16,
    )


def _describe(key: Key, kind: int) -> bytes:
    name = key.name.encode("utf-16-le", "surrogatepass")
    listed = key.listed()
    keys = max((2 * len(each.name) for each in listed), default=0)
    names = max((2 * len(each.name) for each in key.values.values()), default=0)
    data = max((len(each.data) for each in key.values.values()), default=0)
    if kind == 0:
        return struct.pack("<QII", key.written, 0, len(name)) + name
    if kind == 1:
        return struct.pack("<QIIII", key.written, 0, 0xFFFF_FFFF, 0, len(name)) + name
    if kind == 2:
        full = (len(listed), keys, 0, len(key.values), names, data)
        return struct.pack("<QIII6I", key.written, 0, 0xFFFF_FFFF, 0, *full)
    if kind == _NAME:
        path = key.path.encode("utf-16-le", "surrogatepass")
        return struct.pack("<I", len(path)) + path
    if kind == 4:
        counts = (len(listed), keys, len(key.values), names, data)
        return struct.pack("<QI5II", key.written, 0, *counts, len(name)) + name
    if kind == 7:
        return bytes(4)
    raise NtError(STATUS_INVALID_PARAMETER)


def _tell(thread: NtThread, data: bytes, buffer: int, length: int, returned: int, least: int) -> int:
    """As much as fits, if the fixed part does."""
    thread.put_half(returned, len(data))
    if length < min(least, len(data)):
        return STATUS_BUFFER_TOO_SMALL
    thread.put(buffer, data[:length])
    return STATUS_BUFFER_OVERFLOW if length < len(data) else STATUS_SUCCESS
