"""Symbols of real ELF files: `module!name` in scripts and commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from linux_guests import BUILDS, build

from hds.session.session import Session
from lang.symbols import Place
from machine.loaders.symbols import elf_symbols, module_name

pytestmark = pytest.mark.slow

SOURCE = """
#include <unistd.h>
__attribute__((noinline)) int inner(int n) { return write(1, "x", 1) + n; }
int main(void) { return inner(1) + inner(2) + inner(3); }
"""


@pytest.mark.parametrize("kind", BUILDS)
def test_a_function_is_hooked_by_its_name(kind: str, tmp_path: Path) -> None:
    session = Session(build(SOURCE, kind, tmp_path))
    module = module_name(f"program-{kind}")
    session.execute(f"!epthook {module}!inner script {{ print(@rdi); }}")
    assert session.run().exit_code == 9
    assert [int(message.text, 16) for message in session.messages] == [1, 2, 3]


def test_a_name_is_an_address_in_expressions(tmp_path: Path) -> None:
    session = Session(build(SOURCE, "glibc", tmp_path))
    place = session.symbols.table.search("program_glibc!main")
    assert isinstance(place, Place)
    session.execute("? print(program_glibc!main); print(Program_GLIBC!main);")
    assert [int(message.text, 16) for message in session.messages] == [place.address] * 2


@pytest.mark.parametrize(
    ("file", "module"),
    [("busybox", "busybox"), ("/bin/my-tool.elf", "my_tool"), ("7z", "_7z"), (".hidden", "_"), ("a.b.c", "a")],
)
def test_a_module_is_named_after_the_stem_of_its_file(file: str, module: str) -> None:
    assert module_name(file) == module


@given(st.binary(max_size=400), st.integers(0, 1 << 16), st.integers(0, 20))
def test_a_malformed_table_gives_no_symbols_and_no_error(data: bytes, offset: int, count: int) -> None:
    header = (
        bytes(0x28)
        + offset.to_bytes(8, "little")
        + bytes(10)
        + (64).to_bytes(2, "little")
        + count.to_bytes(2, "little")
    )
    elf_symbols(header + data, 0)
