"""DLLs: relocations, imports, forwarders, and where the modules of a program go. The files are hostile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from effort import often
from hypothesis import given, settings, strategies as st
from test_pe import BASE, TEXT, executable, with_exports, with_symbols

from machine.loaders import pe
from machine.loaders.api_sets import hosts_of
from machine.loaders.image import LoadError, Placement
from machine.loaders.modules import Unmet, WindowsPlan
from machine.loaders.pe_exports import exports_of, symbols_of
from machine.loaders.pe_file import PeFile
from machine.loaders.pe_imports import imports_of, loaded_with

DLL = 0x2022
ENOUGH = 1 << 30


def with_directory(data: bytes, index: int, place: int, size: int, content: bytes) -> bytes:
    """A file with a table in its data section, at TEXT + 0x1000."""
    changed = bytearray(data.ljust(0x800, b"\0"))
    struct.pack_into("<II", changed, 0x58 + 112 + 8 * index, place, size)
    changed[0x400 : 0x400 + len(content)] = content
    return bytes(changed)


def relocatable(*entries: int, page: int = TEXT, size: int | None = None) -> bytes:
    """A DLL whose relocations are these entries of one block."""
    block = struct.pack("<II", page, 8 + 2 * len(entries) if size is None else size)
    block += struct.pack(f"<{len(entries)}H", *entries)
    data = executable(data=(0x200, 0x2000, 0x200, 0x400), tail=bytes(0x400), characteristics=DLL)
    return with_directory(data, 5, 0x2000, len(block), block)


def moved(data: bytes, base: int) -> bytes:
    """The code section of a file at another base."""
    contents = dict(PeFile(data).at(base, ENOUGH)[1])
    return contents[base + TEXT]


def test_an_image_at_another_base_has_other_addresses_in_it() -> None:
    data = bytearray(relocatable(0xA008, 0x3010, 0x0000))
    data[0x208:0x210] = (BASE + 0x123).to_bytes(8, "little")
    data[0x210:0x214] = (0x1234).to_bytes(4, "little")
    other = BASE + 0x7_0001_0000
    code = moved(bytes(data), other)
    assert int.from_bytes(code[8:16], "little") == other + 0x123
    assert int.from_bytes(code[16:20], "little") == 0x1234 + 0x1_0000
    header = dict(PeFile(bytes(data)).at(other, ENOUGH)[1])[other]
    assert PeFile(header.ljust(0x800, b"\0")).base == other


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (executable(), "can only lie at"),
        (relocatable(0x5000), "kind 5"),
        (relocatable(0xA000, page=0x0FFF_F000), "outside the image"),
        (relocatable(0xA000, size=0x1000), "leaves their table"),
        (relocatable(0xA000, size=4), "leaves their table"),
    ],
)
def test_wrong_relocations_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        PeFile(data).at(BASE + 0x1_0000, ENOUGH)


def importing(*names: bytes, descriptor: int = 20, index: int = 1, name_at: int = 12) -> bytes:
    """A program that imports from these DLLs."""
    texts_at = 0x2000 + descriptor * (len(names) + 1)
    rows, texts = b"", b""
    for name in names:
        rows += bytes(name_at) + struct.pack("<I", texts_at + len(texts)) + bytes(descriptor - name_at - 4)
        texts += name + b"\0"
    content = rows + bytes(descriptor) + texts
    data = executable(data=(0x200, 0x2000, 0x200, 0x400), tail=bytes(0x400))
    return with_directory(data, index, 0x2000, len(content), content)


def wanting(*names: bytes, ordinals: tuple[int, ...] = ()) -> bytes:
    """A program that imports these functions from b.dll."""
    table_at = 0x2000 + 2 * 20
    texts_at, rows, texts = table_at + 8 * (len(names) + len(ordinals) + 1), b"", b""
    for name in names:
        rows += struct.pack("<Q", texts_at + len(texts))
        texts += b"\0\0" + name + b"\0"
    rows += b"".join(struct.pack("<Q", 1 << 63 | ordinal) for ordinal in ordinals)
    head = struct.pack("<IIIII", 0, 0, 0, texts_at + len(texts), table_at) + bytes(20)
    content = head + rows + bytes(8) + texts + b"b.dll\0"
    data = executable(data=(0x200, 0x2000, 0x200, 0x400), tail=bytes(0x400))
    return with_directory(data, 1, 0x2000, len(content), content)


def test_imports_are_those_that_are_bound_at_once_and_later() -> None:
    assert imports_of(PeFile(importing(b"NTDLL.dll", b"b.dll"))) == ["ntdll.dll", "b.dll"]
    assert imports_of(PeFile(importing(b"Late.dll", descriptor=32, index=13, name_at=4))) == ["late.dll"]


def dll(root: Path, name: str, data: bytes) -> None:
    folder = root / "WINDOWS" / "System32"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def plan_of(root: Path, program: bytes, *modules: str) -> WindowsPlan:
    image = pe.of_file(program, Placement(root=root, modules=modules))
    assert image.windows is not None
    return image.windows


def ntdll() -> bytes:
    return as_dll(with_exports((b"LdrInitializeThunk", b"RtlUserThreadStart"), ordinals=(0, 1)))


def as_dll(data: bytes) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<H", changed, 0x40 + 4 + 18, DLL)
    return bytes(changed)


def test_modules_are_planned_where_there_is_room(tmp_path: Path) -> None:
    dll(tmp_path, "NTDLL.DLL", ntdll())
    block = relocatable(0xA000)
    dll(tmp_path, "b.dll", block)
    dll(tmp_path, "named.dll", block)
    dll(tmp_path, "other.dll", block)
    # everything prefers the program's base; what has no relocations stays there
    made = plan_of(tmp_path, importing(b"ntdll.dll", b"b.dll", b"absent.dll"), "NAMED")
    assert list(made.modules) == ["ntdll.dll", "b.dll", "named.dll"]
    assert list(made.missing) == ["absent.dll"]
    bases = [module.base for module in made.modules.values()]
    assert bases == [BASE, 0x7FF7_FFFF_0000, 0x7FF7_FFFE_0000]
    assert made.start == BASE + TEXT


def test_what_is_missing_has_the_modules_that_import_it(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    dll(tmp_path, "a.dll", as_dll(importing(b"Absent.dll", b"other.dll")))
    assert plan_of(tmp_path, importing(b"a.dll", b"absent.dll")).missing == {
        "absent.dll": ("program.exe", "a.dll"),
        "other.dll": ("a.dll",),
    }


def test_what_the_loader_will_not_find_is_told_of_what_is_loaded_with_the_program(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    dll(tmp_path, "b.dll", as_dll(with_exports((b"here",), (TEXT,), (0,))))
    assert plan_of(tmp_path, wanting(b"here", ordinals=(0,))).unmet == ()
    unmet = plan_of(tmp_path, wanting(b"here", b"gone", b"un spellable", ordinals=(0, 7))).unmet
    assert unmet == (Unmet("program.exe", "b.dll", "gone"), Unmet("program.exe", "b.dll", "#7"))
    dll(tmp_path, "b.dll", as_dll(importing(b"late.dll", descriptor=32, index=13, name_at=4)))
    dll(tmp_path, "c.dll", as_dll(importing(b"api-ms-win-none-l1-1-0.dll", b"absent.dll")))
    made = plan_of(tmp_path, importing(b"b.dll", b"c.dll"))
    assert sorted(made.missing) == ["absent.dll", "late.dll"]
    assert made.unmet == (Unmet("c.dll", "api-ms-win-none-l1-1-0.dll"), Unmet("c.dll", "absent.dll"))


def test_a_circle_of_links_is_no_file(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    (tmp_path / "WINDOWS" / "System32" / "a.dll").symlink_to("a.dll")
    with pytest.raises(LoadError, match=r"a\.dll \(imported by program\.exe\): it does not lie in the folder"):
        plan_of(tmp_path, importing(b"a.dll"))


def test_a_plan_grows_by_the_modules_that_are_named(tmp_path: Path) -> None:
    for name, data in {"ntdll.dll": ntdll(), "b.dll": relocatable(0xA000), "broken.dll": b"MZ"}.items():
        dll(tmp_path, name, data)
    made = plan_of(tmp_path, importing(b"ntdll.dll"))
    for name in ("absent", "broken", "B", "b"):
        made.include(name)
    assert list(made.modules) == ["ntdll.dll", "b.dll"]
    adopted = made.adopt("C:\\else\\B.dll", PeFile(relocatable(0xA000)))
    assert made.at("c:\\ELSE\\b.dll") is adopted
    assert len({module.base for module in made.modules.values()}) == 3
    same = plan_of(tmp_path, importing(b"ntdll.dll"), "absent", "b")
    assert [module.base for module in same.modules.values()] == [module.base for module in made.modules.values()][:2]


def test_a_dll_below_the_programs_folder_is_found_and_links_are_not_followed(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    program, inner = tmp_path / "prog" / "x.exe", tmp_path / "prog" / "a" / "b"
    inner.mkdir(parents=True)
    program.write_bytes(importing(b"ntdll.dll"))
    (inner / "Own.dll").write_bytes(relocatable(0xA000))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "linked.dll").write_bytes(relocatable(0xA000))
    (tmp_path / "prog" / "way").symlink_to(tmp_path / "outside")
    made = pe.of_file(program.read_bytes(), Placement(root=tmp_path, path=program)).windows
    assert made is not None
    for name in ("own", "linked"):
        made.include(name)
    assert [module.path for module in made.modules.values()][1:] == ["C:\\prog\\a\\b\\Own.dll"]


def test_dlls_of_the_system_have_no_symbols_but_their_exports(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    dll(tmp_path, "a.dll", as_dll(with_symbols((b"inner", 2, 1, 2, 0))))
    program = tmp_path / "prog" / "x.exe"
    program.parent.mkdir()
    program.write_bytes(importing(b"a.dll", b"b.dll"))
    (program.parent / "b.dll").write_bytes(as_dll(with_symbols((b"inner", 2, 1, 2, 0))))
    made = pe.of_file(program.read_bytes(), Placement(root=tmp_path, path=program)).windows
    assert made is not None
    found = {name: [symbol.name for symbol in made.symbols(module)] for name, module in made.modules.items()}
    assert found == {"ntdll.dll": ["LdrInitializeThunk", "RtlUserThreadStart"], "a.dll": [], "b.dll": ["inner"]}


def test_a_folder_without_ntdll_is_none(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="imports from DLLs") as caught:
        pe.of_file(importing(b"ntdll.dll"), Placement(root=tmp_path))
    assert "--root" in caught.value.hint


def test_dlls_that_import_each_other_are_planned_once(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    dll(tmp_path, "a.dll", as_dll(importing(b"b.dll")))
    dll(tmp_path, "b.dll", as_dll(importing(b"a.dll", b"b.dll")))
    assert sorted(plan_of(tmp_path, importing(b"a.dll")).modules) == ["a.dll", "b.dll", "ntdll.dll"]


def forwarding(target: bytes) -> bytes:
    """A DLL whose export `Name` leads elsewhere."""
    table = TEXT + 0x40
    data = bytearray(with_exports((b"Name",), (table + 0x80,), (0,)))
    data[0x240 + 0x80 : 0x240 + 0x80 + len(target) + 1] = target + b"\0"
    return as_dll(bytes(data))


def test_a_forwarder_leads_to_its_target_and_a_loop_nowhere(tmp_path: Path) -> None:
    dll(tmp_path, "ntdll.dll", ntdll())
    dll(tmp_path, "a.dll", forwarding(b"NTDLL.RtlUserThreadStart"))
    dll(tmp_path, "b.dll", forwarding(b"B.Name"))
    made = plan_of(tmp_path, importing(b"a.dll", b"b.dll"))
    assert [symbol.address for symbol in made.symbols(made.modules["a.dll"])] == [BASE + TEXT + 5]
    assert made.symbols(made.modules["b.dll"]) == ()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    dll(root, "ntdll.dll", ntdll())
    (tmp_path / "outside.dll").write_bytes(as_dll(executable()))
    (root / "WINDOWS" / "System32" / "a.dll").symlink_to(tmp_path / "outside.dll")
    with pytest.raises(LoadError, match=r"a\.dll \(imported by program\.exe\): it does not lie in the folder"):
        plan_of(root, importing(b"a.dll"))


@settings(max_examples=often(150, 3000), deadline=None)
@given(
    st.sampled_from(
        (with_exports(), relocatable(0xA008, 0x3010), importing(b"a.dll", b"b.dll"), wanting(b"a"), forwarding(b"a.b"))
    ),
    st.lists(st.tuples(st.integers(0x3C, 0x480), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_file_raises_nothing_but_load_errors(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    try:
        file = PeFile(bytes(damaged))
        imports_of(file)
        assert all(len(list(wanted)) <= 1 << 16 for _, wanted in loaded_with(file))
        exports_of(file)
        symbols_of(file, 0x10_0000)
        areas, contents = file.at(0x7FF0_0000_0000, ENOUGH)
    except LoadError:
        return
    assert all(any(a.start <= at < a.start + a.size for a in areas) for at, part in contents if part)


def test_a_map_of_api_sets_whose_entries_overlap_is_read_at_once() -> None:
    """65,535 names of two megabytes each kept the loader busy for hours."""
    size, count = 1 << 21, 0xFFFF
    head = struct.pack("<7I", 6, size, 0, count, 28, 0, 31)
    rows = b"".join(struct.pack("<6I", 0, index % 64 * 2, size, size, 64, 1) for index in range(count))
    assert hosts_of((head + rows).ljust(size, b"a")) == {}
