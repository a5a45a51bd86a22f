"""The headers of a PE file as it is, for people who look at it: any machine, DLLs and damaged files too.

Nothing is loaded, and nothing is believed: what lies outside the file is left out, and counts have bounds. Names and
offsets are those of the PE format (Microsoft, "PE Format").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from machine.loaders.image import LoadError

_PE32_PLUS = 0x20B
_MOST_SECTIONS = 96  # as Windows' loader has it
_MOST_RICH = 256  # entries
_RICH, _DANS = 0x68636952, 0x536E6144

# Fields as name and size in bytes, one behind the other.
_DOS = (
    ("e_magic", 2), ("e_cblp", 2), ("e_cp", 2), ("e_crlc", 2), ("e_cparhdr", 2), ("e_minalloc", 2), ("e_maxalloc", 2),
    ("e_ss", 2), ("e_sp", 2), ("e_csum", 2), ("e_ip", 2), ("e_cs", 2), ("e_lfarlc", 2), ("e_ovno", 2), ("e_res", 8),
    ("e_oemid", 2), ("e_oeminfo", 2), ("", 20), ("e_lfanew", 4),
)  # fmt: skip
_COFF = (
    ("Machine", 2), ("NumberOfSections", 2), ("TimeDateStamp", 4), ("PointerToSymbolTable", 4), ("NumberOfSymbols", 4),
    ("SizeOfOptionalHeader", 2), ("Characteristics", 2),
)  # fmt: skip
_OPTIONAL_HEAD = (
    ("Magic", 2), ("MajorLinkerVersion", 1), ("MinorLinkerVersion", 1), ("SizeOfCode", 4),
    ("SizeOfInitializedData", 4), ("SizeOfUninitializedData", 4), ("AddressOfEntryPoint", 4), ("BaseOfCode", 4),
)  # fmt: skip
_OPTIONAL_MIDDLE = (
    ("SectionAlignment", 4), ("FileAlignment", 4), ("MajorOperatingSystemVersion", 2),
    ("MinorOperatingSystemVersion", 2), ("MajorImageVersion", 2), ("MinorImageVersion", 2),
    ("MajorSubsystemVersion", 2), ("MinorSubsystemVersion", 2), ("Win32VersionValue", 4), ("SizeOfImage", 4),
    ("SizeOfHeaders", 4), ("CheckSum", 4), ("Subsystem", 2), ("DllCharacteristics", 2),
)  # fmt: skip
_OPTIONAL_SIZES = ("SizeOfStackReserve", "SizeOfStackCommit", "SizeOfHeapReserve", "SizeOfHeapCommit")
_OPTIONAL_END = (("LoaderFlags", 4), ("NumberOfRvaAndSizes", 4))
_SECTION = (
    ("VirtualSize", 4), ("VirtualAddress", 4), ("SizeOfRawData", 4), ("PointerToRawData", 4),
    ("PointerToRelocations", 4), ("PointerToLinenumbers", 4), ("NumberOfRelocations", 2), ("NumberOfLinenumbers", 2),
    ("Characteristics", 4),
)  # fmt: skip
_DIRECTORIES = (
    "Export", "Import", "Resource", "Exception", "Certificate", "BaseRelocation", "Debug", "Architecture", "GlobalPtr",
    "Tls", "LoadConfig", "BoundImport", "ImportAddress", "DelayImport", "ClrRuntime", "Reserved",
)  # fmt: skip


class PeField(msgspec.Struct, frozen=True):
    """A number of a header: its name, its size in bytes, its value."""

    name: str
    size: int
    value: int


class PeSection(msgspec.Struct, frozen=True):
    """A row of the section table, and the bytes that the file has for it."""

    name: str
    fields: tuple[PeField, ...]
    data: bytes


class RichEntry(msgspec.Struct, frozen=True):
    """A tool that took part in making the file: its number, its build, how often."""

    product: int
    build: int
    count: int


class Directory(msgspec.Struct, frozen=True):
    """Where the image has a table: its address from the base, and its size in bytes."""

    name: str
    address: int
    size: int


class PeHeaders(msgspec.Struct, frozen=True):
    """What the headers say; what a damaged file does not have is missing."""

    dos: tuple[PeField, ...]
    rich: tuple[RichEntry, ...]
    coff: tuple[PeField, ...]
    optional: tuple[PeField, ...]
    directories: tuple[Directory, ...]
    sections: tuple[PeSection, ...]


def read_headers(data: bytes) -> PeHeaders:
    """The headers of a PE file. Raises LoadError for another."""
    if not data.startswith(b"MZ"):
        raise LoadError("not a PE file: it does not begin with the magic bytes 4d 5a")
    dos = tuple(_fields(data, 0, _DOS))
    if not dos or dos[-1].name != "e_lfanew" or data[dos[-1].value : dos[-1].value + 4] != b"PE\0\0":
        raise LoadError("not a PE file: it has no `PE` signature")
    at = dos[-1].value + 4
    coff = tuple(_fields(data, at, _COFF))
    values = {field.name: field.value for field in coff}
    start = at + 20
    optional = tuple(_fields(data, start, _optional(data, start)))
    behind = start + sum(field.size for field in optional)
    end = start + values.get("SizeOfOptionalHeader", 0)
    count = next((field.value for field in optional if field.name == "NumberOfRvaAndSizes"), 0)
    directories = tuple(_directories(data[:end], behind, count))
    sections = tuple(_sections(data, end, min(values.get("NumberOfSections", 0), _MOST_SECTIONS)))
    return PeHeaders(dos, tuple(_rich(data[: at - 4])), coff, optional, directories, sections)


def _optional(data: bytes, at: int) -> Sequence[tuple[str, int]]:
    is_wide = int.from_bytes(data[at : at + 2], "little") == _PE32_PLUS
    word = 8 if is_wide else 4
    base = (("ImageBase", 8),) if is_wide else (("BaseOfData", 4), ("ImageBase", 4))
    sizes = tuple((name, word) for name in _OPTIONAL_SIZES)
    return (*_OPTIONAL_HEAD, *base, *_OPTIONAL_MIDDLE, *sizes, *_OPTIONAL_END)


def _fields(data: bytes, at: int, rows: Sequence[tuple[str, int]]) -> Iterator[PeField]:
    """The fields that the file has whole; those without a name are passed over."""
    for name, size in rows:
        if at + size > len(data):
            return
        if name:
            yield PeField(name, size, int.from_bytes(data[at : at + size], "little"))
        at += size


def _directories(data: bytes, at: int, count: int) -> Iterator[Directory]:
    for index, name in enumerate(_DIRECTORIES[: min(count, len(_DIRECTORIES))]):
        row = data[at + 8 * index : at + 8 * index + 8]
        if len(row) == 8:
            yield Directory(name, int.from_bytes(row[:4], "little"), int.from_bytes(row[4:], "little"))


def _sections(data: bytes, at: int, count: int) -> Iterator[PeSection]:
    for index in range(count):
        row = at + 40 * index
        if row + 40 > len(data):
            return
        fields = tuple(_fields(data, row + 8, _SECTION))
        values = {field.name: field.value for field in fields}
        start = values["PointerToRawData"]
        content = data[start : start + values["SizeOfRawData"]] if start else b""
        yield PeSection(data[row : row + 8].rstrip(b"\0").decode("ascii", "backslashreplace"), fields, content)


def _rich(head: bytes) -> Iterator[RichEntry]:
    """The header that Microsoft's linker hides between the DOS program and the PE signature, by its key."""
    at = head.rfind(_RICH.to_bytes(4, "little"))
    if at < 0 or at + 8 > len(head):
        return
    key = int.from_bytes(head[at + 4 : at + 8], "little")
    words: list[int] = []
    for place in range(at - 4, max(at - 8 * _MOST_RICH, 0) - 1, -4):
        word = int.from_bytes(head[place : place + 4], "little") ^ key
        if word == _DANS:
            pairs = words[::-1][3:]  # behind the mark there are three words of padding
            for first, count in zip(pairs[::2], pairs[1::2], strict=False):
                yield RichEntry(first >> 16, first & 0xFFFF, count)
            return
        words.append(word)
