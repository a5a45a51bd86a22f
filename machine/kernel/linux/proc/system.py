"""The texts of /proc and /sys about the machine as a whole: deterministic, of the virtual clock and the guests' tables.

The processor is the one that CPUID announces; nobody but the guests uses memory or time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from machine.kernel.linux.interfaces import Interface
from machine.kernel.linux.proc.missing import Missing
from machine.kernel.linux.sockets import Network
from machine.kernel.linux.structures import DOMAIN_NAME, HOST_NAME, KERNEL_RELEASE, KERNEL_VERSION
from machine.kernel.linux.task import NANOSECONDS, Task, ThreadGroup
from machine.memory import PAGE
from vm.facts.limits import Limits

TICKS_PER_SECOND = 100  # of the times in these files (USER_HZ)
TICK = NANOSECONDS // TICKS_PER_SECOND
LARGEST_PID = 4_194_304
_FILE_HANDLES = (1 << 63) - 1

# CPUID of the processor that guests have, in Linux's order (a test asks it): leaf 1 edx, leaf 0x80000001 edx, leaf 1
# ecx, leaf 0x80000001 ecx, leaf 7 ebx.
FEATURE_WORDS = (0x078B_FBFD, 0x2810_0800, 0xC6D8_2203, 0x0000_0021, 0x001C_0389)
_FEATURE_NAMES = (
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 "
    "ss ht tm ia64 pbe",
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
    "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 "
    "x2apic movbe popcnt tsc_deadline_timer aes xsave osxsave avx f16c rdrand hypervisor",
    "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt",
    "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx "
    "smap",
)


class System(msgspec.Struct, frozen=True):
    """What the texts are made of. `asking()` is the task whose call is being carried out; `begin` is ns since 1970."""

    groups: dict[int, ThreadGroup]
    asking: Callable[[], Task | None]
    elapsed: Callable[[], int]  # nanoseconds since the machine started
    begin: Callable[[], int]
    limits: Limits
    has_own_tmp: bool  # in memory, over the root
    interfaces: Sequence[Interface]
    network: Network
    user: int  # whose all sockets are
    missing: Missing = msgspec.field(default_factory=Missing)

    def memory(self) -> tuple[int, int]:
        """All of it and what is free, in bytes."""
        return self.limits.max_guest_memory, free_memory(self.limits, self.asking())


def free_memory(limits: Limits, task: Task | None) -> int:
    """The bytes that no guest has."""
    return limits.max_guest_memory - (0 if task is None else task.space.memory.source.used)


def version(system: System) -> str:
    """As uname(2) tells it, with who has compiled it with what."""
    return f"Linux version {KERNEL_RELEASE} (hds@hds) (gcc (GCC) 12.2.0, GNU ld (GNU Binutils) 2.40) {KERNEL_VERSION}\n"


def features() -> list[str]:
    """The names of the processor's features, in the order of their bits."""
    return [
        name
        for word, names in zip(FEATURE_WORDS, _FEATURE_NAMES, strict=True)
        for bit, name in enumerate(names.split())
        if word >> bit & 1
    ]


def cpuinfo(system: System) -> str:
    """One processor."""
    rows = (
        ("processor", "0"), ("vendor_id", "GenuineIntel"), ("cpu family", "6"), ("model", "61"),
        ("model name", "Intel Core Processor (Broadwell)"), ("stepping", "2"), ("microcode", "0x1"),
        ("cpu MHz", "1000.000"), ("cache size", "4096 KB"), ("physical id", "0"), ("siblings", "1"), ("core id", "0"),
        ("cpu cores", "1"), ("apicid", "0"), ("initial apicid", "0"), ("fpu", "yes"), ("fpu_exception", "yes"),
        ("cpuid level", "13"), ("wp", "yes"), ("flags", " ".join(features())), ("bugs", ""), ("bogomips", "2000.00"),
        ("clflush size", "64"), ("cache_alignment", "64"), ("address sizes", "40 bits physical, 48 bits virtual"),
        ("power management", ""),
    )  # fmt: skip
    lines = (name + "\t" * (1 if len(name) > 7 else 2) + (f": {value}" if value else ":") for name, value in rows)
    return "\n".join(lines) + "\n\n"


def meminfo(system: System) -> str:
    """What guests have is anonymous; there are no caches and no swap."""
    total, free = (size // 1024 for size in system.memory())
    used = total - free
    rows = {
        "MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0, "SwapCached": 0,
        "Active": used, "Inactive": 0, "Active(anon)": used, "Inactive(anon)": 0, "Active(file)": 0,
        "Inactive(file)": 0, "Unevictable": 0, "Mlocked": 0, "SwapTotal": 0, "SwapFree": 0, "Dirty": 0, "Writeback": 0,
        "AnonPages": used, "Mapped": 0, "Shmem": 0, "KReclaimable": 0, "Slab": 0, "SReclaimable": 0, "SUnreclaim": 0,
        "KernelStack": 0, "PageTables": 0, "NFS_Unstable": 0, "Bounce": 0, "WritebackTmp": 0, "CommitLimit": total // 2,
        "Committed_AS": used, "VmallocTotal": 34_359_738_367, "VmallocUsed": 0, "VmallocChunk": 0, "Percpu": 0,
        "AnonHugePages": 0, "HugePages_Total": None, "HugePages_Free": None, "HugePages_Rsvd": None,
        "HugePages_Surp": None, "Hugepagesize": 2048, "Hugetlb": 0,
    }  # fmt: skip
    return "".join(
        f"{name + ':':<16}" + ("       0\n" if size is None else f"{size:>8} kB\n") for name, size in rows.items()
    )


def node_meminfo(system: System) -> str:
    """Of the only memory node."""
    total, free = (size // 1024 for size in system.memory())
    rows = {"MemTotal": total, "MemFree": free, "MemUsed": total - free}
    return "".join(f"Node 0 {name + ':':<16}{size:>8} kB\n" for name, size in rows.items())


def busy_and_idle(system: System) -> tuple[int, int]:
    """The time that instructions took and the other time since the start, in nanoseconds."""
    busy = sum(group.time_used for group in list(system.groups.values()))
    return busy, max(0, system.elapsed() - busy)


def stat(system: System) -> str:
    """All time is user time or idle."""
    busy, idle = (time // TICK for time in busy_and_idle(system))
    made = len(system.groups)
    running = sum(not group.has_ended for group in list(system.groups.values()))
    row = f"{busy} 0 0 {idle} 0 0 0 0 0 0\n"
    return (
        f"cpu  {row}cpu0 {row}intr 0\nctxt 0\nbtime {system.begin() // NANOSECONDS}\nprocesses {made}\n"
        f"procs_running {running}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n"
    )


def vmstat(system: System) -> str:
    """Pages: those that are free, and those that guests have; nothing else is counted."""
    total, free = (size // PAGE for size in system.memory())
    rows = {
        "nr_free_pages": free, "nr_zone_inactive_anon": 0, "nr_zone_active_anon": total - free,
        "nr_zone_inactive_file": 0, "nr_zone_active_file": 0, "nr_zone_unevictable": 0, "nr_mlock": 0,
        "nr_inactive_anon": 0, "nr_active_anon": total - free, "nr_inactive_file": 0, "nr_active_file": 0,
        "nr_anon_pages": total - free, "nr_mapped": 0, "nr_file_pages": 0, "nr_dirty": 0, "nr_writeback": 0,
        "nr_shmem": 0, "pgpgin": 0, "pgpgout": 0, "pswpin": 0, "pswpout": 0, "pgalloc_normal": 0, "pgfree": 0,
        "pgfault": 0, "pgmajfault": 0, "oom_kill": 0,
    }  # fmt: skip
    return "".join(f"{name} {value}\n" for name, value in rows.items())


def uptime(system: System) -> str:
    """Seconds since the start, and idle ones."""
    return f"{_seconds(system.elapsed())} {_seconds(busy_and_idle(system)[1])}\n"


def _seconds(time: int) -> str:
    return f"{time // NANOSECONDS}.{time % NANOSECONDS // TICK:02}"


def loadavg(system: System) -> str:
    """No load; threads, and the process that came last."""
    groups = list(system.groups.values())
    threads = sum(len(group.tasks) for group in groups)
    return f"0.00 0.00 0.00 1/{threads} {max((group.pid for group in groups), default=0)}\n"


def mounts(system: System) -> str:
    """What lies over the root, and that itself."""
    return (
        "hds / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\nsysfs /sys sysfs rw,relatime 0 0\n"
        "devtmpfs /dev devtmpfs rw,relatime 0 0\ntmpfs /dev/shm tmpfs rw,relatime 0 0\n"
        + "tmpfs /tmp tmpfs rw,relatime 0 0\n"
        * system.has_own_tmp
    )


def mountinfo(system: System) -> str:
    """The same with numbers (proc(5))."""
    rows = (row.split() for row in mounts(system).splitlines())
    return "".join(
        f"{20 + at} {20 if at else 1} 0:{20 + at} / {place} {options} - {kind} {source} rw\n"
        for at, (source, place, kind, options, *_) in enumerate(rows)
    )


def always(text: str) -> Callable[[System], str]:
    """The text of a file that never changes."""
    return lambda system: text


def filesystems(system: System) -> str:
    """Those that are mounted."""
    return "".join(f"nodev\t{kind}\n" for kind in ("sysfs", "tmpfs", "devtmpfs", "proc"))


def threads_max(system: System) -> str:
    """Of all processes together."""
    return f"{system.limits.max_threads * system.limits.max_processes}\n"


NAMES = {"ostype": "Linux", "hostname": HOST_NAME, "osrelease": KERNEL_RELEASE, "version": KERNEL_VERSION,
         "domainname": DOMAIN_NAME}  # fmt: skip
FILE_MAX = f"{_FILE_HANDLES}\n"
