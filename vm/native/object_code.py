"""Object files (ELF64 of x86-64, as LLVM emits them) -> machine code in this process, without LLVM.

Only what code of the large model needs, which lies anywhere, and position-independent code of the small one: sections
with content, and relocations to them and to functions of elsewhere (System V ABI, AMD64 supplement, 4.4). Functions
that may be too far for a call of the small model are jumped to from behind the code, as a procedure linkage table does.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import msgspec

from vm.host_memory import HostMemoryError, private_memory

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_IDENTITY = b"\x7fELF\2\1\1"
_RELOCATABLE, _X86_64 = 1, 62
_SYMBOLS, _RELOCATIONS, _NO_BITS = 2, 4, 8  # types of sections
_WRITE, _ALLOCATED, _EXECUTABLE = 1, 2, 4  # flags of sections
_GLOBAL, _FUNCTION = 1, 2
_ABSOLUTE, _RELATIVE, _CALL = 1, 2, 4  # R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32
_STUB = bytes.fromhex("ff2500000000")  # jmp [rip]: to the address that follows
_STUB_SIZE = 16
_UNWINDING = b".eh_frame"  # nothing is ever thrown through this code


class BadObject(ValueError):  # noqa: N818 - it reads as what happened
    """An object file that cannot be loaded; the text says why."""


class MachineCode(msgspec.Struct, frozen=True, eq=False):
    """The machine code of a module, valid as long as this object lives; `symbols`: the addresses of its functions."""

    memory: mmap.mmap
    symbols: Mapping[str, int]

    def address(self, symbol: str) -> int:
        """The address of a function."""
        return self.symbols[symbol]


class _Section(NamedTuple):
    name: bytes
    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class _Symbol(NamedTuple):
    name: str
    kind: int
    binding: int
    section: int
    value: int


def load(data: bytes, address_of: Callable[[str], int]) -> MachineCode:
    """Lay an object file out in memory of its own; `address_of` knows the functions of elsewhere, by name.

    Raises BadObject; HostMemoryError where the host gives no executable memory; what `address_of` raises.
    """
    try:
        return _Loader(data, address_of).loaded()
    except BadObject:
        raise
    except (struct.error, LookupError, ValueError, OverflowError) as error:
        raise BadObject(f"a damaged object file: {error}") from None


class _Loader:
    def __init__(self, data: bytes, address_of: Callable[[str], int]) -> None:
        self._data = data
        self._address_of = address_of
        identity, kind, machine, *_, sections_at, _, _, _, _, size, count, names = _HEADER.unpack_from(data)
        if not identity.startswith(_IDENTITY) or (kind, machine, size) != (_RELOCATABLE, _X86_64, _SECTION.size):
            raise BadObject("no relocatable object file of x86-64")
        rows = [_SECTION.unpack_from(data, sections_at + index * size) for index in range(count)]
        table = rows[names][4]
        self._sections = [
            _Section(self._name(table + at), kind, flags, offset, length, link, info, max(alignment, 1))
            for at, kind, flags, _, offset, length, link, info, alignment, _ in rows
        ]
        self._symbols = [
            symbol for section in self._sections if section.type == _SYMBOLS for symbol in self._of(section)
        ]
        self._stubs: dict[_Symbol, int] = {}  # where calls of functions of elsewhere go
        self._places: dict[int, int] = {}  # of the sections that are loaded: where in the memory

    def _name(self, at: int) -> bytes:
        return self._data[at : self._data.index(0, at)]

    def _of(self, section: _Section) -> list[_Symbol]:
        names = self._sections[section.link].offset
        rows = _SYMBOL.iter_unpack(self._data[section.offset : section.offset + section.size])
        return [
            _Symbol(self._name(names + name).decode(), info & 15, info >> 4, index, value)
            for name, info, _, index, value, _ in rows
        ]

    def loaded(self) -> MachineCode:
        """The code. Executable sections come first, what is only read (or written) on pages behind them."""
        wanted = [
            (index, row)
            for index, row in enumerate(self._sections)
            if row.flags & _ALLOCATED and row.size and row.name != _UNWINDING
        ]
        end = self._place([item for item in wanted if item[1].flags & _EXECUTABLE], 0)
        stubs = self._place_stubs(end)
        end += _STUB_SIZE * (len(stubs) + 1)  # one for their alignment
        code_end = -(-max(end, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
        size = self._place([item for item in wanted if not item[1].flags & _EXECUTABLE], code_end)
        try:
            memory = private_memory(max(size, code_end))
        except OSError:
            raise HostMemoryError("there is no memory for machine code") from None
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for index, row in wanted:
            if row.type != _NO_BITS:
                at = self._places[index]
                memory[at : at + row.size] = self._data[row.offset : row.offset + row.size]
        for symbol, at in stubs.items():
            memory[at : at + len(_STUB) + 8] = _STUB + self._address_of(symbol.name).to_bytes(8, "little")
        self._stubs = {symbol: base + at for symbol, at in stubs.items()}
        for row in self._sections:
            if row.type == _RELOCATIONS and row.info in self._places:
                self._relocate(memory, base, row)
        _make_executable(base, code_end)
        functions = (row for row in self._symbols if row.kind == _FUNCTION and row.binding == _GLOBAL and row.section)
        return MachineCode(memory, {row.name: base + self._places[row.section] + row.value for row in functions})

    def _place(self, sections: list[tuple[int, _Section]], at: int) -> int:
        for index, row in sections:
            at = -(-at // row.alignment) * row.alignment
            self._places[index] = at
            at += row.size
        return at

    def _place_stubs(self, at: int) -> dict[_Symbol, int]:
        """Where the stubs go, behind the code that ends there: one for each function of elsewhere that is called."""
        called = {
            self._symbols[info >> 32]: None
            for table in self._sections
            if table.type == _RELOCATIONS and table.info in self._places
            for _, info, _ in self._relocations(table)
            if info & 0xFFFF_FFFF == _CALL
        }
        wanted = [symbol for symbol in called if not symbol.section]
        return {symbol: -(-at // _STUB_SIZE) * _STUB_SIZE + _STUB_SIZE * index for index, symbol in enumerate(wanted)}

    def _relocations(self, table: _Section) -> Iterator[tuple[int, int, int]]:
        return _RELOCATION.iter_unpack(self._data[table.offset : table.offset + table.size])

    def _relocate(self, memory: mmap.mmap, base: int, table: _Section) -> None:
        start = self._places[table.info]
        for offset, info, addend in self._relocations(table):
            symbol, kind = self._symbols[info >> 32], info & 0xFFFF_FFFF
            at = start + offset
            if symbol in self._stubs and kind == _CALL:
                target = self._stubs[symbol]
            elif not symbol.section:
                target = self._address_of(symbol.name)
            elif symbol.section in self._places:
                target = base + self._places[symbol.section] + symbol.value
            else:
                raise BadObject(f"a relocation to what is not loaded, in {table.name!r}")
            if kind == _ABSOLUTE:
                memory[at : at + 8] = (target + addend & (1 << 64) - 1).to_bytes(8, "little")
            elif kind in (_RELATIVE, _CALL):
                memory[at : at + 4] = (target + addend - base - at).to_bytes(4, "little", signed=True)
            else:
                raise BadObject(f"a relocation of kind {kind}")


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def c_function(name: str) -> int:
    """The address of a function of the C library, which LLVM calls for what it has no instructions for (memcpy).

    Raises BadObject.
    """
    for library in (_c_library, _mathematics):
        function = getattr(library(), name, None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value or 0
    raise BadObject(f"nobody has the function {name}")


@cache
def _mathematics() -> ctypes.CDLL:
    return ctypes.CDLL("libm.so.6")


def _make_executable(address: int, size: int) -> None:
    if _c_library().mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        reason = os.strerror(ctypes.get_errno())
        raise HostMemoryError(f"the host does not let machine code be executed: {reason}")
