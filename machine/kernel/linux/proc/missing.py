"""What Linux has in /proc and /sys and is not here (proc(5), sysfs(5)): a run names what guests have looked for."""

from __future__ import annotations

_NAMES = {
    "/proc": (
        "acpi asound buddyinfo bus cgroups config.gz consoles crypto diskstats dma driver execdomains fb fs interrupts "
        "iomem ioports irq kallsyms kcore key-users keys kmsg kpagecount kpageflags latency_stats locks mdstat misc "
        "mtrr pagetypeinfo pressure schedstat scsi slabinfo softirqs sysrq-trigger sysvipc timer_list tty "
        "vmallocinfo zoneinfo"
    ),
    "/proc/PID": (
        "attr autogroup clear_refs coredump_filter cpuset gid_map io map_files mem mountstats net ns numa_maps pagemap "
        "projid_map sched schedstat setgroups smaps_rollup stack syscall timers timerslack_ns uid_map"
    ),
    "/sys": "block bus class dev devices firmware fs kernel module power",
}
_PROC, _OF_PROCESSES, _SYS = (frozenset(names.split()) for names in _NAMES.values())
_MOST = 64


class Missing:
    """The names, as a user reads them: `PID` stands for a process; at most `_MOST` of them."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def look(self, folder: str, name: str, *, is_of_process: bool) -> None:
        """Somebody looks for a name in a folder of /proc (`/1/task`, ...) or of /sys (`sys:/class`, ...)."""
        if is_of_process:
            path = f"/proc/PID/{name}" if name in _OF_PROCESSES else ""
        elif folder.startswith("sys:"):
            path = f"/sys{folder[4:]}/{name}" if folder != "sys:" or name in _SYS else ""
        elif folder.startswith(("/sys", "/net")):
            path = f"/proc{folder}/{name}"
        else:
            path = f"/proc/{name}" if not folder and name in _PROC else ""
        if path and len(self.names) < _MOST:
            self.names.add(path)
