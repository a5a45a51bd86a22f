"""The processes of one machine, and what they share: physical memory, the clock, cores, kernel stand-ins.

Users load programs as processes; processes make others, threads, and what executes another program in their place. What
follows them, as the sources of events do, is told when they come, are placed on cores, and go.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from machine.children import Ids, Nursery, reset
from machine.kernel import KeptOutput, Kernel, KernelObjects, Kernels, Services, Start, Watcher
from machine.loaders import Image, LoadError, Placement, read_image
from machine.memory import MapError, PhysicalMemory
from machine.options import MachineOptions, Program
from machine.processor import USER_LEVEL, Cpu, ThreadRegisters, msr
from machine.schedule import (
    BranchRecording,
    Process,
    Scheduler,
    Thread,
    TooManyProcesses,
    TooManyThreads,
    VirtualClock,
    gate,
)
from machine.script_programs import interpreted
from machine.summary import ProcessEnd

if TYPE_CHECKING:
    from machine.processor import Coverage

_OWN_MEMORY = 1 << 28  # bytes of kernel objects; and of the machine itself: event buffers, vmx-root stack and code


class Surroundings(msgspec.Struct, frozen=True):
    """What processes need of the machine: `write` takes what they print, `tell` hears of signals and ends.

    `output` has what machine code has taken of what they print.
    `joined` is called for each process that counts from now on, `placed` when one, or another thread of it, comes to a
    core, `left` when one is gone, before its CPU is.
    """

    write: Callable[[int, bytes], None]
    tell: Watcher
    joined: Callable[[Process, Kernel], None]
    placed: Callable[[Process], None]
    left: Callable[[Process], None]
    output: KeptOutput


class Processes:
    """A `machine.schedule.Maker` of processes and threads. There is a `gate` where cores run at the same time."""

    def __init__(self, options: MachineOptions, surroundings: Surroundings) -> None:
        self._options, self._limits, self._machine = options, options.limits, surroundings
        limits, build, cores = options.limits, options.build, options.cores
        self.gate = gate.Gate(self._call_in) if options.parallel and cores > 1 else None
        self.all: list[Process] = []  # in the order in which they came; ended ones, too, that users have loaded
        self.ends: list[ProcessEnd] = []  # of those that are gone; a run begins it anew
        self._executed_before = 0  # by those that are gone
        self._leaving: list[Process] = []  # whose place others have taken
        self._ids = Ids()
        self.clock = VirtualClock(self.executed, options.start_time)
        self.scheduler = Scheduler(cores, limits.quantum_instructions, self.switched, self.clock)
        self.physical = PhysicalMemory(limits.max_guest_memory, _OWN_MEMORY, _OWN_MEMORY)
        self._objects = KernelObjects(self.physical.kernel, build, cores)
        services = Services(
            surroundings.write, self.clock, build.number, limits, options.world, self.physical.work, surroundings.tell,
            surroundings.output,
        )  # fmt: skip
        self.kernels = Kernels(services, self._objects, options.kernel)
        self._shown = self._objects.size  # of the kernel memory that is in every process
        self.branches = BranchRecording(lambda: self.all)
        self._not_emulated: set[str] = set()
        self._ready: dict[tuple[str, int], Cpu] = {}  # of kernel and level: for the next program
        self._nursery = Nursery(
            limits,
            self.physical,
            self._objects,
            lambda: (process for process in self.all if process.alive),
            self._ids,
            [] if options.record_blocks else None,
        )

    # --- facts

    @property
    def alive(self) -> list[Process]:
        """Those that have not ended."""
        return [process for process in self.all if process.alive]

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all, ended ones, too."""
        return tuple(process.pid for process in self.all)

    @property
    def coverages(self) -> tuple[tuple[Process, Coverage], ...]:
        """The code that each process has executed, with `record_blocks`; a program by exec is one more."""
        return tuple(self._nursery.coverages or ())

    def executed(self) -> int:
        """The instructions that all have executed since the start."""
        return self._executed_before + sum(map(self._executed_by, self.all))

    def _executed_by(self, process: Process) -> int:
        """The instructions of a process: exactly, but while it is in machine code on another core."""
        cores = self.gate
        outside = cores is not None and process in self.scheduler.in_turn and process.core in cores.outside
        return process.cpu.entered if outside else process.cpu.executed

    def has_mapped(self, process_id: int, first: int, last: int) -> bool:
        """Whether the process of this id has all of these addresses, or is going to have a library there."""
        return any(
            process.cpu.memory.is_mapped(first, last + 1) or process.is_planned(first, last)
            for process in self.all
            if process.pid == process_id
        )

    def not_emulated(self) -> list[str]:
        """What guests did not get: modes of the processor that they were in at a run's end, files of the system."""
        return [*sorted(self._not_emulated), *self.kernels.missing_files()]

    def look_at_modes(self) -> None:
        """A run has ended: note the modes of the processor that are not emulated."""
        self._not_emulated.update(name for process in self.all for name in process.cpu.not_emulated())

    def _call_in(self, core: int) -> None:
        """Have a core that is in machine code come in soon."""
        for process in self.scheduler.in_turn:
            if process.core == core:
                process.cpu.stop()

    def alone(self) -> AbstractContextManager[None]:
        """A stretch in which no core runs but the one that asks."""
        return nullcontext() if self.gate is None else self.gate.alone()

    # --- programs that users load

    def load(self, given: Program) -> Process:
        """As `Machine.load`."""
        name, process_id = given.process_name, given.process_id
        if process_id is None:
            process_id = self._ids.of_program(len(self.all))
        if process_id in self.ids:
            raise LoadError(f"there is a process with id {process_id:x} already")
        world = self._options.world
        given, scripts = interpreted(given, self._options, self.kernels)
        placement = Placement(
            given.base, given.entry, given.ring, self._limits, self._program_file,
            None if world is None else world.root, given.content if isinstance(given.content, Path) else None,
            tuple(given.modules),
        )  # fmt: skip
        image = read_image(given.content, given.kind, placement)
        try:
            kernel = self.kernels.get(image.kernel)
            cpu = self._ready.pop((kernel.name, image.level), None) or self._nursery.cpu(image.level)
        except MapError as error:
            raise LoadError.beyond(error.limit, str(error)) from None
        try:
            process = self._nursery.first(cpu, process_id, name, image, kernel.entry.name_bytes, maker=self)
            self._show_kernel_memory(process)
            start = Start(image, (name, *given.arguments), given.environment, given.file)
            if scripts is not None:
                start = Start(image, given.arguments, given.environment, None, *scripts)
            kernel.new_process(process, start)
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

    def make_ready(self, kernel: Kernel) -> None:
        """Make beforehand what the next program of user mode for this kernel needs. Raises MapError."""
        self.physical.begin_small()
        kernel.make_ready()
        self._ready[kernel.name, USER_LEVEL] = self._nursery.cpu(USER_LEVEL)

    def _program_file(self, path: bytes) -> bytes:
        """A program of the guest's that another one needs to start."""
        return self.kernels.get("linux").program_file(path)

    def _take_in(self, process: Process, kernel: Kernel, before: Process | None = None) -> None:
        """Let a process count from now on; it comes in the place of the one `before`, or is a new one."""
        process.cpu.exceptions.open_vectors = kernel.entry.open_vectors
        process.cpu.time_stamp.read = self.clock.time_stamp
        seed = 0 if self._options.world is None else self._options.world.seed
        process.cpu.random_numbers.seed(f"{seed} {process.pid:x} {process.name!a}")
        if self.gate is None:
            process.cpu.time_stamp.share_clock(self.clock.cells_address, self.executed)
        else:
            process.cpu.gate = self.gate
        self.all.append(process)
        self.branches.include(process)
        if before is None:
            self.scheduler.add(process)
        else:
            self.scheduler.succeed(before, process)
        self._machine.joined(process, kernel)

    def _show_kernel_memory(self, *new: Process) -> None:
        """Let all processes have all kernel memory."""
        self._shown = self._objects.size
        for process in (*self.all, *new):
            self._objects.show_in(process.cpu.memory)

    # --- processes that processes make (machine.schedule.Maker)

    def fork(self, process: Process, registers: ThreadRegisters, *, shares_memory: bool) -> Process:
        """A process with the same memory, or the same contents, and one thread. Raises TooManyProcesses."""
        kernel = self.kernels.get(process.image.kernel)
        with self.alone():
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
        kernel = self.kernels.get(successor.image.kernel)
        with self.alone():
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

    def see_off(self) -> None:
        """Let go of processes that have ended, or whose place others have taken, but for those that users loaded."""
        if all(process.alive or process.loaded is None for process in self.all) and not self._leaving:
            return
        with self.alone():
            in_turn = self.scheduler.in_turn
            for process in [each for each in self.all if not each.alive and each not in in_turn]:
                if process.successor is not None:
                    self._leaving.remove(process)
                    self._detach(process)
                elif process.loaded is not None:
                    self.ends.append(ProcessEnd.of(process))
                    self._objects.remove_process(process.objects)
                    self._detach(process)

    def _detach(self, process: Process) -> None:
        self._executed_before += process.cpu.executed
        self._not_emulated.update(process.cpu.not_emulated())
        self.all.remove(process)
        self.scheduler.leave(process)
        self._machine.left(process)
        self._close(process)

    def _close(self, process: Process) -> None:
        """Give back the memory of a process and its CPU."""
        memory = process.cpu.memory
        process.cpu.close()
        if all(other.cpu.memory is not memory for other in self.all):
            memory.release()

    # --- threads (machine.schedule.Maker)

    def make(self, process: Process, registers: ThreadRegisters) -> Thread:
        """A thread that is to run with these registers. Raises TooManyThreads."""
        if sum(not thread.ended for thread in process.threads) >= self._limits.max_threads:
            raise TooManyThreads
        thread_id = self._ids.of_thread()
        try:
            objects = self._objects.add_thread(process.objects, process.pid, thread_id)
            if self._objects.size != self._shown:
                with self.alone():
                    self._show_kernel_memory()
        except MapError:
            raise TooManyThreads from None
        self._ids.take(thread_id)
        return Thread(process, thread_id, objects, saved=registers)

    def release(self, thread: Thread) -> None:
        """A thread has ended."""
        self._objects.remove_thread(thread.objects)

    def switched(self, process: Process) -> None:
        """A process comes to a core, or another thread has its CPU.

        Kernel mode finds the core's block behind GS, and the running thread in it.
        """
        cpu = process.cpu
        process.processor_block = self._objects.run_on(process.core, process.thread.objects)
        in_kernel = self._objects.is_processor_block(cpu.read_msr(msr.GS_BASE))  # behind SWAPGS
        cpu.write_msr(msr.GS_BASE if in_kernel else msr.KERNEL_GS_BASE, process.processor_block)
        cpu.write_msr(msr.TSC_AUX, process.core)
        self._machine.placed(process)
