"""File forms: what is written comes back, and damaged files are refused or harmless."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.bundle import Bundle, is_bundle, read_bundle, write_bundle
from vm.facts.limits import Limits
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.program import Program, ProgramFormatError, decode_program, encode_program
from vm.script_memory import GlobalConflict, GlobalStore
from vm.verifier import VerificationError

pytestmark = pytest.mark.slow

SCRIPT = """\
int fn(int n) { if (n < 2) { return n; } return fn(n - 1) + fn(n - 2); }
double v[3] = {1.5, 2.5, 3.5};
struct P { int mx; char *name; }; struct P p = {7, "text"};
.total = .total + fn(8) * v[1];
printf("%d %s %f\\n", .total, p.name, v[2]);
if (memcmp(p.name, "text", 4) == 0 && check_address(10000000)) { @rax = poi(10000000); }
"""
TEXT = f"? {{ {SCRIPT} }}\nprint .total\n"


def compiled(text: str, start: int = 0, end: int | None = None) -> Program:
    program = Compiler().compile(SourceFile("test.hds", text), start, end).program
    assert program is not None
    return program


def bundle() -> Bundle:
    first = compiled(TEXT, 2, TEXT.index("\nprint ."))
    return Bundle("test.hds", TEXT, ((2, first), (TEXT.index("print .") + 6, compiled("print(.total);"))))


def test_a_bundle_comes_back() -> None:
    assert read_bundle(write_bundle(bundle())) == bundle()


def test_the_text_of_a_bundle_is_stored_once() -> None:
    assert write_bundle(bundle()).count(b"check_address") == 1


def test_a_program_comes_back() -> None:
    assert decode_program(encode_program(compiled(SCRIPT))) == compiled(SCRIPT)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for read in (decode_program, read_bundle):
        with pytest.raises(ProgramFormatError):
            read(data)
        assert not is_bundle(data) or data[:4] == b"HDSB"


def resealed(data: bytes) -> bytes:
    """The bytes with the checksum that they would need."""
    return data[:8] + zlib.crc32(data[12:]).to_bytes(4, "little") + data[12:]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_mutated_bundle_is_refused_or_stays_in_bounds(changes: list[tuple[int, int]]) -> None:
    data = bytearray(write_bundle(bundle()))
    for at, value in changes:
        data[12 + at % (len(data) - 12)] = value
    with pytest.raises(ProgramFormatError):
        read_bundle(bytes(data[:-1]))
    try:
        found = read_bundle(resealed(bytes(data)))
    except ProgramFormatError:
        return
    assert [key for key, _ in found.programs] == sorted({key for key, _ in found.programs})


PROGRAM = compiled(SCRIPT)
SMALL = Limits(max_steps=2000, max_global_bytes=1 << 16)


@given(st.lists(st.tuples(st.integers(0, len(PROGRAM.code) - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=3))
def test_mutated_bytecode_is_rejected_or_stays_in_bounds(changes: list[tuple[int, int]]) -> None:
    code = list(PROGRAM.code)
    for at, word in changes:
        code[at] = word if word & 1 else (code[at] & 0xFF) | (word & 0xFFFFFF00)
    engine = Interpreter(SMALL)
    try:
        loaded = engine.load(replace(PROGRAM, code=tuple(code)), GlobalStore(SMALL))
    except (VerificationError, GlobalConflict):
        return
    result = engine.run(loaded, MemoryHost())
    assert result.steps <= SMALL.max_steps + len(code)


@pytest.mark.parametrize("version", [0, 2, 65535])
def test_another_version_is_refused(version: int) -> None:
    for data, read in ((encode_program(PROGRAM), decode_program), (write_bundle(bundle()), read_bundle)):
        with pytest.raises(ProgramFormatError, match=f"version {version}"):
            read(data[:4] + version.to_bytes(2, "little") + data[6:])
        with pytest.raises(ProgramFormatError, match=f"version {version}"):
            read(data[:4] + version.to_bytes(2, "little"))


@pytest.mark.parametrize("size", [4, 5, 6, 8, 11])
def test_a_file_that_ends_within_its_header_is_not_said_to_be_of_another_kind(size: int) -> None:
    for data, read in ((encode_program(PROGRAM), decode_program), (write_bundle(bundle()), read_bundle)):
        with pytest.raises(ProgramFormatError, match=f"ends within its header .{size} of 12 bytes"):
            read(data[:size])
