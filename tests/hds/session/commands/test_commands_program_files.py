"""`.pe` (events-and-commands E.7)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from effort import often
from hds_guests import refused, shown
from hypothesis import given, settings, strategies as st

from hds.session.commands import program_files
from machine.loaders import LoadError, read_headers

RICH_KEY = 0x1234_5678


def pe_file(*, wide: bool = True, sections: int = 1, directories: int = 2, content: bytes = b"Hello, world\n") -> bytes:
    """A DLL, of 64 bits or of 32."""
    rich = [0x536E_6144, 0, 0, 0, 0x0101_7809, 5]
    hidden = struct.pack("<6I", *(word ^ RICH_KEY for word in rich)) + struct.pack("<II", 0x6863_6952, RICH_KEY)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80) + hidden
    optional = struct.pack("<HBBIIIII", 0x20B if wide else 0x10B, 14, 2, 0x200, 0, 0, 0x1234, 0x1000)
    optional += struct.pack("<Q", 0x1_8000_0000) if wide else struct.pack("<II", 0x2000, 0x1000_0000)
    optional += struct.pack("<II6HIIIIHH", 0x1000, 0x200, 10, 0, 0, 0, 6, 0, 0, 0x3000, 0x200, 0, 3, 0x160)
    optional += struct.pack("<QQQQ" if wide else "<IIII", 0x10_0000, 0x1000, 0x10_0000, 0x1000)
    optional += struct.pack("<II", 0, directories) + struct.pack("<II", 0x1100, 0x40) * min(directories, 16)
    coff = struct.pack("<HHIIIHH", 0x8664 if wide else 0x14C, sections, 0x5F5E_1000, 0, 0, len(optional), 0x2022)
    table = b"".join(
        struct.pack("<8sIIIIIIHHI", b".rdata", 0x100, 0x1000, len(content), 0x400, 0, 0, 0, 0, 0x4000_0040)
        for _ in range(sections)
    )
    return (head.ljust(0x80, b"\0") + b"PE\0\0" + coff + optional + table).ljust(0x400, b"\0") + content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    result = tmp_path / "some.dll"
    result.write_bytes(pe_file())
    return result


def test_headers_are_shown_field_by_field(path: Path) -> None:
    lines = shown(f'.pe header "{path}"').splitlines()
    assert "  e_lfanew                     00000080" in lines
    assert "  product 0101  build 7809  count 5" in lines
    assert "  Machine                      8664" in lines
    assert "  ImageBase                    0000000180000000" in lines
    assert "  Export           address 00001100  size 00000040" in lines
    assert "  VirtualAddress               00001000" in lines
    assert [line for line in lines if line.endswith(":")] == [
        "DOS header:", "Rich header:", "COFF header:", "optional header:", "data directories:", "section .rdata:",
    ]  # fmt: skip


def test_files_of_32_bits_have_other_fields(path: Path) -> None:
    path.write_bytes(pe_file(wide=False))
    lines = shown(f'.pe header "{path}"').splitlines()
    assert "  ImageBase                    10000000" in lines
    assert "  BaseOfData                   00002000" in lines
    assert "  SizeOfHeapCommit             00001000" in lines


def test_a_section_is_shown_with_its_addresses(path: Path) -> None:
    assert shown(f'.pe section .rdata "{path}"').endswith(
        "00000001`80001000  48 65 6C 6C 6F 2C 20 77 6F 72 6C 64 0A           Hello, world.\n"
    )


def test_no_more_than_a_part_of_a_large_section_is_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (program_files._MOST_SHOWN, program_files._MOST_SHOWN_IN_ALL) == (0x10_0000, 0x40_0000)
    monkeypatch.setattr(program_files, "_MOST_SHOWN", 0x1000)
    monkeypatch.setattr(program_files, "_MOST_SHOWN_IN_ALL", 0x4000)
    path.write_bytes(pe_file(sections=6, content=bytes(0x1010)))
    text = shown(f'.pe section .rdata "{path}"')
    assert text.count("(10 more bytes are not shown)\n") == 4
    assert text.count("(1010 more bytes are not shown)\n") == 2
    assert text.count("`") == 0x4000 // 16


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "incorrect use of the '.pe'"),
        ("header", "incorrect use of the '.pe'"),
        ('section "{path}"', "incorrect use of the '.pe'"),
        ('sections .text "{path}"', "incorrect use of the '.pe'"),
        ('section .text "{path}"', "err, there is no section '.text'"),
        ("header /no/where", "err, cannot read /no/where: No such file or directory"),
        ("header /dev/zero", "err, cannot read /dev/zero: it is a device"),
    ],
)
def test_what_is_wrong_is_said(path: Path, words: str, message: str) -> None:
    assert refused(f".pe {words.format(path=path)}").startswith(message)


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF", b"MZ".ljust(0x40, b"\xff")])
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert refused(f'.pe header "{path}"').startswith(f"err, {path} is not a PE file")


@settings(max_examples=often(50, 2000))
@given(st.lists(st.tuples(st.integers(0, 0x1F0), st.integers(0, 255)), max_size=8), st.integers(0, 0x410))
def test_damaged_files_show_what_they_have(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(pe_file(sections=3, directories=16))
    for place, byte in changes:
        data[place] = byte
    try:
        found = read_headers(bytes(data[:length]))
    except LoadError:
        return
    assert len(found.sections) <= 96
    assert len(found.directories) <= 16
    assert sum(len(section.data) for section in found.sections) <= 96 * length
