"""The table of what is in /proc and /sys: path patterns and the functions that write the texts.

`PID` stands for every process and `TID` for every thread of it; `fd` and `fdinfo` are folders of descriptors.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from machine.kernel.linux import interfaces
from machine.kernel.linux.paths import Place
from machine.kernel.linux.posix_queues import LARGEST_MESSAGE, MOST_MESSAGES, MOST_QUEUES
from machine.kernel.linux.proc import processes, system
from machine.kernel.linux.proc.processes import Subject
from machine.kernel.linux.proc.system import System, always

PID, TID, FD = "PID", "TID", "FD"


class SystemFile(msgspec.Struct, frozen=True):
    """A text about the machine."""

    text: Callable[[System], str]
    mode: int = 0o444


class TaskFile(msgspec.Struct, frozen=True):
    """A text about a process or a thread; `write` takes what is written to it."""

    text: Callable[[Subject], str | bytes]
    mode: int = 0o444
    write: Callable[[Subject, bytes], None] | None = None


class TaskLink(msgspec.Struct, frozen=True):
    """A link of a process to a place that it has."""

    place: Callable[[Subject], Place | None]


class TextLink(msgspec.Struct, frozen=True):
    """A link with a text."""

    target: Callable[[System], str | None]


File = SystemFile | TaskFile | TaskLink | TextLink


def _self(of: System) -> str | None:
    task = of.asking()
    return None if task is None else f"{task.process.pid}"


def _thread_self(of: System) -> str | None:
    task = of.asking()
    return None if task is None else f"{task.process.pid}/task/{task.tid}"


def _program(subject: Subject) -> Place | None:
    return None if subject.space is None else subject.space.layout.program


def _directory(subject: Subject) -> Place | None:
    return None if subject.task is None else subject.task.location.directory


def _root(subject: Subject) -> Place | None:
    return None if subject.task is None else subject.task.location.root


_TASK: dict[str, TaskFile | TaskLink] = {
    "auxv": TaskFile(processes.auxv, 0o400),
    "cgroup": TaskFile(lambda subject: "0::/\n"),
    "cmdline": TaskFile(processes.cmdline),
    "comm": TaskFile(processes.comm, 0o644, processes.set_comm),
    "cwd": TaskLink(_directory),
    "environ": TaskFile(processes.environ, 0o400),
    "exe": TaskLink(_program),
    "limits": TaskFile(processes.limits),
    "loginuid": TaskFile(lambda subject: "4294967295"),
    "maps": TaskFile(processes.maps),
    "mountinfo": TaskFile(processes.own_mountinfo),
    "mounts": TaskFile(processes.own_mounts),
    "oom_adj": TaskFile(lambda subject: "0\n"),
    "oom_score": TaskFile(lambda subject: "0\n"),
    "oom_score_adj": TaskFile(lambda subject: "0\n"),
    "personality": TaskFile(lambda subject: "00000000\n", 0o400),
    "root": TaskLink(_root),
    "sessionid": TaskFile(lambda subject: "4294967295"),
    "smaps": TaskFile(processes.smaps),
    "stat": TaskFile(processes.stat),
    "statm": TaskFile(processes.statm),
    "status": TaskFile(processes.status),
    "wchan": TaskFile(lambda subject: "0"),
}

_SYSCTL: dict[str, str | Callable[[System], str]] = {
    "fs/file-max": system.FILE_MAX,
    "fs/nr_open": "1048576\n",
    "fs/pipe-max-size": "1048576\n",
    "fs/mqueue/msg_default": f"{MOST_MESSAGES}\n",
    "fs/mqueue/msg_max": f"{MOST_MESSAGES}\n",
    "fs/mqueue/msgsize_default": f"{LARGEST_MESSAGE}\n",
    "fs/mqueue/msgsize_max": f"{LARGEST_MESSAGE}\n",
    "fs/mqueue/queues_max": f"{MOST_QUEUES}\n",
    "fs/inotify/max_user_instances": "128\n",
    "fs/inotify/max_user_watches": "65536\n",
    **{f"kernel/{name}": f"{value}\n" for name, value in system.NAMES.items()},
    "kernel/cap_last_cap": "40\n",
    "kernel/core_pattern": "core\n",
    "kernel/core_uses_pid": "0\n",
    "kernel/dmesg_restrict": "1\n",
    "kernel/kptr_restrict": "1\n",
    "kernel/msgmax": "8192\n",
    "kernel/ngroups_max": "65536\n",
    "kernel/perf_event_paranoid": "3\n",
    "kernel/pid_max": f"{system.LARGEST_PID}\n",
    "kernel/random/boot_id": "00000000-0000-4000-8000-000000000000\n",
    "kernel/random/entropy_avail": "256\n",
    "kernel/random/poolsize": "256\n",
    "kernel/randomize_va_space": "0\n",
    "kernel/shmmax": "18446744073692774399\n",
    "kernel/threads-max": system.threads_max,
    "kernel/yama/ptrace_scope": "1\n",
    "net/core/somaxconn": "4096\n",
    "vm/max_map_count": lambda of: f"{of.limits.max_mappings}\n",
    "vm/mmap_min_addr": "65536\n",
    "vm/overcommit_memory": "0\n",
    "vm/overcommit_ratio": "50\n",
    "vm/swappiness": "60\n",
}


_SOCKETS = "tcp tcp6 udp udp6 raw raw6 unix netlink sockstat"


def _sockets(name: str) -> Callable[[System], str]:
    def text(of: System) -> str:
        from machine.kernel.linux.socket_tables import TABLES  # few programs ask

        return TABLES[name](of.network, of.user)

    return text


PROC: dict[str, File] = {
    "cmdline": SystemFile(always("\n")),
    "cpuinfo": SystemFile(system.cpuinfo),
    "devices": SystemFile(always("Character devices:\n  1 mem\n\nBlock devices:\n")),
    "filesystems": SystemFile(system.filesystems),
    "loadavg": SystemFile(system.loadavg),
    "meminfo": SystemFile(system.meminfo),
    "modules": SystemFile(always("")),
    "mounts": TextLink(lambda of: "self/mounts"),
    "net/dev": SystemFile(lambda of: interfaces.device_table(of.interfaces)),
    "net/if_inet6": SystemFile(lambda of: interfaces.addresses6(of.interfaces)),
    "net/route": SystemFile(lambda of: interfaces.routes(of.interfaces)),
    **{f"net/{name}": SystemFile(_sockets(name)) for name in _SOCKETS.split()},
    "net/packet": SystemFile(always("sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n")),
    "partitions": SystemFile(always("major minor  #blocks  name\n\n")),
    "self": TextLink(_self),
    "stat": SystemFile(system.stat),
    "swaps": SystemFile(always("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")),
    "thread-self": TextLink(_thread_self),
    "uptime": SystemFile(system.uptime),
    "version": SystemFile(system.version),
    "vmstat": SystemFile(system.vmstat),
    **{
        f"sys/{name}": SystemFile(always(text) if isinstance(text, str) else text, 0o644)
        for name, text in _SYSCTL.items()
    },
    **{f"{PID}/{name}": file for name, file in _TASK.items()},
    **{f"{PID}/task/{TID}/{name}": file for name, file in _TASK.items()},
}

SYS: dict[str, File] = {
    **{
        f"devices/system/{name}": SystemFile(always(text))
        for name, text in {
            "cpu/kernel_max": "0\n",
            "cpu/offline": "\n",
            "cpu/online": "0\n",
            "cpu/possible": "0\n",
            "cpu/present": "0\n",
            "cpu/cpu0/topology/core_id": "0\n",
            "cpu/cpu0/topology/physical_package_id": "0\n",
            "node/has_memory": "0\n",
            "node/online": "0\n",
            "node/possible": "0\n",
            "node/node0/cpulist": "0\n",
            "node/node0/cpumap": "1\n",
        }.items()
    },
    "devices/system/node/node0/meminfo": SystemFile(system.node_meminfo),
    "kernel/mm/transparent_hugepage/enabled": SystemFile(always("always madvise [never]\n")),
    "kernel/mm/transparent_hugepage/hpage_pmd_size": SystemFile(always("2097152\n")),
}
