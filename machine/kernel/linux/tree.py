"""The tree a guest sees: a root in memory or a folder of the host, and what Linux puts over it: /dev, /proc, /tmp."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from machine.kernel.linux import host_files
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.host_rules import FolderQuota
from machine.kernel.linux.memory_files import Device, MemoryDirectory, MemoryLink, Store
from machine.kernel.linux.nodes import Entry, Node, Status
from machine.kernel.linux.paths import Place


@dataclass(frozen=True)
class World:
    """What a guest is shown of the host, and what its random numbers start from.

    `root` is a folder; without one the guest has an empty root in memory. `standard_input` is None for none at all (it
    reads as empty), the bytes or the file that the guest reads, or a descriptor of this process. `user` and `group` are
    what the guest takes itself for; nothing is granted by them.
    """

    root: Path | None = None
    writable: bool = False
    standard_input: bytes | Path | int | None = None
    seed: int = 0
    user: int = 1000
    group: int = 1000


class Tree:
    """The files of all guests of a machine. Raises OSError and ValueError for a folder."""

    def __init__(self, world: World, store: Store, quota: FolderQuota) -> None:
        self._store = store
        self._covers: dict[bytes, MemoryDirectory] = {}
        self._base: Node = (
            MemoryDirectory(store) if world.root is None else host_files.show(world.root, world.writable, quota)
        )
        if world.root is None or not world.writable:
            self._covers[b"tmp"] = MemoryDirectory(store, 0o777)

    def root(self, generator: random.Random, program: bytes) -> Place:
        """The root of a guest whose program has this path: it has its own random numbers and its own /proc/self."""
        own = {b"dev": _devices(self._store, generator), b"proc": _processes(self._store, program)}
        covers = {**own, **self._covers}
        for directory in covers.values():
            directory.is_mount_point = True
        return Place(_Root(self._base, covers))


def _devices(store: Store, generator: random.Random) -> MemoryDirectory:
    directory = MemoryDirectory(store, read_only=True)
    zero, noise, nothing = bytes, generator.randbytes, lambda size: b""
    for name, device in {
        b"null": Device(store, (1, 3), nothing),
        b"zero": Device(store, (1, 5), zero),
        b"full": Device(store, (1, 7), zero, Errno.ENOSPC),
        b"random": Device(store, (1, 8), noise, reads_writes=True),
        b"urandom": Device(store, (1, 9), noise, reads_writes=True),
    }.items():
        directory.attach(name, device)
    return directory


def _processes(store: Store, program: bytes) -> MemoryDirectory:
    directory, own = (MemoryDirectory(store, 0o555, read_only=True) for _ in range(2))
    own.attach(b"exe", MemoryLink(store, program))
    directory.attach(b"self", own)
    return directory


class _Root(Node):
    """A directory with some names covered."""

    def __init__(self, base: Node, covers: dict[bytes, MemoryDirectory]) -> None:
        self._base, self._covers = base, covers

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    def status(self) -> Status:
        """As `Node`."""
        return self._base.status()

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        return self._covers[name] if name in self._covers else self._base.child(name)

    def entries(self) -> Iterable[Entry]:
        """As `Node`."""
        yield from (entry for entry in self._base.entries() if entry.name not in self._covers)
        for name, node in self._covers.items():
            status = node.status()
            yield Entry(name, status.inode, node.kind)

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

    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """As `Node`."""
        self.holder(name).add_name(name, directory, old_name)

    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._base.set_mode(mode)

    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._base.set_times(accessed, modified)
