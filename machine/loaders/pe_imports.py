"""The import tables of a PE file: the DLLs that it needs, and what it wants of each.

Names of DLLs are read strictly, since a plan is made of them; those of functions only say what is missing, so that what
is damaged gives fewer of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from machine.loaders.pe_file import DELAY_IMPORTS, IMPORTS, PeFile
from machine.loaders.symbols import spellable

_TABLES = {IMPORTS: (20, 12), DELAY_IMPORTS: (32, 4)}  # bytes of a descriptor, and where the name of the DLL stands
_MOST_IMPORTS = 4096  # descriptors of one file
_MOST_NAMES = 1 << 16  # of functions, of one DLL
_LONGEST_NAME = 1024
_ORDINAL = 1 << 63


def imports_of(file: PeFile) -> list[str]:
    """The DLLs that a file imports from, also when it first needs them, in small letters. Raises LoadError."""
    return [name for index in _TABLES for name, _ in _descriptors(file, index)]


def loaded_with(file: PeFile) -> Iterator[tuple[str, Iterator[str]]]:
    """The DLLs without which a file is not loaded, in small letters, and what it wants of each: names and `#ordinal`.

    Names that people cannot write are left out. Raises LoadError.
    """
    for name, row in _descriptors(file, IMPORTS):
        (names, addresses) = struct.unpack_from("<I12xI", row)
        yield name, _wanted(file, names or addresses)


def _descriptors(file: PeFile, index: int) -> Iterator[tuple[str, bytes]]:
    place, _ = file.directory(index)
    size, name_at = _TABLES[index]
    for number in range(_MOST_IMPORTS if place else 0):
        row = file.read(place + number * size, size)
        if len(row) < size or not any(row):
            break
        (name,) = struct.unpack_from("<I", row, name_at)
        if not name:
            break
        yield file.text(name).lower(), row


def _wanted(file: PeFile, table: int) -> Iterator[str]:
    for number in range(_MOST_NAMES):
        row = file.read(table + 8 * number, 8)
        entry = int.from_bytes(row, "little")
        if len(row) < 8 or not entry:
            break
        name = f"#{entry & 0xFFFF}" if entry & _ORDINAL else spellable(file.read(entry + 2, _LONGEST_NAME), 0)
        if name is not None:
            yield name
