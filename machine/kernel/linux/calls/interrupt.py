"""The calls of INT 0x80: the numbers of 32-bit x86, arguments of 32 bits, structures of its ABI.

A 64-bit program reaches with them what lies below 4 GiB. Most are those of SYSCALL by another number; what has a
structure with longs, or an offset in two registers, stands here. Handlers of signals are not set: their code would be
executed in 32-bit mode.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from machine.kernel.abi import narrowed
from machine.kernel.linux import open_files as of, structures
from machine.kernel.linux.abi import (
    CALLS,
    INTERRUPT_CALLS,
    Address,
    Fd,
    Flags,
    Int,
    Path,
    Size,
    UInt,
    Word,
    interrupt_call,
)
from machine.kernel.linux.calls import (
    allocation,
    children,
    cloning,
    descriptors,
    execution,
    futexes,
    memory,
    opening,
    paths,
    polling,
    processes,
    signals,
    transfers,
)
from machine.kernel.linux.calls.interrupt_times import SHORT_TIME, WORD_BITS
from machine.kernel.linux.calls.time import duration, sleep, time_of
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.names import NUMBERS, NUMBERS_386
from machine.kernel.linux.nodes import Status
from machine.kernel.linux.paths import AT_FDCWD
from machine.kernel.linux.signals import SIG_IGN, SIGNALS
from machine.kernel.linux.task import NANOSECONDS, SignalAction, Task
from machine.kernel.outcomes import Result
from machine.memory import PAGE

_LARGEST_SHORT = (1 << 31) - 1
_LOCK_COMMANDS = (*range(5, 8), *range(12, 15), *range(36, 39))
_OLD_SIGNALS = (1 << 32) - 1

# Calls of both tables that mean the same, by their names; those that are called otherwise below.
_SAME = """
exit fork read write close link unlink chdir mknod chmod lchown lseek getpid setuid getuid alarm pause access
sync kill rename mkdir rmdir dup pipe brk setgid getgid geteuid getegid setpgid umask dup2 getppid getpgrp setsid
setreuid setregid symlink readlink munmap truncate ftruncate fchmod fchown getpriority setpriority ioctl fsync
uname mprotect getpgid fchdir personality flock msync getsid fdatasync mlock munlock mlockall munlockall sched_getparam
sched_setscheduler sched_getscheduler sched_yield sched_get_priority_max sched_get_priority_min mremap
setresuid poll setresgid prctl rt_sigprocmask rt_sigpending rt_sigsuspend chown getcwd capget capset
vfork mincore madvise getdents64 gettid tkill exit_group epoll_create epoll_ctl epoll_wait set_tid_address
tgkill ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch mkdirat mknodat fchownat
unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat splice tee getcpu epoll_pwait signalfd timerfd_create
eventfd signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 prlimit64 syncfs renameat2 getrandom memfd_create
socket socketpair bind connect listen accept4 getsockname getpeername sendto recvfrom shutdown membarrier mlock2 statx
arch_prctl rseq shmget shmdt close_range openat2 faccessat2 msgget semget unshare timer_getoverrun timer_delete
mq_unlink sched_setaffinity sched_setattr sched_getattr sched_setparam setxattr lsetxattr fsetxattr getxattr lgetxattr
fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr copy_file_range pkey_mprotect pkey_alloc
pkey_free remap_file_pages epoll_pwait2 pidfd_open pidfd_getfd kcmp syslog setfsuid setfsgid mseal
"""
_OTHERWISE = {
    "lchown32": "lchown", "getuid32": "getuid", "getgid32": "getgid", "geteuid32": "geteuid", "getegid32": "getegid",
    "setreuid32": "setreuid", "setregid32": "setregid", "getgroups32": "getgroups", "fchown32": "fchown",
    "setresuid32": "setresuid", "getresuid32": "getresuid", "setresgid32": "setresgid", "getresgid32": "getresgid",
    "chown32": "chown", "setuid32": "setuid", "setgid32": "setgid", "sendfile64": "sendfile",
    "clock_gettime64": "clock_gettime", "clock_getres_time64": "clock_getres", "ppoll_time64": "ppoll",
    "clock_nanosleep_time64": "clock_nanosleep", "utimensat_time64": "utimensat", "futex_time64": "futex",
    "timerfd_gettime64": "timerfd_gettime", "timerfd_settime64": "timerfd_settime", "setfsuid32": "setfsuid",
    "timer_gettime64": "timer_gettime", "timer_settime64": "timer_settime", "setfsgid32": "setfsgid",
    "sched_rr_get_interval_time64": "sched_rr_get_interval", "clock_settime64": "clock_settime",
}  # fmt: skip


def _add(name: str, meant: str) -> None:
    number, called = NUMBERS_386[name], CALLS[NUMBERS[meant]]
    INTERRUPT_CALLS[number] = replace(called, number=number, name=name)


# --- files


@interrupt_call("open")
def open_(task: Task, path: Path, flags: Flags, mode: UInt) -> Result:
    """open(2); no file is large that is not said to be."""
    return openat(task, AT_FDCWD, path, flags, mode)


@interrupt_call("creat")
def creat(task: Task, path: Path, mode: UInt) -> Result:
    """creat(2), likewise."""
    return openat(task, AT_FDCWD, path, of.O_CREAT | of.O_WRONLY | of.O_TRUNC, mode)


@interrupt_call("openat")
def openat(task: Task, dirfd: Fd, path: Path, flags: Flags, mode: UInt) -> Result:
    """openat(2), likewise."""
    result = opening.openat(task, dirfd, path, flags, mode)
    if isinstance(result, int) and not flags & of.O_LARGEFILE:
        task.files.reference(result).flags &= ~of.O_LARGEFILE
    return result


@interrupt_call("_llseek")
def llseek(task: Task, fd: Fd, high: UInt, low: UInt, result: Address, whence: Int) -> int:
    """_llseek(2)"""
    task.space.store_words(result, "q", descriptors.lseek(task, fd, _wide(low, high), whence))
    return 0


def _wide(low: int, high: int) -> int:
    """A signed number of 64 bits in two registers."""
    return ((high << 32 | low) ^ 1 << 63) - (1 << 63)


@interrupt_call("pread64")
def pread64(task: Task, fd: Fd, buffer: Address, size: Size, low: UInt, high: UInt) -> int:
    """pread(2)"""
    return transfers.pread64(task, fd, buffer, size, _wide(low, high))


@interrupt_call("pwrite64")
def pwrite64(task: Task, fd: Fd, buffer: Address, size: Size, low: UInt, high: UInt) -> Result:
    """pwrite(2)"""
    return transfers.pwrite64(task, fd, buffer, size, _wide(low, high))


@interrupt_call("readv")
def readv(task: Task, fd: Fd, vectors: Address, count: Int) -> int:
    """readv(2)"""
    return transfers.scatter(task, task.files.for_reading(fd), transfers.buffers(task, vectors, count, "I"), None)


@interrupt_call("writev")
def writev(task: Task, fd: Fd, vectors: Address, count: Int) -> Result:
    """writev(2)"""
    file, rows = task.files.for_writing(fd), transfers.buffers(task, vectors, count, "I")
    return transfers.gather(task, file, rows, None) if rows else 0


@interrupt_call("truncate64")
def truncate64(task: Task, path: Path, low: UInt, high: UInt) -> int:
    """truncate(2)"""
    return paths.truncate(task, path, _wide(low, high))


@interrupt_call("ftruncate64")
def ftruncate64(task: Task, fd: Fd, low: UInt, high: UInt) -> int:
    """ftruncate(2); beyond 2 GiB of files that were opened with O_LARGEFILE only."""
    if not task.files.reference(fd).flags & of.O_LARGEFILE and _wide(low, high) > _LARGEST_SHORT:
        raise LinuxError(Errno.EINVAL)
    return descriptors.ftruncate(task, fd, _wide(low, high))


@interrupt_call("fallocate")
def fallocate(task: Task, fd: Fd, mode: Int, low: UInt, high: UInt, low_size: UInt, high_size: UInt) -> int:
    """fallocate(2)"""
    return allocation.fallocate(task, fd, mode, _wide(low, high), _wide(low_size, high_size))


@interrupt_call("fcntl", "fcntl64")
def fcntl(task: Task, fd: Fd, command: Int, value: Word) -> Result:
    """fcntl(2) but for locks, which have structures of their own."""
    if command in _LOCK_COMMANDS:
        raise Refused(Errno.ENOSYS)
    return descriptors.fcntl(task, fd, command, value)


def _shown(task: Task, buffer: int, row: Status, shape: Callable[[Status], bytes]) -> int:
    task.space.store(buffer, shape(row))
    return 0


@interrupt_call("stat64")
def stat64(task: Task, path: Path, buffer: Address) -> int:
    """stat(2)"""
    return _shown(task, buffer, paths.status_of(task, AT_FDCWD, path, 0), structures.stat64)


@interrupt_call("lstat64")
def lstat64(task: Task, path: Path, buffer: Address) -> int:
    """lstat(2)"""
    row = paths.status_of(task, AT_FDCWD, path, paths.AT_SYMLINK_NOFOLLOW)
    return _shown(task, buffer, row, structures.stat64)


@interrupt_call("fstat64")
def fstat64(task: Task, fd: Fd, buffer: Address) -> int:
    """fstat(2)"""
    return _shown(task, buffer, task.files.reference(fd).status(), structures.stat64)


@interrupt_call("fstatat64")
def fstatat64(task: Task, fd: Fd, path: Path, buffer: Address, flags: Flags) -> int:
    """fstatat(2)"""
    return _shown(task, buffer, paths.status_of(task, fd, path, flags), structures.stat64)


@interrupt_call("stat")
def stat(task: Task, path: Path, buffer: Address) -> int:
    """stat(2) with what has 32 bits."""
    return _shown(task, buffer, paths.status_of(task, AT_FDCWD, path, 0), structures.stat_of_32_bits)


@interrupt_call("lstat")
def lstat(task: Task, path: Path, buffer: Address) -> int:
    """lstat(2), likewise."""
    row = paths.status_of(task, AT_FDCWD, path, paths.AT_SYMLINK_NOFOLLOW)
    return _shown(task, buffer, row, structures.stat_of_32_bits)


@interrupt_call("fstat")
def fstat(task: Task, fd: Fd, buffer: Address) -> int:
    """fstat(2), likewise."""
    return _shown(task, buffer, task.files.reference(fd).status(), structures.stat_of_32_bits)


@interrupt_call("_newselect")
def newselect(task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address) -> Result:
    """select(2)"""
    wait = None
    if timeout:
        seconds, microseconds = task.space.load_words(timeout, "ii")
        if seconds < 0 or microseconds < 0:
            raise LinuxError(Errno.EINVAL)
        wait = seconds * NANOSECONDS + microseconds * 1000
    return polling.select_until(task, count, (reading, writing, failing), wait, WORD_BITS)


# --- memory


@interrupt_call("mmap2")
def mmap2(task: Task, address: Address, size: Size, rights: UInt, flags: Flags, fd: Fd, pages: UInt) -> int:
    """mmap(2), the offset in pages. What may be anywhere comes where a pointer of 32 bits reaches it."""
    return memory.mmap(task, address, size, rights, flags | memory.MAP_32BIT, fd, pages * PAGE)


@interrupt_call("mmap")
def mmap(task: Task, arguments: Address) -> int:
    """mmap(2) with its arguments in memory."""
    address, size, rights, flags, fd, offset = task.space.load_words(arguments, "IIIIiI")
    return memory.mmap(task, address, size, rights, flags | memory.MAP_32BIT, fd, offset)


# --- processes


@interrupt_call("waitpid")
def waitpid(task: Task, process: Int, status: Address, options: Int) -> Result:
    """waitpid(2)"""
    return children.wait4(task, process, status, options, 0)


@interrupt_call("clone")
def clone(task: Task, flags: Word, stack: Address, parent_tid: Address, tls: Address, child_tid: Address) -> Result:
    """clone(2) without a thread area, which would be a segment."""
    if flags & children.CLONE_SETTLS:
        raise Refused(Errno.ENOSYS)
    return cloning.clone(task, flags, stack, parent_tid, child_tid, tls)


@interrupt_call("execve")
def execve(task: Task, path: Path, arguments: Address, environment: Address) -> Result:
    """execve(2)"""
    return execution.execute_with_short_pointers(task, path, arguments, environment)


@interrupt_call("nice")
def nice(task: Task, more: Int) -> int:
    """nice(2)"""
    try:
        return processes.setpriority(task, 0, 0, task.threads.nice + max(-40, min(more, 40)))
    except LinuxError:
        raise LinuxError(Errno.EPERM) from None


@interrupt_call("getgroups")
def getgroups(task: Task, count: Int, buffer: Address) -> int:
    """getgroups(2), with groups of 16 bits."""
    if count < 0:
        raise LinuxError(Errno.EINVAL)
    if count:
        task.space.store_words(buffer, "H", task.group & 0xFFFF)
    return 1


# --- signals


@interrupt_call("sigprocmask")
def sigprocmask(task: Task, how: Int, new: Address, old: Address) -> int:
    """sigprocmask(2) of the first 32 signals."""
    present = task.blocked
    if new:
        (mask,) = task.space.load_words(new, "I")
        signals.change_mask(task, how, mask, present & ~_OLD_SIGNALS)
    if old:
        task.space.store_words(old, "I", present & _OLD_SIGNALS)
    return 0


@interrupt_call("rt_sigaction")
def rt_sigaction(task: Task, signal: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigaction(2) without handlers."""
    if size != 8:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(new, "IIIQ") if new else None
    present = _change_action(task, signal, words)
    if old:
        row = present.handler, present.flags, present.restorer, present.mask
        task.space.store_words(old, "IIIQ", *(word & _OLD_SIGNALS for word in row[:3]), row[3])
    return 0


def _change_action(task: Task, signal: int, words: tuple[int, ...] | None) -> SignalAction:
    """The action before. Raises EINVAL; a handler is refused."""
    if words and 1 <= signal <= SIGNALS and words[0] > SIG_IGN:
        raise Refused(Errno.ENOSYS)
    return signals.set_action(task, signal, None if words is None else SignalAction(*words))


@interrupt_call("signal")
def signal(task: Task, number: Int, handler: Address) -> int:
    """signal(2) without handlers; the old one."""
    return _change_action(task, number, (handler, 0, 0, 0)).handler


# --- time


@interrupt_call("time")
def time(task: Task, buffer: Address) -> int:
    """time(2)"""
    seconds = task.now // NANOSECONDS
    if buffer:
        task.space.store_words(buffer, "I", seconds)
    return _signed(seconds)


def _signed(value: int) -> int:
    """As a signed number of 32 bits."""
    return (value & 0xFFFF_FFFF ^ 1 << 31) - (1 << 31)


@interrupt_call("gettimeofday")
def gettimeofday(task: Task, buffer: Address, zone: Address) -> int:
    """gettimeofday(2), in UTC."""
    if buffer:
        task.space.store_words(buffer, "II", *divmod(task.now // 1000, 1_000_000))
    if zone:
        task.space.store_words(zone, "ii", 0, 0)
    return 0


@interrupt_call("clock_gettime")
def clock_gettime(task: Task, clock: Int, buffer: Address) -> int:
    """clock_gettime(2)"""
    task.space.store_words(buffer, "II", *divmod(time_of(task, clock), NANOSECONDS))
    return 0


@interrupt_call("clock_getres")
def clock_getres(task: Task, clock: Int, buffer: Address) -> int:
    """clock_getres(2)"""
    time_of(task, clock)
    if buffer:
        task.space.store_words(buffer, "II", 0, 1)
    return 0


@interrupt_call("nanosleep")
def nanosleep(task: Task, wanted: Address, left: Address) -> Result:
    """nanosleep(2)"""
    return sleep(task, duration(task, wanted, SHORT_TIME), left, SHORT_TIME)


@interrupt_call("times")
def times(task: Task, buffer: Address) -> int:
    """times(2)"""
    own, children_time, ticks = processes.clock_ticks(task)
    if buffer:
        task.space.store_words(buffer, "IIII", own, 0, children_time, 0)
    return _signed(ticks)


@interrupt_call("futex")
def futex(
    task: Task, address: Address, operation: UInt, value: UInt, timeout: Address, second: Address, third: UInt
) -> Result:
    """futex(2)"""
    return futexes.futex_call(task, address, operation, value, timeout, second, third, SHORT_TIME)


# --- sockets

_SOCKETS = """
- socket bind connect listen accept getsockname getpeername socketpair sendto recvfrom sendto recvfrom shutdown
setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg
"""
_SOCKET_CALLS = dict(enumerate(_SOCKETS.split()))
_WITHOUT_ADDRESS = (9, 10)  # send and recv
_MESSAGES_AND_OPTIONS = (14, 15, 16, 17, 19, 20)
_WORDS = 4  # of send and recv


@interrupt_call("socketcall")
def socketcall(task: Task, which: Int, arguments: Address) -> Result:
    """socketcall(2); messages and options have structures of their own."""
    if which in _MESSAGES_AND_OPTIONS:
        raise Refused(Errno.ENOSYS)
    if which not in _SOCKET_CALLS or not which:
        raise LinuxError(Errno.EINVAL)
    called = CALLS[NUMBERS[_SOCKET_CALLS[which]]]
    count = _WORDS if which in _WITHOUT_ADDRESS else len(called.arguments)
    words = (*task.space.load_words(arguments, f"{count}I"), 0, 0)
    values = [
        word if (decode := narrowed(argument).decode) is None else decode(task, word)
        for argument, word in zip(called.arguments, words, strict=False)
    ]
    return called.answer(task, *values)


def take_over() -> None:
    """Let the calls of SYSCALL that mean the same be of INT 0x80, too, once all are there."""
    for name in _SAME.split():
        if NUMBERS_386[name] not in INTERRUPT_CALLS:
            _add(name, name)
    for name, meant in _OTHERWISE.items():
        _add(name, meant)
