"""The pages of files that are mapped shared: one set for each file, whoever has it mapped and by whatever descriptor.

As long as anybody has them they hold what the file says there: what a `Handle` reads is taken from them, what it writes
is put into them too. The file gets their bytes back when nobody has them mapped any more, and when a run ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import ReferenceType, ref

from machine.memory import PAGE, Frames, SharedMemory, page_ceil

if TYPE_CHECKING:
    from machine.kernel.linux.nodes import Status


class Bytes(Protocol):
    """What a file has its bytes in, beneath the pages."""

    def size(self) -> int:
        """In bytes."""
        ...

    def status(self) -> Status:
        """What stat tells of it."""
        ...

    def load(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes."""
        ...

    def save(self, offset: int, data: bytes) -> None:
        """Replace bytes that are there; nothing is done for a file that nobody may write."""
        ...


class FilePages(SharedMemory):
    """The pages of one file."""

    def __init__(self, source: Frames, file: Bytes) -> None:
        super().__init__(source)
        self.file = file
        self._physical = source.physical

    def __del__(self) -> None:
        self.put_back()

    def has(self, offset: int) -> bool:
        """As `SharedMemory`: up to the page with the last byte of the file."""
        return offset < page_ceil(self.file.size())

    def frame(self, offset: int) -> int:
        """As `SharedMemory`."""
        is_new = offset // PAGE not in self._frames
        frame = super().frame(offset)
        if is_new:
            data = self.file.load(offset, PAGE)
            self._physical.buffer[frame * PAGE : frame * PAGE + len(data)] = data
        return frame

    def shown(self, offset: int, data: bytes) -> bytes:
        """What is really in the file where `data` lies beneath."""
        result = None
        for page in self._pages(offset, offset + len(data)):
            result = bytearray(data) if result is None else result
            start, end = max(page * PAGE, offset), min((page + 1) * PAGE, offset + len(data))
            place = self._frames[page] * PAGE - page * PAGE
            result[start - offset : end - offset] = self._physical.buffer[place + start : place + end]
        return data if result is None else bytes(result)

    def written(self, offset: int, data: bytes) -> None:
        """A handle has written."""
        for page in self._pages(offset, offset + len(data)):
            start, end = max(page * PAGE, offset), min((page + 1) * PAGE, offset + len(data))
            place = self._frames[page] * PAGE - page * PAGE
            self._physical.write(place + start, data[start - offset : end - offset])

    def resized(self, before: int, size: int) -> None:
        """The file has another size: what was behind its end is zero, and pages behind it are there no more."""
        end = min(before, size)
        if end % PAGE:
            self.written(end, bytes(PAGE - end % PAGE))
        self._forget(page_ceil(size))

    def put_back(self, start: int = 0, end: int | None = None) -> None:
        """Let the file have what its pages hold in [start, end)."""
        size = self.file.size() if self._frames else 0
        for page in sorted(self._pages(start, size if end is None else min(end, size))):
            place = self._frames[page] * PAGE
            data = self._physical.buffer[place : place + min(PAGE, size - page * PAGE)]
            if data != self.file.load(page * PAGE, len(data)):
                self.file.save(page * PAGE, data)

    def _pages(self, start: int, end: int) -> list[int]:
        """The pages with frames that share a byte with [start, end)."""
        if not self._frames or start >= end:
            return []
        wanted = range(start // PAGE, (end - 1) // PAGE + 1)
        if len(wanted) <= len(self._frames):
            return [page for page in wanted if page in self._frames]
        return [page for page in self._frames if page in wanted]


class MappedAs:
    """The pages of a file, as long as somebody has them."""

    def __init__(self) -> None:
        self._pages: ReferenceType[FilePages] | None = None

    def find(self) -> FilePages | None:
        """None where nobody has the file mapped."""
        return None if self._pages is None else self._pages()

    def make(self, source: Frames, file: Bytes) -> FilePages:
        """The same, for one more who maps the file."""
        pages = self.find()
        if pages is None:
            pages = FilePages(source, file)
            self._pages = ref(pages)
        return pages
