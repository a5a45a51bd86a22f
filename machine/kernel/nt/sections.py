"""Sections, and how what views show gets into files."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.rights import SECTION
from machine.kernel.nt.space import Note, NtSpace
from machine.kernel.nt.status import NtError
from machine.loaders import Module
from machine.memory import SharedMemory

SEC_COMMIT = 0x800_0000
WRITABLE = 0x44  # protections with which a view writes: read-write and execute-read-write


class Section(KernelObject, eq=False):
    """What views show: a module, or `size` bytes that have `memory`, filled from a file at the first view.

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


def flush(space: NtSpace, address: int) -> None:
    """Write what a view shows into its file. Raises NtError where that cannot be, as on a full drive."""
    found = space.allocation_at(address)
    section = None if found is None else found.view
    if found is None or not isinstance(section, Section) or section.file is None or not section.protect & WRITABLE:
        return
    area = space.memory.area_at(found.base)
    offset = 0 if area is None else area.offset
    size = min(found.end - found.base, section.size - offset)
    data = space.memory.read(found.base, size) if size > 0 else None
    if data:
        section.file.write(offset, data)


def flush_all(space: NtSpace) -> None:
    """The process ends, whatever becomes of its files: the same for all of its views."""
    for area in space.memory.areas:
        if area.backing is not None and isinstance(area.tag, Note) and area.tag.allocation.base == area.start:
            with suppress(NtError):
                flush(space, area.start)
