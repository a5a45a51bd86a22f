"""What a process gives up before it runs a program that nobody vouches for, by what the Linux kernel has for that.

- Limits of the kernel (setrlimit): address space, processor time, files that grow, descriptors, core dumps.
- No new privileges (prctl): no program that it starts has more rights.
- Landlock: files are read where Python and its libraries are and in the folder of `--root`, none is written; no TCP,
  and, by the kernel's version, no signals to and no abstract sockets of other processes.
- Seccomp, on x86-64: no sockets, no tracing or reading of other processes, no io_uring.

What a kernel does not have is left out; `Sandbox.describe` says what is in force.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
_PR_SET_THP_DISABLE = 41

# --- Landlock (linux/landlock.h)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on all architectures
_VERSION_FLAG = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_OF_FOLDERS = _EXECUTE | _READ_FILE | _READ_DIR
_FIRST_RIGHTS = (1 << 13) - 1
_RIGHTS = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # that a version adds: REFER, TRUNCATE, IOCTL_DEV
_TCP = 0b11  # bind, connect; from version 4 on
_SCOPES = 0b11  # abstract sockets, signals; from version 6 on

# --- seccomp (linux/seccomp.h, linux/filter.h, linux/audit.h)

_MODE_FILTER = 2
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | 1  # EPERM
_AUDIT_ARCH_X86_64 = 62 | 1 << 31 | 1 << 30  # EM_X86_64, 64 bits, little-endian
_X32 = 0x4000_0000
_LOAD, _EQUAL, _NOT_BELOW, _RETURN = 0x20, 0x15, 0x35, 0x06
_REFUSED = {
    "socket": 41, "ptrace": 101, "mount": 165, "unshare": 272, "perf_event_open": 298, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "pidfd_getfd": 438,
}  # fmt: skip

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/urandom", "/dev/zero", "/proc/self")
_RESERVED = 2 << 30  # bytes of address space that a session takes besides the guest's memory, and does not use
_MOST_DESCRIPTORS = 256
_SECONDS_MORE = 5  # of processor time, beyond those of real time that a run has


class Limits(msgspec.Struct, frozen=True):
    """What the kernel grants: bytes of memory beyond those that are in use, seconds of processor time."""

    memory: int
    seconds: float


class Sandbox:
    """What is prepared once, in the process that forks, and entered by each child.

    The process that forks may `share` what it can do without itself; its children are born with that.
    """

    def __init__(self, readable: Iterable[str] = ()) -> None:
        self._is_shared = False
        self._landlock_version = max(0, _LIBC.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))
        self._rules = _ruleset(self._landlock_version, readable)
        self._filter = _filter() if platform.machine() == "x86_64" and sys.maxsize > 1 << 32 else None
        self.measure()

    def measure(self) -> None:
        """Take what this process has as what its children begin with."""
        self._size = _bytes_of("self", 0)
        self.resident = resident()  # bytes of memory

    def describe(self) -> list[str]:
        """What is in force, by name."""
        found = ["setrlimit", "no_new_privs"]
        if self._rules is not None:
            found.append(f"landlock {self._landlock_version}")
        if self._filter is not None:
            found.append("seccomp")
        return found

    def share(self) -> None:
        """Give up what neither this process nor its children need: it does not end, and what it forks begins so."""
        if self._is_shared:
            return
        self._is_shared = True
        _limit(resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS)
        _limit(resource.RLIMIT_CORE, 0)
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if self._filter is not None and _LIBC.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(self._filter), 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp refuses its filter")

    def enter(self, limits: Limits, guest_memory: int) -> None:
        """From now on this process has no more than that; `guest_memory` are bytes that a session reserves."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
        _limit(resource.RLIMIT_AS, self._size + _RESERVED + guest_memory + limits.memory)
        _limit(resource.RLIMIT_CPU, int(limits.seconds) + _SECONDS_MORE)
        _limit(resource.RLIMIT_FSIZE, 0)
        self.share()
        if self._rules is not None and _LIBC.syscall(_RESTRICT_SELF, self._rules, 0):
            raise OSError(ctypes.get_errno(), "Landlock refuses its rules")


def adopt_orphans() -> None:
    """Have processes whose parent has ended become children of this one, which can end them then."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def use_huge_pages(wanted: bool) -> None:
    """Whether memory that huge pages are asked for gets them: a fork has to take those apart to write to them."""
    _LIBC.prctl(_PR_SET_THP_DISABLE, int(not wanted), 0, 0, 0)


def _limit(name: int, most: int) -> None:
    hard = resource.getrlimit(name)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(name, (least, least))


def resident(process: int | str = "self") -> int:
    """Bytes of memory that a process has; 0 where it has ended."""
    try:
        return _bytes_of(process, 1)
    except (OSError, IndexError):
        return 0


def _bytes_of(process: int | str, column: int) -> int:
    return int(said_by_system(f"/proc/{process}/statm").split()[column]) * resource.getpagesize()


def said_by_system(path: str) -> bytes:
    """The beginning of a file of /proc. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 12)
    finally:
        os.close(descriptor)


def _readable(more: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(
        os.path.realpath(path)
        for path in (*_SYSTEM, sys.prefix, sys.base_prefix, *sys.path, *_packages(), *more)
        if path and os.path.exists(path)
    )


def _packages() -> Iterator[str]:
    """Where packages lie that no folder of `sys.path` has: those installed to be edited, and links."""
    for name, module in tuple(sys.modules.items()):
        if "." not in name:
            yield from getattr(module, "__path__", ())
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder) as entries:
            yield from (entry.path for entry in entries if entry.is_symlink())


def _ruleset(version: int, readable: Iterable[str]) -> int | None:
    """A descriptor of the rules; None where the kernel has no Landlock."""
    if not version:
        return None
    rights = _FIRST_RIGHTS
    for since, more in _RIGHTS.items():
        rights |= more if version >= since else 0
    fields = [rights]
    fields += [_TCP] if version >= 4 else []
    fields += [_SCOPES] if version >= 6 else []
    attribute = struct.pack(f"<{len(fields)}Q", *fields)
    rules: int = _LIBC.syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(len(attribute)), 0)
    if rules < 0:
        return None
    _allow(rules, "/dev/null", _READ_FILE | _WRITE_FILE)
    for path in _readable(readable):
        _allow(rules, path, _OF_FOLDERS if os.path.isdir(path) else _EXECUTE | _READ_FILE)
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("<Qi", rights, descriptor)
        if _LIBC.syscall(_ADD_RULE, rules, 1, beneath, 0):
            raise OSError(ctypes.get_errno(), f"Landlock refuses a rule for {path}")
    finally:
        os.close(descriptor)


class _Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("rows", ctypes.c_char_p))


def _filter() -> _Filter:
    """A program of the kernel's packet filter: these calls are refused, and all of another architecture."""
    numbers = list(_REFUSED.values())
    rows = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 0, len(numbers) + 3, _AUDIT_ARCH_X86_64),
        (_LOAD, 0, 0, 0),  # the number
        (_NOT_BELOW, len(numbers) + 1, 0, _X32),
        *((_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = b"".join(struct.pack("<HBBI", *row) for row in rows)
    return _Filter(len(rows), code)
