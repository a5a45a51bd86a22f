"""What Linux keeps of a thread and of its process, and what all calls are given: the task that asks."""

from __future__ import annotations

import random
import stat
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from machine.kernel.happenings import Watcher, unwatched
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.file_locks import FileLocks
from machine.kernel.linux.futexes import Futexes, Waiter
from machine.kernel.linux.memory_files import Store
from machine.kernel.linux.nodes import Node
from machine.kernel.linux.notifications import Notifier
from machine.kernel.linux.open_files import DescriptorTable
from machine.kernel.linux.paths import Place
from machine.kernel.linux.pending import Pending
from machine.kernel.linux.posix_queues import PosixQueues
from machine.kernel.linux.signal_frame import NO_TRAP, AlternateStack, Trap
from machine.kernel.linux.sockets import Network
from machine.kernel.linux.space import MemoryPolicy, UserSpace
from machine.kernel.linux.system_v import SystemV
from machine.schedule import Process, Thread, VirtualClock
from vm.facts.limits import Limits

if TYPE_CHECKING:
    from machine.kernel.linux.seccomp import Filters
    from machine.kernel.linux.terminals import Terminal
    from machine.kernel.linux.timers import ClockTimer, PosixTimer
    from machine.kernel.linux.tracing import Trace

INIT_ID = 1
SIGTRAP, SIGCHLD = 5, 17
SS_DISABLE = 2
DEFAULT_TIMER_SLACK = 50_000  # nanoseconds
NANOSECONDS = 1_000_000_000
_SIG_IGN = 1
_CLONE_VM, _CLONE_FS, _CLONE_FILES, _CLONE_SIGHAND, _CLONE_VFORK = 0x100, 0x200, 0x400, 0x800, 0x4000


class Mode(IntEnum):
    """How seccomp confines a thread."""

    DISABLED = 0
    STRICT = 1
    FILTER = 2


class SignalAction(msgspec.Struct, frozen=True):
    """A struct kernel_sigaction."""

    handler: int = 0
    flags: int = 0
    restorer: int = 0
    mask: int = 0


class Program(msgspec.Struct, frozen=True):
    """What is to be executed: its bytes, the path that was asked for, its place, and the new name of the process."""

    data: bytes
    path: bytes
    place: Place
    name: bytes


class Location(msgspec.Struct, eq=False):
    """Where paths start, and what new files may not have (fs_struct)."""

    root: Place
    directory: Place
    umask: int = 0o022

    def copy(self) -> Location:
        """Another one, the same at first."""
        return replace(self)


class ThreadGroup(msgspec.Struct, eq=False):
    """A process: what all its threads have together (signal_struct). `leader_code` is that of the first one's end.

    `table` are the processes of the machine by id, ended ones as long as somebody may wait for them. `parent` is None
    for a child of init, which waits for nobody here. `status` is that of a process that has ended, `state_change` that
    of one that was stopped or goes on, until a parent has waited for it.
    """

    process: Process
    pid: int
    table: dict[int, ThreadGroup]
    everybody: dict[Thread, Task]
    user: int
    process_group: int
    session: int
    parent: ThreadGroup | None = None
    children: list[ThreadGroup] = msgspec.field(default_factory=list)
    tracees: list[Task] = msgspec.field(default_factory=list)
    actions: dict[int, SignalAction] = msgspec.field(default_factory=dict)
    tasks: dict[int, Task] = msgspec.field(default_factory=dict)  # by thread id; those that have not ended
    pending: Pending = msgspec.field(default_factory=Pending)  # signals that were raised for whichever thread
    real_timer: ClockTimer | None = None  # of setitimer and alarm
    timers: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)  # ITIMER_*: end (0: none), interval
    posix_timers: dict[int, PosixTimer] = msgspec.field(default_factory=dict)  # of timer_create
    nice: int = 0
    io_priority: int = 0  # of ioprio_set
    barriers: int = 0  # of membarrier: the registered commands
    leader_code: int = 0
    exit_signal: int = SIGCHLD
    has_ended: bool = False
    has_executed: bool = False  # another program than its maker's
    killed_by: int = 0  # the signal
    stopped_by: int = 0  # the signal that has stopped it last
    crashed_by: int = 0  # that of its last exception, for which there was no handler
    status: int = 0
    state_change: int | None = None
    is_subreaper: bool = False
    started: int = 0  # nanoseconds since the machine began
    is_dumpable: bool = True  # of prctl, as the next ones
    keeps_capabilities: bool = False
    has_no_huge_pages: bool = False
    resource_limits: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)  # those that were set
    maker: int = 0  # the thread that has made it
    cpu_time: int = 0  # of a process that has ended, in instructions
    children_time: int = 0  # of children that were waited for, with theirs
    on_stopped: Callable[[int], None] = lambda signal: None
    on_continued: Callable[[], None] = lambda: None
    leave_ipc: Callable[[ThreadGroup], None] = lambda group: None  # of System V's semaphores
    terminal: Terminal | None = None  # the controlling one
    tell: Watcher = unwatched

    def action(self, signal: int) -> SignalAction:
        """What is to be done when a signal comes."""
        return self.actions.get(signal, SignalAction())

    def end_timers(self, *, all_of_them: bool) -> None:
        """Those of timer_create expire no more; setitimer's neither if all are to end."""
        for timer in self.posix_timers.values():
            timer.timer.cancel()
        self.posix_timers.clear()
        if all_of_them and self.real_timer is not None:
            self.real_timer.cancel()

    def forget_handlers(self) -> None:
        """What is ignored stays so, all else is as by default."""
        self.actions = {signal: action for signal, action in self.actions.items() if action.handler == _SIG_IGN}

    @property
    def parent_id(self) -> int:
        """Its parent's process id."""
        return INIT_ID if self.parent is None else self.parent.pid

    @property
    def time_used(self) -> int:
        """The instructions that it has executed."""
        return self.cpu_time if self.has_ended else self.process.cpu_time


class Task(msgspec.Struct, eq=False):
    """One thread. What it shares with others it has by reference: `space`, `files`, `location`, `actions`, ..."""

    thread: Thread
    process: Process
    tid: int  # the process's id for its first thread
    threads: ThreadGroup
    space: UserSpace
    futexes: Futexes
    files: DescriptorTable
    location: Location
    store: Store
    clock: VirtualClock
    generator: random.Random
    limits: Limits
    name: bytes
    user: int
    group: int
    execute: Callable[[Task, Program, list[bytes], list[bytes]], int]  # with texts of its own
    network: Network
    ipc: SystemV
    locks: FileLocks
    queues: PosixQueues
    notifier: Notifier
    look_at_calls: Callable[[], None] = lambda: None  # the kernel is to do so: some are refused, or told of
    blocked: int = 0
    pending: Pending = msgspec.field(default_factory=Pending)  # blocked signals that were raised for this thread
    alternate_stack: AlternateStack = (0, SS_DISABLE, 0)
    has_signal: bool = False  # one that is not blocked has come, and has a handler
    trap: Trap = NO_TRAP
    saved_mask: int | None = None  # that comes back behind the handler, where a call has set another one
    restart: int | None = None  # the number of a call that a signal has interrupted, and that may be made again
    awaken: Callable[[Task], None] = lambda task: None  # has a thread look at its signals before it goes on
    robust_list: int = 0  # the address of its head
    waiter: Waiter | None = None  # at a futex
    clear_tid: int = 0  # where its id is cleared when it ends
    no_new_privileges: bool = False  # of prctl, as the next ones
    parent_death_signal: int = 0
    timer_slack: int = DEFAULT_TIMER_SLACK
    default_timer_slack: int = DEFAULT_TIMER_SLACK  # its maker's
    memory_policy: MemoryPolicy | None = None
    confinement: Mode = Mode.DISABLED  # of seccomp
    filters: Filters = ()
    personality: int = 0
    policy: int = 0  # SCHED_*, and the priority of real-time ones
    priority: int = 0
    trace: Trace | None = None  # of ptrace
    rseq: tuple[int, int, int] | None = None  # address, size and signature of what is registered
    by_interrupt: bool = False  # the call under way has come by INT 0x80

    @property
    def actions(self) -> dict[int, SignalAction]:
        """What is to be done when signals come."""
        return self.threads.actions

    def check_not_executed(self, node: Node) -> None:
        """Raises ETXTBSY for the file of a program that a process executes."""
        if node.is_directory or not stat.S_ISREG((status := node.status()).mode):
            return
        for space in {id(each.space): each.space for each in self.threads.everybody.values()}.values():
            program = None if space.layout.program is None else space.layout.program.node.status()
            if program is not None and (program.device, program.inode) == (status.device, status.inode):
                raise LinuxError(Errno.ETXTBSY)

    @property
    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self.store.now()

    def twin(self, thread: Thread, flags: int) -> Task:
        """The task of a new thread of the process, which shares what CLONE_* say, and memory and handlers."""
        files = self.files if flags & _CLONE_FILES else self.files.copy()
        files.users += bool(flags & _CLONE_FILES)
        twin = replace(
            self, thread=thread, tid=thread.tid, pending=Pending(), alternate_stack=(0, SS_DISABLE, 0), robust_list=0,
            files=files, location=self.location if flags & _CLONE_FS else self.location.copy(), clear_tid=0,
            has_signal=False, trap=NO_TRAP, saved_mask=None, restart=None, trace=None, rseq=None,
            parent_death_signal=0, default_timer_slack=self.timer_slack,
        )  # fmt: skip
        twin.enlist()
        return twin

    def child(self, process: Process, flags: int, exit_signal: int) -> Task:
        """The task of a process that is a copy of this thread's, but for what CLONE_* say is the same."""
        own = self.threads
        shares = flags & _CLONE_VM
        files = self.files if flags & _CLONE_FILES else self.files.copy()
        files.users += bool(flags & _CLONE_FILES)
        group = ThreadGroup(
            process, process.pid, own.table, own.everybody, own.user, own.process_group, own.session, own,
            actions=own.actions if flags & _CLONE_SIGHAND else dict(own.actions), nice=own.nice,
            exit_signal=exit_signal, started=self.clock.elapsed(), is_dumpable=own.is_dumpable,
            has_no_huge_pages=own.has_no_huge_pages, keeps_capabilities=own.keeps_capabilities,
            maker=self.tid, resource_limits=dict(own.resource_limits), leave_ipc=own.leave_ipc, terminal=own.terminal,
            tell=own.tell,
        )  # fmt: skip
        child = replace(
            self, thread=process.thread, process=process, tid=process.pid, threads=group,
            space=self.space if shares else self.space.copy(process.cpu.memory),
            files=files,
            location=self.location if flags & _CLONE_FS else self.location.copy(), pending=Pending(),
            robust_list=0, clear_tid=0, has_signal=False, saved_mask=None, restart=None, trace=None,
            parent_death_signal=0, default_timer_slack=self.timer_slack, rseq=None if shares else self.rseq,
        )  # fmt: skip
        if shares and not flags & _CLONE_VFORK:
            child.alternate_stack = (0, SS_DISABLE, 0)
        child.enlist()
        return child

    def succeed(self, process: Process, space: UserSpace, location: Location, name: bytes) -> Task:
        """The task of what executes another program in the place of this thread's process."""
        group = self.threads
        for task in group.tasks.values():
            del group.everybody[task.thread]
            if task is not self:
                task.files.let_go()
        group.tasks.clear()
        group.process = process
        group.forget_handlers()
        group.end_timers(all_of_them=False)
        if self.files.users > 1:
            self.files.users -= 1
            self.files = self.files.copy()
        self.files.close_on_exec()
        group.has_executed = group.is_dumpable = True
        group.keeps_capabilities = False
        space.take_limits(self.space)
        successor = replace(
            self, thread=process.thread, process=process, tid=process.pid, space=space, name=name,
            location=location, alternate_stack=(0, SS_DISABLE, 0), robust_list=0, clear_tid=0, has_signal=False,
            trap=NO_TRAP, saved_mask=None, restart=None, rseq=None,
        )  # fmt: skip
        successor.enlist()
        if self.trace is not None and self.trace.tracer is not None:
            tracees = self.trace.tracer.tracees
            tracees[tracees.index(self)] = successor
        return successor

    def enlist(self) -> None:
        """It can be found from now on."""
        self.threads.tasks[self.tid] = self.threads.everybody[self.thread] = self
