"""Processes, their threads, and the cores that run them.

A process has its own address space and its own emulated CPU, which its threads use by turns; a core is a slot with a
number. The machine decides which process runs on which core, so `$core` is a property of the slot and the registers are
those of the thread that has the process's CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

import msgspec

from machine.processor import Cpu, Fault, StopKind, StopReason, ThreadRegisters, Vector, run_one
from vm.facts.registers import RFLAGS, RIP

if TYPE_CHECKING:
    from machine.kernel import ProcessObjects, ThreadObjects
    from machine.loaders import Image

_INTERRUPT_FLAG = 1 << 9


class Next(Enum):
    """What the thread that has the CPU may execute next."""

    NOTHING = "nothing"  # it is suspended, or the run is to end
    ONE = "one instruction"
    ALL = "all that follows"


class TooManyThreads(Exception):  # noqa: N818 - it names what the guest asked for
    """A process has as many threads as the limit `max_threads` allows, or there is no memory for one more."""


class TooManyProcesses(Exception):  # noqa: N818 - it names what the guest asked for
    """There are as many processes as the limit `max_processes` allows, or there is no memory for one more."""


class Suspension(msgspec.Struct, frozen=True):
    """What a thread waits for: that `until` says so, or a `deadline` in ticks of the virtual clock, if it has one.

    `go_on(late)` is called when the thread has the CPU again, with whether it was the deadline that ended the wait. It
    may suspend the thread once more.
    """

    until: Callable[[], bool]
    deadline: int | None
    go_on: Callable[[bool], None]

    def is_over(self, now: int) -> bool:
        """Whether the wait ends, now that so many ticks have elapsed."""
        return (self.deadline is not None and self.deadline <= now) or self.until()


class Injection(msgspec.Struct, frozen=True):
    """An interruption that a script has asked for: type (0 to 7), vector and error code.

    It comes behind the instruction at `behind`, if that is not None and RIP is there.
    """

    kind: int
    vector: int
    error: int = 0
    behind: int | None = None


class Thread(msgspec.Struct, eq=False, dict=True, weakref=True):
    """One thread: it runs, waits, or has ended. `objects` are what it has in kernel memory; `teb` is 0 without one.

    `saved` are its registers as long as another thread has the CPU.
    """

    process: Process
    tid: int
    objects: ThreadObjects
    teb: int = 0
    saved: ThreadRegisters | None = None
    waiting: Suspension | None = None
    injected: Injection | None = None  # delivered before it executes more
    ended: bool = False
    has_user_registers: bool = False  # in the call under way, which did not come by SYSCALL

    @property
    def is_alone(self) -> bool:
        """Whether no other thread of the machine can ever run."""
        return len(self.process.threads) == 1 and not self.process.others()

    def is_ready(self, now: int) -> bool:
        """Whether it can run."""
        return not self.ended and (self.waiting is None or self.waiting.is_over(now))

    def suspend(self, suspension: Suspension) -> None:
        """Wait from now on; the turn ends before the next block."""
        self.waiting = suspension
        self.process.cpu.stop()

    def end(self, code: int) -> None:
        """The thread ends; with the last one the process does, with this exit code."""
        self.ended = True
        self.process.thread_ended(self, code)


class Maker(Protocol):
    """Makes what processes ask for, and takes it away (machine.processes)."""

    def make(self, process: Process, registers: ThreadRegisters) -> Thread:
        """A thread that is to run with these registers. Raises TooManyThreads."""
        ...

    def release(self, thread: Thread) -> None:
        """A thread has ended."""
        ...

    def switched(self, process: Process) -> None:
        """Another thread has the CPU of a process."""
        ...

    def fork(self, process: Process, registers: ThreadRegisters, *, shares_memory: bool) -> Process:
        """A process with the same memory, or the same contents, and one thread. Raises TooManyProcesses."""
        ...

    def prepare_successor(self, process: Process, image: Image, name: str) -> Process:
        """What is to execute another program in the place of a process. Raises machine.memory.MapError.

        It has the areas of its image in an address space of its own, and counts for nothing before `succeed`.
        """
        ...

    def succeed(self, process: Process, successor: Process) -> None:
        """Let the successor take the process's place."""
        ...

    def abandon(self, successor: Process) -> None:
        """A successor is not needed after all."""
        ...


class Interruptions(Protocol):
    """What comes to processes between two stretches of their code (machine.events.interrupts)."""

    def before(self, process: Process, budget: int) -> StopReason | None:
        """Deliver what has come; why the thread does not go on, if it does not."""
        ...

    def room(self, process: Process, budget: int) -> int:
        """The most instructions, up to `budget`, that the thread may execute before it asks again."""
        ...

    def waits(self, process: Process) -> bool:
        """Whether a guest that has executed HLT goes on, when the next interrupt has come."""
        ...


class Unhandled(msgspec.Struct, frozen=True):
    """The exception that a program left to its system, which ended it: its code there, its address, the thread.

    `why` is a sentence about it, where there is one to say.
    """

    code: int
    address: int
    tid: int
    why: str = ""


class Watched(Protocol):
    """An instruction that events wait for."""

    @property
    def under_way(self) -> bool:
        """Whether the thread that has the CPU has begun it, and is to come back to it or behind it."""
        ...


class Process(msgspec.Struct, eq=False, dict=True, weakref=True):
    """One process. `until` is the address at which its program ends.

    `objects` are its objects in kernel memory; `peb` is 0 where the kernel has none. `core` is the slot that runs it or
    ran it last, and `processor_block` that core's KPCR. `others()` says whether other processes live. `watched` are the
    instructions in it that events wait for. `planned` are the addresses [start, end) at which libraries are going to
    be. `loaded` is the process that a user has loaded and that this one goes back to; None for one that was loaded.
    `on_end` is called when it has ended.
    """

    pid: int
    name: str
    cpu: Cpu
    image: Image
    until: int
    objects: ProcessObjects
    peb: int = 0
    core: int = 0
    processor_block: int = 0
    exit_code: int | None = None
    ended: StopReason | None = None
    unhandled: Unhandled | None = None  # why it has exited
    not_loaded: str = ""  # why its loader has ended it
    name_exit: Callable[[int], str] = lambda code: ""  # what its system has to say of an exit code
    crash_code: int | None = None  # the exit code that a real system gives a program that ended so
    killed_by: int = 0  # the signal of Linux that has ended it, if it was no exception of its own
    threads: list[Thread] = msgspec.field(default_factory=list)
    others: Callable[[], bool] = lambda: False
    maker: Maker | None = None
    watched: WeakSet[Watched] = msgspec.field(default_factory=WeakSet)
    on_fault: Callable[[Fault], bool] = lambda fault: False  # whether the running thread goes on
    planned: tuple[tuple[int, int], ...] = ()
    before_run: Callable[[], Next] = lambda: Next.ALL  # asked before the thread executes something
    loaded: Process | None = None
    shares_memory: bool = False  # that of its maker
    successor: Process | None = None  # what executes another program in its place
    is_stopped: bool = False  # none of its threads can run
    executed_before: int = 0  # by those whose place it has taken, in instructions
    maker_id: int | None = None  # the id of the process that it is a fork of
    cpu_alarm: int | None = None  # when `on_cpu_alarm` is to be called, by `cpu_time`
    on_end: Callable[[], None] = lambda: None
    on_cpu_alarm: Callable[[], None] = lambda: None
    # A module whose place [start, start + size) was planned is elsewhere: its name, start and size, and the base.
    on_moved: Callable[[str, int, int, int], None] = lambda name, start, size, base: None
    on_turn: Callable[[], None] = lambda: None  # before the running thread goes on in a turn
    interruptions: Interruptions | None = None
    _gives_way: bool = False
    _quantum: int = 0
    _turn_began: int = 0  # by `cpu.executed`
    _turn_ends: int = 0
    _turn_due: int = 0  # where it would end without anything that cuts it short
    _in_turn_of: Thread | None = None  # whose turn is not over yet

    def is_planned(self, first: int, last: int) -> bool:
        """Whether a library is going to be at all of these addresses."""
        return any(start <= first and last < end for start, end in self.planned)

    def begin(self, tid: int, objects: ThreadObjects) -> None:
        """The first thread, which has the CPU."""
        self.thread = Thread(self, tid, objects)  # the one whose registers are in the CPU
        self.threads.append(self.thread)

    @property
    def alive(self) -> bool:
        """Whether the process can run on."""
        return self.exit_code is None and self.ended is None and self.successor is None

    @property
    def cpu_time(self) -> int:
        """The instructions that it has executed, with those of the programs that it was before."""
        return self.executed_before + self.cpu.executed

    @property
    def tid(self) -> int:
        """The id of the thread that has the CPU."""
        return self.thread.tid

    @property
    def teb(self) -> int:
        """The TEB of the thread that has the CPU."""
        return self.thread.teb

    def exit(self, code: int) -> None:
        """The process ends with this exit code; its CPU stops before the next block."""
        if self.alive:
            self.exit_code = code
            self.cpu.stop()
            self.on_end()

    def break_down(self, reason: StopReason) -> None:
        """The process has ended for this reason."""
        self.ended = reason
        if self.loaded is not None or reason.vector != Vector.BP:  # from which a debugger may go on
            self.on_end()

    @property
    def present(self) -> Process:
        """What executes its program now: itself, or what has taken its place."""
        process = self
        while process.successor is not None:
            process = process.successor
        return process

    def stop(self) -> None:
        """None of its threads runs on until `go_on`."""
        self.is_stopped = True
        self.cpu.stop()

    def go_on(self) -> None:
        """Its threads may run."""
        self.is_stopped = False

    def run(self, budget: int, due: int = 0) -> StopReason:
        """Let the thread go on that has the CPU, for at most `budget` instructions, behind faults that are handled.

        `due` are the instructions that a turn would have, where the budget is less.
        """
        cpu, interruptions, least = self.cpu, self.interruptions, 0
        self._turn_ends, self._turn_due = cpu.executed + budget, cpu.executed + max(budget, due)
        self._in_turn_of = self.thread
        self.on_turn()
        while (
            left := self._turn_ends - cpu.executed
        ) > 0:  # an instruction that cannot be fetched would fault without one, too
            following = self.before_run()
            if following is Next.NOTHING:
                return StopReason(StopKind.STOPPED, cpu.registers.read(RIP))
            room = left
            if interruptions is not None:
                ended = interruptions.before(self, left)
                if ended is not None:
                    return ended
                left = self._turn_ends - cpu.executed
                room = min(left, max(least, interruptions.room(self, left)))
            rip = cpu.registers.read(RIP)
            is_step = following is Next.ONE and rip != self.until
            reason, least = run_one(cpu, left) if is_step else cpu.run(rip, self.until, room), 0
            has_stepped = is_step and reason.kind in (StopKind.REACHED, StopKind.BUDGET)
            if reason.kind is StopKind.BUDGET and room < left and not is_step:
                least = cpu.refused_block  # so that the next interrupt comes behind it
                continue
            if reason.kind is StopKind.HALT and interruptions is not None and interruptions.waits(self):
                if self.thread.waiting is not None:
                    return StopReason(StopKind.STOPPED, reason.rip)
                continue
            if not has_stepped and not self.handles(reason):
                return reason
            if self.cpu.stop_requested or not self.alive or self.thread.waiting is not None:
                return StopReason(StopKind.STOPPED, self.cpu.registers.read(RIP))
        return StopReason(StopKind.BUDGET, self.cpu.registers.read(RIP))

    def begin_turn(self, quantum: int, length: int) -> None:
        """Its thread begins a turn of so many instructions; `quantum` are those that others wait for at least."""
        self._quantum, self._turn_began = quantum, self.cpu.executed
        self._turn_ends = self._turn_due = self.cpu.executed + length
        self._in_turn_of = self.thread

    @property
    def turn_left(self) -> int | None:
        """The instructions that are left of a turn that a halt has interrupted, 0 or less where steps came to its end.

        None: the next one is a new turn.
        """
        return self._turn_due - self.cpu.executed if self._in_turn_of is self.thread else None

    def end_turn(self) -> None:
        """In a step: nothing is left of the turn."""
        self._turn_ends = self._turn_due = self.cpu.executed

    def end_turn_within(self, count: int) -> None:
        """Let the turn under way execute at most so many more instructions."""
        ends = self.cpu.executed + count
        if ends < self._turn_ends:
            self._turn_ends = ends
            self.cpu.shorten(max(0, ends - self.cpu.entered))

    def is_cut(self, count: int) -> bool:
        """Whether the turn that is over was to end `count` instructions from here, and else would have gone on."""
        fits = self.cpu.executed + self.cpu.refused_block <= self._turn_due
        return self._turn_ends == self.cpu.executed + count and self._turn_due > self._turn_ends and fits

    def give_way(self, now: Callable[[], int]) -> None:
        """In a system call, by which another thread may be able to run: the turn ends with its quantum then."""
        used = self.cpu.executed - self._turn_began
        ends = self._turn_began + max(1, -(-used // (self._quantum or 1))) * self._quantum
        if ends >= self._turn_ends or len(self.threads) == 1:
            return
        ticks = now()
        if any(each.is_ready(ticks) for each in self.threads if each is not self.thread):
            self._turn_ends = self._turn_due = ends
            self.cpu.shorten(ends - self.cpu.executed)

    def handles(self, reason: StopReason) -> bool:
        """Whether a run that ended so was ended by a fault that somebody has handled: the thread can go on."""
        fault = reason.fault
        return fault is not None and self.on_fault(fault)

    # --- threads

    def new_thread(self, registers: ThreadRegisters) -> Thread:
        """One more thread; the turn under way ends soon. Raises TooManyThreads."""
        if self.maker is None:
            raise TooManyThreads
        thread = self.maker.make(self, registers)
        self.threads.append(thread)
        self.cpu.stop()
        return thread

    def thread_ended(self, thread: Thread, code: int) -> None:
        """A thread of the process has ended."""
        if all(each.ended for each in self.threads):
            self.exit(code)
            return
        if self.maker is not None:
            self.maker.release(thread)
        if thread is not self.thread:
            self.threads.remove(thread)
        self.cpu.stop()

    def can_run(self, now: int) -> bool:
        """Whether the process is alive and one of its threads can run."""
        return self.alive and not self.is_stopped and any(thread.is_ready(now) for thread in self.threads)

    def deadlines(self) -> Iterator[int]:
        """When waits of its threads end at the latest, in ticks."""
        for thread in () if self.is_stopped else self.threads:
            if thread.waiting is not None and thread.waiting.deadline is not None:
                yield thread.waiting.deadline

    def prepare(self, now: int) -> bool:
        """Before a turn: let a thread have the CPU that can run; False when all wait, or the process has ended."""
        if self.is_stopped:
            return False
        if len(self.threads) == 1 and self.thread.waiting is None and not self.thread.ended:
            return True
        for thread in self._in_turn():
            if not thread.is_ready(now):
                continue
            self.switch_to(thread)
            suspension, thread.waiting = thread.waiting, None
            if suspension is not None:
                suspension.go_on(not suspension.until())
            if not self.alive or self.is_stopped:
                return False
            if thread.waiting is None and not thread.ended:
                self._gives_way = False
                return True
        return False

    def turn_over(self) -> None:
        """After a turn: the other threads come first.

        Unless the thread could go on and has interrupts off, or is within an instruction that events wait for.
        """
        self._in_turn_of = None
        if len(self.threads) > 1:
            enabled = self.cpu.registers.read(RFLAGS) & _INTERRUPT_FLAG
            within = not enabled or any(instruction.under_way for instruction in self.watched)
            self._gives_way = self.thread.waiting is not None or not within

    def switch_to(self, thread: Thread) -> None:
        """Let a thread have the CPU, between two runs, and go on first."""
        self._gives_way = False
        if thread is self.thread:
            return
        if self.thread.ended:
            self.threads.remove(self.thread)
        else:
            self.thread.saved = self.cpu.save()
        self.thread = thread
        assert thread.saved is not None  # it did not have the CPU
        self.cpu.restore(thread.saved)
        thread.saved = None
        if self.maker is not None:
            self.maker.switched(self)

    def _in_turn(self) -> list[Thread]:
        """The threads in the order in which they get a turn."""
        at = self.threads.index(self.thread) + (self._gives_way or self.thread.ended)
        return self.threads[at:] + self.threads[:at]


class Core(msgspec.Struct):
    """A slot that runs at most one process at a time."""

    index: int
    process: Process | None = None
