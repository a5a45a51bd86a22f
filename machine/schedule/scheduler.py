"""Which process runs on which core: fixed turns and first come, first served, so that every run is the same.

A process gives its core up when its quantum is used, and after each system call, if another one waits. As on hardware
it is not preempted while it runs with interrupts off, hence never within the handler at LSTAR.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from machine.processor import StopKind, StopReason
from machine.schedule.process import Core, Process
from vm.facts.registers import RFLAGS

_INTERRUPT_FLAG = 1 << 9
_ALONE = 20_000_000  # instructions of a turn that nobody waits for the end of


class Scheduler:
    """The cores and the processes that wait for one. `placed` is called when a process comes to a core."""

    def __init__(self, cores: int, quantum: int, placed: Callable[[Process], None]) -> None:
        self.cores = tuple(Core(index) for index in range(cores))
        self._quantum = quantum
        self._placed = placed
        self._waiting: deque[Process] = deque()
        self.in_turn: set[Process] = set()  # processes that run on a core in a thread of its own

    def add(self, process: Process) -> None:
        """Give a new process a free core, or let it wait."""
        core = next((core for core in self.cores if core.process is None or not core.process.alive), None)
        if core is None:
            self._waiting.append(process)
        else:
            self._place(core, process)

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
        """Whether a process waits for a core."""
        return bool(self._waiting)

    def system_call_done(self, process: Process) -> None:
        """A process is back from the kernel: its turn ends if another one waits."""
        if self._waiting:
            process.cpu.stop()

    def turn(self, process: Process, most: int) -> StopReason:
        """One turn of a process, for at most `most` instructions; longer than the quantum if its first block is."""
        quantum = max(self._quantum, _ALONE) if self._is_alone(process) else self._quantum
        while True:
            before = process.cpu.executed
            reason = process.run(min(quantum, most))
            if reason.kind is not StopKind.BUDGET or process.cpu.executed > before or quantum >= most:
                return reason
            quantum *= 2

    @property
    def longest_turn(self) -> int:
        """The most instructions of a turn on a core that runs in a thread of its own."""
        return self._quantum if self._waiting else max(self._quantum, _ALONE)

    def _is_alone(self, process: Process) -> bool:
        """Whether no other process can run."""
        others = [core.process for core in self.cores if core.process not in (None, process)]
        return not self._waiting and not any(other is not None and other.alive for other in others)

    def rotate(self, core: Core) -> None:
        """After a turn: the process that waits longest comes to the core, if any may."""
        process = core.process
        following = next((waiting for waiting in self._waiting if waiting not in self.in_turn), None)
        if following is None or process is None:
            return
        if process.alive:
            if not process.cpu.registers.read(RFLAGS) & _INTERRUPT_FLAG:
                return
            self._waiting.append(process)
        self._waiting.remove(following)
        self._place(core, following)

    def _place(self, core: Core, process: Process) -> None:
        core.process = process
        process.core = core.index
        self._placed(process)
