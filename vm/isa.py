"""THE table of instructions. Encoder, decoder, verifier, disassembler, both engines and docs/bytecode.md read it.

An instruction is one 32-bit word: opcode in bits 0-7, A in 8-15, and then B in 16-23 and C in 24-31, or one 16-bit
operand in 16-31; `JMP` has one signed 24-bit operand in 8-31. A frame has 256 registers of 64 bits. A register always
holds a value in canonical form: an integer extended to 64 bits as its type says, the bits of a double, or the bits of
a float zero-extended. So most instructions need no type.

*Fuel* is what an instruction costs of `max_steps`. Fetching an operand and putting a result into a variable or register
is free, as in HyperDbg, whose operators do both; operators, stores through addresses, jumps and calls cost 1
(language.md 16.3 and 20.2).
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property, lru_cache

import msgspec


class Operand(Enum):
    """What an operand designates; the verifier checks each kind against the program."""

    DST = "register written"
    SRC = "register read"
    KIND = "integer type, an index into INTEGER_KINDS"
    INT16 = "signed 16-bit number"
    BITS16 = "unsigned 16-bit number"
    CONSTANT = "index into the constant pool"
    STRING = "index into the string literals"
    SLOT = "eight-byte slot of the frame's memory"
    GLOBAL = "index into the program's globals"
    REGISTER = "index into vm.facts.registers.REGISTERS"
    PSEUDO = "index into vm.facts.pseudo_registers.PSEUDO_REGISTERS"
    FUNCTION = "index into the functions"
    BUILTIN = "index into vm.facts.builtins.BUILTINS"
    FORMAT = "index into the printf formats"
    ARGUMENT = "number of the argument, from 0"
    JUMP16 = "signed 16-bit distance from the next instruction"
    JUMP24 = "signed 24-bit distance from the next instruction"


WIDE = {
    Operand.INT16, Operand.BITS16, Operand.CONSTANT, Operand.STRING, Operand.SLOT, Operand.GLOBAL, Operand.REGISTER,
    Operand.PSEUDO, Operand.FUNCTION, Operand.BUILTIN, Operand.FORMAT, Operand.ARGUMENT, Operand.JUMP16,
}  # fmt: skip

# Integer types of conversions from floating point, by operand value: (name, bits, signed).
INTEGER_KINDS: tuple[tuple[str, int, bool], ...] = (
    ("i8", 8, True), ("u8", 8, False), ("i16", 16, True), ("u16", 16, False),
    ("i32", 32, True), ("u32", 32, False), ("i64", 64, True), ("u64", 64, False),
)  # fmt: skip


class Instruction(msgspec.Struct, frozen=True, dict=True):
    """One row of the table."""

    mnemonic: str
    operands: tuple[Operand, ...]
    fuel: int
    doc: str
    opcode: int = -1

    @cached_property
    def is_jump(self) -> bool:
        """Whether the last operand is a jump distance."""
        return bool(self.operands) and self.operands[-1] in (Operand.JUMP16, Operand.JUMP24)

    @cached_property
    def ends_block(self) -> bool:
        """Whether execution does not simply go on with the next instruction."""
        return self.is_jump or self.mnemonic in ("RET", "RETV")


_D, _S = Operand.DST, Operand.SRC
_DSS, _DS = (_D, _S, _S), (_D, _S)


def _rows() -> list[Instruction]:
    table: list[Instruction] = []

    def row(mnemonic: str, operands: tuple[Operand, ...], fuel: int, doc: str) -> None:
        table.append(Instruction(mnemonic, operands, fuel, doc, len(table)))

    # Operands
    row("LDI", (_D, Operand.INT16), 0, "A = the number, sign-extended")
    row("LDH", (_D, Operand.BITS16), 0, "A = A << 16 | the number")
    row("LDK", (_D, Operand.CONSTANT), 0, "A = 64-bit constant")
    row("STR", (_D, Operand.STRING), 0, "A = address of the literal's first unit")
    row("LEA", (_D, Operand.SLOT), 0, "A = address of a slot of this frame's memory")
    row("ADG", (_D, Operand.GLOBAL), 0, "A = address of a global")
    row("LDF", (_D, Operand.SLOT), 0, "A = 64 bits of a slot of this frame's memory")
    row("STF", (_S, Operand.SLOT), 0, "slot of this frame's memory = A")
    row("LDG", (_D, Operand.GLOBAL), 0, "A = 64 bits of a global")
    row("STG", (_S, Operand.GLOBAL), 0, "global = A")
    row("LDM", (_D, Operand.REGISTER), 0, "A = machine register, zero-extended")
    row("STM", (_S, Operand.REGISTER), 0, "the machine register's bits = the low bits of A, nothing else changes")
    row("LDP", (_D, Operand.PSEUDO), 0, "A = pseudo-register")
    row("PAR", (_D, Operand.ARGUMENT), 0, "A = argument of this call")
    row("MOV", _DS, 1, "A = B")
    # Memory: script memory or guest memory; stops with invalid_address
    for bits in (8, 16, 32, 64):
        row(f"LD{bits}", _DS, 1, f"A = {bits} bits at address B, zero-extended")
    for bits in (8, 16, 32):
        row(f"LD{bits}S", _DS, 1, f"A = {bits} bits at address B, sign-extended")
    for bits in (8, 16, 32, 64):
        row(f"ST{bits}", (_S, _S), 1, f"{bits} bits at address A = the low bits of B")
    row("COPY", (_S, _S, _S), 1, "C bytes at address A = C bytes at address B, as if through a buffer")
    row("ZERO", (_S, _S), 1, "B bytes at address A = 0")
    row("BOUND", (_S, _S), 1, "stops with index_out_of_range unless A < B, unsigned")
    row("PDIV", _DSS, 1, "A = B / C, signed; stops with pointer_difference when there is a remainder")
    # Integer arithmetic: no suffix = 64 bits, W = signed 32 bits, UW = unsigned 32 bits
    for name, sign in (("ADD", "+"), ("SUB", "-"), ("MUL", "*")):
        row(name, _DSS, 1, f"A = B {sign} C modulo 2**64")
        row(name + "W", _DSS, 1, f"A = B {sign} C modulo 2**32, sign-extended")
        row(name + "UW", _DSS, 1, f"A = B {sign} C modulo 2**32, zero-extended")
    row("DIVS", _DSS, 1, "A = B / C, signed 64 bits; stops with division_by_zero, division_overflow")
    row("DIVSW", _DSS, 1, "A = B / C, signed 32 bits; stops with division_by_zero, division_overflow")
    row("DIVU", _DSS, 1, "A = B / C, unsigned; stops with division_by_zero")
    row("MODS", _DSS, 1, "A = B % C with the sign of B, signed 64 bits; stops as DIVS")
    row("MODSW", _DSS, 1, "A = B % C with the sign of B, signed 32 bits; stops as DIVSW")
    row("MODU", _DSS, 1, "A = B % C, unsigned; stops with division_by_zero")
    row("AND", _DSS, 1, "A = B & C")
    row("OR", _DSS, 1, "A = B | C")
    row("XOR", _DSS, 1, "A = B ^ C")
    row("SHL", _DSS, 1, "A = B << C, 64 bits; stops with shift_out_of_range unless 0 <= C < 64")
    row("SHLW", _DSS, 1, "A = B << C, signed 32 bits; stops with shift_out_of_range unless 0 <= C < 32")
    row("SHLUW", _DSS, 1, "A = B << C, unsigned 32 bits; stops with shift_out_of_range unless 0 <= C < 32")
    row("SAR", _DSS, 1, "A = B >> C, signed 64 bits; stops as SHL")
    row("SARW", _DSS, 1, "A = B >> C, signed 32 bits; stops as SHLW")
    row("SHR", _DSS, 1, "A = B >> C, unsigned 64 bits; stops as SHL")
    row("SHRUW", _DSS, 1, "A = B >> C, unsigned 32 bits; stops as SHLUW")
    row("NEG", _DS, 1, "A = -B modulo 2**64")
    row("NEGW", _DS, 1, "A = -B modulo 2**32, sign-extended")
    row("NEGUW", _DS, 1, "A = -B modulo 2**32, zero-extended")
    row("NOT", _DS, 1, "A = ~B")
    row("NOTUW", _DS, 1, "A = ~B, the low 32 bits")
    # Comparisons of integers; the result is 0 or 1
    row("EQ", _DSS, 1, "A = B == C")
    row("NE", _DSS, 1, "A = B != C")
    row("LTS", _DSS, 1, "A = B < C, signed")
    row("LES", _DSS, 1, "A = B <= C, signed")
    row("LTU", _DSS, 1, "A = B < C, unsigned")
    row("LEU", _DSS, 1, "A = B <= C, unsigned")
    row("ISZ", _DS, 1, "A = B == 0")
    row("BOOL", _DS, 0, "A = B != 0")
    # Floating point: D = binary64, F = binary32
    for letter, bits in (("D", 64), ("F", 32)):
        for name, sign in (("ADD", "+"), ("SUB", "-"), ("MUL", "*")):
            row(name + letter, _DSS, 1, f"A = B {sign} C, binary{bits}; stops with float_overflow, float_invalid")
        row("DIV" + letter, _DSS, 1, f"A = B / C, binary{bits}; stops with division_by_zero, float_overflow")
        row("NEG" + letter, _DS, 1, f"A = -B, binary{bits}")
        row("EQ" + letter, _DSS, 1, f"A = B == C, binary{bits}")
        row("NE" + letter, _DSS, 1, f"A = B != C, binary{bits}")
        row("LT" + letter, _DSS, 1, f"A = B < C, binary{bits}")
        row("LE" + letter, _DSS, 1, f"A = B <= C, binary{bits}")
        row("BOOL" + letter, _DS, 0, f"A = B != 0.0, binary{bits}")
    # Conversions
    for bits in (8, 16, 32):
        row(f"SX{bits}", _DS, 0, f"A = the low {bits} bits of B, sign-extended")
        row(f"ZX{bits}", _DS, 0, f"A = the low {bits} bits of B, zero-extended")
    row("I2D", _DS, 1, "A = signed B as binary64, nearest even")
    row("U2D", _DS, 1, "A = unsigned B as binary64, nearest even")
    row("I2F", _DS, 1, "A = signed B as binary32, nearest even, rounded once")
    row("U2F", _DS, 1, "A = unsigned B as binary32, nearest even, rounded once")
    row("F2D", _DS, 1, "A = binary32 B as binary64, exact")
    row("D2F", _DS, 1, "A = binary64 B as binary32, nearest even; stops with float_overflow")
    row("D2I", (_D, _S, Operand.KIND), 1, "A = binary64 B as integer type C, truncated; stops with float_to_int_range")
    # Control
    row("JMP", (Operand.JUMP24,), 1, "go on at the target")
    row("JZ", (_S, Operand.JUMP16), 1, "go on at the target if A is 0")
    row("JNZ", (_S, Operand.JUMP16), 1, "go on at the target if A is not 0")
    row("ARG", (_S, Operand.ARGUMENT), 0, "A becomes that argument of the call that follows")
    row("CALL", (_D, Operand.FUNCTION), 1, "A = result of the function; stops with stack_overflow")
    row("SYS", (_D, Operand.BUILTIN), 1, "A = result of the built-in function (0 if it has none)")
    row("PRINT", (_S,), 1, "message: A in hexadecimal and a line feed")
    row("PRINTF", (Operand.FORMAT,), 1, "message: the format with the arguments; stops with message_too_long")
    row("RET", (_S,), 1, "return A to the caller")
    row("RETV", (), 1, "return 0 to the caller; in the main program, end the run")
    return table


INSTRUCTIONS: tuple[Instruction, ...] = tuple(_rows())
BY_MNEMONIC: dict[str, Instruction] = {row.mnemonic: row for row in INSTRUCTIONS}

JUMP16_RANGE = range(-0x8000, 0x8000)
JUMP24_RANGE = range(-0x80_0000, 0x80_0000)


def encode(mnemonic: str, *operands: int) -> int:
    """The 32-bit word of an instruction. Raises ValueError when an operand does not fit its field."""
    return _word(mnemonic, operands)


@lru_cache(maxsize=4096)
def _word(mnemonic: str, operands: tuple[int, ...]) -> int:
    row = BY_MNEMONIC[mnemonic]
    word, shift = row.opcode, 8
    if len(operands) != len(row.operands):
        raise ValueError(f"{mnemonic} takes {len(row.operands)} operands")
    for kind, value in zip(row.operands, operands, strict=True):
        if kind is Operand.JUMP24:
            fits, bits = value in JUMP24_RANGE, 24
        elif kind in WIDE:
            signed = kind in (Operand.INT16, Operand.JUMP16)
            fits, bits, shift = (value in JUMP16_RANGE if signed else 0 <= value <= 0xFFFF), 16, 16
        else:
            fits, bits = 0 <= value <= 0xFF, 8
        if not fits:
            raise ValueError(f"{mnemonic}: operand {value} does not fit {bits} bits ({kind.value})")
        word |= (value & ((1 << bits) - 1)) << shift
        shift += bits
    return word


@lru_cache(maxsize=4096)
def decode(word: int) -> tuple[Instruction, tuple[int, ...]]:
    """The row and the operands of a 32-bit word. Raises ValueError for an opcode that no row has."""
    opcode = word & 0xFF
    if opcode >= len(INSTRUCTIONS):
        raise ValueError(f"unknown opcode {opcode:#04x}")
    row = INSTRUCTIONS[opcode]
    operands: list[int] = []
    shift = 8
    for kind in row.operands:
        if kind is Operand.JUMP24:
            value = word >> 8
            operands.append(value - (1 << 24) if value & 0x80_0000 else value)
        elif kind in WIDE:
            value = word >> 16
            signed = kind in (Operand.INT16, Operand.JUMP16)
            operands.append(value - 0x1_0000 if signed and value & 0x8000 else value)
        else:
            operands.append((word >> shift) & 0xFF)
            shift += 8
    return row, tuple(operands)
