"""Calls that make, name and connect sockets, and their options."""

from __future__ import annotations

import struct

from machine.kernel.linux import interfaces, open_files as of, socket_names as names
from machine.kernel.linux.abi import Address, Fd, Flags, Int, UInt, call
from machine.kernel.linux.datagram_sockets import DatagramSocket, pair_of_datagrams
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.netlink_sockets import NETLINK_ROUTE, NETLINK_SOCK_DIAG, NetlinkSocket, attribute
from machine.kernel.linux.socket_options import (
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_PEERCRED,
    SO_PROTOCOL,
    SO_TYPE,
    SOL_SOCKET,
    TELLING,
)
from machine.kernel.linux.socket_tables import Diagnosis
from machine.kernel.linux.sockets import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_UNIX,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Credentials,
    InetAddress,
    NetlinkAddress,
    Socket,
    UnixAddress,
)
from machine.kernel.linux.stream_sockets import StreamSocket, pair_of_streams
from machine.kernel.linux.task import Task

_TYPE, _FLAGS = 0xF, of.O_NONBLOCK | of.O_CLOEXEC
_MOST_FAMILIES, _MOST_TYPES = 46, 11
_TCP, _UDP = 6, 17
_PROTOCOLS = {(AF_INET, SOCK_STREAM): _TCP, (AF_INET, SOCK_DGRAM): _UDP}
_LONGEST_OPTION = 1024
_UNSPECIFIED = 0


def socket_of(task: Task, fd: int) -> Socket:
    """Raises EBADF and ENOTSOCK."""
    file = task.files.file(fd)
    if not isinstance(file, Socket):
        raise LinuxError(Errno.ENOTSOCK)
    return file


def credentials_of(task: Task) -> Credentials:
    """Who asks."""
    return task.threads.pid, task.user, task.group


def load_address(task: Task, address: int, size: int) -> bytes:
    """A sockaddr. Raises EINVAL and EFAULT."""
    if not 0 <= size <= names.LONGEST_ADDRESS:
        raise LinuxError(Errno.EINVAL)
    return task.space.load(address, size)


def store_address(task: Task, address: int, size_address: int, raw: bytes) -> None:
    """A sockaddr, as much of it as there is room for, and its size. Raises EINVAL and EFAULT."""
    (room,) = task.space.load_words(size_address, "i")
    if room < 0:
        raise LinuxError(Errno.EINVAL)
    task.space.store(address, raw[:room])
    task.space.store_words(size_address, "i", len(raw))


def _new(task: Task, family: int, kind: int, protocol: int, flags: int = 0) -> Socket:
    """Raises what socket(2) does."""
    if kind >= _MOST_TYPES or kind < 0:
        raise LinuxError(Errno.EINVAL)
    if family not in (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK):
        raise Refused(Errno.EAFNOSUPPORT)
    inode = task.store.new_inode()
    if family == AF_NETLINK:
        if kind not in (SOCK_RAW, SOCK_DGRAM):
            raise LinuxError(Errno.ESOCKTNOSUPPORT)
        if protocol not in (NETLINK_ROUTE, NETLINK_SOCK_DIAG):
            raise Refused(Errno.EPROTONOSUPPORT)
        present = interfaces.present(task.network.outside is not None)
        diagnosis = (
            Diagnosis(task.network, task.space.work, task.user, attribute).rows
            if protocol == NETLINK_SOCK_DIAG
            else None
        )
        return NetlinkSocket(task.network, kind, flags, inode, task.process.pid, present, diagnosis)
    if family == AF_UNIX:
        if protocol not in (0, AF_UNIX):
            raise LinuxError(Errno.EPROTONOSUPPORT)
        if kind in (SOCK_STREAM, SOCK_SEQPACKET):
            return StreamSocket(task.network, family, kind, 0, flags, inode)
        if kind in (SOCK_DGRAM, SOCK_RAW):
            return DatagramSocket(task.network, family, SOCK_DGRAM, 0, flags, inode)
        raise LinuxError(Errno.ESOCKTNOSUPPORT)
    if kind == SOCK_RAW:
        raise Refused(Errno.EPERM if protocol else Errno.EPROTONOSUPPORT)
    if kind not in (SOCK_STREAM, SOCK_DGRAM):
        raise LinuxError(Errno.ESOCKTNOSUPPORT)
    own = _PROTOCOLS[AF_INET, kind]
    if protocol not in (0, own):
        raise LinuxError(Errno.EPROTONOSUPPORT)
    make = StreamSocket if kind == SOCK_STREAM else DatagramSocket
    return make(task.network, family, kind, own, flags, inode)


@call("socket")
def socket(task: Task, family: Int, kind: Int, protocol: Int) -> int:
    """socket(2): AF_UNIX, and TCP and UDP, which reach loopback only."""
    if kind & ~(_TYPE | _FLAGS):
        raise LinuxError(Errno.EINVAL)
    if not 0 <= family < _MOST_FAMILIES:
        raise LinuxError(Errno.EAFNOSUPPORT)
    made = _new(task, family, kind & _TYPE, protocol, kind & of.O_NONBLOCK)
    return task.files.add(made, bool(kind & of.O_CLOEXEC))


@call("socketpair")
def socketpair(task: Task, family: Int, kind: Int, protocol: Int, buffer: Address) -> int:
    """socketpair(2)"""
    if kind & ~(_TYPE | _FLAGS):
        raise LinuxError(Errno.EINVAL)
    first = _new(task, family, kind & _TYPE, protocol)
    if not first.is_local:
        raise LinuxError(Errno.EOPNOTSUPP)
    if task.space.room(buffer, 8) < 8:
        raise LinuxError(Errno.EFAULT)
    inodes = task.store.new_inode(), task.store.new_inode()
    flags = kind & of.O_NONBLOCK
    if isinstance(first, StreamSocket):
        ends = pair_of_streams(task.network, first.kind, flags, inodes)
    else:
        ends = pair_of_datagrams(task.network, flags, inodes)
    for end in ends:
        end.peer_credentials = credentials_of(task)
    task.space.store_words(buffer, "ii", *task.files.add_pair(ends, bool(kind & of.O_CLOEXEC)))
    return 0


@call("bind")
def bind(task: Task, fd: Fd, address: Address, size: Int) -> int:
    """bind(2)"""
    asked = socket_of(task, fd)
    raw = load_address(task, address, size)
    if asked.family == AF_INET and len(raw) >= 16 and names.family_of(raw) == _UNSPECIFIED and not any(raw[4:8]):
        raw = struct.pack("<H", AF_INET) + raw[2:]
    where = names.decode(asked.family, raw)
    if isinstance(where, UnixAddress):
        names.bind_name(task, asked, where)
    elif isinstance(where, NetlinkAddress):
        assert isinstance(asked, NetlinkSocket)
        asked.bind(where)
    else:
        names.bind_port(task, asked, where)
    return 0


@call("listen")
def listen(task: Task, fd: Fd, backlog: Int) -> int:
    """listen(2)"""
    asked = socket_of(task, fd)
    if isinstance(asked, StreamSocket):
        if asked.is_local and asked.local is None:
            raise LinuxError(Errno.EINVAL)
        if not asked.is_local and asked.peer is None:
            names.require_port(task, asked)
    asked.listen(backlog, credentials_of(task))
    return 0


@call("accept")
def accept(task: Task, fd: Fd, address: Address, size: Address) -> int:
    """accept(2)"""
    return accept4(task, fd, address, size, 0)


@call("accept4")
def accept4(task: Task, fd: Fd, address: Address, size: Address, flags: Flags) -> int:
    """accept4(2)"""
    if flags & ~_FLAGS:
        raise LinuxError(Errno.EINVAL)
    made = socket_of(task, fd).accept(task.store.new_inode())
    made.flags |= flags & of.O_NONBLOCK
    try:
        number = task.files.add(made, bool(flags & of.O_CLOEXEC))
    except LinuxError:
        made.closed()
        raise
    if address:
        try:
            store_address(task, address, size, names.encode(made.family, made.peer_address))
        except LinuxError:
            task.files.close(number)
            raise
    return number


@call("connect")
def connect(task: Task, fd: Fd, address: Address, size: Int) -> int:
    """connect(2). Raises ENETUNREACH for all but loopback and scripted hosts."""
    asked = socket_of(task, fd)
    raw = load_address(task, address, size)
    if names.family_of(raw) == _UNSPECIFIED and isinstance(asked, DatagramSocket):
        asked.aim(None, None)
        return 0
    where = names.decode(asked.family, raw)
    if isinstance(where, NetlinkAddress):
        return 0
    if isinstance(asked, DatagramSocket):
        _aim(task, asked, where)
        return 0
    assert isinstance(asked, StreamSocket)
    if asked.has_just_connected():
        return 0
    asked.check_unconnected()
    if isinstance(where, UnixAddress):
        _connect_local(task, asked, where)
    else:
        _connect_inet(task, asked, where)
    return 0


def _aim(task: Task, asked: DatagramSocket, where: InetAddress | UnixAddress) -> None:
    if isinstance(where, UnixAddress):
        target = names.at_name(task, where)
        if not isinstance(target, DatagramSocket):
            raise LinuxError(Errno.EPROTOTYPE)
        if target.target is not None and target.target is not asked:
            raise LinuxError(Errno.EPERM)
        asked.aim(target, target.local)
        return
    there = names.reachable(task.network, asked, where)
    names.require_port(task, asked, names.own_host(asked, there.host))
    asked.aim(None, there, lambda: names.at_port(task.network, SOCK_DGRAM, there, asked.local))


def _connect_local(task: Task, asked: StreamSocket, where: UnixAddress) -> None:
    listener = names.at_name(task, where)
    if listener.kind != asked.kind or not isinstance(listener, StreamSocket):
        raise LinuxError(Errno.EPROTOTYPE)

    def made() -> StreamSocket:
        end = StreamSocket(task.network, AF_UNIX, asked.kind, 0, 0, task.store.new_inode())
        end.local = listener.local
        return end

    asked.connect(listener, made, credentials_of(task))


def _connect_inet(task: Task, asked: StreamSocket, where: InetAddress) -> None:
    there = names.reachable(task.network, asked, where)
    names.require_port(task, asked, names.own_host(asked, there.host))
    outside = task.network.outside
    if outside is not None and outside.knows(there, SOCK_STREAM):
        end = outside.stream(task.network, there)
        if end is None:
            raise asked.fail_to_connect(Errno.ECONNREFUSED)
        try:
            asked.reach(end)
        finally:
            end.begin()
        return
    listener = names.at_port(task.network, SOCK_STREAM, there)
    if not isinstance(listener, StreamSocket):
        raise asked.fail_to_connect(Errno.ECONNREFUSED)
    family, kind = listener.family, listener.kind

    def made() -> StreamSocket:
        end = StreamSocket(task.network, family, kind, _TCP, 0, task.store.new_inode())
        names.settle(task.network, end, there)
        return end

    asked.connect(listener, made, credentials_of(task))


@call("getsockname")
def getsockname(task: Task, fd: Fd, address: Address, size: Address) -> int:
    """getsockname(2)"""
    asked = socket_of(task, fd)
    store_address(task, address, size, names.encode(asked.family, asked.local))
    return 0


@call("getpeername")
def getpeername(task: Task, fd: Fd, address: Address, size: Address) -> int:
    """getpeername(2)"""
    asked = socket_of(task, fd)
    store_address(task, address, size, names.encode(asked.family, asked.peer_address))
    return 0


@call("shutdown")
def shutdown(task: Task, fd: Fd, how: Int) -> int:
    """shutdown(2)"""
    asked = socket_of(task, fd)
    if not 0 <= how <= 2:
        raise LinuxError(Errno.EINVAL)
    asked.shut_down(how != 1, how != 0)
    return 0


@call("getsockopt")
def getsockopt(task: Task, fd: Fd, level: Int, name: Int, address: Address, size_address: Address) -> int:
    """getsockopt(2)"""
    asked = socket_of(task, fd)
    (size,) = task.space.load_words(size_address, "i")
    if size < 0:
        raise LinuxError(Errno.EINVAL)
    value = _told(asked, name) if level == SOL_SOCKET and name in TELLING else asked.options.get(level, name)
    task.space.store(address, value[:size])
    task.space.store_words(size_address, "i", min(size, len(value)))
    return 0


def _told(asked: Socket, name: int) -> bytes:
    """An option that nobody sets."""
    if name == SO_PEERCRED:
        return struct.pack("<iII", *asked.peer_credentials)
    if name == SO_ERROR:
        asked.ready()
        error, asked.error = asked.error, None
        return struct.pack("<i", error or 0)
    listens = isinstance(asked, StreamSocket) and asked.backlog is not None
    values = {SO_TYPE: asked.kind, SO_ACCEPTCONN: int(listens), SO_PROTOCOL: asked.protocol, SO_DOMAIN: asked.family}
    return struct.pack("<i", values[name])


@call("setsockopt")
def setsockopt(task: Task, fd: Fd, level: Int, name: Int, address: Address, size: UInt) -> int:
    """setsockopt(2)"""
    asked = socket_of(task, fd)
    if size >= 1 << 31:
        raise LinuxError(Errno.EINVAL)
    asked.options.set(level, name, task.space.load(address, min(size, _LONGEST_OPTION)))
    return 0
