"""The symbols of a PE file: its exports, and the COFF symbol table that some linkers leave in a program.

Like every symbol table it is a convenience: what is damaged gives fewer symbols, or none, and no error. Left out are
symbols without a section, of sections themselves and of debuggers. Where an export names an address, or has a name, it
is the one that counts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.loaders.pe_exports import symbols_of as exported_symbols
from machine.loaders.pe_file import PeFile
from machine.loaders.symbols import MOST_NAME_BYTES, MOST_SYMBOLS, Symbol, spellable

_ROW = struct.Struct("<8sIhHBB")  # name, value, section, type, storage class, how many auxiliary rows follow
_EXTERNAL, _STATIC = 2, 3


def symbols_of(
    file: PeFile, base: int, forwarded: Callable[[str], int | None] = lambda text: None
) -> tuple[Symbol, ...]:
    """The named exports of a file at a base, and the rest of its symbols, by address."""
    exports = exported_symbols(file, base, forwarded)
    names, places = {symbol.name for symbol in exports}, {symbol.address for symbol in exports}
    rest = (symbol for symbol in coff_symbols(file, base) if symbol.name not in names and symbol.address not in places)
    return tuple(sorted((*exports, *rest), key=lambda symbol: symbol.address))


def coff_symbols(file: PeFile, base: int) -> tuple[Symbol, ...]:
    """The symbols of the COFF symbol table; of two equal names a global one wins, then the first."""
    start, count = file.symbol_table
    end = start + count * _ROW.size
    if not start or count > MOST_SYMBOLS or end > len(file.data):
        return ()
    (size,) = struct.unpack("<I", file.data[end : end + 4].ljust(4, b"\0"))
    texts = file.data[end : end + size]
    found: dict[str, tuple[bool, Symbol]] = {}
    left, auxiliary = MOST_NAME_BYTES, 0
    for name, value, section, _, storage, more in _ROW.iter_unpack(file.data[start:end]):
        if auxiliary:
            auxiliary -= 1
            continue
        auxiliary = more
        if storage not in (_EXTERNAL, _STATIC) or not 0 < section <= len(file.sections):
            continue
        is_long = not any(name[:4])
        text = spellable(texts, int.from_bytes(name[4:], "little")) if is_long else spellable(name + b"\0", 0)
        left -= len(text or "")
        place = file.sections[section - 1].relative + value
        if text is None or left < 0 or not file.holds(place):
            continue
        present, is_global = found.get(text), storage == _EXTERNAL
        if present is None or (is_global and not present[0]):
            found[text] = is_global, Symbol(text, base + place)
    return tuple(symbol for _, symbol in found.values())
