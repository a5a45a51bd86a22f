"""The Host protocol: everything through which a program touches the world, and nothing else.

An engine reads and writes registers, guest memory and pseudo-registers, sends messages and makes requests of the
debugger through a Host. Script memory (variables, literals) is the engine's own; addresses outside it go to the Host.
`MemoryHost` is the in-memory Host of `hds eval`, `hds conform` and the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vm.facts.paging import PAGE_BITS
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import STORAGES

PAGE = 1 << PAGE_BITS  # bytes
WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF


class UnsupportedHere(Exception):  # noqa: N818 - named after the run-time error kind that it becomes
    """The host does not have this feature; the run stops with `unsupported_here` (language.md 16.2)."""


class Host(Protocol):
    """What an engine may ask of the world. Addresses and register values are unsigned 64-bit integers."""

    def read_register(self, storage: int) -> int:
        """The 64 bits of a storage, an index into `vm.facts.registers.STORAGES`; 0 where the host has no such one."""
        ...

    def write_register(self, storage: int, value: int) -> None:
        """Set all 64 bits of a storage. A host without this register ignores it."""
        ...

    def read_memory(self, address: int, size: int) -> bytes | None:
        """`size` bytes of guest memory, or None when any of them is not readable. Never raises."""
        ...

    def write_memory(self, address: int, data: bytes) -> bool:
        """Write all of `data` and return True, or write nothing and return False when any byte is not writable."""
        ...

    def read_physical(self, address: int, size: int) -> bytes | None:
        """As `read_memory`, at a physical address. Raises UnsupportedHere on a host without physical memory."""
        ...

    def write_physical(self, address: int, data: bytes) -> bool:
        """As `write_memory`, at a physical address. Raises UnsupportedHere on a host without physical memory."""
        ...

    def pseudo_register(self, index: int) -> int:
        """The value of a pseudo-register, an index into PSEUDO_REGISTERS; 0 when unknown."""
        ...

    def message(self, text: bytes) -> None:
        """One message of the script: the text of one print or printf, without a terminating zero."""
        ...

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        """A built-in function of the debugger families (`vm.facts.builtins`, effect "host"), by its canonical name.

        Returns its 64-bit result, 0 for those without one. Raises UnsupportedHere for what the host cannot do at all.
        """
        ...


@dataclass
class MemoryHost:
    """Registers, memory regions and messages in plain Python objects; every debugger request is recorded.

    Memory is page-granular: the regions are given as (address, size, first bytes), the rest is zero, all of it is
    readable and writable, and nothing else is mapped.
    """

    registers: dict[str, int] = field(default_factory=dict)
    pseudo: dict[str, int] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)
    requests: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    pages: dict[int, bytearray] = field(default_factory=dict)
    clock: int = 0

    @classmethod
    def with_memory(
        cls, registers: Mapping[str, int], regions: Iterable[tuple[int, int, bytes]], **pseudo: int
    ) -> MemoryHost:
        """A host with these general registers (by name) and mapped regions."""
        host = cls(registers=dict(registers), pseudo=dict(pseudo))
        for address, size, first in regions:
            host.map(address, size, first)
        return host

    def map(self, address: int, size: int, first: bytes = b"") -> None:
        """Map every page that [address, address + size) touches and put `first` at its start."""
        for page in range(address // PAGE, (address + max(size, len(first), 1) + PAGE - 1) // PAGE):
            self.pages.setdefault(page, bytearray(PAGE))
        self.write_memory(address, first)

    def read_register(self, storage: int) -> int:
        return self.registers.get(STORAGES[storage], 0)

    def write_register(self, storage: int, value: int) -> None:
        self.registers[STORAGES[storage]] = value & WORD_MASK

    def _mapped(self, address: int, size: int) -> bool:
        return all(page in self.pages for page in range(address // PAGE, (address + size - 1) // PAGE + 1))

    def read_memory(self, address: int, size: int) -> bytes | None:
        page, offset = divmod(address, PAGE)
        if offset + size <= PAGE:
            data = self.pages.get(page)
            return None if data is None else bytes(data[offset : offset + size])
        if size > len(self.pages) * PAGE or not self._mapped(address, size):
            return None
        last = (address + size - 1) // PAGE
        return b"".join(bytes(self.pages[number]) for number in range(page, last + 1))[offset : offset + size]

    def write_memory(self, address: int, data: bytes) -> bool:
        if not data:
            return True
        if len(data) > len(self.pages) * PAGE or not self._mapped(address, len(data)):
            return False
        done = 0
        while done < len(data):
            page, offset = divmod(address + done, PAGE)
            part = data[done : done + PAGE - offset]
            self.pages[page][offset : offset + len(part)] = part
            done += len(part)
        return True

    def read_physical(self, address: int, size: int) -> bytes | None:
        raise UnsupportedHere("this host has no physical memory")

    def write_physical(self, address: int, data: bytes) -> bool:
        raise UnsupportedHere("this host has no physical memory")

    def pseudo_register(self, index: int) -> int:
        return next((self.pseudo[name] for name in self.pseudo if PSEUDO_INDEX[name] == index), 0)

    def message(self, text: bytes) -> None:
        self.messages.append(text)

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        self.requests.append((name, arguments))
        if name == "microsleep":
            self.clock += arguments[0] * 1000
        if name in ("rdtsc", "rdtscp"):
            self.clock += 1
            return self.clock & WORD_MASK
        return 0
