"""Linux error numbers (include/uapi/asm-generic/errno*.h), and the exception with which a system call fails."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class Errno(IntEnum):
    """The numbers that calls here fail with."""

    EPERM = 1
    ENOENT = 2
    ESRCH = 3
    EINTR = 4
    EIO = 5
    ENXIO = 6
    E2BIG = 7
    ENOEXEC = 8
    EBADF = 9
    ECHILD = 10
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    EXDEV = 18
    ENODEV = 19
    ENOTDIR = 20
    EISDIR = 21
    EINVAL = 22
    ENFILE = 23
    EMFILE = 24
    ENOTTY = 25
    ETXTBSY = 26
    EFBIG = 27
    ENOSPC = 28
    ESPIPE = 29
    EROFS = 30
    EMLINK = 31
    EPIPE = 32
    EDOM = 33
    ERANGE = 34
    EDEADLK = 35
    ENAMETOOLONG = 36
    ENOLCK = 37
    ENOSYS = 38
    ENOTEMPTY = 39
    ELOOP = 40
    ENOMSG = 42
    EIDRM = 43
    ENODATA = 61
    EOVERFLOW = 75
    ENOTSOCK = 88
    EDESTADDRREQ = 89
    EMSGSIZE = 90
    EPROTOTYPE = 91
    ENOPROTOOPT = 92
    EPROTONOSUPPORT = 93
    ESOCKTNOSUPPORT = 94
    EOPNOTSUPP = 95
    EAFNOSUPPORT = 97
    EADDRINUSE = 98
    EADDRNOTAVAIL = 99
    ENETUNREACH = 101
    ECONNRESET = 104
    ENOBUFS = 105
    EISCONN = 106
    ENOTCONN = 107
    ETOOMANYREFS = 109
    ETIMEDOUT = 110
    ECONNREFUSED = 111
    EALREADY = 114
    EINPROGRESS = 115
    EDQUOT = 122


_KNOWN = frozenset(Errno)


class LinuxError(Exception):
    """A system call fails: rax becomes minus the number."""

    def __init__(self, number: Errno) -> None:
        super().__init__(number.name)
        self.number = number


class Refused(LinuxError):  # noqa: N818 - it is what the caller is told
    """A call fails because it, or what it asks for, is not carried out here: it is counted as those of `refused.py`."""


class WouldWait(LinuxError):  # noqa: N818 - nothing is wrong
    """Nothing was done, since there is something to wait for: the call is made again when `until()` says so.

    At the `deadline`, in ticks of the virtual clock, it comes to `late` instead: EAGAIN, or a result.
    """

    def __init__(self, until: Callable[[], bool], deadline: int | None = None, late: int = -Errno.EAGAIN) -> None:
        super().__init__(Errno.EAGAIN)
        self.until = until
        self.deadline = deadline
        self.late = late


def from_host(error: OSError) -> LinuxError:
    """The host's answer to an operation in a shown folder, as the guest gets it."""
    return LinuxError(Errno(error.errno) if error.errno in _KNOWN else Errno.EIO)
