"""Dynamic ELF programs: the interpreter that PT_INTERP names is mapped beside them and begins in their place."""

from __future__ import annotations

import contextlib
import random
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from machine_guests import PT_INTERP, PT_LOAD, FunctionEngine, elf, program_header

from machine.kernel.linux import World
from machine.loaders import MAPPINGS_TOP, LoadError, Placement, read_image
from machine.machine import Machine
from machine.options import MachineOptions
from vm.facts.limits import Limits

EXIT_7 = "mov eax, 60; mov edi, 7; syscall"
ET_DYN = 3
# The value of one row of the auxiliary vector comes to rbx.
FIND = """
    mov rbx, rsp
find: add rbx, 8
    cmp qword ptr [rbx], {kind}
    jne find
    mov rbx, [rbx + 8]
"""
ENTER_PROGRAM = FIND.format(kind=9) + "jmp rbx"
EXIT_WITH = FIND + "{then}; mov edi, ebx; mov eax, 60; syscall"


def dynamic(
    path: bytes = b"/ld\0", text: str = EXIT_7, *, size: int | None = None, at: int | None = None, more: int = 0
) -> bytes:
    """A program whose PT_INTERP is this text."""
    whole = elf(text, extra_headers=(program_header(PT_INTERP, 0, 0, 0, 0),))
    header = program_header(PT_INTERP, len(whole) if at is None else at, 0, len(path) if size is None else size, 0)
    return elf(text, extra_headers=(header,), memory_extra=more) + path


def run(program: bytes, root: Path | None, kernel: str | None = None, limits: Limits | None = None) -> int | None:
    """The exit code; raises LoadError."""
    options = MachineOptions(limits or Limits(), kernel=kernel, world=World(root))
    machine = Machine(FunctionEngine(), options)
    machine.load(program, name="program")
    return machine.run(max_instructions=10_000).exit_code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with an interpreter that starts the program, behind links as on Debian."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ld.so").write_bytes(elf(ENTER_PROGRAM, file_type=ET_DYN))
    (tmp_path / "lib" / "ld.so").chmod(0o755)
    (tmp_path / "ld").symlink_to("/lib/ld.so")
    return tmp_path


def test_the_interpreter_begins_and_finds_the_program(root: Path) -> None:
    assert run(dynamic(), root) == 7


def test_it_lies_right_below_where_mappings_begin_and_at_base_says_so() -> None:
    placement = Placement(read_file=lambda path: {b"/ld": elf(ENTER_PROGRAM, file_type=ET_DYN)}[path])
    image = read_image(dynamic(), "elf", placement)
    assert image.interpreter is not None
    assert image.start == image.interpreter.entry != image.entry
    assert image.interpreter.areas[-1].start + image.interpreter.areas[-1].size == MAPPINGS_TOP
    assert image.interpreter.bias == image.interpreter.base - 0x40_0000  # the file says 400000


@pytest.mark.parametrize(("kind", "then", "wanted"), [
    (7, "movzx ebx, byte ptr [rbx + 0x400001]", ord("E")),  # AT_BASE, behind which the file's addresses lie
    (3, "mov ebx, [rbx]", PT_LOAD),  # AT_PHDR is the program's
    (5, "nop", 2),  # AT_PHNUM
    (31, "movzx ebx, byte ptr [rbx + 1]", ord("p")),  # AT_EXECFN: /program
])  # fmt: skip
def test_the_auxiliary_vector_of_a_dynamic_program(root: Path, kind: int, then: str, wanted: int) -> None:
    (root / "lib" / "ld.so").write_bytes(elf(EXIT_WITH.format(kind=kind, then=then), file_type=ET_DYN))
    assert run(dynamic(), root) == wanted


def test_an_interpreter_may_have_a_fixed_address_where_the_program_is_not(root: Path) -> None:
    fixed = elf(ENTER_PROGRAM)
    (root / "lib" / "ld.so").write_bytes(fixed)
    with pytest.raises(LoadError, match="both lie at 0x400000"):
        run(dynamic(), root)


@pytest.mark.parametrize(("interpreter", "message"), [
    (b"", "the interpreter /ld: not an ELF file"),
    (b"#!/bin/sh\n", "the interpreter /ld: not an ELF file"),
    (elf(EXIT_7, machine=3, file_type=3), r"the interpreter /ld: not an x86-64 program \(a 32-bit"),
    (elf(EXIT_7, file_type=1), "the interpreter /ld: not an executable"),
    (elf(EXIT_7, file_type=3, memory_extra=1 << 46), "the interpreter /ld: .* max_guest_memory"),
    (elf(EXIT_7, file_type=3, memory_extra=(1 << 47) - 0x50_0000), "the interpreter /ld: .*do not fit"),
    (elf(EXIT_7, file_type=3)[:70], "the interpreter /ld: the program headers lie beyond"),
])  # fmt: skip
def test_an_interpreter_that_cannot_run_is_refused_by_its_name(root: Path, interpreter: bytes, message: str) -> None:
    (root / "lib" / "ld.so").write_bytes(interpreter)
    with pytest.raises(LoadError, match=message):
        run(dynamic(), root)


def test_one_that_is_not_there_is_refused_with_a_hint(root: Path) -> None:
    for path, where in ((b"/nothing\0", root), (b"/ld\0", None), (b"/lib\0", root), (b"x/y\0", root)):
        with pytest.raises(LoadError, match="its interpreter") as error:
            run(dynamic(path), where)
        assert "--root" in error.value.hint
    (root / "lib" / "ld.so").chmod(0o644)
    with pytest.raises(LoadError, match="Permission denied"):
        run(dynamic(), root)
    with pytest.raises(LoadError, match="no dynamic linker under this kernel"):
        run(dynamic(), root, kernel="nt")


@pytest.mark.parametrize("program", [
    dynamic(b"/"), dynamic(b"/ld"), dynamic(b"/" * 4096 + b"\0"), dynamic(size=9), dynamic(at=1 << 63),
    dynamic(size=0), dynamic(size=1 << 40),
])  # fmt: skip
def test_a_program_header_that_is_no_path_is_refused(root: Path, program: bytes) -> None:
    with pytest.raises(LoadError, match="names no interpreter"):
        run(program, root)


def test_memory_is_counted_for_both(root: Path) -> None:
    (root / "lib" / "ld.so").write_bytes(elf(ENTER_PROGRAM, file_type=ET_DYN, memory_extra=0x60_0000))
    with pytest.raises(LoadError, match="max_guest_memory"):
        run(dynamic(more=0x60_0000), root, limits=Limits(max_guest_memory=0xA0_0000))


def test_a_library_is_refused_but_its_symbols_can_be_read(root: Path) -> None:
    library = bytearray(elf(EXIT_7, file_type=ET_DYN))
    library[24:32] = bytes(8)  # e_entry
    library[68:72] = (6).to_bytes(4, "little")  # its only segment is not executable
    with pytest.raises(LoadError, match="library: it has no entry point"):
        run(bytes(library), root)
    assert read_image(bytes(library), "elf", Placement()).areas


def _same(data: bytes, path: bytes) -> bytes:
    return data


def test_damaged_interpreters_are_refused_or_loaded_but_never_more(root: Path) -> None:
    source, good, program = random.Random(3), elf(ENTER_PROGRAM, file_type=ET_DYN), dynamic()
    for _ in range(1000):
        data = bytearray(good[: source.randrange(8, len(good) + 1)])
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(4, len(data))] = source.choice((0, 1, 3, 0x7F, 0x80, 0xFF))
        placement = Placement(limits=Limits(max_guest_memory=1 << 22), read_file=partial(_same, bytes(data)))
        with contextlib.suppress(LoadError):
            image = read_image(program, "elf", placement)
            ends = sorted((area.start, area.start + area.size) for part in image.parts for area in part.areas)
            assert all(end <= start for (_, end), (start, _) in pairwise(ends))
