"""`hds run`: the privilege level of programs, and what a fault comes to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file
from machine_guests import elf

from hds.exit_codes import ExitCode

# rt_sigaction(SIGSEGV, {handler, SA_RESTORER | SA_SIGINFO, restorer}); a read of 0; exit(edi of the handler)
HANDLED = """
    sub rsp, 0x40; lea rax, [rip + handler]; mov [rsp], rax; mov eax, 0x4000004; mov [rsp + 8], rax
    mov [rsp + 0x10], rsp; mov qword ptr [rsp + 0x18], 0; mov eax, 13
    mov edi, 11; mov rsi, rsp; xor edx, edx; mov r10d, 8; syscall
    xor eax, eax; mov rax, [rax]
    handler: mov eax, 60; syscall
"""
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


CRASHES = {
    "hlt": (139, 13, "#GP", 0), "int3": (133, 3, "#BP", 0), "ud2": (132, 6, "#UD", 0),
    "xor ecx, ecx; div ecx": (136, 0, "#DE", 0), "mov rax, [0x10]": (139, 14, "#PF", 4),
    "mov eax, 0x18; mov ss, ax": (139, 13, "#GP", 0x18), "int 0x21": (139, 13, "#GP", 0x10A),
}  # fmt: skip


@pytest.mark.parametrize("text", CRASHES)
def test_a_crash_has_the_code_that_linux_gives_and_is_named(tmp_path: Path, text: str) -> None:
    code, vector, name, error = CRASHES[text]
    path = tmp_path / "program"
    path.write_bytes(elf(text))
    ran = command_line("run", "--guest-exit-code", "--format", "json", "-e", "g", str(path))
    crash = json.loads(ran.output.splitlines()[-1])["crash"]
    assert ran.code == crash["exit_code"] == code
    assert (crash["vector"], crash["name"], crash["error_code"]) == (vector, name, error)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, 0xC000_0096) for text in ("hlt", "in al, 0x60", "in eax, dx", "out 0x80, al", "out dx, eax")),
        *((text, 0xC000_0096) for text in ("mov rdi, rsp; insb", "mov rsi, rsp; outsb", "rdmsr", "clts")),
        *(("int3", 0x8000_0003), ("mov rax, [0x10]", 0xC000_0005), ("int 0x20", 0xC000_0005)),
    ],
)
def test_a_crash_has_the_code_that_windows_gives(tmp_path: Path, text: str, code: int) -> None:
    guest = listing_file(tmp_path, text)
    ran = command_line(
        "run", "--kernel", "nt", "--ring", "3", "--guest-exit-code", "--format", "json", "-e", "g", guest
    )
    assert ran.code == code  # of which a shell sees eight bits
    assert json.loads(ran.output.splitlines()[-1])["crash"]["exit_code"] == code


@pytest.mark.lasting
def test_a_process_leaves_with_the_lowest_eight_bits_of_an_ntstatus(tmp_path: Path) -> None:
    guest = listing_file(tmp_path, "mov rax, [0x10]")
    words = ("run", "--kernel", "nt", "--ring", "3", "--guest-exit-code", "-e", "g", str(guest))
    started = "from hds.cli.start import entry; entry()"
    ran = subprocess.run([sys.executable, "-c", started, *words], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, "Traceback" in ran.stderr) == (5, False), ran.stderr


def test_int3_halts_where_there_is_somebody_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf("int3; mov eax, 60; mov edi, 7; syscall"))
    assert "int3 of the program" in command_line("run", "-e", "g", str(path)).errors
    assert command_line("run", "--guest-exit-code", "--on-break", "continue", "-e", "g", str(path)).code == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_a_handler_gets_a_fault_and_the_run_goes_on(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf(HANDLED))
    ran = command_line(
        "run", "--engine", engine, "--guest-exit-code", "-e", "!syscall 3c script { print(@rdi); }", str(path)
    )
    assert (ran.output, ran.code) == ("b\n", 11)


MODES = {
    "mov dword ptr [rsp], 0x9f80; ldmxcsr [rsp]": "flush to zero (MXCSR.FTZ)",
    "mov dword ptr [rsp], 0x1d80; ldmxcsr [rsp]": "exceptions of SSE (#XM)",
    "mov dword ptr [rsp], 0x37b; fldcw [rsp]": "exceptions of x87 (#MF)",
    "mov rax, cr4; bts rax, 0x14; mov cr4, rax": "protection of level 0 (CR4.SMEP)",
    "mov rax, cr4; bts rax, 0x15; mov cr4, rax": "protection of level 0 (CR4.SMAP)",
    "pushfq; or dword ptr [rsp], 0x40000; popfq": "alignment checks (RFLAGS.AC)",
}


@pytest.mark.parametrize("text", MODES)
def test_what_the_processor_ignores_is_named(tmp_path: Path, text: str) -> None:
    ran = command_line("run", "-e", "g", listing_file(tmp_path, text))
    assert f"not emulated: {MODES[text]}; " in ran.errors
    assert ran.code == 0


def test_page_tables_of_the_guests_own_end_the_run_by_name(tmp_path: Path) -> None:
    path = listing_file(tmp_path, "mov rax, cr3; add rax, 0x1000; mov cr3, rax; nop")
    ran = command_line("run", "-e", "g", path)
    assert ran.code == 5
    assert ran.errors.splitlines()[-1].endswith(" at 0x40000c: page tables of its own")


@pytest.mark.parametrize(
    ("flag", "least", "said"),
    [
        ("--max-mappings", "3", "there are max_mappings (3) mappings"),
        ("--max-guest-memory", "4096", "larger than 4096 bytes (limit max_guest_memory)"),  # its file alone
        ("--max-guest-memory", "8192", "max_guest_memory is used up (0x2000 bytes)"),
    ],
)
def test_a_program_beyond_a_limit_is_not_loaded_and_the_limits_own_flag_is_named(
    flag: str, least: str, said: str, tmp_path: Path
) -> None:
    program = tmp_path / "large.bin"
    program.write_bytes(b"\x90" * 5000)
    ran = command_line("run", flag, least, "-e", "", str(program))
    assert ran.code == ExitCode.GUEST
    assert said in ran.errors
    assert f"hint: raise {flag} if the program is right" in ran.errors
