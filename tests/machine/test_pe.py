"""PE files: what is loaded, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_guests import bench

from machine.loaders import LoadError, pe
from machine.memory import Protection
from machine.root.assembler import assemble

BASE, TEXT = 0x1_4000_0000, 0x1000
READ_EXECUTE, READ_WRITE = 0x6000_0020, 0xC000_0040


def executable(
    listing: str = "mov eax, 7; ret",
    *,
    machine: int = 0x8664,
    magic: int = 0x20B,
    characteristics: int = 0x22,
    base: int = BASE,
    entry: int = TEXT,
    imports: int = 0,
    sections: int | None = None,
    text_at: int = TEXT,
    raw_size: int = 0x200,
    image_size: int = 0x4000,
) -> bytes:
    """A PE file with a code and a data section around a listing; the keywords make it strange."""
    code = assemble(listing, address=BASE + TEXT).code
    directories = struct.pack("<II", 0, 0) + struct.pack("<II", imports, imports) + bytes(14 * 8)
    optional = struct.pack("<HBBIIIII", magic, 14, 0, 0x200, 0x200, 0, entry, TEXT)
    optional += struct.pack("<QII", base, 0x1000, 0x200) + bytes(16)
    optional += struct.pack("<IIIHH", image_size, 0x200, 0, 3, 0) + bytes(32) + struct.pack("<II", 0, 16)
    rows = struct.pack("<8sIIII12xI", b".text", len(code), text_at, raw_size, 0x200, READ_EXECUTE)
    rows += struct.pack("<8sIIII12xI", b".data", 0x1800, 0x2000, 8, 0x400, READ_WRITE)
    coff = struct.pack("<HHIIIHH", machine, 2 if sections is None else sections, 0, 0, 0, 112 + 128, characteristics)
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + coff + optional + directories + rows
    return header.ljust(0x200, b"\0") + code.ljust(0x200, b"\0") + b"datadata"


def test_sections_are_laid_out_at_the_preferred_base() -> None:
    image = pe.load(executable())
    assert (image.kernel, image.entry, image.base) == ("nt", BASE + TEXT, BASE)
    assert [(area.start - BASE, area.size, area.protection, area.name) for area in image.areas] == [
        (0, 0x1000, Protection.READ, "headers"),
        (0x1000, 0x1000, Protection.READ | Protection.EXECUTE, ".text"),
        (0x2000, 0x2000, Protection.READ | Protection.WRITE, ".data"),
    ]
    assert image.contents[2] == (BASE + 0x2000, b"datadata")


def test_an_executable_runs_on_the_nt_kernel() -> None:
    guest = bench()
    guest.machine.load(executable(), name="seven.exe")
    summary = guest.machine.run()
    assert summary.ends[0].describe() == "seven.exe exited with code 7"


def test_a_file_is_recognised_by_its_first_bytes_and_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tool.exe"
    path.write_bytes(executable())
    guest = bench(cores=2)
    assert guest.machine.load(path).name == "tool.exe"
    path.write_bytes(b"not a program")
    with pytest.raises(LoadError, match="not a PE file"):
        guest.machine.load(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MZ", "not a PE file"),
        (executable(machine=0x14C), "not an x86-64 program"),
        (executable(magic=0x10B), "not an x86-64 program"),
        (executable(characteristics=0x2022), "a DLL is not a program"),
        (executable(imports=0x2000), "imports from DLLs"),
        (executable(base=BASE + 1), "preferred base"),
        (executable(base=0x7FFF_FFFF_0000, image_size=0x2_0000), "preferred base"),
        (executable(entry=0x9000), "entry point"),
        (executable(sections=200), "200 sections"),
        (executable(text_at=0x1001), "lie outside the image"),
        (executable(text_at=0x9000), "lie outside the image"),
        (executable(text_at=0x2000), "overlaps"),
        (executable(image_size=0), "preferred base"),
        (executable()[:0x404], "beyond the end of the file"),
        (executable()[:0x80], "ends within its"),
        (executable()[:0x160], "ends within its"),
    ],
)
def test_a_malformed_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        pe.load(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0x1FF), st.integers(0, 255)), max_size=8), st.integers(0, 0x500))
def test_any_damage_is_loaded_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(executable()[: length + 0x40])
    for offset, value in changes:
        if offset < len(data):
            data[offset] = value
    try:
        image = pe.load(bytes(data))
    except LoadError:
        return
    assert all(area.size % 0x1000 == 0 and area.start % 0x1000 == 0 for area in image.areas)
