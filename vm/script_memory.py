"""Script memory: the addresses of variables and literals (language.md section 15).

Three regions at non-canonical addresses, which no guest can use: the globals of a session, the literals of a program
(read-only), and the stack of frames of a run. Buffers are anonymous maps, so that the native engine can keep pointers.
"""

from __future__ import annotations

import mmap

import msgspec

from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.host_memory import private_memory
from vm.program import GlobalSymbol

GLOBALS_BASE = 0x1000_0000_0000_0000
LITERALS_BASE = 0x2000_0000_0000_0000
STACK_BASE = 0x3000_0000_0000_0000
SLOT = 8


class GlobalConflict(Exception):  # noqa: N818 - it names what it reports
    """A global has another type in this session, or there are too many globals."""


class GlobalEntry(msgspec.Struct, frozen=True):
    """A global of a session: its symbol and its address in script memory."""

    symbol: GlobalSymbol
    address: int


class GlobalStore:
    """The globals of one session; they live as long as it does, all scripts and cores share them."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.entries: dict[str, GlobalEntry] = {}
        self.memory = private_memory(limits.max_global_bytes)
        self.used = 0

    def bind(self, symbols: tuple[GlobalSymbol, ...]) -> tuple[int, ...]:
        """The addresses of these globals, created with value 0 on first mention. Raises GlobalConflict."""
        for symbol in symbols:
            entry = self.entries.get(symbol.name)
            if entry is not None and (entry.symbol.type, entry.symbol.size) != (symbol.type, symbol.size):
                raise GlobalConflict(f".{symbol.name} is {entry.symbol.type} in this session, not {symbol.type}")
        new = [symbol for symbol in symbols if symbol.name not in self.entries]
        need = sum(-(-symbol.size // SLOT) * SLOT for symbol in new)
        if len(self.entries) + len({symbol.name for symbol in new}) > self.limits.max_globals:
            raise GlobalConflict(f"more than {self.limits.max_globals} global variables (limit max_globals)")
        if self.used + need > self.limits.max_global_bytes:
            raise GlobalConflict(f"more than {self.limits.max_global_bytes} bytes of globals (limit max_global_bytes)")
        for symbol in new:
            if symbol.name not in self.entries:
                size = -(-symbol.size // SLOT) * SLOT
                self.entries[symbol.name] = GlobalEntry(symbol, GLOBALS_BASE + self.used)
                self.memory[self.used : self.used + size] = bytes(size)  # blocks reach to the end of a page
                self.used += size
        return tuple(self.entries[symbol.name].address for symbol in symbols)

    def read(self, name: str) -> bytes:
        """The bytes of a global. Raises KeyError for a name that no script has mentioned."""
        entry = self.entries[name]
        start = entry.address - GLOBALS_BASE
        return self.memory[start : start + entry.symbol.size]

    def write(self, name: str, data: bytes) -> None:
        """Set the first bytes of a global. Raises KeyError as `read`; ValueError for more bytes than it has."""
        entry = self.entries[name]
        if len(data) > entry.symbol.size:
            raise ValueError(f".{name} has {entry.symbol.size} bytes")
        start = entry.address - GLOBALS_BASE
        self.memory[start : start + len(data)] = data


class Literals:
    """The string literals of one program, each at a multiple of eight."""

    def __init__(self, strings: tuple[bytes, ...]) -> None:
        self.addresses: list[int] = []
        data = bytearray()
        for text in strings:
            self.addresses.append(LITERALS_BASE + len(data))
            data += text + bytes(-len(text) % SLOT)
        self.memory = bytes(data)


class ScriptMemory:
    """The three regions as one run sees them. `top` is where the next frame starts, in bytes from STACK_BASE."""

    def __init__(self, store: GlobalStore, literals: Literals, stack: mmap.mmap) -> None:
        self.store = store
        self.literals = literals
        self.stack = stack
        self.top = 0

    def read(self, address: int, size: int) -> bytes | None:
        """`size` bytes, or None where [address, address + size) is not inside one region."""
        region = address >> 60
        offset = address & 0x0FFF_FFFF_FFFF_FFFF
        if region == 1 and offset + size <= self.store.used:
            return self.store.memory[offset : offset + size]
        if region == 2 and offset + size <= len(self.literals.memory):
            return self.literals.memory[offset : offset + size]
        if region == 3 and offset + size <= self.top:
            return self.stack[offset : offset + size]
        return None

    def write(self, address: int, data: bytes) -> bool:
        """Write all of data, or nothing and return False where it is not inside one writable region."""
        region = address >> 60
        offset = address & 0x0FFF_FFFF_FFFF_FFFF
        end = offset + len(data)
        if region == 1 and end <= self.store.used:
            self.store.memory[offset:end] = data
            return True
        if region == 3 and end <= self.top:
            self.stack[offset:end] = data
            return True
        return False

    @staticmethod
    def owns(address: int) -> bool:
        """Whether an address belongs to script memory and never to the guest."""
        return 1 <= address >> 60 <= 3
