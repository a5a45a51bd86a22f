"""The machine that a session drives: load programs, register events, run, look and write between runs.

Cores are slots for one process each; with several processes the cores take turns of a fixed number of instructions, so
every run is deterministic. Nothing is printed here: everything goes to the `Sinks` the caller gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from machine import kernel as kernels
from machine import msr
from machine.clock import DEFAULT_START, VirtualClock
from machine.cpu import Cpu, StopKind, StopReason
from machine.events.dispatch import Dispatcher, Trigger
from machine.events.registry import Event, Facts, Registry
from machine.events.syscall import SyscallOperation
from machine.host import DebuggerState, GuestHost
from machine.interrupt import InterruptGuard
from machine.kernel import Kernel
from machine.loaders import Image, LoadError, initial_stack
from machine.memory import GuestMemory, MapError, Protection, Quota
from machine.messages import Message, MessageChannel
from machine.process import NAME_BYTES, Core, Process
from machine.root.memory import RootMemory
from vm.engine import Engine, Fault, Loaded
from vm.host import Host
from vm.limits import DEFAULT_LIMITS, Limits
from vm.registers import RFLAGS, RIP, STORAGE_INDEX

FIRST_PROCESS_ID = 0x1000
_PROCESS_ID_STEP = 0x10
_THREAD_ID_OFFSET = 4

TURN = 100_000  # instructions of one core before the next one's turn, and between two looks at the clock

_NOWHERE = 0xFFFF_FFFF_FFFF_FFFF  # an `until` that no program reaches
_INITIAL_FLAGS = 0x202
_BARE_STACK_ROOM = 0x100  # above the first rsp of raw code


class StopCause(Enum):
    """Why `Machine.run` came back."""

    EXIT = "exit"  # the program called exit
    END = "end"  # raw code or a listing ran past its last byte
    HALT = "halt"
    FAULT = "fault"
    INVALID = "invalid instruction"
    UNMAPPED = "unmapped memory"
    BUDGET = "instruction limit"
    TIMEOUT = "timeout"
    STOPPED = "stopped"
    BREAK = "break"
    NOTHING_LOADED = "nothing loaded"


_CAUSES: dict[StopKind, StopCause] = {
    StopKind.REACHED: StopCause.END,
    StopKind.HALT: StopCause.HALT,
    StopKind.FAULT: StopCause.FAULT,
    StopKind.INVALID: StopCause.INVALID,
    StopKind.UNMAPPED: StopCause.UNMAPPED,
}


@dataclass(frozen=True)
class ProcessEnd:
    """How a process ended; `reason` is None after an exit, `exit_code` otherwise."""

    process_id: int
    name: str
    cause: StopCause
    exit_code: int | None
    reason: StopReason | None

    def describe(self) -> str:
        """One line for the user."""
        if self.reason is None:
            return f"{self.name} exited with code {self.exit_code}"
        place = f"{self.name} at {self.reason.rip:#x}"
        if self.reason.kind is StopKind.FAULT:
            return f"{place}: exception {self.reason.vector:#x}"
        if self.reason.kind is StopKind.UNMAPPED:
            return f"{place}: {self.reason.access} of {self.reason.address:#x}, which is not mapped or not allowed"
        return f"{place}: {self.cause.value}"


@dataclass(frozen=True)
class RunSummary:
    """What one `run` did. Counts are of this run only; events that did not trigger are not in `triggers`."""

    cause: StopCause
    instructions: int
    triggers: dict[int, int]
    script_faults: dict[int, int]
    unknown_system_calls: dict[int, int]
    ends: tuple[ProcessEnd, ...]

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that ended last, if it exited."""
        return self.ends[-1].exit_code if self.ends else None


@dataclass
class Sinks:
    """Where a machine sends what happens. `broke` answers whether the run goes on after this trigger."""

    message: Callable[[Message], None] = lambda message: None
    notice: Callable[[str], None] = lambda text: None
    script_fault: Callable[[Event, Fault, Loaded], None] = lambda event, fault, program: None
    broke: Callable[[Trigger], bool] = lambda trigger: False
    guest_output: Callable[[int, bytes], None] = lambda descriptor, data: None


class Machine:
    """One emulated computer. `kernel` is a name of machine.kernel, or None for the one that suits the program."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits = DEFAULT_LIMITS,
        *,
        kernel: str | None = None,
        cores: int = 1,
        sinks: Sinks | None = None,
        start_time: datetime = DEFAULT_START,
    ) -> None:
        self.limits = limits
        self.sinks = Sinks() if sinks is None else sinks
        self.cores = tuple(Core(index) for index in range(cores))
        self.clock = VirtualClock(self._executed, start_time)
        self._kernel_name = kernel
        self._kernels: dict[str, Kernel] = {}
        self._quota = Quota(limits.max_guest_memory)
        root = RootMemory(self._quota)
        self.registry = Registry(Facts(cores, self._process_ids, root.allocate, has_sandbox=False))
        self.messages = MessageChannel(self._deliver)
        self._state = DebuggerState(self.registry, self.messages, self.clock, root, self._notice, self.broke)
        self._dispatcher = Dispatcher(self.registry, engine, self)
        self._current = self.cores[0]
        self._running = False
        self._interrupts = InterruptGuard(self.stop)
        self._stop_cause: StopCause | None = None

    # --- programs

    @property
    def processes(self) -> tuple[Process, ...]:
        """All processes by core, ended ones too."""
        return tuple(core.process for core in self.cores if core.process is not None)

    def load(
        self,
        program: Path | bytes,
        kind: str | None = None,
        *,
        name: str | None = None,
        arguments: Sequence[str] = (),
        environment: Sequence[str] = (),
        base: int | None = None,
        entry: int | None = None,
        process_id: int | None = None,
    ) -> Process:
        """Load a program into the first free core. Raises LoadError; the machine is as before then.

        `kind` is elf, raw or asm; None means: by suffix and first bytes. `arguments` follow the program's own name.
        `base` and `entry` are for raw and asm.
        """
        core = next((core for core in self.cores if core.process is None), None)
        if core is None:
            raise LoadError(f"all {len(self.cores)} cores have a program", "start the machine with more cores")
        name = name or (program.name if isinstance(program, Path) else "program")
        process_id = FIRST_PROCESS_ID + _PROCESS_ID_STEP * core.index if process_id is None else process_id
        if process_id in self._process_ids():
            raise LoadError(f"there is a process with id {process_id:x} already")
        image = read_image(program, kind, base, entry, self.limits)
        kernel = self._kernel(self._kernel_name or image.kernel)
        memory = GuestMemory(self._quota)
        try:
            cpu = _new_cpu(memory, image, kernel, (name, *arguments), environment)
            name_address = self._state.root.allocate(NAME_BYTES + 1)
        except MapError as error:
            memory.release()
            raise LoadError(str(error), "raise --max-guest-memory if the program is right") from None
        except LoadError:
            memory.release()
            raise
        self._state.root.write(name_address, name.encode()[:NAME_BYTES].ljust(NAME_BYTES + 1, b"\0"))
        until = _NOWHERE if image.until is None else image.until
        process = Process(process_id, process_id + _THREAD_ID_OFFSET, name, cpu, image.entry, until, name_address)
        operation = SyscallOperation(kernel)
        cpu.time_stamp = self.clock.time_stamp
        cpu.on_syscall = lambda: self._dispatcher.dispatch(operation, process, core.index)
        core.process = process
        return process

    def _kernel(self, name: str) -> Kernel:
        if name not in self._kernels:
            self._kernels[name] = kernels.create(name, self._guest_output)
        return self._kernels[name]

    # --- running

    def run(self, max_instructions: int | None = None, timeout: float | None = None) -> RunSummary:
        """Let all processes go on until every one has ended or something stops the machine.

        `max_instructions` defaults to the limit of that name; `timeout` is in seconds of real time. What Ctrl-C or a
        sink raises is raised here, with the machine stopped between two blocks.
        """
        if self._running:
            raise RuntimeError("the machine is running: a sink cannot call run")
        budget = self.limits.max_instructions if max_instructions is None else max_instructions
        deadline = None if timeout is None else time.monotonic() + timeout
        before = _Counts.of(self)
        ended = [process for process in self.processes if not process.alive]
        self._running, self._stop_cause = True, None
        try:
            with self._interrupts:
                cause = self._take_turns(self._executed() + budget, deadline)
        finally:
            self._running = False
            self.messages.drain()
        ends = tuple(_end_of(process) for process in self.processes if not process.alive and process not in ended)
        return before.summary(self, cause, ends)

    def stop(self) -> None:
        """End the current run soon. May be called by a sink or by another thread."""
        self._end_run(StopCause.STOPPED)

    def _end_run(self, cause: StopCause) -> None:
        self._stop_cause = cause
        if self._current.process is not None:
            self._current.process.cpu.stop()

    def _take_turns(self, ceiling: int, deadline: float | None) -> StopCause:
        cause = StopCause.NOTHING_LOADED
        while alive := [core for core in self.cores if core.process is not None and core.process.alive]:
            before = self._executed()
            for core in alive:
                if deadline is not None and time.monotonic() >= deadline:
                    return StopCause.TIMEOUT
                end = self._turn(core, min(TURN, ceiling - self._executed()))
                if self._stop_cause is not None:
                    return self._stop_cause
                cause = end or cause
            still_alive = [core for core in alive if core.process is not None and core.process.alive]
            if self._executed() == before and still_alive == alive:
                return StopCause.BUDGET  # no core's next block fits in what is left
        return cause

    def _turn(self, core: Core, budget: int) -> StopCause | None:
        """Let one core run; the cause if its process ended."""
        process = core.process
        assert process is not None
        self._current = core
        reason = process.run(budget)
        if process.exit_code is not None:
            return StopCause.EXIT
        if reason.kind in _CAUSES:
            process.ended = reason
            return _CAUSES[reason.kind]
        return None

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

    # --- what the dispatcher needs (machine.events.dispatch.Surroundings)

    def host_for(self, trigger: Trigger) -> Host:
        """The Host of one script action."""
        return GuestHost(self._state, trigger.process, trigger.core, trigger)

    def script_fault(self, event: Event, fault: Fault, program: Loaded) -> None:
        """Report a script that stopped early."""
        self.sinks.script_fault(event, fault, program)

    def broke(self, trigger: Trigger) -> None:
        """A break action or pause(): ask the user, and end the run after this trigger unless it goes on."""
        with self._interrupts.suspended():
            goes_on = self.sinks.broke(trigger)
        if not goes_on:
            self._end_run(StopCause.BREAK)

    # --- facts

    def _executed(self) -> int:
        return sum(process.cpu.executed for process in self.processes)

    def _process_ids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self.processes)

    def _deliver(self, message: Message) -> None:
        self.sinks.message(message)

    def _notice(self, text: str) -> None:
        self.sinks.notice(text)

    def _guest_output(self, descriptor: int, data: bytes) -> None:
        self.sinks.guest_output(descriptor, data)

    def unknown_system_calls(self) -> dict[int, int]:
        """How often each call was made that the kernels do not know, since the start."""
        totals: dict[int, int] = {}
        for kernel in self._kernels.values():
            for number, count in kernel.unknown_calls.items():
                totals[number] = totals.get(number, 0) + count
        return totals


@dataclass(frozen=True)
class _Counts:
    """The machine's counters at one moment."""

    instructions: int
    triggers: dict[int, int]
    script_faults: dict[int, int]
    system_calls: dict[int, int]

    @classmethod
    def of(cls, machine: Machine) -> _Counts:
        events = machine.registry.ever_registered
        return cls(
            machine._executed(),
            {event.definition.id: event.triggers for event in events},
            {event.definition.id: event.faults for event in events},
            machine.unknown_system_calls(),
        )

    def summary(self, machine: Machine, cause: StopCause, ends: tuple[ProcessEnd, ...]) -> RunSummary:
        """What happened between this moment and now."""
        now = _Counts.of(machine)
        return RunSummary(
            cause,
            now.instructions - self.instructions,
            _increase(self.triggers, now.triggers),
            _increase(self.script_faults, now.script_faults),
            _increase(self.system_calls, now.system_calls),
            ends,
        )


def _increase(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    return {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)}


def _end_of(process: Process) -> ProcessEnd:
    cause = StopCause.EXIT if process.ended is None else _CAUSES[process.ended.kind]
    return ProcessEnd(process.pid, process.name, cause, process.exit_code, process.ended)


def read_image(program: Path | bytes, kind: str | None, base: int | None, entry: int | None, limits: Limits) -> Image:
    """The image of a file or of bytes. Raises LoadError."""
    from machine.loaders import asm, elf, raw

    data = _read_file(program, limits.max_guest_memory) if isinstance(program, Path) else program
    if kind is None:
        listing = isinstance(program, Path) and program.suffix == ".asm"
        kind = "asm" if listing else "elf" if data.startswith(elf.MAGIC) else "raw"
    where = raw.DEFAULT_BASE if base is None else base
    if kind == "elf":
        return elf.load(data)
    if kind == "raw":
        return raw.load(data, where, entry)
    if kind == "asm":
        if len(data) > limits.max_source_bytes:
            raise LoadError(f"the listing is larger than max_source_bytes ({limits.max_source_bytes} bytes)")
        try:
            return asm.load(data.decode("utf-8"), where, entry)
        except UnicodeDecodeError as error:
            raise LoadError(f"the listing is not UTF-8 text (byte {error.start})") from None
    raise LoadError(f"unknown kind of program {kind!r}", "elf, raw and asm are known")


def _read_file(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > largest:
        raise LoadError(f"{path} is larger than max_guest_memory ({largest} bytes)")
    return data


def _new_cpu(
    memory: GuestMemory, image: Image, kernel: Kernel, arguments: Sequence[str], environment: Sequence[str]
) -> Cpu:
    """A CPU with the image, a stack and the kernel's MSRs, stopped at the entry. Raises MapError and LoadError."""
    cpu = Cpu(memory)
    for area in image.areas:
        cpu.map(area.start, area.size, area.protection, area.name)
    for address, data in image.contents:
        cpu.write(address, data)
    top, size = initial_stack.STACK_TOP, initial_stack.STACK_SIZE
    cpu.map(top - size, size, Protection.READ | Protection.WRITE, "stack")
    pointer = top - _BARE_STACK_ROOM
    if image.kernel == "linux":
        stack = initial_stack.build(image, arguments, environment)
        pointer = stack.pointer
        cpu.write(pointer, stack.data)
    cpu.write_msr(msr.STAR, kernel.entry.star)
    cpu.write_msr(msr.LSTAR, kernel.entry.lstar)
    cpu.write_msr(msr.FMASK, kernel.entry.fmask)
    registers = cpu.registers
    registers.write(RIP, image.entry)
    registers.write(RFLAGS, _INITIAL_FLAGS)
    registers.write(STORAGE_INDEX["rsp"], pointer)
    registers.write(STORAGE_INDEX["cs"], (kernel.entry.star >> 48) + 16 | 3)
    registers.write(STORAGE_INDEX["ss"], (kernel.entry.star >> 48) + 8 | 3)
    registers.store()
    return cpu
