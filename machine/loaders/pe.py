"""PE32+ executables without imports (Microsoft's PE format, x86-64), at their preferred base.

Sections are mapped by the rules of Windows' loader, as the literature has them (ReversingLabs, "Undocumented PECOFF"):
whole pages, file offsets rounded down to sectors, and images aligned below a page as they stand in the file.

The file is hostile until proved otherwise: every field is read through a bounds check. Relocations are not applied, and
there are no DLLs: a program that imports anything is refused, since its first call would be a crash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from machine.loaders.image import Area, Image, LoadError, Placement, ProgramKind, check_size
from machine.loaders.pe_exports import Exports
from machine.loaders.symbols import Symbol
from machine.memory import PAGE, Protection, page_ceil, with_read
from vm.facts.limits import DEFAULT_LIMITS

_USER_SPACE = 1 << 47
_X86_64, _PE32_PLUS = 0x8664, 0x20B
_DLL = 0x2000
_MOST_SECTIONS = 96  # as Windows' loader has it
_LARGEST_IMAGE = 1 << 31
_BASE_UNIT = 0x1_0000  # images begin at multiples of it
_SECTOR = 0x200  # what file offsets are rounded down to, whatever the file's alignment
_EXPORTS, _IMPORTS, _DIRECTORIES = 0, 1, 16
_EXECUTE, _READ, _WRITE = 0x2000_0000, 0x4000_0000, 0x8000_0000


@dataclass(frozen=True)
class _Reader:
    """Little-endian numbers of a file. Raises LoadError where the file ends."""

    data: bytes

    def number(self, offset: int, size: int, what: str) -> int:
        if offset < 0 or offset + size > len(self.data):
            raise LoadError(f"this PE file ends within its {what}")
        return int.from_bytes(self.data[offset : offset + size], "little")


@dataclass(frozen=True)
class _Layout:
    """What the optional header says about the image; a low alignment is one below a page."""

    base: int
    size: int
    headers: int
    alignment: int
    file_alignment: int

    @property
    def is_low(self) -> bool:
        """Whether the image lies in memory as it stands in the file."""
        return self.alignment < PAGE


@dataclass(frozen=True)
class _Section:
    """One row of the section table."""

    name: str
    relative: int  # to the base
    memory_size: int
    file_size: int
    offset: int
    protection: Protection

    @property
    def size(self) -> int:
        """Its bytes in memory, in whole pages."""
        return page_ceil(self.memory_size)

    def content(self, data: bytes, file_alignment: int) -> bytes:
        """What the file has for the section's pages."""
        if not self.offset:
            return b""
        start = self.offset & -_SECTOR
        end = self.offset + self.file_size + file_alignment - 1 & -file_alignment
        return data[start : min(end, start + min(page_ceil(self.file_size), self.size))]


def looks_like(data: bytes) -> bool:
    """Whether data starts like a PE file: an MZ header that points to a PE signature."""
    if not data.startswith(b"MZ") or len(data) < 0x40:
        return False
    (offset,) = struct.unpack_from("<I", data, 0x3C)
    return data[offset : offset + 4] == b"PE\0\0"


def load(data: bytes, largest: int = DEFAULT_LIMITS.max_guest_memory) -> Image:
    """The image of an executable of at most `largest` bytes in memory. Raises LoadError."""
    if not looks_like(data):
        missing = "has no `PE` signature" if data.startswith(b"MZ") else "does not begin with the magic bytes 4d 5a"
        raise LoadError(f"not a PE file: it {missing}")
    read = _Reader(data).number
    coff = read(0x3C, 4, "header") + 4
    optional = coff + 20
    _check_kind(read(coff, 2, "header"), read(coff + 18, 2, "header"), read(optional, 2, "optional header"))
    layout = _read_layout(data, optional)
    entry = layout.base + read(optional + 16, 4, "optional header")
    directories = min(read(optional + 108, 4, "optional header"), _DIRECTORIES)
    if directories > _IMPORTS and read(optional + 112 + 8 * _IMPORTS + 4, 4, "data directories"):
        raise LoadError("this PE file imports from DLLs; there are none here", "link it without a run-time library")
    table = optional + read(coff + 16, 2, "header")
    count = read(coff + 2, 2, "header")
    if count > _MOST_SECTIONS:
        raise LoadError(f"{count} sections; at most {_MOST_SECTIONS} are accepted")
    sections = [_read_section(data, table + 40 * index) for index in range(count)]
    for section in sections:
        _check_section(section, layout, len(data))
    areas = _flat_area(layout) if layout.is_low else _areas(layout, sections)
    check_size(areas, largest)
    if not any(area.start <= entry < area.start + area.size for area in areas):
        raise LoadError(f"the entry point {entry:#x} lies in no section")
    contents = _flat_contents(layout, data) if layout.is_low else _contents(layout, sections, data)
    symbols: tuple[Symbol, ...] = ()
    if directories > _EXPORTS:
        row = optional + 112 + 8 * _EXPORTS
        exports = read(row, 4, "data directories"), read(row + 4, 4, "data directories")
        symbols = Exports(layout.base, areas, contents).symbols(*exports)
    return Image("nt", entry, None, areas, contents, symbols=symbols)


def _check_kind(machine: int, characteristics: int, magic: int) -> None:
    if machine != _X86_64 or magic != _PE32_PLUS:
        raise LoadError(f"not an x86-64 program (machine {machine:#x})", "only 64-bit x86 can be emulated")
    if characteristics & _DLL:
        raise LoadError("a DLL is not a program", "load the executable that uses it")


def _read_layout(data: bytes, optional: int) -> _Layout:
    read = _Reader(data).number
    base = read(optional + 24, 8, "optional header")
    alignment, file_alignment = (read(optional + at, 4, "optional header") for at in (32, 36))
    size, headers = (read(optional + at, 4, "optional header") for at in (56, 60))
    if base % _BASE_UNIT or not base or not 0 < size < _LARGEST_IMAGE or base + size > _USER_SPACE:
        raise LoadError(f"{size:#x} bytes at the preferred base {base:#x} do not fit in the user address space")
    if alignment.bit_count() != 1 or file_alignment.bit_count() != 1 or file_alignment > alignment:
        raise LoadError(f"sections aligned to {alignment:#x} in memory and {file_alignment:#x} in the file")
    if file_alignment % _SECTOR and file_alignment != alignment:
        raise LoadError(f"a file alignment of {file_alignment:#x} takes the same section alignment, not {alignment:#x}")
    if headers > size:
        raise LoadError(f"headers of {headers:#x} bytes in an image of {size:#x} bytes (SizeOfImage)")
    return _Layout(base, size, headers, alignment, file_alignment)


def _read_section(data: bytes, row: int) -> _Section:
    read = _Reader(data).number
    memory_size, relative, file_size, offset = (read(row + 8 + 4 * index, 4, "section table") for index in range(4))
    flags = read(row + 36, 4, "section table")
    name = data[row : row + 8].rstrip(b"\0").decode("ascii", "replace")
    protection = Protection.NONE
    for bit, right in ((_READ, Protection.READ), (_WRITE, Protection.WRITE), (_EXECUTE, Protection.EXECUTE)):
        if flags & bit:
            protection |= right
    return _Section(name, relative, memory_size or file_size, file_size, offset, with_read(protection))


def _check_section(section: _Section, layout: _Layout, length: int) -> None:
    what, end = f"section {section.name!r}", section.relative + section.memory_size
    if section.relative % layout.alignment:
        raise LoadError(
            f"{what}: its address {section.relative:#x} is no multiple of the alignment {layout.alignment:#x}"
        )
    if section.relative < max(layout.headers, PAGE) and not layout.is_low:
        raise LoadError(f"{what}: its address {section.relative:#x} lies within the headers")
    if end > page_ceil(layout.size):
        raise LoadError(f"{what}: it ends at {end:#x}, behind the image's {layout.size:#x} bytes (SizeOfImage)")
    has_bytes = section.offset and section.file_size
    if layout.is_low and has_bytes and section.offset != section.relative:
        raise LoadError(
            f"{what}: its address {section.relative:#x} is not its offset {section.offset:#x} in the file",
            f"an image with the alignment {layout.alignment:#x} lies in memory as in the file",
        )
    start = section.offset if layout.is_low else section.offset & -_SECTOR
    if has_bytes and start + min(section.file_size, section.memory_size) > length:
        raise LoadError(f"{what}: its bytes lie beyond the end of the file", "is the file complete?")


def _flat_area(layout: _Layout) -> tuple[Area, ...]:
    """A low-alignment image: Windows gives its pages all rights."""
    return (Area(layout.base, page_ceil(layout.size), Protection.ALL, "image"),)


def _flat_contents(layout: _Layout, data: bytes) -> tuple[tuple[int, bytes], ...]:
    return ((layout.base, data[: page_ceil(layout.size)]),)


def _areas(layout: _Layout, sections: list[_Section]) -> tuple[Area, ...]:
    """The areas of headers and sections, which must not overlap."""
    areas = [Area(layout.base, page_ceil(max(layout.headers, 1)), Protection.READ, "headers")]
    for section in sorted(sections, key=lambda section: section.relative):
        start = layout.base + section.relative
        if start < areas[-1].start + areas[-1].size:
            raise LoadError(f"section {section.name!r} overlaps the one before it")
        if section.size:
            areas.append(Area(start, section.size, section.protection, section.name or "section"))
    return tuple(areas)


def _contents(layout: _Layout, sections: list[_Section], data: bytes) -> tuple[tuple[int, bytes], ...]:
    ordered = sorted((section for section in sections if section.size), key=lambda section: section.relative)
    parts = [(section.relative, section.content(data, layout.file_alignment)) for section in ordered]
    return tuple((layout.base + relative, part) for relative, part in ((0, data[: layout.headers]), *parts))


def _of_file(data: bytes, placement: Placement) -> Image:
    return load(data, placement.limits.max_guest_memory)


KIND = ProgramKind("pe", "a PE program", _of_file, looks_like, has_symbols=True)
