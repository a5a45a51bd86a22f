"""The structures of Linux' arguments: their sizes in bytes, and how each is shown, in the notation of strace."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from hds.tracing.views import View, address, flags, hexadecimal, members, named, octal, quoted
from machine.kernel.linux import constants

_SIGNALS, _RTMIN = 64, 32
_INFINITE = (1 << 64) - 1
_Show = Callable[[View, bytes], str]


def signal_name(number: int) -> str:
    """SIGINT, SIGRTMIN, SIGRT_1, ..."""
    if number == _RTMIN:
        return "SIGRTMIN"
    if _RTMIN < number <= _SIGNALS:
        return f"SIGRT_{number - _RTMIN}"
    return constants("signal").get(number, str(number)) if number else "0"


def signal_set(bits: int) -> str:
    """A set of signals, or all but those of a smaller one."""
    inverted = bits.bit_count() > _SIGNALS * 2 // 3
    shown = bits ^ _INFINITE if inverted else bits
    names = (signal_name(number).removeprefix("SIG") for number in range(1, _SIGNALS + 1) if shown >> (number - 1) & 1)
    return f"{'~' if inverted else ''}[{' '.join(names)}]"


def open_flags(word: int) -> str:
    """Of O_RDONLY, O_WRONLY and O_RDWR one stands first."""
    access = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")[word & 3]
    rest = {bits: name for bits, name in constants("open").items() if bits > 3}
    return access if not word & ~3 else f"{access}|{flags(rest, word & ~3)}"


def _two(first: str, second: str) -> _Show:
    def show(view: View, data: bytes) -> str:
        return members(zip((first, second), map(str, struct.unpack("<qq", data)), strict=True))

    return show


_timespec, _timeval = _two("tv_sec", "tv_nsec"), _two("tv_sec", "tv_usec")


def _interval(part: _Show) -> _Show:
    def show(view: View, data: bytes) -> str:
        return members((("it_interval", part(view, data[:16])), ("it_value", part(view, data[16:]))))

    return show


def file_mode(mode: int) -> str:
    """Type and permissions of a file."""
    kind = constants("file_type").get(mode & 0o170000)
    rights = octal(mode & 0o7777)
    return rights if kind is None else f"{kind}|{rights}"


def _stat(view: View, data: bytes) -> str:
    mode, special, size = (*struct.unpack_from("<I", data, 24), *struct.unpack_from("<Qq", data, 40))
    return members((("st_mode", file_mode(mode)), _size_or_device("st", mode, special, size)), more=True)


def _size_or_device(prefix: str, mode: int, special: int, size: int) -> tuple[str, str]:
    if mode & 0o170000 not in (0o20000, 0o60000):
        return f"{prefix}_size", str(size)
    major, minor = special >> 8 & 0xFFF | special >> 32 & ~0xFFF, special & 0xFF | special >> 12 & ~0xFF
    return f"{prefix}_rdev", f"makedev({hexadecimal(major)}, {hexadecimal(minor)})"


def _statx(view: View, data: bytes) -> str:
    (mask,), (attributes,), (mode,) = (
        struct.unpack_from(form, data, at) for form, at in (("<I", 0), ("<Q", 8), ("<H", 28))
    )
    (size,) = struct.unpack_from("<Q", data, 40)
    rows = [("stx_mask", flags(constants("statx_mask"), mask)), ("stx_attributes", hexadecimal(attributes))]
    return members([*rows, ("stx_mode", file_mode(mode)), ("stx_size", str(size))], more=True)


def _statfs(view: View, data: bytes) -> str:
    kind, block, *counts = struct.unpack_from("<qqQQQQQ", data)
    names = ("f_bsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
    first, second, length, fragment, bits = struct.unpack_from("<iiqqq", data, 56)
    return members(
        (
            ("f_type", named(constants("fs"), kind)),
            *zip(names, map(str, (block, *counts)), strict=True),
            ("f_fsid", f"{{val=[{hexadecimal(first & 0xFFFFFFFF)}, {hexadecimal(second & 0xFFFFFFFF)}]}}"),
            ("f_namelen", str(length)), ("f_frsize", str(fragment)), ("f_flags", hexadecimal(bits)),
        )
    )  # fmt: skip


def _limit(value: int) -> str:
    if value == _INFINITE:
        return "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value > 1024 and value % 1024 == 0 else str(value)


def _rlimit(view: View, data: bytes) -> str:
    return members(zip(("rlim_cur", "rlim_max"), map(_limit, struct.unpack("<QQ", data)), strict=True))


def _sigaction(view: View, data: bytes) -> str:
    handler, state, restorer, mask = struct.unpack("<QQQQ", data)
    shown = {0: "SIG_DFL", 1: "SIG_IGN"}.get(handler) or f"0x{handler:x}"
    rows = [("sa_handler", shown), ("sa_mask", signal_set(mask)), ("sa_flags", flags(constants("sa"), state))]
    return members([*rows, ("sa_restorer", address(restorer))] if state & 0x4000000 else rows)


def _stack(view: View, data: bytes) -> str:
    place, state, size = struct.unpack("<Qi4xQ", data)
    shown = flags(constants("ss"), state & 0xFFFFFFFF)
    return members((("ss_sp", address(place)), ("ss_flags", shown), ("ss_size", str(size))))


def siginfo(data: bytes) -> str:
    """What is told of a signal."""
    number, _, code = struct.unpack_from("<iii", data)
    name = signal_name(number)
    specific = f"si_code_{name}"
    try:
        codes: Mapping[int, str] = {**constants("si_code"), **constants(specific)}
    except KeyError:
        codes = constants("si_code")
    rows = [("si_signo", name), ("si_code", codes.get(code, hexadecimal(code & 0xFFFFFFFF)))]
    if name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP") and code > 0:
        (place,) = struct.unpack_from("<Q", data, 16)
        rows.append(("si_addr", address(place)))
        return members(rows)
    process, user = struct.unpack_from("<ii", data, 16)
    if code == 0x80:
        return members(rows)
    if code == -2:
        overrun, (value,) = user, struct.unpack_from("<Q", data, 24)
        rows += [("si_timerid", hexadecimal(process)), ("si_overrun", str(overrun))]
        return members([*rows, ("si_int", str(value & 0xFFFFFFFF)), ("si_ptr", address(value))])
    rows += [("si_pid", str(process)), ("si_uid", str(user))]
    if name == "SIGCHLD" and code > 0:
        (status,) = struct.unpack_from("<i", data, 24)
        before, system = struct.unpack_from("<qq", data, 32)
        rows.append(("si_status", str(status) if code == 1 else signal_name(status)))
        rows += [("si_utime", str(before)), ("si_stime", str(system))]
    elif code == -1:
        (value,) = struct.unpack_from("<Q", data, 24)
        rows += [("si_int", str(value & 0xFFFFFFFF)), ("si_ptr", address(value))]
    return members(rows)


def _utsname(view: View, data: bytes) -> str:
    texts = [quoted(data[at : at + 65].partition(b"\0")[0], view.longest) for at in (0, 65)]
    return members(zip(("sysname", "nodename"), texts, strict=True), more=True)


def _sysinfo(view: View, data: bytes) -> str:
    numbers = struct.unpack_from("<q3Q6QH6xQQI", data)
    loads = f"[{', '.join(map(str, numbers[1:4]))}]"
    names = ("totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap", "procs", "totalhigh",
             "freehigh", "mem_unit")  # fmt: skip
    return members((("uptime", str(numbers[0])), ("loads", loads), *zip(names, map(str, numbers[4:]), strict=True)))


def _tms(view: View, data: bytes) -> str:
    names = ("tms_utime", "tms_stime", "tms_cutime", "tms_cstime")
    return members(zip(names, map(str, struct.unpack("<4q", data)), strict=True))


def _rusage(view: View, data: bytes) -> str:
    return members((("ru_utime", _timeval(view, data[:16])), ("ru_stime", _timeval(view, data[16:32]))), more=True)


def _flock(view: View, data: bytes) -> str:
    kind, whence, start, size, process = struct.unpack("<hh4xqqi4x", data)
    rows = [("l_type", named(constants("lock_type"), kind)), ("l_whence", named(constants("whence"), whence))]
    rows += [("l_start", str(start)), ("l_len", str(size))]
    return members([*rows, ("l_pid", str(process))] if view.result is not None and view.words[1] == 5 else rows)


def _clone_args(view: View, data: bytes) -> str:
    state, pidfd, child, parent, signal, stack, size, tls = struct.unpack("<8Q", data)
    rows = [("flags", flags(constants("clone_flags"), state))]
    rows += [("pidfd", address(pidfd))] if state & 0x1000 else []
    rows += [("child_tid", address(child))] if state & 0x1200000 else []
    rows += [("parent_tid", address(parent))] if state & 0x100000 else []
    rows += [("exit_signal", signal_name(signal)), ("stack", address(stack)), ("stack_size", hexadecimal(size))]
    shown = members([*rows, ("tls", address(tls))] if state & 0x80000 else rows)
    made = view.integer(parent, 4, signed=True) if state & 0x100000 and not view.failed else None
    return shown if made is None else f"{shown} => {{parent_tid=[{made}]}}"


def _open_how(view: View, data: bytes) -> str:
    state, mode, resolve = struct.unpack("<QQQ", data)
    rows = [("flags", open_flags(state)), *([("mode", octal(mode))] if state & 0o20000100 else [])]
    return members([*rows, ("resolve", hexadecimal(resolve))])


def _winsize(view: View, data: bytes) -> str:
    names = ("ws_row", "ws_col", "ws_xpixel", "ws_ypixel")
    return members(zip(names, map(str, struct.unpack("<4H", data)), strict=True))


def _utimbuf(view: View, data: bytes) -> str:
    return members(zip(("actime", "modtime"), map(str, struct.unpack("<qq", data)), strict=True))


STRUCTURES: Mapping[str, tuple[int, _Show]] = {
    "timespec": (16, _timespec),
    "timeval": (16, _timeval),
    "itimerval": (32, _interval(_timeval)),
    "itimerspec": (32, _interval(_timespec)),
    "stat": (144, _stat),
    "statx": (256, _statx),
    "statfs": (120, _statfs),
    "rlimit": (16, _rlimit),
    "sigaction": (32, _sigaction),
    "stack": (24, _stack),
    "siginfo": (128, lambda view, data: siginfo(data)),
    "utsname": (390, _utsname),
    "sysinfo": (112, _sysinfo),
    "tms": (32, _tms),
    "rusage": (144, _rusage),
    "flock": (32, _flock),
    "clone_args": (64, _clone_args),
    "open_how": (24, _open_how),
    "winsize": (8, _winsize),
    "utimbuf": (16, _utimbuf),
}
