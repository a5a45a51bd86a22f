"""The types of Linux' arguments, a function each: how a word of a call is shown. The notation is that of strace."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from hds.tracing.linux_structures import STRUCTURES, file_mode, open_flags, signal_name, signal_set
from hds.tracing.views import (
    LONGEST_PATH,
    MOST_ITEMS,
    Decoder,
    View,
    address,
    flags,
    hexadecimal,
    listed,
    members,
    named,
    octal,
    quoted,
    signed,
    with_path,
)
from machine.kernel.linux import constants

TYPES: dict[str, Decoder] = {}
_LOW = 0xFFFF_FFFF
_AT_FDCWD = -100
_LAST_MOMENT = 1 << 37  # seconds since 1970 of which a date is shown
_AnyDecoder = TypeVar("_AnyDecoder", bound=Decoder)
_Show = TypeVar("_Show", bound=Callable[[View, int], "str | None"])


def _type(*names: str) -> Callable[[_AnyDecoder], _AnyDecoder]:
    def add(decoder: _AnyDecoder) -> _AnyDecoder:
        TYPES.update(dict.fromkeys(names, decoder))
        return decoder

    return add


def _plain(name: str) -> Callable[[_Show], _Show]:
    def add(show: _Show) -> _Show:
        TYPES[name] = lambda view, word, _: show(view, word)
        return show

    return add


def length(view: View, place: str) -> int:
    """A length: of argument N, of the number that argument pN points to, or the result (r)."""
    if place == "r":
        return max(view.result or 0, 0)
    if place.startswith("p"):
        return view.integer(view.words[int(place[1:])], 4) or 0
    return view.words[int(place)]


# --- numbers


@_plain("int")
def _int(view: View, word: int) -> str:
    return str(signed(word, 32))


@_plain("uint")
def _uint(view: View, word: int) -> str:
    return str(word & _LOW)


@_plain("long")
def _long(view: View, word: int) -> str:
    return str(signed(word))


@_plain("size")
def _size(view: View, word: int) -> str:
    return str(word)


@_plain("hex")
def _hex(view: View, word: int) -> str:
    return hexadecimal(word)


@_plain("ptr")
def _ptr(view: View, word: int) -> str:
    return address(word)


@_plain("id")
def _id(view: View, word: int) -> str:
    return str(signed(word, 32)) if word & _LOW == _LOW else str(word & _LOW)


@_plain("key")
def _key(view: View, word: int) -> str:
    return "IPC_PRIVATE" if word & _LOW == 0 else hexadecimal(word & _LOW)


@_plain("mode")
def _mode(view: View, word: int) -> str:
    return octal(word & 0xFFFF)


@_plain("filemode")
def _filemode(view: View, word: int) -> str:
    return file_mode(word & _LOW)


@_plain("device")
def _device(view: View, word: int) -> str:
    return f"makedev({hexadecimal(word >> 8 & 0xFFF)}, {hexadecimal(word & 0xFF)})"


@_plain("openmode")
def _openmode(view: View, word: int) -> str | None:
    """It stands behind the flags, and is there where a file may be made (O_CREAT, O_TMPFILE)."""
    given = view.words[2 if view.name == "openat" else 1]
    return octal(word & 0o7777) if given & 0o20000100 else None


@_plain("fd")
def _fd(view: View, word: int) -> str:
    number = signed(word, 32)
    return with_path(str(number), view.file_at(number) if view.file_at is not None and number >= 0 else None)


@_plain("dirfd")
def _dirfd(view: View, word: int) -> str:
    if signed(word, 32) != _AT_FDCWD:
        return _fd(view, word)
    return with_path("AT_FDCWD", view.file_at(_AT_FDCWD) if view.file_at is not None else None)


@_type("flags")
def _flags(view: View, word: int, table: str) -> str:
    rule = _FLAG_RULES.get(table)
    return flags(constants(table), word & _LOW, _remark(table)) if rule is None else rule(word)


@_type("enum")
def _enum(view: View, word: int, table: str) -> str:
    word &= _LOW
    names = constants(table)
    if signed(word, 32) < 0 and signed(word, 32) in names:
        return names[signed(word, 32)]
    return named(names, word, _remark(table))


def _remark(table: str) -> str:
    """What is said beside a value of this table that has no name: CLOCK_???."""
    names = list(constants(table).values())
    first = names[0] if names else ""
    while not all(name.startswith(first) for name in names):
        first = first[:-1]
    return f"{first[: first.rfind('_') + 1]}???" if "_" in first else ""


def _map_flags(word: int) -> str:
    kind = {0: "MAP_FILE", 1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"}.get(word & 0xF)
    rest = {bits: name for bits, name in constants("map").items() if bits > 0xF}
    first = kind or f"{hexadecimal(word & 0xF)} /* MAP_??? */"
    return first if not word & _LOW & ~0xF else f"{first}|{flags(rest, word & _LOW & ~0xF)}"


def _socket_type(word: int) -> str:
    kind = named(constants("sock"), word & 0xF, "SOCK_???")
    return kind if not word & _LOW & ~0xF else f"{kind}|{flags(constants('accept'), word & _LOW & ~0xF)}"


def _clone_flags(word: int) -> str:
    signal = word & 0xFF
    found = flags(constants("clone_flags"), word & ~0xFF) if word & ~0xFF else ""
    return "|".join(part for part in (found, signal_name(signal) if signal else "") if part) or "0"


def _futex_operation(word: int) -> str:
    name = named(constants("futex"), word & 0x7F, "FUTEX_???")
    if word & 0x80 and "???" not in name:
        name += "_PRIVATE"
    return name + ("|FUTEX_CLOCK_REALTIME" if word & 0x100 else "")


def _statx_flags(word: int) -> str:
    names = constants("statx")
    sync = names.get(word & 0x6000) or "AT_STATX_SYNC_TYPE"
    rest = word & _LOW & ~0x6000
    return f"{sync}|{flags(names, rest)}" if rest else sync


_FLAG_RULES: dict[str, Callable[[int], str]] = {
    "open": open_flags,
    "map": _map_flags,
    "socket_type": _socket_type,
    "futex": _futex_operation,
    "statx": _statx_flags,
}


@_plain("ipc_flags")
def _ipc_flags(view: View, word: int) -> str:
    found = flags(constants("ipc"), word & ~0o777 & _LOW) if word & ~0o777 & _LOW else ""
    return "|".join(part for part in (found, octal(word & 0o777)) if part)


@_plain("signal")
def _signal(view: View, word: int) -> str:
    return signal_name(signed(word, 32))


# --- bytes and texts


@_plain("path")
def path(view: View, word: int) -> str:
    """A path is shown whole."""
    return text_at(view, word, LONGEST_PATH)


@_plain("string")
def _string(view: View, word: int) -> str:
    return text_at(view, word, view.longest)


def text_at(view: View, word: int, longest: int) -> str:
    """A text that ends with a zero."""
    if not word:
        return "NULL"
    found = view.until_zero(word, longest)
    return address(word) if found is None else quoted(found[0], longest, is_whole=found[1])


@_type("data", "hexdata")
def _data(view: View, word: int, place: str) -> str:
    return bytes_at(view, word, length(view, place))


def bytes_at(view: View, word: int, size: int, *, all_in_hexadecimal: bool = False) -> str:
    """So many bytes."""
    if not word:
        return "NULL"
    if size == 0:
        return '""'
    data = view.exactly(word, min(size, view.longest))
    if data is None:
        return address(word)
    return quoted(data, view.longest, is_whole=size <= view.longest, all_in_hexadecimal=all_in_hexadecimal)


TYPES["hexdata"] = lambda view, word, place: bytes_at(view, word, length(view, place), all_in_hexadecimal=True)


@_plain("strings")
def _strings(view: View, word: int) -> str:
    if not word:
        return "NULL"
    found: list[str] = []
    for at in range(MOST_ITEMS + 1):
        pointer = view.integer(word + 8 * at, 8)
        if pointer is None:
            return address(word)
        if not pointer:
            return listed(found)
        found.append(text_at(view, pointer, view.longest))
    return listed(found[:MOST_ITEMS], more=True)


@_plain("environment")
def _environment(view: View, word: int) -> str:
    count = 0
    while word and count < LONGEST_PATH:
        pointer = view.integer(word + 8 * count, 8)
        if pointer is None:
            return address(word)
        if not pointer:
            break
        count += 1
    return f"{address(word)} /* {count} var{'' if count == 1 else 's'} */" if word else "NULL"


# --- structures and arrays


@_type("struct")
def _struct(view: View, word: int, name: str) -> str:
    size, show = STRUCTURES[name]
    data = view.exactly(word, size)
    return address(word) if data is None else show(view, data)


def _numbers(view: View, word: int, count: int, form: str) -> list[int] | None:
    data = view.exactly(word, struct.calcsize(f"<{form}") * count)
    return None if data is None else list(struct.unpack(f"<{count}{form}", data))


def _boxed(view: View, word: int, form: str) -> str:
    found = _numbers(view, word, 1, form)
    return address(word) if found is None else f"[{found[0]}]"


TYPES["fds"] = lambda view, word, _: _pair(view, word)
TYPES["word"] = lambda view, word, _: _boxed(view, word, "q")
TYPES["uint_at"] = lambda view, word, _: _boxed(view, word, "I")
TYPES["int_at"] = TYPES["length"] = TYPES["sched_parameter"] = lambda view, word, _: _boxed(view, word, "i")


def _pair(view: View, word: int) -> str:
    found = _numbers(view, word, 2, "i")
    return address(word) if found is None else listed(_fd(view, number & _LOW) for number in found)


@_type("groups")
def _groups(view: View, word: int, place: str) -> str:
    count = length(view, place)
    found = _numbers(view, word, min(count, MOST_ITEMS), "I") if count else []
    return address(word) if found is None else listed(map(str, found), more=count > MOST_ITEMS)


@_type("iovec")
def _iovec(view: View, word: int, place: str) -> str:
    return vectors(view, word, length(view, place))


def vectors(view: View, word: int, count: int) -> str:
    """An array of struct iovec; of what a call has read, as much as it did."""
    if not word:
        return "NULL"
    rows, left = [], view.result
    for at in range(min(count, MOST_ITEMS)):
        found = _numbers(view, word + 16 * at, 2, "Q")
        if found is None:
            return address(word)
        base, size = found
        there = size if left is None else min(size, max(left, 0))
        left = None if left is None else left - there
        shown = bytes_at(view, base, there) if left is None or there or not view.failed else address(base)
        rows.append(members((("iov_base", shown), ("iov_len", str(size)))))
    return listed(rows, more=count > MOST_ITEMS)


@_plain("msghdr")
def _msghdr(view: View, word: int) -> str:
    found = view.exactly(word, 56)
    if found is None:
        return address(word)
    name, name_size, vector, count, control, control_size, state = struct.unpack("<QI4xQQQQi4x", found)
    rows = [("msg_name", socket_address(view, name, name_size)), ("msg_namelen", str(name_size))]
    rows += [("msg_iov", vectors(view, vector, count)), ("msg_iovlen", str(count))]
    if control and control_size:
        rows.append(("msg_control", address(control)))
    rows += [("msg_controllen", str(control_size)), ("msg_flags", flags(constants("msg"), state & _LOW))]
    return members(rows)


@_type("sockaddr")
def _sockaddr(view: View, word: int, place: str) -> str:
    return socket_address(view, word, length(view, place) & _LOW)


def socket_address(view: View, word: int, size: int) -> str:
    """A struct sockaddr (man 7 ip, ipv6, unix)."""
    data = view.exactly(word, min(size, 128)) if size >= 2 else None
    if data is None:
        return address(word)
    family = int.from_bytes(data[:2], "little")
    rows = [("sa_family", named(constants("family"), family, "AF_???"))]
    if family == 1:
        name, where = data[2:], ("@" if data[2:3] == b"\0" and len(data) > 2 else "")
        text = name[1:] if where else name.partition(b"\0")[0]
        rows += [("sun_path", where + quoted(text, LONGEST_PATH))] if name else []
    elif family == 2 and len(data) >= 8:
        rows.append(("sin_port", f"htons({int.from_bytes(data[2:4], 'big')})"))
        rows.append(("sin_addr", f'inet_addr("{socket.inet_ntoa(data[4:8])}")'))
    elif family == 10 and len(data) >= 24:
        rows.append(("sin6_port", f"htons({int.from_bytes(data[2:4], 'big')})"))
        rows.append(("sin6_flowinfo", f"htonl({int.from_bytes(data[4:8], 'big')})"))
        place = socket.inet_ntop(socket.AF_INET6, data[8:24])
        before = f'{members(rows)[:-1]}, inet_pton(AF_INET6, "{place}", &sin6_addr)'
        scope = int.from_bytes(data[24:28], "little") if len(data) >= 28 else 0
        return f"{before}, sin6_scope_id={scope}}}"
    else:
        rows.append(("sa_data", quoted(data[2:], view.longest)))
    return members(rows)


@_plain("socket_protocol")
def _protocol(view: View, word: int) -> str:
    table = {2: "ipproto", 10: "ipproto", 16: "netlink"}.get(view.words[0] & _LOW)
    return str(word & _LOW) if table is None else named(constants(table), word & _LOW, _remark(table))


_OPTIONS = {1: "option", 6: "option_tcp", 0: "option_ip", 41: "option_ipv6"}


@_plain("sockopt")
def _sockopt(view: View, word: int) -> str:
    table = _OPTIONS.get(view.words[1] & _LOW)
    return hexadecimal(word & _LOW) if table is None else named(constants(table), word & _LOW, _remark(table))


@_type("sockopt_value")
def _sockopt_value(view: View, word: int, place: str) -> str:
    size = length(view, place) & _LOW
    if size == 4:
        return _boxed(view, word, "i")
    return bytes_at(view, word, size)


# --- waits


def _poll_rows(view: View) -> Iterator[tuple[int, int, int]]:
    count = min(view.words[1] & _LOW, MOST_ITEMS)
    data = view.exactly(view.words[0], 8 * count)
    return struct.iter_unpack("<iHH", data or b"")


@_type("pollfds")
def _pollfds(view: View, word: int, place: str) -> str:
    count = length(view, place) & _LOW
    if not word:
        return "NULL"
    if count and view.exactly(word, 8 * min(count, MOST_ITEMS)) is None:
        return address(word)
    rows = (
        members((("fd", _fd(view, fd & _LOW)), ("events", flags(constants("poll"), events))))
        for fd, events, _ in _poll_rows(view)
    )
    return listed(rows, more=count > MOST_ITEMS)


@_plain("ready_polls")
def _ready_polls(view: View, word: int) -> str:
    if word == 0:
        return "0 (Timeout)"
    ready = (
        members((("fd", str(fd)), ("revents", flags(constants("poll"), found))))
        for fd, _, found in _poll_rows(view)
        if found
    )
    return f"{word} ({listed(ready)})"


def _set_of(view: View, word: int) -> list[int] | None:
    count = min(max(signed(view.words[0], 32), 0), 1024)
    data = view.exactly(word, (count + 63) // 64 * 8)
    bits = None if data is None else int.from_bytes(data, "little")
    return None if bits is None else [number for number in range(count) if bits >> number & 1]


@_plain("fdset")
def _fdset(view: View, word: int) -> str:
    found = _set_of(view, word)
    return address(word) if found is None else "[" + " ".join(_fd(view, each) for each in found) + "]"


@_plain("pselect_mask")
def _pselect_mask(view: View, word: int) -> str:
    found = _numbers(view, word, 2, "Q")
    if found is None:
        return address(word)
    return members((("sigmask", _sigset(view, found[0]) or ""), ("sigsetsize", str(found[1]))))


@_plain("ready_selects")
def _ready_selects(view: View, word: int) -> str:
    if word == 0:
        return "0 (Timeout)"
    parts = []
    for name, place in zip(("in", "out", "except"), view.words[1:4], strict=True):
        found = _set_of(view, place) if place else None
        if found:
            parts.append(f"{name} [{' '.join(map(str, found))}]")
    if view.words[4]:
        left = _struct(view, view.words[4], "timeval" if view.name == "select" else "timespec")
        parts.append(f"left {left}")
    return f"{word} ({', '.join(parts)})"


def _epoll_row(events: int, low: int, value: int) -> str:
    data = members((("u32", str(low)), ("u64", str(value))))
    return members((("events", flags(constants("epoll"), events)), ("data", data)))


@_plain("epoll_of_ctl")
def _epoll_of_ctl(view: View, word: int) -> str:
    data = view.exactly(word, 12) if view.words[1] & _LOW != 2 else None
    if data is None:
        return address(word)
    events, value = struct.unpack("<IQ", data)
    return _epoll_row(events, value & _LOW, value)


@_type("epoll_events")
def _epoll_events(view: View, word: int, place: str) -> str:
    count = length(view, place)
    data = view.exactly(word, 12 * min(count, MOST_ITEMS)) if count else b""
    if data is None:
        return address(word)
    rows = (_epoll_row(events, value & _LOW, value) for events, value in struct.iter_unpack("<IQ", data))
    return listed(rows, more=count > MOST_ITEMS)


@_plain("wait_status")
def _wait_status(view: View, word: int) -> str:
    found = _numbers(view, word, 1, "I")
    if found is None or not view.result:
        return address(word)
    return f"[{wait_status(found[0])}]"


def wait_status(status: int) -> str:
    """As <sys/wait.h> takes it apart."""
    low = status & 0x7F
    if low == 0:
        return f"{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}"
    if status & 0xFF == 0x7F:
        return f"{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal_name(status >> 8 & 0xFF)}}}"
    if status == 0xFFFF:
        return "{WIFCONTINUED(s)}"
    dumped = " && WCOREDUMP(s)" if status & 0x80 else ""
    return f"{{WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(low)}{dumped}}}"


# --- signals


@_plain("sigset")
def _sigset(view: View, word: int) -> str:
    found = view.integer(word, 8)
    return address(word) if found is None else signal_set(found)


# --- files


@_type("fcntl_argument")
def _fcntl_argument(view: View, word: int, _: str) -> str | None:
    command = constants("fcntl").get(view.words[1] & _LOW, "")
    if command in ("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_GETLEASE", "F_GETPIPE_SZ", "F_GET_SEALS"):
        return None
    if command == "F_SETFD":
        return flags(constants("fd_flags"), word & _LOW)
    if command == "F_SETFL":
        return open_flags(word & _LOW)
    if "LK" in command:
        return _struct(view, word, "flock")
    return hexadecimal(word) if not command else str(signed(word, 32))


# Arguments that are filled in by some commands only: the others show them at once, in calls that wait, too.
FILLED_BY: dict[str, Callable[[View], bool]] = {
    "fcntl_argument": lambda view: constants("fcntl").get(view.words[1] & _LOW, "").endswith("GETLK")
}


@_type("fcntl_result")
def _fcntl_result(view: View, word: int, _: str) -> str:
    command = constants("fcntl").get(view.words[1] & _LOW, "")
    if command == "F_GETFD" and word:
        return f"0x{word:x} (flags {flags(constants('fd_flags'), word)})"
    if command == "F_GETFL":
        return f"{hexadecimal(word)} (flags {open_flags(word)})"
    return _fd(view, word) if command.startswith("F_DUPFD") else str(word)


@_plain("ioctl_command")
def _ioctl_command(view: View, word: int) -> str:
    """A name, or what <asm-generic/ioctl.h> makes such a number of."""
    word &= _LOW
    name = constants("ioctl").get(word)
    if name is not None:
        return name
    ways = flags({1: "_IOC_WRITE", 2: "_IOC_READ"}, word >> 30) if word >> 30 else "_IOC_NONE"
    ways = "_IOC_READ|_IOC_WRITE" if word >> 30 == 3 else ways
    return (
        f"_IOC({ways}, {', '.join(hexadecimal(part) for part in (word >> 8 & 0xFF, word & 0xFF, word >> 16 & 0x3FFF))})"
    )


@_plain("ioctl_argument")
def _ioctl_argument(view: View, word: int) -> str | None:
    command = constants("ioctl").get(view.words[1] & _LOW)
    if command in ("FIONCLEX", "FIOCLEX"):
        return None
    if command in ("FIONREAD", "TIOCGPGRP") and not view.failed:
        return _boxed(view, word, "i")
    if command in ("FIONBIO", "TIOCSPGRP"):
        return _boxed(view, word, "i")
    if command == "TIOCSWINSZ" or (command == "TIOCGWINSZ" and not view.failed):
        return _struct(view, word, "winsize")
    return address(word)


@_type("new_address")
def _new_address(view: View, word: int, _: str) -> str | None:
    return address(word) if view.words[3] & 2 else None  # MREMAP_FIXED


def _entries(view: View, word: int, size_at: int) -> str:
    if view.failed or view.result is None:
        return address(word)
    data, count = view.read(word, view.result), 0
    while len(data) > size_at + 2:
        size = int.from_bytes(data[size_at : size_at + 2], "little")
        if not size:
            break
        data, count = data[size:], count + 1
    return f"{address(word)} /* {count} entr{'y' if count == 1 else 'ies'} */"


TYPES["dirents"] = TYPES["dirents64"] = lambda view, word, _: _entries(view, word, 16)


# --- processes


@_plain("clone")
def _clone(view: View, word: int) -> str:
    """All arguments, by their names; pointers that no flag asks for are left out."""
    rows = [("child_stack", address(view.words[1])), ("flags", _clone_flags(word))]
    rows += [("parent_tid", _boxed(view, view.words[2], "i"))] if word & 0x100000 else []
    rows += [("tls", address(view.words[4]))] if word & 0x80000 else []
    rows += [("child_tidptr", address(view.words[3]))] if word & 0x1200000 else []
    return ", ".join(f"{name}={value}" for name, value in rows)


@_plain("sigframe")
def _sigframe(view: View, word: int) -> str:
    mask = view.integer(view.stack + 296, 8)
    return members((("mask", "[]" if mask is None else signal_set(mask)),))


@_plain("arch_prctl_address")
def _arch_prctl_address(view: View, word: int) -> str:
    if constants("arch_prctl").get(view.words[0] & _LOW) in ("ARCH_GET_FS", "ARCH_GET_GS") and view.result == 0:
        found = view.integer(word, 8)
        return address(word) if found is None else f"[0x{found:x}]"
    return address(word)


_ALL_WORDS = ("PR_SET_NO_NEW_PRIVS", "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE", "PR_SET_MM",
              "PR_SET_VMA", "PR_CAP_AMBIENT")  # fmt: skip
_IN_DECIMAL = ("PR_SET_KEEPCAPS", "PR_SET_TIMERSLACK", "PR_SET_CHILD_SUBREAPER", "PR_SET_NO_NEW_PRIVS",
               "PR_GET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE", "PR_GET_THP_DISABLE")  # fmt: skip
_NO_ARGUMENT = ("PR_GET_DUMPABLE", "PR_GET_KEEPCAPS", "PR_GET_SECCOMP", "PR_GET_TIMERSLACK")


@_plain("prctl_argument")
def _prctl_argument(view: View, word: int) -> str | None:
    command = constants("prctl").get(view.words[0] & _LOW, "")
    if command in _NO_ARGUMENT:
        return None
    if command == "PR_SET_NAME":
        return text_at(view, word, 15)
    if command == "PR_SET_PDEATHSIG":
        return signal_name(signed(word, 32))
    if command in ("PR_GET_NAME", "PR_GET_PDEATHSIG", "PR_GET_CHILD_SUBREAPER"):
        return address(word) if view.failed else _got_by_prctl(view, word, command)
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


def _got_by_prctl(view: View, word: int, command: str) -> str:
    if command == "PR_GET_NAME":
        return text_at(view, word, 15)
    found = _numbers(view, word, 1, "i")
    if found is None:
        return address(word)
    return f"[{signal_name(found[0]) if command == 'PR_GET_PDEATHSIG' else found[0]}]"


@_plain("prctl_more")
def _prctl_more(view: View, word: int) -> str | None:
    """The third word and those behind it, of commands that have them and of those without a name."""
    command = constants("prctl").get(view.words[0] & _LOW)
    if command is not None and command not in _ALL_WORDS:
        return None
    return str(word) if command in _IN_DECIMAL else hexadecimal(word)


_WITH_TIMEOUT = ("WAIT", "LOCK_PI", "WAIT_BITSET", "WAIT_REQUEUE_PI", "LOCK_PI2")
_WITH_SECOND = ("REQUEUE", "CMP_REQUEUE", "WAKE_OP", "WAIT_REQUEUE_PI", "CMP_REQUEUE_PI")


def _operation(view: View) -> str:
    return constants("futex").get(view.words[1] & 0x7F, "").removeprefix("FUTEX_")


@_plain("futex_value")
def _futex_value(view: View, word: int) -> str | None:
    return None if _operation(view) in ("LOCK_PI", "UNLOCK_PI", "TRYLOCK_PI", "LOCK_PI2") else str(word & _LOW)


@_plain("futex_timeout")
def _futex_timeout(view: View, word: int) -> str | None:
    operation = _operation(view)
    if operation in _WITH_TIMEOUT:
        return _struct(view, word, "timespec")
    return str(word & _LOW) if operation in _WITH_SECOND else None


@_plain("futex_second")
def _futex_second(view: View, word: int) -> str | None:
    return address(word) if _operation(view) in _WITH_SECOND else None


@_plain("futex_third")
def _futex_third(view: View, word: int) -> str | None:
    operation = _operation(view)
    if operation in ("WAIT_BITSET", "WAKE_BITSET"):
        return "FUTEX_BITSET_MATCH_ANY" if word & _LOW == _LOW else hexadecimal(word & _LOW)
    if operation in ("CMP_REQUEUE", "CMP_REQUEUE_PI"):
        return str(word & _LOW)
    return hexadecimal(word & _LOW) if operation == "WAKE_OP" else None


@_type("cpu_set")
def _cpu_set(view: View, word: int, place: str) -> str:
    data = view.exactly(word, min(length(view, place), 128))
    if data is None:
        return address(word)
    bits = int.from_bytes(data, "little")
    return "[" + " ".join(str(number) for number in range(1024) if bits >> number & 1) + "]"


@_plain("scheduler")
def _scheduler(view: View, word: int) -> str:
    return f"{word} ({named(constants('scheduler'), word & _LOW)})"


# --- time


@_plain("left_timespec")
def _left_timespec(view: View, word: int) -> str:
    """What is left of a sleep: filled where a signal has ended it."""
    return _struct(view, word, "timespec") if view.failed and view.result == -4 else address(word)


def _times(view: View, word: int, unit: str) -> str:
    found = _numbers(view, word, 4, "q")
    if found is None:
        return address(word)
    return listed(_time(found[at], found[at + 1], unit) for at in (0, 2))


def _time(seconds: int, parts: int, unit: str) -> str:
    if unit == "tv_nsec" and parts in (0x3FFFFFFF, 0x3FFFFFFE):
        return "UTIME_NOW" if parts == 0x3FFFFFFF else "UTIME_OMIT"
    row = members((("tv_sec", str(seconds)), (unit, str(parts))))
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return row
    fraction = f".{parts:09d}" if unit == "tv_nsec" else f".{parts:06d}"
    return f"{row} /* {at:%Y-%m-%dT%H:%M:%S}{fraction if parts else ''}+0000 */" if seconds else row


@_plain("seconds")
def _seconds(view: View, word: int) -> str:
    """The result of time(2), and what it means."""
    return f"{word} ({_moment(word)})" if word < _LAST_MOMENT else str(word)


@_plain("seconds_at")
def _seconds_at(view: View, word: int) -> str:
    found = view.integer(word, 8)
    if found is None or found >= _LAST_MOMENT:
        return _boxed(view, word, "q")
    return f"[{found} /* {_moment(found)} */]"


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}+0000"


TYPES["timespecs"] = lambda view, word, _: _times(view, word, "tv_nsec")
TYPES["timevals"] = lambda view, word, _: _times(view, word, "tv_usec")
