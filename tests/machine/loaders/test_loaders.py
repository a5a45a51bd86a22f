"""Programs: what is loaded, and that hostile files end in a LoadError."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import pytest
from machine_guests import PT_INTERP, PT_LOAD, bench, elf, program_header

from machine.debugger import cpuid_results
from machine.loaders import LoadError, asm, elf as elf_loader, initial_stack, raw
from machine.machine import StopCause
from vm.facts.limits import Limits

EXIT_7 = "mov eax, 60; mov edi, 7; syscall"
HELLO = """
    mov eax, 1
    mov edi, 1
    lea rsi, [rel text]
    mov edx, end - text
    syscall
    mov eax, 231
    xor edi, edi
    syscall
text: db "hello", 10
end:
"""


def test_a_static_executable_prints_and_exits() -> None:
    guest = bench()
    guest.machine.load(elf(HELLO), name="hello")
    summary = guest.machine.run()
    assert (summary.cause, summary.exit_code, guest.output) == (StopCause.EXIT, 0, [(1, b"hello\n")])


def test_the_kind_is_found_by_magic_and_suffix(tmp_path: Path) -> None:
    listing = tmp_path / "exit.asm"
    listing.write_text("nop; hlt")
    guest = bench(cores=3)
    guest.machine.load(elf(EXIT_7))
    guest.machine.load(listing)
    guest.machine.load(b"\xf4", "raw")
    assert [process.name for process in guest.machine.processes] == ["program", "exit.asm", "program"]


@pytest.mark.parametrize("suffix", [".bin", ".raw", ".sc", ".BIN"])
def test_machine_code_may_say_so_by_its_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"code{suffix}"
    path.write_bytes(b"\x90\xf4")
    assert bench().machine.load(path).image.kernel == "linux"


OTHER_FILES = [
    (b"#!/bin/sh\necho hello\n", "a script for another program"),
    (b'{"a": 1}\n', "text"),
    ("Gr\u00fc\u00dfe\n".encode() * 500, "text"),
    (b"\xff\xfeh\0i\0", "text"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "an image"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "an image"),
    (b"PK\3\4\x14\0", "a ZIP archive"),
    (b"MZ".ljust(0x80, b"\0"), "a DOS program"),
    (b"\x7fEL", "data of an unknown kind"),
    (bytes(range(128, 256)), "data of an unknown kind"),
    (b"\0" * 64, "data of an unknown kind"),
    (b"", "empty"),
]


@pytest.mark.parametrize(
    ("line", "said"), [("#! /bin/sh -e", "`--root DIR` shows the guest /bin/sh, "), ("#!\033[31m", "`--kind ")]
)
def test_the_hint_for_a_script_has_the_program_that_it_names(line: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        bench().machine.load(f"{line}\necho hello\n".encode())
    assert caught.value.hint is not None
    assert said in caught.value.hint
    assert "\033" not in caught.value.hint


@pytest.mark.parametrize(("data", "what"), OTHER_FILES)
@pytest.mark.parametrize("name", ["guest", "guest.sh", "guest.exe", "guest.elf"])
def test_another_file_is_no_program(data: bytes, what: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(LoadError, match=f"{name} is no ELF or PE program, but {what}") as caught:
        bench().machine.load(path)
    assert "`--kind raw`" in caught.value.hint


@pytest.mark.parametrize(("data", "what"), OTHER_FILES)
def test_nor_are_other_bytes(data: bytes, what: str) -> None:
    with pytest.raises(LoadError, match=f"the program is no ELF or PE program, but {what}"):
        bench().machine.load(data)


def test_whatever_it_is_it_runs_as_machine_code_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "guest.sh"
    path.write_bytes(b"#!/bin/sh\n")
    assert bench().machine.load(path, "raw").alive


@pytest.mark.parametrize("data", [b"", b"\x7f", b"\x7fELG" * 20, b"#!/bin/sh\n", b"MZ" * 40])
def test_a_file_that_is_said_to_be_elf_or_pe_needs_its_magic(data: bytes) -> None:
    with pytest.raises(LoadError, match="not an ELF file: it does not begin with the magic bytes 7f 45 4c 46"):
        bench().machine.load(data, "elf")
    missing = "has no `PE` signature" if data.startswith(b"MZ") else "does not begin with the magic bytes 4d 5a"
    with pytest.raises(LoadError, match=f"not a PE file: it {missing}"):
        bench().machine.load(data, "pe")


def test_bss_is_mapped_and_zero() -> None:
    guest = bench()
    guest.machine.load(elf("mov rdi, [0x402000]; add rdi, 3; mov eax, 60; syscall", memory_extra=0x4000))
    assert guest.machine.run().exit_code == 3


def test_the_initial_stack_has_arguments_environment_and_auxiliary_vector() -> None:
    image = elf_loader.load(elf(EXIT_7))
    stack = initial_stack.build(image, ["prog", "x"], ["A=1"])
    words = [int.from_bytes(stack.data[offset : offset + 8], "little") for offset in range(0, 8 * 40, 8)]
    texts = [stack.data[word - stack.pointer :].split(b"\0")[0] for word in (words[1], words[2], words[4])]
    vector = dict(zip(words[6:40:2], words[7:40:2], strict=True))
    assert stack.pointer % 16 == 0
    assert (words[0], words[3], words[5]) == (2, 0, 0)
    assert texts == [b"prog", b"x", b"A=1"]
    assert (vector[initial_stack.AT_PAGESZ], vector[initial_stack.AT_ENTRY]) == (0x1000, image.entry)
    assert (vector[initial_stack.AT_PHDR], vector[initial_stack.AT_PHENT]) == (0x400040, 56)
    assert (vector[initial_stack.AT_PHNUM], vector[initial_stack.AT_UID]) == (1, 1000)
    assert stack.data[vector[initial_stack.AT_RANDOM] - stack.pointer :][:2] == b"\xa0\xa1"


def test_at_hwcap_is_what_cpuid_says() -> None:
    image = elf_loader.load(elf(EXIT_7))
    stack = initial_stack.build(image, [], [])
    words = [word for (word,) in struct.iter_unpack("<Q", stack.data[: len(stack.data) & -8])]
    assert words[words.index(initial_stack.AT_HWCAP) + 1] == cpuid_results(1)["rdx"]


def test_the_program_sees_its_arguments() -> None:
    guest = bench()
    text = "mov rbx, [rsp + 16]; movzx edi, byte ptr [rbx]; mov eax, 60; syscall"
    guest.machine.load(elf(text), arguments=["A"])
    assert guest.machine.run().exit_code == ord("A")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (elf(EXIT_7, extra_headers=(program_header(PT_INTERP, 0, 0, 4, 4),)), "names no interpreter"),
        (elf(EXIT_7, machine=183), "not an x86-64 program"),
        (elf(EXIT_7, file_type=1), "not an executable"),
        (elf(EXIT_7, file_extra=0x2000, memory_extra=8), "beyond the end of the file"),
        (elf(EXIT_7, extra_headers=(program_header(PT_LOAD, 1, 0x500000, 8, 8),)), "differ within a page"),
        (elf(EXIT_7, extra_headers=(program_header(0, 0, 0, 0, 0),) * 1170), "1171 program headers"),
        (elf(EXIT_7)[:0x40], "program headers lie beyond"),
        (elf(EXIT_7, memory_extra=1 << 47), "do not fit in the user address space"),
        (elf(EXIT_7, extra_headers=(program_header(PT_LOAD, 0, 0x500000, 9, 8),)), "more bytes in the file"),
        (elf(EXIT_7, extra_headers=(program_header(PT_LOAD, 0, 0, 0, 0x1000),)), "user address space"),
        (b"\x7fELF", "ends within its header"),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "not an x86-64 program"),
    ],
)
def test_an_executable_that_cannot_run_here_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        elf_loader.load(data)


def test_as_many_segments_as_linux_takes_are_loaded() -> None:
    extra = tuple(
        program_header(PT_LOAD, 0x800 * (index % 2), 0x50_0000 + 0x800 * index, 0x800, 0x1800) for index in range(1169)
    )
    image = elf_loader.load(elf(EXIT_7, extra_headers=extra))
    assert (image.areas[-1].start, image.areas[-1].size) == (0x50_0000, 0x24_A000)


def test_an_executable_larger_than_the_memory_limit_is_refused_and_costs_nothing() -> None:
    guest = bench(limits=Limits(max_guest_memory=1 << 22))
    with pytest.raises(LoadError, match="max_guest_memory"):
        guest.machine.load(elf(EXIT_7, memory_extra=1 << 40))
    guest.machine.load(elf(EXIT_7))
    assert guest.machine.run().exit_code == 7


def test_a_damaged_executable_is_refused_or_loaded_but_never_more() -> None:
    source, good = random.Random(1), elf(EXIT_7)
    for _ in range(400):
        data = bytearray(good[: source.randrange(8, len(good) + 1)])
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(4, len(data))] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
        with contextlib.suppress(LoadError):
            bench(limits=Limits(max_guest_memory=1 << 22)).machine.load(bytes(data), "elf")


STRANGE = (0, 1, 7, 0xFFF, 0x1000, 0x1001, 0x40_0000, 1 << 31, 1 << 47, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def test_strange_header_fields_give_separate_whole_pages_with_their_contents_or_a_load_error() -> None:
    source, loaded = random.Random(2), 0
    good = elf(EXIT_7, extra_headers=(program_header(PT_LOAD, 0, 0x50_0000, 8, 0x1800, 6),) * 2)
    fields = [(at, size) for start in (64, 120, 176) for at, size in ((start, 4), (start + 4, 4))]
    fields += [(start + 8 * index, 8) for start in (64, 120, 176) for index in range(1, 7)]
    fields += [(16, 2), (18, 2), (24, 8), (32, 8), (40, 8), (54, 2), (56, 2), (58, 2), (60, 2), (62, 2)]
    for _ in range(2000):
        data = bytearray(good)
        for at, size in source.sample(fields, source.randrange(1, 4)):
            data[at : at + size] = (source.choice(STRANGE) & (1 << 8 * size) - 1).to_bytes(size, "little")
        try:
            image = elf_loader.load(bytes(data), largest=1 << 24)
        except LoadError:
            continue
        loaded += 1
        ends = [0, *(area.start + area.size for area in image.areas)]
        assert all(end <= area.start for end, area in zip(ends, image.areas, strict=False))
        assert all(area.start % 0x1000 == 0 < area.size and area.size % 0x1000 == 0 for area in image.areas)
        for address, content in image.contents:
            assert any(
                area.start <= address and address + len(content) <= area.start + area.size for area in image.areas
            )
    assert loaded > 100


def test_raw_code_runs_until_its_last_byte() -> None:
    guest = bench()
    guest.machine.load(b"\x90\x48\xff\xc0", "raw", base=0x1234_5000)
    assert guest.machine.run().cause is StopCause.END
    assert (guest.register("rax"), guest.register("rip")) == (1, 0x1234_5004)


def test_a_listing_starts_at_its_start_label_or_at_its_first_byte() -> None:
    assert asm.load("nop; start: nop").entry == raw.DEFAULT_BASE + 1
    assert asm.load("nop; other: nop").entry == raw.DEFAULT_BASE
    assert asm.load("nop; other: nop", entry="other").entry == raw.DEFAULT_BASE + 1


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (b"", {"kind": "raw"}),
        (b"\x90", {"kind": "raw", "base": 0}),
        (b"\x90", {"kind": "raw", "base": (1 << 64) - 1}),
        (b"\x90", {"kind": "raw", "entry": 5}),
        (b"what is this", {"kind": "asm"}),
        (b"\xff\xfe", {"kind": "asm"}),
        (b"\x90", {"kind": "exe"}),
        (Path("/no/such/file"), {}),
        (Path("/"), {}),
    ],
)
def test_what_is_no_program_is_refused(program: bytes | Path, options: dict[str, object]) -> None:
    with pytest.raises(LoadError):
        bench().machine.load(program, **options)  # type: ignore[arg-type]


def test_arguments_that_fill_the_stack_are_refused() -> None:
    with pytest.raises(LoadError, match="arguments"):
        bench().machine.load(elf(EXIT_7), arguments=["x" * (1 << 21)])


def test_a_second_program_waits_for_its_turn_on_the_only_core() -> None:
    guest = bench("nop")
    second = guest.machine.load(b"\x90", "raw")
    guest.machine.run()
    assert (second.core, second.cpu.executed) == (0, 1)
