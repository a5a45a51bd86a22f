"""Does machine code mean what the statement says? Capstone's reading of it against the structured operands.

Keystone is silently wrong now and then (it cuts immediates and displacements, turns addresses RIP-relative, `pop rip`
into `pop rax`). A statement passes when mnemonic, registers, immediates, displacements and segments all agree; what
this module cannot prove equal is refused.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import capstone
from capstone import x86 as cs_x86

from machine.root.assembly_names import PREFIX_SYNONYMS, canonical
from machine.root.assembly_syntax import Immediate, Instruction, Memory, Operand, Register

_COMMUTATIVE = frozenset({"xchg", "test"})
_SHIFTS = frozenset({"shl", "shr", "sar", "rol", "ror", "rcl", "rcr"})
# Memory operands of these say their size by themselves.
_SIZELESS = frozenset({
    "lea", "call", "jmp", "push", "pop", "lgdt", "lidt", "sgdt", "sidt", "invlpg", "clflush", "fxsave", "fxrstor",
    "fxsave64", "fxrstor64", "ldmxcsr", "stmxcsr", "cmpxchg8b", "cmpxchg16b", "prefetcht0", "prefetcht1", "prefetcht2",
    "prefetchnta", "prefetchw", "fnstcw", "fldcw", "fnstsw",
})  # fmt: skip


@cache
def _decoder() -> Any:
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    return decoder


def lengths(code: bytes) -> list[int]:
    """The lengths in bytes of the instructions of `code`; what Capstone does not decode is not among them."""
    return [size for _, size, _, _ in _decoder().disasm_lite(code, 0)]


def disagreement(instruction: Instruction, operands: tuple[Operand, ...], code: bytes) -> str:
    """What the code at address 0 does otherwise than the instruction with these resolved operands; empty if nothing.

    The expressions of `operands` carry no labels; a relative memory operand is given as rip plus displacement.
    """
    decoded = list(_decoder().disasm(code, 0))
    if len(decoded) != 1 or decoded[0].size != len(code):
        return "it is not one instruction"
    found = decoded[0]
    if _spelling(instruction.prefix, instruction.mnemonic) != _spelling(*_split_prefix(found.mnemonic)):
        return f"it became `{found.mnemonic} {found.op_str}`"
    if not operands:
        return ""
    actual = list(found.operands)
    mnemonic = _spelling("", instruction.mnemonic)
    if mnemonic == "imul" and len(operands) == 2 and len(actual) == 3:
        operands = (operands[0], *operands)
    orders = [actual, actual[::-1]] if mnemonic in _COMMUTATIVE else [actual]
    if any(_all_agree(found, operands, order) for order in orders):
        return _unclear_size(mnemonic, operands, actual)
    return f"it became `{found.mnemonic} {found.op_str}`"


def _spelling(prefix: str, mnemonic: str) -> str:
    """One name for all spellings of an instruction."""
    return f"{PREFIX_SYNONYMS.get(prefix, prefix)} {canonical(mnemonic)}".strip()


def _split_prefix(mnemonic: str) -> tuple[str, str]:
    prefix, _, rest = mnemonic.rpartition(" ")
    return prefix, rest


def _all_agree(found: Any, operands: tuple[Operand, ...], actual: list[Any]) -> bool:
    return len(operands) == len(actual) and all(
        _agrees(found, wanted, got) for wanted, got in zip(operands, actual, strict=True)
    )


def _agrees(found: Any, wanted: Operand, got: Any) -> bool:
    if isinstance(wanted, Register):
        name = found.reg_name(got.reg) if got.type == cs_x86.X86_OP_REG else ""
        return name == ("st(0)" if wanted.name == "st" else wanted.name)
    if isinstance(wanted, Immediate):
        return got.type == cs_x86.X86_OP_IMM and _same_number(wanted.expression.constant, got.imm, 8 * got.size)
    return got.type == cs_x86.X86_OP_MEM and _same_memory(found, wanted, got)


def _same_number(wanted: int, got: int, bits: int) -> bool:
    """Equal modulo 2**bits, and not by losing bits of `wanted`."""
    return -(1 << bits - 1) <= wanted < 1 << bits and (wanted - got) % (1 << bits) == 0


def _same_memory(found: Any, wanted: Memory, got: Any) -> bool:
    registers: Counter[str] = Counter()
    for name, scale in wanted.registers:
        registers[name] += scale
    actual: Counter[str] = Counter()
    if got.mem.base:
        actual[found.reg_name(got.mem.base)] += 1
    if got.mem.index:
        actual[found.reg_name(got.mem.index)] += got.mem.scale
    del actual["riz"]  # no register at all
    segment = found.reg_name(got.mem.segment) if got.mem.segment else None
    return (
        registers == actual
        and wanted.expression.constant == got.mem.disp
        and segment == wanted.segment
        and wanted.size in (None, got.size)
    )


def _unclear_size(mnemonic: str, operands: tuple[Operand, ...], actual: list[Any]) -> str:
    """A complaint when nothing in the statement says how wide its memory operand is."""
    sizes = {got.size for got in actual if got.type == cs_x86.X86_OP_REG}
    memory = [got for got in actual if got.type == cs_x86.X86_OP_MEM]
    stated = not any(isinstance(operand, Memory) and operand.size is None for operand in operands)
    if stated or mnemonic in _SIZELESS or not memory:
        return ""
    by_register = bool(sizes & {memory[0].size}) and mnemonic not in _SHIFTS
    by_vector = bool(sizes & {16, 32}) and not mnemonic.startswith("cvtsi2")
    return "" if by_register or by_vector else "the size of the memory operand is not stated"
