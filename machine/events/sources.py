"""All that raises the events of one machine, wired to each other, and in which order it gets its turn."""

from __future__ import annotations

from typing import Protocol

from machine.events import addresses, instructions, memory, system_calls
from machine.events.addresses import ExecutionHooks
from machine.events.debug_registers import DebugRegisterMoves
from machine.events.dispatch import Carrier, Dispatcher, Trigger
from machine.events.exceptions import Exceptions
from machine.events.instructions import Instructions
from machine.events.interrupts import Interrupts
from machine.events.memory import Monitors
from machine.events.modes import Modes
from machine.events.registry import Event, Registry
from machine.events.system_calls import SystemCalls
from machine.events.traces import Traces
from machine.kernel import Kernel
from machine.processor import USER_LEVEL, Fault
from machine.schedule import Next, Process, Scheduler, Timer
from vm.facts.events import SYSRET, TraceType


class ProcessHook(
    addresses.ProcessHook,
    instructions.ProcessHook,
    memory.ProcessHook,
    system_calls.ProcessHook,
    Protocol,
):
    """Machine code for all events of one process (machine.native.process_hook)."""


class Tell(Protocol):
    """Tells the user, of an event or in general."""

    def __call__(self, text: str, event_id: int | None = None) -> None:
        """Say it."""
        ...


class Sources:
    """Those of one machine; each serves all processes that are attached."""

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        scheduler: Scheduler,
        timer: Timer | None,
        tell: Tell,
        carrier: Carrier[ProcessHook] | None,
    ) -> None:
        self._tell = tell
        self._kernels: dict[Process, Kernel] = {}
        self._hooks = ExecutionHooks(registry, dispatcher, carrier)
        self._monitors = Monitors(registry, dispatcher, carrier)
        self._instructions = Instructions(registry, dispatcher, carrier)
        self._exceptions = Exceptions(registry, dispatcher, carrier)
        self._modes = Modes(registry, dispatcher, self._freezes)
        self._traces = Traces(registry, dispatcher)
        self._interrupts = self._instructions.gates = Interrupts(
            registry, dispatcher, timer, self._deliver_injected, self._instructions.look_again, tell, carrier
        )
        self._system_calls = SystemCalls(
            registry,
            dispatcher,
            self._walks,
            scheduler.system_call_done,
            lambda: scheduler.someone_may_wait,
            self._instructions.look_again,
            self._modes,
            carrier,
        )
        moves = DebugRegisterMoves(registry, self._instructions.serve_for_events)
        self._instructions.services.update({SYSRET: self._system_calls, moves.kind: moves})
        self._system_calls.intercepts = self._exceptions.intercept

    # --- processes come and go

    def attach(self, process: Process, kernel: Kernel, current: Process | None) -> None:
        """Serve a new process; `current` is the one that a command without pid means."""
        self._kernels[process] = kernel
        process.on_fault = lambda fault: self._fault(process, fault)
        process.before_run = lambda: self._before_run(process)
        process.interruptions = self._interrupts
        self._system_calls.attach(process, kernel)
        self._instructions.attach(process)
        self._hooks.attach(process, current)
        self._monitors.attach(process)
        self._system_calls.events_changed()

    def detach(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        for room in (self._hooks, self._monitors, self._instructions, self._system_calls):
            room.detach(process)
        del self._kernels[process]

    def placed(self, process: Process) -> None:
        """A process comes to a core, or another thread of it to its CPU."""
        self._system_calls.placed(process)

    # --- what users and scripts ask for

    def events_changed(self, current: Process | None) -> None:
        """Events were registered or cleared; `current` is the process that a command without pid means."""
        self._hooks.events_changed(current)
        self._monitors.events_changed(current)
        self._system_calls.events_changed()
        self._instructions.events_changed()

    @property
    def monitors(self) -> Monitors:
        """Those of accesses to memory."""
        return self._monitors

    def step(self, trigger: Trigger, kind: TraceType) -> None:
        """A script asks for a single step."""
        self._traces.ask(trigger, kind)

    def inject(self, process: Process, trigger: Trigger | None, kind: int, vector: int, error: int) -> None:
        """A script asks for an interruption, as `Interrupts.inject`."""
        self._interrupts.inject(process, trigger, kind, vector, error)

    def _freezes(self, process: Process, event: Event) -> None:
        """An event freezes a process."""
        number = event.definition.id
        self._tell(f"process {process.pid:x} is frozen until event {number:x} is cleared or disabled", number)

    # --- while processes run

    def _before_run(self, process: Process) -> Next:
        """Between two stretches of guest code: modes that change there, steps that are over, and what comes next."""
        cpu = process.cpu
        cpu.forget_stop()
        with cpu.gate:
            self._traces.end(process)
            self._modes.arrive(process)
        if cpu.stop_requested or not process.alive or process.thread.waiting is not None:
            return Next.NOTHING
        return Next.ONE if self._traces.steps_in(process) else Next.ALL

    def _walks(self, process: Process, page: int) -> bool:
        """Whether the code of the page is executed that has the kernel's handler."""
        return self._hooks.watches_page(process, page) or self._traces.follows(process)

    def _fault(self, process: Process, fault: Fault) -> bool:
        """A guest's exception: whether its thread goes on."""
        cpu = process.cpu
        with cpu.gate:
            if not self._exceptions.before(process, fault):
                return True
            cpu.exceptions.deliver(fault)
            goes_on = self._tell_kernel(process, fault)
            self._exceptions.behind(process, fault)
        return goes_on

    def _deliver_injected(self, process: Process, fault: Fault) -> bool:
        """An exception that no event is told of."""
        process.cpu.exceptions.deliver(fault)
        return self._tell_kernel(process, fault)

    def _tell_kernel(self, process: Process, fault: Fault) -> bool:
        """Let the kernel have an exception, be it the guest's own."""
        kernel = self._kernels[process]
        if process.cpu.interrupt_table.is_loaded:
            return process.cpu.interrupt_table.deliver(fault)
        if process.cpu.privilege_level != process.cpu.home_level:
            return False  # in the code of the kernel
        self._modes.pass_kernel(process)
        if kernel.fault(process.thread, fault):
            return True
        if process.image.level == USER_LEVEL:
            process.crash_code = kernel.crash_code(process, fault)
        return False
