"""Paths of the guest: from text to a place in its tree. The only module that follows symbolic links or knows `..`.

A place remembers the way it was reached by, so `..` goes back along that way and ends at the root, whatever happens to
the folder on the host meanwhile.
"""

from __future__ import annotations

from enum import IntFlag

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Node
from machine.memory import PER_ITEM, KernelWork

AT_FDCWD = -100  # in the place of a descriptor: where the process is
LONGEST_NAME = 255  # NAME_MAX
_MOST_LINKS = 40  # that one path follows (MAXSYMLINKS)


class Resolve(IntFlag):
    """What a walk may not do, besides what no walk may (RESOLVE_* of openat2)."""

    FREELY = 0
    NO_XDEV = 1  # come to another file system
    NO_MAGICLINKS = 2  # follow links of /proc that have no need of their text
    NO_SYMLINKS = 4
    BENEATH = 8  # leave the directory it starts in
    IN_ROOT = 0x10  # likewise, and the directory it starts in is the root
    CACHED = 0x20  # wait for a disk, which nothing here does


class Place(msgspec.Struct, frozen=True):
    """A node and the way to it; the root has no parent and no name."""

    node: Node
    parent: Place | None = None
    name: bytes = b""

    def mount(self) -> Node:
        """The root of the file system that the place belongs to."""
        place = self
        while place.parent is not None and not place.node.is_mount_point:
            place = place.parent
        return place.node

    def moved_to(self, root: Place) -> Place:
        """The same way from another root, which shows the same files."""
        return root if self.parent is None else Place(self.node, self.parent.moved_to(root), self.name)

    def path(self) -> bytes:
        """The absolute path."""
        names: list[bytes] = []
        place = self
        while place.parent is not None:
            names.append(place.name)
            place = place.parent
        return b"/" + b"/".join(reversed(names))


class Spot(msgspec.Struct, frozen=True):
    """A name in a directory; `place` is None when nothing stands there."""

    directory: Place
    name: bytes  # b"." or b".." when the path ends so: an existing directory
    place: Place | None
    slash: bool  # the path ends in a slash: only a directory will do

    def existing(self) -> Place:
        """What stands there. Raises ENOENT and ENOTDIR."""
        if self.place is None:
            raise LinuxError(Errno.ENOENT)
        return self.place


def find(
    work: KernelWork,
    root: Place,
    start: Place,
    path: bytes,
    follow: bool = True,
    resolve: Resolve = Resolve.FREELY,
) -> Spot:
    """Walk a path. `follow` says whether a symbolic link at its end is followed; a trailing slash always does so.

    Raises ENOENT, ENOTDIR, ELOOP, EACCES and ENAMETOOLONG for the way, EXDEV for what `resolve` forbids; that the end
    is missing is no error. What is gone through is charged to `work`; EINTR when the run is to end.
    """
    if not path:
        raise LinuxError(Errno.ENOENT)
    if resolve & Resolve.IN_ROOT:
        root = start
    absolute = path.startswith(b"/")
    if absolute and resolve & Resolve.BENEATH:
        raise LinuxError(Errno.EXDEV)
    way = _Way(root, root if absolute else start, resolve)
    here = way.start
    slash = path.endswith(b"/")
    pending = _components(path)
    followed = 0
    spot = Spot(here, b".", here, slash)
    while pending:
        name = pending.pop()
        work.charge(PER_ITEM)
        spot = way.step(here, name, slash)
        place, is_last = spot.place, not pending
        if place is None:
            if not is_last:
                raise LinuxError(Errno.ENOENT)
            return spot
        target = place.node.target() if not is_last or follow or slash else None
        if target is not None:
            followed += 1
            if followed > _MOST_LINKS or resolve & Resolve.NO_SYMLINKS:
                raise LinuxError(Errno.ELOOP)
            if work.is_ending():
                raise LinuxError(Errno.EINTR)
            there = place.node.jump()
            if there is not None:
                here = way.jump(there)
                spot = Spot(there.parent or there, there.name or b".", there, slash)
                if not is_last or slash:
                    _check_directory(there.node)
                continue
            if not target:
                raise LinuxError(Errno.ENOENT)
            pending += _components(target)
            slash = slash or (is_last and target.endswith(b"/"))
            here = way.root_of_link() if target.startswith(b"/") else here
            spot = Spot(here, b".", here, slash)
            continue
        if not is_last or slash:
            _check_directory(place.node)
        here = place
    return spot


class Name(msgspec.Struct, frozen=True):
    """The end of a path, to make, move or remove: a link there is not followed, whatever comes behind it."""

    directory: Place
    name: bytes
    slash: bool

    @property
    def is_proper(self) -> bool:
        """Whether it is neither `.`, `..` nor the root."""
        return self.name not in (b".", b"..", b"/")

    def look(self) -> Place | None:
        """What stands there. Raises ENOTDIR, ENAMETOOLONG."""
        if self.name == b"/":
            return self.directory
        return _Way(self.directory, self.directory, Resolve.FREELY).step(self.directory, self.name, self.slash).place

    def existing(self) -> Place:
        """What stands there. Raises ENOENT as well."""
        place = self.look()
        if place is None:
            raise LinuxError(Errno.ENOENT)
        return place

    def new(self) -> bytes:
        """The name for something new. Raises EEXIST."""
        if not self.is_proper or self.look() is not None:
            raise LinuxError(Errno.EEXIST)
        return self.name


def find_name(work: KernelWork, root: Place, start: Place, path: bytes) -> Name:
    """The name at the end of a path, and the directory it is in. Raises as `find` does."""
    stem = path.rstrip(b"/")
    if not path:
        raise LinuxError(Errno.ENOENT)
    if not stem:
        return Name(root, b"/", True)
    directory, _, name = stem.rpartition(b"/")
    here = find(work, root, start, directory or b"/").existing() if b"/" in stem else start
    if not here.node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    return Name(here, name, path.endswith(b"/"))


class _Way(msgspec.Struct, frozen=True):
    """The rules of one walk."""

    root: Place
    start: Place
    resolve: Resolve

    def step(self, here: Place, name: bytes, slash: bool) -> Spot:
        """One component further."""
        _check_directory(here.node)
        if name == b".":
            return Spot(here, name, here, slash)
        if name == b"..":
            return Spot(here, name, self._same_device(here, self._parent(here)), slash)
        if len(name) > LONGEST_NAME:
            raise LinuxError(Errno.ENAMETOOLONG)
        try:
            node = here.node.child(name)
        except LinuxError as error:
            if error.number is not Errno.ENOENT:
                raise
            return Spot(here, name, None, slash)
        return Spot(here, name, self._same_device(here, Place(node, here, name)), slash)

    def _parent(self, here: Place) -> Place:
        if here is self.start and self.resolve & (Resolve.BENEATH | Resolve.IN_ROOT):
            if self.resolve & Resolve.BENEATH:
                raise LinuxError(Errno.EXDEV)
            return here
        return here.parent or self.root

    def root_of_link(self) -> Place:
        """Where an absolute symbolic link begins."""
        if self.resolve & Resolve.BENEATH:
            raise LinuxError(Errno.EXDEV)
        if self.resolve & Resolve.NO_XDEV:
            self._same_device(self.start, self.root)
        return self.root

    def jump(self, there: Place) -> Place:
        """Behind a magic link. Raises EXDEV and ELOOP."""
        if self.resolve & (Resolve.BENEATH | Resolve.IN_ROOT):
            raise LinuxError(Errno.EXDEV)
        if self.resolve & Resolve.NO_MAGICLINKS:
            raise LinuxError(Errno.ELOOP)
        return self._same_device(self.start, there)

    def _same_device(self, here: Place, there: Place) -> Place:
        if self.resolve & Resolve.NO_XDEV and here.mount() is not there.mount():
            raise LinuxError(Errno.EXDEV)
        return there


def _components(path: bytes) -> list[bytes]:
    """The names of a path, last one first."""
    return [name for name in reversed(path.split(b"/")) if name]


def _check_directory(node: Node) -> None:
    if not node.is_directory:
        node.child(b".")  # raises what the node has to say
        raise LinuxError(Errno.ENOTDIR)
