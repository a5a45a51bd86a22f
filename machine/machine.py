"""The machine that a session drives: load programs, register events, run, look and write between runs.

Cores are slots; with more processes than cores the processes take turns (machine.schedule.scheduler), so every run is
deterministic, unless the cores run in parallel (machine.schedule). Nothing is printed here: what happens goes to the
`Reporter` of the caller as records (machine.records).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Unpack

from machine import kernel as kernels, native
from machine.children import Ids, Nursery, reset
from machine.events import Dispatcher, Event, Facts, Registry, RootActions, Sources, Trigger
from machine.host import DebuggerState, GuestHost
from machine.kernel import Kernel, KernelObjects, Start
from machine.loaders import Image, LoadError, Placement, read_image
from machine.memory import MapError, PhysicalMemory
from machine.messages import Kept, Message, MessageChannel, PacketRing
from machine.options import MachineOptions, Program, ProgramStart
from machine.processor import USER_LEVEL, Coverage, Cpu, StopKind, StopReason, ThreadRegisters, msr
from machine.records import BulkReporter, CodeFault, GuestOutput, MachineRecord, Notice, Reporter, ScriptFault, Silent
from machine.root import RootMemory, RootSandbox
from machine.schedule import (
    LOCK_TRIES,
    BranchRecording,
    Core,
    Gate,
    ParallelRun,
    Process,
    RunGuard,
    Scheduler,
    Surroundings,
    Thread,
    Timer,
    TooManyProcesses,
    TooManyThreads,
    VirtualClock,
)
from machine.summary import CAUSES, Counts, ProcessEnd, RunSummary, StopCause
from vm import Brake, Engine, Fault, GlobalStore, Host, Loaded, Shareable, Sharing
from vm.facts.events import EventKind, TraceType

__all__ = ["Machine", "MsrError", "ProcessEnd", "RunSummary", "StopCause"]

_KILLED = 128 + 9  # the exit code of a process that is ended from outside
_OWN_MEMORY = 1 << 28  # bytes of kernel objects; and of the machine itself: event buffers, vmx-root stack and code


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
        self.clock = VirtualClock(self._executed, options.start_time)
        self._processes: list[Process] = []
        self._ids = Ids()
        self._scheduler = Scheduler(cores, limits.quantum_instructions, self._placed, self.clock)
        physical = self.physical = PhysicalMemory(limits.max_guest_memory, _OWN_MEMORY, _OWN_MEMORY)
        physical.work.is_ending = self._is_ending
        physical.work.on_used_up = self._work_is_used_up
        self._turned: Callable[[], None] = lambda: None
        self._objects = KernelObjects(physical.kernel, options.build, cores)
        self.watcher: kernels.Watcher = kernels.unwatched  # hears of signals and ends, as the kernels tell of them
        services = kernels.Services(
            self._guest_output, self.clock, options.build.number, limits, options.world, physical.work,
            lambda happening: self.watcher(happening),
        )  # fmt: skip
        self._kernels = kernels.Kernels(services, self._objects, options.kernel)
        self._shown = self._objects.size  # of the kernel memory that is in every process
        root = RootMemory(physical.own)
        facts = Facts(
            cores,
            self._process_ids,
            self._current_id,
            self._is_mapped,
            physical.has,
            root.allocate_pages,
            self._events_changed,
        )
        self.registry = Registry(facts)
        ring = PacketRing(limits.max_packets) if options.emulate_message_loss else None
        self.messages = MessageChannel(
            self._deliver, self._deliver_kept, packet_bytes=limits.max_packet_bytes, ring=ring
        )
        self.branches = BranchRecording(lambda: self._processes)
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
        self._gate = Gate(self._call_in) if options.parallel and cores > 1 else None
        self._parallel: ParallelRun | None = None  # under way
        self._brake = Brake()
        if isinstance(engine, Shareable):
            engine.sharing = self._sharing()
        budget, time_stamp = limits.max_root_instructions, self.clock.time_stamp
        made = [
            RootSandbox(root, physical.own, budget, time_stamp, store, self._gate, self._brake)
            for _ in range(1 if self._gate is None else cores)
        ]
        self._sandboxes = made if len(made) == cores else made * cores
        dispatcher = Dispatcher(self.registry, engine, self, RootActions(self._sandboxes), options.measure_times)
        outside = () if self._gate is None else self._gate.outside
        self._carrier = native.carrier_for(
            engine,
            self._state,
            self,
            dispatcher,
            self._sandboxes,
            outside,
            not options.prompt_messages,
            options.measure_times,
        )
        timer = None if options.timer is None else Timer(self.clock, options.timer)
        self._sources = Sources(self.registry, dispatcher, self._scheduler, timer, self._notice, self._carrier)
        self._state.inject = self._sources.inject
        self._current = self.cores[0]
        self._meant: Process | None = None
        self._running = False
        self._pause_at: int | None = None
        self.paused = False  # the last run came to `pause_at`, or to the last block in front of it
        self.between_turns: Callable[[], None] = lambda: None  # in a run
        self.taken_in: Callable[[Process], None] = lambda process: None  # a process counts from now on
        self._not_emulated: set[str] = set()
        self._leaving: list[Process] = []  # whose place others have taken
        self._ends: list[ProcessEnd] = []  # of processes that are gone, in this run
        self._executed_before = 0  # by processes that are gone
        self._nursery = Nursery(
            limits,
            physical,
            self._objects,
            lambda: (process for process in self._processes if process.alive),
            self._ids,
            [] if options.record_blocks else None,
        )
        self._guard = RunGuard(self.stop, lambda: self._end_run(StopCause.TIMEOUT), self._pull_brake)
        self._guard_outside_runs: RunGuard | None = None
        self._ready: dict[tuple[str, int], Cpu] = {}  # of kernel and level: for the next program
        self._stop_cause: StopCause | None = None

    # --- programs

    @property
    def cores(self) -> tuple[Core, ...]:
        """The slots, with the process that each runs or ran last."""
        return self._scheduler.cores

    @property
    def processes(self) -> tuple[Process, ...]:
        """All processes in the order they were loaded, ended ones too."""
        return tuple(self._processes)

    @property
    def coverages(self) -> tuple[tuple[Process, Coverage], ...]:
        """The code that each process has executed, with `record_blocks`; a program by exec is one more."""
        return tuple(self._nursery.coverages or ())

    @property
    def current(self) -> Process | None:
        """The process that commands act on."""
        return self._current.process if self._meant is None else self._meant

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
        self._current = self._scheduler.switch(self._current, process)
        if thread is not None:
            process.switch_to(thread)

    def load(
        self, program: Program | str | Path | bytes, kind: str | None = None, **named: Unpack[ProgramStart]
    ) -> Process:
        """Load a program as a new process; it waits if every core has one. Raises LoadError; nothing is loaded then.

        `kind` and `named` are other fields of `Program`.
        """
        given = Program.of(program, kind, **named)
        name, process_id = given.process_name, given.process_id
        if process_id is None:
            process_id = self._ids.of_program(len(self._processes))
        if process_id in self._process_ids():
            raise LoadError(f"there is a process with id {process_id:x} already")
        world = self.options.world
        placement = Placement(
            given.base, given.entry, given.ring, self.limits, self._program_file, None if world is None else world.root,
            given.content if isinstance(given.content, Path) else None, tuple(given.modules),
        )  # fmt: skip
        image = read_image(given.content, given.kind, placement)
        try:
            kernel = self._kernels.get(image.kernel)
            cpu = self._ready.pop((kernel.name, image.level), None) or self._nursery.cpu(image.level)
        except MapError as error:
            raise LoadError.beyond(error.limit, str(error)) from None
        try:
            process = self._nursery.first(cpu, process_id, name, image, kernel.entry.name_bytes, maker=self)
            self._show_kernel_memory(process)
            kernel.new_process(process, Start(image, (name, *given.arguments), given.environment, given.file))
        except MapError as error:
            cpu.memory.release()
            raise LoadError.beyond(error.limit, str(error)) from None
        except LoadError:
            cpu.memory.release()
            raise
        reset(process, kernel)
        self._objects.set_user_blocks(process.objects, process.peb, process.teb)
        self._objects.enlist(process.objects)
        self._take_in(process, kernel)
        return process

    def make_ready(self, kernel: str) -> None:
        """Make beforehand what the next program of user mode for this kernel needs, whatever it is.

        Raises machine.memory.MapError. All is as if it were made when the program is loaded, if it is one.
        """
        made = self._kernels.get(kernel)
        made.make_ready()
        self._ready[made.name, USER_LEVEL] = self._nursery.cpu(USER_LEVEL)
        if self._carrier is not None:
            self._carrier.make_ready(made)

    def _take_in(self, process: Process, kernel: Kernel, before: Process | None = None) -> None:
        """Let a process count from now on; it comes in the place of the one `before`, or is a new one."""
        process.cpu.exceptions.open_vectors = kernel.entry.open_vectors
        process.cpu.time_stamp.read = self.clock.time_stamp
        seed = 0 if self.options.world is None else self.options.world.seed
        process.cpu.random_numbers.seed(f"{seed} {process.pid:x} {process.name!a}")
        if self._gate is None:
            process.cpu.time_stamp.share_clock(self.clock.cells_address, self._executed)
        else:
            process.cpu.gate = self._gate
        self._processes.append(process)
        self.branches.include(process)
        if before is None:
            self._scheduler.add(process)
        else:
            self._scheduler.succeed(before, process)
        self._sources.attach(process, kernel, self.current)
        self.taken_in(process)

    def guest_file(self, path: str) -> bytes:
        """A file that Linux guests see. Raises LoadError."""
        return self._kernels.get("linux").guest_file(path.encode("utf-8", "surrogateescape"))

    def _program_file(self, path: bytes) -> bytes:
        """A program of the guest's that another one needs to start."""
        return self._kernels.get("linux").program_file(path)

    def _show_kernel_memory(self, *new: Process) -> None:
        """Let all processes have all kernel memory."""
        self._shown = self._objects.size
        for process in (*self._processes, *new):
            self._objects.show_in(process.cpu.memory)

    def _placed(self, process: Process) -> None:
        """A process comes to a core: kernel mode finds the core's block behind GS, and the running thread in it."""
        cpu = process.cpu
        process.processor_block = self._objects.run_on(process.core, process.thread.objects)
        in_kernel = self._objects.is_processor_block(cpu.read_msr(msr.GS_BASE))  # behind SWAPGS
        cpu.write_msr(msr.GS_BASE if in_kernel else msr.KERNEL_GS_BASE, process.processor_block)
        cpu.write_msr(msr.TSC_AUX, process.core)
        self._sources.placed(process)

    # --- processes that processes make (machine.schedule.Maker)

    def fork(self, process: Process, registers: ThreadRegisters, *, shares_memory: bool) -> Process:
        """A process with the same memory, or the same contents, and one thread. Raises TooManyProcesses."""
        kernel = self._kernels.get(process.image.kernel)
        with self._alone():
            child = self._nursery.fork(process, registers, shares_memory, kernel.entry.name_bytes)
            try:
                self._show_kernel_memory(child)
            except MapError:
                self._close(child)
                raise TooManyProcesses from None
            self._objects.enlist(child.objects)
            self._take_in(child, kernel)
        return child

    def prepare_successor(self, process: Process, image: Image, name: str) -> Process:
        """What is to execute another program in the place of a process. Raises machine.memory.MapError."""
        return self._nursery.successor(process, image, name)

    def succeed(self, process: Process, successor: Process) -> None:
        """Let the successor take the process's place."""
        kernel = self._kernels.get(successor.image.kernel)
        with self._alone():
            for thread in process.threads:
                if thread is not process.thread:
                    self._objects.remove_thread(thread.objects)
            self._objects.rename(process.objects, successor.name, kernel.entry.name_bytes)
            process.successor = successor
            process.cpu.stop()
            self._leaving.append(process)
            reset(successor, kernel)
            self._take_in(successor, kernel, before=process)

    def abandon(self, successor: Process) -> None:
        """A successor is not needed after all."""
        self._close(successor)

    def _see_off(self) -> None:
        """Let go of processes that have ended, or whose place others have taken, but for those that users loaded."""
        if all(process.alive or process.loaded is None for process in self._processes) and not self._leaving:
            return
        with self._alone():
            in_turn = self._scheduler.in_turn
            for process in [each for each in self._processes if not each.alive and each not in in_turn]:
                if process.successor is not None:
                    self._leaving.remove(process)
                    self._detach(process)
                elif process.loaded is not None:
                    self._ends.append(ProcessEnd.of(process))
                    self._objects.remove_process(process.objects)
                    self._detach(process)

    def _detach(self, process: Process) -> None:
        self._executed_before += process.cpu.executed
        self._not_emulated.update(process.cpu.not_emulated())
        self._processes.remove(process)
        self._scheduler.leave(process)
        self._sources.detach(process)
        if self._carrier is not None:
            self._carrier.forget(process)
        self._close(process)

    def _close(self, process: Process) -> None:
        """Give back the memory of a process and its CPU."""
        memory = process.cpu.memory
        process.cpu.close()
        if all(other.cpu.memory is not memory for other in self._processes):
            memory.release()

    # --- threads (machine.schedule.Maker)

    def make(self, process: Process, registers: ThreadRegisters) -> Thread:
        """A thread that is to run with these registers. Raises TooManyThreads."""
        if sum(not thread.ended for thread in process.threads) >= self.limits.max_threads:
            raise TooManyThreads
        thread_id = self._ids.of_thread()
        try:
            objects = self._objects.add_thread(process.objects, process.pid, thread_id)
            if self._objects.size != self._shown:
                with self._alone():
                    self._show_kernel_memory()
        except MapError:
            raise TooManyThreads from None
        self._ids.take(thread_id)
        return Thread(process, thread_id, objects, saved=registers)

    def release(self, thread: Thread) -> None:
        """A thread has ended."""
        self._objects.remove_thread(thread.objects)

    def switched(self, process: Process) -> None:
        """Another thread has the CPU of a process."""
        self._placed(process)

    def prepare(self, process: Process) -> bool:
        """Before a step: whether a thread of the process, which has its CPU then, can run."""
        return process.alive and self._scheduler.prepare(process)

    # --- running

    def run(self, max_instructions: int | None = None, timeout: float | None = None) -> RunSummary:
        """Let all processes go on until every one has ended or something stops the machine.

        `max_instructions` defaults to the limit of that name; `timeout` is in seconds of real time, without that in
        `goes_on`. What Ctrl-C or a reporter raises is raised here, with the machine stopped between two blocks.
        """
        if self._running:
            raise RuntimeError("the machine is running: a callback, a loop's body or a reporter cannot call run")
        budget = self.limits.max_instructions if max_instructions is None else max_instructions
        before = self._counts()
        ended = [process for process in self._processes if not process.alive]
        self._running, self._stop_cause, self.paused = True, None, False
        self._ends.clear()
        self.physical.work.begin(self.limits.max_kernel_work)
        try:
            with self._guard.guarding(timeout):
                if self._gate is None:
                    cause = self._take_turns(self._executed() + budget)
                else:
                    cause = self._run_in_parallel(self._gate, budget)
        finally:
            self._running = False
            self._brake.release()
            self.messages.drain()
            self._not_emulated.update(name for process in self._processes for name in process.cpu.not_emulated())
        self._kernels.put_back()
        self._see_off()
        ends = [ProcessEnd.of(process) for process in self._processes if not process.alive and process not in ended]
        return before.summary(self._counts(), cause, (*self._ends, *ends))

    def suspended(self) -> AbstractContextManager[None]:
        """A stretch of a run that does not count as its time, and in which Ctrl-C does what it does outside."""
        return self._guard.suspended()

    @property
    def pause_at(self) -> int | None:
        """The count of `executed` that no run goes beyond; it ends in front of the block that would. None: none.

        Whoever ran last has the CPU then, in the middle of its turn. Not for cores in parallel.
        """
        return self._pause_at

    @pause_at.setter
    def pause_at(self, count: int | None) -> None:
        self._pause_at = count
        process = self._current.process
        if count is not None and self._running and process is not None:
            process.end_turn_within(max(0, count - self._executed()))

    def go_on_with_turns(self) -> None:
        """From now on a halt does not end a turn: what is executed does not depend on where runs have halted."""
        self._scheduler.goes_on_with_turns = True

    def _left(self, ceiling: int) -> int:
        pause = self._pause_at
        return (ceiling if pause is None else min(ceiling, pause)) - self._executed()

    def stop(self) -> None:
        """End the current run soon. May be called by a reporter or by another thread."""
        self._end_run(StopCause.STOPPED)

    def _end_run(self, cause: StopCause) -> None:
        core = None if self._gate is None else self._gate.core
        if self._stop_cause is None and core is not None:
            self._current = self.cores[core]
        self._stop_cause = self._stop_cause or cause
        self._stop_processors()

    @contextmanager
    def guarding(self, timeout: float | None) -> Iterator[None]:
        """A script or a step outside runs, which ends at Ctrl-C and after so many seconds of real time, as a run does.

        Raises KeyboardInterrupt behind it if Ctrl-C ended it.
        """
        guard = RunGuard(self._pull_brake, self._pull_brake)
        outer, self._guard_outside_runs = self._guard_outside_runs, guard
        try:
            with guard.guarding(timeout):
                yield
        finally:
            self._guard_outside_runs = outer
            self._brake.release()

    def _pull_brake(self) -> None:
        """End the scripts, conditions and code blocks that are under way."""
        self._brake.pull()
        for sandbox in self._sandboxes:
            sandbox.interrupt()

    def _is_ending(self) -> bool:
        is_over = self._running and self._stop_cause is not None  # the cause stays behind a run
        return is_over or self._brake.is_pulled

    def _work_is_used_up(self) -> None:
        if self._running:
            self._end_run(StopCause.KERNEL_WORK)

    def watch_turns(self, watch: Callable[[], None]) -> None:
        """Call this between turns, by one core at a time; `longest_turn` says how far these are apart at the most."""
        self._turned = watch

    @property
    def longest_turn(self) -> int:
        """Instructions of a turn that nobody waits for the end of: one quantum, or more."""
        return self._scheduler.most_alone

    @longest_turn.setter
    def longest_turn(self, instructions: int) -> None:
        self._scheduler.limit_turns(instructions)

    def _stop_processors(self) -> None:
        for process in self._processes:
            process.cpu.stop()

    def _take_turns(self, ceiling: int) -> StopCause:
        cause = StopCause.NOTHING_LOADED
        for core in self.cores:
            self._scheduler.end_turn_of(core)
        while alive := [process for process in self._processes if process.alive]:
            self._see_off()
            self.between_turns()
            before, turns, exhausted = self._executed(), 0, True
            for core in self.cores:
                process = core.process
                if process is not None and process.alive:
                    if self._scheduler.prepare(process):
                        turns += 1
                        self._current = core
                        reason = self._turn(process, self._left(ceiling))
                        pause = self._pause_at
                        if pause is not None and reason.kind is StopKind.BUDGET:
                            self.paused = process.is_cut(pause - self._executed())
                        cause = self._end_turn(process, reason) or cause
                        self.messages.catch_up()
                        self._turned()
                        exhausted = exhausted and reason.kind is StopKind.BUDGET
                    elif not process.alive:
                        cause = StopCause.EXIT  # behind a wait
                if self._stop_cause is not None:
                    return self._stop_cause
                if self.paused:
                    return StopCause.STOPPED
                self._scheduler.rotate(core)
            still_alive = [process for process in self._processes if process.alive]
            if still_alive != alive:
                continue
            if not turns:
                if not self._scheduler.await_earliest():
                    if any(process.loaded is None for process in still_alive):
                        return StopCause.DEADLOCK
                    self._abandon_waiting()
            elif exhausted and self._executed() == before:
                return StopCause.BUDGET  # no core's next block fits in what is left
        return cause

    def _abandon_waiting(self) -> None:
        """What users have loaded has ended, and what that has left behind waits for ever: nobody waits for it."""
        for process in [process for process in self._processes if process.alive]:
            process.exit(_KILLED)

    def _turn(self, process: Process, budget: int) -> StopReason:
        """Let one process run."""
        self._begin_turn(process)
        return self._scheduler.turn(process, budget)

    def _begin_turn(self, process: Process) -> None:
        if self._carrier is not None:
            self._carrier.begin_turn(process)

    def _end_turn(self, process: Process, reason: StopReason) -> StopCause | None:
        """The cause if the process has ended."""
        if process.exit_code is not None:
            return StopCause.EXIT if process.loaded is None else None
        stays = process.thread.ended or process.thread.waiting is not None  # also where the program's end comes next
        if reason.kind in CAUSES and not stays:
            process.break_down(reason)
            if process.loaded is None:
                return CAUSES[reason.kind]
            self._notice(f"process {process.pid:x}: {ProcessEnd.of(process).describe()}")
        return None

    # --- cores in parallel

    def _run_in_parallel(self, gate: Gate, budget: int) -> StopCause:
        cause = StopCause.NOTHING_LOADED

        def end_turn(process: Process, reason: StopReason) -> None:
            nonlocal cause
            cause = self._end_turn(process, reason) or cause
            self._see_off()
            self.messages.catch_up()  # before the process says more on another core
            self._turned()

        surroundings = Surroundings(
            processes=lambda: self._processes,
            begin_turn=self._begin_turn,
            end_turn=end_turn,
            is_over=lambda: self._stop_cause is not None,
            stop=self._stop_processors,
        )
        self._parallel = run = ParallelRun(self._scheduler, gate, surroundings, budget)
        try:
            run.run()
        finally:
            self._parallel = None
        if self._stop_cause is None and run.out_of_budget:
            return StopCause.BUDGET
        if self._stop_cause is None and run.deadlock:
            if any(process.alive and process.loaded is None for process in self._processes):
                return StopCause.DEADLOCK
            self._abandon_waiting()
        return self._stop_cause or cause

    def _call_in(self, index: int) -> None:
        for process in self._scheduler.in_turn:
            if process.core == index:
                process.cpu.stop()

    def _sharing(self) -> Sharing:
        """How the scripts of this machine get along."""
        if self._gate is None:
            return Sharing(brake=self._brake)
        return Sharing(self._gate, LOCK_TRIES, self._waits_for_lock, self._brake)

    def _waits_for_lock(self, rounds: int) -> bool:
        return self._parallel is not None and self._parallel.waits_for_lock(rounds)

    def _alone(self) -> AbstractContextManager[None]:
        """A stretch in which no core runs but the one that asks."""
        return nullcontext() if self._gate is None else self._gate.alone()

    # --- between runs

    def host_for_commands(self) -> GuestHost:
        """The Host of `?`, `print` and their kin: outside events, on the core that ran last."""
        return GuestHost(self._state, self._current.process, self._current.index)

    def read_memory(self, address: int, size: int) -> bytes | None:
        """Memory as the commands see it: `size` bytes, or None."""
        return self.host_for_commands().read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> bool:
        """Write memory as the commands do; nothing is written when a byte is not mapped."""
        return self.host_for_commands().write_memory(address, data)

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
        with self._alone():
            if self._parallel is None:
                self._ask_user(trigger)
            elif self._stop_cause is None:
                self._current = self.cores[trigger.core]
                self._parallel.ask(lambda: self._ask_user(trigger))
            else:  # another core was faster
                self._notice(f"event {trigger.event.definition.id:x} broke on core {trigger.core:x} as the run ended")

    def _ask_user(self, trigger: Trigger) -> None:
        self.messages.read()
        step = self._guard_outside_runs
        with self._guard.suspended(), nullcontext() if step is None else step.suspended():
            self._brake.release()
            goes_on = self.goes_on(trigger)
        if not goes_on:
            self._end_run(StopCause.BREAK)

    # --- facts

    @property
    def executed(self) -> int:
        """The instructions that all processes have executed since the start."""
        return self._executed()

    def _executed(self) -> int:
        return self._executed_before + sum(map(self._executed_by, self._processes))

    def _executed_by(self, process: Process) -> int:
        """The instructions of a process: exactly, but while it is in machine code on another core."""
        gate = self._gate
        outside = gate is not None and process in self._scheduler.in_turn and process.core in gate.outside
        return process.cpu.entered if outside else process.cpu.executed

    def _process_ids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    def _current_id(self) -> int | None:
        return None if self.current is None else self.current.pid

    def _is_mapped(self, process_id: int, first: int, last: int) -> bool:
        return any(
            process.cpu.memory.is_mapped(first, last + 1) or process.is_planned(first, last)
            for process in self._processes
            if process.pid == process_id
        )

    def _events_changed(self, kind: EventKind) -> None:
        with self._alone():
            self._sources.events_changed(self.current)

    def _deliver(self, message: Message) -> None:
        self.reporter.report(message)

    def _deliver_kept(self, messages: Kept) -> None:
        if isinstance(self.reporter, BulkReporter):
            self.reporter.report_messages(messages)
        else:
            for message in messages:
                self.reporter.report(message)

    def _notice(self, text: str, event_id: int | None = None) -> None:
        self.messages.catch_up()
        self.reporter.report(Notice(text, event_id))

    def _guest_output(self, descriptor: int, data: bytes) -> None:
        self.messages.catch_up()
        self.reporter.report(GuestOutput(descriptor, data))

    def system_call_name(self, number: int) -> str:
        """The name of a call in the summary: the first kernel's that knows it, else the number in hexadecimal."""
        return self._kernels.call_name(number)

    def name_of_call(self, number: int) -> str | None:
        """The name of a system call; None where no kernel of these processes knows it."""
        return self._kernels.known_call_name(number)

    def thread_name(self, thread: Thread) -> str:
        """What a thread is called, as its process where it has no name of its own."""
        return self._kernels.thread_name(thread)

    def thread_id(self, thread: Thread) -> int:
        """The id by which its program knows a thread: on Linux that of the process for its first one."""
        return self._kernels.thread_id(thread)

    def file_at(self, thread: Thread, number: int) -> bytes | None:
        """Where a descriptor of a thread leads, as /proc shows it; None where that is not known."""
        return self._kernels.file_at(thread, number)

    @property
    def callbacks(self) -> Mapping[str, int]:
        """How often machine code has asked Python for something, by what it was; nothing where none is used."""
        return {} if self._carrier is None else self._carrier.engine.callbacks

    def unknown_system_calls(self) -> dict[int, int]:
        """How often each call was made that the kernels do not carry out, since the start."""
        if self._carrier is not None:
            self._carrier.count_answers()
        return self._kernels.unknown_calls()

    def not_emulated(self) -> list[str]:
        """What guests did not get: modes of the processor that they were in at a run's end, files of the system."""
        return [*sorted(self._not_emulated), *self._kernels.missing_files()]

    def reached_limits(self) -> list[str]:
        """The names of the limits on files that refused something to a guest, in order."""
        return self._kernels.reached_limits()

    def _counts(self) -> Counts:
        return Counts.of(self._executed(), self.registry.ever_registered, self.unknown_system_calls())
