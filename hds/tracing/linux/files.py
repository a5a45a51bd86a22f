"""Arguments of fcntl and ioctl, entries of directories."""

from __future__ import annotations

from collections.abc import Callable

from hds.tracing.linux.memory import boxed, structure
from hds.tracing.linux.structures import open_flags
from hds.tracing.linux.words import LOW, TYPES, descriptor, plain, typed
from hds.tracing.views import (
    View,
    address,
    flags,
    hexadecimal,
    signed,
)
from machine.kernel.linux import constants


@typed("fcntl_argument")
def _fcntl_argument(view: View, word: int, _: str) -> str | None:
    command = constants("fcntl").get(view.words[1] & LOW, "")
    if command in ("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_GETLEASE", "F_GETPIPE_SZ", "F_GET_SEALS"):
        return None
    if command == "F_SETFD":
        return flags(constants("fd_flags"), word & LOW)
    if command == "F_SETFL":
        return open_flags(word & LOW)
    if "LK" in command:
        return structure(view, word, "flock")
    return hexadecimal(word) if not command else str(signed(word, 32))


# Arguments that are filled in by some commands only: the others show them at once, in calls that wait, too.
FILLED_BY: dict[str, Callable[[View], bool]] = {
    "fcntl_argument": lambda view: constants("fcntl").get(view.words[1] & LOW, "").endswith("GETLK")
}


@typed("fcntl_result")
def _fcntl_result(view: View, word: int, _: str) -> str:
    command = constants("fcntl").get(view.words[1] & LOW, "")
    if command == "F_GETFD" and word:
        return f"0x{word:x} (flags {flags(constants('fd_flags'), word)})"
    if command == "F_GETFL":
        return f"{hexadecimal(word)} (flags {open_flags(word)})"
    return descriptor(view, word) if command.startswith("F_DUPFD") else str(word)


@plain("ioctl_command")
def _ioctl_command(view: View, word: int) -> str:
    """A name, or what <asm-generic/ioctl.h> makes such a number of."""
    word &= LOW
    name = constants("ioctl").get(word)
    if name is not None:
        return name
    ways = flags({1: "_IOC_WRITE", 2: "_IOC_READ"}, word >> 30) if word >> 30 else "_IOC_NONE"
    ways = "_IOC_READ|_IOC_WRITE" if word >> 30 == 3 else ways
    return (
        f"_IOC({ways}, {', '.join(hexadecimal(part) for part in (word >> 8 & 0xFF, word & 0xFF, word >> 16 & 0x3FFF))})"
    )


@plain("ioctl_argument")
def _ioctl_argument(view: View, word: int) -> str | None:
    command = constants("ioctl").get(view.words[1] & LOW)
    if command in ("FIONCLEX", "FIOCLEX"):
        return None
    if command in ("FIONREAD", "TIOCGPGRP") and not view.failed:
        return boxed(view, word, "i")
    if command in ("FIONBIO", "TIOCSPGRP"):
        return boxed(view, word, "i")
    if command == "TIOCSWINSZ" or (command == "TIOCGWINSZ" and not view.failed):
        return structure(view, word, "winsize")
    return address(word)


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
