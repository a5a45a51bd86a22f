"""The tree a guest sees: a root in memory or a folder of the host, and over it /dev, /proc, /sys and /tmp."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Set
from functools import partial
from pathlib import Path
from stat import S_IFMT
from typing import TYPE_CHECKING

import msgspec

from machine.kernel.linux import host_files, host_rules, proc
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import Device, MemoryDirectory, MemoryLink, ProgramFile, Store, nothing
from machine.kernel.linux.nodes import Entry, Node, Status
from machine.kernel.linux.paths import Place, find
from machine.kernel.linux.terminal_files import MasterNode, OwnNode, TerminalDirectory, Terminals

if TYPE_CHECKING:
    from machine.kernel.linux.capture import Capture
    from machine.kernel.linux.host_rules import FolderQuota
    from machine.kernel.linux.proc import System
    from machine.kernel.linux.scripted_network import ScriptedNetwork
    from machine.kernel.linux.standard_input import HostInput
    from vm.facts.limits import Limits

_DESCRIPTORS = {
    b"fd": b"/proc/self/fd",
    b"stdin": b"/proc/self/fd/0",
    b"stdout": b"/proc/self/fd/1",
    b"stderr": b"/proc/self/fd/2",
}


class World(msgspec.Struct, frozen=True):
    """What a guest is shown of the host, and what its random numbers start from.

    `root` is a folder; without one the guest has an empty root in memory. `standard_input` is None for none at all (it
    reads as empty), the bytes or the file that the guest reads, or a descriptor of this process. `user` and `group` are
    what the guest takes itself for; nothing is granted by them. `registry` are .reg files for Windows guests, `network`
    the hosts that Linux guests reach besides loopback, `capture` takes what they send.
    """

    root: Path | None = None
    writable: bool = False
    standard_input: bytes | Path | int | HostInput | None = None
    seed: int = 0
    user: int = 1000
    group: int = 1000
    registry: tuple[Path, ...] = ()
    network: ScriptedNetwork | None = None
    capture: Capture | None = None


class GuestProgram(msgspec.Struct, frozen=True):
    """A program as its guest sees it: the path that it was started by, and where that leads.

    `is_shown` says whether that path is one of the tree; else /proc/self/exe alone leads there.
    """

    path: bytes
    place: Place
    is_shown: bool


class Tree:
    """The files of all guests of a machine. Raises OSError and ValueError for a folder."""

    def __init__(self, world: World, store: Store, limits: Limits, system: Callable[[], System]) -> None:
        """`system` is asked for when a guest first looks at what is made of it."""
        self._store = store
        self._make_system = system
        self._system: dict[bytes, Node] | None = None  # /proc and /sys
        self._folder = world.root
        self._covers: _Covers = {}
        self._shared = MemoryDirectory(store, 0o777)  # /dev/shm
        self._shared.is_mount_point = True
        self._terminals = Terminals(store)
        self._quota: FolderQuota | None = None
        self._base: Node = MemoryDirectory(store) if world.root is None else self._shown_folder(world, limits)
        if world.root is None or not world.writable:
            temporary = MemoryDirectory(store, 0o777)
            temporary.is_mount_point = True
            self._covers[b"tmp"] = lambda: temporary

    def _shown_folder(self, world: World, limits: Limits) -> Node:
        assert world.root is not None
        self._quota = host_rules.FolderQuota(limits)
        return host_files.show_folder(world.root, world.writable, self._quota, world.user, world.group)

    @property
    def reached_limits(self) -> Set[str]:
        """The names of the limits that refused something in the folder."""
        return frozenset() if self._quota is None else self._quota.reached

    def put_back(self) -> None:
        """Let files of the host that are mapped have what their pages hold."""
        if self._folder is not None and isinstance(self._base, host_files.HostDirectory):
            self._base.put_back()

    def bare_root(self) -> Place:
        """The root without what belongs to a guest."""
        return Place(_Root(self._base, self._covers))

    def root(
        self, generator: random.Random, loaded: ProgramFile, name: bytes, file: Path | None
    ) -> tuple[Place, GuestProgram]:
        """The root of a guest, and its program in there.

        `file` is the program's on the host, if it was read from one; what the tree does not show is `loaded` there.
        """
        root = self.root_for(generator)
        program = self.shown(root, file) or GuestProgram(b"/" + name, Place(loaded, root, name), is_shown=False)
        return root, program

    def root_for(self, generator: random.Random) -> Place:
        """The root of a guest that has its own random numbers."""
        devices = _devices(self._store, generator, self._shared, self._terminals)
        covers: _Covers = {b"dev": lambda: devices}
        covers |= {name: partial(self._system_folder, name) for name in (b"proc", b"sys")}
        return Place(_Root(self._base, covers | self._covers))

    def _system_folder(self, name: bytes) -> Node:
        if self._system is None:
            self._system = proc.folders(self._make_system())
        return self._system[name]

    def shown(self, root: Place, file: Path | None) -> GuestProgram | None:
        """The program in a guest's tree, by its path as the user has written it or by its real one."""
        if file is None or self._folder is None:
            return None
        for normal in (os.path.abspath, os.path.realpath):
            path = os.path.relpath(normal(file), normal(self._folder))
            if path.startswith("../"):
                continue
            text = b"/" + os.fsencode(path)
            try:
                found, host = find(self._store.work, root, root, text).existing(), os.stat(file)
                status = found.node.status()
            except (LinuxError, OSError):
                continue
            if (status.device, status.inode) == (host.st_dev, host.st_ino):
                return GuestProgram(text, found, is_shown=True)
        return None


def _devices(store: Store, generator: random.Random, shared: Node, terminals: Terminals) -> MemoryDirectory:
    directory = MemoryDirectory(store, read_only=True)
    directory.is_mount_point = True
    zero, noise = bytes, generator.randbytes
    for name, device in {
        b"null": Device(store, (1, 3), nothing),
        b"zero": Device(store, (1, 5), zero),
        b"full": Device(store, (1, 7), zero, Errno.ENOSPC),
        b"random": Device(store, (1, 8), noise, reads_writes=True),
        b"urandom": Device(store, (1, 9), noise, reads_writes=True),
    }.items():
        directory.attach(name, device)
    for name, target in _DESCRIPTORS.items():
        directory.attach(name, MemoryLink(store, target))
    directory.attach(b"shm", shared)
    directory.attach(b"pts", TerminalDirectory(store, terminals))
    directory.attach(b"ptmx", MasterNode(store, terminals))
    directory.attach(b"tty", OwnNode(store, terminals))
    return directory


_Covers = dict[bytes, Callable[[], Node]]


class _Root(Node):
    """A directory with some names covered, by what is asked for when a guest looks at it."""

    def __init__(self, base: Node, covers: _Covers) -> None:
        self._base, self._covers = base, covers

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    def status(self) -> Status:
        """As `Node`."""
        return self._base.status()

    def check(self, wanted: int, user: int, group: int) -> None:
        """As `Node`."""
        self._base.check(wanted, user, group)

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        return self._covers[name]() if name in self._covers else self._base.child(name)

    def entries(self) -> Iterable[Entry]:
        """As `Node`."""
        yield from (entry for entry in self._base.entries() if entry.name not in self._covers)
        for name, cover in self._covers.items():
            status = cover().status()
            yield Entry(name, status.inode, S_IFMT(status.mode))

    def holder(self, name: bytes) -> Node:
        """As `Node`. Raises EBUSY for a name that is covered."""
        if name in self._covers:
            raise LinuxError(Errno.EBUSY)
        return self._base

    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        return self.holder(name).make_file(name, mode)

    def make_nameless(self, mode: int) -> Node:
        """As `Node`."""
        return self._base.make_nameless(mode)

    def make_socket(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        return self.holder(name).make_socket(name, mode)

    def make_fifo(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        return self.holder(name).make_fifo(name, mode)

    def make_directory(self, name: bytes, mode: int) -> None:
        """As `Node`."""
        self.holder(name).make_directory(name, mode)

    def make_link(self, name: bytes, target: bytes) -> None:
        """As `Node`."""
        self.holder(name).make_link(name, target)

    def remove_file(self, name: bytes) -> None:
        """As `Node`."""
        self.holder(name).remove_file(name)

    def remove_directory(self, name: bytes) -> None:
        """As `Node`."""
        self.holder(name).remove_directory(name)

    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        self.holder(name).rename(name, other, new_name)

    def exchange(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        self.holder(name).exchange(name, other, new_name)

    def add_node(self, name: bytes, node: Node) -> None:
        """As `Node`."""
        self.holder(name).add_node(name, node)

    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """As `Node`."""
        self.holder(name).add_name(name, directory, old_name)

    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._base.set_mode(mode)

    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._base.set_times(accessed, modified)
