"""Calls that send and receive by sockets, with what goes along: addresses, files, credentials."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from machine.kernel.linux import socket_names as names, sockets
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Size, UInt, call
from machine.kernel.linux.calls.sockets import credentials_of, load_address, socket_of, store_address
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.calls.transfers import before_fault, buffers, gathered, spread
from machine.kernel.linux.datagram_sockets import DatagramSocket
from machine.kernel.linux.errors import Errno, LinuxError, WouldWait
from machine.kernel.linux.open_files import OpenFile
from machine.kernel.linux.signals import SIGPIPE, send as send_signal
from machine.kernel.linux.socket_options import SO_PASSCRED, SOL_SOCKET
from machine.kernel.linux.sockets import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SOCK_DGRAM,
    TCP_BYTES,
    Credentials,
    InetAddress,
    Message,
    Received,
    Socket,
    UnixAddress,
)
from machine.kernel.linux.space import MOST_BYTES, check_user_range
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PIECE

_MSG_OOB, _MSG_CTRUNC, _MSG_ERRQUEUE, _MSG_WAITFORONE, _MSG_CMSG_CLOEXEC = 1, 8, 0x2000, 0x10000, 0x4000_0000
_SCM_RIGHTS, _SCM_CREDENTIALS, _MOST_FILES = 1, 2, 253
_HEAD = struct.Struct("<QII")  # struct user_msghdr's control messages: size, level, type
_MESSAGE, _MESSAGE_BYTES, _ROW_BYTES = "QIxxxxQQQQI", 56, 64  # struct msghdr, struct mmsghdr
_LONGEST_CONTROL = 20_480  # net.core.optmem_max
_MOST_MESSAGES = 1024
Rows = list[tuple[int, int]]


class _Header(msgspec.Struct, frozen=True):
    """A struct msghdr."""

    address: int
    address_size: int
    rows: Rows
    control: int
    control_size: int

    @classmethod
    def of(cls, task: Task, where: int) -> _Header:
        """Raises EFAULT, EINVAL and EMSGSIZE."""
        address, size, vectors, count, control, control_size, _ = task.space.load_words(where, _MESSAGE)
        if count > _MOST_MESSAGES:
            raise LinuxError(Errno.EMSGSIZE)
        return cls(address, size if address else 0, buffers(task, vectors, count), control, control_size)


# --- sending


@call("sendto")
def sendto(
    task: Task, fd: Fd, buffer: Address, size: Size, flags: Flags, address: Address, address_size: Int
) -> Result:
    """sendto(2)"""
    check_user_range(buffer, size)
    asked = socket_of(task, fd)
    to = load_address(task, address, address_size) if address else b""
    rows = [(buffer, min(size, MOST_BYTES))] if size else []
    return _send(task, asked, rows, flags, to, b"")


@call("sendmsg")
def sendmsg(task: Task, fd: Fd, where: Address, flags: Flags) -> Result:
    """sendmsg(2)"""
    return _send_message(task, socket_of(task, fd), where, flags)


def _send_message(task: Task, asked: Socket, where: int, flags: int) -> Result:
    header = _Header.of(task, where)
    to = load_address(task, header.address, header.address_size) if header.address_size else b""
    if header.control_size > _LONGEST_CONTROL:
        raise LinuxError(Errno.ENOBUFS)
    control = task.space.load(header.control, header.control_size) if header.control_size else b""
    return _send(task, asked, header.rows, flags, to, control)


@call("sendmmsg")
def sendmmsg(task: Task, fd: Fd, rows: Address, count: UInt, flags: Flags) -> Result:
    """sendmmsg(2)"""
    asked = socket_of(task, fd)
    part = partial(_send_message, task, asked)
    return _Several(task, rows, min(count, _MOST_MESSAGES), lambda where, done: part(where, flags)).go_on(0)


class _Several(msgspec.Struct, frozen=True):
    """The messages of one call: `part(row)` carries the one at a struct mmsghdr out."""

    task: Task
    rows: int
    count: int
    part: Callable[[int, int], Result]  # of a row's address, and how many came before it
    deadline: int | None = None

    def go_on(self, done: int, first: Callable[[], Result] | None = None) -> Result:
        """The messages behind the first `done`. Where one fails or is interrupted, the result is what was done."""
        while done < self.count and not (done and self._is_late()):
            where = self.rows + done * _ROW_BYTES
            try:
                result = self.part(where, done) if first is None else first()
            except WouldWait as error:
                if not done:
                    raise
                return _later(error, partial(self.go_on, done), done)
            except LinuxError:
                if not done:
                    raise
                return done
            first = None
            if isinstance(result, Wait):
                return self._waiting(result, done)
            assert isinstance(result, int)
            if result < 0:
                return done or result
            self.task.space.store_words(where + _MESSAGE_BYTES, "I", result)
            done += 1
        return done

    def _is_late(self) -> bool:
        return self.deadline is not None and self.task.clock.elapsed() >= self.deadline

    def _waiting(self, wait: Wait, done: int) -> Wait:
        end = wait.interrupted
        return Wait(
            wait.until, wait.deadline, lambda late: self.go_on(done, lambda: wait.then(late)),
            None if end is None else lambda: self.go_on(done, end),
        )  # fmt: skip


def _later(error: WouldWait, again: Callable[[], Result], done: int) -> Result:
    """Go on when the wait is over; what was done is the result where it ends otherwise."""
    return Wait(error.until, error.deadline, lambda late: done if late else again(), lambda: done)


def _send(task: Task, asked: Socket, rows: Rows, flags: int, to: bytes, control: bytes) -> Result:
    """Send buffers as one message, or their bytes into a stream."""
    if flags & _MSG_OOB:
        raise LinuxError(Errno.EOPNOTSUPP)
    credentials, files = _attached(task, asked, control)
    if asked.is_stream:
        if to and asked.is_local:
            raise LinuxError(Errno.EISCONN if _is_connected(asked) else Errno.EOPNOTSUPP)
        pieces = gathered(task, before_fault(task, asked, rows))
        first = Message(bytearray(next(pieces, b"")), asked.local, credentials, files)
        if rows and not first.data:
            raise LinuxError(Errno.EFAULT)
        return _send_bytes(task, asked, first, pieces, flags, 0)
    size = sum(size for _, size in rows)
    if size > PIECE:
        raise LinuxError(Errno.EMSGSIZE)
    data = b"".join(gathered(task, rows))
    if len(data) < size:
        raise LinuxError(Errno.EFAULT)
    task.space.work.charge(size)
    message = Message(bytearray(data), asked.local, credentials, files)
    if not to or not isinstance(asked, DatagramSocket):
        return asked.send(message, flags)
    message.sender, message.target, target = _target(task, asked, to)
    return asked.send_to(target, message, flags)


def _is_connected(asked: Socket) -> bool:
    try:
        return asked.peer_address is not None
    except LinuxError:
        return False


def _send_bytes(task: Task, asked: Socket, message: Message, pieces: Iterator[bytes], flags: int, done: int) -> Result:
    """Send into a stream, and wait as often as it is full."""
    while True:
        task.space.work.charge(len(message.data))
        whole = bytes(message.data)
        try:
            taken = asked.send(message, flags)
        except LinuxError as error:
            if not isinstance(error, WouldWait):
                if done:
                    return done
                if error.number is Errno.EPIPE and not flags & MSG_NOSIGNAL:
                    send_signal(task, SIGPIPE)
                raise
            if not done:
                raise
            return _waiting_to_send(task, asked, message, pieces, flags, done, error)
        done += taken
        rest = whole[taken:] or next(pieces, b"")
        if not rest or task.space.work.is_ending():
            return done
        message = Message(bytearray(rest), message.sender, message.credentials)


def _waiting_to_send(
    task: Task, asked: Socket, message: Message, pieces: Iterator[bytes], flags: int, done: int, error: WouldWait
) -> Result:
    return _later(error, lambda: _send_bytes(task, asked, message, pieces, flags, done), done)


def _target(task: Task, asked: Socket, to: bytes) -> tuple[sockets.Address | None, sockets.Address, Socket | None]:
    """From where a message comes, where it goes to, and who is there."""
    where = names.decode(asked.family, to)
    if isinstance(where, UnixAddress):
        target = names.at_name(task, where)
        if not isinstance(target, DatagramSocket):
            raise LinuxError(Errno.EPROTOTYPE)
        return asked.local, where, target
    if not where.port or isinstance(where, sockets.NetlinkAddress):
        raise LinuxError(Errno.EINVAL)
    there = names.reachable(task.network, asked, where)
    names.require_port(task, asked)
    assert isinstance(asked.local, InetAddress)
    sender = InetAddress(names.own_host(asked, there.host), asked.local.port)
    return sender, there, names.at_port(task.network, SOCK_DGRAM, there, sender)


def _attached(task: Task, asked: Socket, control: bytes) -> tuple[Credentials, tuple[OpenFile, ...]]:
    """What control messages say. Raises EINVAL, EBADF and EPERM."""
    credentials, files, position = credentials_of(task), tuple[OpenFile, ...](), 0
    while len(control) - position >= _HEAD.size:
        size, level, kind = _HEAD.unpack_from(control, position)
        if not _HEAD.size <= size <= len(control) - position:
            raise LinuxError(Errno.EINVAL)
        body = control[position + _HEAD.size : position + size]
        position += (size + 7) & ~7
        if level != SOL_SOCKET or not asked.is_local:
            continue
        if kind == _SCM_RIGHTS:
            numbers = struct.unpack(f"<{len(body) // 4}i", body[: len(body) & ~3])
            files += tuple(task.files.reference(number) for number in numbers)
        elif kind == _SCM_CREDENTIALS and len(body) == 12:
            told = struct.unpack("<iII", body)
            if task.user and told != credentials:
                raise LinuxError(Errno.EPERM)
            credentials = told
        else:
            raise LinuxError(Errno.EINVAL)
    if len(files) > _MOST_FILES:
        raise LinuxError(Errno.EINVAL)
    return credentials, files


# --- receiving


@call("recvfrom")
def recvfrom(
    task: Task, fd: Fd, buffer: Address, size: Size, flags: Flags, address: Address, address_size: Address
) -> Result:
    """recvfrom(2)"""
    check_user_range(buffer, size)
    asked = socket_of(task, fd)
    rows: Rows = [(buffer, min(size, MOST_BYTES))] if size else []

    def end(received: Received, result: int) -> int:
        sockets.release(received.files)
        if address:
            store_address(task, address, address_size, _sender(asked, received))
        return result

    return _receive(task, asked, rows, flags, end)


def _sender(asked: Socket, received: Received) -> bytes:
    """As a sockaddr; nothing where nobody has a name."""
    if asked.is_stream and not asked.is_local:
        return b""
    if received.sender is None or received.sender == UnixAddress(b""):
        return b"" if asked.is_local else names.encode(asked.family, received.sender)
    return names.encode(asked.family, received.sender)


@call("recvmsg")
def recvmsg(task: Task, fd: Fd, where: Address, flags: Flags) -> Result:
    """recvmsg(2)"""
    return _receive_message(task, socket_of(task, fd), where, flags)


def _receive_message(task: Task, asked: Socket, where: int, flags: int) -> Result:
    header = _Header.of(task, where)

    def end(received: Received, result: int) -> int:
        told = flags & _MSG_CMSG_CLOEXEC
        if not asked.is_stream and received.whole > sum(size for _, size in header.rows):
            told |= MSG_TRUNC
        if header.address:
            raw = _sender(asked, received)
            task.space.store(header.address, raw[: header.address_size])
            task.space.store_words(where + 8, "I", len(raw))
        control, is_cut = _detached(task, asked, received, header.control_size, flags)
        task.space.store(header.control, control)
        task.space.store_words(where + 40, "QI", len(control), told | (_MSG_CTRUNC if is_cut else 0))
        return result

    return _receive(task, asked, header.rows, flags, end)


def _detached(task: Task, asked: Socket, received: Received, room: int, flags: int) -> tuple[bytes, bool]:
    """The control messages that a receive gives, and whether some had no room; new descriptors among them."""
    control, is_cut = b"", False
    if asked.options.is_set(SO_PASSCRED):
        body = struct.pack("<iII", *received.credentials)
        if room >= _HEAD.size:
            size = min(room, _HEAD.size + len(body))
            is_cut = size < _HEAD.size + len(body)
            control = (_HEAD.pack(size, SOL_SOCKET, _SCM_CREDENTIALS) + body)[:size]
            control = control.ljust(min(room, 32), b"\0")
        else:
            is_cut = True
    if received.files:
        fitting = max(0, (room - len(control) - _HEAD.size) // 4)
        numbers = _new_numbers(task, received.files[:fitting], bool(flags & _MSG_CMSG_CLOEXEC))
        is_cut |= len(numbers) < len(received.files)
        if numbers:
            size = _HEAD.size + 4 * len(numbers)
            row = _HEAD.pack(size, SOL_SOCKET, _SCM_RIGHTS) + struct.pack(f"<{len(numbers)}i", *numbers)
            control += row.ljust(min((size + 7) & ~7, room - len(control)), b"\0")
        sockets.release(received.files)
    return control, is_cut


def _new_numbers(task: Task, files: tuple[OpenFile, ...], close_on_exec: bool) -> list[int]:
    """Descriptors for as many files as there are numbers for."""
    result = list[int]()
    for file in files:
        try:
            result.append(task.files.add(file, close_on_exec))
        except LinuxError:
            break
    return result


@call("recvmmsg")
def recvmmsg(task: Task, fd: Fd, rows: Address, count: UInt, flags: Flags, timeout: Address) -> Result:
    """recvmmsg(2); the time is looked at behind each message, as on Linux."""
    asked = socket_of(task, fd)
    deadline = task.clock.elapsed() + duration(task, timeout) if timeout else None

    def part(where: int, done: int) -> Result:
        now = MSG_DONTWAIT if done and flags & _MSG_WAITFORONE else 0
        return _receive_message(task, asked, where, (flags & ~_MSG_WAITFORONE) | now)

    return _Several(task, rows, min(count, _MOST_MESSAGES), part, deadline).go_on(0)


def _receive(task: Task, asked: Socket, rows: Rows, flags: int, end: Callable[[Received, int], int]) -> Result:
    """Receive into buffers; `end` does the rest with what came, and says what the result is."""
    if flags & _MSG_OOB:
        raise LinuxError(Errno.EOPNOTSUPP if asked.is_local else Errno.EINVAL)
    if flags & _MSG_ERRQUEUE:
        raise LinuxError(Errno.EAGAIN)
    rows = _writable(task, rows)
    if asked.is_stream and flags & MSG_WAITALL and not flags & (MSG_PEEK | MSG_DONTWAIT):
        return _receive_all(task, asked, rows, flags, end, 0)
    received = asked.receive(sum(size for _, size in rows), flags)
    if not (asked.is_stream and not asked.is_local and flags & MSG_TRUNC):
        spread(task, rows, received.data)
    whole = flags & MSG_TRUNC and not asked.is_stream
    return end(received, received.whole if whole else len(received.data))


def _receive_all(
    task: Task, asked: Socket, rows: Rows, flags: int, end: Callable[[Received, int], int], done: int
) -> Result:
    """Receive until the buffers are full, or nothing more comes."""
    wanted, last = sum(size for _, size in rows), Received(b"", 0)
    while True:
        try:
            last = asked.receive(wanted - done, flags)
        except LinuxError as error:
            if not done:
                raise
            if not isinstance(error, WouldWait):
                return end(last, done)
            return _waiting_for_all(task, asked, rows, flags, end, done, error)
        spread(task, rows, last.data, done)
        done += len(last.data)
        if not last.data or done == wanted or last.files or task.space.work.is_ending():
            return end(last, done)


def _waiting_for_all(
    task: Task, asked: Socket, rows: Rows, flags: int, end: Callable[[Received, int], int], done: int, error: WouldWait
) -> Result:
    def stop() -> int:
        return end(Received(b"", 0), done)

    def go_on(late: bool) -> Result:
        return stop() if late else _receive_all(task, asked, rows, flags, end, done)

    return Wait(error.until, error.deadline, go_on, stop)


def _writable(task: Task, rows: Rows) -> Rows:
    """The buffers up to the first byte that cannot be written, cut to what can have come. Raises EFAULT."""
    result, left = Rows(), TCP_BYTES
    for address, size in rows:
        wanted = min(size, left)
        room = task.space.room(address, wanted)
        result.append((address, room))
        left -= room
        if room < wanted:
            break
    if rows and not any(room for _, room in result):
        raise LinuxError(Errno.EFAULT)
    return result
