"""Files that exist in the memory of this process only: the root of a guest that is shown nothing, /tmp and /dev.

Everything is charged to a `Store`, names and nodes as well as bytes, so no guest takes more than `max_file_bytes`.
"""

from __future__ import annotations

import ctypes
import stat
from collections.abc import Callable, Iterable

import msgspec

from machine.kernel.linux import pipe_buffers
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.mapped_files import FilePages, MappedAs
from machine.kernel.linux.nodes import BLOCK_BYTES, PERMISSION_BITS, Entry, Handle, Node, Status
from machine.kernel.quick import ContentCells, FileCells, InMachineCode, Reads, Writes
from machine.memory import PIECE, Frames, KernelWork
from vm.facts.limits import LARGEST

_MOST_ROOM = 1 << 16  # bytes behind the last of a file that grows
_NODE_BYTES = 512  # what a node and its name are charged with


class Store(msgspec.Struct):
    """What all nodes of one guest share: how many bytes are left, the numbers, and the time (ns since 1970).

    Bytes that are taken have to be cleared, so they are charged to `work`.
    """

    most: int  # bytes
    now: Callable[[], int]
    work: KernelWork = msgspec.field(default_factory=KernelWork)
    user: int = 1000  # and group: whose all nodes are
    group: int = 1000
    reached: set[str] = msgspec.field(default_factory=set)  # names of limits that refused something
    _last_inode: int = 1
    _left: ctypes.Array[ctypes.c_int64] = msgspec.field(default_factory=lambda: (ctypes.c_int64 * 1)())

    def __post_init__(self) -> None:
        self._left[0] = min(self.most, LARGEST)

    @property
    def bytes_left(self) -> int:
        """How many more bytes files may have."""
        return self._left[0]

    @property
    def address(self) -> int:
        """Of these, a signed word."""
        return ctypes.addressof(self._left)

    def take(self, size: int) -> None:
        """Charge `size` bytes. Raises ENOSPC."""
        if size > self.bytes_left:
            self.reached.add("max_file_bytes")
            raise LinuxError(Errno.ENOSPC)
        self._left[0] -= size
        self.work.charge(size)

    def give_back(self, size: int) -> None:
        """Return `size` bytes."""
        self._left[0] += size

    def new_inode(self) -> int:
        """A number for a new node."""
        self._last_inode += 1
        return self._last_inode


def _signed(word: int) -> int:
    return word - (word >> 63 << 64)


class MemoryNode(Node):
    """What files, directories and links of memory share."""

    kind = stat.S_IFREG

    def __init__(self, store: Store, mode: int) -> None:
        self._store = store
        self._mode = mode & PERMISSION_BITS
        self._inode = store.new_inode()
        self._accessed = self._modified = self._changed = store.now()
        self.links = 1

    def status(self) -> Status:
        """As `Node`."""
        return Status(
            mode=self.kind | self._mode, inode=self._inode, size=self.size(), links=self.links, blocks=self.blocks(),
            user=self._store.user, group=self._store.group, accessed=self._accessed, modified=self._modified,
            changed=self._changed,
        )  # fmt: skip

    def size(self) -> int:
        """What st_size tells."""
        return 0

    def blocks(self) -> int:
        """What st_blocks tells."""
        return 0

    def touch(self) -> None:
        """The content was changed."""
        self._modified = self._changed = self._store.now()

    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._mode = mode & PERMISSION_BITS
        self._changed = self._store.now()

    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._accessed, self._modified, self._changed = accessed, modified, self._store.now()


class MemoryFile(MemoryNode, InMachineCode):
    """A regular file; it is its own handle, so its bytes live as long as somebody has it open."""

    def __init__(self, store: Store, mode: int, data: bytes = b"") -> None:
        self._content = ContentCells(left=store.address)
        super().__init__(store, mode)
        store.take(len(data))
        self._data = bytearray(data)  # and room for more
        self._content.size = len(data)
        self.mapped = MappedAs()
        self._place()

    def __del__(self) -> None:
        self._store.give_back(self._content.size)

    @property
    def _modified(self) -> int:
        return _signed(self._content.modified)

    @_modified.setter
    def _modified(self, time: int) -> None:
        self._content.modified = time

    @property
    def _changed(self) -> int:
        return _signed(self._content.changed)

    @_changed.setter
    def _changed(self, time: int) -> None:
        self._content.changed = time

    def show(self, file: FileCells) -> None:
        """As `InMachineCode`."""
        file.reads, file.content = Reads.MEMORY, ctypes.addressof(self._content)

    def show_writes(self, file: FileCells) -> None:
        """As `InMachineCode`."""
        file.writes, file.content = Writes.MEMORY, ctypes.addressof(self._content)

    def _place(self) -> None:
        """Tell where the bytes are now; pages that show them are Python's."""
        is_here = self._data and self.mapped.find() is None
        self._content.start = ctypes.addressof(ctypes.c_char.from_buffer(self._data)) if is_here else 0
        self._content.capacity = len(self._data)

    def size(self) -> int:
        """As `MemoryNode`."""
        return self._content.size

    def blocks(self) -> int:
        """As `MemoryNode`."""
        return -(-self.size() // BLOCK_BYTES) * (BLOCK_BYTES // 512)

    def open(self, writable: bool) -> MemoryFile:
        """As `Node`."""
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        """As `Handle`."""
        data, pages = self.load(offset, size), self.mapped.find()
        return data if pages is None else pages.shown(offset, data)

    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`."""
        if offset + len(data) > self.size():
            self.resize(offset + len(data))
        self.save(offset, data)
        pages = self.mapped.find()
        if pages is not None:
            pages.written(offset, data)
        return len(data)

    def load(self, offset: int, size: int) -> bytes:
        """As `mapped_files.Bytes`."""
        return bytes(self._data[offset : min(offset + size, self.size())])

    def save(self, offset: int, data: bytes) -> None:
        """As `mapped_files.Bytes`."""
        self._data[offset : offset + len(data)] = data
        self.touch()

    def pages(self, source: Frames) -> FilePages:
        """As `Handle`."""
        pages = self.mapped.make(source, self)
        self._place()
        return pages

    def resize(self, size: int) -> None:
        """As `Handle`."""
        before, pages = self.size(), self.mapped.find()
        if size > before:
            self._store.take(size - before)
            room = size + min(size // 8, _MOST_ROOM)
            while len(self._data) < size:
                self._data.extend(bytes(min(PIECE, room - len(self._data))))
        else:
            self._store.give_back(before - size)
            del self._data[size:]
        self._content.size = size
        self._place()
        if pages is not None:
            pages.resized(before, size)
        self.touch()


class SealedFile(MemoryFile):
    """A file of memfd_create: no name leads to it, and it can be sealed against changes."""

    SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE, EXEC = 1, 2, 4, 8, 16, 32
    _KNOWN = 63
    _PROGRAM = 0o111  # the bits that EXEC is about

    def __init__(self, store: Store, mode: int, name: bytes, seals: int) -> None:
        super().__init__(store, mode)
        self.label = b"/memfd:%s (deleted)" % name  # what /proc calls it
        self.links = 0
        self.seals = seals

    @property
    def is_sealed(self) -> bool:
        """Whether nothing new may write it."""
        return bool(self.seals & (self.WRITE | self.FUTURE_WRITE))

    def check_seals(self, seals: int) -> None:
        """Whether it can be sealed further. Raises EPERM when that is sealed, and EINVAL."""
        if self.seals & self.SEAL:
            raise LinuxError(Errno.EPERM)
        if seals & ~self._KNOWN:
            raise LinuxError(Errno.EINVAL)

    def show_writes(self, file: FileCells) -> None:
        """As `InMachineCode`: seals may come."""

    def add_seals(self, seals: int) -> None:
        """Seal it further."""
        if seals & self.EXEC and self._mode & self._PROGRAM:
            seals |= self.SHRINK | self.GROW | self.WRITE | self.FUTURE_WRITE
        self.seals |= seals

    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`. Raises EPERM."""
        if self.is_sealed:
            raise LinuxError(Errno.EPERM)
        return super().write_at(offset, data)

    def resize(self, size: int) -> None:
        """As `Handle`. Raises EPERM."""
        if (size < self.size() and self.seals & self.SHRINK) or (size > self.size() and self.seals & self.GROW):
            raise LinuxError(Errno.EPERM)
        super().resize(size)

    def set_mode(self, mode: int) -> None:
        """As `Node`. Raises EPERM."""
        if self.seals & self.EXEC and (mode ^ self._mode) & self._PROGRAM:
            raise LinuxError(Errno.EPERM)
        super().set_mode(mode)


class ProgramFile(MemoryNode):
    """A program that the guest's tree does not have: the bytes that were loaded, which nobody writes."""

    def __init__(self, store: Store, data: bytes) -> None:
        super().__init__(store, 0o755)
        self._data = data
        self._mapped = MappedAs()

    def size(self) -> int:
        """As `MemoryNode`."""
        return len(self._data)

    def open(self, writable: bool) -> ProgramFile:
        """As `Node`. Raises ETXTBSY."""
        if writable:
            raise LinuxError(Errno.ETXTBSY)
        return self

    def read_at(self, offset: int, size: int) -> bytes:
        """As `Handle`."""
        return self.load(offset, size)

    def load(self, offset: int, size: int) -> bytes:
        """As `mapped_files.Bytes`."""
        return self._data[offset : offset + size]

    def save(self, offset: int, data: bytes) -> None:
        """As `mapped_files.Bytes`: nobody writes it."""

    def pages(self, source: Frames) -> FilePages:
        """As `Handle`."""
        return self._mapped.make(source, self)

    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`. Raises ETXTBSY."""
        raise LinuxError(Errno.ETXTBSY)

    def resize(self, size: int) -> None:
        """As `Handle`. Raises ETXTBSY."""
        raise LinuxError(Errno.ETXTBSY)

    def set_mode(self, mode: int) -> None:
        """As `Node`. Raises EPERM."""
        raise LinuxError(Errno.EPERM)


class MemoryLink(MemoryNode):
    """A symbolic link."""

    kind = stat.S_IFLNK

    def __init__(self, store: Store, target: bytes) -> None:
        super().__init__(store, 0o777)
        self._target = target

    def size(self) -> int:
        """As `MemoryNode`."""
        return len(self._target)

    def target(self) -> bytes | None:
        """As `Node`."""
        return self._target

    def set_mode(self, mode: int) -> None:
        """Links have no mode of their own."""
        raise LinuxError(Errno.EOPNOTSUPP)


class SocketName(MemoryNode):
    """The name of a socket. Who has bound it is known by the sockets."""

    kind = stat.S_IFSOCK

    def open(self, writable: bool) -> Handle:
        """As `Node`. Raises ENXIO."""
        raise LinuxError(Errno.ENXIO)


class Fifo(MemoryNode):
    """A FIFO: a pipe with a name."""

    kind = stat.S_IFIFO

    def __init__(self, store: Store, mode: int) -> None:
        super().__init__(store, mode)
        self.pipe = pipe_buffers.Pipe()

    def open(self, writable: bool) -> Handle:
        """As `Node`: it is no regular file."""
        raise LinuxError(Errno.EINVAL)


def nothing(size: int) -> bytes:
    """What reading /dev/null gives."""
    return b""


class Device(MemoryNode):
    """A character device: `source(size)` is what reading gives; writing is swallowed, or fails with `write_error`.

    `reads_writes` says whether a write copies its bytes from the guest, as that to /dev/random does.
    """

    kind = stat.S_IFCHR

    def __init__(
        self,
        store: Store,
        number: tuple[int, int],
        source: Callable[[int], bytes],
        write_error: Errno | None = None,
        reads_writes: bool = False,
    ) -> None:
        super().__init__(store, 0o666)
        self.number = number
        self.reads_writes = reads_writes
        self.read = source
        self.write_error = write_error

    def status(self) -> Status:
        """As `Node`."""
        major, minor = self.number
        return Status(
            mode=self.kind | 0o666, inode=self._inode, special=major << 8 | minor, user=0, group=0,
            accessed=self._accessed, modified=self._modified, changed=self._changed,
        )  # fmt: skip


class MemoryDirectory(MemoryNode):
    """A directory. `read_only` is for those that the system itself makes."""

    kind = stat.S_IFDIR

    def __init__(self, store: Store, mode: int = 0o755, read_only: bool = False) -> None:
        super().__init__(store, mode)
        self._children: dict[bytes, Node] = {}
        self._read_only = read_only
        self.links = 2
        self.removed = False

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    def attach(self, name: bytes, node: Node) -> None:
        """Put a node here that exists already."""
        self._children[name] = node

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        if name not in self._children:
            raise LinuxError(Errno.ENOENT)
        return self._children[name]

    def entries(self) -> Iterable[Entry]:
        """In the order of creation."""
        for name, node in self._children.items():
            status = node.status()
            yield Entry(name, status.inode, stat.S_IFMT(status.mode))

    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        self._check_new(name)
        return self._add(name, MemoryFile(self._store, mode))

    def make_nameless(self, mode: int) -> Node:
        """As `Node`."""
        self._check_writable()
        file = MemoryFile(self._store, mode)
        file.links = 0
        return file

    def make_socket(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        self._check_new(name)
        return self._add(name, SocketName(self._store, mode))

    def make_fifo(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        self._check_new(name)
        return self._add(name, Fifo(self._store, mode))

    def make_directory(self, name: bytes, mode: int) -> None:
        """As `Node`."""
        self._check_new(name)
        self._add(name, MemoryDirectory(self._store, mode))
        self.links += 1

    def make_link(self, name: bytes, target: bytes) -> None:
        """As `Node`."""
        self._check_new(name)
        self._store.take(len(target))
        self._add(name, MemoryLink(self._store, target))

    def remove_file(self, name: bytes) -> None:
        """As `Node`."""
        node = self._own(name)
        if node.is_directory:
            raise LinuxError(Errno.EISDIR)
        node.links -= 1
        self._drop(name)

    def remove_directory(self, name: bytes) -> None:
        """As `Node`."""
        node = self._own(name)
        if not isinstance(node, MemoryDirectory):
            raise LinuxError(Errno.ENOTDIR)
        if node._children:
            raise LinuxError(Errno.ENOTEMPTY)
        node.links, node.removed = 0, True
        self.links -= 1
        self._drop(name)

    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(other, MemoryDirectory):
            raise LinuxError(Errno.EXDEV)
        node = self._own(name)
        other._check_writable()
        present = other._children.get(new_name)
        if present is node:
            return
        if isinstance(node, MemoryDirectory) and node._contains(other):
            raise LinuxError(Errno.EINVAL)
        if present is not None:
            if present.is_directory != node.is_directory:
                raise LinuxError(Errno.EISDIR if present.is_directory else Errno.ENOTDIR)
            if present.is_directory:
                other.remove_directory(new_name)
            else:
                other.remove_file(new_name)
        other._add(new_name, node)
        self._drop(name)
        if node.is_directory:
            self.links, other.links = self.links - 1, other.links + 1

    def exchange(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(other, MemoryDirectory):
            raise LinuxError(Errno.EXDEV)
        here, there = self._own(name), other._own(new_name)
        for node, directory in ((here, other), (there, self)):
            if isinstance(node, MemoryDirectory) and node._contains(directory):
                raise LinuxError(Errno.EINVAL)
        self._children[name], other._children[new_name] = there, here
        moved = there.is_directory - here.is_directory
        self.links += moved
        other.links -= moved
        self.touch()
        other.touch()

    def add_node(self, name: bytes, node: Node) -> None:
        """As `Node`."""
        if not isinstance(node, MemoryNode):
            raise LinuxError(Errno.EXDEV)
        self._check_new(name)
        self._add(name, node)
        node.links += 1

    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(directory, MemoryDirectory):
            raise LinuxError(Errno.EXDEV)
        node = directory._own(old_name)
        if node.is_directory:
            raise LinuxError(Errno.EPERM)
        self._check_new(name)
        self._add(name, node)
        node.links += 1

    # --- parts

    def _check_writable(self) -> None:
        if self._read_only:
            raise LinuxError(Errno.EACCES)
        if self.removed:
            raise LinuxError(Errno.ENOENT)

    def _check_new(self, name: bytes) -> None:
        if name in self._children:
            raise LinuxError(Errno.EEXIST)
        self._check_writable()

    def _own(self, name: bytes) -> MemoryNode:
        """A child that may be removed."""
        node = self.child(name)
        self._check_writable()
        assert isinstance(node, MemoryNode)  # nothing else is attached to a directory that can be written
        return node

    def _add(self, name: bytes, node: Node) -> Node:
        self._store.take(_NODE_BYTES + len(name))
        self._children[name] = node
        self.touch()
        return node

    def _drop(self, name: bytes) -> None:
        del self._children[name]
        self._store.give_back(_NODE_BYTES + len(name))
        self.touch()

    def _contains(self, directory: MemoryDirectory) -> bool:
        return self is directory or any(
            isinstance(node, MemoryDirectory) and node._contains(directory) for node in self._children.values()
        )
