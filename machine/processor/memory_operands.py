"""The memory accesses of one instruction, in order, from its bytes and the registers before it.

For the address of a fault of which only page and kind are known. Not among them: descriptors and task state that far
transfers and segment loads read, the stack of another privilege level, and what is looked at without being touched (the
final stack pointer of ENTER, the bytes that MASKMOVDQU does not select). By the Intel SDM, volume 2; where processors
differ (near calls and returns with prefix 66, far pointers with REX.W), as the emulated one does it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from machine.memory import PAGE, is_canonical
from machine.processor.instruction_finder import LONGEST_INSTRUCTION
from machine.processor.memory_forms import VEX, Word, opcodes_of
from machine.processor.registers import FIRST_MM, FIRST_XMM, FS_BASE, GS_BASE
from vm.facts.registers import RIP, STORAGE_INDEX

_PLANS_KEPT = 8192
_WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF
_HALF_MASK = 0xFFFF_FFFF
_RAX, _RCX, _RBX, _RSP, _RBP, _RSI, _RDI = (
    STORAGE_INDEX[name] for name in ("rax", "rcx", "rbx", "rsp", "rbp", "rsi", "rdi")
)
_REX, _REX_W, _REX_R, _REX_X, _REX_B = 0x40, 8, 4, 2, 1
_REGISTER_FORM = 0xC0  # the lowest ModRM that names no memory
_MOVBE = (b"\x0f\x38\xf0", b"\x0f\x38\xf1")  # of two registers: undefined; memory for the emulator
_SEGMENTS = {0x64: FS_BASE, 0x65: GS_BASE}
_REPEATS = {0xF3: 2, 0xF2: 3}  # and the position among the rows of an opcode
_IGNORED_PREFIXES = frozenset((0xF0, 0x2E, 0x36, 0x3E, 0x26))  # LOCK, and segments that have no base in 64-bit mode


class Access(NamedTuple):
    """One access: its linear address (64 bits, wrapped), its size in bytes, and whether it writes.

    `modifies` marks both accesses of a read-modify-write operand. A processor wants the right to write before it reads
    such an operand, so the error code of its fault has the W bit, where the emulator tells of a read. `on_stack` marks
    those of the stack segment, whose addresses are #SS where they are not canonical, and #GP elsewhere.
    """

    address: int
    size: int
    is_write: bool
    modifies: bool = False
    on_stack: bool = False


def accesses(code: bytes, rip: int, read: Callable[[int], int]) -> tuple[Access, ...]:
    """The memory accesses of the instruction at the start of `code`; of a repeated one, those of the next iteration.

    `code` may be longer than the instruction; one that is cut off or unknown has none. `rip` is the address of the
    instruction, `read` gives registers by number, as `RegisterFile.read` does. The direction flag does not matter here.
    """
    plan = _plan_of(code)
    if plan.counter_mask and not read(_RCX) & plan.counter_mask:
        return ()
    found = []
    for step in plan.steps:
        address = _address(step, rip, read)
        if step.selector is not None:
            return _selected(address, step, read(step.selector))
        if step.reads:
            found.append(Access(address, step.size, False, step.writes, step.on_stack))
        if step.writes:
            found.append(Access(address, step.size, True, step.reads, step.on_stack))
    return tuple(found)


class PlainOperand(NamedTuple):
    """The one operand of an instruction, at base + scaled * scale + displacement: two storages, None for none."""

    base: int | None
    scaled: int | None
    scale: int
    displacement: int


def plain_operand(code: bytes, rip: int) -> PlainOperand | None:
    """The operand of the instruction at the start of `code`, if it has one, of this form."""
    plan = _plan_of(code)
    if plan.counter_mask or len(plan.steps) != 1:
        return None
    step = plan.steps[0]
    whole = (step.index_mask, step.address_mask) == (_WORD_MASK, _WORD_MASK)
    if not whole or (step.segment, step.bit_register, step.selector) != (None, None, None):
        return None
    if step.base == RIP:
        return PlainOperand(None, step.index, step.scale, step.displacement + rip)
    return PlainOperand(step.base, step.index, step.scale, step.displacement)


def counter_of(code: bytes) -> int:
    """The bits of rcx that count, if `code` begins with a repeated instruction; else 0."""
    return _plan_of(code).counter_mask


def out_of_range(made: tuple[Access, ...], page: int, is_write: bool) -> Access | None:
    """The first access of that kind that touches a page and an address that is not canonical; it faults as a whole."""
    for access in made:
        ends = access.address, access.address + access.size - 1 & _WORD_MASK
        if faulting((access,), page, is_write) is not None and not all(map(is_canonical, ends)):
            return access
    return None


def faulting(made: tuple[Access, ...], page: int, is_write: bool) -> tuple[int, int] | None:
    """The first byte in a page that an access of that kind touches, and how many bytes of the access lie in the page.

    So CR2 and si_addr have it: the address of the access, or the page's first byte where the access began before. None
    where no access of that kind touches the page, which is so for what Unicorn reads beyond an operand (16 bytes for
    CVTPS2PD's 8). `page` is any address of the 4,096 bytes.
    """
    page &= -PAGE & _WORD_MASK
    for access in made:
        if access.is_write != is_write:
            continue
        offset = (access.address - page) & _WORD_MASK
        if offset < PAGE:
            return access.address, min(access.size, PAGE - offset)
        before = (page - access.address) & _WORD_MASK
        if before < access.size:
            return page, min(access.size - before, PAGE)
    return None


class _Step(msgspec.Struct, frozen=True):
    """An operand: where it lies by which registers, its size in bytes, and what is done to it."""

    size: int = 0
    reads: bool = False
    writes: bool = False
    displacement: int = 0
    base: int | None = None
    index: int | None = None
    scale: int = 1
    index_mask: int = _WORD_MASK
    address_mask: int = _WORD_MASK
    segment: int | None = None
    bit_register: int | None = None  # holds a signed bit offset as wide as the operand
    selector: int | None = None  # the register that selects bytes, by bit 7 of each of its own

    @property
    def on_stack(self) -> bool:
        """Whether it is of the stack segment: by its base, unless FS or GS takes its place (SDM volume 1, 3.7.4)."""
        return self.segment is None and self.base in (_RSP, _RBP)


class _Plan(msgspec.Struct, frozen=True):
    """The operands of an instruction; `counter_mask` are the bits of rcx that count, if it is repeated."""

    steps: tuple[_Step, ...] = ()
    counter_mask: int = 0


_NOTHING = _Plan()


def _address(step: _Step, rip: int, read: Callable[[int], int]) -> int:
    address = step.displacement
    if step.base is not None:
        address += rip if step.base == RIP else read(step.base)
    if step.index is not None:
        address += (read(step.index) & step.index_mask) * step.scale
    if step.bit_register is not None:
        address += _bit_displacement(read(step.bit_register), step.size)
    address &= step.address_mask
    return address if step.segment is None else (address + read(step.segment)) & _WORD_MASK


def _bit_displacement(offset: int, size: int) -> int:
    """How many bytes beyond its operand the string of bits is accessed (BT: SDM volume 1, figure 3-12)."""
    bits = 8 * size
    offset &= (1 << bits) - 1
    signed = offset - (offset >> (bits - 1) << bits)
    return signed // bits * size


def _selected(address: int, step: _Step, selector: int) -> tuple[Access, ...]:
    chosen = (number for number in range(step.size) if selector >> (8 * number + 7) & 1)
    return tuple(Access((address + number) & _WORD_MASK, 1, True) for number in chosen)


class _CutOffError(Exception):
    """The bytes end before the instruction does."""


@lru_cache(maxsize=_PLANS_KEPT)
def _plan_of(code: bytes) -> _Plan:
    try:
        return _Decoder(code[:LONGEST_INSTRUCTION]).plan()
    except _CutOffError:
        return _NOTHING


class _Decoder:
    """Decodes one instruction; `plan` is called once."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._at = 0
        self._has_66 = False
        self._address_mask = _WORD_MASK
        self._segment: int | None = None
        self._repeat = 0
        self._rex = 0
        self._modrm = 0
        self._operand: _Step | None = None  # of ModRM, where that names memory
        self._immediate = 0
        self._pushed = 0  # bytes by which rsp has been moved so far, downwards

    def plan(self) -> _Plan:
        """Raises _CutOffError."""
        opcode, escape = self._prefixes(), b""
        if opcode == 0x0F:
            escape, opcode = b"\x0f", self._number(1)
            if opcode in (0x38, 0x3A):
                escape, opcode = bytes((0x0F, opcode)), self._number(1)
        elif opcode == VEX:
            escape, opcode = self._vex(), self._number(1)
        found = opcodes_of(escape).get(opcode)
        if found is None:
            return _NOTHING
        if found.has_modrm:
            self._modrm = self._number(1)
            if self._modrm < _REGISTER_FORM:
                self._operand = self._modrm_operand()
            elif escape + bytes((opcode,)) in _MOVBE and not self._repeat:
                self._operand = self._at_register(self._modrm & 7 | (self._rex & _REX_B) << 3)
        row = found.rows[self._modrm >> 3 & 7][self._repeat or self._has_66]
        for width in row.immediates:
            self._immediate = self._number(self._size(width))
        if self._operand is not None and self._operand.base == RIP:
            self._operand = replace(self._operand, displacement=self._operand.displacement + self._at)
        steps = tuple(step for word in row.words for step in self._steps(word))
        return _Plan(steps, self._address_mask if row.repeats and self._repeat else 0)

    def _prefixes(self) -> int:
        """Pass over the prefixes; the byte behind them. REX counts directly before the opcode only (SDM 2.2.1)."""
        while True:
            byte = self._number(1)
            if byte & 0xF0 == _REX:
                self._rex = byte
                continue
            if byte == 0x66:
                self._has_66 = True
            elif byte == 0x67:
                self._address_mask = _HALF_MASK
            elif byte in _SEGMENTS:
                self._segment = _SEGMENTS[byte]
            elif byte in _REPEATS:
                self._repeat = _REPEATS[byte]
            elif byte not in _IGNORED_PREFIXES:
                return byte
            self._rex = 0

    def _vex(self) -> bytes:
        """The two bytes behind C4, with a REX prefix in them (SDM 2.3.5); the escape of the map that they name."""
        inverted, rest = self._number(1) ^ 0xE0, self._number(1)
        self._rex = _REX | inverted >> 5 | (_REX_W if rest & 0x80 else 0)
        return bytes((VEX, inverted & 31))

    def _modrm_operand(self) -> _Step:
        """The operand of ModRM and SIB (SDM volume 2, tables 2-2 and 2-3), as yet without size and kind."""
        mode, low = self._modrm >> 6, self._modrm & 7
        has_sib = low == _RSP
        index, scale = None, 1
        if has_sib:
            sib = self._number(1)
            low, number = sib & 7, sib >> 3 & 7 | (self._rex & _REX_X) << 2
            index, scale = None if number == _RSP else number, 1 << (sib >> 6)
        base: int | None = low | (self._rex & _REX_B) << 3
        width = (0, 1, 4)[mode]
        if mode == 0 and low == _RBP:
            base, width = None if has_sib else RIP, 4
        displacement = self._number(width, signed=True)
        return replace(self._at_register(base), displacement=displacement, index=index, scale=scale)

    def _steps(self, word: Word) -> list[_Step]:
        """The operands that one word of the table stands for."""
        size = self._size(word.size)
        if word.place == "enter":
            return self._enter(size)
        place = self._place(word.place, size)
        if place is None:
            return []
        return [replace(place, size=place.size or size, reads=word.kind in "RM", writes=word.kind in "WM")]

    def _place(self, name: str, size: int) -> _Step | None:
        """Where an operand lies; None where a register stands in its place."""
        match name:
            case "push":
                self._pushed += size
                return _Step(base=_RSP, displacement=-self._pushed)
            case "pop":
                self._pushed -= size
                return _Step(base=_RSP, displacement=-self._pushed - size)
            case "rbp":
                return _Step(base=_RBP)
            case "rdi":
                return replace(self._at_register(_RDI), segment=None)
            case "rsi":
                return self._at_register(_RSI)
            case "xlat":
                return replace(self._at_register(_RBX), index=_RAX, index_mask=0xFF)
            case "moffs":
                return replace(
                    self._at_register(None), displacement=self._number(8 if self._address_mask == _WORD_MASK else 4)
                )
            case "mask":
                return self._selected_bytes()
        operand = self._operand
        if operand is None:
            return None
        if name == "bit":
            return replace(operand, bit_register=self._modrm >> 3 & 7 | (self._rex & _REX_R) << 1)
        if operand.base == _RSP and self._pushed < 0:  # POP counts from where rsp is then
            return replace(operand, displacement=operand.displacement - self._pushed)
        return operand

    def _at_register(self, base: int | None) -> _Step:
        return _Step(base=base, address_mask=self._address_mask, segment=self._segment)

    def _selected_bytes(self) -> _Step | None:
        """What MASKMOVQ and MASKMOVDQU write; they have no form with a memory operand."""
        if self._operand is not None:
            return None
        number = self._modrm & 7
        if self._has_66:
            return replace(self._at_register(_RDI), size=16, selector=FIRST_XMM + (number | (self._rex & _REX_B) << 3))
        return replace(self._at_register(_RDI), size=8, selector=FIRST_MM + number)

    def _enter(self, size: int) -> list[_Step]:
        """rbp, the frame pointers of the outer levels, and the new one."""
        level = self._immediate & 31
        steps = [_Step(size, writes=True, base=_RSP, displacement=-size)]
        for number in range(1, level):
            steps.append(_Step(size, reads=True, base=_RBP, displacement=-size * number))
            steps.append(_Step(size, writes=True, base=_RSP, displacement=-size * (number + 1)))
        if level:
            steps.append(_Step(size, writes=True, base=_RSP, displacement=-size * (level + 1)))
        return steps

    def _size(self, name: str) -> int:
        """The bytes of a size of the table."""
        if name.isdigit():
            return int(name)
        wide = bool(self._rex & _REX_W)
        narrow = self._has_66 and not wide
        operand = 8 if wide else 2 if narrow else 4
        sizes = {
            "b": 1, "w": 2, "d": 4, "q": 8, "x": 16,
            "v": operand, "y": 8 if wide else 4, "z": 2 if narrow else 4, "s": 2 if narrow else 8,
            "f": operand + 2, "l": 4 if narrow else 6,
            "m": 16 if self._has_66 else 8, "h": 16 if self._has_66 else 4, "pair": 16 if wide else 8,
            "e": 14 if narrow else 28, "a": 94 if narrow else 108, "fx": 512, "xs": 512 + 64,
        }  # fmt: skip
        return sizes[name]

    def _number(self, width: int, signed: bool = False) -> int:
        """The next bytes as a little-endian number. Raises _CutOffError."""
        end = self._at + width
        if end > len(self._code):
            raise _CutOffError
        value = int.from_bytes(self._code[self._at : end], "little", signed=signed)
        self._at = end
        return value
