"""The texts of /proc/PID about a process and of /proc/PID/task/TID about a thread (proc(5))."""

from __future__ import annotations

import zlib

import msgspec

from machine.kernel.linux.proc.system import TICK, System, mountinfo, mounts
from machine.kernel.linux.resource_limits import resource_limit
from machine.kernel.linux.space import HEAP, USER_SPACE, UserSpace, is_anonymous, is_shared
from machine.kernel.linux.task import INIT_ID, Task, ThreadGroup
from machine.memory import PAGE, Area
from vm.facts.paging import EXECUTE, READ, WRITE

_ALL = (1 << 64) - 1
_NAME_COLUMN = 73  # where a mapping's name begins
_STATES = {"R": "running", "S": "sleeping", "T": "stopped", "t": "tracing stop", "Z": "zombie"}
_SIG_IGN = 1
_BOUNDING = 0x1FF_FFFF_FFFF  # nothing was taken away
_PF_RANDOMIZE = 0x0040_0000  # flags of every program's thread
_TEXT_BYTES = 0x20_0000  # of arguments or environment, at most
_DEVICE, _DEVICE_NAME = 1, "00:01"

_LIMITS = (
    ("Max cpu time", 0, "seconds"), ("Max file size", 1, "bytes"), ("Max data size", 2, "bytes"),
    ("Max stack size", 3, "bytes"), ("Max core file size", 4, "bytes"), ("Max resident set", 5, "bytes"),
    ("Max processes", 6, "processes"), ("Max open files", 7, "files"), ("Max locked memory", 8, "bytes"),
    ("Max address space", 9, "bytes"), ("Max file locks", 10, "locks"), ("Max pending signals", 11, "signals"),
    ("Max msgqueue size", 12, "bytes"), ("Max nice priority", 13, ""), ("Max realtime priority", 14, ""),
    ("Max realtime timeout", 15, "us"),
)  # fmt: skip


class Subject(msgspec.Struct, frozen=True):
    """Whom a file is about: a thread of a process, the first one for the process itself; None once it has ended."""

    system: System
    group: ThreadGroup
    tid: int

    @property
    def task(self) -> Task | None:
        """The thread; of a process whose first one has ended another."""
        tasks = self.group.tasks
        return None if self.group.has_ended else tasks.get(self.tid) or next(iter(tasks.values()), None)

    @property
    def space(self) -> UserSpace | None:
        """Its memory."""
        return None if self.task is None else self.task.space

    @property
    def name(self) -> str:
        """What the process is called."""
        task = self.task
        return self.group.process.name[:15] if task is None else task.name.decode("utf-8", "surrogateescape")

    @property
    def state(self) -> str:
        """The letter that ps shows."""
        task = self.task
        if task is None:
            return "Z"
        if task.trace is not None and task.trace.code:
            return "t"
        if self.group.process.is_stopped:
            return "T"
        return "R" if task.thread.waiting is None or task is self.system.asking() else "S"

    @property
    def tracer_id(self) -> int:
        """The process that traces the thread; 0: none."""
        if self.task is None or self.task.trace is None:
            return 0
        return INIT_ID if self.task.trace.tracer is None else self.task.trace.tracer.pid

    @property
    def identity(self) -> tuple[int, int]:
        """User and group."""
        return self.group.user, self.group.user if self.task is None else self.task.group


def mappings(space: UserSpace | None) -> list[Area]:
    """What a program has mapped."""
    areas = [] if space is None else space.memory.areas_within(0, USER_SPACE)
    return [area for area in areas if not area.supervisor]


def _size(areas: list[Area]) -> int:
    """In bytes."""
    return sum(area.size for area in areas)


def _resident(areas: list[Area]) -> int:
    """The bytes that may be in memory: those that anybody may access."""
    return sum(area.size for area in areas if area.committed and int(area.protection))


def maps(subject: Subject) -> str:
    """One line for each mapping. The offset is the distance from where the file's first mapping begins."""
    space = subject.space
    lines, first = [], {"": 0}
    for area in mappings(space):
        name = _name_of(area, space)
        is_file = name.startswith("/")
        offset = area.start - first.setdefault(name, area.start) if is_file else 0
        offset = area.offset if is_shared(area) else offset
        lines.append(_map_line(area, name, offset))
    return "".join(lines)


def _map_line(area: Area, name: str, offset: int) -> str:
    rights = "".join(
        letter if int(area.protection) & bit else "-" for letter, bit in (("r", READ), ("w", WRITE), ("x", EXECUTE))
    )
    is_file = name.startswith("/")
    shared = "s" if is_shared(area) else "p"
    device, inode = (_DEVICE_NAME, zlib.crc32(name.encode("utf-8", "surrogateescape"))) if is_file else ("00:00", 0)
    line = f"{area.start:08x}-{area.end:08x} {rights}{shared} {offset:08x} {device} {inode} "
    return (f"{line:<{_NAME_COLUMN}}{_escaped(name)}" if name else line) + "\n"


def _escaped(name: str) -> str:
    return name.replace("\n", "\\012")


def _name_of(area: Area, space: UserSpace | None) -> str:
    """The file that is mapped, or what else is there; nothing for anonymous memory."""
    if area.name == "program":
        place = None if space is None else space.layout.program
        return "" if place is None else place.path().decode("utf-8", "surrogateescape")
    if area.name == "stack":
        return "[stack]"
    return area.name if area.name[:1] in ("/", "[") else ""


def smaps(subject: Subject) -> str:
    """The mappings with their sizes: all that may be accessed is in memory."""
    lines, space = [], subject.space
    for area in mappings(space):
        here = area.size // 1024 if int(area.protection) and area.committed else 0
        rows = {
            "Size": area.size // 1024, "KernelPageSize": 4, "MMUPageSize": 4, "Rss": here, "Pss": here,
            "Shared_Clean": 0, "Shared_Dirty": 0, "Private_Clean": 0, "Private_Dirty": here, "Referenced": here,
            "Anonymous": here, "Swap": 0, "SwapPss": 0, "Locked": 0,
        }  # fmt: skip
        lines.append(_map_line(area, _name_of(area, space), 0))
        lines += (f"{name + ':':<16}{size:>8} kB\n" for name, size in rows.items())
    return "".join(lines)


def stat(subject: Subject) -> str:
    """52 numbers and the name in parentheses."""
    group, space = subject.group, subject.space
    task, layout, areas = subject.task, None if space is None else space.layout, mappings(space)
    signals = [0, 0, 0, 0] if task is None else [value & 0x7FFF_FFFF for value in _signals(group, task)[1:]]
    used, children = group.time_used // TICK, group.children_time // TICK
    start, end = (0, 0) if layout is None else layout.code
    heap = 0 if space is None else space.heap_start
    own = group.terminal
    terminal = (0, -1) if own is None else (136 << 8 | own.number, own.foreground)
    texts = (0,) * 4 if layout is None else (*layout.arguments, *layout.environment)
    numbers = (
        group.parent_id, group.process_group, group.session, *terminal, _PF_RANDOMIZE, 0, 0, 0, 0, used, 0, children, 0,
        20 + group.nice, group.nice, max(1, len(group.tasks)), 0, group.started // TICK, _size(areas),
        _resident(areas) // PAGE, _ALL, start, end, 0 if layout is None else layout.stack, 0, 0, *signals, 0, 0, 0,
        group.exit_signal, 0, 0, 0, 0, 0, 0, end, heap, heap, *texts, group.status if group.has_ended else 0,
    )  # fmt: skip
    return f"{subject.tid} ({subject.name}) {subject.state} {' '.join(map(str, numbers))}\n"


def statm(subject: Subject) -> str:
    """Sizes in pages."""
    areas = mappings(subject.space)
    code = _size([area for area in areas if int(area.protection) & EXECUTE])
    data = _size([area for area in areas if int(area.protection) & WRITE])
    return f"{_size(areas) // PAGE} {_resident(areas) // PAGE} 0 {code // PAGE} 0 {data // PAGE} 0\n"


def _signals(group: ThreadGroup, task: Task) -> tuple[int, int, int, int, int]:
    """Masks: pending for the process, pending for the thread, blocked, ignored, caught."""
    ignored = caught = 0
    for signal, action in group.actions.items():
        bit = 1 << signal - 1
        ignored |= bit * (action.handler == _SIG_IGN)
        caught |= bit * (action.handler > _SIG_IGN)
    shared, own = (sum(1 << signal - 1 for signal in pending) for pending in (group.pending, task.pending))
    return shared, own, task.blocked, ignored, caught


def status(subject: Subject) -> str:
    """For people, with labels."""
    group, task, state = subject.group, subject.task, subject.state
    user, own_group = subject.identity
    lines = [
        f"Name:\t{subject.name}", *([] if task is None else [f"Umask:\t{task.location.umask:04o}"]),
        f"State:\t{state} ({_STATES[state]})", f"Tgid:\t{group.pid}", "Ngid:\t0", f"Pid:\t{subject.tid}",
        f"PPid:\t{group.parent_id}", f"TracerPid:\t{subject.tracer_id}",
        "Uid:" + f"\t{user}" * 4, "Gid:" + f"\t{own_group}" * 4,
        f"FDSize:\t{64 if task else 0}", f"Groups:\t{own_group} ", f"NStgid:\t{group.pid}", f"NSpid:\t{subject.tid}",
        f"NSpgid:\t{group.process_group}", f"NSsid:\t{group.session}", *_memory(subject),
        f"Threads:\t{max(1, len(group.tasks))}", "SigQ:\t0/1024",
    ]  # fmt: skip
    shared, own, blocked, ignored, caught = (0,) * 5 if task is None else _signals(group, task)
    words = (
        ("SigPnd", own), ("ShdPnd", shared), ("SigBlk", blocked), ("SigIgn", ignored), ("SigCgt", caught),
        ("CapInh", 0), ("CapPrm", 0), ("CapEff", 0), ("CapBnd", _BOUNDING), ("CapAmb", 0),
    )  # fmt: skip
    lines += (f"{name}:\t{word:016x}" for name, word in words)
    lines += [
        f"NoNewPrivs:\t{int(task is not None and task.no_new_privileges)}",
        f"Seccomp:\t{0 if task is None else task.confinement:d}",
        f"Seccomp_filters:\t{0 if task is None else len(task.filters)}",
        "Speculation_Store_Bypass:\tnot vulnerable", "SpeculationIndirectBranch:\tunknown", "Cpus_allowed:\t1",
        "Cpus_allowed_list:\t0", "Mems_allowed:\t00000000,00000001", "Mems_allowed_list:\t0",
        "voluntary_ctxt_switches:\t0", "nonvoluntary_ctxt_switches:\t0",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _memory(subject: Subject) -> list[str]:
    """The Vm rows; a process that has ended has none."""
    areas = mappings(subject.space)
    if not areas:
        return []
    whole, here = _size(areas), _resident(areas)
    code = [area for area in areas if int(area.protection) & EXECUTE]
    rows = {
        "VmPeak": whole, "VmSize": whole, "VmLck": 0, "VmPin": 0, "VmHWM": here, "VmRSS": here, "RssAnon": here,
        "RssFile": 0, "RssShmem": 0,
        "VmData": _size([area for area in areas if area.name == HEAP or is_anonymous(area)]),
        "VmStk": _size([area for area in areas if area.name == "stack"]),
        "VmExe": _size([area for area in code if area.name == "program"]),
        "VmLib": _size([area for area in code if area.name.startswith("/")]), "VmPTE": 0, "VmSwap": 0,
        "HugetlbPages": 0,
    }  # fmt: skip
    return [f"{name}:\t{size // 1024:>8} kB" for name, size in rows.items()] + ["CoreDumping:\t0", "THP_enabled:\t0"]


def cmdline(subject: Subject) -> bytes:
    """What stands where the arguments were, each with its zero: a program may have changed it."""
    space = subject.space
    return b"" if space is None else _range(space, space.layout.arguments)


def environ(subject: Subject) -> bytes:
    """Likewise."""
    space = subject.space
    return b"" if space is None else _range(space, space.layout.environment)


def _range(space: UserSpace, place: tuple[int, int]) -> bytes:
    start, end = place
    return space.memory.read_up_to(start, min(end - start, _TEXT_BYTES))


def auxv(subject: Subject) -> bytes:
    """The auxiliary vector as it was when the program began."""
    return b"" if subject.space is None else subject.space.layout.auxiliary


def comm(subject: Subject) -> str:
    """The name."""
    return f"{subject.name}\n"


def set_comm(subject: Subject, data: bytes) -> None:
    """Another name."""
    if subject.task is not None:
        subject.task.name = data.partition(b"\0")[0].rstrip(b"\n")[:15]


def limits(subject: Subject) -> str:
    """Those of prlimit(2)."""
    lines = [f"{'Limit':<26}{'Soft Limit':<21}{'Hard Limit':<21}{'Units':<10}\n"]
    task = subject.task
    if task is None:
        return ""
    for name, resource, unit in _LIMITS:
        values = resource_limit(task, resource)
        soft, hard = ("unlimited" if value == _ALL else str(value) for value in values)
        lines.append(f"{name:<26}{soft:<21}{hard:<21}" + (f"{unit:<10}\n" if unit else "\n"))
    return "".join(lines)


def own_mounts(subject: Subject) -> str:
    """All processes see the same."""
    return mounts(subject.system)


def own_mountinfo(subject: Subject) -> str:
    """Likewise."""
    return mountinfo(subject.system)


def fdinfo(subject: Subject, number: int) -> str:
    """Position and flags of a descriptor. Raises EBADF."""
    task = subject.task
    if task is None:
        return ""
    row = task.files.row(number)
    position = getattr(row.file, "offset", 0)
    flags = row.file.flags | (0o2000000 if row.close_on_exec else 0)
    return f"pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t20\nino:\t{row.file.status().inode}\n"
