"""PE files: what is loaded, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from effort import often
from hypothesis import given, settings, strategies as st
from machine_guests import bench

from hds.report.records import Record, Result
from hds.session.session import Session
from machine.loaders import pe
from machine.loaders.image import Image, LoadError
from machine.memory import Area, Protection
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
    alignments: tuple[int, int] = (0x1000, 0x200),
    headers: int = 0x200,
    text_from: int = 0x200,
    data: tuple[int, int, int, int] = (0x1800, 0x2000, 8, 0x400),
    data_rights: int = READ_WRITE,
    tail: bytes = b"datadata",
) -> bytes:
    """A PE file with a code and a data section around a listing; the keywords make it strange."""
    code = assemble(listing, address=BASE + text_at).code
    directories = struct.pack("<II", 0, 0) + struct.pack("<II", imports, imports) + bytes(14 * 8)
    optional = struct.pack("<HBBIIIII", magic, 14, 0, 0x200, 0x200, 0, entry, TEXT)
    optional += struct.pack("<QII", base, *alignments) + bytes(16)
    optional += struct.pack("<IIIHH", image_size, headers, 0, 3, 0) + bytes(32) + struct.pack("<II", 0, 16)
    rows = struct.pack("<8sIIII12xI", b".text", len(code), text_at, raw_size, text_from, READ_EXECUTE)
    rows += struct.pack("<8sIIII12xI", b".data", *data, data_rights)
    coff = struct.pack("<HHIIIHH", machine, 2 if sections is None else sections, 0, 0, 0, 112 + 128, characteristics)
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + coff + optional + directories + rows
    return header.ljust(text_from, b"\0") + code.ljust(0x200, b"\0") + tail


def with_exports(
    names: tuple[bytes, ...] = (b"Second", b"first", b"?mangled@@"),
    functions: tuple[int, ...] = (TEXT, TEXT + 5),
    ordinals: tuple[int, ...] = (1, 0, 0),
    *,
    table: int = TEXT + 0x40,
    size: int = 0x100,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """The executable with an export table in its code section."""
    functions_at = TEXT + 0x40 + 40
    names_at = functions_at + 4 * len(functions)
    ordinals_at = names_at + 4 * len(names)
    texts_at = ordinals_at + 2 * len(ordinals)
    starts = [texts_at + sum(len(name) + 1 for name in names[:index]) for index in range(len(names))]
    numbers = counts or (len(functions), len(names))
    content = struct.pack("<20xIIIII", *numbers, functions_at, names_at, ordinals_at)
    content += struct.pack(f"<{len(functions)}I{len(names)}I{len(ordinals)}H", *functions, *starts, *ordinals)
    content += b"".join(name + b"\0" for name in names)
    data = bytearray(executable())
    data[0x240 : 0x240 + len(content)] = content
    struct.pack_into("<II", data, 0x58 + 112, table, size)
    struct.pack_into("<I", data, 0x150, 0x200)  # the section's size in memory
    assert len(data) == len(executable())
    return bytes(data)


def exported(data: bytes) -> list[tuple[str, int]]:
    return [(symbol.name, symbol.address - BASE) for symbol in pe.load(data).symbols]


def test_exports_are_symbols() -> None:
    assert exported(with_exports()) == [("first", TEXT), ("?mangled@@", TEXT), ("Second", TEXT + 5)]
    assert exported(executable()) == []


def test_of_two_exports_of_equal_names_the_first_counts() -> None:
    assert exported(with_exports((b"f", b"F"), ordinals=(1, 0))) == [("F", TEXT), ("f", TEXT + 5)]
    assert exported(with_exports((b"f", b"f"), ordinals=(1, 0))) == [("f", TEXT + 5)]


@pytest.mark.parametrize(
    "strange",
    [
        {"functions": (0, 0)},
        {"functions": (0x9000, 0xFFFF_FFFF)},  # outside the image
        {"functions": (TEXT + 0x80, TEXT + 0x40)},  # forwarders
        {"ordinals": (2, 0xFFFF, 3)},
        {"names": (b"a" * 0x80, b"", b"b-c"), "ordinals": (9, 0, 0)},
        {"table": 0xFFFF_FFF0},
        {"table": TEXT + 0x1F0},
        {"table": 0},
        {"size": 0},
        {"counts": (2, 0xFFFF_FFFF)},
        {"counts": (0xFFFF_FFFF, 3)},
        {"counts": (0, 3)},
        {"counts": (2, 0)},
    ],
)
def test_strange_exports_are_left_out(strange: dict[str, Any]) -> None:
    assert exported(with_exports(**strange)) == []


class Results:
    """Notes what commands show."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def report(self, record: Record, /) -> None:
        if isinstance(record, Result):
            self.texts.append(record.text)


def test_an_export_is_hooked_found_and_listed_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "my-tool.exe"
    path.write_bytes(with_exports())
    said = Results()
    session = Session(path, reporter=said)
    session.execute("x MY_tool!*")
    assert [line.split("  ")[1] for line in "".join(said.texts).splitlines()] == [
        "my_tool!?mangled@@",
        "my_tool!first",
        "my_tool!Second",
    ]
    session.execute("lm um")
    assert said.texts[-1].endswith("0000000140000000\t0000000140001000\tmy-tool.exe\n")
    session.execute("!epthook my_tool!Second script { print(@rax); }")
    session.run()
    assert [int(message.text, 16) for message in session.messages] == [7]


@settings(max_examples=often(100, 1000), deadline=None)
@given(st.lists(st.tuples(st.integers(0x240, 0x2A0), st.integers(0, 255)), max_size=8))
def test_a_damaged_export_table_gives_places_in_the_image(changes: list[tuple[int, int]]) -> None:
    data = bytearray(with_exports())
    for offset, value in changes:
        data[offset] = value
    image = pe.load(bytes(data))
    assert all(any(a.start <= s.address < a.start + a.size for a in image.areas) for s in image.symbols)


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
    with pytest.raises(LoadError, match="no ELF or PE program, but text"):
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
        (executable(text_at=0x1001), "0x1001 is no multiple of the alignment 0x1000"),
        (executable(text_at=0x9000), "it ends at 0x9006, behind the image's 0x4000 bytes"),
        (executable(text_at=0), "0x0 lies within the headers"),
        (executable(headers=0x1800), "0x1000 lies within the headers"),
        (executable(headers=0x5000), "headers of 0x5000 bytes in an image of 0x4000 bytes"),
        (executable(base=BASE + 0x1000), "preferred base"),
        (executable(base=0), "preferred base"),
        (executable(alignments=(0x1000, 0)), "aligned to"),
        (executable(alignments=(0, 0)), "aligned to"),
        (executable(alignments=(0x3000, 0x200)), "aligned to"),
        (executable(alignments=(0x1000, 0x2000)), "aligned to"),
        (executable(alignments=(0x1000, 0x10)), "takes the same section alignment"),
        (executable(alignments=(0x10, 0x10)), "0x1000 is not its offset 0x200 in the file"),
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


# --- how sections get their bytes; the data section is at 0x2000, its sector in the file begins at 0x400

SECTORS = b"".join(bytes([number]) * 0x200 for number in range(1, 13))


def byte(image: Image, relative: int) -> int | None:
    """The byte at a relative address; None where nothing is mapped."""
    address = image.base + relative
    if not any(area.start <= address < area.start + area.size for area in image.areas):
        return None
    parts = [data[address - start :] for start, data in image.contents if start <= address < start + len(data)]
    return parts[0][0] if parts else 0


@pytest.mark.parametrize(
    ("data", "relative", "expected"),
    [
        ((0x10, 0x2000, 0x200, 0x400), 0x2100, 1),  # VirtualSize, VirtualAddress, SizeOfRawData, PointerToRawData
        ((0x10, 0x2000, 0x200, 0x400), 0x2200, 0),
        ((0x10, 0x2000, 0x1800, 0x400), 0x2FFF, 8),  # up to the end of the page, and no further
        ((0x10, 0x2000, 0x1800, 0x400), 0x3000, None),
        ((0, 0x2000, 0x1800, 0x400), 0x37FF, 12),  # no VirtualSize: SizeOfRawData
        ((0, 0x2000, 0x1800, 0x400), 0x3800, 0),
        ((0x10, 0x2000, 0x200, 0x610), 0x2000, 2),  # offsets begin at sectors
        ((0x10, 0x2000, 0x200, 0x5FF), 0x2000, 1),
        ((0x10, 0x2000, 0x200, 0x5FF), 0x2200, 2),
        ((0x10, 0x2000, 0x10, 0x600), 0x2010, 2),  # sizes end at the file's alignment
        ((0x10, 0x2000, 0x10, 0x600), 0x2200, 0),
        ((0x1800, 0x2000, 0, 0x600), 0x2000, 0),  # nothing in the file
        ((0x1800, 0x2000, 0x200, 0), 0x2000, 0),
        ((0x1800, 0x2000, 0x200, 1), 0x2000, ord("M")),
        ((0x1800, 0x2000, 0x200, 0x1A00), 0x2000, 12),
        ((0x10, 0x2000, 0x1000, 0x1A00), 0x2000, 12),  # the file may end behind the section's own bytes
        ((0x10, 0x2000, 0x1000, 0x1A00), 0x2200, 0),
    ],
)
def test_a_section_has_the_bytes_of_its_pages(
    data: tuple[int, int, int, int], relative: int, expected: int | None
) -> None:
    assert byte(pe.load(executable(data=data, tail=SECTORS)), relative) == expected


def test_the_headers_are_mapped_up_to_their_size() -> None:
    image = pe.load(executable(headers=0x400, tail=SECTORS))
    assert [byte(image, at) for at in (0, 0x200, 0x400, 0xFFF)] == [ord("M"), 0xB8, 0, 0]


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (0, Protection.NONE),
        (0x2000_0000, Protection.READ | Protection.EXECUTE),
        (0x8000_0000, Protection.READ | Protection.WRITE),
        (0xA000_0000, Protection.ALL),
    ],
)
def test_what_can_be_written_or_executed_can_be_read(rights: int, expected: Protection) -> None:
    assert pe.load(executable(data_rights=rights)).areas[-1].protection == expected


def low(alignment: int, **strange: Any) -> bytes:
    """An image that is aligned below a page; .data is at 0x600."""
    options: dict[str, Any] = {
        "text_at": 0x400, "text_from": 0x400, "entry": 0x400, "image_size": 0x800, "headers": 0x400,
        "data": (0x200, 0x600, 0x200, 0x600), "tail": b"\x2b" * 0x200,
    }  # fmt: skip
    return executable(alignments=(alignment, alignment), **options | strange)


@pytest.mark.parametrize("alignment", [0x200, 0x10, 1, 0x800])
def test_an_image_aligned_below_a_page_lies_in_memory_as_in_the_file(alignment: int) -> None:
    moved = {} if alignment < 0x800 else {"text_at": 0x800, "text_from": 0x800, "entry": 0x800, "image_size": 0xA00,
                                           "data": (0, 0x800, 0, 0)}  # fmt: skip
    data = low(alignment, **moved)
    image = pe.load(data)
    assert image.areas == (Area(BASE, BASE + 0x1000, Protection.ALL, "image"),)
    assert image.contents == ((BASE, data),)


def test_an_image_aligned_below_a_page_runs() -> None:
    guest = bench()
    guest.machine.load(low(0x200, listing="movzx eax, byte ptr [rip + 0x200]; inc byte ptr [rip + 0x1fa]; ret"))
    assert guest.machine.run().ends[0].exit_code == 0x2B


@pytest.mark.parametrize(
    ("strange", "message"),
    [
        ({"data": (0x200, 0x600, 0x200, 0x400)}, "0x600 is not its offset 0x400 in the file"),
        ({"data": (0x2000, 0x600, 0x200, 0x600)}, "it ends at 0x2600, behind the image's 0x800 bytes"),
        ({"tail": b"x"}, "beyond the end of the file"),
    ],
)
def test_a_malformed_image_aligned_below_a_page_is_refused(strange: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        pe.load(low(0x200, **strange))


def test_an_image_larger_than_the_memory_limit_is_refused_before_it_is_copied() -> None:
    data = executable(image_size=0x4000_0000, data=(0x3000_0000, 0x2000, 8, 0x400))
    with pytest.raises(LoadError, match="max_guest_memory"):
        pe.load(data, largest=1 << 24)


@settings(max_examples=often(100, 1000), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 0x1FF), st.integers(0, 255)), max_size=8), st.integers(0, 0x800), st.booleans()
)
def test_any_damage_is_loaded_or_refused(changes: list[tuple[int, int]], length: int, low_alignment: bool) -> None:
    data = bytearray((low(0x200) if low_alignment else executable())[: length + 0x40])
    for offset, value in changes:
        if offset < len(data):
            data[offset] = value
    try:
        image = pe.load(bytes(data))
    except LoadError:
        return
    assert all(area.size % 0x1000 == 0 and area.start % 0x1000 == 0 for area in image.areas)


def with_symbols(*rows: tuple[bytes, int, int, int, int], count: int | None = None, texts: bytes = b"") -> bytes:
    """The executable with a COFF symbol table behind it: name, value, section, storage class, auxiliary rows."""
    made = bytearray(executable())
    struct.pack_into("<II", made, 0x40 + 4 + 8, len(made), len(rows) if count is None else count)
    for name, value, section, storage, more in rows:
        made += struct.pack("<8sIhHBB", name, value, section, 0x20, storage, more)
    return bytes(made) + struct.pack("<I", 4 + len(texts)) + texts


def test_the_coff_symbol_table_names_functions_and_variables() -> None:
    rows = (
        (b"inner", 2, 1, 2, 0),
        (b".text", 0, 1, 3, 1),
        (b"auxiliar", 0, 1, 2, 0),
        (b"\0\0\0\0\4\0\0\0", 0, 2, 3, 0),
        (b"eight_88", 4, 2, 2, 0),
        (b"debugged", 0, -2, 2, 0),
        (b"absolute", 0, -1, 2, 0),
        (b"external", 0, 0, 2, 0),
        (b"label", 0, 1, 6, 0),
    )
    found = exported(with_symbols(*rows, texts=b"a_longer_name\0"))
    assert found == [("inner", TEXT + 2), ("a_longer_name", 0x2000), ("eight_88", 0x2004)]


def test_a_global_symbol_wins_over_a_static_one_of_its_name() -> None:
    assert exported(with_symbols((b"same", 1, 1, 3, 0), (b"same", 2, 1, 2, 0))) == [("same", TEXT + 2)]


@pytest.mark.parametrize(
    "data",
    [
        with_symbols((b"f", 0, 1, 2, 0), count=1 << 31),
        with_symbols((b"f", 0, 1, 2, 0), count=2_000_000),
        with_symbols((b"f", 0xFFFF_FFFF, 1, 2, 0)),
        with_symbols((b"f", 0, 3, 2, 0)),
        with_symbols((b"\0\0\0\0\xff\xff\xff\xff", 0, 1, 2, 0), texts=b"name\0"),
        with_symbols((b"\0\0\0\0\4\0\0\0", 0, 1, 2, 0), texts=b"endless"),
        with_symbols((b"f g", 0, 1, 2, 0)),
    ],
)
def test_what_is_wrong_with_a_coff_symbol_table_leaves_symbols_out(data: bytes) -> None:
    assert exported(data) == []
