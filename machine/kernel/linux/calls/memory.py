"""Calls on the address space."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Fd, Flags, Int, Size, UInt, Word, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import SealedFile
from machine.kernel.linux.open_files import LARGEST_OFFSET, DeviceFile, OpenFile, RegularFile
from machine.kernel.linux.space import (
    LOWEST,
    MAPPING,
    USER_SPACE,
    AtFork,
    Note,
    check_user_range,
    grows_down,
    is_shared,
    note_of,
    whole_pages,
)
from machine.kernel.linux.task import Task
from machine.memory import (
    ADDRESS_SPACE,
    PAGE,
    Protection,
    SharedMemory,
    SizedMemory,
    page_floor,
    with_read,
)

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 1, 2, 3, 0xF
MAP_FIXED, MAP_ANONYMOUS, MAP_32BIT, MAP_FIXED_NOREPLACE = 0x10, 0x20, 0x40, 0x10_0000
_MAP_GROWSDOWN = 0x100
_MAP_HUGETLB = 0x4_0000  # there are none
_MAP_KNOWN = 0x7C07_F9F0 | MAP_TYPE  # the flags that were there before MAP_SHARED_VALIDATE
_PROT_SEM, _PROT_GROWSDOWN, _PROT_GROWSUP = 8, 1 << 24, 1 << 25
_PROT_KNOWN = PROT_READ | PROT_WRITE | PROT_EXEC | _PROT_SEM
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4
_MREMAP_KNOWN = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP
_MS_ASYNC, _MS_INVALIDATE, _MS_SYNC = 1, 2, 4
_MLOCK_ONFAULT, _MCL_ONFAULT, _MCL_KNOWN = 1, 4, 7
_TASK_SIZE = USER_SPACE - PAGE
_DEV_ZERO = (1, 5)
_LOW_END = 0x8000_0000  # of MAP_32BIT
_MADV_DONTNEED, _MADV_FREE, _MADV_WIPEONFORK = 4, 8, 18
_AT_FORK = {10: AtFork.GONE, 11: None, _MADV_WIPEONFORK: AtFork.ZERO, 19: None}
_DISCARDING = (_MADV_DONTNEED, _MADV_FREE, 9, 10, _MADV_WIPEONFORK, 24)  # is_discard of mm/madvise.c
_MADVICES = (*range(5), 8, 9, 10, 11, *range(12, 26))


def protection_of(bits: int) -> Protection:
    """The rights of PROT_*."""
    return with_read(Protection(bits & 7))


@call("mmap")
def mmap(task: Task, address: Address, size: Size, rights: UInt, flags: Flags, fd: Fd, offset: Word) -> int:
    """mmap(2). What is private of a file is copied when it is mapped."""
    if offset % PAGE:
        raise LinuxError(Errno.EINVAL)
    file = None if flags & MAP_ANONYMOUS else task.files.file(fd)
    if not size or (file and flags & _MAP_HUGETLB):
        raise LinuxError(Errno.EINVAL)
    if flags & _MAP_HUGETLB:
        raise LinuxError(Errno.ENOMEM)
    length = whole_pages(size)
    if offset + length > 1 << 64:
        raise LinuxError(Errno.EOVERFLOW)
    fixed = bool(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
    if length > _TASK_SIZE or (fixed and address > _TASK_SIZE - length):
        raise LinuxError(Errno.ENOMEM)
    if fixed and address % PAGE:
        raise LinuxError(Errno.EINVAL)
    if fixed and address < LOWEST:
        raise LinuxError(Errno.EPERM)
    if flags & MAP_FIXED_NOREPLACE and task.space.memory.overlapping(address, length) is not None:
        raise LinuxError(Errno.EEXIST)
    if isinstance(file, RegularFile) and offset > LARGEST_OFFSET:
        raise LinuxError(Errno.EOVERFLOW)
    source = _source(file, rights, flags)
    grows = bool(flags & _MAP_GROWSDOWN)
    if grows and (file is not None or flags & MAP_TYPE != MAP_PRIVATE):
        raise LinuxError(Errno.EINVAL)
    note = _note(source, rights, flags)
    backing, kept = _backing(task, source, flags, length), length
    if source is not None and backing is None:
        kept = min(length, whole_pages(max(0, source.handle.status().size - offset)))
    if fixed:
        task.space.unmap(address, address + length)
    else:
        address = _place(task, length, address, flags)
    protection, name = protection_of(rights), _name_of(source)
    offset = offset if source is not None else 0
    if backing is not None:
        task.space.map(address, length, protection, name, backing=backing, offset=offset, tag=note)
        return address
    if grows:
        task.space.map_growing(address, length, protection)
    elif kept:
        task.space.map(address, kept, protection, name)
    if kept < length:
        nothing = SizedMemory(task.space.memory.source, 0)
        task.space.map(address + kept, length - kept, protection, name, backing=nothing, tag=Note(is_private=True))
    if source is not None and kept and not _fill(task, source, offset, address, min(size, kept)):
        task.space.unmap(address, address + length)
        raise LinuxError(Errno.ENOMEM)
    return address


def _backing(task: Task, source: RegularFile | None, flags: int, length: int) -> SharedMemory | None:
    """What a mapping has together with others; None for memory of its own."""
    if flags & MAP_TYPE == MAP_PRIVATE:
        return None
    return task.space.new_shared(length) if source is None else source.handle.pages(task.space.memory.source)


def _note(source: RegularFile | None, rights: int, flags: int) -> Note | None:
    """What is kept of a new mapping. Raises EPERM for a file that is sealed against it."""
    if source is None or flags & MAP_TYPE == MAP_PRIVATE:
        return None
    is_sealed = isinstance(source.handle, SealedFile) and source.handle.is_sealed
    if is_sealed and rights & PROT_WRITE:
        raise LinuxError(Errno.EPERM)
    return None if source.writable and not is_sealed else Note(may_write=False)


def _place(task: Task, length: int, hint: int, flags: int) -> int:
    """Where a mapping that may be anywhere comes. Raises ENOMEM."""
    if not flags & MAP_32BIT:
        return task.space.free_range(length, hint)
    hint = page_floor(hint)
    if LOWEST <= hint <= _LOW_END - length and task.space.memory.overlapping(hint, length) is None:
        return hint
    return task.space.free_range_below_2_gib(length)


def _name_of(source: RegularFile | None) -> str:
    """What a mapping is called: its file's path, if a path leads there."""
    if source is None:
        return MAPPING
    if source.place is None:
        return source.handle.label.decode("utf-8", "replace") if isinstance(source.handle, SealedFile) else MAPPING
    return source.place.path().decode("utf-8", "surrogateescape")


def _fill(task: Task, source: RegularFile, offset: int, address: int, size: int) -> bool:
    """Copy what a file has into a new mapping; False where there is no memory for it, or the run is to end."""
    for start, piece in task.space.pieces(size):
        data = source.handle.read_at(offset + start, piece)
        task.space.work.charge(len(data))
        if data and not task.space.memory.write(address + start, data):
            return False
        if len(data) < piece:
            return True
    return not task.space.work.is_ending()


def _source(file: OpenFile | None, rights: int, flags: int) -> RegularFile | None:
    """What a mapping gets its bytes from, whose kind is checked; None for anonymous memory."""
    kind = flags & MAP_TYPE
    if file is None:
        if kind not in (MAP_SHARED, MAP_PRIVATE):
            raise LinuxError(Errno.EINVAL)
        return None
    if kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE):
        raise LinuxError(Errno.EINVAL)
    if kind == MAP_SHARED_VALIDATE and flags & ~_MAP_KNOWN:
        raise LinuxError(Errno.EOPNOTSUPP)
    shared_writing = kind != MAP_PRIVATE and rights & PROT_WRITE
    if not file.readable or (shared_writing and not file.writable):
        raise LinuxError(Errno.EACCES)
    if isinstance(file, DeviceFile) and file.device.number == _DEV_ZERO:
        return None
    if not isinstance(file, RegularFile):
        raise LinuxError(Errno.ENODEV)
    return file


@call("munmap")
def munmap(task: Task, address: Address, size: Size) -> int:
    """munmap(2)"""
    if address % PAGE or not size or address + size > _TASK_SIZE:
        raise LinuxError(Errno.EINVAL)
    task.space.unmap(address, _end_of(address, size))
    return 0


@call("mprotect")
def mprotect(task: Task, address: Address, size: Size, rights: UInt) -> int:
    """mprotect(2)"""
    grows = rights & (_PROT_GROWSDOWN | _PROT_GROWSUP)
    if grows == _PROT_GROWSDOWN | _PROT_GROWSUP or address % PAGE:
        raise LinuxError(Errno.EINVAL)
    if not size:
        return 0
    end = _end_of(address, size)
    if end <= address:
        raise LinuxError(Errno.ENOMEM)
    if rights & ~(_PROT_KNOWN | grows):
        raise LinuxError(Errno.EINVAL)
    if grows:
        area = task.space.memory.area_at(address)
        if area is None or not grows_down(area) or grows == _PROT_GROWSUP:
            raise LinuxError(Errno.ENOMEM if area is None else Errno.EINVAL)
        address = area.start
    task.space.protect(address, end, protection_of(rights))
    return 0


@call("pkey_mprotect")
def pkey_mprotect(task: Task, address: Address, size: Size, rights: UInt, key: Int) -> int:
    """pkey_mprotect(2), of a processor that has no keys: not even that of all pages, 0, is one that was given."""
    if size and key != -1:
        raise LinuxError(Errno.EINVAL)
    return mprotect(task, address, size, rights)


@call("pkey_alloc")
def pkey_alloc(task: Task, flags: Word, rights: Word) -> int:
    """pkey_alloc(2), of a processor that has no keys: Linux gives none, and says that the rights cannot be set."""
    raise LinuxError(Errno.EINVAL)


@call("pkey_free")
def pkey_free(task: Task, key: Int) -> int:
    """pkey_free(2): none was given."""
    raise LinuxError(Errno.EINVAL)


def _end_of(address: int, size: int) -> int:
    """The end of whole pages, in arithmetic of 64 bits as Linux has it: below `address` for what is too large."""
    return address + (size + PAGE - 1 & -PAGE) & ADDRESS_SPACE - 1


def _range_end(address: int, size: int, overflow: Errno = Errno.EINVAL) -> int:
    """The end of whole pages. Raises EINVAL at no page's beginning, `overflow` beyond the last address."""
    if address % PAGE:
        raise LinuxError(Errno.EINVAL)
    end = _end_of(address, size)
    if end < address:
        raise LinuxError(overflow)
    return end


@call("brk")
def brk(task: Task, address: Address) -> int:
    """brk of the kernel: the end of the heap, moved or not."""
    return task.space.set_heap_end(address)


@call("mremap")
def mremap(task: Task, address: Address, size: Size, new_size: Size, flags: Flags, new_address: Word) -> int:
    """mremap(2). Growing and moving are for pages of one mapping, that is of one kind and with the same rights."""
    moves = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)
    length, new_length = _end_of(0, size), _end_of(0, new_size)
    if flags & ~_MREMAP_KNOWN or address % PAGE or not 0 < new_length <= _TASK_SIZE:
        raise LinuxError(Errno.EINVAL)
    if moves:
        overlaps = new_address < _end_of(address, length) and address < new_address + new_length
        if not flags & MREMAP_MAYMOVE or new_address % PAGE or new_address > _TASK_SIZE - new_length or overlaps:
            raise LinuxError(Errno.EINVAL)
    if flags & MREMAP_DONTUNMAP and length != new_length:
        raise LinuxError(Errno.EINVAL)
    target = new_address if flags & MREMAP_FIXED else None
    area = task.space.memory.area_at(address) if address < USER_SPACE else None
    if area is None:
        raise LinuxError(Errno.EFAULT)
    if note_of(area).is_sealed:
        raise LinuxError(Errno.EPERM)
    if not length:
        return _map_again(task, address, new_length, flags, target)
    if address + length > _TASK_SIZE:
        raise LinuxError(Errno.EINVAL if new_length < length else Errno.EFAULT)
    if not moves and new_length <= length:
        if new_length < length:
            task.space.unmap(address + new_length, address + length)
        return address
    if new_length < length:  # and moves
        task.space.unmap(address + new_length, address + length)
        length = new_length
    if not task.space.is_uniform(address, address + length):
        raise LinuxError(Errno.EFAULT)
    if target is not None and target < LOWEST:
        raise LinuxError(Errno.EPERM)
    return _grow_or_move(task, address, length, new_length, flags, target)


def _map_again(task: Task, address: int, length: int, flags: int, target: int | None) -> int:
    """What is shared has one more place: an old size of 0 asks for it."""
    space = task.space
    area = space.memory.area_at(address)
    assert area is not None
    if not is_shared(area):
        raise LinuxError(Errno.EINVAL)
    if not flags & MREMAP_MAYMOVE:
        raise LinuxError(Errno.ENOMEM)
    if target is None:
        target = space.free_range(length)
    else:
        space.unmap(target, target + length)
    space.extend(area, target, area.offset + address - area.start, length)
    return target


def _grow_or_move(task: Task, address: int, length: int, new_length: int, flags: int, target: int | None) -> int:
    space = task.space
    memory = space.memory
    area = memory.area_at(address)
    assert area is not None
    if target is None and not flags & MREMAP_DONTUNMAP:
        more = new_length - length
        if address + new_length <= USER_SPACE and not memory.overlapping(address + length, more):
            space.extend(area, address + length, area.offset + address + length - area.start, more)
            return address
        if not flags & MREMAP_MAYMOVE:
            raise LinuxError(Errno.ENOMEM)
    if target is None:
        target = space.free_range(new_length)
    else:
        space.unmap(target, target + new_length)
    space.move(address, length, target, new_length)
    if flags & MREMAP_DONTUNMAP:
        space.extend(area, address, area.offset + address - area.start, length)
    return target


@call("remap_file_pages")
def remap_file_pages(task: Task, address: Address, size: Size, rights: Word, page: Word, flags: Flags) -> int:
    """remap_file_pages(2), as Linux carries it out since 4.0: by a mapping in the place of what is there."""
    address, size = page_floor(address), page_floor(size)
    if rights or not size or address + size > _TASK_SIZE or page + size // PAGE >= 1 << 64:
        raise LinuxError(Errno.EINVAL)
    areas = task.space.memory.areas_within(address, address + size)
    kinds = {(area.protection, area.backing, area.tag) for area in areas}
    if len(kinds) != 1 or not is_shared(areas[0]) or not task.space.is_mapped(address, address + size):
        raise LinuxError(Errno.EINVAL)
    if page * PAGE + size > LARGEST_OFFSET:
        raise LinuxError(Errno.EOVERFLOW)
    task.space.unmap(address, address + size)
    task.space.extend(areas[0], address, page * PAGE, size)
    return 0


@call("mseal")
def mseal(task: Task, address: Address, size: Size, flags: Word) -> int:
    """mseal(2): from now on nobody unmaps these pages, moves them or gives them other rights."""
    if flags:
        raise LinuxError(Errno.EINVAL)
    end = _advised_end(address, size)
    if not task.space.is_mapped(address, end):
        raise LinuxError(Errno.ENOMEM)
    task.space.seal(address, end)
    return 0


def check_advice(advice: int) -> None:
    """Raises EINVAL for what no MADV_* is."""
    if advice not in _MADVICES:
        raise LinuxError(Errno.EINVAL)


@call("madvise")
def madvise(task: Task, address: Address, size: Size, advice: Int) -> int:
    """madvise(2)"""
    return advise(task, address, size, advice)


def advise(task: Task, address: int, size: int, advice: int) -> int:
    """MADV_DONTNEED empties the pages, some are for children; the rest is taken note of."""
    check_advice(advice)
    end = _advised_end(address, size)
    if advice in _DISCARDING:
        task.space.check_discard(address, end)
    if advice == _MADV_DONTNEED:
        task.space.clear(address, end)
    if advice == _MADV_WIPEONFORK and not task.space.is_private(address, end):
        raise LinuxError(Errno.EINVAL)
    if advice in _AT_FORK:
        task.space.at_fork(address, end, _AT_FORK[advice])
    if not task.space.is_mapped(address, end):
        raise LinuxError(Errno.ENOMEM)
    return 0


def _advised_end(address: int, size: int) -> int:
    """As `_range_end`; a size that is rounded to nothing is EINVAL."""
    end = _range_end(address, size)
    if size and end == address:
        raise LinuxError(Errno.EINVAL)
    return end


def name_mapping(task: Task, address: int, size: int, name: str | None) -> int:
    """PR_SET_VMA_ANON_NAME: what /proc calls anonymous pages; None takes the name away. Raises EBADF for a file's."""
    end = _advised_end(address, size)
    task.space.rename(address, end, name)
    if not task.space.is_mapped(address, end):
        raise LinuxError(Errno.ENOMEM)
    return 0


@call("msync")
def msync(task: Task, address: Address, size: Size, flags: Flags) -> int:
    """msync(2)"""
    if flags & ~(_MS_ASYNC | _MS_INVALIDATE | _MS_SYNC) or flags & (_MS_ASYNC | _MS_SYNC) == _MS_ASYNC | _MS_SYNC:
        raise LinuxError(Errno.EINVAL)
    end = _range_end(address, size, Errno.ENOMEM)
    task.space.put_back(address, end)
    return _check_mapped(task, address, end)


@call("mincore")
def mincore(task: Task, address: Address, size: Size, vector: Address) -> int:
    """mincore(2): pages of files, and those that were touched."""
    if address % PAGE:
        raise LinuxError(Errno.EINVAL)
    if address + size > _TASK_SIZE:
        raise LinuxError(Errno.ENOMEM)
    count = (size + PAGE - 1) // PAGE
    check_user_range(vector, count)
    _check_mapped(task, address, address + count * PAGE)
    for first in range(0, count, PAGE):
        start = address + first * PAGE
        task.space.store(vector + first, task.space.present(start, start + min(PAGE, count - first) * PAGE))
        if task.space.work.is_ending():
            break
    return 0


@call("mlock", "munlock")
def mlock(task: Task, address: Address, size: Size) -> int:
    """mlock(2) and munlock(2): nothing is ever paged out."""
    start = page_floor(address)
    return _check_mapped(task, start, _range_end(start, (size + address - start) & ADDRESS_SPACE - 1))


@call("mlock2")
def mlock2(task: Task, address: Address, size: Size, flags: Flags) -> int:
    """mlock2(2)"""
    if flags & ~_MLOCK_ONFAULT:
        raise LinuxError(Errno.EINVAL)
    return mlock(task, address, size)


@call("mlockall")
def mlockall(task: Task, flags: Flags) -> int:
    """mlockall(2)"""
    if not flags or flags & ~_MCL_KNOWN or flags == _MCL_ONFAULT:
        raise LinuxError(Errno.EINVAL)
    return 0


@call("munlockall")
def munlockall(task: Task) -> int:
    """munlockall(2)"""
    return 0


def _check_mapped(task: Task, start: int, end: int) -> int:
    if not task.space.is_mapped(start, end):
        raise LinuxError(Errno.ENOMEM)
    return 0
