"""Instruction fetch at an address as an event: `!epthook` and `!epthook2` (events-and-commands C.2).

A hook belongs to a page, not to a process: at a kernel address it is in every process, at a user address in the process
that the command means and in those that run the same program, whose pages it shares. Actions run before the
instruction; a script that moves RIP replaces it. Guest code is never altered, so reads show the original bytes. Other
addresses keep their speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from machine.events import iterations
from machine.events.definition import EventDefinition
from machine.events.dispatch import Carrier, Dispatcher, Operation
from machine.events.exits import exit_of
from machine.events.registry import Event, Registry
from machine.loaders import Image
from machine.memory import page_floor
from machine.processor import LONGEST_INSTRUCTION, Hook
from machine.schedule import Process
from vm.facts.events import EXECUTION_HOOKS, EventKind

_KERNEL_HALF = 1 << 63


class CarriedAddress(Protocol):
    """An address that machine code serves (machine.native.carried_addresses)."""

    def show(self, events: tuple[Event, ...]) -> None:
        """These events wait here, newest first."""
        ...

    def remove(self) -> None:
        """Serve it no more."""
        ...


class ProcessHook(Protocol):
    """Machine code at the hooked addresses of one process."""

    def hook_address(self, kind: EventKind, address: int, trigger: Callable[[], None]) -> CarriedAddress:
        """Serve an address; `trigger` does the same in Python."""
        ...


class _HookedAddress:
    """One hooked address in one process."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        process: Process,
        kind: EventKind,
        address: int,
        carrier: Carrier[ProcessHook] | None,
    ) -> None:
        self._events: tuple[Event, ...] = ()
        self._dispatcher = dispatcher
        self._process = process
        self._address = address
        self._operation = Operation(exit_of(kind), 0)
        self._carried: CarriedAddress | None = None
        self._hook: Hook | None = None
        code = process.cpu.memory.read_up_to(address, LONGEST_INSTRUCTION)
        if iterations.repeats(code):
            self._iterations = iterations.Iterations(process.cpu, address, code)
            process.watched.add(self._iterations)
            self._hook = process.cpu.hook_address(address, self._trigger_once)
        elif carrier is None:
            self._hook = process.cpu.hook_address(address, self._trigger)
        else:
            self._carried = carrier.hook_of(process).hook_address(kind, address, self._trigger)

    def show(self, events: tuple[Event, ...]) -> None:
        """These events wait here, newest first."""
        self._events = events
        if self._carried is not None:
            self._carried.show(events)

    def remove(self) -> None:
        """No event waits here any more."""
        if self._carried is not None:
            self._carried.remove()
        elif self._hook is not None:
            self._process.cpu.unhook(self._hook)

    def _trigger(self) -> None:
        self._dispatcher.notify(self._events, self._operation, self._process, self._address)

    def _trigger_once(self) -> None:
        """The same at a REP instruction."""
        if not self._iterations.goes_on():
            self._trigger()


class ExecutionHooks:
    """The hooks of all processes, kept equal to what the registered events ask for."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, carrier: Carrier[ProcessHook] | None = None) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._carrier = carrier
        self._processes: list[Process] = []
        self._owners: dict[int, Image] = {}  # by event id: the program whose page the event hooked
        self._hooked: dict[tuple[Process, int], _HookedAddress] = {}
        self._pages: set[tuple[Process, int]] = set()

    def attach(self, process: Process, current: Process | None) -> None:
        """Serve a new process."""
        self._processes.append(process)
        self.events_changed(current)

    def detach(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        self._processes.remove(process)
        self._hooked = {key: hooked for key, hooked in self._hooked.items() if key[0] is not process}
        self._pages = {key for key in self._pages if key[0] is not process}

    def watches_page(self, process: Process, page: int) -> bool:
        """Whether a hook lies in a page of a process."""
        return (process, page) in self._pages

    def events_changed(self, current: Process | None) -> None:
        """Events were registered or cleared; `current` is the process that a command without pid means."""
        wanted: dict[tuple[Process, int], list[Event]] = {}
        for kind in EXECUTION_HOOKS:
            for event in self._registry.newest_first(kind):
                for process in self._processes_of(event.definition, current):
                    wanted.setdefault((process, event.definition.parameters["address"]), []).append(event)
        for key in [key for key in self._hooked if key not in wanted]:
            self._hooked.pop(key).remove()
        for key, events in wanted.items():
            if key not in self._hooked:
                process, address = key
                kind = events[0].definition.kind
                self._hooked[key] = _HookedAddress(self._dispatcher, process, kind, address, self._carrier)
            self._hooked[key].show(tuple(events))
        self._pages = {(process, page_floor(address)) for process, address in self._hooked}

    def _processes_of(self, definition: EventDefinition, current: Process | None) -> list[Process]:
        """Where the hook of an event lies; the pid filter of the trigger comes on top."""
        address = definition.parameters["address"]
        if address >= _KERNEL_HALF:
            return [process for process in self._processes if definition.process_id in (None, 0, process.pid)]
        meant = [process for process in self._processes if definition.process_id in (None, 0, process.pid)]
        if definition.process_id:
            current = next(iter(meant), None)
        owner = self._owners.get(definition.id, None if current is None else current.image)
        if owner is None:
            return []
        self._owners[definition.id] = owner
        return [process for process in meant if process.image.contents == owner.contents]
