"""Calls on files and other objects: names behind handles, nothing of the host."""

from __future__ import annotations

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, call
from machine.kernel.nt.process import STANDARD_HANDLES
from machine.kernel.nt.status import STATUS_END_OF_FILE, STATUS_INVALID_HANDLE, STATUS_SUCCESS

_LARGEST_WRITE = 1 << 24
_FILE_OPENED = 1


@call("NtClose")
def close(thread: NtThread, handle: Handle) -> int:
    """The handle means nothing from then on."""
    return STATUS_INVALID_HANDLE if thread.state.handles.pop(handle, None) is None else STATUS_SUCCESS


@call("NtWriteFile")
def write_file(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, buffer: Address,
    length: UInt,
) -> int:  # fmt: skip
    """To a standard handle: what the program prints. To another one: nowhere."""
    if file not in thread.state.handles:
        return STATUS_INVALID_HANDLE
    data = thread.data(buffer, min(length, _LARGEST_WRITE))
    if file in STANDARD_HANDLES:
        thread.services.write(STANDARD_HANDLES[file], data)
    thread.set_io_status(block, STATUS_SUCCESS, len(data))
    return STATUS_SUCCESS


@call("NtReadFile")
def read_file(thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address) -> int:
    """Every file is empty."""
    if file not in thread.state.handles:
        return STATUS_INVALID_HANDLE
    thread.set_io_status(block, STATUS_END_OF_FILE, 0)
    return STATUS_END_OF_FILE


@call("NtDeviceIoControlFile")
def device_control(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address
) -> int:
    """Accepted, without effect."""
    if file not in thread.state.handles:
        return STATUS_INVALID_HANDLE
    thread.set_io_status(block, STATUS_SUCCESS, 0)
    return STATUS_SUCCESS


@call("NtOpenFile", "NtCreateFile")
def open_file(thread: NtThread, handle: Address, access: UInt, attributes: Address, block: Address) -> int:
    """Every name can be opened."""
    name = thread.object_name(attributes)
    thread.put_word(handle, thread.state.next_handle)
    thread.set_io_status(block, STATUS_SUCCESS, _FILE_OPENED)
    thread.state.open(name)
    return STATUS_SUCCESS


@call("NtOpenProcess", "NtCreateEvent", "NtCreateSection")
def new_handle(thread: NtThread, handle: Address) -> int:
    """A handle that stands for nothing in particular."""
    thread.put_word(handle, thread.state.next_handle)
    thread.state.open("object")
    return STATUS_SUCCESS


@call("NtDuplicateObject")
def duplicate(thread: NtThread, source: Handle, handle: Handle, target: Handle, copy: Address) -> int:
    """Another handle of the same object, whatever the processes."""
    what = thread.state.handles.get(handle)
    if what is None:
        return STATUS_INVALID_HANDLE
    thread.put_word(copy, thread.state.next_handle)
    thread.state.open(what)
    return STATUS_SUCCESS
