"""The machine that a session drives: load programs, register events, run, look and write between runs.

This file wires what a machine consists of, and is what events and scripts ask for its sake. Its processes and what they
share are in `processes`, runs in `run_loop`: cores are slots, and with more processes than cores the processes take
turns (machine.schedule.scheduler), so every run is deterministic, unless the cores run in parallel. Nothing is printed
here: what happens goes to the `Reporter` of the caller as records (machine.records).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from machine import kernel as kernels, native
from machine.events import Action, Dispatcher, Event, Facts, Registry, RootActions, Sources, Trigger
from machine.host import DebuggerState, GuestHost
from machine.kernel import Kernel
from machine.messages import Kept, Message, MessageChannel, PacketRing
from machine.options import MachineOptions, Program, ProgramStart
from machine.processes import Processes, Surroundings
from machine.processor import msr
from machine.records import CodeFault, GuestOutput, MachineRecord, Notice, Reporter, ScriptFault, Silent, takes_many
from machine.root import RootMemory, RootSandbox
from machine.run_loop import RunLoop, RunSurroundings
from machine.schedule import Core, Process, Thread, Timer
from machine.summary import Counts, ProcessEnd, RunSummary, StopCause
from vm import Brake, Engine, Fault, GlobalStore, Host, Loaded, Shareable
from vm.facts.events import EventKind, TraceType
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from machine.processor import Coverage

__all__ = ["Machine", "MsrError", "ProcessEnd", "RunSummary", "StopCause"]


class MsrError(Exception):
    """A model-specific register or a core that the machine does not have."""


class Machine:
    """One emulated computer.

    `store` holds the globals of the scripts, which conditions and code blocks see then. With `options.parallel` the
    engine is this machine's only. `reporter` takes what happens. `goes_on` is the one question: after a break action or
    pause(), whether the run goes on behind this trigger. It is asked in the thread of `run`, with all cores standing
    still; its time does not count.
    """

    def __init__(
        self,
        engine: Engine,
        options: MachineOptions | None = None,
        *,
        store: GlobalStore | None = None,
        reporter: Reporter[MachineRecord] | None = None,
        goes_on: Callable[[Trigger], bool] = lambda trigger: False,
    ) -> None:
        self.options = options = MachineOptions() if options is None else options
        self.limits = limits = options.limits
        cores = options.cores
        if options.timer is not None and not 1 <= options.timer <= limits.max_timer_hz:
            raise ValueError(f"the timer has 1 to {limits.max_timer_hz} interrupts a second (max_timer_hz)")
        self.reporter: Reporter[MachineRecord] = Silent() if reporter is None else reporter
        self.goes_on = goes_on
        self.watcher: kernels.Watcher = kernels.unwatched  # hears of signals and ends, as the kernels tell of them
        self.taken_in: Callable[[Process], None] = lambda process: None  # a process counts from now on
        surroundings = Surroundings(
            write=self._guest_output,
            tell=lambda happening: self.watcher(happening),
            joined=self._joined,
            placed=lambda process: self._sources.placed(process),
            left=self._left,
            output=(output := kernels.KeptOutput(self._tell_output)),
        )
        self._processes = made = Processes(options, surroundings)
        self.clock, self.physical, self.branches, self.kernels = made.clock, made.physical, made.branches, made.kernels
        gate, physical = made.gate, made.physical
        root = RootMemory(physical.own)
        facts = Facts(
            cores,
            lambda: self._processes.ids,
            self._current_id,
            made.has_mapped,
            physical.has,
            root.allocate_pages,
            self._events_changed,
        )
        self.registry = Registry(facts)
        ring = PacketRing(limits.max_packets) if options.emulate_message_loss else None
        self.messages = MessageChannel(
            self._deliver, self._deliver_kept, packet_bytes=limits.max_packet_bytes, ring=ring
        )
        brake, budget, time_stamp = Brake(), limits.max_root_instructions, self.clock.time_stamp
        sandboxes = [
            RootSandbox(root, physical.own, budget, time_stamp, store, gate, brake)
            for _ in range(1 if gate is None else cores)
        ]
        sandboxes = sandboxes if len(sandboxes) == cores else sandboxes * cores
        needs = RunSurroundings(self._begin_turn, lambda trigger: self.goes_on(trigger), self._notice)
        self.run_loop = RunLoop(made, self.messages, brake, sandboxes, needs)
        self._state = DebuggerState(
            self.registry,
            self.messages,
            self.clock,
            root,
            physical,
            self.branches,
            self._notice,
            self.broke,
            self._step,
        )
        if isinstance(engine, Shareable):
            engine.sharing = self.run_loop.sharing()
        dispatcher = Dispatcher(self.registry, engine, self, RootActions(sandboxes), options.measure_times)
        self._carrier = native.carrier_for(
            engine,
            self._state,
            self,
            dispatcher,
            sandboxes,
            () if gate is None else gate.outside,
            not options.prompt_messages,
            options.measure_times,
        )
        if self._carrier is not None:
            self._carrier.keep(output)
        timer = None if options.timer is None else Timer(self.clock, options.timer)
        self._sources = Sources(self.registry, dispatcher, made.scheduler, timer, self._notice, self._carrier)
        self._state.inject = self._sources.inject
        self._meant: Process | None = None

    # --- programs

    @property
    def cores(self) -> tuple[Core, ...]:
        """The slots, with the process that each runs or ran last."""
        return self._processes.scheduler.cores

    @property
    def processes(self) -> tuple[Process, ...]:
        """All processes in the order they were loaded, ended ones too."""
        return tuple(self._processes.all)

    @property
    def coverages(self) -> tuple[tuple[Process, Coverage], ...]:
        """The code that each process has executed, with `record_blocks`; a program by exec is one more."""
        return self._processes.coverages

    @property
    def current(self) -> Process | None:
        """The process that commands act on."""
        return self.run_loop.core.process if self._meant is None else self._meant

    @contextmanager
    def meaning(self, process: Process | None) -> Iterator[None]:
        """While events are registered that mean this process where they name none; None: the current one."""
        self._meant = process
        try:
            yield
        finally:
            self._meant = None

    def switch(self, process: Process, thread: Thread | None = None) -> None:
        """Make a process the one that commands act on; it comes to the current core if it is on none.

        A thread of it gets its CPU, and goes on first if it can.
        """
        self.run_loop.core = self._processes.scheduler.switch(self.run_loop.core, process)
        if thread is not None:
            process.switch_to(thread)

    def load(
        self, program: Program | str | Path | bytes, kind: str | None = None, **named: Unpack[ProgramStart]
    ) -> Process:
        """Load a program as a new process; it waits if every core has one. Raises LoadError; nothing is loaded then.

        `kind` and `named` are other fields of `Program`.
        """
        return self._processes.load(Program.of(program, kind, **named))

    def make_ready(self, kernel: str) -> None:
        """Make beforehand what the next program of user mode for this kernel needs, whatever it is.

        Raises machine.memory.MapError. All is as if it were made when the program is loaded, if it is one.
        """
        made = self.kernels.get(kernel)
        self._processes.make_ready(made)
        if self._carrier is not None:
            self._carrier.make_ready(made)

    # --- what processes need (machine.processes.Surroundings)

    def _joined(self, process: Process, kernel: Kernel) -> None:
        self._sources.attach(process, kernel, self.current)
        process.on_moved = self._moved
        self.taken_in(process)

    def _moved(self, name: str, start: int, size: int, base: int) -> None:
        """Name the events that wait where a module is not."""
        for event in self.registry.oldest_first():
            place = next((at for at in event.definition.parameters.values() if start <= at < start + size), None)
            if place is not None:
                text = f"it waits at {place:#x}, where {name} was to be, which is mapped at {base:#x} instead"
                self._notice(text, event.definition.id)

    def _left(self, process: Process) -> None:
        self._sources.detach(process)
        if self._carrier is not None:
            self._carrier.forget(process)

    def _guest_output(self, descriptor: int, data: bytes) -> None:
        self.messages.catch_up()
        self._tell_output(descriptor, data)

    def _tell_output(self, descriptor: int, data: bytes) -> None:
        self.reporter.report(GuestOutput(descriptor, data))

    # --- running

    def run(self, max_instructions: int | None = None, timeout: float | None = None) -> RunSummary:
        """Let all processes go on until every one has ended or something stops the machine.

        `max_instructions` defaults to the limit of that name; `timeout` is in seconds of real time, without that in
        `goes_on`. What Ctrl-C or a reporter raises is raised here, with the machine stopped between two blocks.
        """
        if self.run_loop.is_running:
            raise RuntimeError("the machine is running: a callback, a loop's body or a reporter cannot call run")
        budget = self.limits.max_instructions if max_instructions is None else max_instructions
        before, processes = self._counts(), self._processes
        ended = [process for process in processes.all if not process.alive]
        processes.ends.clear()
        self.physical.work.begin(self.limits.max_kernel_work)
        try:
            cause = self.run_loop.run(budget, timeout)
        finally:
            self.messages.drain()
            processes.look_at_modes()
        self.kernels.put_back()
        processes.see_off()
        ends = [ProcessEnd.of(process) for process in processes.all if not process.alive and process not in ended]
        return before.summary(self._counts(), cause, (*processes.ends, *ends))

    def stop(self) -> None:
        """End the current run soon. May be called by a reporter or by another thread."""
        self.run_loop.stop()

    def _begin_turn(self, process: Process) -> None:
        if self._carrier is not None:
            self._carrier.begin_turn(process)

    # --- between runs

    def host_for_commands(self) -> GuestHost:
        """The Host of `?`, `print` and their kin: outside events, on the core that ran last."""
        return GuestHost(self._state, self.run_loop.core.process, self.run_loop.core.index)

    def read_memory(self, address: int, size: int) -> bytes | None:
        """Memory as the commands see it: `size` bytes, or None."""
        return self.host_for_commands().read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> bool:
        """Write memory as the commands do; nothing is written when a byte is not mapped."""
        return self.host_for_commands().write_memory(address, data)

    @property
    def writes(self) -> int:
        """How often commands, and scripts in Python, have written memory."""
        return self._state.writes

    def read_msr(self, core: int, number: int) -> int:
        """A model-specific register of a core, as its guest sees it. Raises MsrError."""
        return self._process_with_msr(core, number).cpu.read_msr(number)

    def write_msr(self, core: int, number: int, value: int) -> None:
        """Set a model-specific register of a core; it is the running process's. Raises MsrError."""
        self._process_with_msr(core, number).cpu.write_msr(number, value)

    def _process_with_msr(self, core: int, number: int) -> Process:
        if number not in msr.MSR_BY_NUMBER:
            raise MsrError(f"there is no model-specific register {number:x}")
        if not 0 <= core < len(self.cores):
            raise MsrError(f"there is no core {core:x}")
        process = self.cores[core].process
        if process is None:
            raise MsrError(f"core {core:x} has run no process yet")
        return process

    def look_out(
        self, process: Process, kind: EventKind, first: int, last: int, stage: Stage, *actions: Action
    ) -> Event:
        """As `Monitors.look_out`: for watchpoints and searches, of which commands know nothing."""
        with self._processes.alone():
            return self._sources.monitors.look_out(process, kind, first, last, stage, actions)

    def end_lookout(self, event: Event) -> None:
        """As `Monitors.end_lookout`."""
        with self._processes.alone():
            self._sources.monitors.end_lookout(event)

    # --- what events need

    def _step(self, trigger: Trigger, kind: TraceType) -> None:
        """A script asks for a single step."""
        self._sources.step(trigger, kind)

    # --- what the dispatcher needs (machine.events.dispatch.Surroundings)

    def host_for(self, trigger: Trigger) -> Host:
        """The Host of one script action."""
        return GuestHost(self._state, trigger.process, trigger.core, trigger)

    def script_fault(self, event: Event, fault: Fault, program: Loaded) -> None:
        """Report a script that stopped early."""
        self.messages.catch_up()
        self.reporter.report(ScriptFault(event.definition.id, program, fault))

    def code_fault(self, event: Event, text: str) -> None:
        """Report a condition or a code block that stopped early."""
        self.messages.catch_up()
        self.reporter.report(CodeFault(event.definition.id, text))

    def broke(self, trigger: Trigger) -> None:
        """A break action or pause(): ask the user, and end the run after this trigger unless it goes on."""
        self.run_loop.broke(trigger)

    # --- facts

    @property
    def executed(self) -> int:
        """The instructions that all processes have executed since the start."""
        return self._processes.executed()

    def _current_id(self) -> int | None:
        return None if self.current is None else self.current.pid

    def _events_changed(self, kind: EventKind) -> None:
        with self._processes.alone():
            self._sources.events_changed(self.current)

    def _deliver(self, message: Message) -> None:
        self.reporter.report(message)

    def _deliver_kept(self, messages: Kept) -> None:
        if takes_many(self.reporter):
            self.reporter.report_messages(messages)
        else:
            for message in messages:
                self.reporter.report(message)

    def _notice(self, text: str, event_id: int | None = None) -> None:
        self.messages.catch_up()
        self.reporter.report(Notice(text, event_id))

    @property
    def callbacks(self) -> Mapping[str, int]:
        """How often machine code has asked Python for something, by what it was; nothing where none is used."""
        return {} if self._carrier is None else self._carrier.engine.callbacks

    def unknown_system_calls(self) -> dict[int, int]:
        """How often each call was made that the kernels do not carry out, since the start."""
        if self._carrier is not None:
            self._carrier.count_answers()
        return self.kernels.unknown_calls()

    def not_emulated(self) -> list[str]:
        """What guests did not get: modes of the processor that they were in at a run's end, files of the system."""
        return self._processes.not_emulated()

    def _counts(self) -> Counts:
        return Counts.of(self.executed, self.registry.ever_registered, self.unknown_system_calls())
