"""Paths of the guest: from text to a place in its tree. The only module that follows symbolic links or knows `..`.

A place remembers the way it was reached by, so `..` goes back along that way and ends at the root, whatever happens to
the folder on the host meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Node

LONGEST_NAME = 255  # NAME_MAX
_MOST_LINKS = 40  # that one path follows (MAXSYMLINKS)


@dataclass(frozen=True)
class Place:
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

    def path(self) -> bytes:
        """The absolute path."""
        names: list[bytes] = []
        place = self
        while place.parent is not None:
            names.append(place.name)
            place = place.parent
        return b"/" + b"/".join(reversed(names))


@dataclass(frozen=True)
class Spot:
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

    def new_name(self) -> bytes:
        """The name for something new. Raises EEXIST."""
        if self.place is not None:
            raise LinuxError(Errno.EEXIST)
        return self.name

    def old_name(self) -> bytes:
        """The name of something that is to be removed or moved. Raises ENOENT, ENOTDIR, EBUSY, EINVAL."""
        place = self.existing()
        if self.name in (b".", b"..") or place.parent is None:
            raise LinuxError(Errno.EBUSY if place.parent is None else Errno.EINVAL)
        return self.name


def find(root: Place, start: Place, path: bytes, follow: bool = True) -> Spot:
    """Walk a path. `follow` says whether a symbolic link at its end is followed; a trailing slash always does so.

    Raises ENOENT, ENOTDIR, ELOOP, EACCES and ENAMETOOLONG for the way; that the end is missing is no error.
    """
    if not path:
        raise LinuxError(Errno.ENOENT)
    here = root if path.startswith(b"/") else start
    slash = path.endswith(b"/")
    pending = _components(path)
    followed = 0
    spot = Spot(here, b".", here, slash)
    while pending:
        name = pending.pop()
        spot = _step(root, here, name, slash)
        place, is_last = spot.place, not pending
        if place is None:
            if not is_last:
                raise LinuxError(Errno.ENOENT)
            return spot
        target = place.node.target() if not is_last or follow or slash else None
        if target is not None:
            followed += 1
            if followed > _MOST_LINKS:
                raise LinuxError(Errno.ELOOP)
            if not target:
                raise LinuxError(Errno.ENOENT)
            pending += _components(target)
            slash = slash or (is_last and target.endswith(b"/"))
            here = root if target.startswith(b"/") else here
            spot = Spot(here, b".", here, slash)
            continue
        if not is_last or slash:
            _check_directory(place.node)
        here = place
    return spot


def _step(root: Place, here: Place, name: bytes, slash: bool) -> Spot:
    _check_directory(here.node)
    if name == b".":
        return Spot(here, name, here, slash)
    if name == b"..":
        return Spot(here, name, here.parent or root, slash)
    if len(name) > LONGEST_NAME:
        raise LinuxError(Errno.ENAMETOOLONG)
    try:
        node = here.node.child(name)
    except LinuxError as error:
        if error.number is not Errno.ENOENT:
            raise
        return Spot(here, name, None, slash)
    return Spot(here, name, Place(node, here, name), slash)


def _components(path: bytes) -> list[bytes]:
    """The names of a path, last one first."""
    return [name for name in reversed(path.split(b"/")) if name]


def _check_directory(node: Node) -> None:
    if not node.is_directory:
        node.child(b".")  # raises what the node has to say
        raise LinuxError(Errno.ENOTDIR)
