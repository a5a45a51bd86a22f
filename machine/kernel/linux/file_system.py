"""What the Linux guests of one machine have of files: their tree, made when it is needed, and the standard streams."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from machine.kernel.base import Services, Start
from machine.kernel.linux import standard_input
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.file_locks import FileLocks
from machine.kernel.linux.memory_files import Device, MemoryFile, ProgramFile, Store
from machine.kernel.linux.nodes import Node
from machine.kernel.linux.notifications import IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, Notifier
from machine.kernel.linux.open_files import O_RDONLY, DescriptorTable, DeviceFile, OpenFile, RegularFile
from machine.kernel.linux.paths import Place, find
from machine.kernel.linux.pipes import InputStream, OutputStream
from machine.kernel.linux.posix_queues import PosixQueues
from machine.kernel.linux.task import Task
from machine.kernel.linux.tree import GuestProgram, Tree, World
from machine.loaders import LoadError, UnreadableFile
from machine.schedule import Thread
from vm import FileRefused, read_file

if TYPE_CHECKING:
    from machine.kernel.linux.proc import System


class FileSystem:
    """That of one machine. `tasks` are its threads; `system` makes what /proc and /sys tell of it.

    `now` is nanoseconds since 1970.
    """

    def __init__(
        self,
        services: Services,
        world: World,
        tasks: Mapping[Thread, Task],
        now: Callable[[], int],
        system: Callable[[], System],
    ) -> None:
        self._services, self._limits, self._work = services, services.limits, services.work
        self._world = world
        self._tasks = tasks
        self._make_system = system
        self.store = Store(services.limits.max_file_bytes, now, services.work, world.user, world.group)
        self.locks = FileLocks()
        self.queues = PosixQueues(self.store)
        self.notifier = Notifier(self._is_open)
        self._tree: Tree | None = None
        self._system: System | None = None  # when guests have looked at it

    # --- the tree

    def make_ready(self) -> None:
        """Make the tree of files. What is wrong with its folder is said of the first process."""
        with suppress(FileRefused, OSError, ValueError):
            self._files()

    def _files(self) -> Tree:
        if self._tree is None:
            self._tree = Tree(self._world, self.store, self._limits, self._look_at_system)
        return self._tree

    def _look_at_system(self) -> System:
        self._system = self._make_system()
        return self._system

    def root_for(self, generator: random.Random) -> Place:
        """The root of a guest that has its own random numbers."""
        return self._files().root_for(generator)

    def first(self, generator: random.Random, start: Start, name: bytes) -> tuple[Place, GuestProgram, DescriptorTable]:
        """The root of a guest that is loaded, its program in there, and the standard streams. Raises LoadError."""
        try:
            if start.interpreter:
                root, program = self._files().root_for(generator), None
            else:
                loaded = ProgramFile(self.store, start.image.data)
                root, program = self._files().root(generator, loaded, name, start.file)
            files = self._standard_files(root)
        except FileRefused as error:
            raise LoadError(f"{error}", error.hint or "") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UnreadableFile(f"cannot show {self._world.root} to the guest: {reason}") from None
        if program is None:
            place = find(self._work, root, root, start.interpreter).existing()
            program = GuestProgram(start.script, place, is_shown=False)
        return root, program, files

    def path_of(self, file: Path) -> bytes | None:
        """As `Kernel`."""
        with suppress(FileRefused, OSError, ValueError):
            tree = self._files()
            program = tree.shown(tree.bare_root(), file)
            return None if program is None else program.path
        return None

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

    def _node(self, path: bytes) -> Node:
        try:
            root = self._files().bare_root()
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"cannot show {self._world.root} to the guest: {error}") from None
        return find(self._work, root, root, path).existing().node

    def _read(self, node: Node) -> bytes:
        most = self._limits.max_guest_memory
        data = node.open(writable=False).read_at(0, most + 1)
        if len(data) > most:
            raise LoadError(f"a file exceeds max_guest_memory ({most:#x} bytes)", "raise it if the file is right")
        return data

    def put_back(self) -> None:
        """As `Kernel`: shared mappings."""
        if self._tree is not None:
            self._tree.put_back()

    @property
    def reached_limits(self) -> frozenset[str]:
        """The names of the limits on files that refused something to a guest."""
        return frozenset(self.store.reached | (frozenset() if self._tree is None else self._tree.reached_limits))

    @property
    def missing_files(self) -> frozenset[str]:
        """What guests have looked for in /proc and /sys that Linux has."""
        return frozenset() if self._system is None else frozenset(self._system.missing.names)

    # --- open files

    def _standard_files(self, root: Place) -> DescriptorTable:
        files = DescriptorTable(self._limits.max_open_files, self._closed)
        files.add(self._standard_input(root))
        for descriptor in (1, 2):
            files.add(OutputStream(self._sink(descriptor), self.store.new_inode(), descriptor))
        return files

    def _standard_input(self, root: Place) -> OpenFile:
        source = self._world.standard_input
        if source is None:
            place = find(self._work, root, root, b"/dev/null").existing()
            assert isinstance(place.node, Device)
            return DeviceFile(O_RDONLY, place, place.node)
        if not isinstance(source, bytes | Path):
            source = standard_input.HostInput(source) if isinstance(source, int) else source
            return InputStream(source, self.store.new_inode(), self._work)
        data = read_file(source, self._limits, "max_file_bytes") if isinstance(source, Path) else source
        try:
            return RegularFile(O_RDONLY, None, MemoryFile(self.store, 0o600, data))
        except LinuxError:
            raise ValueError(f"standard input is larger than max_file_bytes ({self.store.bytes_left} bytes)") from None

    def _sink(self, descriptor: int) -> Callable[[bytes], None]:
        return lambda data: self._services.write(descriptor, data)

    def _closed(self, table: DescriptorTable, file: OpenFile) -> None:
        self.locks.closed(table, file)
        self.queues.closed(table, file)
        if self.notifier.is_asked and not file.users and file.place is not None:
            self.notifier.file(file, IN_CLOSE_WRITE if file.writable else IN_CLOSE_NOWRITE)
            self.notifier.lost(file.status())

    def _is_open(self, key: tuple[int, int]) -> bool:
        """Whether a process has a file open, which is known by its device and inode."""
        for table in {id(task.files): task.files for task in self._tasks.values()}.values():
            for number in table.numbers():
                file = table.reference(number)
                if file.place is not None and (file.status().device, file.status().inode) == key:
                    return True
        return False
