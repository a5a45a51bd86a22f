"""Sections, and the memory that their views show."""

from __future__ import annotations

import msgspec

from machine.kernel.linux import FilePages, LinuxError
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.rights import SECTION
from machine.kernel.nt.space import NtSpace
from machine.kernel.nt.volume import failure
from machine.loaders import Module
from machine.memory import Frames, SharedMemory

SEC_COMMIT = 0x800_0000
WRITABLE = 0x44  # protections with which a view writes: read-write and execute-read-write


class Section(KernelObject, eq=False):
    """What views show: a module, or `size` bytes that have `memory`, from the first view on.

    `file` is the section's own: it is there when the program has closed the one that it gave.
    """

    kind = "Section"
    rights = SECTION
    size: int
    protect: int
    module: Module | None = None
    file: DriveFile | None = None
    memory: SharedMemory | None = None
    attributes: int = SEC_COMMIT
    views: set[int] = msgspec.field(default_factory=set)  # where they begin

    @property
    def is_referenced(self) -> bool:
        """As `KernelObject`: views hold it, too."""
        return bool(self.handles or self.views)


def memory_of(section: Section, source: Frames) -> SharedMemory:
    """What the views of a section show: of a file the pages that everybody who maps it has, and its handles read."""
    if section.memory is None:
        handle = None if section.file is None else section.file.handle
        try:
            section.memory = SharedMemory(source) if handle is None else handle.pages(source)
        except LinuxError as error:
            raise failure(error) from None
    return section.memory


def flush(space: NtSpace, address: int) -> None:
    """Have the file that a view shows get what the view's pages hold."""
    found = space.allocation_at(address)
    area = None if found is None else space.memory.area_at(found.base)
    if found is not None and area is not None and isinstance(area.backing, FilePages):
        area.backing.put_back(area.offset, area.offset + found.end - found.base)


def flush_all(space: NtSpace) -> None:
    """The same for all views."""
    for area in space.memory.areas:
        if isinstance(area.backing, FilePages):
            area.backing.put_back()
