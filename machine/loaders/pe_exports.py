"""The export table of a PE file.

As symbols it is a convenience, like every symbol table: what is damaged gives fewer symbols, or none, and no error.
Exports without a name and addresses outside the image are left out; a forwarder is a place in another file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.loaders.pe_file import EXPORTS, PeFile
from machine.loaders.symbols import Symbol, spellable

_DIRECTORY = struct.Struct("<16xIIIIII")  # first ordinal; how many functions and names; where they and ordinals are
_MOST_EXPORTS = 1 << 16  # ordinals have 16 bits
_LONGEST_NAME = 1024

Export = int | str  # a relative address, or `MODULE.name` of a forwarder


def exports_of(file: PeFile) -> dict[str, Export]:
    """The named exports, and `#ordinal` for every one; of two equal names the first counts."""
    table, size = file.directory(EXPORTS)
    head = file.read(table, _DIRECTORY.size)
    if size < _DIRECTORY.size or len(head) < _DIRECTORY.size:
        return {}
    first, function_count, name_count, functions_at, names_at, ordinals_at = _DIRECTORY.unpack(head)
    if max(function_count, name_count) > _MOST_EXPORTS:
        return {}
    functions = _numbers(file.read(functions_at, 4 * function_count), "I")
    names = _numbers(file.read(names_at, 4 * name_count), "I")
    ordinals = _numbers(file.read(ordinals_at, 2 * name_count), "H")
    found: dict[str, Export] = {}
    for name_at, ordinal in zip(names, ordinals, strict=False):
        place = functions[ordinal] if ordinal < len(functions) else 0
        name = spellable(file.read(name_at, _LONGEST_NAME + 1), 0) if place else None
        if name is not None and name not in found:
            found[name] = _export(file, place, range(table, table + size))
    for index, place in enumerate(functions):
        if place:
            found[f"#{first + index}"] = _export(file, place, range(table, table + size))
    return found


def _export(file: PeFile, place: int, table: range) -> Export:
    if place not in table:
        return place
    text = spellable(file.read(place, _LONGEST_NAME + 1).replace(b"-", b"_").replace(b"#", b"_"), 0)
    return file.read(place, len(text or "")).decode("ascii")


def symbols_of(
    file: PeFile, base: int, forwarded: Callable[[str], int | None] = lambda text: None
) -> tuple[Symbol, ...]:
    """The named exports of a file at a base, by address; `forwarded` finds the target of a forwarder."""
    found: list[Symbol] = []
    for name, export in exports_of(file).items():
        if name.startswith("#"):
            continue
        address = forwarded(export) if isinstance(export, str) else base + export
        if address is not None and (isinstance(export, str) or file.holds(export)):
            found.append(Symbol(name, address))
    return tuple(sorted(found, key=lambda symbol: symbol.address))


def _numbers(data: bytes, code: str) -> tuple[int, ...]:
    """As many little-endian numbers as the bytes hold."""
    return struct.unpack_from(f"<{len(data) // struct.calcsize('<' + code)}{code}", data)
