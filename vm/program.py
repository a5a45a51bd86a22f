"""Program: what the compiler makes and the engines run, and its binary form in a `.hdc` file.

A program is code (32-bit words), functions, a constant pool, string literals, printf formats, the globals it names,
and the source positions of its instructions. Nothing in here is trusted: `vm.verifier` checks a program before it runs,
and `decode_program` treats its input as hostile: every count is checked against the bytes that are left.
"""

from __future__ import annotations

import bisect
import struct
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import msgspec

MAGIC = b"HDSC"
VERSION = 1
HEADER = struct.Struct("<4sHHI")  # magic, version, reserved, CRC-32 of the rest

T = TypeVar("T")


class ProgramFormatError(ValueError):
    """The bytes are no well-formed program file."""


class Function(msgspec.Struct, frozen=True):
    """A function of a program; function 0 is the main program. `end` is exclusive; `frame` counts bytes."""

    name: str
    parameters: int
    frame: int
    start: int
    end: int


class GlobalSymbol(msgspec.Struct, frozen=True):
    """A global that the program names. `type` is its canonical spelling, `size` its size in bytes."""

    name: str
    type: str
    size: int


class Source(msgspec.Struct, frozen=True):
    """The name and text of a source file, for positions and listings."""

    name: str
    text: str


class Position(msgspec.Struct, frozen=True):
    """From instruction `pc` on, up to the next position: characters [start, end) of source number `source`."""

    pc: int
    source: int
    start: int
    end: int


class Program(msgspec.Struct, frozen=True, dict=True):
    """A compiled script."""

    code: tuple[int, ...]
    functions: tuple[Function, ...]
    constants: tuple[int, ...] = ()
    strings: tuple[bytes, ...] = ()
    formats: tuple[bytes, ...] = ()
    globals: tuple[GlobalSymbol, ...] = ()
    sources: tuple[Source, ...] = ()
    positions: tuple[Position, ...] = ()

    @cached_property
    def _position_starts(self) -> list[int]:
        return [position.pc for position in self.positions]

    def position(self, pc: int) -> Position | None:
        """Where instruction `pc` comes from, if that is known."""
        index = bisect.bisect_right(self._position_starts, pc)
        return self.positions[index - 1] if index else None

    @property
    def size(self) -> int:
        """Bytes that an engine needs to run it: code, constants, literals, formats; without names and positions."""
        return 4 * len(self.code) + 8 * len(self.constants) + sum(map(len, self.strings)) + sum(map(len, self.formats))


def is_compiled(data: bytes) -> bool:
    """Whether the bytes claim to be a `.hdc` file of any version: no text has the zeros of its header."""
    return data.startswith(b"HDS") and 0 in data[4:8]


def read_header(data: bytes, magic: bytes, version: int, what: str) -> bytes:
    """What follows the header of a `.hdc` file, by its checksum undamaged. Raises ProgramFormatError.

    The version is looked at as soon as it is there: all formats have it at the same place.
    """
    if data[: len(magic)] != magic:
        raise ProgramFormatError(f"not a compiled hds {what} (wrong magic number)")
    found = int.from_bytes(data[4:6], "little")
    if len(data) >= 6 and found != version:
        raise ProgramFormatError(
            f"{what} format version {found}, this hds reads {version}: compile the source again with this hds, "
            f"or use the {'newer' if found > version else 'older'} hds that wrote it"
        )
    if len(data) < HEADER.size:
        raise ProgramFormatError(f"the file ends within its header ({len(data)} of {HEADER.size} bytes)")
    body = data[HEADER.size :]
    if zlib.crc32(body) != HEADER.unpack_from(data)[3]:
        raise ProgramFormatError("the checksum does not match: the file is damaged")
    return body


# --- binary form ------------------------------------------------------------------------------------------------------


class Writer:
    """Collects the little-endian fields of a file; `Reader` reads them back."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def u32(self, value: int) -> None:
        """An unsigned 32-bit number."""
        self.parts.append(struct.pack("<I", value))

    def u64(self, value: int) -> None:
        """An unsigned 64-bit number."""
        self.parts.append(struct.pack("<Q", value))

    def blob(self, data: bytes) -> None:
        """A byte string with its length in front."""
        self.u32(len(data))
        self.parts.append(data)

    def text(self, value: str) -> None:
        """A text."""
        self.blob(value.encode("utf-8", "surrogatepass"))

    def table(self, rows: tuple[T, ...], write: Callable[[T], None]) -> None:
        """A table with the number of its rows in front."""
        self.u32(len(rows))
        for row in rows:
            write(row)


class Reader:
    """Reads the little-endian fields of a hostile byte string. Raises ProgramFormatError at its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self.data) - self.at:
            raise ProgramFormatError(f"the file ends too early (at byte {self.at})")
        self.at += size
        return self.data[self.at - size : self.at]

    def u32(self) -> int:
        """The next unsigned 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """The next unsigned 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def blob(self) -> bytes:
        """The next byte string with its length in front."""
        return self.take(self.u32())

    def text(self) -> str:
        """The next text."""
        try:
            return self.blob().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise ProgramFormatError(f"a text is not UTF-8: {error.reason}") from None

    def table(self, read: Callable[[], T], smallest: int) -> tuple[T, ...]:
        """The next table, whose rows take at least `smallest` bytes each."""
        count = self.u32()
        if count * smallest > len(self.data) - self.at:
            raise ProgramFormatError(f"a table of {count} rows does not fit the file")
        return tuple(read() for _ in range(count))


def encode_program(program: Program) -> bytes:
    """The `.hdc` form of one program; `decode_program` gives an equal program back."""
    out = Writer()
    out.table(program.code, out.u32)

    def function(row: Function) -> None:
        out.text(row.name)
        for value in (row.parameters, row.frame, row.start, row.end):
            out.u32(value)

    def global_symbol(row: GlobalSymbol) -> None:
        out.text(row.name)
        out.text(row.type)
        out.u32(row.size)

    def source(row: Source) -> None:
        out.text(row.name)
        out.text(row.text)

    def position(row: Position) -> None:
        for value in (row.pc, row.source, row.start, row.end):
            out.u32(value)

    out.table(program.functions, function)
    out.table(program.constants, out.u64)
    out.table(program.strings, out.blob)
    out.table(program.formats, out.blob)
    out.table(program.globals, global_symbol)
    out.table(program.sources, source)
    out.table(program.positions, position)
    body = b"".join(out.parts)
    return HEADER.pack(MAGIC, VERSION, 0, zlib.crc32(body)) + body


def decode_program(data: bytes) -> Program:
    """The program of a `.hdc` file. Raises ProgramFormatError; never reads more than `data`."""
    body = read_header(data, MAGIC, VERSION, "program")
    reader = Reader(body)
    program = Program(
        code=reader.table(reader.u32, 4),
        functions=reader.table(
            lambda: Function(reader.text(), reader.u32(), reader.u32(), reader.u32(), reader.u32()), 20
        ),
        constants=reader.table(reader.u64, 8),
        strings=reader.table(reader.blob, 4),
        formats=reader.table(reader.blob, 4),
        globals=reader.table(lambda: GlobalSymbol(reader.text(), reader.text(), reader.u32()), 12),
        sources=reader.table(lambda: Source(reader.text(), reader.text()), 8),
        positions=reader.table(lambda: Position(reader.u32(), reader.u32(), reader.u32(), reader.u32()), 16),
    )
    if reader.at != len(body):
        raise ProgramFormatError(f"{len(body) - reader.at} bytes follow the program")
    return program
