"""Static ELF64 executables for x86-64 (System V ABI, chapters 4 and 5).

The file is hostile until proved otherwise: every range is checked against the file and the address space, and what
pyelftools raises for a malformed one becomes a LoadError. Sections are looked at for symbols only (machine.symbols).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from machine.loaders import Area, Image, LoadError, ProgramHeaders
from machine.memory import PAGE, Protection, page_ceil, page_floor
from machine.symbols import elf_symbols

MAGIC = b"\x7fELF"
PIE_BASE = 0x5555_5555_4000
_USER_SPACE = 1 << 47
_MAX_PROGRAM_HEADERS = 256
_PF_X, _PF_W, _PF_R = 1, 2, 4


@dataclass(frozen=True)
class _Load:
    """One PT_LOAD header, checked."""

    address: int
    memory_size: int
    offset: int
    file_size: int
    protection: Protection


def load(data: bytes) -> Image:
    """The image of a static executable. Raises LoadError."""
    try:
        header, segments = _parse(data)
    except LoadError:
        raise
    except Exception as error:  # pyelftools documents no closed set of exceptions for malformed files
        raise LoadError(f"malformed ELF file: {type(error).__name__}: {error}") from None
    _check_header(header)
    if any(segment["p_type"] == "PT_INTERP" for segment in segments):
        raise LoadError("this ELF file is dynamically linked; there is no dynamic linker here", "link it with -static")
    base = PIE_BASE if header["e_type"] == "ET_DYN" else 0
    loads = [_check_load(segment, base, len(data)) for segment in segments if segment["p_type"] == "PT_LOAD"]
    if not loads:
        raise LoadError("this ELF file has no PT_LOAD segment")
    entry = base + header["e_entry"]
    if not any(load.address <= entry < load.address + load.memory_size for load in loads):
        raise LoadError(f"the entry point {entry:#x} lies in no PT_LOAD segment")
    return Image(
        kernel="linux",
        entry=entry,
        until=None,
        areas=_areas(loads),
        contents=tuple((load.address, data[load.offset : load.offset + load.file_size]) for load in loads),
        program_headers=_program_headers(header, loads),
        symbols=elf_symbols(data, base),
    )


def _parse(data: bytes) -> tuple[Any, list[Any]]:
    from elftools.elf.elffile import ELFFile

    if len(data) < 64:
        raise LoadError("this ELF file ends within its header")
    # pyelftools reads section headers on opening; a file needs none to be executed, so hide them.
    without_sections = data[:0x28] + bytes(8) + data[0x30:0x3A] + bytes(6) + data[0x40:]
    elf = ELFFile(io.BytesIO(without_sections if data[4] == 2 else data))
    count = elf.header["e_phnum"]
    if count > _MAX_PROGRAM_HEADERS:
        raise LoadError(f"{count} program headers; at most {_MAX_PROGRAM_HEADERS} are accepted")
    return elf.header, [elf.get_segment(index).header for index in range(count)]


def _check_header(header: Any) -> None:
    ident = header["e_ident"]
    if ident["EI_CLASS"] != "ELFCLASS64" or header["e_machine"] != "EM_X86_64":
        raise LoadError(
            f"not an x86-64 program ({ident['EI_CLASS']}, {header['e_machine']})", "only 64-bit x86 can be emulated"
        )
    if ident["EI_DATA"] != "ELFDATA2LSB":
        raise LoadError("a big-endian x86-64 file makes no sense")
    if header["e_type"] not in ("ET_EXEC", "ET_DYN"):
        raise LoadError(f"not an executable ({header['e_type']})", "link the object file first")


def _check_load(segment: Any, base: int, length: int) -> _Load:
    address, memory_size = base + segment["p_vaddr"], segment["p_memsz"]
    offset, file_size = segment["p_offset"], segment["p_filesz"]
    if file_size > memory_size:
        raise LoadError(f"segment at {address:#x}: more bytes in the file than in memory")
    if offset + file_size > length:
        raise LoadError(f"segment at {address:#x}: its bytes lie beyond the end of the file", "is the file complete?")
    if address < PAGE or address + memory_size > _USER_SPACE:
        raise LoadError(f"segment at {address:#x}: {memory_size:#x} bytes do not fit in the user address space")
    flags = segment["p_flags"]
    pairs = ((_PF_R, Protection.READ), (_PF_W, Protection.WRITE), (_PF_X, Protection.EXECUTE))
    protection = Protection.NONE
    for bit, right in pairs:
        if flags & bit:
            protection |= right
    return _Load(address, memory_size, offset, file_size, protection)


def _areas(loads: list[_Load]) -> tuple[Area, ...]:
    """The pages of the segments; segments that share a page share an area with the rights of both."""
    areas: list[Area] = []
    for load in sorted(loads, key=lambda load: load.address):
        start, end = page_floor(load.address), page_ceil(load.address + load.memory_size)
        if start == end:
            continue
        if areas and start < areas[-1].start + areas[-1].size:
            last = areas.pop()
            end = max(end, last.start + last.size)
            areas.append(Area(last.start, end - last.start, last.protection | load.protection, "program"))
        else:
            areas.append(Area(start, end - start, load.protection, "program"))
    return tuple(areas)


def _program_headers(header: Any, loads: list[_Load]) -> ProgramHeaders | None:
    offset, size = header["e_phoff"], header["e_phnum"] * header["e_phentsize"]
    for load in loads:
        if load.offset <= offset and offset + size <= load.offset + load.file_size:
            return ProgramHeaders(load.address + offset - load.offset, header["e_phentsize"], header["e_phnum"])
    return None
