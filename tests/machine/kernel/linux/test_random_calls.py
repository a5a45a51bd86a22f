"""Random arguments: a call gives the same result or error here and natively, in folders that begin alike.

Nothing that would wait is asked for, and nothing whose answer is said to differ in docs/linux.md.
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from linux_world import AT_FDCWD, SCRATCH, Guest
from native_runs import NativeRuns

from machine.kernel.linux.abi import PATH
from machine.kernel.linux.calls import CALLS
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NUMBERS

pytestmark = pytest.mark.programs

Argument = int | tuple[str, int]
Call = tuple[str, list[Argument]]
Choice = Callable[[random.Random], Argument]

PAGE, BAD = 0x1000, 0x5_0000_0000
O_NONBLOCK = 0o4000
TEXTS = (
    "a", "b", "new", "d", "d/x", "d/.", "d/..", ".", "d/", "a/", "link", "link/", "dangling", "dangling/", "none/x",
    "a/x", "", "/", "d/../a", "y" * 256, "d/deep", "d/deep/..",
)  # fmt: skip
ATTRIBUTES = ("user.a", "wrong.a", "")


def layout() -> tuple[bytes, dict[str, int], int]:
    """What the buffer begins with: the texts, then vectors; where each text is, and where the vectors are."""
    data, places = bytearray(), {}
    for text in (*TEXTS, *ATTRIBUTES):
        places[text] = len(data)
        data += text.encode() + b"\0"
    data = data.ljust(0x800, b"\0")
    data += struct.pack("<2q", 0, 5) + struct.pack("<4q", 1, 2, 3, 4) + bytes(range(200))
    return bytes(data), places, 0x800


DATA, PLACES, WORDS = layout()
ROOM = 0x2000  # the part of the buffer that calls write to


def one_of(*values: Argument) -> Choice:
    return lambda source: source.choice(values)


def bits(*known: int, always: int = 0) -> Choice:
    """Some known flags, and now and then another one, known or not."""

    def choose(source: random.Random) -> int:
        value = always
        for flag in source.sample(known, source.randrange(min(3, len(known)) + 1)):
            value |= flag
        return value | (1 << source.randrange(31) if source.random() < 0.15 else 0)

    return choose


def strange(value: Argument, *values: Argument) -> Choice:
    """Mostly one of these; now and then a number that is hardly ever right."""
    extremes = (0, -1, 1, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 63, (1 << 63) - 1)
    return lambda source: source.choice(extremes) if source.random() < 0.2 else source.choice((value, *values))


fd = one_of(*range(3, 16), *range(3, 10), -1, 99, AT_FDCWD)
dirfd = one_of(*[AT_FDCWD] * 6, *range(3, 12), 99, -1)
path = one_of(*(("at", PLACES[text]) for text in TEXTS for _ in range(3)), BAD, 0)
buffer = one_of(*[("at", ROOM)] * 6, ("at", ROOM + 1), BAD, 0, -1, 1 << 63, 0x7FFF_FFFF_F000)
words = one_of(*[("at", WORDS)] * 4, ("at", WORDS + 16), BAD, 0, -4096)
size = strange(0, 1, 5, 100, 4096)
offset = strange(0, 3, 100, 5000)
length = strange(0, 1, 10, 5000, 60000)
modest = one_of(0, 1, 10, 5000, 60000, -1, -(1 << 63))  # lengths of files: large ones are limited here
mode = one_of(0o644, 0o755, 0o600)
OPEN_FLAGS = one_of(
    *(O_NONBLOCK | access | other
      for access in (0, 1, 2, 3)
      for other in (0, 0, 0o100, 0o300, 0o400, 0o1000, 0o1100, 0o2000, 0o200000, 0o200100, 0o400000, 0o400100,
                    0o2000000, 0o10000000, 0o10200000, 0o10400000, 0o20000000, 0o20200100, 1 << 26, 1 << 30))
)  # fmt: skip
at_flags = one_of(0, 0, 0x100, 0x1000, 0x1100)
relative = one_of(*(("at", PLACES[text]) for text in TEXTS if text != "/"), BAD, 0)  # `/` is another one natively
there = one_of(*(("at", PLACES[text]) for text in TEXTS), BAD)
null: Choice = one_of(0)

FILES: dict[str, Sequence[Choice]] = {
    "openat": (dirfd, relative, OPEN_FLAGS, mode),
    "read": (fd, buffer, size),
    "write": (fd, one_of(("at", 0), ("at", 0), -1), size),
    "pread64": (fd, buffer, size, offset),
    "pwrite64": (fd, one_of(("at", 0), BAD, -1), one_of(0, 1, 5, 100), one_of(0, 3, -1)),
    "preadv": (fd, words, one_of(0, 1, -1, 1025), offset),
    "preadv2": (fd, one_of(BAD, 0), one_of(0, -1), one_of(0, -1, -2), null, bits(0x100, 0x400)),
    "lseek": (one_of(*range(3, 9)), one_of(0, 5, 100), one_of(0, 1, 9, -1)),
    "ftruncate": (fd, modest),
    "fallocate": (fd, one_of(0, 0, 1, 2, 0x100, -1), one_of(0, 5, -1), one_of(0, 1, 100, -1)),
    "fadvise64": (fd, null, one_of(0, 5, -1), one_of(0, 1, 5, 6, -1)),
    "fsync": (fd,),
    "syncfs": (fd,),
    "fstat": (fd, buffer),
    "fchmod": (fd, one_of(0o644)),
    "dup": (fd,),
    "dup2": (fd, one_of(3, 5, 20, -1, 1 << 20)),
    "dup3": (fd, one_of(3, 5, 20, -1, 1 << 20), bits(0o2000000)),
    "close": (one_of(*range(3, 22), -1),),
    "close_range": (one_of(5, 9, 700), one_of(4, 9, 700), bits(4)),
    "fcntl": (fd, one_of(0, 1, 2, 3, 5, 6, 1030, 1031, 1032, 1034, 77, -1), one_of(0, 1, 5, 100, 2000, BAD)),
    "ioctl": (fd, one_of(0x541B, 0x5401, 0x5413, 0x5451, 0x5450, 0x1234, -1), buffer),
    "pipe2": (buffer, one_of(O_NONBLOCK, O_NONBLOCK, O_NONBLOCK | 0o2000000, 1, -1)),
    "eventfd2": (one_of(0, 1, -1), bits(1, 0o2000000, always=O_NONBLOCK)),
    "memfd_create": (path, one_of(0, 1, 2, 8, 0x10, 0x18, 0x40, -1)),
    "copy_file_range": (fd, one_of(0, 0, BAD), fd, one_of(0, 0, BAD), one_of(0, 1, 100), one_of(0, 0, 1)),
    "sendfile": (fd, fd, one_of(0, 0, BAD), one_of(0, 1, 100)),
    "splice": (fd, one_of(0, 0, BAD), fd, one_of(0, 0, BAD), one_of(0, 1, 100), bits(1, 4, always=2)),
    "tee": (fd, fd, one_of(0, 1, 100), bits(1, 4, always=2)),
}

attribute = one_of(("at", PLACES["user.a"]), ("at", PLACES["wrong.a"]), ("at", PLACES[""]), BAD)
NAMED: dict[str, Sequence[Choice]] = {
    "openat": (dirfd, relative, OPEN_FLAGS, mode),
    "openat2": (dirfd, relative, one_of(("at", ROOM + 0x800), BAD), one_of(24, 24, 32, 8, 0, 8192)),
    "mkdirat": (dirfd, path, mode),
    "unlinkat": (dirfd, path, bits(0x200)),
    "renameat2": (dirfd, relative, dirfd, relative, one_of(0, 0, 0, 1, 64, -1)),
    "linkat": (dirfd, relative, dirfd, relative, one_of(0, 0, 0x400, 0x100, -1)),
    "symlinkat": (one_of(("at", PLACES["a"]), ("at", PLACES[""]), BAD), dirfd, path),
    "readlinkat": (dirfd, path, buffer, one_of(0, 1, 100, -1)),
    "faccessat2": (dirfd, path, one_of(0, 2, 4, 6, 8, -1), at_flags),
    "newfstatat": (dirfd, there, buffer, at_flags),
    "statx": (dirfd, there, at_flags, one_of(0x7FF, 0, 1 << 31), buffer),
    "utimensat": (dirfd, there, one_of(0, BAD, ("at", WORDS + 16), ("at", ROOM + 0x900)), bits(0x100)),
    "getxattr": (path, attribute, buffer, one_of(0, 1, 100)),
    "removexattr": (path, attribute),
    "listxattr": (path, buffer, one_of(0, 1, 100)),
    "truncate": (path, modest),
    "chdir": (one_of(("at", PLACES["none/x"]), ("at", PLACES["a"]), BAD),),
    "getcwd": (buffer, one_of(0, 1)),
    "fchdir": (one_of(-1, 99),),
    "close": (one_of(*range(3, 22)),),
}

MEMORY_AT = ("at", 0x8000)
memory: Choice = one_of(
    *[MEMORY_AT] * 3, ("at", 0x9000), ("at", 0xA000), ("at", 0x8001), BAD, 0, -1, -4096, 1 << 63, 0x7FFF_FFFF_F000
)
few_pages = one_of(0, 1, 0x1000, 0x2000, 0x2000, 0x1001, -1, -4096)  # more would reach what is natively behind
pages = one_of(0, 1, 0x1000, 0x2000, 0x2000, 0x1001, -1, -4096, 1 << 47, 1 << 63)
MEMORY: dict[str, Sequence[Choice]] = {
    "mprotect": (memory, few_pages, bits(1, 2, 4, 8)),
    "munmap": (one_of(("at", 0x8001), -1, -4096, 1 << 63, 0x7FFF_FFFF_F000), pages),
    "madvise": (memory, one_of(0, 1, 0x1000, 0x2000, -1), one_of(0, 1, 4, 99, -1)),
    "msync": (memory, pages, bits(1, 2, 4)),
    "mincore": (memory, one_of(0, 1, 0x1000, 0x2000, -1, 1 << 63), one_of(BAD, -1)),
    "mlock2": (one_of(BAD, -4096), pages, bits(1)),
    "mmap": (one_of(("at", 0x8001), 0x7FFF_FFFF_F000, -4096), pages, bits(1, 2),
             one_of(0, 2, 2, 0x12, 0x22, 0x22, 0x32, 0x21, 0x20, 0x4022, 0x23, 0x24), one_of(-1, 3, 99),
             one_of(0, 0, 1, 0x1000, 1 << 63)),
    "mremap": (one_of(("at", 0x8001), BAD, -1, -4096), pages, pages, bits(1, 2, 4), one_of(0, 1, BAD, -4096)),
}  # fmt: skip

set_size = one_of(8, 8, 8, 4, 9, -1)
PROCESS: dict[str, Sequence[Choice]] = {
    "rt_sigprocmask": (one_of(0, 1, 2, 3, -1), one_of(0, BAD), buffer, set_size),
    "rt_sigpending": (buffer, one_of(8, 4, 0, 9)),
    "rt_sigaction": (one_of(0, 1, 9, 19, 40, 64, 65, -1), one_of(0, BAD), buffer, set_size),
    "sigaltstack": (one_of(0, BAD), buffer),
    "kill": (one_of(0x3FFF_FFFF), one_of(0, 65, -1)),
    "tkill": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, 1)),
    "tgkill": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, -1, 0x3FFF_FFFF), one_of(0, 1)),
    "getitimer": (one_of(1, 2, 3, -1), buffer),
    "setitimer": (one_of(3, -1, 7), one_of(BAD, ("at", WORDS + 16)), one_of(0)),
    "clock_gettime": (one_of(0, 1, 4, 7, 12, 99), buffer),
    "clock_getres": (one_of(0, 1, 4, 7, 12, 99), buffer),
    "clock_nanosleep": (one_of(0, 1, 4, 12, 99), one_of(0, 1), one_of(BAD, 0), null),
    "nanosleep": (one_of(BAD, 0), null),
    "getrandom": (buffer, size, bits(1)),
    "getrlimit": (one_of(3, 16, 99, -1), buffer),
    "setrlimit": (one_of(16, -1), words),
    "prlimit64": (one_of(0, 0x3FFF_FFFF), one_of(3, 16, -1), one_of(0, BAD), buffer),
    "getrusage": (one_of(0, 1, -1, 2, 99), buffer),
    "uname": (buffer,),
    "sysinfo": (buffer,),
    "getpriority": (one_of(0, 3, -1), one_of(0, 0x3FFF_FFFF)),
    "sched_get_priority_max": (one_of(0, 1, 2, 3, 9, -1),),
    "sched_get_priority_min": (one_of(0, 1, 2, 3, 9, -1),),
    "sched_getparam": (one_of(0, -1, 0x3FFF_FFFF), buffer),
    "wait4": (one_of(-1, 0), buffer, bits(1, 2, 8), null),
    "waitid": (one_of(0, 1, 2, 9), one_of(-1, 0), null, bits(1, 2, 4), null),
    "getgroups": (one_of(-1), buffer),
    "getsid": (one_of(-1, 0x3FFF_FFFF),),
    "getpgid": (one_of(-1, 0x3FFF_FFFF),),
    "poll": (words, one_of(0, 1 << 30, -1), one_of(0)),
    "futex": (one_of(("at", WORDS + 1), ("at", WORDS), BAD), one_of(0x81, 1, 0x7F, 0x181, 0x8A), one_of(0, 1), null,
              null, null),
    "personality": (one_of(-1 & 0xFFFF_FFFF, 0, 0x4_0000),),
    "sched_getscheduler": (one_of(0, -1, 0x3FFF_FFFF),),
    "sched_setscheduler": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, 3, 5, 9, -1), one_of(0, BAD, ("at", WORDS))),
    "sched_setparam": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, BAD, ("at", WORDS), ("at", WORDS + 8))),
    "sched_setattr": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, BAD, ("at", WORDS + 8)), one_of(0, 1)),
    "sched_getattr": (one_of(-1, 0x3FFF_FFFF), buffer, one_of(0, 47, 48, 56, 1 << 20), one_of(0, 1)),
    "pidfd_open": (one_of(0, -1, 0x3FFF_FFFF), one_of(0, 1, O_NONBLOCK)),
    "pidfd_getfd": (fd, fd, one_of(0, 1)),
    "pidfd_send_signal": (fd, one_of(0, 99, -1), null, one_of(0, 8)),
    "process_vm_readv": (one_of(0x3FFF_FFFF), words, one_of(0, 1, -1, 1025),
                         words, one_of(0, 1, -1, 1025), one_of(0, 1)),
    "kcmp": (one_of(0x3FFF_FFFF, -1), one_of(0x3FFF_FFFF, -1), one_of(0, 1, 99), null, null),
    "ptrace": (one_of(1, 3, 7, 9, 16, 17, 0x4206, 99, -1), one_of(0x3FFF_FFFF, -1, 0), buffer, size),
    "seccomp": (one_of(1, 2, 3, 9, -1), bits(1, 2, 4, 8, 16, 32), one_of(BAD, 0, ("at", WORDS))),
    "prctl": (one_of(2, 3, 7, 16, 21, 23, 30, 37, 39, 42), one_of(0, 1, 2, 40, 99, BAD), null, null, null),
    "arch_prctl": (one_of(1, 99), one_of(0)),
}  # fmt: skip

ADDRESSES = {"mmap", "mremap"}


def some_calls(source: random.Random, family: dict[str, Sequence[Choice]], count: int) -> list[Call]:
    """A sequence of calls; files are opened first, so that there are descriptors to use."""
    opened: list[Call] = [
        ("openat", [AT_FDCWD, ("at", PLACES["a"]), 2, 0]), ("openat", [AT_FDCWD, ("at", PLACES["d"]), 0, 0]),
        ("openat", [AT_FDCWD, ("at", PLACES["b"]), 1 | 0o2000, 0]), ("pipe2", [("at", ROOM), O_NONBLOCK]),
        ("openat", [AT_FDCWD, ("at", PLACES["a"]), 0o10000000, 0]), ("eventfd2", [1, O_NONBLOCK]),
        ("openat", [AT_FDCWD, ("at", PLACES["b"]), 0, 0]),
    ]  # fmt: skip
    names = source.choices(list(family), k=count)
    return opened + [(name, [choose(source) for choose in family[name]]) for name in names]


def make_folder(folder: Path) -> Path:
    """What all calls begin with."""
    (folder / "d" / "deep").mkdir(parents=True)
    for name in ("a", "b", "d/x"):
        (folder / name).write_bytes(b"0123456789" * 10)
    (folder / "link").symlink_to("a")
    (folder / "dangling").symlink_to("missing")
    return folder


def natively(calls: list[Call], folder: Path) -> list[int]:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("only x86-64 Linux has these calls")
    if tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2]) < (6, 12):
        pytest.skip("these are the answers of Linux 6.12 and later")
    request = {"data": DATA.hex(), "calls": [(NUMBERS[name], arguments) for name, arguments in calls]}
    program = Path(__file__).with_name("native_calls.py")
    done = subprocess.run(
        [sys.executable, str(program)], input=json.dumps(request), cwd=folder, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def here(calls: list[Call], folder: Path) -> list[int]:
    guest = Guest(folder, writable=True, user=os.getuid())
    guest.call("rt_sigaction", 13, struct.pack("<4Q", 1, 0, 0, 0), 0, 8)
    results = []
    for name, arguments in calls:
        guest.cpu.memory.write(SCRATCH, DATA)
        values = [SCRATCH + value[1] if isinstance(value, tuple) else value & (1 << 64) - 1 for value in arguments]
        results.append(guest.call(name, *values))
    return results


def shown(result: int, call: Call) -> object:
    """A result as it is compared: which of two errors comes first is left open for a path that cannot be read."""
    name, arguments = call
    kinds = CALLS[NUMBERS[name]].arguments
    if -4096 < result < 0:
        if any(kind is PATH and value in (BAD, 0) for kind, value in zip(kinds, arguments, strict=False)):
            return "an error"
        return Errno(-result).name if -result in set(Errno) else result
    return "an address" if name in ADDRESSES else result


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("family", [FILES, NAMED, MEMORY, PROCESS], ids=["files", "named", "memory", "process"])
def test_random_arguments_give_what_they_give_natively(
    family: dict[str, Sequence[Choice]], seed: int, tmp_path: Path
) -> None:
    calls = some_calls(random.Random(seed), family, 250)

    def all_shown(results: list[int]) -> list[tuple[Call, object]]:
        return [(call, shown(result, call)) for call, result in zip(calls, results, strict=True)]

    ours = here(calls, make_folder(tmp_path / "here"))
    native = NativeRuns(lambda folder: natively(calls, make_folder(folder)), tmp_path)
    assert all_shown(ours) == all_shown(native.like(ours, all_shown))
    assert len({result for result in ours if result < 0}) > 3
