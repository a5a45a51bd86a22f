"""Calls on the table of global atoms: texts of up to 255 characters, in any case, that have numbers from C000 on."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, NtThread, UInt, answer_with, call
from machine.kernel.nt.state import Atom
from machine.kernel.nt.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)

_FIRST, _END = 0xC000, 0x1_0000  # numbers below the first are themselves: #1 to #49151
_LONGEST = 255


def _named(thread: NtThread, name: int, size: int) -> tuple[str, int | None]:
    """The text, and the number of one that is a number itself. Raises NtError."""
    if not name >> 16:
        if not 0 < name < _FIRST:
            raise NtError(STATUS_INVALID_PARAMETER)
        return "", name
    text = thread.data(name, min(size & ~1, 2 * _LONGEST + 2)).decode("utf-16-le", "replace")
    if not text or len(text) > _LONGEST:
        raise NtError(STATUS_INVALID_PARAMETER if text else STATUS_OBJECT_NAME_INVALID)
    if text[0] == "#" and text[1:].isascii() and text[1:].isdigit():
        number = int(text[1:])
        if not 0 < number < _FIRST:
            raise NtError(STATUS_INVALID_PARAMETER)
        return text, number
    return text, next((key for key, atom in thread.state.atoms.items() if atom.name.lower() == text.lower()), None)


def _put(thread: NtThread, place: int, number: int) -> int:
    if place:
        thread.put(place, struct.pack("<H", number))
    return STATUS_SUCCESS


@call("NtAddAtom", "NtAddAtomEx")
def add_atom(thread: NtThread, name: Address, size: UInt, place: Address) -> int:
    """Once more, or a new one."""
    text, number = _named(thread, name, size)
    atoms = thread.state.atoms
    if number is None:
        number = next((each for each in range(_FIRST, _END) if each not in atoms), None)
        if number is None:
            return STATUS_NO_MEMORY
        atoms[number] = Atom(text)
    elif number in atoms:
        atoms[number].uses += 1
    return _put(thread, place, number)


@call("NtFindAtom")
def find_atom(thread: NtThread, name: Address, size: UInt, place: Address) -> int:
    """The number of a text."""
    number = _named(thread, name, size)[1]
    return STATUS_OBJECT_NAME_NOT_FOUND if number is None else _put(thread, place, number)


@call("NtDeleteAtom")
def delete_atom(thread: NtThread, number: UInt) -> int:
    """Once less."""
    number &= 0xFFFF
    atom = thread.state.atoms.get(number)
    if atom is None:
        return STATUS_SUCCESS if 0 < number < _FIRST else STATUS_INVALID_HANDLE
    atom.uses -= 1
    if not atom.uses:
        del thread.state.atoms[number]
    return STATUS_SUCCESS


@call("NtQueryInformationAtom")
def query_atom(thread: NtThread, number: UInt, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """ATOM_BASIC_INFORMATION: how often it was added, and its text."""
    number &= 0xFFFF
    atom = thread.state.atoms.get(number)
    if kind:
        return STATUS_INVALID_INFO_CLASS
    if atom is None and not 0 < number < _FIRST:
        return STATUS_INVALID_HANDLE
    text = (f"#{number}" if atom is None else atom.name).encode("utf-16-le", "surrogatepass")
    head = struct.pack("<HHH", 1 if atom is None else atom.uses, atom is None, len(text))
    return answer_with(thread, head + text + bytes(2), buffer, length, returned, STATUS_BUFFER_TOO_SMALL)
