"""Calls on the address space."""

from __future__ import annotations

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.open_files import RegularFile
from machine.kernel.linux.space import USER_SPACE, whole_pages
from machine.kernel.linux.task import Task
from machine.memory import PAGE, Protection, with_read

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 1, 2, 3, 0xF
MAP_FIXED, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE = 0x10, 0x20, 0x10_0000
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
_MADV_DONTNEED, _MADV_FREE = 4, 8
_MADVICES = (*range(5), 8, 9, 10, 11, *range(12, 26))


def protection_of(bits: int) -> Protection:
    """The rights of PROT_*."""
    return with_read(Protection(bits & 7))


def mmap(task: Task, address: int, size: int, rights: int, flags: int, fd: int, offset: int) -> int:
    """mmap(2). A file is copied when it is mapped; shared writing is refused with ENODEV."""
    if not size or (address % PAGE and flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) or offset % PAGE:
        raise LinuxError(Errno.EINVAL)
    if flags & MAP_TYPE not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE):
        raise LinuxError(Errno.EINVAL)
    length = whole_pages(size)
    content = b"" if flags & MAP_ANONYMOUS else _content(task, fd, offset, size, rights, flags)
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        if address + length > USER_SPACE or address == 0:
            raise LinuxError(Errno.ENOMEM if address else Errno.EPERM)
        if flags & MAP_FIXED_NOREPLACE and task.process.cpu.memory.overlapping(address, length) is not None:
            raise LinuxError(Errno.EEXIST)
        task.space.unmap(address, address + length)
    else:
        address = task.space.free_range(length, address)
    task.space.map(address, length, protection_of(rights))
    if content:
        task.process.cpu.write(address, content)
    return address


def _content(task: Task, fd: int, offset: int, size: int, rights: int, flags: int) -> bytes:
    file = task.files.file(fd)
    if not file.readable:
        raise LinuxError(Errno.EACCES)
    if not isinstance(file, RegularFile) or (flags & MAP_TYPE != MAP_PRIVATE and rights & PROT_WRITE):
        raise LinuxError(Errno.ENODEV)
    return file.handle.read_at(offset, min(size, task.limits.max_guest_memory))


def munmap(task: Task, address: int, size: int) -> int:
    """munmap(2)"""
    end = _range_end(address, size)
    if not size:
        raise LinuxError(Errno.EINVAL)
    task.space.unmap(address, end)
    return 0


def mprotect(task: Task, address: int, size: int, rights: int) -> int:
    """mprotect(2)"""
    task.space.protect(address, _range_end(address, size), protection_of(rights))
    return 0


def _range_end(address: int, size: int) -> int:
    end = address + (whole_pages(size) if size <= USER_SPACE else USER_SPACE + 1)
    if address % PAGE or end > USER_SPACE:
        raise LinuxError(Errno.EINVAL)
    return end


def brk(task: Task, address: int) -> int:
    """brk of the kernel: the end of the heap, moved or not."""
    return task.space.set_heap_end(address)


def mremap(task: Task, address: int, size: int, new_size: int, flags: int, new_address: int) -> int:
    """mremap(2), of one whole mapping or the end of one; MREMAP_FIXED is refused."""
    if address % PAGE or not new_size or flags & ~MREMAP_MAYMOVE:
        raise LinuxError(Errno.EINVAL)
    length, new_length = whole_pages(size), whole_pages(new_size)
    region = task.process.cpu.memory.region_at(address)
    if not length or address >= USER_SPACE or region is None or not task.space.is_mapped(address, address + length):
        raise LinuxError(Errno.EFAULT)
    if new_length <= length:
        task.space.unmap(address + new_length, address + length)
        return address
    more = new_length - length
    if address + new_length <= USER_SPACE and not task.process.cpu.memory.overlapping(address + length, more):
        task.space.map(address + length, more, region.protection, region.name)
        return address
    if not flags & MREMAP_MAYMOVE:
        raise LinuxError(Errno.ENOMEM)
    target = task.space.free_range(new_length)
    task.space.move(address, length, target, new_length)
    return target


def madvise(task: Task, address: int, size: int, advice: int) -> int:
    """madvise(2): MADV_DONTNEED empties the pages, the rest is taken note of."""
    end = _range_end(address, size)
    if advice not in _MADVICES:
        raise LinuxError(Errno.EINVAL)
    if not task.space.is_mapped(address, end):
        raise LinuxError(Errno.ENOMEM)
    if advice == _MADV_DONTNEED:
        task.process.cpu.write(address, bytes(end - address))
    return 0


def msync(task: Task, address: int, size: int, flags: int) -> int:
    """msync(2): nothing is shared."""
    if not task.space.is_mapped(address, _range_end(address, size)):
        raise LinuxError(Errno.ENOMEM)
    return 0


def mlock(task: Task, address: int, size: int) -> int:
    """mlock(2) and munlock(2): nothing is ever paged out."""
    return 0
