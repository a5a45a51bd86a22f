"""Calls on sections: images, files and memory that views show."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, answer_with, call
from machine.kernel.nt.calls.memory import extended_highest
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.naming import find_named, publish
from machine.kernel.nt.numbering import renumbered
from machine.kernel.nt.rights import (
    PROCESS_VM_OPERATION,
    SECTION_MAP_EXECUTE,
    SECTION_MAP_READ,
    SECTION_MAP_WRITE,
    SECTION_QUERY,
)
from machine.kernel.nt.sections import SEC_COMMIT as _SEC_COMMIT, WRITABLE as _WRITABLE, Section, flush, memory_of
from machine.kernel.nt.sharing import READS, WRITES
from machine.kernel.nt.space import (
    GRANULARITY,
    HIGHEST,
    MEM_MAPPED,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_READONLY,
    PAGE_WRITECOPY,
    Allocation,
    NtSpace,
)
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_IMAGE_NOT_AT_BASE,
    STATUS_INVALID_FILE_FOR_SECTION,
    STATUS_INVALID_IMAGE_FORMAT,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_VIEW_SIZE,
    STATUS_MAPPED_ALIGNMENT,
    STATUS_NO_MEMORY,
    STATUS_NOT_MAPPED_VIEW,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_EXISTS,
    STATUS_SECTION_TOO_BIG,
    STATUS_SUCCESS,
    NtError,
)
from machine.loaders import LoadError, Module, PeFile
from machine.memory import PAGE, page_ceil

_SEC_IMAGE = 0x100_0000
_SEC_FILE = 0x80_0000
_LARGEST = 1 << 40
_PIECE = 1 << 20
_COPIES = PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY
_EXECUTES = 0xF0  # the protections with which code is executed


@call("NtCreateSection")
def create(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, size_at: Address, protect: UInt, kind: UInt,
    file: Handle,
) -> int:  # fmt: skip
    """Of an image, of a file, or of nothing but memory. Wine's CreateFileMapping returns the handle when this fails."""
    thread.put_word(handle, 0)
    size = thread.word(size_at) if size_at else 0
    opened = thread.state.handles.of(file, DriveFile) if file else None
    if opened is not None and (opened.handle is None or opened.is_directory):
        return STATUS_INVALID_FILE_FOR_SECTION
    if opened is not None:
        if not opened.uses & READS or (protect & _WRITABLE and not opened.uses & WRITES):
            return STATUS_ACCESS_DENIED
        opened = DriveFile(spot=opened.spot, handle=opened.handle)
    if kind & _SEC_IMAGE:
        if opened is None:
            return STATUS_INVALID_FILE_FOR_SECTION
        module = _module_of(thread, opened)
        made = Section(module.file.size, protect, module, opened, None, _SEC_IMAGE | _SEC_FILE)
    else:
        size = size or (0 if opened is None else opened.size)
        if not size:
            return STATUS_INVALID_PARAMETER if opened is None else 0xC000_011E  # STATUS_MAPPED_FILE_SIZE_ZERO
        if size > _LARGEST:
            return STATUS_SECTION_TOO_BIG
        if opened is not None and size > opened.size:
            if not protect & _WRITABLE:
                return STATUS_SECTION_TOO_BIG
            opened.resize(size)
        made = Section(size, protect, file=opened, attributes=_SEC_COMMIT if opened is None else _SEC_FILE)
        if opened is not None and thread.state.volume is not None:
            thread.state.volume.sharing.mapped(opened.spot.identity, made)
    found = publish(thread, attributes, made)
    thread.open(handle, found, access, attributes)
    return STATUS_SUCCESS if found is made else STATUS_OBJECT_NAME_EXISTS


@call("NtOpenSection")
def open_section(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """By name."""
    thread.open(handle, find_named(thread, attributes, Section), access, attributes)
    return STATUS_SUCCESS


def _module_of(thread: NtThread, file: DriveFile) -> Module:
    """The module of the plan that this file is, if it is what it was; else one that is new. Raises NtError."""
    state, path = thread.state, "C:" + file.spot.path
    plan = state.plan
    planned = None if plan is None else plan.at(path)
    if planned is not None and not state.writable:
        return planned
    data = _content(thread, file, file.size)
    if planned is not None and data == planned.file.data:
        return planned
    try:
        made = PeFile(data)
    except LoadError:
        raise NtError(STATUS_INVALID_IMAGE_FORMAT) from None
    if plan is None or planned is not None:  # whose place has been told
        return Module(file.spot.names[-1].lower(), path, made.base, made)
    return plan.adopt(path, made)


def _content(thread: NtThread, file: DriveFile, size: int) -> bytes:
    if size > thread.services.limits.max_guest_memory:
        raise NtError(STATUS_NO_MEMORY)
    thread.services.work.charge(size)
    handle = file.handle
    assert handle is not None
    return b"".join(handle.read_at(at, min(_PIECE, size - at)) for at in range(0, size, _PIECE))


@call("NtQuerySection")
def query(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: Word, returned: Address) -> int:
    """SectionBasicInformation and SectionImageInformation."""
    section = thread.state.handles.of(handle, Section, SECTION_QUERY)
    if kind == 0:
        data = struct.pack("<QIIQ", 0, section.attributes, 0, section.size)
    elif kind == 1 and section.module is not None:
        data = image_information(section.module)
    else:
        return STATUS_INVALID_INFO_CLASS
    status = answer_with(thread, data, buffer, length, 0)
    if returned:
        thread.put_word(returned, len(data))
    return status


def image_information(module: Module) -> bytes:
    """SECTION_IMAGE_INFORMATION."""
    file = module.file
    characteristics, dll = file.characteristics, file.number(70, 2)
    return struct.pack(
        "<QIIQQIHHHHIHHHBBII4x", module.base + file.entry, 0, 0, file.number(72, 8), file.number(80, 8),
        file.number(68, 2), file.number(50, 2), file.number(48, 2), 0, 0, 0, characteristics, dll, 0x8664, 1, 0, 0,
        len(file.data),
    ).ljust(64, b"\0")[:64]  # fmt: skip


@call("NtMapViewOfSection")
def map_view(
    thread: NtThread, handle: Handle, process: Handle, base_at: Address, zero_bits: Word, commit: Word,
    offset_at: Address, size_at: Address, inherit: UInt, kind: UInt, protect: UInt,
) -> int:  # fmt: skip
    """A view at a base, or where there is room; images go where the plan has them."""
    return _map(thread, handle, process, base_at, offset_at, size_at, protect)


@call("NtMapViewOfSectionEx")
def map_view_so(
    thread: NtThread, handle: Handle, process: Handle, base_at: Address, offset_at: Address, size_at: Address,
    kind: UInt, protect: UInt, rows: Address, count: UInt,
) -> int:  # fmt: skip
    """The same; of MEM_EXTENDED_PARAMETERs only hints are supported."""
    if extended_highest(thread, rows, count) != HIGHEST:
        return STATUS_NOT_SUPPORTED
    return _map(thread, handle, process, base_at, offset_at, size_at, protect)


def _map(thread: NtThread, handle: int, process: int, base_at: int, offset_at: int, size_at: int, protect: int) -> int:
    thread.check_process(process, PROCESS_VM_OPERATION)
    section = thread.state.handles.of(handle, Section, _access_of(protect))
    base, size = thread.word(base_at), thread.word(size_at)
    if section.module is not None:
        return _map_image(thread, section.module, base_at, size_at)
    offset = thread.word(offset_at) if offset_at else 0
    if offset % GRANULARITY or base % GRANULARITY:
        return STATUS_MAPPED_ALIGNMENT
    if offset >= section.size or size > page_ceil(section.size) - offset:
        return STATUS_INVALID_VIEW_SIZE
    if protect & _WRITABLE and not section.protect & _WRITABLE:
        return STATUS_ACCESS_DENIED
    size = size or section.size - offset
    memory = memory_of(section, thread.process.cpu.memory.source)
    if protect & _COPIES:
        made = _copied(thread, base, size, protect, section, offset)
    else:
        made = thread.state.space.map_view(base, size, protect, _name_of(section), memory, offset)
        made.view = section
        section.views.add(made.base)
    thread.put_word(base_at, made.base)
    thread.put_word(size_at, page_ceil(size))
    return STATUS_SUCCESS


def _access_of(protect: int) -> int:
    """The rights that a view of this protection takes."""
    needed = SECTION_MAP_WRITE if protect & _WRITABLE else SECTION_MAP_READ
    return needed | (SECTION_MAP_EXECUTE if protect & _EXECUTES else 0)


def _name_of(section: Section) -> str:
    return "section" if section.file is None else "C:" + section.file.spot.path


def _copied(thread: NtThread, base: int, size: int, protect: int, section: Section, offset: int) -> Allocation:
    """A view whose writes are its own: what the section had when it was mapped. Raises NtError."""
    assert section.memory is not None
    if size > thread.services.limits.max_guest_memory:
        raise NtError(STATUS_NO_MEMORY)
    thread.services.work.charge(size)
    space, name = thread.state.space, _name_of(section)
    made = space.reserve(base, size, protect, name, kind=MEM_MAPPED, commit=True)
    try:
        shown = space.map_view(0, size, PAGE_READONLY, name, section.memory, offset)
        try:
            _copy(space, shown.base, made.base, page_ceil(size))
        finally:
            space.unmap(shown)
    except NtError:
        space.unmap(made)
        raise
    return made


def _copy(space: NtSpace, source: int, target: int, size: int) -> None:
    """Pages with nothing but zeros need no memory. Raises NtError."""
    for at in range(0, size, PAGE):
        data = space.memory.read(source + at, PAGE)
        if data and any(data) and not space.memory.write(target + at, data):
            raise NtError(STATUS_NO_MEMORY)


def _map_image(thread: NtThread, module: Module, base_at: int, size_at: int) -> int:
    space, limits, state = thread.state.space, thread.services.limits, thread.state
    size, base = module.file.size, module.base
    if space.memory.overlapping(base, size) is not None:
        if not module.file.has_relocations:
            return STATUS_CONFLICTING_ADDRESSES
        base = space.gap(size, 0x7FF0_0000_0000, top_down=True)
    try:
        areas, contents = module.file.at(base, limits.max_guest_memory)
    except LoadError:
        return STATUS_INVALID_IMAGE_FORMAT
    if state.plan is not None and module is state.plan.ntdll:
        contents = renumbered(contents, base, state.numbering.changes)
    thread.services.work.charge(size)
    planned = None if state.plan is None else state.plan.at(module.path)
    if planned is not None and (planned is not module or base != planned.base):
        there = space.allocation_at(planned.base)
        if there is None or there.name != planned.path:
            thread.process.on_moved(planned.name, planned.base, planned.file.size, base)
    space.map_image(base, size, areas, contents, module.path)
    thread.put_word(base_at, base)
    thread.put_word(size_at, size)
    return STATUS_SUCCESS if base == module.base else STATUS_IMAGE_NOT_AT_BASE


@call("NtUnmapViewOfSection", "NtUnmapViewOfSectionEx")
def unmap_view(thread: NtThread, process: Handle, base: Address) -> int:
    """The view that has this address."""
    thread.check_process(process, PROCESS_VM_OPERATION)
    found = thread.state.space.allocation_at(base)
    if found is None or found.kind == 0x2_0000:
        return STATUS_NOT_MAPPED_VIEW
    flush(thread.state.space, found.base)
    if isinstance(found.view, Section):
        found.view.views.discard(found.base)
    thread.state.space.unmap(found)
    return STATUS_SUCCESS


@call("NtFlushVirtualMemory")
def flush_memory(thread: NtThread, process: Handle, base_at: Address, size_at: Address, block: Address) -> int:
    """Write the view at an address into its file."""
    thread.check_process(process, PROCESS_VM_OPERATION)
    flush(thread.state.space, thread.word(base_at))
    if block:
        thread.set_io_status(block, STATUS_SUCCESS, 0)
    return STATUS_SUCCESS


@call("NtAreMappedFilesTheSame")
def are_the_same(thread: NtThread, first: Address, second: Address) -> int:
    """Whether two addresses are in views of one file."""
    one, other = (thread.state.space.allocation_at(address) for address in (first, second))
    same = one is not None and other is not None and one.name.lower() == other.name.lower()
    return STATUS_SUCCESS if same else 0xC000_00D4  # STATUS_NOT_SAME_DEVICE
