"""Which process runs on which core: fixed turns and first come, first served, so that every run is the same.

A process gives its core up when its quantum is used, and after each system call, if another one waits for it; and when
all its threads wait. Its threads take turns by the quantum, and when one waits; a turn goes on for as many quanta as
nobody else can run. As on hardware nobody is preempted who
runs with interrupts off, hence never within the handler at LSTAR. When all threads of the machine wait, the virtual
clock jumps to the earliest deadline or alarm. A turn ends at the next alarm, behind the block that it falls into.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from machine.processor import StopKind, StopReason
from machine.schedule.clock import VirtualClock
from machine.schedule.process import Core, Process
from vm.facts.registers import RFLAGS

_INTERRUPT_FLAG = 1 << 9
_ALONE = 20_000_000  # instructions of a turn that nobody waits for the end of


class Scheduler:
    """The cores and the processes that wait for one. `placed` is called when a process comes to a core."""

    def __init__(self, cores: int, quantum: int, placed: Callable[[Process], None], clock: VirtualClock) -> None:
        self.cores = tuple(Core(index) for index in range(cores))
        self._quantum = quantum
        self._placed = placed
        self._clock = clock
        self.most_alone = _ALONE
        self._waiting: deque[Process] = deque()
        self.in_turn: set[Process] = set()  # processes that run on a core in a thread of its own

    def add(self, process: Process) -> None:
        """Give a new process a free core, or let it wait."""
        process.others = lambda: self._others_live(process)
        core = next((core for core in self.cores if self._is_free(core)), None)
        if core is None:
            self._waiting.append(process)
        else:
            self._place(core, process)

    def _is_free(self, core: Core) -> bool:
        return core.process not in self.in_turn and (core.process is None or not core.process.alive)

    def succeed(self, process: Process, successor: Process) -> None:
        """A process takes the place of another one."""
        successor.others = lambda: self._others_live(successor)
        self._waiting = deque(successor if other is process else other for other in self._waiting)
        for core in self.cores:
            if core.process is process:
                self._place(core, successor)

    def leave(self, process: Process) -> None:
        """A process that has ended is not needed any more: its core shows what it goes back to."""
        if process in self._waiting:
            self._waiting.remove(process)
        for core in self.cores:
            if core.process is process:
                core.process = None
                self.rotate(core)
                if core.process is None and self._waiting:
                    self._place(core, self._waiting.popleft())
                if core.process is None and process.loaded is not None and not process.loaded.present.alive:
                    core.process = process.loaded.present

    def switch(self, core: Core, process: Process) -> Core:
        """Bring a process to a core unless it is on one already; the core that it is on."""
        for other in self.cores:
            if other.process is process:
                return other
        if process in self.in_turn:
            core = self.cores[process.core]  # which another one was switched to: it has not left it
        if process in self._waiting:
            self._waiting.remove(process)
        if core.process is not None and core.process.alive:
            self._waiting.appendleft(core.process)
        self._place(core, process)
        return core

    @property
    def someone_waits(self) -> bool:
        """Whether a process waits for a core that could run."""
        if not self._waiting:
            return False
        now = self._clock.elapsed()  # once: it is a sum over all processes
        return any(process.can_run(now) for process in self._waiting)

    @property
    def someone_may_wait(self) -> bool:
        """The same, or one that will be able to as time passes: it is to be asked again behind each system call."""
        return bool(self._waiting) and (self.someone_waits or any(any(each.deadlines()) for each in self._waiting))

    def system_call_done(self, process: Process) -> None:
        """A process is back from the kernel: its turn ends if another one waits."""
        if self._waiting and self.someone_waits:
            process.cpu.stop()

    # --- turns

    def limit_turns(self, instructions: int) -> None:
        """A turn that nobody waits for the end of has at most so many; a quantum at least."""
        self.most_alone = max(1, min(instructions, _ALONE))

    def prepare(self, process: Process) -> bool:
        """Before a turn: whether a thread of the process, which has the CPU then, can run."""
        return not self._is_kept_out(process) and process.prepare(self._clock.elapsed())

    def can_run(self, process: Process) -> bool:
        """Whether a thread of the process can run now."""
        return self._can_run_at(process, self._clock.elapsed())

    def _can_run_at(self, process: Process, now: int) -> bool:
        return not self._is_kept_out(process) and process.can_run(now)

    def _is_kept_out(self, process: Process) -> bool:
        """Whether a process runs that writes the same memory: the emulator's LOCK holds nobody off on other cores."""
        return any(_have_memory_together(process, other) for other in self.in_turn if other is not process)

    def turn(self, process: Process, most: int) -> StopReason:
        """One turn of a process, for at most `most` instructions; longer than the quantum if its first block is.

        Or what is left of one that a halt has interrupted: what is executed does not depend on halts.
        """
        left = process.turn_left
        if left is not None and left > 0:
            before = process.cpu.executed
            reason = process.run(min(left, most), left)
            is_over = reason.kind is StopKind.BUDGET and process.cpu.executed == before and left <= most
            return StopReason(StopKind.STOPPED, reason.rip) if is_over else reason  # its next block does not fit
        quantum = self.up_to_alarm(process, self._length(process))
        process.begin_turn(self._quantum, quantum)
        while True:
            before = process.cpu.executed
            reason = process.run(min(quantum, most), quantum)
            if reason.kind is not StopKind.BUDGET or process.cpu.executed > before or quantum >= most:
                return reason
            quantum *= 2

    def begin_step(self, process: Process) -> None:
        """Before a step: it is one of the turn under way, or the first of a new one."""
        if process.turn_left is None:
            process.begin_turn(self._quantum, self.up_to_alarm(process, self._length(process)))

    def end_turn_of(self, core: Core) -> None:
        """Before a run: the turn that steps have come to the end of is over."""
        process = core.process
        left = None if process is None or not process.alive else process.turn_left
        if left is not None and left <= 0:
            self.rotate(core)

    def _length(self, process: Process) -> int:
        """The most instructions of a turn: a quantum, or as many as go by before somebody else can run."""
        if process.thread.is_alone:
            return self._alone(process)
        others = [thread for thread in process.threads if thread is not process.thread]
        now = self._clock.elapsed()
        if process.others() or any(thread.is_ready(now) for thread in others):
            return self._quantum
        deadlines = [each.waiting.deadline for each in others if each.waiting and each.waiting.deadline is not None]
        most = min((deadline - now for deadline in deadlines), default=self.most_alone)
        return max(1, min(-(-most // self._quantum), self.most_alone // self._quantum)) * self._quantum

    def longest_turn(self, process: Process) -> int:
        """The most instructions of a turn on a core that runs in a thread of its own."""
        is_shared = self._waiting or len(process.threads) > 1
        return self.up_to_alarm(process, self._quantum if is_shared else self._alone(process))

    def _alone(self, process: Process) -> int:
        """Few at first: what is noticed between turns only, as which scripts are worth compiling well, is so early.

        Soon many: a turn takes half a millisecond to begin.
        """
        return max(self._quantum, min(8 * process.cpu.executed, self.most_alone))

    def up_to_alarm(self, process: Process, most: int) -> int:
        """How many of so many instructions a process may execute before an alarm is due; at least 1."""
        earliest = self._clock.alarms.earliest
        if earliest is not None:
            most = min(most, earliest - self._clock.elapsed())
        if process.cpu_alarm is not None:
            most = min(most, process.cpu_alarm - process.cpu_time)
        return max(1, most)

    def ring(self, process: Process | None = None) -> None:
        """Let the alarms go off that are due, those of the process's own time, too."""
        if process is not None and process.cpu_alarm is not None and process.cpu_alarm <= process.cpu_time:
            process.cpu_alarm = None
            process.on_cpu_alarm()
        if self._clock.alarms.earliest is not None:
            self._clock.alarms.go_off(self._clock.elapsed())

    def rotate(self, core: Core) -> None:
        """After a turn: the process that waits longest comes to the core, if any may."""
        process = core.process
        if process is not None:
            process.turn_over()
            self.ring(process)
            if process.alive and self._is_kept_out(process):  # its turn will come on the core where the other one runs
                self._waiting.append(process)
                core.process = process = None
        if not self._waiting:
            return
        now = self._clock.elapsed()
        ready = (each for each in self._waiting if each not in self.in_turn and self._can_run_at(each, now))
        following = next(ready, None)
        if following is None:
            return
        if process is not None and process.alive:
            if process.can_run(now) and not process.cpu.registers.read(RFLAGS) & _INTERRUPT_FLAG:
                return
            self._waiting.append(process)
        self._waiting.remove(following)
        self._place(core, following)

    def _place(self, core: Core, process: Process) -> None:
        core.process = process
        process.core = core.index
        self._placed(process)

    # --- waits

    def _living(self) -> list[Process]:
        """The processes that are alive, each once."""
        on_cores = [core.process for core in self.cores if core.process is not None]
        return [process for process in (*on_cores, *self._waiting) if process.alive]

    def _others_live(self, process: Process) -> bool:
        return any(other is not process for other in self._living())

    def await_earliest(self) -> bool:
        """When nobody runs: let time pass until somebody can; False when all wait for each other, for ever."""
        living, now = self._living(), self._clock.elapsed()
        if any(process.can_run(now) for process in living):
            return True
        alarm = self._clock.alarms.earliest if living else None
        deadlines = [deadline for process in living for deadline in process.deadlines()]
        earliest = min(deadlines if alarm is None else (*deadlines, alarm), default=None)
        if earliest is None:
            return False
        self._clock.advance_to(earliest)
        self.ring()
        return True


def _have_memory_together(one: Process, other: Process) -> bool:
    first, second = one.cpu.memory, other.cpu.memory
    return first is second or not first.shared.isdisjoint(second.shared)
