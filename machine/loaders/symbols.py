"""Names of places in programs: the symbol tables of ELF files, and `module!name` for everything that is loaded.

The tables of PE files are read by `machine.loaders.pe_exports` and `pe_symbols`.

Symbols are a convenience, so a malformed table gives no symbols and no error. Names keep their case; of two equal ones
a global one wins, then the first. Names of other characters than those that compilers use are left out.
"""

from __future__ import annotations

import re
import struct

import msgspec

from vm import late_pattern

SHT_SYMTAB, SHT_DYNSYM = 2, 11
_NAMED_TYPES = (0, 1, 2, 10)  # NOTYPE, OBJECT, FUNC, GNU_IFUNC
_SHN_UNDEF, _SHN_LORESERVE = 0, 0xFF00
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_MOST_SECTIONS = 4096
MOST_SYMBOLS = 1_000_000
_LONGEST_NAME = 4096  # bytes
MOST_NAME_BYTES = 1 << 26  # of one program: names of a table may overlap
_SPELLABLE = late_pattern(rb"[A-Za-z_?][A-Za-z0-9_.$@?]{0,%d}" % (_LONGEST_NAME - 1))


class Symbol(msgspec.Struct, frozen=True):
    """A named place of a program; `size` is 0 where it is not known."""

    name: str
    address: int
    size: int = 0


def elf_symbols(data: bytes, base: int) -> tuple[Symbol, ...]:
    """The defined symbols of an ELF64 file that is loaded at `base` (0 for a position-dependent one), by address."""
    sections = _sections(data)
    tables = [section for kind in (SHT_SYMTAB, SHT_DYNSYM) for section in sections if section[1] == kind]
    if not tables:
        return ()
    _, _, _, _, offset, size, link, _, _, entry_size = tables[0]
    if link >= len(sections) or entry_size != _SYMBOL.size or size > MOST_SYMBOLS * entry_size:
        return ()
    rows, texts = data[offset : offset + size], data[sections[link][4] : sections[link][4] + sections[link][5]]
    found: dict[str, tuple[bool, Symbol]] = {}
    left = MOST_NAME_BYTES
    for name_at, info, _, section, value, length in _SYMBOL.iter_unpack(rows[: len(rows) // entry_size * entry_size]):
        if info & 0xF not in _NAMED_TYPES or section == _SHN_UNDEF or section >= _SHN_LORESERVE:
            continue
        text, is_global = spellable(texts, name_at), info >> 4 != 0
        left -= len(text or "")
        if text is None or left < 0:
            continue
        present = found.get(text)
        if present is None or (is_global and not present[0]):
            found[text] = is_global, Symbol(text, base + value, length)
    return tuple(sorted((symbol for _, symbol in found.values()), key=lambda symbol: symbol.address))


def spellable(texts: bytes, start: int) -> str | None:
    """The name that begins there and ends with a zero byte, when it is one that people can write."""
    name = _SPELLABLE.match(texts, start)
    return name[0].decode() if name is not None and texts[name.end() : name.end() + 1] == b"\0" else None


def _sections(data: bytes) -> list[tuple[int, ...]]:
    """The section headers, as far as they lie in the file."""
    if len(data) < 64:
        return []
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count = struct.unpack_from("<HH", data, 0x3A)
    if entry_size != _SECTION.size or count > _MOST_SECTIONS or offset + count * entry_size > len(data):
        return []
    return [_SECTION.unpack_from(data, offset + index * entry_size) for index in range(count)]


def module_name(file_name: str) -> str:
    """What stands in front of the exclamation mark: the file's stem, with underscores for what cannot stand there."""
    stem = re.split(r"[/\\]", file_name)[-1].partition(".")[0]
    name = re.sub(r"\W", "_", stem, flags=re.ASCII) or "_"
    return f"_{name}" if name[0].isdigit() else name
