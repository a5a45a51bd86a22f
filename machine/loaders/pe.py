"""PE32+ executables without imports (Microsoft's PE format, x86-64), at their preferred base.

The file is hostile until proved otherwise: every field is read through a bounds check. Relocations are not applied, and
there are no DLLs: a program that imports anything is refused, since its first call would be a crash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from machine.loaders import Area, Image, LoadError
from machine.loaders.pe_exports import Exports
from machine.memory import PAGE, Protection, page_ceil
from machine.symbols import Symbol

_USER_SPACE = 1 << 47
_X86_64, _PE32_PLUS = 0x8664, 0x20B
_DLL = 0x2000
_MOST_SECTIONS = 96  # as Windows' loader has it
_LARGEST_IMAGE = 1 << 31
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
class _Section:
    """One row of the section table, checked."""

    address: int
    size: int
    content: bytes
    protection: Protection
    name: str


def looks_like(data: bytes) -> bool:
    """Whether data starts like a PE file: an MZ header that points to a PE signature."""
    if not data.startswith(b"MZ") or len(data) < 0x40:
        return False
    (offset,) = struct.unpack_from("<I", data, 0x3C)
    return data[offset : offset + 4] == b"PE\0\0"


def load(data: bytes) -> Image:
    """The image of an executable. Raises LoadError."""
    if not looks_like(data):
        raise LoadError("not a PE file")
    read = _Reader(data).number
    coff = read(0x3C, 4, "header") + 4
    optional = coff + 20
    _check_kind(read(coff, 2, "header"), read(coff + 18, 2, "header"), read(optional, 2, "optional header"))
    base, size = read(optional + 24, 8, "optional header"), read(optional + 56, 4, "optional header")
    entry = base + read(optional + 16, 4, "optional header")
    headers = min(read(optional + 60, 4, "optional header"), len(data))
    if base % PAGE or base < 0x1_0000 or not 0 < size < _LARGEST_IMAGE or base + size > _USER_SPACE:
        raise LoadError(f"{size:#x} bytes at the preferred base {base:#x} do not fit in the user address space")
    directories = min(read(optional + 108, 4, "optional header"), _DIRECTORIES)
    if directories > _IMPORTS and read(optional + 112 + 8 * _IMPORTS + 4, 4, "data directories"):
        raise LoadError("this PE file imports from DLLs; there are none here", "link it without a run-time library")
    table = optional + read(coff + 16, 2, "header")
    count = read(coff + 2, 2, "header")
    if count > _MOST_SECTIONS:
        raise LoadError(f"{count} sections; at most {_MOST_SECTIONS} are accepted")
    sections = [_section(data, table + 40 * index, base, size) for index in range(count)]
    areas, contents = _lay_out(base, data[:headers], sections)
    if not any(area.start <= entry < area.start + area.size for area in areas):
        raise LoadError(f"the entry point {entry:#x} lies in no section")
    symbols: tuple[Symbol, ...] = ()
    if directories > _EXPORTS:
        row = optional + 112 + 8 * _EXPORTS
        exports = read(row, 4, "data directories"), read(row + 4, 4, "data directories")
        symbols = Exports(base, areas, contents).symbols(*exports)
    return Image("nt", entry, None, areas, contents, symbols=symbols)


def _check_kind(machine: int, characteristics: int, magic: int) -> None:
    if machine != _X86_64 or magic != _PE32_PLUS:
        raise LoadError(f"not an x86-64 program (machine {machine:#x})", "only 64-bit x86 can be emulated")
    if characteristics & _DLL:
        raise LoadError("a DLL is not a program", "load the executable that uses it")


def _section(data: bytes, row: int, base: int, image_size: int) -> _Section:
    read = _Reader(data).number
    memory_size, relative, file_size, offset = (read(row + 8 + 4 * index, 4, "section table") for index in range(4))
    flags = read(row + 36, 4, "section table")
    name = data[row : row + 8].rstrip(b"\0").decode("ascii", "replace")
    memory_size = memory_size or file_size
    if relative % PAGE or relative < PAGE or relative + page_ceil(memory_size) > page_ceil(image_size):
        raise LoadError(f"section {name!r}: {memory_size:#x} bytes at offset {relative:#x} lie outside the image")
    length = min(file_size, memory_size)
    if offset + length > len(data):
        raise LoadError(f"section {name!r}: its bytes lie beyond the end of the file", "is the file complete?")
    protection = Protection.NONE
    for bit, right in ((_READ, Protection.READ), (_WRITE, Protection.WRITE), (_EXECUTE, Protection.EXECUTE)):
        if flags & bit:
            protection |= right
    return _Section(base + relative, page_ceil(memory_size), data[offset : offset + length], protection, name)


def _lay_out(
    base: int, headers: bytes, sections: list[_Section]
) -> tuple[tuple[Area, ...], tuple[tuple[int, bytes], ...]]:
    """The areas of headers and sections, which must not overlap, and their contents."""
    areas = [Area(base, page_ceil(max(len(headers), 1)), Protection.READ, "headers")]
    contents = [(base, headers)]
    for section in sorted(sections, key=lambda section: section.address):
        if section.address < areas[-1].start + areas[-1].size:
            raise LoadError(f"section {section.name!r} overlaps the one before it")
        if section.size:
            areas.append(Area(section.address, section.size, section.protection, section.name or "section"))
            contents.append((section.address, section.content))
    return tuple(areas), tuple(contents)
