"""Instructions as events that the emulator does not name: SYSRET, CPUID (events-and-commands C.2, C.3).

They are found where code is translated (machine.processor) while an event of their kind exists, or the service
of the kind wants them. Where the processor executes them, the post stage is told behind the instruction.
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Protocol

from machine.events.dispatch import Dispatcher, Operation
from machine.events.exit import Exit
from machine.events.exits import exit_of
from machine.events.registry import Registry
from machine.processor import Cpu, Hook, InstructionPattern, Removable, Serve, Site
from machine.schedule import Process
from vm.facts.events import EVENT_KINDS, EventKind
from vm.native import U64, cells

_EXITS = tuple(exit_of(kind) for kind in EVENT_KINDS if kind.emulated)
FOUND = tuple((exit_, exit_.source) for exit_ in _EXITS if isinstance(exit_.source, InstructionPattern))


class HookedSite:
    """Hooks in Python that serve a site."""

    def __init__(self, cpu: Cpu, hooks: tuple[Hook, ...]) -> None:
        self._cpu = cpu
        self._hooks = hooks

    def remove(self) -> None:
        """Serve it no more."""
        for hook in self._hooks:
            self._cpu.unhook(hook)


@cells
class Waiting(ctypes.Structure):
    """What a post stage waits for; machine code reads and writes it, too."""

    armed: U64  # not 0 while an instruction is under way whose post stage is due
    context: U64


class Arrivals:
    """The arrivals of one process at one site, in Python."""

    def __init__(self, dispatcher: Dispatcher, process: Process, exit_: Exit, site: Site) -> None:
        self.waiting = Waiting()
        self._dispatcher = dispatcher
        self._process = process
        self._operation = Operation(exit_, site.length)

    def before(self) -> None:
        """At the instruction."""
        context = self._dispatcher.dispatch(self._operation, self._process)
        self.waiting.armed, self.waiting.context = int(context is not None), context or 0

    def behind(self) -> None:
        """At the instruction behind it, whoever comes there."""
        if self.waiting.armed:
            self.waiting.armed = 0
            self._dispatcher.behind(self._operation, self._process, self.waiting.context)


class ProcessHook(Protocol):
    """Machine code at the instructions of one process (machine.native.carrier)."""

    def take_instruction(self, exit_: Exit, site: Site, arrivals: Arrivals) -> Removable:
        """Carry an instruction; `arrivals` do the same in Python."""
        ...

    def refresh(self) -> None:
        """Events have changed."""
        ...


class Carrier(Protocol):
    """Makes such hooks."""

    def hook_of(self, process: Process) -> ProcessHook:
        """The one of a process."""
        ...


class Service(Protocol):
    """Who serves the instructions of a kind in place of the machine's own way (machine.events.system_calls)."""

    def wants(self, process: Process) -> bool:
        """Whether those of a process are to be served."""
        ...

    def serve(self, process: Process, site: Site) -> Removable:
        """Serve one."""
        ...


class Instructions:
    """What the processes of one machine are looked through for."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, carrier: Carrier | None = None) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._carrier = carrier
        self._processes: list[Process] = []
        self.services: dict[EventKind, Service] = {}

    def attach(self, process: Process) -> None:
        """Serve a new process."""
        self._processes.append(process)
        self.look_again(process)

    def events_changed(self) -> None:
        """Events were registered or cleared."""
        for process in self._processes:
            if self._carrier is not None:
                self._carrier.hook_of(process).refresh()
            self.look_again(process)

    def look_again(self, process: Process) -> None:
        """What a process is looked through for may have changed."""
        wanted = {pattern: self._server(process, exit_) for exit_, pattern in FOUND if self._wants(process, exit_.kind)}
        process.cpu.look_for(wanted)

    def _wants(self, process: Process, kind: EventKind) -> bool:
        service = self.services.get(kind)
        return bool(self._registry.newest_first(kind)) if service is None else service.wants(process)

    def _server(self, process: Process, exit_: Exit) -> Serve:
        service = self.services.get(exit_.kind)
        if service is not None:
            return partial(service.serve, process)
        return partial(self._serve, process, exit_)

    def _serve(self, process: Process, exit_: Exit, site: Site) -> Removable:
        arrivals = Arrivals(self._dispatcher, process, exit_, site)
        if self._carrier is not None:
            return self._carrier.hook_of(process).take_instruction(exit_, site, arrivals)
        places = ((site.address, arrivals.before), (site.address + site.length, arrivals.behind))
        return HookedSite(process.cpu, tuple(process.cpu.hook_address(*place) for place in places))
