"""Does machine code mean what the statement says? Capstone's reading of it against the structured operands.

Keystone is silently wrong now and then (it cuts immediates and displacements, turns addresses RIP-relative, `pop rip`
into `pop rax`). A statement passes when mnemonic, registers, immediates, displacements and segments all agree; what
this module cannot prove equal is refused.
"""

from __future__ import annotations

from collections import Counter

from machine.processor import decoder
from machine.root.assembly_forms import (
    HALVES,
    STRINGS,
    Form,
    Found,
    FoundMemory,
    FoundNumber,
    FoundRegister,
    form_of_code,
    form_of_statement,
    with_a_base,
)
from machine.root.assembly_syntax import Immediate, Instruction, Memory, Operand, Register

_HIGH_BYTES = frozenset({"ah", "bh", "ch", "dh"})
_WITH_REX = frozenset({"spl", "bpl", "sil", "dil", "rip", *HALVES})  # beside r8 to r15
_COMMUTATIVE = frozenset({"xchg", "test"})
_SHIFTS = frozenset({"shl", "shr", "sar", "rol", "ror", "rcl", "rcr"})
# Memory operands of these say their size by themselves.
_SIZELESS = frozenset({
    "lea", "call", "jmp", "push", "pop", "lgdt", "lidt", "sgdt", "sidt", "lldt", "sldt", "ltr", "str", "lmsw", "smsw",
    "verr", "verw", "invlpg", "invpcid", "clflush", "fxsave", "fxrstor", "fxsave64", "fxrstor64", "xsave", "xsave64",
    "xsaveopt", "xsaveopt64", "xrstor", "xrstor64", "ldmxcsr", "stmxcsr", "cmpxchg8b", "cmpxchg16b", "prefetcht0",
    "prefetcht1", "prefetcht2", "prefetchnta", "prefetchw", "fnstcw", "fldcw", "fnstsw", "fnstenv", "fldenv", "fnsave",
    "frstor", "movsxd", "movd", "fbld", "fbstp", "cvtss2si",
    "cvttss2si", "cvtsd2si", "cvttsd2si", "clflushopt", "clwb", "xsavec", "xsavec64", "xsaves", "xsaves64", "xrstors",
    "xrstors64", "vmptrld", "vmptrst", "vmclear", "vmxon", "invept", "invvpid", "lsl", "lar",
})  # fmt: skip
_SIZELESS_FAMILIES = ("set", "punpckl")
# A 64-bit result of these is the 32-bit one, extended with zeros, as every 32-bit result is.
_EXTENDED = frozenset({"extractps", "pmovmskb", "movmskps", "movmskpd", "pextrb", "pextrw"})
# These wait for pending exceptions before: an instruction of its own (SDM volume 2, FSTCW).
_WAITING: dict[str, str] = {
    "fstcw": "fnstcw", "fstsw": "fnstsw", "finit": "fninit", "fclex": "fnclex", "fstenv": "fnstenv", "fsave": "fnsave",
}  # fmt: skip


def lengths(code: bytes) -> list[int]:
    """The lengths in bytes of the instructions of `code`; what Capstone does not decode is not among them."""
    return [size for _, size, _, _ in decoder().disasm_lite(code, 0)]


def without_encoding(operands: tuple[Operand, ...]) -> str:
    """Why no instruction has these operands together; empty if nothing is known. Keystone would end at them.

    A REX prefix, without which there are no 64 bits and no registers beyond the first eight, turns AH, CH, DH and BH
    into SPL, BPL, SIL and DIL (SDM volume 1, 3.4.1.1).
    """
    registers = [operand.name for operand in operands if isinstance(operand, Register)]
    high = next((name for name in registers if name in _HIGH_BYTES), None)
    if high is None:
        return ""
    addresses = (name for operand in operands if isinstance(operand, Memory) for name, _ in operand.registers)
    other = next((name for name in (*registers, *addresses) if name.lstrip("r")[:1].isdigit()), None)
    other = other or next((name for name in registers if name in _WITH_REX), None)
    return f"no instruction has both {high} and {other}" if other else ""


def disagreement(instruction: Instruction, operands: tuple[Operand, ...], code: bytes) -> str:
    """What the code at address 0 does otherwise than the instruction with these resolved operands; empty if nothing.

    The expressions of `operands` carry no labels; a relative memory operand is given as rip plus displacement.
    """
    decoded = list(decoder(detail=True).disasm(code, 0))
    written = form_of_statement(instruction, operands)
    if len(decoded) == 2 and decoded[0].mnemonic == "wait" and written.mnemonic in _WAITING:
        written = Form(written.prefix, _WAITING[written.mnemonic], written.written)
        code, decoded = code[decoded[0].size :], decoded[1:]
    if len(decoded) != 1 or decoded[0].size != len(code):
        return "Keystone does not make one instruction of it"
    found = form_of_code(decoded[0], code)
    other = f"Keystone makes `{decoded[0].mnemonic} {decoded[0].op_str}`".rstrip(" `") + "` of it"
    if (written.prefix, written.mnemonic) != (found.prefix, found.mnemonic):
        return other
    if not written.written:
        return ""
    actual = found.found
    if written.mnemonic[:-1] in STRINGS and len(written.written) == 1:
        actual = tuple(operand for operand in actual if isinstance(operand, FoundMemory))
    orders = [actual, actual[::-1]] if written.mnemonic in _COMMUTATIVE else [actual]
    if any(_all_agree(written, order) for order in orders):
        return _unclear_size(written, actual)
    return _too_large(written, actual) or other


def _all_agree(written: Form, found: tuple[Found, ...]) -> bool:
    return len(written.written) == len(found) and all(
        _agrees(written.mnemonic, wanted, got) for wanted, got in zip(written.written, found, strict=True)
    )


def _agrees(mnemonic: str, wanted: Operand, got: Found) -> bool:
    if isinstance(wanted, Register):
        names = (wanted.name, HALVES.get(wanted.name)) if mnemonic in _EXTENDED else (wanted.name,)
        return isinstance(got, FoundRegister) and got.name in names
    if isinstance(wanted, Immediate):
        return isinstance(got, FoundNumber) and _same_number(wanted.expression.constant, got)
    return isinstance(got, FoundMemory) and _same_memory(mnemonic, wanted, got)


def _same_number(wanted: int, got: FoundNumber) -> bool:
    """Equal modulo 2**bits, and not by losing bits of `wanted`."""
    return _fits(wanted, got.bits) and (wanted - got.value) % (1 << got.bits) == 0


def _fits(number: int, bits: int) -> bool:
    return -(1 << bits - 1) <= number < 1 << bits


def _same_memory(mnemonic: str, wanted: Memory, got: FoundMemory) -> bool:
    registers: Counter[str] = Counter()
    for name, scale in wanted.registers:
        registers[name] += scale
    return (
        registers == got.registers
        and (wanted.expression.constant - got.displacement) % (1 << 64) == 0
        and with_a_base(wanted.segment) == got.segment
        and (wanted.size in (None, got.size) or mnemonic == "lea")
    )


def _too_large(written: Form, found: tuple[Found, ...]) -> str:
    """A complaint about a number that does not fit, if there is one."""
    for wanted, got in zip(written.written, found, strict=False):
        if isinstance(wanted, Immediate) and isinstance(got, FoundNumber):
            number = wanted.expression.constant
            if not _fits(number, got.bits):
                return f"{number:#x} does not fit in {got.bits} bits"
    return ""


def _unclear_size(written: Form, found: tuple[Found, ...]) -> str:
    """A complaint when nothing in the statement says how wide its memory operand is."""
    mnemonic = written.mnemonic
    sizes = {got.size for got in found if isinstance(got, FoundRegister)}
    memory = [got for got in found if isinstance(got, FoundMemory)]
    stated = not any(isinstance(operand, Memory) and operand.size is None for operand in written.written)
    if stated or mnemonic in _SIZELESS or mnemonic.startswith(_SIZELESS_FAMILIES) or not memory:
        return ""
    by_register = bool(sizes & {memory[0].size}) and mnemonic not in _SHIFTS
    by_vector = bool(sizes & {16, 32}) and not mnemonic.startswith("cvtsi2")
    return "" if by_register or by_vector else "the size of the memory operand is not stated"
