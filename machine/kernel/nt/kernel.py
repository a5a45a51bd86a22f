"""A model of Windows' kernel: the system calls of processes, carried out (`calls/`), and what they find at the start.

Arguments are in r10, rdx, r8, r9 and on the user's stack from rsp+28 (events-and-commands G.4); the NTSTATUS goes to
rax. With a folder of DLLs the guest's own ntdll loads the program (`start`); without one there is a TEB, a PEB, and
files that are names behind handles (`process`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import ClassVar

from machine.kernel.base import Services, Start
from machine.kernel.entry import NT, EntryPoint
from machine.kernel.linux import FolderQuota, HostInput, InputStream, LinuxError, Node, World, show_folder
from machine.kernel.nt import blocks, exceptions, process as bare_process, start as windows_start
from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.calls import CALLS
from machine.kernel.nt.files import DriveFile, StreamFile
from machine.kernel.nt.mailslots import Mailslots
from machine.kernel.nt.numbering import GRAPHICS_TABLE, TABLE_BITS, Numbering, graphics_names, numbering_of
from machine.kernel.nt.objects import HandleTable, ProcessObject, ThreadObject
from machine.kernel.nt.operations import settle
from machine.kernel.nt.pipes import Pipes
from machine.kernel.nt.registry import RegFileError, Registry, read_reg_file, seeded
from machine.kernel.nt.sections import flush_all
from machine.kernel.nt.space import NtSpace
from machine.kernel.nt.state import STANDARD_HANDLES, NtState
from machine.kernel.nt.status import (
    STATUS_INVALID_SYSTEM_SERVICE,
    STATUS_NOT_IMPLEMENTED,
    NotCarriedOut,
    NtError,
    exit_code_name,
)
from machine.kernel.nt.thread_registers import take_given
from machine.kernel.nt.volume import Volume
from machine.kernel.outcomes import Calls, Result
from machine.loaders import LoadError, Module, UnreadableFile, WindowsPlan
from machine.memory import PER_CALL
from machine.processor import Fault
from machine.schedule import Process, Thread
from vm import FileRefused, read_file
from vm.facts.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_LOW = 0xFFFF_FFFF
_EPOCH = datetime(1601, 1, 1)


class NtKernel(Calls):
    """Answers the calls of its processes. Offsets and MSRs are those of Windows 10."""

    name: ClassVar[str] = "nt"
    entry: ClassVar[EntryPoint] = NT

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._world = World() if services.world is None else services.world
        self._states: dict[Process, NtState] = {}
        self._numberings: dict[Module | None, Numbering] = {}
        self._plans: list[WindowsPlan] = []
        self._graphics_names: dict[Module, Mapping[int, str]] = {}
        self._quota = FolderQuota(services.limits)
        self._folder: Node | None = None
        self._missing: set[str] = set()
        self._registry: Registry | None = None
        self._base_numbering = self._numbering(None)

    def _numbering(self, ntdll: Module | None) -> Numbering:
        if ntdll not in self._numberings:
            self._numberings[ntdll] = numbering_of(ntdll, self._services.build)
        return self._numberings[ntdll]

    # --- processes

    def make_ready(self) -> None:
        """The registry. What is wrong with its files is said of the first process."""
        with suppress(LoadError):
            self._seeded()

    def put_back(self) -> None:
        """As `Kernel`."""
        for state in self._states.values():
            flush_all(state.space)

    def new_process(self, process: Process, start: Start) -> None:
        """Everything that the process finds in its memory, and its registers but RIP."""
        plan, limits = start.image.windows, self._services.limits
        state = NtState(
            ProcessObject(process), HandleTable(limits.max_handles), NtSpace(process.cpu.memory),
            self._numbering(None if plan is None else plan.ntdll), self._seeded(),
            None if plan is None else self._volume(plan), self._world.writable,
            Pipes(limits.max_socket_bytes), Mailslots(limits.max_socket_bytes),
            Random(f"{self._world.seed} {process.pid}"), plan,
        )  # fmt: skip
        state.uuid_seed = f"{self._world.seed} {process.pid} node"
        self._states[process] = state
        process.name_exit = exit_code_name
        state.threads[process.thread] = ThreadObject(process.thread)
        for handle, descriptor in STANDARD_HANDLES.items():
            state.handles.put(handle, self._stream(descriptor))
        if plan is None:
            bare_process.prepare(process, start, self._services.build)
            blocks.map_shared_data(process.cpu.memory, self._services.build, 1)
        else:
            self._plans.append(plan)
            windows_start.prepare(process, start, state, plan.names, self._services.build, limits)
            process.on_turn = lambda: self._set_time(process)
        self._set_time(process)

    def _seeded(self) -> Registry:
        if self._registry is None:
            limits = self._services.limits
            registry = seeded(self._services.build, limits.max_file_bytes)
            for path in self._world.registry:
                try:
                    read_reg_file(registry, read_file(path, limits, "max_file_bytes"))
                except RegFileError as error:
                    raise LoadError(f"{path}: {error}") from None
                except NtError:
                    raise LoadError.beyond("max_file_bytes", f"{path}: the registry exceeds max_file_bytes") from None
                except FileRefused as error:
                    raise UnreadableFile(str(error), error.hint or "") from None
            self._registry = registry
        return self._registry

    def _volume(self, plan: WindowsPlan) -> Volume:
        if self._folder is None:
            assert self._world.root is not None  # there is a plan
            try:
                self._folder = show_folder(self._world.root, self._world.writable, self._quota, user=0, group=0)
            except (OSError, ValueError) as error:
                raise UnreadableFile(f"cannot show {self._world.root} to the guest: {error}") from None
        return Volume(self._folder, (plan.names, plan.program.file.data))

    def _stream(self, descriptor: int) -> StreamFile:
        if descriptor:
            return StreamFile(sink=lambda data: self._services.write(descriptor, data))
        source = self._world.standard_input
        if source is None:
            return StreamFile()
        if isinstance(source, int | HostInput):
            source = source if isinstance(source, HostInput) else HostInput(source)
            stream = InputStream(source, 0, self._services.work)
            return StreamFile(source=lambda size: _read(stream, size))
        data = source if isinstance(source, bytes) else read_file(source, self._services.limits, "max_file_bytes")
        taken = 0

        def read(size: int) -> bytes:
            nonlocal taken
            piece = bytes(data[taken : taken + size])
            taken += len(piece)
            return piece

        return StreamFile(source=read)

    def state(self, process: Process) -> NtState:
        """What is kept of a process."""
        return self._states[process]

    def file_at(self, thread: Thread, number: int) -> bytes | None:
        """Where a handle leads: the path of a file, the name of another object, else its type; None for no handle."""
        state = self._states.get(thread.process)
        try:
            found = None if state is None else state.handles.get(number)
        except NtError:
            return None
        if found is None:
            return None
        name = f"C:{found.spot.path}" if isinstance(found, DriveFile) else found.name or found.kind
        return name.encode("utf-8", "replace")

    def _set_time(self, process: Process) -> None:
        clock = self._services.clock
        since = (clock.start - _EPOCH) // timedelta(microseconds=1) * 10
        elapsed = clock.elapsed()
        blocks.set_time(process.cpu.memory, elapsed, since + elapsed // blocks.TICKS_PER_UNIT)

    # --- calls

    def call_name(self, number: int) -> str | None:
        """The name of a system call."""
        if number >> TABLE_BITS == GRAPHICS_TABLE:
            return self._graphics_name(number)
        named = (numbering.names.get(number) for numbering in reversed(self._numberings.values()))
        return next(filter(None, named), None)

    def _graphics_name(self, number: int) -> str | None:
        """The name that a win32u of a process has for it."""
        for win32u in filter(None, (plan.modules.get("win32u.dll") for plan in reversed(self._plans))):
            if win32u not in self._graphics_names:
                self._graphics_names[win32u] = graphics_names(win32u)
            if number in self._graphics_names[win32u]:
                return self._graphics_names[win32u][number]
        return None

    def default_answer(self, number: int) -> int | None:
        """STATUS_INVALID_SYSTEM_SERVICE for what no process can have; others may be a private number of one."""
        if number < 0x800 and number not in self._base_numbering.names:
            return STATUS_INVALID_SYSTEM_SERVICE
        return None

    def system_call(self, thread: Thread) -> None:
        """Carry out one call; it may have let time pass, and programs read the clock without one."""
        self.conclude(thread, self._answer(thread))
        if thread.process.alive:
            state = self._states[thread.process]
            if state.pending:
                settle(state)
            self._set_time(thread.process)

    def _answer(self, thread: Thread) -> Result:
        """Bits 12 and 13 of the number name a table that is not modelled: win32k's, whose calls return handles mostly.

        Wine's user32 and gdi32 take all but 0 for one; without one they fail.
        """
        number = thread.process.cpu.registers.read(_RAX) & _LOW
        state = self._states[thread.process]
        name = state.numbering.names.get(number)
        call = None if name is None else CALLS.get(name)
        if call is None:
            self.unknown_calls[number] += 1
            if number >> TABLE_BITS == GRAPHICS_TABLE and state.unix_functions:
                return 0
            return STATUS_INVALID_SYSTEM_SERVICE if name is None else STATUS_NOT_IMPLEMENTED
        self._services.work.charge(PER_CALL)
        asks = NtThread(thread, state, self._services)
        return self.attempt(lambda: call.answer(asks, *asks.arguments(call)), number)

    def attempt(self, part: Callable[[], Result], number: int | None = None) -> Result:
        """As `Calls`; `number` is the number of a call that begins."""
        try:
            return part()
        except NtError as error:
            if isinstance(error, NotCarriedOut) and number is not None:
                self.unknown_calls[number] += 1
                self._missing |= {error.wanted} - {""}
            return error.status
        except LinuxError:
            return 0xC000_0001

    def returning(self, thread: Thread, *, in_call: bool) -> None:
        """As `Calls`."""
        take_given(self._states[thread.process].threads[thread])

    # --- exceptions

    def fault(self, thread: Thread, fault: Fault) -> bool:
        """As `Kernel`: the program's dispatcher begins, or its stack grows."""
        self._set_time(thread.process)
        try:
            return exceptions.dispatch(self._states[thread.process], thread, fault)
        except NtError:
            return False

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """As `Kernel`: the NTSTATUS of the exception that nobody handles."""
        return exceptions.end_by(self._states[process], process.thread, fault)

    @property
    def missing_files(self) -> frozenset[str]:
        """The devices that guests have looked for, and are not emulated."""
        return frozenset(self._missing)

    @property
    def reached_limits(self) -> frozenset[str]:
        """The names of the limits on files that refused something to a guest."""
        return frozenset(self._quota.reached)


def _read(stream: InputStream, size: int) -> bytes:
    try:
        return stream.read(size)
    except LinuxError:
        return b""
