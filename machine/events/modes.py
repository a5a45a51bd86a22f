"""User and kernel mode as events: `!mode` (events-and-commands C.2).

A thread changes its mode at SYSCALL, SYSRET and exceptions. In which one it was seen last is noted for each event, so
the first instruction behind a registration counts as well: a processor finds out by pages that may not be executed.
A process that an event has frozen executes nothing in user mode until the event is cleared or disabled.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from machine.events.dispatch import Dispatcher
from machine.events.exit import evaluate
from machine.events.exits import exit_of
from machine.events.registry import Event, Registry
from machine.schedule import Process, Suspension, Thread
from vm.facts.events import MODE, ExecutionMode
from vm.facts.stages import Stage


def mode_of(process: Process) -> int:
    """That of the thread which has the CPU."""
    return evaluate(exit_of(MODE).context, process.cpu)


class Modes:
    """The `!mode` events of one machine. `frozen(process, event)` is called when an event freezes a process."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, frozen: Callable[[Process, Event], None]) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._frozen = frozen
        self._seen: WeakKeyDictionary[Thread, dict[Event, int]] = WeakKeyDictionary()
        self._freezing: WeakKeyDictionary[Process, tuple[Event, ...]] = WeakKeyDictionary()

    def watches(self, process: Process) -> bool:
        """Whether the modes of a process matter to anybody."""
        return bool(self._registry.newest_first(MODE)) and bool(self._events_of(process))

    def _events_of(self, process: Process) -> list[Event]:
        events = self._registry.newest_first(MODE)
        return [event for event in events if event.definition.process_id in (None, process.pid)]

    def arrive(self, process: Process) -> None:
        """The thread that has the CPU is about to execute an instruction; it is suspended where it may not."""
        if not self.watches(process) and process not in self._freezing:
            return
        mode = mode_of(process)
        said = self._tell(process, mode)
        if mode == ExecutionMode.USER:
            if said:
                self._freezing[process] = said
                self._frozen(process, said[0])
            self._hold(process)

    def pass_kernel(self, process: Process) -> None:
        """An exception takes the thread to the kernel, of which nothing is executed."""
        if self.watches(process):
            self._tell(process, ExecutionMode.KERNEL)

    def _tell(self, process: Process, mode: int) -> tuple[Event, ...]:
        """Run the events that have seen the thread in another mode; those that short-circuit."""
        before, events = self._seen.get(process.thread, {}), self._events_of(process)
        self._seen[process.thread] = dict.fromkeys(events, mode)
        exit_ = exit_of(MODE)
        return tuple(
            event
            for event in events
            if before.get(event) != mode
            and self._dispatcher.run_stage(exit_, (event,), Stage.PRE, process, mode)
            and event.enabled
        )

    def _hold(self, process: Process) -> None:
        freezing = self._freezing.get(process, ())
        if any(event.enabled for event in freezing):
            process.thread.suspend(Suspension(lambda: not any(event.enabled for event in freezing), None, _go_on))
        else:
            self._freezing.pop(process, None)


def _go_on(late: bool) -> None:
    """Nothing is to be done when a process goes on."""
