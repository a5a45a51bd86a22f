"""What a loader makes of a program, what may be said to it, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from machine.loaders.symbols import Symbol
from machine.memory import Protection
from vm.facts.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from machine.loaders.modules import WindowsPlan
    from machine.memory import Area

KERNEL, USER = 0, 3  # privilege levels


class LoadError(Exception):
    """A program cannot be loaded: what is wrong, and where known what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @classmethod
    def beyond(cls, limit: str, message: str) -> LoadError:
        """A program needs more than the limit of this name allows; an empty one is none."""
        return cls(message, f"raise --{limit.replace('_', '-')} if the program is right" if limit else "")


class UnreadableFile(LoadError):  # noqa: N818 - it reads as what happened
    """The file of a program cannot be read at all."""


class ProgramHeaders(msgspec.Struct, frozen=True):
    """Where an ELF file's program headers lie in memory, for the auxiliary vector."""

    address: int
    entry_size: int
    count: int


class Image(msgspec.Struct, frozen=True):
    """A program: the areas it needs, the bytes in them, where it starts and where it ends (None: nowhere).

    `level` is the privilege level it runs on: `USER`, or `KERNEL`. `data` is the file, for what the guest reads of it.
    `bias` was added to the addresses in the file. `end` is behind all segments, also empty ones, where a heap may
    begin; 0: behind the areas. `interpreter` is what a dynamic ELF program is started by: it is
    mapped as well, and begins in its place. `windows` has the DLLs of a program that ntdll loads. `extent` is where its
    module begins and ends; None for what is no module: bare code.
    """

    kernel: str
    entry: int
    until: int | None
    areas: tuple[Area, ...]
    contents: tuple[tuple[int, bytes], ...]
    program_headers: ProgramHeaders | None = None
    symbols: tuple[Symbol, ...] = ()
    stack_protection: Protection = Protection.READ | Protection.WRITE
    level: int = USER
    data: bytes = b""
    bias: int = 0
    end: int = 0
    interpreter: Image | None = None
    windows: WindowsPlan | None = None
    extent: tuple[int, int] | None = None

    @property
    def parts(self) -> tuple[Image, ...]:
        """All that is mapped: the program, and its interpreter."""
        return (self,) if self.interpreter is None else (self, self.interpreter)

    @property
    def start(self) -> int:
        """Where the first thread begins."""
        return self.parts[-1].entry if self.windows is None else self.windows.start

    @property
    def base(self) -> int:
        """The lowest address of the program."""
        return min(area.start for area in self.areas)


class Placement(msgspec.Struct, frozen=True):
    """What may be said of a program that does not say it itself: base, entry point, level. None: the default.

    `read_file` gives the bytes of a file of the guest, the interpreter that a dynamic program names, or raises
    LoadError; with None programs are only looked at, and no interpreter is loaded.
    `root` is the folder with the DLLs of a Windows program, which is read from `path`; `modules` are those that scripts
    name, besides the ones that it imports.
    """

    base: int | None = None
    entry: int | None = None
    ring: int | None = None
    limits: Limits = DEFAULT_LIMITS
    read_file: Callable[[bytes], bytes] | None = None
    root: Path | None = None
    path: Path | None = None
    modules: tuple[str, ...] = ()


def _never(data: bytes) -> bool:
    return False


def is_elf(data: bytes) -> bool:
    """Whether data starts like an ELF file."""
    return data.startswith(b"\x7fELF")


def is_pe(data: bytes) -> bool:
    """Whether data starts like a PE file: an MZ header that points to a PE signature."""
    if not data.startswith(b"MZ") or len(data) < 0x40:
        return False
    offset = int.from_bytes(data[0x3C:0x40], "little")
    return data[offset : offset + 4] == b"PE\0\0"


class Loader(Protocol):
    """A module of this room that loads a kind of program."""

    def of_file(self, data: bytes, placement: Placement) -> Image:
        """The image of a program. Raises LoadError."""
        ...


class ProgramKind(msgspec.Struct, frozen=True):
    """A kind of program; `machine.loaders.reading` has a row for each.

    `recognises` looks at the first 4096 bytes of a file; what it does not recognise is of this kind if its name ends in
    one of `suffixes`. `what` is the end of a sentence that says what a file is.
    """

    name: str
    what: str
    loader: Loader
    recognises: Callable[[bytes], bool] = _never
    suffixes: tuple[str, ...] = ()
    has_symbols: bool = False
    is_text: bool = False

    def load(self, data: bytes, placement: Placement) -> Image:
        """The image of a program of this kind. Raises LoadError."""
        return self.loader.of_file(data, placement)


def check_size(areas: Iterable[Area], largest: int) -> None:
    """Raises LoadError when the areas have more than `largest` bytes, before anybody copies them."""
    size = sum(area.size for area in areas)
    if size > largest:
        text = f"this program takes {size:#x} bytes, which exceeds max_guest_memory ({largest:#x} bytes)"
        raise LoadError.beyond("max_guest_memory", text)
