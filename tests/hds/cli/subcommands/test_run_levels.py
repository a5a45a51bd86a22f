"""`hds run`: the privilege level of programs, and what a fault comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line, listing_file
from machine_guests import elf

ENGINES = ("reference", "native")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_elf_program_may_not_use_a_privileged_instruction(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "cli"
    path.write_bytes(elf("cli; mov eax, 60; mov edi, 3; syscall"))
    ran = command_line("run", "--engine", engine, "-e", "g", str(path))
    assert ran.code == 5
    assert "exception 0xd" in ran.errors


@pytest.mark.parametrize(("ring", "code"), [((), 0), (("--ring", "0"), 0), (("--ring", "3"), 5)])
def test_hlt_ends_a_listing_on_level_0_only(tmp_path: Path, ring: tuple[str, ...], code: int) -> None:
    assert command_line("run", *ring, "-e", "g", listing_file(tmp_path, "hlt; nop")).code == code


def test_the_level_of_other_programs_cannot_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf("nop"))
    ran = command_line("run", "--ring", "0", "-e", "g", str(path))
    assert ran.code == 5
    assert "an ELF program runs on level 3" in ran.errors
    assert "--ring is for raw code and listings" in ran.errors


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("event", "output"),
    [
        ("!syscall script { print(@cs); }", "33\n33\n"),
        ("!syscall stage post script { print(@cs); }", "10\n10\n"),
        ("!sysret script { print(@cs); }", "10\n"),
        ("!epthook ffffffff81e00000 script { print(@cs); }", "10\n10\n"),
        ("!epthook ffffffff81e00003 script { print(poi($thread + 220) != 1); }", "1\n1\n"),
    ],
)
def test_system_calls_of_level_3_go_through_the_kernel(tmp_path: Path, engine: str, event: str, output: str) -> None:
    guest = listing_file(tmp_path, "mov eax, 39; syscall; mov eax, 60; mov edi, 5; syscall")
    ran = command_line("run", "--engine", engine, "--ring", "3", "--guest-exit-code", "-e", event, guest)
    assert (ran.output, ran.code) == (output, 5)
    assert "exited with code 5" in ran.errors


@pytest.mark.parametrize("engine", ENGINES)
def test_kernel_memory_is_for_scripts_and_blocks_and_not_for_level_3(tmp_path: Path, engine: str) -> None:
    event = "!syscall asm condition { mov rax, gs:[0x188] } script { print(poi($thread + b8) == $proc); }"
    guest = listing_file(tmp_path, "mov eax, 39; syscall; mov rax, 0xffffffff81e00000; call rax")
    ran = command_line("run", "--engine", engine, "--ring", "3", "-e", event, guest)
    assert ran.output == "1\n"
    assert "fetch of 0xffffffff81e00000" in ran.errors
    assert ran.code == 5
