"""Assembly text to machine code. Keystone encodes one instruction at a time and is not trusted with anything else.

Text is read by `assembly_syntax`; labels, data and numbers are resolved here; what Keystone returns is read back by
`assembly_check` and refused unless it means the same. Addresses without a register are given to it as `[riz*1 + n]`,
the only form that it does not turn into a RIP-relative one. Its options are never set: that would flip its radix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from machine.root.assembly_check import disagreement
from machine.root.assembly_syntax import (
    OPERAND_SIZES,
    AssemblerError,
    AssemblerWarning,
    Data,
    Expression,
    Immediate,
    Instruction,
    Label,
    Memory,
    Operand,
    Register,
    Statement,
    parse,
)

__all__ = ["AssemblerError", "AssemblerWarning", "Assembly", "MissingAssemblerError", "assemble"]

_MAX_ROUNDS = 32  # of branch sizes settling; each round lengthens at least one branch
_GUESS = 2  # bytes of an instruction before it was encoded: a short branch
_WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF

# Instructions newer than Keystone.
_OWN_ENCODINGS: dict[str, bytes] = {"endbr64": b"\xf3\x0f\x1e\xfa", "sysretq": b"\x48\x0f\x07"}

_SIZE_NAMES = {size: name for name, size in OPERAND_SIZES.items()}


class MissingAssemblerError(AssemblerError):
    """Keystone is not installed, so that nothing is known about the text."""


@dataclass(frozen=True)
class Assembly:
    """Assembled text: its bytes, how many instructions and data statements it has, and where its labels are."""

    code: bytes
    statements: int
    labels: Mapping[str, int]
    warnings: tuple[AssemblerWarning, ...]


def assemble(text: str, *, address: int = 0, radix: int = 10) -> Assembly:
    """Assemble for execution at `address`. `radix` (16 or 10) is that of numbers without a prefix.

    Condition and code blocks use 16, with a warning for numbers that look decimal; listings use 10. Raises
    AssemblerError; MissingAssemblerError when Keystone is not installed.
    """
    listing = parse(text, radix)
    names = _label_positions(listing.statements)
    layout = _Layout(listing.statements, address, names)
    for _ in range(_MAX_ROUNDS):
        if layout.encode_all():
            layout.verify()
            count = sum(not isinstance(statement, Label) for statement in listing.statements)
            return Assembly(b"".join(layout.pieces), count, layout.labels, listing.warnings)
    raise AssemblerError("the sizes of the branches do not settle", 1, 1)


def _label_positions(statements: tuple[Statement, ...]) -> list[str]:
    names: dict[str, None] = {}
    for statement in statements:
        if isinstance(statement, Label):
            if statement.name in names:
                raise statement.position.error(f"the label {statement.name!r} is defined twice")
            names[statement.name] = None
    return list(names)


@dataclass
class _Layout:
    """The bytes of every statement, for the label addresses of the round before."""

    statements: tuple[Statement, ...]
    base: int
    names: list[str]
    pieces: list[bytes] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    encoded: dict[int, bytes] = field(default_factory=dict)  # what does not depend on addresses, by statement

    def __post_init__(self) -> None:
        self.pieces = [self._first_guess(statement) for statement in self.statements]
        self._place()

    def _first_guess(self, statement: Statement) -> bytes:
        if isinstance(statement, Label):
            return b""
        if isinstance(statement, Data):
            return _data_bytes(statement, None)
        return bytes(_GUESS)

    def _place(self) -> None:
        address = self.base
        for statement, piece in zip(self.statements, self.pieces, strict=True):
            if isinstance(statement, Label):
                self.labels[statement.name] = address
            address += len(piece)

    def encode_all(self) -> bool:
        """One round; True when no label moved, so that every byte is final."""
        address, before = self.base, dict(self.labels)
        pieces: list[bytes] = []
        for index, statement in enumerate(self.statements):
            labels = {**before, "$": address} if not isinstance(statement, Label) else before
            piece = self._encode(index, statement, address, labels)
            pieces.append(piece)
            address += len(piece)
        sizes = [len(piece) for piece in self.pieces]
        self.pieces = pieces
        self._place()
        return self.labels == before and sizes == [len(piece) for piece in pieces]

    def _encode(self, index: int, statement: Statement, address: int, labels: Mapping[str, int]) -> bytes:
        if isinstance(statement, Label):
            return b""
        if isinstance(statement, Data):
            return _data_bytes(statement, labels)
        if index in self.encoded:
            return self.encoded[index]
        operands = _resolve(statement, labels, address + len(self.pieces[index]))
        piece = _encode_one(statement, operands, address)
        if not _depends_on_address(statement):
            self.encoded[index] = piece
        return piece

    def verify(self) -> None:
        """Read every instruction back. Raises AssemblerError for the first that means something else."""
        address = self.base
        for statement, piece in zip(self.statements, self.pieces, strict=True):
            if isinstance(statement, Instruction):
                operands = _resolve(statement, {**self.labels, "$": address}, address + len(piece))
                problem = disagreement(statement, operands, piece, address)
                if problem:
                    raise statement.position.error(f"`{statement.text}` cannot be assembled: {problem}")
            address += len(piece)


def _data_bytes(data: Data, labels: Mapping[str, int] | None) -> bytes:
    """The bytes of a data statement; zeros of the same length while labels have no addresses."""
    parts: list[bytes] = []
    for element in data.elements:
        if isinstance(element, bytes):
            parts.append(element)
        elif labels is None:
            parts.append(bytes(data.size))
        else:
            value, bits = element.value(labels), 8 * data.size
            if not -(1 << bits - 1) <= value < 1 << bits:
                raise data.position.error(f"{value:#x} does not fit in {data.size} bytes")
            parts.append((value % (1 << bits)).to_bytes(data.size, "little"))
    return b"".join(parts)


def _depends_on_address(instruction: Instruction) -> bool:
    """Whether the encoding changes with the address: a branch, or an operand with a label or relative to rip."""
    branch = instruction.mnemonic.startswith(("j", "call", "loop", "xbegin"))
    return branch or any(
        not isinstance(operand, Register)
        and (bool(operand.expression.labels) or (isinstance(operand, Memory) and operand.relative))
        for operand in instruction.operands
    )


def _resolve(instruction: Instruction, labels: Mapping[str, int], following: int) -> tuple[Operand, ...]:
    """The operands as numbers; relative addresses become rip plus the distance from the `following` instruction."""
    return tuple(_resolve_operand(instruction, operand, labels, following) for operand in instruction.operands)


def _resolve_operand(instruction: Instruction, operand: Operand, labels: Mapping[str, int], following: int) -> Operand:
    if isinstance(operand, Register):
        return operand
    value = operand.expression.value(labels)
    if isinstance(operand, Immediate):
        return Immediate(Expression(value))
    registers = operand.registers
    if operand.relative:
        value, registers = value - following, (("rip", 1),)
    elif value >> 63 == 1:
        value -= 1 << 64
    if not -(1 << 31) <= value < 1 << 31:
        raise instruction.position.error(
            f"the displacement {value & _WORD_MASK:#x} does not fit in 32 bits", "load the address into a register"
        )
    return replace(operand, registers=registers, expression=Expression(value))


def _encode_one(instruction: Instruction, operands: tuple[Operand, ...], address: int) -> bytes:
    if instruction.mnemonic in _OWN_ENCODINGS and not operands and not instruction.prefix:
        return _OWN_ENCODINGS[instruction.mnemonic]
    text = f"{instruction.prefix} {instruction.mnemonic} {', '.join(map(_render, operands))}".strip()
    try:
        encoding, _ = _keystone().asm(text, address)
    except ImportError:
        raise MissingAssemblerError(
            "assembly text needs the package keystone-engine, which is not installed",
            instruction.position.line,
            instruction.position.column,
            "install keystone-engine, or write the code as hexadecimal bytes",
        ) from None
    except _keystone_error() as error:
        reason = str(error).partition(" (")[0].lower()
        raise instruction.position.error(f"`{instruction.text}` cannot be assembled: {reason}") from None
    if not encoding:
        raise instruction.position.error(f"`{instruction.text}` produces no code")
    return bytes(encoding)


def _render(operand: Operand) -> str:
    """The operand as Keystone reads it without doubt: every number signed and hexadecimal."""
    if isinstance(operand, Register):
        return operand.name
    value = f"{operand.expression.constant:#x}"
    if isinstance(operand, Immediate):
        return value
    size = f"{_SIZE_NAMES[operand.size]} ptr " if operand.size is not None else ""
    segment = f"{operand.segment}:" if operand.segment is not None else ""
    registers = operand.registers or (("riz", 1),)
    terms = [name if scale == 1 and name != "riz" else f"{name}*{scale}" for name, scale in registers]
    return f"{size}{segment}[{' + '.join(terms)} + {value}]".replace("+ -", "- ")


@cache
def _keystone() -> Any:
    import keystone

    return keystone.Ks(keystone.KS_ARCH_X86, keystone.KS_MODE_64)


def _keystone_error() -> type[Exception]:
    import keystone

    error: type[Exception] = keystone.KsError
    return error
