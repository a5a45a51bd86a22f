"""Instructions for which Unicorn has no hook: they are looked for in every block when it is translated.

Unicorn says when it has translated a block, also one that was changed or made at run time, but for the first of a run
(tests/machine/processor/test_instruction_finder.py). A block in which a wanted instruction stands that has no hook yet
is not entered: the hooks are set, and it is translated anew. Code hooks fire only where an instruction starts, so other
bytes that look the same disturb nobody.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Protocol

import msgspec

from machine.memory import PAGE, AddressSpace, page_floor
from machine.processor.decoders import decoder

LONGEST_INSTRUCTION = 15  # bytes (Intel SDM volume 2A, section 2.3.11)
_LONGEST_BLOCK = 512  # instructions that Unicorn translates at once
_PIECE = 16  # that are decoded at once: nearly all blocks are shorter
_LEGACY_PREFIXES = bytes((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
_REX = bytes(range(0x40, 0x50))
_PREFIXES = _LEGACY_PREFIXES + _REX
_REX_B, _REX_R = 0, 2  # bits of a REX prefix
_LOCK = b"\xf0"
_UNKNOWN_CODE = 256  # bytes behind an instruction that Capstone does not know in which others are looked for
_KEPT = 64  # pieces of code
_ENDS = ("j", "call", "ret", "loop", "iret", "int", "sys", "hlt", "ud")  # what mnemonics begin with that end a block


class OperandKind(Enum):
    """What of an instruction's encoding is its operand."""

    IMMEDIATE = "the byte behind the opcode"
    REGISTER = "the general register that the r/m field of the ModR/M byte names"


class InstructionPattern(msgspec.Struct, frozen=True):
    """What the bytes of an instruction begin with, behind legacy and REX prefixes; `exact`: without any.

    Prefixes of `without` make it another instruction, or an undefined one. `register` is what the reg field of the
    ModR/M byte behind the opcode must be, 0 to 15.
    """

    opcode: bytes
    exact: bool = False
    without: bytes = _LOCK
    register: int | None = None
    operand: OperandKind | None = None

    def may_be_in(self, code: bytes) -> bool:
        """Whether such an instruction may stand somewhere in some code; asked of every block, without a decoder."""
        return self.opcode in code

    def matches(self, code: bytes) -> bool:
        """Whether this is the code of such an instruction."""
        if self.exact:
            return code.startswith(self.opcode)
        rest = code.lstrip(_PREFIXES)
        if not rest.startswith(self.opcode) or any(prefix in self.without for prefix in code[: -len(rest)]):
            return False
        return self.register is None or self.register_of(code) == self.register

    def length_of(self, code: bytes) -> int:
        """The length of such an instruction that has nothing behind its opcode."""
        return len(code) - len(code.lstrip(_PREFIXES)) + len(self.opcode)

    def operand_of(self, code: bytes) -> int:
        """The operand of such an instruction: a byte or the number of a register; 0 where it has none."""
        match self.operand:
            case OperandKind.IMMEDIATE:
                return self._behind_opcode(code)
            case OperandKind.REGISTER:
                return self._field(code, 0, _REX_B)
        return 0

    def register_of(self, code: bytes) -> int:
        """What the reg field of the ModR/M byte is, 0 to 15."""
        return self._field(code, 3, _REX_R)

    def _behind_opcode(self, code: bytes) -> int:
        return next(iter(code.lstrip(_PREFIXES)[len(self.opcode) :]), 0)

    def _field(self, code: bytes, shift: int, extension: int) -> int:
        """Three bits of the ModR/M byte, and the bit of a REX prefix that extends them."""
        prefixes = code[: len(code) - len(code.lstrip(_PREFIXES))]
        rex = prefixes[-1] if prefixes[-1:] and prefixes[-1] in _REX else 0
        return self._behind_opcode(code) >> shift & 7 | (rex >> extension & 1) << 3


class Site(msgspec.Struct, frozen=True):
    """A place at which a wanted instruction stands, and its code."""

    pattern: InstructionPattern
    address: int
    code: bytes

    @property
    def length(self) -> int:
        """Of the instruction in bytes."""
        return len(self.code)

    @property
    def operand(self) -> int:
        """As the pattern says."""
        return self.pattern.operand_of(self.code)


def is_privileged(code: bytes) -> bool:
    """Whether bytes begin with an instruction that not every privilege level may execute, IN and OUT among them."""
    from capstone import CS_GRP_PRIVILEGE, x86

    also = {
        *(x86.X86_INS_IN, x86.X86_INS_INSB, x86.X86_INS_INSW, x86.X86_INS_INSD),
        *(x86.X86_INS_OUT, x86.X86_INS_OUTSB, x86.X86_INS_OUTSW, x86.X86_INS_OUTSD),
        *(x86.X86_INS_RDMSR, x86.X86_INS_CLTS),
    }
    found = decoder(detail=True).disasm(code, 0, 1)
    return any(instruction.id in also or instruction.group(CS_GRP_PRIVILEGE) for instruction in found)


def has_lock(code: bytes) -> bool:
    """Whether an instruction has the prefix LOCK."""
    return _LOCK in code[: len(code) - len(code.lstrip(_LEGACY_PREFIXES))]


class Removable(Protocol):
    """A hook."""

    def remove(self) -> None:
        """Hook no more."""
        ...


class Served(Removable, Protocol):
    """Hooks that serve a site."""

    def come_last(self) -> None:
        """Another hook of the address has been installed: be called behind it."""
        ...


Serve = Callable[[Site], Served]


class SiteHook:
    """One hook that serves a site."""

    def __init__(self, install: Callable[[], Removable]) -> None:
        self._install = install
        self._hook = install()

    def come_last(self) -> None:
        """Be called behind other hooks of the address."""
        self._hook.remove()
        self._hook = self._install()

    def remove(self) -> None:
        """Serve it no more."""
        self._hook.remove()


class Translation(ctypes.Structure):
    """A translated block: uc_tb of unicorn.h."""

    _fields_ = (("address", ctypes.c_uint64), ("instructions", ctypes.c_uint16), ("size", ctypes.c_uint16))


class InstructionFinder:
    """The sites of one CPU. It only decides: hooking and translating anew are the business of `Cpu`."""

    def __init__(self, memory: AddressSpace) -> None:
        self._memory = memory
        self._wanted: dict[InstructionPattern, Serve] = {}
        self._sites: dict[int, tuple[Site, Served]] = {}
        self._looked_at: dict[int, bytes] = {}  # code that a run began in, by its address
        self._begun: set[int] = set()  # where runs have begun without a wanted instruction near
        self._moves: int | None = None  # the address whose site is coming last
        self._by_page: dict[int, set[int]] = {}

    @property
    def is_active(self) -> bool:
        """Whether anything is looked for."""
        return bool(self._wanted)

    def look_for(self, wanted: Mapping[InstructionPattern, Serve]) -> bool:
        """Look for these instructions from now on; whether there is a new one, so that all code must be looked at."""
        self._looked_at.clear()
        grown = not wanted.keys() <= self._wanted.keys()
        self._wanted = dict(wanted)
        for address in [address for address, (site, _) in self._sites.items() if site.pattern not in wanted]:
            self._forget(address)
        return grown

    def unserved(self, address: int, size: int) -> list[Site] | None:
        """The wanted instructions of a translated block that have no hook yet; None when it may be entered as it is.

        Sites in it whose code was changed are dropped: then it is translated anew without their hooks, too.
        """
        code = self._memory.read(address, size) or b""
        dropped = bool(self._sites) and self._drop_stale(address, size)
        found: list[Site] = []
        if self._has_opcode(code):
            found = [site for site in self._sites_in(code, address) if site.address not in self._sites]
        return found if found or dropped else None

    def unserved_from(self, start: int) -> list[Site]:
        """The same in the block that begins at an address, which is not translated yet."""
        known = self._looked_at.get(start)
        if known is not None and self._memory.read_up_to(start, len(known)) == known:
            return []  # runs that go on behind exceptions begin often, and this takes a hundredth of the time
        code = self._memory.read_up_to(start, _LONGEST_BLOCK * LONGEST_INSTRUCTION)
        if start not in self._begun and not self._sites and not self._has_opcode(code):
            if len(self._begun) >= _KEPT:
                self._begun.clear()
            self._begun.add(start)  # many programs begin once: for these no decoder is loaded
            return []
        size = _block_size(code)
        found = self.unserved(start, size) or []
        if len(self._looked_at) >= _KEPT:
            self._looked_at.clear()
        if size < len(code):  # else it may go on in a page that is not there yet
            self._looked_at[start] = code[:size]  # all is served then
        return found

    def _has_opcode(self, code: bytes) -> bool:
        """Whether there may be a wanted instruction in some code."""
        return any(pattern.may_be_in(code) for pattern in self._wanted)

    def serve(self, sites: list[Site]) -> None:
        """Have sites served."""
        for site in sites:
            self._sites[site.address] = site, self._wanted[site.pattern](site)
            self._by_page.setdefault(page_floor(site.address), set()).add(site.address)

    def come_last(self, address: int) -> None:
        """An address has got another hook, which is to be called before the one of a site."""
        if address in self._sites and address != self._moves:
            self._moves = address
            self._sites[address][1].come_last()
            self._moves = None

    def _sites_in(self, code: bytes, address: int) -> Iterator[Site]:
        """Those in some code. Behind an instruction that Capstone does not know, wherever one could begin."""
        known = 0
        for start, length, _, _ in decoder().disasm_lite(code, address):
            known = start - address + length
            yield from self._site(start, code[start - address : known])
        for at in range(known, len(code)):
            for start, length, _, _ in decoder().disasm_lite(code[at : at + LONGEST_INSTRUCTION], address + at, 1):
                yield from self._site(start, code[at : at + length])

    def _site(self, address: int, code: bytes) -> Iterator[Site]:
        pattern = next((each for each in self._wanted if each.matches(code)), None)
        if pattern is not None:
            yield Site(pattern, address, code)

    def _drop_stale(self, address: int, size: int) -> bool:
        """Whether another instruction stands at a site now."""
        stale = [
            place
            for page in range(page_floor(address), address + size, PAGE)
            for place in self._by_page.get(page, ())
            if address <= place < address + size and self._is_stale(self._sites[place][0])
        ]
        for place in stale:
            self._forget(place)
        return bool(stale)

    def _is_stale(self, site: Site) -> bool:
        return self._memory.read_up_to(site.address, site.length) != site.code

    def _forget(self, address: int) -> None:
        self._looked_at.clear()
        self._sites.pop(address)[1].remove()
        self._by_page[page_floor(address)].discard(address)


def _block_size(code: bytes) -> int:
    """The bytes of the block that this code begins with, or more."""
    size, count = 0, 0
    while count < _LONGEST_BLOCK:
        known = count
        for _, length, mnemonic, _ in decoder().disasm_lite(
            code[size : size + _PIECE * LONGEST_INSTRUCTION], 0, _PIECE
        ):
            size, count = size + int(length), count + 1
            if mnemonic.startswith(_ENDS):
                return size
        if count < known + _PIECE:
            break
    return min(size + _UNKNOWN_CODE, len(code))
