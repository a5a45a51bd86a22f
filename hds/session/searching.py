"""What a copy looks out for that does again what was done (`hds.session.timeline`): places, triggers, and writes.

What is written last is found whoever writes it: instructions, of other processes, too, where memory is shared; system
calls on a process's behalf, or another one's; and calls that let addresses mean other memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

import msgspec

from machine.events import CallAction, Trigger
from vm.facts.events import MONITORS, MonitoredAccess
from vm.facts.registers import STORAGE_INDEX
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from machine import Machine
    from machine.schedule import Process, Thread

_FOREBEARS = 32  # the most that a process knows of
_RSP = STORAGE_INDEX["rsp"]


class Place(msgspec.Struct, frozen=True):
    """An address in a process, with the stack pointer that it is to be reached with."""

    process_id: int
    address: int
    stack: int | None = None
    thread_id: int | None = None


class Written(msgspec.Struct, frozen=True):
    """The bytes [first, last] of a process, by its lineage."""

    first: int
    last: int
    lineage: tuple[int, ...]


class Lineages:
    """Whose memory that of a process is a copy of, by numbers in the order in which processes come.

    The lineage of one is its number, that of its maker, and so on. One that executes another program has none but its
    own: it is a new process here, with new memory.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._count = 0
        self._rows: WeakKeyDictionary[Process, tuple[int, ...]] = WeakKeyDictionary()
        self._executing: WeakSet[Process] = WeakSet()
        for process in machine.processes:
            self.add(process)

    def add(self, process: Process) -> None:
        """A process counts from now on."""
        self._count += 1
        maker: tuple[int, ...] = ()
        if any(each.successor is process for each in self._machine.processes):
            self._executing.add(process)
        else:
            living = (each for each in self._machine.processes if each.alive and each is not process)
            maker = next((self._rows[each] for each in living if each.pid == process.maker_id), ())
        self._rows[process] = (self._count, *maker)[:_FOREBEARS]

    def has_executed(self, process: Process) -> bool:
        """Whether it has taken the place of another one."""
        return process in self._executing

    def of(self, process: Process) -> tuple[int, ...]:
        """The lineage of a process."""
        return self._rows[process]

    def living(self, lineage: Sequence[int]) -> Process | None:
        """The process whose memory is, or is going to be, that of one with this lineage."""
        found = {self._rows[process][0]: process for process in self._machine.processes if process.alive}
        return next((found[number] for number in lineage if number in found), None)


class Lookout:
    """Calls `hit` at each arrival at one of the places, and at each write.

    Its argument is the thread for which the kernel writes behind an instruction, and not in it: when a wait is over.
    """

    def __init__(
        self,
        machine: Machine,
        lineages: Lineages,
        places: Sequence[Place],
        written: Written | None,
        hit: Callable[[Thread | None], None],
    ) -> None:
        self._machine = machine
        self._lineages = lineages
        self._places = places
        self._written = written
        self._hit = hit
        for process in machine.processes:
            if process.alive:
                self.add(process)

    def add(self, process: Process) -> None:
        """Look out in a process, too."""
        for place in self._places:
            if process.pid == place.process_id:
                process.cpu.hook_address(place.address, self._reached(place, process))
        written = self._written
        if written is None or self._lineages.of(process)[0] not in written.lineage:
            return

        def told(trigger: Trigger) -> None:
            if self._is_meant(process):
                self._hit(None if trigger.process.cpu.is_running else trigger.process.thread)

        def changed(start: int, end: int) -> None:
            if start <= written.last and written.first < end and self._is_meant(process):
                self._hit(None)

        kind = MONITORS[MonitoredAccess.W]
        self._machine.look_out(process, kind, written.first, written.last, Stage.PRE, CallAction(told))
        process.cpu.memory.on_meaning.append(changed)

    def _is_meant(self, process: Process) -> bool:
        assert self._written is not None
        meant = self._lineages.living(self._written.lineage)
        return meant is not None and meant.cpu.memory is process.cpu.memory

    def _reached(self, place: Place, process: Process) -> Callable[[], None]:
        def hit() -> None:
            stack = process.cpu.registers.read(_RSP)
            if place.stack in (None, stack) and place.thread_id in (None, process.tid):
                self._hit(None)

        return hit
