"""Which number is which call: what the thunks of an ntdll say, and how Wine's are made to say what Windows' do.

A thunk begins with `mov r10, rcx; mov eax, NUMBER`. Wine numbers its calls by name; its thunks get the numbers of the
Windows build that is played, and private ones where Windows has none, so that `!syscall 55` is NtCreateFile.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from machine.kernel.nt.names import numbers_of, with_private
from machine.loaders import Module

_THUNKS = (b"\x49\x89\xca\xb8", b"\x4c\x8b\xd1\xb8")  # both encodings of mov r10, rcx
_NUMBER_AT, _NUMBER_BYTES = 4, 4
_LOOKED_AT = _NUMBER_AT + _NUMBER_BYTES
_OF_WINE = "__wine_dbg_write"
TABLE_BITS = 12  # of a number: above them stands which table it is of
GRAPHICS_TABLE = 1  # win32k's


class Numbering(msgspec.Struct, frozen=True):
    """The name of each call by its number, and what to write over the image of ntdll (relative address: number)."""

    names: Mapping[int, str]
    changes: Mapping[int, int]


def numbering_of(ntdll: Module | None, build: int) -> Numbering:
    """How the calls are numbered for programs with this ntdll, or with none."""
    if ntdll is None:
        return Numbering({number: name for name, number in numbers_of(build).items()}, {})
    thunks = dict(_thunks(ntdll))
    if _OF_WINE not in ntdll.exports:
        own = {number: name for name, (_, number) in thunks.items()}
        return Numbering(own, {})
    numbers = with_private(thunks, build)
    changes = {place + _NUMBER_AT: numbers[name] for name, (place, _) in thunks.items()}
    return Numbering({number: name for name, number in numbers.items()}, changes)


def graphics_names(win32u: Module) -> Mapping[int, str]:
    """The names of win32k's calls by their numbers, as the thunks of this DLL have them."""
    return {number: name for name, (_, number) in _thunks(win32u, GRAPHICS_TABLE).items()}


def _thunks(dll: Module, table: int = 0) -> Mapping[str, tuple[int, int]]:
    """Where the thunks are, by name, and their numbers; of two names of one the Nt... is the call's."""
    found: dict[str, tuple[int, int]] = {}
    for name, place in dll.exports.items():
        if not isinstance(place, int) or name.startswith(("Zw", "#")):
            continue
        code = dll.file.read(place, _LOOKED_AT)
        if code.startswith(_THUNKS) and len(code) == _LOOKED_AT:
            number = int.from_bytes(code[_NUMBER_AT:], "little")
            if number >> TABLE_BITS == table:
                found[name] = place, number
    calls = {place for name, (place, _) in found.items() if name.startswith("Nt")}
    return {name: row for name, row in found.items() if name.startswith("Nt") or row[0] not in calls}


def renumbered(
    contents: tuple[tuple[int, bytes], ...], base: int, changes: Mapping[int, int]
) -> tuple[tuple[int, bytes], ...]:
    """The bytes of an image with other numbers in its thunks."""
    pieces = [(start, bytearray(data)) for start, data in contents]
    for relative, number in changes.items():
        for start, data in pieces:
            at = base + relative - start
            if 0 <= at <= len(data) - _NUMBER_BYTES:
                data[at : at + _NUMBER_BYTES] = number.to_bytes(_NUMBER_BYTES, "little")
    return tuple((start, bytes(data)) for start, data in pieces)
