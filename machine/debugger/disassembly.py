"""Machine code as text, in the layout of HyperDbg's `u` (events-and-commands E.3). Capstone decodes.

The Intel style follows Zydis as far as its operands tell: sizes and segments of memory operands, numbers as 0x and
upper-case digits, absolute targets, the names jz/jnz/jnb/... for conditions. What still differs is said in
docs/commands.md. `att` and `masm` are Capstone's own styles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from machine.processor import decoder

_SIZES = {1: "byte", 2: "word", 4: "dword", 6: "fword", 8: "qword", 10: "tbyte", 16: "xmmword", 32: "ymmword"}
_CONDITIONS = {"e": "z", "ne": "nz", "ae": "nb", "a": "nbe", "ge": "nl", "g": "nle"}
_MNEMONICS = {
    "movabs": "mov",
    "sysretq": "sysret",
    **{kind + old: kind + new for kind in ("j", "set", "cmov") for old, new in _CONDITIONS.items()},
}
_STRING_INSTRUCTIONS = frozenset(
    name + size for name in ("movs", "cmps", "stos", "lods", "scas", "ins", "outs") for size in "bwdq"
)
_STACK_BASES = ("rsp", "rbp", "esp", "ebp")
_CF, _PF, _ZF, _SF, _OF = 1 << 0, 1 << 2, 1 << 6, 1 << 7, 1 << 11


class Line(msgspec.Struct, frozen=True):
    """One instruction."""

    address: int
    code: bytes
    text: str
    mnemonic: str
    branches: bool  # whether control flow can go elsewhere than behind it

    @property
    def end(self) -> int:
        """The address behind the instruction."""
        return self.address + len(self.code)

    @property
    def is_call(self) -> bool:
        """Whether it pushes a return address."""
        return self.mnemonic in ("call", "lcall")

    @property
    def is_return(self) -> bool:
        """Whether it is one of the RET family."""
        return self.mnemonic.startswith("ret")

    def __str__(self) -> str:
        shown = "".join(f" {byte:02X}" for byte in self.code)
        return f"{a88(self.address)}   {shown:<36} {self.text}"


def a88(address: int) -> str:
    """An address as HyperDbg shows it: sixteen digits with a back-tick in the middle."""
    return f"{address >> 32:08x}`{address & 0xFFFF_FFFF:08x}"


def disassemble(code: bytes, address: int, *, bits: int = 64, syntax: str = "intel") -> Iterator[Line]:
    """The instructions of the bytes, up to the first that is invalid or incomplete."""
    import capstone

    branching = (
        capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL, capstone.CS_GRP_RET, capstone.CS_GRP_INT, capstone.CS_GRP_IRET,
    )  # fmt: skip
    for instruction in decoder(bits, detail=True, syntax=syntax).disasm(code, address):
        text = _intel(instruction, bits) if syntax == "intel" else f"{instruction.mnemonic} {instruction.op_str}"
        mnemonic = instruction.mnemonic.rpartition(" ")[2]
        branches = any(instruction.group(group) for group in branching)
        yield Line(instruction.address, bytes(instruction.bytes), text.strip(), mnemonic, branches)


def jump_note(line: Line, flags: int) -> str:
    """` [taken]` or ` [not taken]` for a conditional jump on flags, nothing for the others."""
    condition = _MNEMONICS.get(line.mnemonic, line.mnemonic).removeprefix("j")
    if not line.mnemonic.startswith("j") or condition not in _TAKEN:
        return ""
    return " [taken]" if _TAKEN[condition](flags) else " [not taken]"


def _less(flags: int) -> bool:
    return bool(flags & _SF) != bool(flags & _OF)


_TAKEN: dict[str, Callable[[int], bool]] = {
    "o": lambda flags: bool(flags & _OF),
    "no": lambda flags: not flags & _OF,
    "b": lambda flags: bool(flags & _CF),
    "nb": lambda flags: not flags & _CF,
    "z": lambda flags: bool(flags & _ZF),
    "nz": lambda flags: not flags & _ZF,
    "be": lambda flags: bool(flags & (_CF | _ZF)),
    "nbe": lambda flags: not flags & (_CF | _ZF),
    "s": lambda flags: bool(flags & _SF),
    "ns": lambda flags: not flags & _SF,
    "p": lambda flags: bool(flags & _PF),
    "np": lambda flags: not flags & _PF,
    "l": _less,
    "nl": lambda flags: not _less(flags),
    "le": lambda flags: _less(flags) or bool(flags & _ZF),
    "nle": lambda flags: not (_less(flags) or bool(flags & _ZF)),
}


def _intel(instruction: Any, bits: int) -> str:
    prefix, _, mnemonic = instruction.mnemonic.rpartition(" ")
    name = _MNEMONICS.get(mnemonic, mnemonic)
    shown = f"{prefix} {name}" if prefix else name
    if mnemonic in _STRING_INSTRUCTIONS and not _uses_xmm(instruction):
        return shown
    from capstone import CS_GRP_CALL, CS_GRP_JUMP

    branch = any(instruction.group(group) for group in (CS_GRP_JUMP, CS_GRP_CALL))
    operands = [_operand(instruction, operand, bits, branch) for operand in instruction.operands]
    return f"{shown} {', '.join(operands)}" if operands else shown


def _uses_xmm(instruction: Any) -> bool:
    """movsd and cmpsd name instructions on strings and on floating-point numbers."""
    from capstone import x86_const as x86

    registers = (operand.reg for operand in instruction.operands if operand.type == x86.X86_OP_REG)
    return any(instruction.reg_name(register).startswith("xmm") for register in registers)


def _operand(instruction: Any, operand: Any, bits: int, branch: bool) -> str:
    from capstone import x86_const as x86

    if operand.type == x86.X86_OP_REG:
        return str(instruction.reg_name(operand.reg))
    if operand.type == x86.X86_OP_IMM:
        if branch:
            return f"0x{operand.imm & (1 << bits) - 1:0{bits // 4}X}"
        return _number(operand.imm & (1 << 8 * max(operand.size, 1)) - 1)
    return _memory(instruction, operand, bits)


def _memory(instruction: Any, operand: Any, bits: int) -> str:
    from capstone import x86_const as x86

    memory = operand.mem
    base = instruction.reg_name(memory.base) if memory.base else ""
    parts = [base] if base else []
    if memory.index and instruction.reg_name(memory.index) not in ("riz", "eiz"):
        scale = f"*{memory.scale}" if memory.scale != 1 else ""
        parts.append(f"{instruction.reg_name(memory.index)}{scale}")
    if base in ("rip", "eip"):
        place = f"0x{instruction.address + instruction.size + memory.disp & (1 << bits) - 1:0{bits // 4}X}"
    elif not parts:
        place = f"0x{memory.disp & (1 << bits) - 1:0{bits // 4}X}"
    else:
        sign = "-" if memory.disp < 0 else "+"
        place = "+".join(parts) + (f"{sign}{_number(abs(memory.disp))}" if memory.disp else "")
    if instruction.id == x86.X86_INS_LEA:
        return f"[{place}]"
    segment = instruction.reg_name(memory.segment) if memory.segment else "ss" if base in _STACK_BASES else "ds"
    size = _SIZES.get(operand.size)
    return (f"{size} ptr " if size else "") + f"{segment}:[{place}]"


def _number(value: int) -> str:
    return f"0x{value:02X}"
