"""ELF64 executables for x86-64 and their interpreters, as Linux lays them out (fs/binfmt_elf.c; psABI, chapters 4, 5).

What Linux does not look at is not looked at: the bytes behind the magic number, versions, section headers, p_align of a
position-dependent program. The file is hostile until proved otherwise: every range is checked before it is used, and
nothing is raised but LoadError. Sections are looked at for symbols only (machine.loaders.symbols).
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from machine.loaders.image import Image, LoadError, Placement, ProgramHeaders, check_size, is_elf
from machine.loaders.initial_stack import LINUX_STACK_SIZE, MAPPINGS_TOP, STACK_TOP
from machine.loaders.symbols import elf_symbols
from machine.memory import PAGE, Area, Protection, page_ceil, page_floor, with_read
from vm.facts.limits import DEFAULT_LIMITS

PIE_BASE = 0x5555_5555_4000
_ET_EXEC, _ET_DYN, _EM_386, _EM_X86_64 = 2, 3, 3, 62
_PT_LOAD, _PT_INTERP, _PT_GNU_STACK = 1, 3, 0x6474_E551
_PF_X, _PF_W, _PF_R = 1, 2, 4
_HEADER, _PROGRAM_HEADER = struct.Struct("<16xHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_MOST_PROGRAM_HEADERS = 65536 // _PROGRAM_HEADER.size  # Linux reads 64 KiB of them
_TASK_SIZE = (1 << 47) - PAGE
_LOWEST, _HIGHEST = 0x1_0000, STACK_TOP - LINUX_STACK_SIZE  # mmap_min_addr, and where the stack begins
_LONGEST_PATH = 4096  # with its zero (PATH_MAX)
_LARGEST_OFFSET = (1 << 63) - 1
_WORD = (1 << 64) - 1
_READ_WRITE = Protection.READ | Protection.WRITE


class _Header(msgspec.Struct, frozen=True):
    """The file header, as far as Linux reads it."""

    kind: int
    entry: int
    table: int
    count: int


class _Segment(msgspec.Struct, frozen=True):
    """One program header."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    alignment: int

    @property
    def protection(self) -> Protection:
        """The rights of its pages: on x86 what can be written or executed can be read."""
        pairs = ((_PF_R, Protection.READ), (_PF_W, Protection.WRITE), (_PF_X, Protection.EXECUTE))
        rights = Protection.NONE
        for bit, right in pairs:
            if self.flags & bit:
                rights |= right
        return with_read(rights)


class _Pages(msgspec.Struct, frozen=True):
    """Mapped pages [start, end), from `offset` of the file on; its bytes up to `file_end` are in them."""

    start: int
    end: int
    protection: Protection
    offset: int = 0
    file_end: int = 0

    def cut(self, start: int, end: int) -> _Pages:
        """The part within [start, end), which may be empty."""
        begin = max(self.start, start)
        return replace(self, start=begin, end=min(self.end, end), offset=self.offset + begin - self.start)


def load(
    data: bytes, largest: int = DEFAULT_LIMITS.max_guest_memory, read_file: Callable[[bytes], bytes] | None = None
) -> Image:
    """The image of an executable of at most `largest` bytes in memory, with its interpreter. Raises LoadError.

    `read_file` is that of a `Placement`.
    """
    header = _read_header(data)
    segments = _read_segments(data, header)
    loads = [segment for segment in segments if segment.kind == _PT_LOAD]
    image = _laid_out(data, header, segments, _program_base(loads) if header.kind == _ET_DYN else None, largest)
    path = next((_interpreter_path(data, segment) for segment in segments if segment.kind == _PT_INTERP), None)
    if read_file is None:
        return image
    if path is None:
        _check_is_no_library(image, header)
        return image
    return replace(image, interpreter=_interpreter(image, path, read_file(path), largest))


def _check_is_no_library(image: Image, header: _Header) -> None:
    """Raises LoadError for a file that nobody meant to be started; on Linux it is killed at its entry point."""
    first = next((area for area in image.areas if area.start <= image.entry < area.start + area.size), None)
    begins = first is not None and first.protection & Protection.EXECUTE
    if header.kind == _ET_DYN and header.entry == 0 and not begins:
        raise LoadError("this ELF file is a library: it has no entry point", "start a program that uses it")


def _interpreter(program: Image, path: bytes, data: bytes, largest: int) -> Image:
    """What starts a dynamic program: right below the first mapping, where it can be anywhere (load_elf_interp)."""
    name = path.decode("utf-8", "backslashreplace")
    try:
        header = _read_header(data)
        segments = _read_segments(data, header)
        base = _interpreter_base([segment for segment in segments if segment.kind == _PT_LOAD])
        found = _laid_out(data, header, segments, base if header.kind == _ET_DYN else None, largest, name)
    except LoadError as error:
        raise LoadError(f"the interpreter {name}: {error}", error.hint) from None
    check_size((*program.areas, *found.areas), largest)
    for area in found.areas:
        if any(area.start < own.start + own.size and own.start < area.start + area.size for own in program.areas):
            raise LoadError(f"the interpreter {name} and the program both lie at {area.start:#x}")
    return found


def _interpreter_path(data: bytes, segment: _Segment) -> bytes:
    """The path that PT_INTERP names. Raises LoadError."""
    text = data[segment.offset : segment.offset + segment.file_size]
    if not 2 <= segment.file_size <= _LONGEST_PATH or len(text) != segment.file_size or text[-1]:
        raise LoadError("PT_INTERP of this ELF file names no interpreter: it should be a path with a zero behind it")
    return text.partition(b"\0")[0]


def _laid_out(
    data: bytes, header: _Header, segments: list[_Segment], base: int | None, largest: int, name: str = "program"
) -> Image:
    """One file in memory; `base` is where its first page goes, if it can be anywhere. Raises LoadError."""
    loads = [segment for segment in segments if segment.kind == _PT_LOAD]
    if not any(segment.memory_size for segment in loads):
        raise LoadError("this ELF file has no PT_LOAD segment")
    bias = 0 if base is None else page_floor(base - loads[0].address) & _WORD
    entry = header.entry + bias & _WORD
    if entry >= _TASK_SIZE:
        raise LoadError(f"the entry point {entry:#x} lies outside the user address space")
    pages: list[_Pages] = []
    for segment in loads:
        for part in _map(segment, bias, len(data)):
            _put(pages, part)
    areas = _areas(pages, name)
    check_size(areas, largest)
    contents = (
        (part.start, data[part.offset : min(part.file_end, part.offset + part.end - part.start)]) for part in pages
    )
    return Image(
        kernel="linux",
        entry=entry,
        until=None,
        areas=areas,
        contents=tuple((address, content) for address, content in contents if content),
        program_headers=_program_headers(header, loads, bias),
        symbols=elf_symbols(data, bias),
        stack_protection=_stack_protection(segments),
        data=data,
        bias=bias,
        end=max(page_ceil(load.address + load.memory_size + bias & _WORD) for load in loads),
        extent=(min(area.start for area in areas), max(area.end for area in areas)),
    )


def _read_header(data: bytes) -> _Header:
    if not is_elf(data):
        raise LoadError("not an ELF file: it does not begin with the magic bytes 7f 45 4c 46")
    if len(data) < _HEADER.size:
        raise LoadError("this ELF file ends within its header")
    kind, machine, _, entry, table, _, _, _, entry_size, count, *_ = _HEADER.unpack_from(data)
    if machine != _EM_X86_64:
        what = "a 32-bit x86 program" if machine == _EM_386 else f"machine {machine}"
        raise LoadError(f"not an x86-64 program ({what})", "only 64-bit x86 can be emulated")
    if kind not in (_ET_EXEC, _ET_DYN):
        raise LoadError(f"not an executable (ELF type {kind})", "link the object file first")
    if entry_size != _PROGRAM_HEADER.size:
        raise LoadError(f"program headers of {entry_size} bytes; those of a 64-bit program have {_PROGRAM_HEADER.size}")
    if not 0 < count <= _MOST_PROGRAM_HEADERS:
        raise LoadError(f"{count} program headers; Linux accepts 1 to {_MOST_PROGRAM_HEADERS}")
    return _Header(kind, entry, table, count)


def _read_segments(data: bytes, header: _Header) -> list[_Segment]:
    end = header.table + header.count * _PROGRAM_HEADER.size
    if end > len(data):
        raise LoadError("the program headers lie beyond the end of this ELF file", "is the file complete?")
    rows = _PROGRAM_HEADER.iter_unpack(data[header.table : end])
    return [
        _Segment(kind, flags, offset, address, file_size, memory_size, alignment)
        for kind, flags, offset, address, _, file_size, memory_size, alignment in rows
    ]


def _program_base(loads: list[_Segment]) -> int:
    """Where a position-independent program begins."""
    return PIE_BASE & -_alignment(loads)


def _interpreter_base(loads: list[_Segment]) -> int:
    """Where one begins that ends below the first mapping. Raises LoadError where it does not fit there."""
    first = min((load.address for load in loads), default=0)
    size = page_ceil(max((load.address + load.memory_size for load in loads), default=0)) - page_floor(first)
    if size >= MAPPINGS_TOP - _LOWEST:
        raise LoadError("its segments do not fit in the user address space")
    return (MAPPINGS_TOP - size) & -_alignment(loads)


def _alignment(loads: list[_Segment]) -> int:
    return max((PAGE, *(load.alignment for load in loads if load.alignment.bit_count() == 1)))


def _map(segment: _Segment, bias: int, length: int) -> list[_Pages]:
    """The pages that a PT_LOAD segment replaces: those of the file, then zeros. Raises LoadError.

    Whole pages beyond the end of the file have no rights here; on Linux an access to them is a SIGBUS.
    """
    address = segment.address + bias & _WORD
    where = f"segment at {address:#x}"
    if segment.file_size > segment.memory_size:
        raise LoadError(f"{where}: more bytes in the file than in memory")
    if segment.address + segment.memory_size > _TASK_SIZE or page_floor(address) + segment.memory_size > _WORD:
        raise _misplaced(where, segment)
    start, bss = page_floor(address), page_ceil(address + segment.file_size)
    end = page_ceil(address + segment.memory_size)
    parts: list[_Pages] = []
    if segment.file_size:
        if (segment.offset - address) % PAGE:
            raise LoadError(f"{where}: file offset {segment.offset:#x} and address differ within a page")
        offset = page_floor(segment.offset)
        if segment.offset + segment.file_size > _LARGEST_OFFSET:
            raise LoadError(f"{where}: no file has an offset of {segment.offset:#x}")
        parts += _file_pages(segment, start, bss, offset, length, where)
    else:
        bss = start
    if segment.memory_size > segment.file_size and end > bss:
        rights = _READ_WRITE | segment.protection & Protection.EXECUTE
        parts.append(_Pages(bss, end, rights))
    if any(part.start < _LOWEST or part.end > _HIGHEST for part in parts):
        raise _misplaced(where, segment)
    return parts


def _file_pages(segment: _Segment, start: int, end: int, offset: int, length: int, where: str) -> list[_Pages]:
    """The pages with bytes of the file; behind the segment's own they keep the file's, unless zeros have to follow."""
    file_end = length
    if segment.memory_size > segment.file_size and segment.flags & _PF_W:
        file_end = min(length, segment.offset + segment.file_size)
        last = page_floor(segment.offset + segment.file_size)
        if (segment.offset + segment.file_size) % PAGE and last >= page_ceil(length):
            raise LoadError(f"{where}: its bytes lie beyond the end of the file", "is the file complete?")
    present = min(end, max(start, start + page_ceil(length) - offset))
    parts = [_Pages(start, present, segment.protection, offset, file_end), _Pages(present, end, Protection.NONE)]
    return [part for part in parts if part.start < part.end]


def _misplaced(where: str, segment: _Segment) -> LoadError:
    return LoadError(f"{where}: {segment.memory_size:#x} bytes do not fit in the user address space")


def _put(pages: list[_Pages], new: _Pages) -> None:
    """Map `new` over what is there; `pages` are by address and do not overlap."""
    first = bisect.bisect_right(pages, new.start, key=lambda part: part.end)
    last = bisect.bisect_left(pages, new.end, key=lambda part: part.start)
    pieces = [old.cut(0, new.start) for old in pages[first:last]] + [new]
    pieces += [old.cut(new.end, _WORD) for old in pages[first:last]]
    pages[first:last] = [part for part in pieces if part.start < part.end]


def _areas(pages: list[_Pages], name: str) -> tuple[Area, ...]:
    """The pages as areas; neighbours with the same rights are one."""
    areas: list[Area] = []
    for part in pages:
        area = Area(part.start, part.end, part.protection, name)
        if areas and area.continues(areas[-1]):
            areas[-1] = areas[-1]._replace(end=area.end)
        else:
            areas.append(area)
    return tuple(areas)


def _program_headers(header: _Header, loads: list[_Segment], bias: int) -> ProgramHeaders:
    address = 0
    for load in loads:
        if load.offset <= header.table < load.offset + load.file_size:
            address = header.table - load.offset + load.address
    return ProgramHeaders(address + bias & _WORD, _PROGRAM_HEADER.size, header.count)


def _stack_protection(segments: list[_Segment]) -> Protection:
    """The rights of the stack: PT_GNU_STACK's X counts, and without that header Linux takes none on x86-64."""
    executable = False
    for segment in segments:
        if segment.kind == _PT_GNU_STACK:
            executable = bool(segment.flags & _PF_X)
    return Protection.ALL if executable else _READ_WRITE


def of_file(data: bytes, placement: Placement) -> Image:
    """As `Loader`."""
    return load(data, placement.limits.max_guest_memory, placement.read_file)
