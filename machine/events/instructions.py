"""Instructions as events: SYSRET, CPUID, RDMSR, IN and their kin (events-and-commands C.2, C.3).

They are found where code is translated (machine.processor) while an event of their kind exists, or the service
of the kind wants them. Where the processor executes them, the post stage is told behind the instruction, unless it
raises an exception instead.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Protocol

from machine.events import iterations
from machine.events.dispatch import Carrier, Dispatcher, Operation, Seen, carry_out
from machine.events.exit import Exit
from machine.events.exits import forms_of
from machine.events.registry import Registry
from machine.processor import (
    LONGEST_INSTRUCTION,
    Cpu,
    Hook,
    InstructionPattern,
    Removable,
    Serve,
    Served,
    Site,
    SiteHook,
)
from machine.schedule import Process
from vm.facts.events import EVENT_KINDS, EventKind
from vm.facts.registers import RIP
from vm.native import U64, cells

_EXITS = tuple(form for kind in EVENT_KINDS if kind.emulated for form in forms_of(kind))
GATES = tuple(InstructionPattern(code) for code in (b"\xfb", b"\x9d", b"\xcf"))  # STI, POPF, IRET
FOUND = tuple((exit_, exit_.source) for exit_ in _EXITS if isinstance(exit_.source, InstructionPattern))
_MADE_UP = tuple((exit_, pattern, exit_.made_up) for exit_, pattern in FOUND if exit_.made_up is not None)


class HookedSite:
    """A hook in Python that serves a site."""

    def __init__(self, cpu: Cpu, hook: Hook) -> None:
        self._cpu = cpu
        self._hook = hook

    def remove(self) -> None:
        """Serve it no more."""
        self._cpu.unhook(self._hook)


@cells
class Waiting(ctypes.Structure):
    """What a post stage waits for; machine code reads and writes it, too."""

    armed: U64  # while an instruction is under way whose post stage is due: 1 + `Cpu.given_up` when it began
    context: U64
    bits: U64


class Arrivals:
    """The arrivals of one process at one site, in Python."""

    def __init__(self, dispatcher: Dispatcher, process: Process, exit_: Exit, site: Site) -> None:
        self.waiting = Waiting()
        self._dispatcher = dispatcher
        self._process = process
        self.kind, self.length = exit_.kind, site.length
        self._operation = Operation(exit_, site.length, operand=site.operand)
        once = exit_.once and iterations.repeats(site.code)
        self.iterations = iterations.Iterations(process.cpu, site.address, site.code) if once else None
        process.watched.add(self)

    @property
    def under_way(self) -> bool:
        """Whether an instruction has begun here whose next iteration or post stage is due."""
        is_due = self.waiting.armed == self._process.cpu.given_up + 1
        return is_due or (self.iterations is not None and self.iterations.under_way)

    def before(self) -> None:
        """At the instruction."""
        if self.iterations is not None and self.iterations.goes_on():
            return
        waiting, seen = self.waiting, None
        if self.iterations is None or self.iterations.left:
            seen = self._dispatcher.dispatch(self._operation, self._process)
        waiting.armed = 0
        if seen is not None:
            waiting.armed, waiting.context, waiting.bits = self._process.cpu.given_up + 1, seen.context, seen.bits

    def behind(self) -> None:
        """At the instruction behind it, whoever comes there."""
        armed, self.waiting.armed = self.waiting.armed, 0
        if armed == self._process.cpu.given_up + 1:
            self._dispatcher.behind(self._operation, self._process, Seen(self.waiting.context, self.waiting.bits))


class ServedSite(SiteHook):
    """A site with its hook, and with one behind it once a post stage may be due."""

    def __init__(
        self,
        arrivals: Arrivals,
        at: Callable[[], Removable],
        behind: Callable[[], Removable],
        removed: Callable[[], object],
    ) -> None:
        super().__init__(at)
        self.arrivals = arrivals
        self._removed = removed
        self._behind: list[Removable] = []
        self._install_behind = behind

    def expect_post(self) -> None:
        """Events with a post stage exist."""
        if not self._behind:
            self._behind.append(self._install_behind())

    def remove(self) -> None:
        """Serve it no more."""
        super().remove()
        while self._behind:
            self._behind.pop().remove()
        self._removed()


class ProcessHook(Protocol):
    """Machine code at the instructions of one process (machine.native.process_hook)."""

    def take_instruction(self, exit_: Exit, site: Site, arrivals: Arrivals) -> Removable:
        """Carry an instruction; `arrivals` do the same in Python."""
        ...

    def take_behind(self, exit_: Exit, site: Site, arrivals: Arrivals) -> Removable:
        """Carry the address behind it."""
        ...

    def refresh(self) -> None:
        """Events have changed."""
        ...


class Service(Protocol):
    """Who serves the instructions of a kind in place of the machine's own way (machine.events.system_calls)."""

    def wants(self, process: Process) -> bool:
        """Whether those of a process are to be served."""
        ...

    def serve(self, process: Process, site: Site) -> Served:
        """Serve one."""
        ...


class Gates(Protocol):
    """Who waits for the instructions that may let interrupts in (machine.events.interrupts)."""

    def has_gates(self, process: Process) -> bool:
        """Whether those of a process are to be served."""
        ...

    def serve_gate(self, process: Process, site: Site) -> Served:
        """Serve one."""
        ...


class Instructions:
    """What the processes of one machine are looked through for."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, carrier: Carrier[ProcessHook] | None = None) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._carrier = carrier
        self._processes: list[Process] = []
        self.services: dict[EventKind, Service] = {}
        self.gates: Gates | None = None
        self._served: dict[Process, dict[int, ServedSite]] = {}  # by address

    def attach(self, process: Process) -> None:
        """Serve a new process."""
        self._processes.append(process)
        self._served[process] = {}
        cpu, undefined = process.cpu, process.cpu.exceptions.on_invalid_instruction
        cpu.exceptions.on_invalid_instruction = lambda: self._make_up(cpu) or undefined()
        cpu.on_end = lambda: self._end(process)
        self.look_again(process)

    def detach(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        self._processes.remove(process)
        del self._served[process]

    def _end(self, process: Process) -> None:
        """A run ends: what comes next may be another thread, or nothing at all."""
        served, rip = self._served[process], process.cpu.registers.read(RIP)
        for length in range(1, LONGEST_INSTRUCTION + 1) if served else ():
            if rip - length in served and served[rip - length].arrivals.length == length:
                served[rip - length].arrivals.behind()

    def _make_up(self, cpu: Cpu) -> bool:
        """Carry out an instruction that the emulator does not have; False for one that is undefined indeed."""
        rip = cpu.registers.read(RIP)
        code = cpu.memory.read_up_to(rip, LONGEST_INSTRUCTION)
        for exit_, pattern, effect in _MADE_UP:
            if self._registry.newest_first(exit_.kind) and pattern.matches(code):
                carry_out(effect, cpu)
                cpu.registers.write(RIP, rip + pattern.length_of(code))
                return True
        return False

    def events_changed(self) -> None:
        """Events were registered or cleared."""
        for served in [site for sites in self._served.values() for site in sites.values()]:
            if self._registry.of_kind(served.arrivals.kind).post:
                served.expect_post()
        for process in self._processes:
            if self._carrier is not None:
                self._carrier.hook_of(process).refresh()
            self.look_again(process)

    def look_again(self, process: Process) -> None:
        """What a process is looked through for may have changed."""
        wanted = {pattern: self._server(process, exit_) for exit_, pattern in FOUND if self._wants(process, exit_.kind)}
        if self.gates is not None and self.gates.has_gates(process):
            wanted.update({pattern: partial(self.gates.serve_gate, process) for pattern in GATES})
        process.cpu.look_for(wanted)
        raise_themselves = (exit_.kind for exit_, _ in FOUND if exit_.raises is not None)
        process.cpu.ports.leave_writes_to_hooks(any(map(self._registry.newest_first, raise_themselves)))
        corrected = (exit_.kind for exit_, _ in FOUND if exit_.correction is not None)
        process.cpu.cpuid.leave_to_hooks(any(map(self._registry.newest_first, corrected)))

    def _wants(self, process: Process, kind: EventKind) -> bool:
        service = self.services.get(kind)
        return bool(self._registry.newest_first(kind)) if service is None else service.wants(process)

    def serve_for_events(self, process: Process, site: Site) -> Served:
        """Serve a site for the events of its instruction."""
        exit_ = next(exit_ for exit_, pattern in FOUND if pattern is site.pattern or pattern == site.pattern)
        return self._serve(process, exit_, site)

    def _server(self, process: Process, exit_: Exit) -> Serve:
        service = self.services.get(exit_.kind)
        if service is not None:
            return partial(service.serve, process)
        return partial(self._serve, process, exit_)

    def _serve(self, process: Process, exit_: Exit, site: Site) -> Served:
        arrivals = Arrivals(self._dispatcher, process, exit_, site)
        at, behind = self._hooks_at(process, exit_, site, arrivals)
        sites = self._served[process]
        sites[site.address] = served = ServedSite(arrivals, at, behind, lambda: sites.pop(site.address, None))
        if self._registry.of_kind(exit_.kind).post:
            served.expect_post()
        return served

    def _hooks_at(
        self, process: Process, exit_: Exit, site: Site, arrivals: Arrivals
    ) -> tuple[Callable[[], Removable], Callable[[], Removable]]:
        """What installs the hooks at an instruction and behind it."""
        if self._carrier is not None and arrivals.iterations is None:
            hook = self._carrier.hook_of(process)
            return partial(hook.take_instruction, exit_, site, arrivals), partial(
                hook.take_behind, exit_, site, arrivals
            )
        cpu, end = process.cpu, site.address + site.length
        return (
            lambda: HookedSite(cpu, cpu.hook_address(site.address, arrivals.before)),
            lambda: HookedSite(cpu, cpu.hook_address(end, arrivals.behind)),
        )
