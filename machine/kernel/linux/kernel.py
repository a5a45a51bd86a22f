"""The model itself: makes processes, reads the arguments of their calls, and turns results into rax."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from machine.kernel.base import (
    Services,
    Start,
    enter_user_mode,
    general_values,
    map_stack,
    set_stack_pointer,
    user_values,
)
from machine.kernel.entry import LINUX, EntryPoint
from machine.kernel.happenings import Answered, Requested
from machine.kernel.linux import family, interfaces, proc, seccomp, signal_frame, signals, tracing, vdso
from machine.kernel.linux.calling_conventions import INT80, SYSCALL, CallingConvention, call_name
from machine.kernel.linux.calls import HOMES
from machine.kernel.linux.errors import Errno, LinuxError, Refused, WouldWait
from machine.kernel.linux.file_system import FileSystem
from machine.kernel.linux.futexes import Futexes
from machine.kernel.linux.names import NAMES_386
from machine.kernel.linux.paths import AT_FDCWD, Place
from machine.kernel.linux.quick import QUICK_CALLS
from machine.kernel.linux.refused import REFUSED
from machine.kernel.linux.resource_limits import FSIZE
from machine.kernel.linux.robust_locks import leave_locks
from machine.kernel.linux.sockets import Network
from machine.kernel.linux.space import USER_SPACE, Layout, UserSpace, stack_size
from machine.kernel.linux.system_v import SystemV
from machine.kernel.linux.task import INIT_ID, NANOSECONDS, SIGTRAP, Location, Mode, Program, Task, ThreadGroup
from machine.kernel.linux.tree import World
from machine.kernel.outcomes import AGAIN, Again, Calls, Result, Wait, again, always
from machine.kernel.quick import CallerCells, QuickCall
from machine.loaders import MAPPINGS_TOP, LoadError, Placement, initial_stack, read_image
from machine.memory import PAGE, PER_CALL, PER_ITEM, Area, MapError, Protection
from machine.processor import Fault, Vector
from machine.schedule import Process, Suspension, Thread
from vm.facts.registers import RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.kernel.linux.trace_stops import TraceStops

_RAX = STORAGE_INDEX["rax"]
_EPOCH = datetime(1970, 1, 1)
_LOW = 0xFFFF_FFFF
_MOST_ERRORS = 4095
_INT80_VECTOR = 0x80


class LinuxKernel(Calls):
    """Linux for static programs. A read that waits for standard input is given up when the run ends."""

    name: ClassVar[str] = "linux"
    entry: ClassVar[EntryPoint] = LINUX
    quick_calls: ClassVar[Mapping[int, QuickCall]] = QUICK_CALLS

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._world = World() if services.world is None else services.world
        self._limits = services.limits
        self._tasks: dict[Thread, Task] = {}
        self._callers: WeakKeyDictionary[Process, CallerCells] = WeakKeyDictionary()
        self._groups: dict[int, ThreadGroup] = {}
        self._futexes = Futexes()
        self._started = 0  # processes
        self._asking: Thread | None = None  # whose call is being carried out
        self._files = FileSystem(services, self._world, self._tasks, self._now, self._system)
        self._network = Network(services.limits.max_socket_bytes, services.limits.max_open_files, services.clock)
        self._ipc = SystemV(self._files.store)
        self._network.capture = self._world.capture
        if self._world.capture is not None:
            self._world.capture.now = self._now
        if self._world.network is not None:
            from machine.kernel.linux.scripted_peers import Outside

            self._network.outside = Outside(self._world.network)
        self._vdso: bytes | None = None

    # --- processes

    def make_ready(self) -> None:
        """The tree of files, and all calls. What is wrong with its folder is said of the first process."""
        import_module("machine.kernel.linux.calls.whole")
        self._files.make_ready()

    def new_process(self, process: Process, start: Start) -> None:
        """A stack with arguments, environment and auxiliary vector, the standard streams, and a tree of files."""
        generator = random.Random(f"{self._world.seed} {self._started}")
        self._started += 1
        name = process.name.encode("utf-8", "surrogateescape")
        root, program, files = self._files.first(generator, start, name)
        path = _text(program.path)
        own_name = path if program.is_shown else start.arguments[0]
        start = replace(start, arguments=(own_name, *start.arguments[1:]))
        space = _space(process, self._lay_out(process, start, path, generator, program.place))
        group = ThreadGroup(
            process, process.pid, self._groups, self._tasks, self._world.user, process.pid, INIT_ID,
            started=self._services.clock.elapsed(), leave_ipc=self._ipc.ended,
            tell=self._services.tell,
        )  # fmt: skip
        task = Task(
            process.thread, process, process.pid, group, space, self._futexes, files, Location(root, root),
            self._files.store, self._services.clock, generator, self._limits, name[:15], self._world.user,
            self._world.group, execute=self._execute, awaken=self._awaken,
            network=self._network, ipc=self._ipc, locks=self._files.locks, queues=self._files.queues,
            notifier=self._files.notifier, look_at_calls=self.look_at_calls,
        )  # fmt: skip
        task.enlist()
        family.enlist(group)

    def _lay_out(self, process: Process, start: Start, path: str, generator: random.Random, program: Place) -> Layout:
        """A stack with what stands on it. Raises LoadError and MapError."""
        map_stack(process, stack_size(self._limits))
        own = generator.randbytes(16)
        facts = initial_stack.Facts(
            path, self._world.user, self._world.group, own, signal_frame.MOST_BYTES, self._map_vdso(process)
        )
        stack = initial_stack.build(start.image, start.arguments, start.environment, facts)
        process.cpu.memory.write(stack.pointer, stack.data)
        set_stack_pointer(process, stack.pointer)
        code = [area for area in start.image.areas if area.protection & Protection.EXECUTE and area.name == "program"]
        limits = (code[0].start, code[-1].start + code[-1].size) if code else (0, 0)
        return Layout(program, limits, stack.pointer, stack.arguments, stack.environment, stack.auxiliary)

    def _execute(self, task: Task, program: Program, arguments: list[bytes], environment: list[bytes]) -> int:
        """execve. Raises ENOEXEC, E2BIG, ENOMEM."""
        process, maker = task.process, task.process.maker
        assert maker is not None  # of every process of a machine
        try:
            image = read_image(program.data, None, Placement(limits=self._limits, read_file=self.program_file))
        except LoadError as error:
            cause = error.__cause__
            raise LinuxError(cause.number if isinstance(cause, LinuxError) else Errno.ENOEXEC) from None
        if image.kernel != self.name:
            raise LinuxError(Errno.ENOEXEC)
        try:
            successor = maker.prepare_successor(process, image, _text(program.name))
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None
        try:
            start = Start(image, tuple(map(_text, arguments)), tuple(map(_text, environment)))
            generator = random.Random(f"{self._world.seed} {self._started}")
            self._started += 1
            layout = self._lay_out(successor, start, _text(program.path), generator, program.place)
        except (LoadError, MapError) as error:
            maker.abandon(successor)
            raise LinuxError(Errno.E2BIG if isinstance(error, LoadError) else Errno.ENOMEM) from None
        root = self._files.root_for(generator)
        location = Location(root, task.location.directory.moved_to(root), task.location.umask)
        group = task.threads
        for each in group.tasks.values():
            leave_locks(each)
        executing = task.succeed(successor, _space(successor, layout), location, program.name[:15])
        family.succeed(group)
        maker.succeed(process, successor)
        trace = tracing.listens(executing)
        if trace is not None:
            if trace.options & tracing.TRACEEXEC:
                trace.event = tracing.EVENT_EXEC, executing.tid
            else:
                executing.pending.add(signals.from_user(executing, SIGTRAP))
            executing.has_signal = True
            begins = executing.thread
            begins.suspend(Suspension(always, None, lambda late: self.returning(begins, in_call=False)))
        return 0

    def _map_vdso(self, process: Process) -> int:
        """Where the vDSO is: behind the mappings, unless the program lies there itself."""
        memory = process.cpu.memory
        if memory.overlapping(MAPPINGS_TOP, vdso.SIZE) is not None:
            return 0
        if self._vdso is None:
            self._vdso = vdso.image(self._begin())
        memory.map(Area(MAPPINGS_TOP, MAPPINGS_TOP + vdso.SIZE, Protection.READ | Protection.EXECUTE, vdso.NAME))
        memory.write(MAPPINGS_TOP, self._vdso)
        return MAPPINGS_TOP

    def thread_name(self, thread: Thread) -> str | None:
        """What PR_SET_NAME and execve have called a thread."""
        task = self._tasks.get(thread)
        return None if task is None else task.name.decode("utf-8", "replace")

    def thread_id(self, thread: Thread) -> int | None:
        """The id by which programs know a thread: that of the process for its first one."""
        task = self._tasks.get(thread)
        return None if task is None else task.tid

    def file_at(self, thread: Thread, number: int) -> bytes | None:
        """What /proc/self/fd says of a descriptor, and the working directory for AT_FDCWD; None where there is none."""
        task = self._tasks.get(thread)
        if task is None:
            return None
        if number == AT_FDCWD:
            return task.location.directory.path()
        try:
            return proc.shown(task.files.reference(number))
        except LinuxError:
            return None

    def auxiliary_vector(self, thread: Thread) -> bytes:
        """What /proc/self/auxv has."""
        task = self._tasks.get(thread)
        return b"" if task is None else task.space.layout.auxiliary

    def task(self, thread: Thread) -> Task:
        """What is kept of a thread that has not ended."""
        return self._tasks[thread]

    def _system(self) -> proc.System:
        """What /proc and /sys tell of this machine."""
        return proc.System(
            self._groups, self._caller, self._services.clock.elapsed, self._begin, self._limits,
            self._world.root is None or not self._world.writable, interfaces.present(self._world.network is not None),
            self._network, self._world.user,
        )  # fmt: skip

    def _caller(self) -> Task | None:
        """The task whose call is being carried out."""
        return None if self._asking is None else self._tasks.get(self._asking)

    def _now(self) -> int:
        """Nanoseconds since 1970."""
        return self._begin() + self._services.clock.elapsed()

    def _begin(self) -> int:
        """When the clock began, likewise."""
        start = self._services.clock.start - _EPOCH
        return (start.days * 86_400 + start.seconds) * NANOSECONDS

    def guest_file(self, path: bytes) -> bytes:
        """As `Kernel`."""
        return self._files.guest_file(path)

    def program_file(self, path: bytes) -> bytes:
        """As `Kernel`."""
        return self._files.program_file(path)

    def path_of(self, file: Path) -> bytes | None:
        """As `Kernel`."""
        return self._files.path_of(file)

    # --- calls

    def default_answer(self, number: int) -> int | None:
        """The error of a call that is refused or unknown."""
        return None if self._looks or number in HOMES else -REFUSED.get(number, Errno.ENOSYS)

    def caller(self, process: Process) -> CallerCells:
        """As `Kernel`."""
        cells = self._callers.get(process)
        if cells is None:
            cells = self._callers[process] = CallerCells(
                work=self._services.work.address,
                per_call=PER_CALL,
                user_end=USER_SPACE - PAGE,
                epoch=self._begin(),
                waiting=ctypes.addressof(self._futexes.words),
                output=self._services.output.address,
            )
        self._show_caller(process.thread)
        return cells

    def _show_caller(self, thread: Thread) -> None:
        """Let machine code carry out quick calls of a process if nobody has anything else to do with its calls."""
        process, task = thread.process, self._tasks.get(thread)
        cells = self._callers.get(process)
        if cells is None:
            return
        needs_python = task is None or (
            len(process.threads) > 1 or task.has_signal or task.trace is not None or task.confinement
            or task.notifier.is_asked
        )  # fmt: skip
        cells.is_open = not needs_python
        if task is not None and not needs_python:
            cells.files, cells.limits_files = task.files.address, FSIZE in task.threads.resource_limits
            cells.process, cells.thread, cells.user, cells.group = process.pid, task.tid, task.user, task.group

    def system_call(self, thread: Thread) -> None:
        """Carry out one call."""
        self._make_call(thread)
        if self._callers:
            self._show_caller(thread)

    def _make_call(self, thread: Thread) -> None:
        task = self._tasks.get(thread)
        if task is None:  # the debugger has ended the process in the trigger of this call
            return
        thread.has_user_registers = task.by_interrupt = False
        if task.trace is not None and self._stops.at_call(task, SYSCALL):
            return
        if task.confinement and not self.is_permitted(task, SYSCALL):
            return
        self.carry_out(task, SYSCALL)

    def _interrupt_call(self, thread: Thread, behind: int) -> None:
        """Carry out a call that has come by INT 0x80, whose registers are those of user mode."""
        task = self._tasks[thread]
        thread.process.cpu.registers.write(RIP, behind)
        thread.has_user_registers = task.by_interrupt = True
        read = thread.process.cpu.registers.read
        number = read(_RAX) & _LOW
        words = tuple(read(storage) & _LOW for storage in INT80.arguments)
        name = NAMES_386.get(number, f"syscall_{number:#x}")
        task.threads.tell(Requested(thread, INT80.first_count + number, name, words))
        if task.trace is not None and self._stops.at_call(task, INT80):
            return
        if not task.confinement or self.is_permitted(task, INT80):
            self.carry_out(task, INT80)

    def repeat(self, thread: Thread) -> None:
        """As `Calls`."""
        self.carry_out(self._tasks[thread], INT80 if self._tasks[thread].by_interrupt else SYSCALL)

    def is_permitted(self, task: Task, convention: CallingConvention) -> bool:
        """Whether seccomp lets a thread make its call; it has its result otherwise, or its end."""
        thread = task.thread
        registers = thread.process.cpu.registers
        number = registers.read(_RAX) & _LOW
        if task.confinement is Mode.STRICT:
            if number in seccomp.STRICT[convention.architecture]:
                return True
            self._kill(task, signals.SIGKILL)
            return False
        address = user_values(thread)[RIP]
        arguments = tuple(registers.read(storage) for storage in convention.arguments)
        self._services.work.charge(sum(each.cost for each in task.filters) * PER_ITEM)
        question = seccomp.Question(number, convention.architecture, address, arguments)
        action, data = seccomp.verdict(task.filters, question)
        if action in (seccomp.Action.ALLOW, seccomp.Action.LOG):
            return True
        if action is seccomp.Action.ERRNO:
            self.conclude(thread, -min(data, _MOST_ERRORS))
        elif action is seccomp.Action.TRAP:
            signals.force(task, signals.refused_call(question, data))
            self.conclude(thread, registers.read(_RAX))
        elif action in (seccomp.Action.TRACE, seccomp.Action.USER_NOTIF):
            self.conclude(thread, -Errno.ENOSYS)
        elif action is seccomp.Action.KILL_THREAD:
            self._kill(task, signals.SIGSYS)
        else:
            signals.die(task.threads, signals.SIGSYS)
        return False

    def _kill(self, task: Task, signal: int) -> None:
        """A thread ends by a signal; the process does with its last one."""
        if len(task.threads.tasks) > 1:
            from machine.kernel.linux.calls import end_thread

            self.conclude(task.thread, end_thread(task, 128 + signal))
        else:
            signals.die(task.threads, signal)

    def carry_out(self, task: Task, convention: CallingConvention) -> None:
        """The call itself. This is done for each one: what nearly all come to is done here."""
        thread = task.thread
        registers = thread.process.cpu.registers
        number = registers.read(_RAX) & _LOW
        plan = convention.plans.get(number) or convention.plan(number)
        if plan is None:
            refused = self._refuse(convention.first_count + number, convention.refusal(number))
            registers.write(_RAX, refused)
            if convention is INT80:
                task.threads.tell(Answered(thread, refused))
            return
        self._services.work.charge(PER_CALL)
        self._asking = thread
        try:
            values = [
                registers.read(storage) if decode is None else decode(task, registers.read(storage))
                for storage, decode in plan.arguments
            ]
            result = plan.answer(task, *values)
        except LinuxError as error:
            result = self._failure(error, convention.first_count + number)
        self._asking = None
        if type(result) is int:
            registers.write(_RAX, result)
            if task.has_signal or task.trace is not None:
                self.returning(thread, in_call=True)
            elif convention is INT80:
                task.threads.tell(Answered(thread, result))
            if len(thread.process.threads) > 1:
                thread.process.give_way(self._services.clock.elapsed)
        else:
            self.conclude(thread, result)

    def _failure(self, error: LinuxError, number: int | None = None) -> Result:
        if isinstance(error, WouldWait):
            if error.deadline is None:
                return Wait(error.until)
            return Wait(error.until, error.deadline, lambda late: error.late if late else AGAIN)
        if isinstance(error, Refused) and number is not None:
            return self._refuse(number, error.number)
        return -error.number

    def _refuse(self, number: int, error: Errno) -> int:
        self.unknown_calls[number] += 1
        return -error

    def attempt(self, part: Callable[[], Result]) -> Result:
        """As `Calls`: it is a thread's that looks at its signals behind it, whoever raises them."""
        try:
            return part()
        except LinuxError as error:
            return self._failure(error)

    # --- signals

    def returning(self, thread: Thread, *, in_call: bool) -> None:
        """As `Calls`: signals come."""
        task = self._tasks.get(thread)
        if task is None:
            return
        if not (in_call and task.by_interrupt):
            self._look_at_signals(task, in_call)
            return
        result = thread.process.cpu.registers.read(_RAX)
        self._look_at_signals(task, in_call)
        task.threads.tell(Answered(thread, result))

    def _look_at_signals(self, task: Task, in_call: bool) -> None:
        thread = task.thread
        if (task.trace is not None and self._stops.at_return(task, in_call)) or not task.has_signal:
            return
        values = general_values(thread)
        values.update(user_values(thread) if in_call else {})
        if signals.deliver(task, values, in_call=in_call):
            enter_user_mode(thread, values)

    def is_interrupted(self, thread: Thread) -> bool:
        """As `Calls`: a signal has come."""
        task = self._tasks.get(thread)
        return task is not None and task.has_signal

    def interrupt(self, thread: Thread, wait: Wait) -> Result:
        """As `Calls`: EINTR, or the call is made again behind a handler that wants that."""
        result = None if wait.interrupted is None else self.attempt(wait.interrupted)
        if result is not None and not isinstance(result, Again):
            return result
        if wait.then is again or result is not None:
            self._tasks[thread].restart = thread.process.cpu.registers.read(_RAX)
        return -Errno.EINTR

    def _awaken(self, task: Task) -> None:
        """Have a thread look at its signals that is neither in a call nor about to go on."""
        thread = task.thread
        if thread is not self._asking and thread.waiting is None:
            thread.suspend(Suspension(always, None, lambda late: self.returning(thread, in_call=False)))

    def fault(self, thread: Thread, fault: Fault) -> bool:
        """As `Kernel`: a stack grows, INT 0x80 is a call, other exceptions are signals, whose handlers begin."""
        goes_on = self._take_fault(thread, fault)
        if self._callers:
            self._show_caller(thread)
        return goes_on

    def _take_fault(self, thread: Thread, fault: Fault) -> bool:
        if fault.vector == Vector.PF and fault.address is not None and self._tasks[thread].space.grow(fault.address):
            return True
        if fault.vector == _INT80_VECTOR:
            self._interrupt_call(thread, fault.rip)
            return True
        trace = tracing.listens(self._tasks[thread])
        if trace is not None:
            self._stops.at_fault(self._tasks[thread], trace, fault)
            return True
        values = general_values(thread)
        values[RIP] = fault.rip
        if not signals.enter_for(self._tasks[thread], fault, values):
            return False
        thread.process.cpu.registers.write_all(values)
        return True

    @cached_property
    def _stops(self) -> TraceStops:
        """Where threads stop that are traced: few programs come to it."""
        from machine.kernel.linux.trace_stops import TraceStops

        return TraceStops(self)

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """As `Kernel`: 128 + the signal."""
        return 128 + signals.signal_of(self._tasks[process.thread], fault).number

    def put_back(self) -> None:
        """As `Kernel`."""
        self._files.put_back()

    @property
    def reached_limits(self) -> frozenset[str]:
        """The names of the limits on files and sockets that refused something to a guest."""
        return self._files.reached_limits | self._network.all_reached

    @property
    def missing_files(self) -> frozenset[str]:
        """What guests have looked for in /proc and /sys that Linux has."""
        return self._files.missing_files

    def call_name(self, number: int) -> str | None:
        """The name of a system call."""
        return call_name(number)


def _text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _space(process: Process, layout: Layout) -> UserSpace:
    """The address space of a process that has its program only."""
    image = process.image
    return UserSpace(process.cpu.memory, max(image.end, *(area.start + area.size for area in image.areas)), layout)
