"""The registers of one stopped CPU: read in a batch on first use, written back only where they changed.

Valid between two stretches of guest execution, that is between runs or within one hook. The owner calls `forget` when
the guest has run and `store` before it runs on. Where the engine has a window, general registers are read and written
in place instead.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping

from machine.processor.binding import WORD_MASK, Batch, Engine
from machine.processor.registers import (
    BATCH_IDS,
    BATCH_POSITION,
    BATCH_STORAGES,
    OPERAND_IDS,
    PLAIN_IDS,
    TABLE_BASES,
    TABLE_SELECTORS,
)
from machine.processor.window import Window
from vm.facts.registers import GENERAL, RFLAGS, RIP, SEGMENTS, STORAGE_INDEX

_RIP = BATCH_POSITION[RIP]
_GENERAL_COUNT = len(GENERAL)
_SAME_POSITION = RFLAGS + 1  # of these storages the index is the position in the batch
_GENERAL_BYTES = 8 * _GENERAL_COUNT
_GENERAL_WORDS = struct.Struct(f"<{_GENERAL_COUNT}Q")
_SELECTORS = frozenset(STORAGE_INDEX[name] for name in SEGMENTS)
_DEBUG_REGISTERS = frozenset(STORAGE_INDEX[f"dr{number}"] for number in (0, 1, 2, 3, 7))
_TRANSLATION = frozenset(STORAGE_INDEX[name] for name in ("cr0", "cr3", "cr4"))
_RFLAGS_ONE = 1 << 1  # bit 1 of RFLAGS is always set (Intel SDM volume 1, section 3.4.3)


class RegisterFile:
    """All storages of `vm.facts.registers`, by index. Values are unsigned 64-bit integers.

    `read` also knows `OPERAND_IDS` of `machine.processor.registers`.
    """

    def __init__(self, engine: Engine, window: Window | None = None) -> None:
        self._engine = engine
        self._in_place = window is not None
        self._batch = Batch(engine.handle, BATCH_IDS)
        self._values = self._batch.values
        self._general_at = ctypes.addressof(self._values) if window is None else window.general
        self._general = (ctypes.c_uint64 * _GENERAL_COUNT).from_address(self._general_at)
        others = BATCH_IDS[_GENERAL_COUNT:]
        cells = (ctypes.c_uint64 * len(others)).from_buffer(self._values, _GENERAL_BYTES)
        self._others = Batch(engine.handle, others, values=cells)
        self._general_valid, self._others_valid = self._in_place, False
        self._general_changed = False  # where it is a copy
        self._hidden_flags = ctypes.c_uint64()
        self.on_debug: Callable[[], None] = lambda: None  # a debug register was written
        self.on_translation: Callable[[], None] = lambda: None  # a register that page tables depend on was
        self._fetched: dict[int, int] = {}  # by position in the batch, of the others that were written

    @property
    def hidden_flags(self) -> int:
        """The flags that are set and that nobody sees: what is written leaves them as they are."""
        return self._hidden_flags.value

    @hidden_flags.setter
    def hidden_flags(self, flags: int) -> None:
        self._hidden_flags.value = flags

    @property
    def hidden_flags_address(self) -> int:
        """Of the word that has `hidden_flags`."""
        return ctypes.addressof(self._hidden_flags)

    def read(self, storage: int) -> int:
        """The storage's value; 0 for one that the CPU does not have."""
        position = storage if storage < _SAME_POSITION else BATCH_POSITION.get(storage)
        if position is None:
            return self._read_other(storage)
        if position < _GENERAL_COUNT:
            if not self._general_valid:
                self._fetch()
            return self._general[position]
        if not self._others_valid:
            self._fetch()
        return self._values[position]

    def write(self, storage: int, value: int) -> None:
        """Set the storage; ignored for one that the CPU does not have."""
        position = storage if storage < _SAME_POSITION else BATCH_POSITION.get(storage)
        if position is None:
            self._write_other(storage, value)
            return
        if position < _GENERAL_COUNT:
            if not self._general_valid:
                self._fetch()
            self._general[position] = value & WORD_MASK
            self._general_changed = True
            return
        if not self._others_valid:
            self._fetch()
        if storage == RFLAGS:
            value |= _RFLAGS_ONE
        value &= 0xFFFF if storage in _SELECTORS else WORD_MASK
        if self._values[position] != value:
            self._fetched.setdefault(position, self._values[position])
            self._values[position] = value

    def user_values(self) -> dict[int, int]:
        """The general registers, RIP and RFLAGS."""
        if not (self._general_valid and self._others_valid):
            self._fetch()
        values = dict(enumerate(_GENERAL_WORDS.unpack(self.general())))
        values[RIP], values[RFLAGS] = self._values[_RIP], self._values[RFLAGS]
        return values

    def write_all(self, values: Mapping[int, int]) -> None:
        """Set several storages, as `write`."""
        general = list(_GENERAL_WORDS.unpack(self.general()))
        for storage, value in values.items():
            if storage < _GENERAL_COUNT:
                general[storage] = value & WORD_MASK
            else:
                self.write(storage, value)
        self.set_general(_GENERAL_WORDS.pack(*general))

    def general(self) -> bytes:
        """The general registers as GUEST_REGS lays them out: sixteen little-endian words."""
        if not self._general_valid:
            self._fetch()
        return ctypes.string_at(self._general_at, _GENERAL_BYTES)

    def set_general(self, data: bytes) -> None:
        """Set the general registers from that layout."""
        if data != self.general():
            ctypes.memmove(self._general_at, data, _GENERAL_BYTES)
            self._general_changed = True

    @property
    def changed(self) -> tuple[int, ...]:
        """The storages of the batch that have another value here than in the CPU, but for general registers."""
        if not self._fetched:
            return ()
        return tuple(BATCH_STORAGES[at] for at, old in self._fetched.items() if self._values[at] != old)

    def store_general(self) -> None:
        """Give the changed general registers to the CPU."""
        if self._general_changed and not self._in_place:
            self._batch.write_first(_GENERAL_COUNT)
        self._general_changed = False

    def forget(self) -> None:
        """The guest has run: what was read is stale."""
        self._general_valid, self._others_valid, self._general_changed = self._in_place, False, False
        self._fetched.clear()

    def store(self) -> None:
        """Give every changed value to the CPU. In a hook of an address, a changed RIP is where the guest goes on."""
        self._store_without_rip()
        if _RIP in self._fetched and self._values[_RIP] != self._fetched[_RIP]:
            self._batch.write_one(_RIP, self._values[_RIP])
        self._fetched.clear()

    def store_in_hook(self, length: int) -> None:
        """As `store`, inside a hook after which Unicorn adds the instruction's `length` to RIP.

        The guest goes on exactly at the written RIP, or behind the instruction when RIP was left alone.
        """
        self._store_without_rip()
        if _RIP in self._fetched and self._values[_RIP] != (self._fetched[_RIP] + length) & WORD_MASK:
            self._batch.write_one(_RIP, self._values[_RIP] - length)
        self.forget()

    def stay(self) -> None:
        """In such a hook, have the guest go on at RIP, whether or not that was written."""
        self.read(RIP)
        self._fetched.setdefault(_RIP, self._values[_RIP])

    def _fetch(self) -> None:
        (self._others if self._in_place else self._batch).read()
        self._values[RFLAGS] &= ~self._hidden_flags.value
        self._general_valid = self._others_valid = True

    def _store_without_rip(self) -> None:
        self.store_general()
        for position, fetched in self._fetched.items():
            if position != _RIP and self._values[position] != fetched:
                hidden = self._hidden_flags.value if position == RFLAGS else 0
                self._batch.write_one(position, self._values[position] | hidden)

    def _read_other(self, storage: int) -> int:
        registers = self._engine.uc
        if storage in PLAIN_IDS:
            return int(registers.reg_read(PLAIN_IDS[storage]))
        if storage in TABLE_BASES:
            return int(registers.reg_read(TABLE_BASES[storage])[1])
        if storage in TABLE_SELECTORS:
            return int(registers.reg_read(TABLE_SELECTORS[storage])[0])
        if storage in OPERAND_IDS:
            value = registers.reg_read(OPERAND_IDS[storage])
            return int(value[0] if isinstance(value, tuple) else value)  # significand and exponent of x87
        return 0

    def _write_other(self, storage: int, value: int) -> None:
        registers = self._engine.uc
        if storage in PLAIN_IDS:
            self._engine.set_register(PLAIN_IDS[storage], value & (0xFFFF if storage in _SELECTORS else WORD_MASK))
            if storage in _DEBUG_REGISTERS:
                self.on_debug()
            elif storage in _TRANSLATION:
                self.on_translation()
        elif storage in TABLE_BASES:
            selector, _, limit, flags = registers.reg_read(TABLE_BASES[storage])
            registers.reg_write(TABLE_BASES[storage], (selector, value & WORD_MASK, limit, flags))
        elif storage in TABLE_SELECTORS:
            _, base, limit, flags = registers.reg_read(TABLE_SELECTORS[storage])
            registers.reg_write(TABLE_SELECTORS[storage], (value & 0xFFFF, base, limit, flags))
