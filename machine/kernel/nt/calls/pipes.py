"""Calls on pipes; the calls on files read and write them by what is here, too."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, call
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.calls.time import deadline_of
from machine.kernel.nt.files import File
from machine.kernel.nt.operations import Told, begin, cancel, completed, give
from machine.kernel.nt.paths import components
from machine.kernel.nt.pipes import CLOSING, DISCONNECTED, LISTENING, Pipe, PipeEnd, PipeRoot
from machine.kernel.nt.sharing import READS, WRITES, uses_of
from machine.kernel.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PIPE_STATE,
    STATUS_INVALID_READ_MODE,
    STATUS_IO_TIMEOUT,
    STATUS_NOT_FOUND,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_DISCONNECTED,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.outcomes import Result, Wait

_OPEN, _CREATE = 1, 2
_DISPOSITIONS = (_OPEN, _CREATE, 3, 5)  # FILE_OPEN_IF; FILE_OVERWRITE_IF, which Wine's CreatePipe says
_OPENED, _CREATED = 1, 2
_SYNCHRONOUS = 0x30  # FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT
_PEEK_HEAD, _WAIT_HEAD = 16, 14
_PIPES = ("pipe\\", "namedpipe\\")  # devices
_LEAST_ROOM, _MOST_ROOM = 4096, 1 << 20
_LARGEST_TRANSFER = 1 << 26


def _root_of(thread: NtThread, attributes: int) -> object:
    root = thread.word(attributes + 8)
    return thread.object(root) if root else None


def _name_of(thread: NtThread, attributes: int) -> str | None:
    """The name of a pipe in small letters, empty for the directory of pipes; None where it is about something else."""
    name, root = thread.object_name(attributes), _root_of(thread, attributes)
    if isinstance(root, PipeRoot):
        return name.lower()
    found = "" if root is not None else components(name, None)
    if not isinstance(found, str) or not f"{found}\\".startswith(_PIPES):
        return None
    return found.partition("\\")[2]


def open_pipe(thread: NtThread, attributes: int, access: int, options: int) -> File | None:
    """The end of a pipe that OBJECT_ATTRIBUTES name, or the pipes' directory; None for neither. Raises NtError."""
    root, pipes, uses = _root_of(thread, attributes), thread.state.pipes, uses_of(access)
    opened: File
    if isinstance(root, PipeEnd):  # its own instance
        opened = pipes.connect(root.pipe, uses)
    else:
        name = _name_of(thread, attributes)
        if name is None:
            return None
        pipe = pipes.find(name)
        if name and pipe is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        opened = PipeRoot() if pipe is None else pipes.connect(pipe, uses)
    opened.is_asynchronous = not options & _SYNCHRONOUS
    return opened


@call("NtCreateNamedPipeFile")
def create_pipe(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, block: Address, share: UInt,
    disposition: UInt, options: UInt, kind: UInt, read_mode: UInt, completion: UInt, most: UInt, inbound: UInt,
    outbound: UInt, timeout: Address,
) -> int:  # fmt: skip
    """An instance of a pipe: the server's end. Without a name, in the directory of pipes, there is no second one."""
    name = _name_of(thread, attributes)
    uses = WRITES * bool(share & 2) | READS * bool(share & 1)
    if name is None or not most or not uses or disposition not in _DISPOSITIONS or read_mode & 1 > kind & 1:
        return STATUS_INVALID_PARAMETER
    pipes, default = thread.state.pipes, thread.word(timeout) if timeout else 0
    existed = bool(name) and pipes.find(name) is not None
    if disposition == _OPEN and not existed:
        return STATUS_OBJECT_NAME_NOT_FOUND
    inbound, outbound = (min(max(size, _LEAST_ROOM), _MOST_ROOM) for size in (inbound, outbound))
    wanted = Pipe(name, bool(kind & 1), uses, most if name else 1, inbound, outbound, -default % (1 << 64))
    wanted.spelling = thread.object_name(attributes)[-len(name) :]
    end = pipes.create(wanted, uses_of(access), is_new=disposition == _CREATE)
    end.reads_messages, end.is_nonblocking = bool(read_mode & 1), bool(completion & 1)
    end.is_asynchronous = not options & _SYNCHRONOUS
    return give(thread, handle, block, end, access, attributes, _OPENED if existed else _CREATED)


def read_pipe(thread: NtThread, end: PipeEnd, told: Told, buffer: int, length: int) -> Result:
    """Read what there is, or wait for it. Raises NtError."""
    end.check(READS)

    def finish() -> tuple[int, int]:
        status, data = end.receive(min(length, _LARGEST_TRANSFER))
        thread.put(buffer, data)
        return status, len(data)

    return begin(thread, end, told, lambda: end.can_read, finish)


def write_pipe(thread: NtThread, end: PipeEnd, told: Told, data: bytes) -> Result:
    """Write, and wait for a reader where there is no room. Raises NtError."""
    return begin(thread, end, told, *end.put(data))


def flush_pipe(thread: NtThread, end: PipeEnd, told: Told) -> Result:
    """Wait until everything was read."""
    return begin(thread, end, told, lambda: end.is_flushed, lambda: (STATUS_SUCCESS, 0))


# --- FSCTL_PIPE_*


class Buffers:
    """What NtFsControlFile is given and is to fill."""

    def __init__(self, data: int, size: int, buffer: int, length: int) -> None:
        self.data = data
        self.size = size
        self.buffer = buffer
        self.length = length


def _disconnect(thread: NtThread, end: PipeEnd, told: Told, given: Buffers) -> Result:
    end.disconnect()
    return completed(thread, end, told, STATUS_SUCCESS, 0)


def _listen(thread: NtThread, end: PipeEnd, told: Told, given: Buffers) -> Result:
    if not end.is_server:
        return STATUS_INVALID_PIPE_STATE
    end.listen()

    def finish() -> tuple[int, int]:
        return (STATUS_PIPE_DISCONNECTED if end.state == DISCONNECTED else STATUS_SUCCESS), 0

    return begin(thread, end, told, lambda: end.state != LISTENING, finish)


def _peek(thread: NtThread, end: PipeEnd, told: Told, given: Buffers) -> Result:
    """FILE_PIPE_PEEK_BUFFER."""
    if given.length < _PEEK_HEAD:
        return STATUS_INFO_LENGTH_MISMATCH
    if end.state == LISTENING:
        return STATUS_INVALID_PIPE_STATE
    if end.state == DISCONNECTED or (end.state == CLOSING and not end.queue):
        return STATUS_PIPE_BROKEN if end.state == CLOSING else STATUS_PIPE_DISCONNECTED
    data = end.peek(min(given.length - _PEEK_HEAD, _LARGEST_TRANSFER))
    messages, first = (len(end.queue), len(end.queue[0])) if end.pipe.is_message and end.queue else (0, 0)
    thread.put(given.buffer, struct.pack("<4I", end.state, end.queued, messages, first) + data)
    is_cut = len(data) < (first if end.reads_messages else end.queued)
    status = STATUS_BUFFER_OVERFLOW if is_cut else STATUS_SUCCESS
    return completed(thread, end, told, status, _PEEK_HEAD + len(data))


def _transceive(thread: NtThread, end: PipeEnd, told: Told, given: Buffers) -> Result:
    """A message out, and one in."""
    if not end.reads_messages:
        return STATUS_INVALID_PIPE_STATE
    end.put(thread.data(given.data, min(given.size, _LARGEST_TRANSFER)))
    return read_pipe(thread, end, told, given.buffer, given.length)


_CONTROLS = {0x11_0004: _disconnect, 0x11_0008: _listen, 0x11_400C: _peek, 0x11_C017: _transceive}
_WAIT = 0x11_0018


def control_pipe(thread: NtThread, file: File, told: Told, code: int, given: Buffers) -> Result:
    """FSCTL_PIPE_* on an end, FSCTL_PIPE_WAIT on the directory. Raises NtError."""
    if isinstance(file, PipeRoot) and code == _WAIT:
        return _wait(thread, given)
    if not isinstance(file, PipeEnd) or code not in _CONTROLS:
        return STATUS_INVALID_DEVICE_REQUEST
    return _CONTROLS[code](thread, file, told, given)


def _wait(thread: NtThread, given: Buffers) -> Result:
    """FILE_PIPE_WAIT_FOR_BUFFER: until a server listens."""
    length, is_given = struct.unpack("<IB", thread.data(given.data + 8, 5))
    if length > given.size - _WAIT_HEAD:
        return STATUS_INVALID_PARAMETER
    name = thread.data(given.data + _WAIT_HEAD, length).decode("utf-16-le", "replace").lower()
    pipes = thread.state.pipes
    pipe = pipes.find(name)
    if pipe is None:
        return STATUS_OBJECT_NAME_NOT_FOUND
    clock = thread.services.clock
    deadline = deadline_of(thread, given.data) if is_given else clock.elapsed() + pipe.timeout * TICKS_PER_UNIT

    def ready() -> bool:
        found = pipes.find(name)
        return found is None or any(each.state == LISTENING for each in found.instances)

    def then(late: bool) -> Result:
        if late:
            return STATUS_IO_TIMEOUT
        return STATUS_OBJECT_NAME_NOT_FOUND if pipes.find(name) is None else STATUS_SUCCESS

    return Wait(ready, deadline, then)


# --- cancelling


@call("NtCancelIoFile")
def cancel_own(thread: NtThread, file: Handle, block: Address) -> int:
    """What this thread has under way on a file."""
    opened = thread.state.handles.of(file, File)
    cancel(thread.state, lambda each: each.file is opened and each.thread is thread.thread)
    thread.set_io_status(block, STATUS_SUCCESS, 0)
    return STATUS_SUCCESS


@call("NtCancelIoFileEx")
def cancel_any(thread: NtThread, file: Handle, which: Address, block: Address) -> int:
    """What all threads have under way on a file, or the operation with this status block."""
    opened = thread.state.handles.of(file, File)
    found = cancel(thread.state, lambda each: each.file is opened and which in (0, each.block))
    status = STATUS_SUCCESS if found else STATUS_NOT_FOUND
    thread.set_io_status(block, status, 0)
    return status


@call("NtCancelSynchronousIoFile")
def cancel_synchronous(thread: NtThread, handle: Handle, which: Address, block: Address) -> int:
    """The operation for the end of which a thread waits."""
    target = thread.thread_of(handle)
    status = STATUS_SUCCESS if target.in_operation else STATUS_NOT_FOUND
    target.is_cancelled = target.in_operation
    thread.set_io_status(block, status, 0)
    return status


# --- FilePipeInformation, FilePipeLocalInformation


def pipe_information(end: PipeEnd) -> bytes:
    """FILE_PIPE_INFORMATION."""
    return struct.pack("<II", end.reads_messages, end.is_nonblocking)


def local_pipe_information(end: PipeEnd) -> bytes:
    """FILE_PIPE_LOCAL_INFORMATION."""
    pipe, other = end.pipe, end.other
    room = 0 if other is None else max(0, other.room - other.queued)
    direction = {WRITES: 0, READS: 1}.get(pipe.uses, 2)
    return struct.pack(
        "<10I", pipe.is_message, direction, pipe.most, len(pipe.instances), pipe.inbound, end.queued, pipe.outbound,
        room, end.state, end.is_server,
    )  # fmt: skip


def set_pipe_information(end: PipeEnd, data: bytes) -> int:
    """The same of FILE_PIPE_INFORMATION."""
    read_mode, completion = struct.unpack("<II", data)
    if read_mode and not end.pipe.is_message:
        return STATUS_INVALID_READ_MODE
    end.reads_messages, end.is_nonblocking = bool(read_mode), bool(completion)
    return STATUS_SUCCESS
