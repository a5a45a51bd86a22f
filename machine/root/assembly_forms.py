"""One form for all spellings of an instruction, so that what was written can be compared with what Capstone reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec.structs import replace

from machine.root.assembly_expressions import Expression
from machine.root.assembly_names import PREFIX_SYNONYMS, canonical
from machine.root.assembly_syntax import Immediate, Instruction, Memory, Operand, Register


class FoundNumber(msgspec.Struct, frozen=True):
    """An immediate operand as Capstone reads it, with the width that it has as an operand."""

    value: int
    bits: int


class FoundRegister(msgspec.Struct, frozen=True):
    """A register operand as Capstone reads it; `size` in bytes."""

    name: str
    size: int


class FoundMemory(msgspec.Struct, frozen=True):
    """A memory operand as Capstone reads it: registers with their scales, and only FS and GS as segments."""

    size: int
    segment: str | None
    registers: Counter[str]
    displacement: int


Found = FoundNumber | FoundRegister | FoundMemory


class Form(msgspec.Struct, frozen=True):
    """A prefix, a mnemonic and operands; `written` has the operands of a statement, `found` those of code."""

    prefix: str
    mnemonic: str
    written: tuple[Operand, ...] = ()
    found: tuple[Found, ...] = ()


STRINGS = frozenset({"movs", "stos", "lods", "scas", "cmps", "ins", "outs"})
_STRING_SUFFIXES = {1: "b", 2: "w", 4: "d", 8: "q"}
_STRING_NAMES = frozenset(name + suffix for name in STRINGS for suffix in _STRING_SUFFIXES.values())
_PREFIX_BYTES = {0xF0: "lock", 0xF2: "repne", 0xF3: "rep"}
_LEGACY_PREFIXES = frozenset({*_PREFIX_BYTES, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67})

# Segments other than these have no effect in 64-bit mode (SDM volume 1, 3.3.4; volume 2, 2.1.1).
_SEGMENTS_WITH_A_BASE = ("fs", "gs")

# Comparisons whose names contain the number in their last operand (SDM volume 2, CMPPS).
_COMPARISONS = (
    "eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord", "eq_uq", "nge", "ngt", "false", "neq_oq", "ge", "gt", "true",
    "eq_os", "lt_oq", "le_oq", "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s", "eq_us", "nge_uq", "ngt_uq",
    "false_os", "neq_os", "ge_oq", "gt_oq", "true_us",
)  # fmt: skip
_COMPARISON_NAMES: dict[str, tuple[str, int]] = {
    f"{vex}cmp{condition}{kind}": (f"{vex}cmp{kind}", number)
    for vex, count in (("", 8), ("v", 32))
    for number, condition in enumerate(_COMPARISONS[:count])
    for kind in ("ps", "pd", "ss", "sd")
}

_SHIFTS = frozenset({"shl", "shr", "sar", "rol", "ror", "rcl", "rcr"})
_ACCUMULATOR_SIZES = {"al": 1, "ax": 2, "eax": 4, "rax": 8}

_WITH_XMM0 = frozenset({"blendvps", "blendvpd", "pblendvb", "sha256rnds2"})  # which is an operand in texts only

_X87_ARITHMETIC = frozenset({"fadd", "fsub", "fsubr", "fmul", "fdiv", "fdivr"})
_X87_POPPING = frozenset(name + "p" for name in _X87_ARITHMETIC)
_X87_WITH_TOP = frozenset({"fcomi", "fcomip", "fucomi", "fucomip", "fcom", "fcomp", "fucom", "fucomp", "fxch"})

HALVES: dict[str, str] = {
    **{f"r{name}": f"e{name}" for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
    **{f"r{number}": f"r{number}d" for number in range(8, 16)},
}
"""The 32-bit half of each general register of 64 bits."""

# Capstone is wrong about the memory operands of these, in bytes.
_SIZES: dict[str, int] = {"comisd": 8}


def form_of_statement(instruction: Instruction, operands: tuple[Operand, ...]) -> Form:
    """The form of what is written, with resolved operands."""
    mnemonic = canonical(instruction.mnemonic)
    prefix = PREFIX_SYNONYMS.get(instruction.prefix, instruction.prefix)
    if mnemonic in STRINGS and (size := _string_size(operands)):
        return Form(prefix, mnemonic + _STRING_SUFFIXES.get(size, "?"), operands)
    mnemonic, operands = _with_implied_operands(mnemonic, operands)
    if (prefix, mnemonic, operands) == ("rep", "nop", ()):
        return Form("", "pause")
    if mnemonic in _COMPARISON_NAMES:
        mnemonic, number = _COMPARISON_NAMES[mnemonic]
        return Form(prefix, mnemonic, (*operands, Immediate(Expression(number))))
    if mnemonic in _WITH_XMM0 and operands[2:] == (Register("xmm0"),):
        return Form(prefix, mnemonic, operands[:2])
    if mnemonic == "movd" and any(isinstance(operand, Register) and operand.name in HALVES for operand in operands):
        return Form(prefix, "movq", operands)
    if mnemonic == "imul" and len(operands) == 2 and isinstance(operands[1], Immediate):
        return Form(prefix, mnemonic, (operands[0], *operands))
    if mnemonic == "xchg" and operands in ((Register("rax"), Register("rax")), (Register("ax"), Register("ax"))):
        return Form(prefix, "nop")
    return _x87_form(Form(prefix, mnemonic, operands))


def _string_size(operands: tuple[Operand, ...]) -> int | None:
    """Bytes that a string instruction takes at a time, as its memory operands say, or else its accumulator."""
    stated = [operand.size for operand in operands if isinstance(operand, Memory) and operand.size]
    names = [operand.name for operand in operands if isinstance(operand, Register)]
    return next(iter(stated), None) or next((_ACCUMULATOR_SIZES[n] for n in names if n in _ACCUMULATOR_SIZES), None)


def _with_implied_operands(mnemonic: str, operands: tuple[Operand, ...]) -> tuple[str, tuple[Operand, ...]]:
    """An instruction with the operands that need not be written, and without those that need not be either."""
    if mnemonic in _SHIFTS and len(operands) == 1:
        return mnemonic, (*operands, Immediate(Expression(1)))
    if mnemonic in ("shld", "shrd") and len(operands) == 2:
        return mnemonic, (*operands, Register("cl"))
    if mnemonic == "xlatb" and len(operands) == 1 and isinstance(operands[0], Memory):
        plain = replace(operands[0], size=None, segment=with_a_base(operands[0].segment))
        return mnemonic, () if plain == Memory(None, None, (("rbx", 1),), Expression(), False) else operands
    if mnemonic == "movsx" and len(operands) == 2 and isinstance(operands[0], Register) and operands[0].name in HALVES:
        source = operands[1]
        narrow = (
            source.size == 4
            if isinstance(source, Memory)
            else isinstance(source, Register) and source.name in HALVES.values()
        )
        return "movsxd" if narrow else mnemonic, operands
    return mnemonic, operands


def _x87_form(form: Form) -> Form:
    """With the operands that Capstone shows: without the top of the stack, where it is understood."""
    top, below = Register("st(0)"), Register("st(1)")
    registers = form.written
    if not all(isinstance(operand, Register) for operand in registers):
        return form
    if form.mnemonic in _X87_ARITHMETIC:
        if not registers:
            return replace(form, mnemonic=form.mnemonic + "p", written=(below,))
        return replace(form, written=registers[1:]) if len(registers) == 2 and registers[0] == top else form
    if form.mnemonic in _X87_POPPING:
        return replace(
            form, written=registers[:1] if registers[1:] in ((), (top,)) and registers else registers or (below,)
        )
    if form.mnemonic in _X87_WITH_TOP:
        return replace(
            form, written=registers[1:] if len(registers) == 2 and registers[0] == top else registers or (below,)
        )
    return form


def form_of_code(insn: Any, code: bytes) -> Form:
    """The form of an instruction of Capstone's, which is made of this code."""
    prefix, _, mnemonic = insn.mnemonic.rpartition(" ")
    mnemonic = canonical(mnemonic)
    found = [_found(insn, mnemonic, operand) for operand in insn.operands]
    if mnemonic in _STRING_NAMES and insn.opcode[0] != 0x0F:
        prefix = _string_prefix(code)
    if mnemonic in _COMPARISON_NAMES:
        mnemonic, number = _COMPARISON_NAMES[mnemonic]
        found.append(FoundNumber(number, 8))
    if mnemonic in _X87_WITH_TOP:
        found = found[-1:]
    return Form(PREFIX_SYNONYMS.get(prefix, prefix), mnemonic, found=tuple(found))


def _string_prefix(code: bytes) -> str:
    """The prefix as it stands in the code; Capstone does not show it with each string instruction."""
    for byte in code:
        if byte in _PREFIX_BYTES:
            return _PREFIX_BYTES[byte]
        if byte not in _LEGACY_PREFIXES:
            break
    return ""


def _found(insn: Any, mnemonic: str, operand: Any) -> Found:
    from capstone import x86_const as x86

    if operand.type == x86.X86_OP_REG:
        return FoundRegister(insn.reg_name(operand.reg), operand.size)
    if operand.type == x86.X86_OP_IMM:
        return FoundNumber(operand.imm, 8 * (operand.size or 1))  # Capstone says 0 of some numbers of one byte
    registers: Counter[str] = Counter()
    if operand.mem.base:
        registers[insn.reg_name(operand.mem.base)] += 1
    if operand.mem.index:
        registers[insn.reg_name(operand.mem.index)] += operand.mem.scale
    for nothing in ("riz", "eiz"):
        del registers[nothing]
    segment = insn.reg_name(operand.mem.segment) if operand.mem.segment else None
    return FoundMemory(_SIZES.get(mnemonic, operand.size), with_a_base(segment), registers, operand.mem.disp)


def with_a_base(segment: str | None) -> str | None:
    """The segment, if it matters in 64-bit mode."""
    return segment if segment in _SEGMENTS_WITH_A_BASE else None
