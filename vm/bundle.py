"""Bundle: a compiled command file. Its text, and the program of each of its scripts by the offset at which it begins.

The text is kept because the commands around the scripts are read again when the bundle runs. As with `vm.program`,
the bytes of a bundle are hostile: `read_bundle` checks every count against what is left, and proves nothing about the
programs in it beyond their form; `vm.verifier` does that.
"""

from __future__ import annotations

import zlib

import msgspec
from msgspec.structs import replace

from vm.program import (
    HEADER,
    Program,
    ProgramFormatError,
    Reader,
    Source,
    Writer,
    decode_program,
    encode_program,
    read_header,
)

MAGIC = b"HDSB"
VERSION = 1
_OWN_TEXT = Source("", "")  # stands in a program for the text of the bundle, which need not be stored again


class Bundle(msgspec.Struct, frozen=True):
    """`programs` are (offset of the script in `text`, program), in ascending order of the offsets."""

    name: str
    text: str
    programs: tuple[tuple[int, Program], ...]


def is_bundle(data: bytes) -> bool:
    """Whether the bytes claim to be a bundle."""
    return data[:4] == MAGIC


def write_bundle(bundle: Bundle) -> bytes:
    """The `.hdc` form of a bundle; `read_bundle` gives an equal bundle back."""
    out = Writer()
    out.text(bundle.name)
    out.text(bundle.text)
    own = Source(bundle.name, bundle.text)

    def entry(row: tuple[int, Program]) -> None:
        key, program = row
        out.u32(key)
        out.blob(encode_program(_with_sources(program, own, _OWN_TEXT)))

    out.table(bundle.programs, entry)
    body = b"".join(out.parts)
    return HEADER.pack(MAGIC, VERSION, 0, zlib.crc32(body)) + body


def read_bundle(data: bytes) -> Bundle:
    """The bundle of a `.hdc` file. Raises ProgramFormatError; never reads more than `data`."""
    body = read_header(data, MAGIC, VERSION, "command file")
    reader = Reader(body)
    own = Source(reader.text(), reader.text())
    programs = reader.table(lambda: (reader.u32(), _with_sources(decode_program(reader.blob()), _OWN_TEXT, own)), 8)
    if reader.at != len(body):
        raise ProgramFormatError(f"{len(body) - reader.at} bytes follow the bundle")
    keys = [key for key, _ in programs]
    if keys != sorted(set(keys)) or (keys and keys[-1] > len(own.text)):
        raise ProgramFormatError("the scripts of the bundle are not in order, or outside its text")
    return Bundle(own.name, own.text, programs)


def _with_sources(program: Program, old: Source, new: Source) -> Program:
    if old not in program.sources:
        return program
    return replace(program, sources=tuple(new if source == old else source for source in program.sources))
