"""The parts of a PE32+ file (Microsoft's PE format, x86-64), program or DLL, and how it lies in memory at any base.

Sections are mapped by the rules of Windows' loader, as the literature has them (ReversingLabs, "Undocumented PECOFF"):
whole pages, file offsets rounded down to sectors, and images aligned below a page as they stand in the file.

The file is hostile until proved otherwise: every field is read through a bounds check; what is wrong raises LoadError.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator
from functools import cached_property

import msgspec

from machine.loaders.image import LoadError, check_size, is_pe
from machine.memory import PAGE, Area, Protection, page_ceil, with_read

_USER_SPACE = 1 << 47
_X86_64, _PE32_PLUS = 0x8664, 0x20B
_DLL = 0x2000
_MOST_SECTIONS = 96  # as Windows' loader has it
_LARGEST_IMAGE = 1 << 31
_BASE_UNIT = 0x1_0000  # images begin at multiples of it
_SECTOR = 0x200  # what file offsets are rounded down to, whatever the file's alignment
EXPORTS, IMPORTS, RELOCATIONS, TLS, DELAY_IMPORTS, _DIRECTORIES = 0, 1, 5, 9, 13, 16
_RELOCATIONS_STRIPPED = 1
_HIGHLOW, _DIR64 = 3, 10
_LONGEST_TEXT = 1024
_MOST_RELOCATIONS = 1 << 21  # of one file
_EXECUTE, _READ, _WRITE = 0x2000_0000, 0x4000_0000, 0x8000_0000


class _Reader(msgspec.Struct, frozen=True):
    """Little-endian numbers of a file. Raises LoadError where the file ends."""

    data: bytes

    def number(self, offset: int, size: int, what: str) -> int:
        if offset < 0 or offset + size > len(self.data):
            raise LoadError(f"this PE file ends within its {what}")
        return int.from_bytes(self.data[offset : offset + size], "little")


class Layout(msgspec.Struct, frozen=True):
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


class Section(msgspec.Struct, frozen=True):
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


class PeFile:
    """The file's headers and sections, checked. Raises LoadError."""

    def __init__(self, data: bytes) -> None:
        if not is_pe(data):
            missing = "has no `PE` signature" if data.startswith(b"MZ") else "does not begin with the magic bytes 4d 5a"
            raise LoadError(f"not a PE file: it {missing}")
        self.data = data
        read = _Reader(data).number
        coff = read(0x3C, 4, "header") + 4
        self._optional = optional = coff + 20
        machine, magic = read(coff, 2, "header"), read(optional, 2, "optional header")
        if machine != _X86_64 or magic != _PE32_PLUS:
            raise LoadError(f"not an x86-64 program (machine {machine:#x})", "only 64-bit x86 can be emulated")
        self.symbol_table = read(coff + 8, 4, "header"), read(coff + 12, 4, "header")  # offset and number of rows
        self.characteristics = read(coff + 18, 2, "header")
        self.layout = _read_layout(data, optional)
        self.entry = read(optional + 16, 4, "optional header")  # relative to the base; 0 for none
        count = min(read(optional + 108, 4, "optional header"), _DIRECTORIES)
        self.directories = tuple(
            (read(row, 4, "data directories"), read(row + 4, 4, "data directories"))
            for row in range(optional + 112, optional + 112 + 8 * count, 8)
        )
        table = optional + read(coff + 16, 2, "header")
        sections = read(coff + 2, 2, "header")
        if sections > _MOST_SECTIONS:
            raise LoadError(f"{sections} sections; at most {_MOST_SECTIONS} are accepted")
        self.sections = tuple(_read_section(data, table + 40 * index) for index in range(sections))
        for section in self.sections:
            _check_section(section, self.layout, len(data))
        _ = self.areas  # so that nobody who looks at the file later is told that its sections overlap

    @property
    def is_dll(self) -> bool:
        """Whether it says that it is a DLL."""
        return bool(self.characteristics & _DLL)

    @property
    def base(self) -> int:
        """The base that it prefers."""
        return self.layout.base

    @property
    def size(self) -> int:
        """What it takes in memory, in whole pages."""
        return page_ceil(self.layout.size)

    @property
    def has_relocations(self) -> bool:
        """Whether it can lie at another base."""
        return bool(self.directory(RELOCATIONS)[1]) and not self.characteristics & _RELOCATIONS_STRIPPED

    def number(self, offset: int, size: int) -> int:
        """A field of the optional header. Raises LoadError where the file ends."""
        return _Reader(self.data).number(self._optional + offset, size, "optional header")

    def directory(self, index: int) -> tuple[int, int]:
        """Where a data directory's table is, relative to the base, and its size; zeros for none."""
        return self.directories[index] if index < len(self.directories) else (0, 0)

    @cached_property
    def areas(self) -> tuple[Area, ...]:
        """The areas of headers and sections, at the preferred base."""
        return _flat_area(self.layout) if self.layout.is_low else _areas(self.layout, list(self.sections))

    @cached_property
    def contents(self) -> tuple[tuple[int, bytes], ...]:
        """What the file has for them."""
        if self.layout.is_low:
            return _flat_contents(self.layout, self.data)
        return _contents(self.layout, list(self.sections), self.data)

    def read(self, relative: int, size: int) -> bytes:
        """The bytes at a relative address that the file has, at most `size`."""
        address = self.base + relative
        index = bisect.bisect_right(self.contents, address, key=lambda content: content[0]) - 1
        if index < 0:
            return b""
        start, data = self.contents[index]
        return data[address - start : address - start + size]

    def text(self, relative: int) -> str:
        """The ASCII text at a relative address that ends with a zero byte. Raises LoadError for none."""
        data = self.read(relative, _LONGEST_TEXT)
        end = data.find(b"\0")
        if end < 0 or not data[:end].isascii():
            raise LoadError("a name in this PE file has no end, or is no ASCII")
        return data[:end].decode("ascii")

    def holds(self, relative: int) -> bool:
        """Whether a relative address lies in one of its areas."""
        address = self.base + relative
        index = bisect.bisect_right(self.areas, address, key=lambda area: area.start) - 1
        return index >= 0 and address < self.areas[index].start + self.areas[index].size

    def at(self, base: int, largest: int) -> tuple[tuple[Area, ...], tuple[tuple[int, bytes], ...]]:
        """Areas and bytes at a base, of at most `largest` bytes; relocated, with the base in the header.

        Raises LoadError where it is too large, has no relocations, or has wrong ones.
        """
        check_size(self.areas, largest)
        delta = base - self.base
        if not delta:
            return self.areas, self.contents
        if not self.has_relocations:
            raise LoadError(f"this PE file can only lie at {self.base:#x}: it has no relocations")
        pieces = [(start, bytearray(data)) for start, data in self.contents]
        starts = [start for start, _ in pieces]
        for place, size in self._relocations():
            address = self.base + place
            index = bisect.bisect_right(starts, address) - 1
            start, data = pieces[index] if index >= 0 else (0, bytearray())
            at = address - start
            if at + size > len(data):
                if not self.holds(place):
                    raise LoadError(f"a relocation at {place:#x} lies outside the image")
                continue  # of zeros that the file does not have: nothing that a linker makes
            old = int.from_bytes(data[at : at + size], "little")
            data[at : at + size] = (old + delta & (1 << 8 * size) - 1).to_bytes(size, "little")
        field = self._optional + 24
        if field + 8 <= len(pieces[0][1]):
            pieces[0][1][field : field + 8] = base.to_bytes(8, "little")
        areas = tuple(area._replace(start=area.start + delta, end=area.end + delta) for area in self.areas)
        return areas, tuple((start + delta, bytes(data)) for start, data in pieces)

    def _relocations(self) -> Iterator[tuple[int, int]]:
        """Relative addresses of numbers that the base is part of, and their bytes. Raises LoadError."""
        place, size = self.directory(RELOCATIONS)
        table = self.read(place, size)
        if len(table) > 2 * _MOST_RELOCATIONS:
            raise LoadError(f"this PE file has more than {_MOST_RELOCATIONS} relocations")
        at = 0
        while at + 8 <= len(table):
            page, length = struct.unpack_from("<II", table, at)
            if not length:
                return
            if length < 8 or at + length > len(table):
                raise LoadError("a block of relocations leaves their table")
            for (entry,) in struct.iter_unpack("<H", table[at + 8 : at + (length & ~1)]):
                kind = entry >> 12
                if kind in (_DIR64, _HIGHLOW):
                    yield page + (entry & 0xFFF), 8 if kind == _DIR64 else 4
                elif kind:
                    raise LoadError(f"a relocation of kind {kind}, which x86-64 does not have")
            at += length


def _read_layout(data: bytes, optional: int) -> Layout:
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
    return Layout(base, size, headers, alignment, file_alignment)


def _read_section(data: bytes, row: int) -> Section:
    read = _Reader(data).number
    memory_size, relative, file_size, offset = (read(row + 8 + 4 * index, 4, "section table") for index in range(4))
    flags = read(row + 36, 4, "section table")
    name = data[row : row + 8].rstrip(b"\0").decode("ascii", "replace")
    protection = Protection.NONE
    for bit, right in ((_READ, Protection.READ), (_WRITE, Protection.WRITE), (_EXECUTE, Protection.EXECUTE)):
        if flags & bit:
            protection |= right
    return Section(name, relative, memory_size or file_size, file_size, offset, with_read(protection))


def _check_section(section: Section, layout: Layout, length: int) -> None:
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


def _flat_area(layout: Layout) -> tuple[Area, ...]:
    """A low-alignment image: Windows gives its pages all rights."""
    return (Area(layout.base, layout.base + page_ceil(layout.size), Protection.ALL, "image"),)


def _flat_contents(layout: Layout, data: bytes) -> tuple[tuple[int, bytes], ...]:
    return ((layout.base, data[: page_ceil(layout.size)]),)


def _areas(layout: Layout, sections: list[Section]) -> tuple[Area, ...]:
    """The areas of headers and sections. Raises LoadError where they overlap."""
    areas = [Area(layout.base, layout.base + page_ceil(max(layout.headers, 1)), Protection.READ, "headers")]
    for section in sorted(sections, key=lambda section: section.relative):
        start = layout.base + section.relative
        if start < areas[-1].start + areas[-1].size:
            raise LoadError(f"section {section.name!r} overlaps the one before it")
        if section.size:
            areas.append(Area(start, start + section.size, section.protection, section.name or "section"))
    return tuple(areas)


def _contents(layout: Layout, sections: list[Section], data: bytes) -> tuple[tuple[int, bytes], ...]:
    ordered = sorted((section for section in sections if section.size), key=lambda section: section.relative)
    parts = [(section.relative, section.content(data, layout.file_alignment)) for section in ordered]
    return tuple((layout.base + relative, part) for relative, part in ((0, data[: layout.headers]), *parts))
