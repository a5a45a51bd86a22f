"""The export table of a PE file as symbols.

Like every symbol table it is a convenience: what is damaged gives fewer symbols, or none, and no error. Exports without
a name, forwarders to other files and addresses outside the image are left out.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from machine.loaders.image import Area
from machine.loaders.symbols import Symbol, spellable

_DIRECTORY = struct.Struct("<20xIIIII")  # how many functions and names; where functions, names and ordinals are
_MOST_EXPORTS = 1 << 16  # ordinals have 16 bits
_LONGEST_NAME = 1024


@dataclass(frozen=True)
class Exports:
    """A program as it will lie in memory; `contents` are by address and do not overlap."""

    base: int
    areas: Sequence[Area]
    contents: Sequence[tuple[int, bytes]]

    def symbols(self, table: int, size: int) -> tuple[Symbol, ...]:
        """The named exports of the table at a relative address, by address; of two equal names the first counts."""
        head = self._read(table, _DIRECTORY.size)
        if size < _DIRECTORY.size or len(head) < _DIRECTORY.size:
            return ()
        function_count, name_count, functions_at, names_at, ordinals_at = _DIRECTORY.unpack(head)
        if max(function_count, name_count) > _MOST_EXPORTS:
            return ()
        functions = _numbers(self._read(functions_at, 4 * function_count), "I")
        names = _numbers(self._read(names_at, 4 * name_count), "I")
        ordinals = _numbers(self._read(ordinals_at, 2 * name_count), "H")
        found: dict[str, Symbol] = {}
        for name_at, ordinal in zip(names, ordinals, strict=False):
            place = functions[ordinal] if ordinal < len(functions) else 0
            if not place or table <= place < table + size or not self._holds(self.base + place):
                continue
            name = spellable(self._read(name_at, _LONGEST_NAME + 1), 0)
            if name is not None:
                found.setdefault(name, Symbol(name, self.base + place))
        return tuple(sorted(found.values(), key=lambda symbol: symbol.address))

    def _read(self, relative: int, size: int) -> bytes:
        """The bytes at a relative address that the file has, at most `size`."""
        address = self.base + relative
        index = bisect.bisect_right(self.contents, address, key=lambda content: content[0]) - 1
        if index < 0:
            return b""
        start, data = self.contents[index]
        return data[address - start : address - start + size]

    def _holds(self, address: int) -> bool:
        index = bisect.bisect_right(self.areas, address, key=lambda area: area.start) - 1
        return index >= 0 and address < self.areas[index].start + self.areas[index].size


def _numbers(data: bytes, code: str) -> tuple[int, ...]:
    """As many little-endian numbers as the bytes hold."""
    return struct.unpack_from(f"<{len(data) // struct.calcsize('<' + code)}{code}", data)
