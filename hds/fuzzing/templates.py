"""Small programs as files, with what is worth damaging by name: a PE program with its DLLs, a dynamic ELF program.

They are whole: undamaged, they load, come to their code and end. All addresses of code and data are fixed by the layout
here, so that code is made of absolute ones.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec

NTDLL_BASE, DLL_BASE, PROGRAM_BASE = 0x1_7000_0000, 0x1_8000_0000, 0x1_4000_0000
TEXT, DATA, TABLES, RELOCATIONS = 0x1000, 0x2000, 0x3000, 0x6000  # relative addresses of a PE file's sections
_FILE_PLACES = {TEXT: 0x400, DATA: 0x1400, TABLES: 0x1800, RELOCATIONS: 0x4800}
_SIZES = {TEXT: 0x1000, DATA: 0x400, TABLES: 0x3000, RELOCATIONS: 0x200}
PE_BYTES = 0x4A00
_OPTIONAL = 0x98
_WRITABLE = 1 << 31
_FLAGS = {TEXT: 0x6000_0020, DATA: 0x4000_0040 | _WRITABLE, TABLES: 0x4000_0040, RELOCATIONS: 0x4200_0040}
_NAMES = {TEXT: b".text", DATA: b".data", TABLES: b".rdata", RELOCATIONS: b".reloc"}

ELF_BASE, ELF_DATA = 0x40_0000, 0x2000  # of a program; where the data of any file are, relative to its base
ELF_TABLES = 0x400  # where .dynamic and what it leads to are


class File(msgspec.Struct):
    """The bytes of a file, and fields of it by name: offset and size."""

    data: bytearray
    fields: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)

    def put(self, name: str, offset: int, size: int, value: int) -> None:
        """A named field with its value."""
        self.data[offset : offset + size] = value.to_bytes(size, "little")
        self.fields[name] = offset, size


def _place(relative: int) -> int:
    """The offset in the file of a relative address."""
    section = max(start for start in _FILE_PLACES if start <= relative)
    return relative - section + _FILE_PLACES[section]


def pe(
    base: int, code: bytes, *, data: bytes = b"", exports: Mapping[str, int | str] | None = None,
    imports: Sequence[str] = (), pointers: Sequence[int] = (), is_dll: bool = True,
) -> File:  # fmt: skip
    """A PE32+ file. `exports` are relative addresses or forwarders; `pointers` where relocated ones stand."""
    made = File(bytearray(PE_BYTES))
    made.data[:2], made.data[0x80:0x84] = b"MZ", b"PE\0\0"
    made.put("lfanew", 0x3C, 4, 0x80)
    for name, offset, size, value in (
        ("machine", 0x84, 2, 0x8664), ("sections", 0x86, 2, 4), ("optional_size", 0x94, 2, 240),
        ("characteristics", 0x96, 2, 0x2022 if is_dll else 0x22), ("magic", 0x98, 2, 0x20B),
        ("entry", _OPTIONAL + 16, 4, TEXT), ("base", _OPTIONAL + 24, 8, base),
        ("alignment", _OPTIONAL + 32, 4, 0x1000), ("file_alignment", _OPTIONAL + 36, 4, 0x200),
        ("image_size", _OPTIONAL + 56, 4, 0x7000), ("headers_size", _OPTIONAL + 60, 4, 0x400),
        ("subsystem", _OPTIONAL + 68, 2, 3), ("dll_flags", _OPTIONAL + 70, 2, 0x160),
        ("stack_reserve", _OPTIONAL + 72, 8, 0x1_0000), ("stack_commit", _OPTIONAL + 80, 8, 0x1000),
        ("directories", _OPTIONAL + 108, 4, 16),
    ):  # fmt: skip
        made.put(name, offset, size, value)
    for index, (start, offset) in enumerate(_FILE_PLACES.items()):
        row, name = _OPTIONAL + 240 + 40 * index, _NAMES[start].decode()[1:]
        made.data[row : row + len(_NAMES[start])] = _NAMES[start]
        for part, at, value in (
            ("memory", 8, _SIZES[start]), ("address", 12, start), ("bytes", 16, _SIZES[start]), ("offset", 20, offset),
            ("flags", 36, _FLAGS[start]),
        ):  # fmt: skip
            made.put(f"{name}_{part}", row + at, 4, value)
    made.data[_place(TEXT) : _place(TEXT) + len(code)] = code
    made.data[_place(DATA) : _place(DATA) + len(data)] = data
    end = _export_table(made, exports or {}, TABLES)
    end = _import_table(made, imports, end + 15 & -16)
    _tls_table(made, base, end + 15 & -16)
    _relocation_table(made, pointers)
    return made


def _directory(made: File, index: int, name: str, address: int, size: int) -> None:
    row = _OPTIONAL + 112 + 8 * index
    made.put(f"{name}_directory", row, 4, address)
    made.put(f"{name}_directory_size", row + 4, 4, size)


def _export_table(made: File, exports: Mapping[str, int | str], start: int) -> int:
    rows, count = sorted(exports.items()), len(exports)
    functions, names, ordinals = start + 40, start + 40 + 4 * count, start + 40 + 8 * count
    end = ordinals + 2 * count
    for name, offset, value in (
        ("export_first", 16, 1), ("export_functions", 20, count), ("export_names", 24, count),
        ("export_functions_at", 28, functions), ("export_names_at", 32, names), ("export_ordinals_at", 36, ordinals),
    ):  # fmt: skip
        made.put(name, _place(start + offset), 4, value)
    for index, (name, target) in enumerate(rows):
        texts = [name] + ([target] if isinstance(target, str) else [])
        places = []
        for text in texts:
            made.data[_place(end) : _place(end) + len(text) + 1] = text.encode() + b"\0"
            places.append(end)
            end += len(text) + 1
        made.put(f"export_{index}", _place(functions + 4 * index), 4, target if isinstance(target, int) else places[1])
        made.put(f"export_name_{index}", _place(names + 4 * index), 4, places[0])
        made.put(f"export_ordinal_{index}", _place(ordinals + 2 * index), 2, index)
    _directory(made, 0, "export", start if count else 0, end - start if count else 0)
    return end


def _import_table(made: File, imports: Sequence[str], start: int) -> int:
    end = start + 20 * (len(imports) + 1)
    for index, name in enumerate(imports):
        made.put(f"import_{index}_lookup", _place(start + 20 * index), 4, 0)
        made.put(f"import_{index}_name", _place(start + 20 * index + 12), 4, end)
        made.put(f"import_{index}_addresses", _place(start + 20 * index + 16), 4, DATA + 0x300)
        made.data[_place(end) : _place(end) + len(name) + 1] = name.encode() + b"\0"
        end += len(name) + 1
    _directory(made, 1, "import", start if imports else 0, 20 * len(imports))
    _directory(made, 13, "delay_import", 0, 0)
    return end


def _tls_table(made: File, base: int, start: int) -> None:
    for index, name in enumerate(("tls_start", "tls_end", "tls_index", "tls_callbacks")):
        made.put(name, _place(start + 8 * index), 8, base + DATA + 0x380 if name != "tls_callbacks" else 0)
    _directory(made, 9, "tls", start, 40)


def _relocation_table(made: File, pointers: Sequence[int]) -> None:
    size = 8 + 2 * len(pointers)
    made.put("relocation_page", _place(RELOCATIONS), 4, DATA)
    made.put("relocation_size", _place(RELOCATIONS + 4), 4, size)
    for index, place in enumerate(pointers):
        made.put(f"relocation_{index}", _place(RELOCATIONS + 8 + 2 * index), 2, 0xA000 | place - DATA)
    _directory(made, 5, "relocation", RELOCATIONS, size)


def api_sets(name: str, host: str) -> File:
    """apisetschema.dll with one API set: its data section is the map."""
    texts = [text.encode("utf-16-le") for text in (name, host)]
    entry, value, text = 28, 52, 72
    made = pe(DLL_BASE + 0x100_0000, b"\xc3")
    start = _place(DATA)
    made.data[_OPTIONAL + 240 + 40 : _OPTIONAL + 240 + 48] = b".apiset\0"
    rows = {
        "schema": 6, "size": 0x200, "flags": 0, "count": 1, "entries": entry, "hashes": 0x100, "factor": 31,
        "entry_flags": 0, "name": text, "name_bytes": len(texts[0]), "counted_bytes": len(texts[0]) - 4,
        "values": value, "value_count": 1, "value_flags": 0, "importer": 0, "importer_bytes": 0,
        "host": text + len(texts[0]), "host_bytes": len(texts[1]),
    }  # fmt: skip
    for index, (field_name, number) in enumerate(rows.items()):
        made.put(f"set_{field_name}", start + 4 * index, 4, number)
    made.data[start + text : start + text + len(b"".join(texts))] = b"".join(texts)
    return made


def elf(
    code: bytes, *, is_fixed: bool = False, interpreter: bytes = b"", needed: bytes = b"", data: bytes = b""
) -> File:
    """An ELF64 file: a program with an interpreter, an interpreter or a library."""
    base = ELF_BASE if is_fixed else 0
    made = File(bytearray(0x3000))
    made.data[:16] = b"\x7fELF\2\1\1" + bytes(9)
    segments: list[tuple[str, tuple[int, ...]]] = [
        ("text", (1, 5, 0, base, base, 0x1800, 0x1800, 0x1000)),
        ("data", (1, 6, 0x2000, base + ELF_DATA, base + ELF_DATA, 0x400, 0x1800, 0x1000)),
        ("dynamic", (2, 6, ELF_TABLES, base + ELF_TABLES, base + ELF_TABLES, 0x100, 0x100, 8)),
        ("stack", (0x6474_E551, 6, 0, 0, 0, 0, 0, 16)),
    ]
    if interpreter:
        segments.insert(0, ("interpreter", (3, 4, 0x380, base + 0x380, base + 0x380, len(interpreter) + 1, 64, 1)))
        made.data[0x380 : 0x380 + len(interpreter)] = interpreter
    for name, offset, size, value in (
        ("kind", 16, 2, 2 if is_fixed else 3), ("machine", 18, 2, 62), ("version", 20, 4, 1),
        ("entry", 24, 8, base + 0x1000), ("table", 32, 8, 64), ("sections_at", 40, 8, 0x2800),
        ("header_size", 52, 2, 64), ("row_size", 54, 2, 56), ("rows", 56, 2, len(segments)),
        ("section_size", 58, 2, 64), ("sections", 60, 2, 3),
        ("names", 62, 2, 0),
    ):  # fmt: skip
        made.put(name, offset, size, value)
    parts = (("kind", 0, 4), ("flags", 4, 4), ("offset", 8, 8), ("address", 16, 8), ("physical", 24, 8),
             ("bytes", 32, 8), ("memory", 40, 8), ("alignment", 48, 8))  # fmt: skip
    for index, (name, values) in enumerate(segments):
        for (part, offset, size), value in zip(parts, values, strict=True):
            made.put(f"{name}_{part}", 64 + 56 * index + offset, size, value)
    tags = ([(1, 1)] if needed else []) + [(5, base + 0x600), (6, base + 0x500), (10, 0x80), (11, 24), (0, 0)]
    for index, (tag, value) in enumerate(tags):
        made.put(f"dynamic_{index}_tag", ELF_TABLES + 16 * index, 8, tag)
        made.put(f"dynamic_{index}_value", ELF_TABLES + 16 * index + 8, 8, value)
    made.data[0x600:0x680] = (b"\0" + needed + b"\0work\0").ljust(0x80, b"\0")
    made.put("symbol_name", 0x518, 4, len(needed) + 2)
    made.put("symbol_kind", 0x51C, 2, 0x12)
    made.put("symbol_section", 0x51E, 2, 1)
    made.put("symbol_value", 0x520, 8, 0x1000)
    made.put("symbol_size", 0x528, 8, 16)
    rows = ((0, 0, 0, 0, 0), (11, 0x500, 0x30, 2, 24), (3, 0x600, 0x80, 0, 0))
    for index, (kind, offset, size, link, entry) in enumerate(rows):
        at = 0x2800 + 64 * index
        made.put(f"section_{index}_kind", at + 4, 4, kind)
        for part, place, width, value in (
            ("address", 16, 8, base + offset), ("offset", 24, 8, offset), ("size", 32, 8, size), ("link", 40, 4, link),
            ("entry", 56, 8, entry),
        ):  # fmt: skip
            made.put(f"section_{index}_{part}", at + place, width, value)
    made.data[0x1000 : 0x1000 + len(code)] = code
    made.data[0x2000 : 0x2000 + len(data)] = data
    return made


def words(*values: int) -> bytes:
    """64-bit words."""
    return struct.pack(f"<{len(values)}Q", *(value & (1 << 64) - 1 for value in values))
