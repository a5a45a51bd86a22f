"""The model itself: makes processes, reads the arguments of their calls, and turns results into rax."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import ClassVar
from weakref import WeakKeyDictionary

import msgspec
from msgspec.structs import replace

from machine.kernel.abi import Call, narrowed
from machine.kernel.base import Services, Start, enter_user_mode, map_stack, set_stack_pointer, user_values
from machine.kernel.entry import LINUX, EntryPoint
from machine.kernel.happenings import Answered, Requested
from machine.kernel.linux import family, seccomp, signal_frame, signals, tracing, vdso
from machine.kernel.linux.calls import HOMES, call_of
from machine.kernel.linux.errors import Errno, LinuxError, Refused, WouldWait
from machine.kernel.linux.file_locks import FileLocks
from machine.kernel.linux.futexes import Futexes
from machine.kernel.linux.host_rules import FolderQuota
from machine.kernel.linux.interfaces import interfaces
from machine.kernel.linux.memory_files import Device, MemoryFile, ProgramFile, Store
from machine.kernel.linux.names import NAMES, NAMES_386, NUMBERS
from machine.kernel.linux.nodes import Node
from machine.kernel.linux.notifications import IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, Notifier
from machine.kernel.linux.open_files import (
    O_RDONLY,
    DescriptorTable,
    DeviceFile,
    OpenFile,
    RegularFile,
)
from machine.kernel.linux.paths import AT_FDCWD, Place, find
from machine.kernel.linux.pipes import InputStream, OutputStream
from machine.kernel.linux.posix_queues import PosixQueues
from machine.kernel.linux.proc import System, shown
from machine.kernel.linux.quick import QUICK_CALLS
from machine.kernel.linux.refused import REFUSED
from machine.kernel.linux.robust_locks import leave_locks
from machine.kernel.linux.seccomp import Action, Mode, Question
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.sockets import Network
from machine.kernel.linux.space import USER_SPACE, Layout, UserSpace, stack_size
from machine.kernel.linux.system_v import SystemV
from machine.kernel.linux.task import INIT_ID, NANOSECONDS, Location, Program, Task, ThreadGroup
from machine.kernel.linux.tracing import Stage, Trace, Until
from machine.kernel.linux.tree import GuestProgram, Tree, World
from machine.kernel.outcomes import AGAIN, Again, Calls, Result, Wait, again, always
from machine.kernel.quick import CallerCells, QuickCall
from machine.loaders import MAPPINGS_TOP, LoadError, Placement, UnreadableFile, initial_stack, read_image
from machine.memory import PAGE, PER_CALL, PER_ITEM, Area, MapError, Protection
from machine.processor import Fault, Vector
from machine.schedule import Process, Suspension, Thread
from vm import FileRefused, read_file
from vm.facts.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("rdi", "rsi", "rdx", "r10", "r8", "r9"))
_INTERRUPT_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("rbx", "rcx", "rdx", "rsi", "rdi", "rbp"))
_EPOCH = datetime(1970, 1, 1)
_LOW = 0xFFFF_FFFF
_MOST_ERRORS = 4095
_INT80_VECTOR = 0x80
_TRAP_FLAG = 1 << 8


class _Gate(msgspec.Struct, frozen=True):
    """A way into the kernel: the calls that it leads to, by number, and where their arguments are."""

    architecture: int  # AUDIT_ARCH_*
    names: Mapping[int, str]
    first_count: int  # that of its call 0 among the unknown ones
    call_of: Callable[[int], Call | None]
    arguments: tuple[int, ...]  # storages
    plans: dict[int, _Plan] = msgspec.field(default_factory=dict)

    def plan(self, number: int) -> _Plan | None:
        """The plan of a call that is carried out."""
        if number not in self.plans and (call := self.call_of(number)) is not None:
            self.plans[number] = _Plan.of(call, self.arguments, self is _INT80)
        return self.plans.get(number)

    def refusal(self, number: int) -> Errno:
        """With what a call fails that is not carried out."""
        return REFUSED.get(NUMBERS.get(self.names.get(number, ""), -1), Errno.ENOSYS)


class _Plan(msgspec.Struct, frozen=True):
    """How one call is carried out: a storage and a conversion for each argument, made when a program first calls it."""

    answer: Callable[..., Result]
    arguments: tuple[tuple[int, Callable[[Task, int], object] | None], ...]

    @classmethod
    def of(cls, call: Call, storages: tuple[int, ...], is_short: bool) -> _Plan:
        """The plan of a call whose arguments are in these storages, or in 32 bits of them."""
        decoders = (narrowed(each).decode if is_short else each.decode for each in call.arguments)
        return cls(call.answer, tuple(zip(storages, decoders, strict=False)))


def _interrupt_call_of(number: int) -> Call | None:
    from machine.kernel.linux.calls import INTERRUPT_CALLS

    return INTERRUPT_CALLS.get(number)


_SYSCALL = _Gate(seccomp.ARCH_X86_64, NAMES, 0, call_of, _ARGUMENTS)
_ENDS = (60, 231)  # exit, exit_group
_INT80 = _Gate(seccomp.ARCH_I386, NAMES_386, 1 << 32, _interrupt_call_of, _INTERRUPT_ARGUMENTS)


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
        self._quota = FolderQuota(services.limits)
        self._store = Store(
            services.limits.max_file_bytes, self._now, services.work, self._world.user, self._world.group
        )
        self._network = Network(services.limits.max_socket_bytes, services.limits.max_open_files, services.clock)
        self._ipc = SystemV(self._store)
        self._locks = FileLocks()
        self._queues = PosixQueues(self._store)
        self._notifier = Notifier(self._is_open)
        self._network.capture = self._world.capture
        if self._world.capture is not None:
            self._world.capture.now = self._now
        if self._world.network is not None:
            from machine.kernel.linux.scripted_peers import Outside

            self._network.outside = Outside(self._world.network)
        self._vdso: bytes | None = None
        self._tree: Tree | None = None  # made when a process is
        self._system: System | None = None  # likewise

    # --- processes

    def make_ready(self) -> None:
        """The tree of files, and all calls. What is wrong with its folder is said of the first process."""
        import_module("machine.kernel.linux.calls.whole")
        with suppress(FileRefused, OSError, ValueError):
            self._files()

    def new_process(self, process: Process, start: Start) -> None:
        """A stack with arguments, environment and auxiliary vector, the standard streams, and a tree of files."""
        generator = random.Random(f"{self._world.seed} {self._started}")
        self._started += 1
        name = process.name.encode("utf-8", "surrogateescape")
        try:
            tree = self._files()
            if start.interpreter:
                root, program = tree.root_for(generator), None
            else:
                root, program = tree.root(generator, ProgramFile(self._store, start.image.data), name, start.file)
            files = self._standard_files(root)
        except FileRefused as error:
            raise LoadError(f"{error}", error.hint or "") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UnreadableFile(f"cannot show {self._world.root} to the guest: {reason}") from None
        if program is None:
            place = find(self._services.work, root, root, start.interpreter).existing()
            program = GuestProgram(start.script, place, is_shown=False)
        path = _text(program.path)
        own_name = path if program.is_shown else start.arguments[0]
        start = replace(start, arguments=(own_name, *start.arguments[1:]))
        space = _space(process, self._lay_out(process, start, path, generator, program.place))
        group = ThreadGroup(
            process, process.pid, self._groups, self._tasks, self._world.user, process.pid, INIT_ID,
            let_go=files.let_go, started=self._services.clock.elapsed(), leave_ipc=self._ipc.ended,
            tell=self._services.tell,
        )  # fmt: skip
        task = Task(
            process.thread, process, process.pid, group, space, self._futexes, files, Location(root, root),
            self._store, self._services.clock, generator, self._limits, name[:15], self._world.user,
            self._world.group, execute=self._execute, awaken=self._awaken,
            network=self._network, ipc=self._ipc, locks=self._locks, queues=self._queues, notifier=self._notifier,
            look_at_calls=self.look_at_calls,
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
        root = self._files().root_for(generator)
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
                executing.pending.add(signals.from_user(executing, signals.SIGTRAP))
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
            return shown(task.files.reference(number))
        except LinuxError:
            return None

    def task(self, thread: Thread) -> Task:
        """What is kept of a thread that has not ended."""
        return self._tasks[thread]

    def _files(self) -> Tree:
        if self._tree is None:
            self._system = system = System(
                self._groups, self._caller, self._services.clock.elapsed, self._begin, self._limits,
                self._world.root is None or not self._world.writable, interfaces(self._world.network is not None),
            )  # fmt: skip
            self._tree = Tree(self._world, self._store, self._quota, system)
        return self._tree

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

    def _standard_files(self, root: Place) -> DescriptorTable:
        files = DescriptorTable(self._limits.max_open_files, self._closed)
        files.add(self._standard_input(root))
        for descriptor in (1, 2):
            files.add(OutputStream(self._sink(descriptor), self._store.new_inode()))
        return files

    def _closed(self, table: DescriptorTable, file: OpenFile) -> None:
        self._locks.closed(table, file)
        self._queues.closed(table, file)
        if self._notifier.is_asked and not file.users and file.place is not None:
            self._notifier.file(file, IN_CLOSE_WRITE if file.writable else IN_CLOSE_NOWRITE)
            self._notifier.lost(file.status())

    def _is_open(self, key: tuple[int, int]) -> bool:
        """Whether a process has a file open, which is known by its device and inode."""
        for table in {id(task.files): task.files for task in self._tasks.values()}.values():
            for number in table.numbers():
                file = table.reference(number)
                if file.place is not None and (file.status().device, file.status().inode) == key:
                    return True
        return False

    def _standard_input(self, root: Place) -> OpenFile:
        source = self._world.standard_input
        if isinstance(source, int):
            return InputStream(source, self._store.new_inode(), self._services.work.is_ending)
        if source is None:
            place = find(self._services.work, root, root, b"/dev/null").existing()
            assert isinstance(place.node, Device)
            return DeviceFile(O_RDONLY, place, place.node)
        data = read_file(source, self._limits, "max_file_bytes") if isinstance(source, Path) else source
        try:
            return RegularFile(O_RDONLY, None, MemoryFile(self._store, 0o600, data))
        except LinuxError:
            raise ValueError(f"standard input is larger than max_file_bytes ({self._store.bytes_left} bytes)") from None

    def _sink(self, descriptor: int) -> Callable[[bytes], None]:
        return lambda data: self._services.write(descriptor, data)

    def guest_file(self, path: bytes) -> bytes:
        """As `Kernel`."""
        try:
            return self._read(self._node(path))
        except LinuxError as error:
            raise LoadError(os.strerror(error.number)) from None

    def program_file(self, path: bytes) -> bytes:
        """As `Kernel`: a file of the tree that all guests see, which may be executed."""
        try:
            node = self._node(path)
            if not node.status().mode & 0o111:
                raise LinuxError(Errno.EACCES)
            return self._read(node)
        except LinuxError as error:
            name = path.decode("utf-8", "backslashreplace")
            hint = "`--root DIR` shows it to the guest: `--root /` for the programs of this machine"
            raise LoadError(f"this program needs {name}, its interpreter: {os.strerror(error.number)}", hint) from error

    def path_of(self, file: Path) -> bytes | None:
        """As `Kernel`."""
        with suppress(FileRefused, OSError, ValueError):
            tree = self._files()
            program = tree.shown(tree.bare_root(), file)
            return None if program is None else program.path
        return None

    def _node(self, path: bytes) -> Node:
        try:
            root = self._files().bare_root()
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"cannot show {self._world.root} to the guest: {error}") from None
        return find(self._services.work, root, root, path).existing().node

    def _read(self, node: Node) -> bytes:
        most = self._limits.max_guest_memory
        data = node.open(writable=False).read_at(0, most + 1)
        if len(data) > most:
            raise LoadError(f"a file exceeds max_guest_memory ({most:#x} bytes)", "raise it if the file is right")
        return data

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
            cells.files = task.files.address
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
        if task.trace is not None and self._stops_at_call(task, _SYSCALL):
            return
        if task.confinement and not self._is_permitted(task, _SYSCALL):
            return
        self._carry_out(task, _SYSCALL)

    def _interrupt_call(self, thread: Thread, behind: int) -> None:
        """Carry out a call that has come by INT 0x80, whose registers are those of user mode."""
        task = self._tasks[thread]
        thread.process.cpu.registers.write(RIP, behind)
        thread.has_user_registers = task.by_interrupt = True
        read = thread.process.cpu.registers.read
        number = read(_RAX) & _LOW
        words = tuple(read(storage) & _LOW for storage in _INTERRUPT_ARGUMENTS)
        name = NAMES_386.get(number, f"syscall_{number:#x}")
        task.threads.tell(Requested(thread, _INT80.first_count + number, name, words))
        if task.trace is not None and self._stops_at_call(task, _INT80):
            return
        if not task.confinement or self._is_permitted(task, _INT80):
            self._carry_out(task, _INT80)

    def repeat(self, thread: Thread) -> None:
        """As `Calls`."""
        self._carry_out(self._tasks[thread], _INT80 if self._tasks[thread].by_interrupt else _SYSCALL)

    def _is_permitted(self, task: Task, gate: _Gate) -> bool:
        """Whether seccomp lets a thread make its call; it has its result otherwise, or its end."""
        thread = task.thread
        registers = thread.process.cpu.registers
        number = registers.read(_RAX) & _LOW
        if task.confinement is Mode.STRICT:
            if number in seccomp.STRICT[gate.architecture]:
                return True
            self._kill(task, signals.SIGKILL)
            return False
        address = user_values(thread)[RIP]
        arguments = tuple(registers.read(storage) for storage in gate.arguments)
        self._services.work.charge(sum(each.cost for each in task.filters) * PER_ITEM)
        question = Question(number, gate.architecture, address, arguments)
        action, data = seccomp.verdict(task.filters, question)
        if action in (Action.ALLOW, Action.LOG):
            return True
        if action is Action.ERRNO:
            self.conclude(thread, -min(data, _MOST_ERRORS))
        elif action is Action.TRAP:
            signals.force(task, signals.refused_call(question, data))
            self.conclude(thread, registers.read(_RAX))
        elif action in (Action.TRACE, Action.USER_NOTIF):
            self.conclude(thread, -Errno.ENOSYS)
        elif action is Action.KILL_THREAD:
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

    def _carry_out(self, task: Task, gate: _Gate) -> None:
        """The call itself. This is done for each one: what nearly all come to is done here."""
        thread = task.thread
        registers = thread.process.cpu.registers
        number = registers.read(_RAX) & _LOW
        plan = gate.plans.get(number) or gate.plan(number)
        if plan is None:
            refused = self._refuse(gate.first_count + number, gate.refusal(number))
            registers.write(_RAX, refused)
            if gate is _INT80:
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
            result = self._failure(error, gate.first_count + number)
        self._asking = None
        if type(result) is int:
            registers.write(_RAX, result)
            if task.has_signal or task.trace is not None:
                self.returning(thread, in_call=True)
            elif gate is _INT80:
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
        if (task.trace is not None and self._stops(task, in_call)) or not task.has_signal:
            return
        values = _general(thread)
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
            self._stop_for_fault(self._tasks[thread], trace, fault)
            return True
        values = _general(thread)
        values[RIP] = fault.rip
        if not signals.enter_for(self._tasks[thread], fault, values):
            return False
        for storage, value in values.items():
            thread.process.cpu.registers.write(storage, value)
        return True

    # --- tracing

    def _stops_at_call(self, task: Task, gate: _Gate) -> bool:
        """Whether a thread stops for its tracer before it makes a call."""
        trace, registers = tracing.listens(task), task.process.cpu.registers
        if trace is None:
            return False
        trace.call = registers.read(_RAX) & _LOW
        if trace.until is not Until.CALL:
            return self._stops_at_end(task, trace, gate)
        self._to_user_registers(task.thread)
        registers.write(_RAX, -Errno.ENOSYS)
        trace.in_call = True
        code = _code_of_call(trace)
        tracing.stop(task, code, tracing.own_info(task, code), lambda: self._begin_call(task, trace, gate), Stage.ENTRY)
        return True

    def _stops_at_end(self, task: Task, trace: Trace, gate: _Gate) -> bool:
        """Whether a thread stops before the call with which it ends."""
        registers = task.process.cpu.registers
        if not trace.options & tracing.TRACEEXIT or gate is not _SYSCALL or trace.call not in _ENDS:
            return False
        self._to_user_registers(task.thread)
        trace.message = (registers.read(gate.arguments[0]) & 0xFF) << 8
        code = signals.SIGTRAP | tracing.EVENT_EXIT << 8
        tracing.stop(task, code, tracing.own_info(task, code), lambda: self._carry_out(task, gate))
        return True

    def _begin_call(self, task: Task, trace: Trace, gate: _Gate) -> None:
        """The call goes on behind its stop, maybe as another one or as none."""
        registers = task.process.cpu.registers
        if trace.call == -1:
            self.conclude(task.thread, registers.read(_RAX))
            return
        registers.write(_RAX, trace.call & _LOW)
        if (not task.confinement or self._is_permitted(task, gate)) and not self._stops_at_end(task, trace, gate):
            self._carry_out(task, gate)

    def _to_user_registers(self, thread: Thread) -> None:
        """What a thread in a call has in registers is what it has in user mode from now on."""
        if not thread.has_user_registers:
            enter_user_mode(thread, user_values(thread))
            thread.has_user_registers = True

    def _stops(self, task: Task, in_call: bool) -> bool:
        """Whether a thread that is about to go on in user mode stops for its tracer."""
        trace = tracing.listens(task)
        if trace is None or not task.process.alive:
            return False
        code, info, stage = 0, None, Stage.NONE
        if trace.event is not None:
            (event, trace.message), trace.event = trace.event, None
            code = (trace.stopped_by or signals.SIGTRAP) | event << 8
            info = tracing.own_info(task, code, trace.stopped_by or signals.SIGTRAP)
            trace.stopped_by = 0
        elif trace.in_call:
            trace.in_call = False
            code = _code_of_call(trace) if trace.until is Until.CALL else 0
            stage = Stage.EXIT
        elif in_call and trace.until is Until.STEP:
            code, info = signals.SIGTRAP, tracing.step_info(user_values(task.thread)[RIP])
        if not code and task.has_signal:
            info, stage = signals.take(task), Stage.NONE
            code = 0 if info is None else info.number
        if not code:
            return False
        if in_call:
            self._to_user_registers(task.thread)
            _clear_trap_flag(task, trace)
        info = info or tracing.own_info(task, code)
        tracing.stop(task, code, info, lambda: self._go_on_traced(task, trace), stage)
        return True

    def _stop_for_fault(self, task: Task, trace: Trace, fault: Fault) -> None:
        """A thread stops before the signal of an exception."""
        registers, info = task.process.cpu.registers, signals.noted(task, fault)
        registers.write(RIP, fault.rip)
        _clear_trap_flag(task, trace)
        trace.call = -1
        tracing.stop(task, info.number, info, lambda: self._go_on_traced(task, trace))

    def _go_on_traced(self, task: Task, trace: Trace) -> None:
        """Behind a stop: with the signal that the tracer has chosen."""
        thread, signal = task.thread, trace.injected
        if signal in signals.STOPS and task.trace is trace and trace.info is not None:
            tracing.group_stop(task, signal, lambda: self._go_on_traced(task, trace))
            return
        given: list[SignalInfo] = []
        if signal:
            is_same = trace.info is not None and trace.info.number == signal
            sender = (trace.tracer.pid, task.user) if trace.tracer is not None else (0, 0)
            given = [trace.info if is_same and trace.info else SignalInfo(signal, signals.SI_USER, sender=sender)]
        values = _general(thread)
        if signals.deliver(task, values, iter(given)):
            enter_user_mode(thread, values)
        if not task.process.alive:
            return
        self.returning(thread, in_call=False)
        registers = thread.process.cpu.registers
        if trace.until is Until.STEP and thread.waiting is None:
            registers.write(RFLAGS, registers.read(RFLAGS) | _TRAP_FLAG)

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """As `Kernel`: 128 + the signal."""
        return 128 + signals.signal_of(self._tasks[process.thread], fault).number

    def put_back(self) -> None:
        """As `Kernel`: shared mappings."""
        if self._tree is not None:
            self._tree.put_back()

    @property
    def reached_limits(self) -> frozenset[str]:
        """The names of the limits on files and sockets that refused something to a guest."""
        return frozenset(self._quota.reached | self._store.reached | self._network.all_reached)

    @property
    def missing_files(self) -> frozenset[str]:
        """What guests have looked for in /proc and /sys that Linux has."""
        return frozenset() if self._system is None else frozenset(self._system.missing.names)

    def call_name(self, number: int) -> str | None:
        """The name of a system call."""
        if number in NAMES:
            return NAMES[number]
        short = number - _INT80.first_count
        return f"{NAMES_386.get(short, f'{short:x}')} (int 0x80)" if 0 <= short < 1 << 32 else None


def _clear_trap_flag(task: Task, trace: Trace) -> None:
    """The flag with which a thread makes a step is not shown."""
    registers = task.process.cpu.registers
    if trace.until is Until.STEP:
        registers.write(RFLAGS, registers.read(RFLAGS) & ~_TRAP_FLAG)


def _code_of_call(trace: Trace) -> int:
    return signals.SIGTRAP | 0x80 * (trace.options & tracing.SYSGOOD)


def _text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _space(process: Process, layout: Layout) -> UserSpace:
    """The address space of a process that has its program only."""
    image = process.image
    return UserSpace(process.cpu.memory, max(image.end, *(area.start + area.size for area in image.areas)), layout)


def _general(thread: Thread) -> dict[int, int]:
    """The general registers, RIP and RFLAGS that a thread has."""
    registers = thread.process.cpu.registers
    return {storage: registers.read(storage) for storage in (*range(len(GENERAL)), RIP, RFLAGS)}
