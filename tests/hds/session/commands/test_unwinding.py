"""`k` by what compilers have written down: DWARF in ELF files, .pdata in PE files, lines of source."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hds_guests import Said

from hds.session.session import Session
from lang.source import SourceFile
from machine.debugger import unwinding

SOURCE = Path(__file__).parent / "deep_calls.c"
PE_SOURCE = """
__attribute__((noinline)) int inner(volatile int *v, int n) { v[n] = 7; return v[0]; }
__attribute__((noinline)) int outer(int n) {
    volatile int v[50]; int sum = 0;
    for (int i = 0; i < 3; i++) sum += inner(v, i + n) * n;
    return sum;
}
int start(void) { return outer(1) + 1; }
"""


def need(compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")


def told(program: Path, commands: str, **options: str) -> str:
    said = Said()
    with Session(program, reporter=said, **options) as made:  # type: ignore[arg-type]  # of several types
        made.interpret(SourceFile("<test>", commands))
    return said.text


@pytest.mark.programs
@pytest.mark.parametrize("flags", [("-static",), ()], ids=["static", "dynamic"])
def test_calls_are_found_without_frame_pointers_and_with_lines(flags: tuple[str, ...], tmp_path: Path) -> None:
    need("gcc")
    guest = tmp_path / "deep"
    subprocess.run(["gcc", "-g", "-O2", *flags, "-o", guest, SOURCE], check=True)
    text = told(guest, "bp compare\ng\nk\nt 5\nk", root="/")
    for listing in re.split(r"breakpoint 0x1 hit|\[rax\+rax|ret\n", text)[1:]:
        names = re.findall(r"from deep!(\w+)\+\S+ <\w+>\) at deep_calls.c:(\d+)", listing)
        assert names[:3] == [("inner", "8"), ("outer", "13"), ("main", "16")], listing
    assert "frame_dummy" not in text


@pytest.mark.programs
def test_calls_of_a_windows_program_are_found_by_its_function_table(tmp_path: Path) -> None:
    need("x86_64-w64-mingw32-gcc")
    source, guest = tmp_path / "pe.c", tmp_path / "pe.exe"
    source.write_text(PE_SOURCE)
    line = ["x86_64-w64-mingw32-gcc", "-O2", "-nostdlib", "-Wl,-e,start", "-o", str(guest), str(source)]
    subprocess.run(line, check=True)
    data = bytearray(guest.read_bytes())
    imports = int.from_bytes(data[0x3C:0x40], "little") + 24 + 112 + 8
    data[imports : imports + 8] = bytes(8)  # an empty table, which the linker makes all the same
    guest.write_bytes(data)
    text = told(guest, "t 5\nk\nt 9\nk")
    offsets = [int(offset, 16) for offset in re.findall(r"\[\$\+(\w+)\]", text)]
    assert offsets == [0xF8, 0x128, 0, 0x100, 0x130]


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\1\x1b\x03\x3b", b"\x10\0\0\0"])
@pytest.mark.parametrize("head", [b"\x7fELF", b"MZ", b""])
def test_tables_that_are_damaged_lead_nowhere(head: bytes, filling: bytes) -> None:
    base, memory = 0x40_0000, head.ljust(0x200, b"\1") + filling * 0x400

    def read(at: int, size: int) -> bytes:
        return memory[at - base : at - base + size] if at >= base else b""

    registers = dict.fromkeys(range(17), base + 0x100)
    assert unwinding.caller(base, registers, read, (base + 0x200, 0x400), innermost=True) is None
