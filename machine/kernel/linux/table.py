"""THE table of system calls: number, arguments and what carries each out. Whoever needs to know one reads it here.

The arguments come from rdi, rsi, rdx, r10, r8, r9 and are read as their names in `KINDS` say. A refused call fails with
the error that stands in its row; calls in neither table are ENOSYS. Both are counted, and named at the end of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from machine.kernel.linux.calls import descriptors, memory, opening, paths, processes, signals, time, transfers
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NUMBERS


class Kind(Enum):
    """How the kernel reads an argument register."""

    SIGNED = "a signed integer of 32 bits"
    UNSIGNED = "an unsigned integer of 32 bits"
    LONG = "a signed integer of 64 bits"
    WORD = "an unsigned integer or an address of 64 bits"
    PATH = "the address of a text that ends with a zero"


_SIGNED = (
    "fd dirfd in_fd out_fd new_dirfd target_fd command whence int timeout_ms signal pid tid clock how resource who "
    "which user group operation advice"
)
_UNSIGNED = "flags mode rights events futex_op value count32 request option seconds first last"
_LONG = "offset length"
_WORD = "buffer address size new old in_offset out_offset timeout word count set new_size code"
_PATH = "path new_path target"

KINDS: dict[str, Kind] = {
    name: kind
    for kind, names in (
        (Kind.SIGNED, _SIGNED), (Kind.UNSIGNED, _UNSIGNED), (Kind.LONG, _LONG), (Kind.WORD, _WORD), (Kind.PATH, _PATH)
    )
    for name in names.split()
}  # fmt: skip


@dataclass(frozen=True)
class SystemCall:
    """One call that is carried out."""

    number: int
    name: str
    arguments: tuple[str, ...]
    handler: Callable[..., int]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """How the arguments are read."""
        return tuple(KINDS[name] for name in self.arguments)


def _call(name: str, arguments: str, handler: Callable[..., int]) -> SystemCall:
    return SystemCall(NUMBERS[name], name, tuple(arguments.split()), handler)


SYSTEM_CALLS: tuple[SystemCall, ...] = (
    # reading and writing
    _call("read", "fd buffer size", transfers.read),
    _call("write", "fd buffer size", transfers.write),
    _call("pread64", "fd buffer size offset", transfers.pread64),
    _call("pwrite64", "fd buffer size offset", transfers.pwrite64),
    _call("readv", "fd buffer int", transfers.readv),
    _call("writev", "fd buffer int", transfers.writev),
    _call("preadv", "fd buffer int offset", transfers.preadv),
    _call("pwritev", "fd buffer int offset", transfers.pwritev),
    _call("preadv2", "fd buffer int offset word flags", transfers.preadv2),
    _call("pwritev2", "fd buffer int offset word flags", transfers.pwritev2),
    _call("lseek", "fd offset whence", descriptors.lseek),
    _call("sendfile", "out_fd in_fd address size", transfers.sendfile),
    _call("copy_file_range", "in_fd in_offset out_fd out_offset size flags", transfers.copy_file_range),
    _call("splice", "in_fd in_offset out_fd out_offset size flags", transfers.splice),
    _call("tee", "in_fd out_fd size flags", transfers.tee),
    _call("fsync", "fd", descriptors.fsync),
    _call("fdatasync", "fd", descriptors.fsync),
    _call("sync", "", descriptors.sync),
    _call("syncfs", "fd", descriptors.syncfs),
    _call("sync_file_range", "fd offset length flags", descriptors.sync_file_range),
    _call("ftruncate", "fd length", descriptors.ftruncate),
    _call("fallocate", "fd int offset length", descriptors.fallocate),
    _call("fadvise64", "fd offset length advice", descriptors.fadvise64),
    _call("readahead", "fd offset size", descriptors.readahead),
    # descriptors
    _call("close", "fd", descriptors.close),
    _call("close_range", "first last flags", descriptors.close_range),
    _call("dup", "fd", descriptors.dup),
    _call("dup2", "fd target_fd", descriptors.dup2),
    _call("dup3", "fd target_fd flags", descriptors.dup3),
    _call("pipe", "buffer", descriptors.pipe),
    _call("pipe2", "buffer flags", descriptors.pipe2),
    _call("eventfd", "count32", descriptors.eventfd),
    _call("eventfd2", "count32 flags", descriptors.eventfd2),
    _call("memfd_create", "address flags", descriptors.memfd_create),
    _call("fcntl", "fd command word", descriptors.fcntl),
    _call("flock", "fd operation", descriptors.flock),
    _call("ioctl", "fd request word", descriptors.ioctl),
    _call("fstat", "fd buffer", descriptors.fstat),
    _call("fstatfs", "fd buffer", descriptors.fstatfs),
    _call("fchmod", "fd mode", descriptors.fchmod),
    _call("getdents64", "fd buffer count32", descriptors.getdents64),
    _call("getdents", "fd buffer count32", descriptors.getdents),
    # paths
    _call("open", "path flags mode", opening.open_),
    _call("openat", "dirfd path flags mode", opening.openat),
    _call("openat2", "dirfd path buffer size", opening.openat2),
    _call("creat", "path mode", opening.creat),
    _call("stat", "path buffer", paths.stat),
    _call("lstat", "path buffer", paths.lstat),
    _call("newfstatat", "dirfd path buffer flags", paths.newfstatat),
    _call("statx", "dirfd path flags value buffer", paths.statx),
    _call("access", "path mode", paths.access),
    _call("faccessat", "dirfd path mode", paths.faccessat),
    _call("faccessat2", "dirfd path mode flags", paths.faccessat2),
    _call("statfs", "path buffer", paths.statfs),
    _call("getcwd", "buffer size", paths.getcwd),
    _call("chdir", "path", paths.chdir),
    _call("fchdir", "fd", paths.fchdir),
    _call("mkdir", "path mode", paths.mkdir),
    _call("mkdirat", "dirfd path mode", paths.mkdirat),
    _call("rmdir", "path", paths.rmdir),
    _call("unlink", "path", paths.unlink),
    _call("unlinkat", "dirfd path flags", paths.unlinkat),
    _call("rename", "path new_path", paths.rename),
    _call("renameat", "dirfd path new_dirfd new_path", paths.renameat),
    _call("renameat2", "dirfd path new_dirfd new_path flags", paths.renameat2),
    _call("link", "path new_path", paths.link),
    _call("linkat", "dirfd path new_dirfd new_path flags", paths.linkat),
    _call("symlink", "target path", paths.symlink),
    _call("symlinkat", "target dirfd path", paths.symlinkat),
    _call("readlink", "path buffer int", paths.readlink),
    _call("readlinkat", "dirfd path buffer int", paths.readlinkat),
    _call("chmod", "path mode", paths.chmod),
    _call("fchmodat", "dirfd path mode", paths.fchmodat),
    _call("chown", "path user group", paths.chown),
    _call("lchown", "path user group", paths.lchown),
    _call("fchown", "fd user group", paths.fchown),
    _call("fchownat", "dirfd path user group flags", paths.fchownat),
    _call("truncate", "path length", paths.truncate),
    _call("utimensat", "dirfd address buffer flags", paths.utimensat),
    _call("utime", "path buffer", paths.utime),
    _call("utimes", "path buffer", paths.utimes),
    _call("umask", "mode", paths.umask),
    # memory
    _call("mmap", "address size rights flags fd word", memory.mmap),
    _call("munmap", "address size", memory.munmap),
    _call("mprotect", "address size rights", memory.mprotect),
    _call("mremap", "address size new_size flags word", memory.mremap),
    _call("madvise", "address size advice", memory.madvise),
    _call("msync", "address size flags", memory.msync),
    _call("mincore", "address size buffer", memory.mincore),
    _call("mlock", "address size", memory.mlock),
    _call("mlock2", "address size flags", memory.mlock2),
    _call("mlockall", "flags", memory.mlockall),
    _call("munlockall", "", memory.munlockall),
    _call("munlock", "address size", memory.mlock),
    _call("brk", "address", memory.brk),
    # the process
    _call("getpid", "", processes.getpid),
    _call("gettid", "", processes.gettid),
    _call("getppid", "", processes.getppid),
    _call("getuid", "", processes.getuid),
    _call("geteuid", "", processes.getuid),
    _call("getgid", "", processes.getgid),
    _call("getegid", "", processes.getgid),
    _call("setuid", "user", processes.set_users),
    _call("setgid", "group", processes.set_groups),
    _call("setreuid", "user user", processes.set_users),
    _call("setregid", "group group", processes.set_groups),
    _call("setresuid", "user user user", processes.set_users),
    _call("setresgid", "group group group", processes.set_groups),
    _call("getresuid", "address address address", processes.getresuid),
    _call("getresgid", "address address address", processes.getresgid),
    _call("getgroups", "int buffer", processes.getgroups),
    _call("getpgrp", "", processes.process_group),
    _call("getpgid", "pid", processes.process_group_of),
    _call("getsid", "pid", processes.process_group_of),
    _call("setsid", "", processes.process_group),
    _call("setpgid", "pid pid", processes.setpgid),
    _call("getpriority", "which who", processes.getpriority),
    _call("setpriority", "which who int", processes.setpriority),
    _call("sched_getscheduler", "pid", processes.sched_getscheduler),
    _call("sched_getparam", "pid address", processes.sched_getparam),
    _call("sched_get_priority_max", "int", processes.sched_get_priority_max),
    _call("sched_get_priority_min", "int", processes.sched_get_priority_min),
    _call("personality", "option", processes.personality),
    _call("arch_prctl", "int address", processes.arch_prctl),
    _call("set_tid_address", "address", processes.set_tid_address),
    _call("set_robust_list", "address size", processes.set_robust_list),
    _call("get_robust_list", "pid address address", processes.get_robust_list),
    _call("rseq", "address count32 flags value", processes.rseq),
    _call("futex", "address futex_op value timeout address value", processes.futex),
    _call("sched_yield", "", processes.sched_yield),
    _call("sched_getaffinity", "pid count32 address", processes.sched_getaffinity),
    _call("getcpu", "address address address", processes.getcpu),
    _call("prctl", "option word word word word", processes.prctl),
    _call("exit", "int", processes.exit_),
    _call("exit_group", "int", processes.exit_),
    _call("wait4", "pid address int address", processes.wait4),
    _call("waitid", "which pid address int address", processes.waitid),
    _call("getrlimit", "resource address", processes.getrlimit),
    _call("setrlimit", "resource address", processes.setrlimit),
    _call("prlimit64", "pid resource new old", processes.prlimit64),
    _call("uname", "buffer", processes.uname),
    _call("sysinfo", "buffer", processes.sysinfo),
    _call("getrusage", "who buffer", processes.getrusage),
    _call("times", "buffer", processes.times),
    _call("getrandom", "buffer size flags", processes.getrandom),
    # signals
    _call("rt_sigaction", "signal new old size", signals.rt_sigaction),
    _call("rt_sigprocmask", "how new old size", signals.rt_sigprocmask),
    _call("rt_sigpending", "buffer size", signals.rt_sigpending),
    _call("rt_sigtimedwait", "address buffer timeout size", signals.rt_sigtimedwait),
    _call("rt_sigreturn", "", signals.rt_sigreturn),
    _call("rt_sigsuspend", "address size", signals.rt_sigsuspend),
    _call("sigaltstack", "new old", signals.sigaltstack),
    _call("kill", "pid signal", signals.kill),
    _call("tkill", "tid signal", signals.tkill),
    _call("tgkill", "pid tid signal", signals.tgkill),
    _call("pause", "", signals.pause),
    _call("alarm", "seconds", signals.alarm),
    _call("getitimer", "which buffer", signals.getitimer),
    _call("setitimer", "which new old", signals.setitimer),
    # time and waiting
    _call("clock_gettime", "clock buffer", time.clock_gettime),
    _call("clock_getres", "clock buffer", time.clock_getres),
    _call("gettimeofday", "buffer address", time.gettimeofday),
    _call("time", "buffer", time.time),
    _call("nanosleep", "address buffer", time.nanosleep),
    _call("clock_nanosleep", "clock flags address buffer", time.clock_nanosleep),
    _call("poll", "buffer count32 timeout_ms", time.poll),
    _call("ppoll", "buffer count32 timeout address size", time.ppoll),
    _call("select", "int set set set timeout", time.select),
    _call("pselect6", "int set set set timeout address", time.pselect6),
)

CALLS: dict[int, SystemCall] = {row.number: row for row in SYSTEM_CALLS}

# Processes and threads cannot be made, programs cannot be replaced, and there is no network and no other user.
_REFUSED_BY_ERROR: dict[Errno, str] = {
    Errno.EAGAIN: "fork vfork clone clone3",
    Errno.EACCES: "execve execveat",
    Errno.EAFNOSUPPORT: "socket socketpair",
    Errno.ENOTSOCK: (
        "connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown bind listen getsockname "
        "getpeername setsockopt getsockopt"
    ),
    Errno.EPERM: (
        "ptrace mount umount2 chroot pivot_root reboot sethostname setdomainname settimeofday clock_settime setgroups "
        "mknod mknodat bpf init_module delete_module iopl ioperm unshare setns"
    ),
    Errno.EOPNOTSUPP: (
        "setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr "
        "lremovexattr fremovexattr"
    ),
}
REFUSED: dict[int, Errno] = {
    NUMBERS[name]: error for error, names in _REFUSED_BY_ERROR.items() for name in names.split()
}
