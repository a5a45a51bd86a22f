"""Which code computes with nothing but memory, general registers and flags: what a block leaves behind is known then.

Such a block may be run again and again without the rest of the processor being put back first. Everything that is not
listed here - vector and x87 instructions, control, debug and segment registers, MSRs - counts as doing more; so does
what reads memory behind fs, whose base is the guest's at the trigger.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import capstone

_CONDITIONS = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")
_STRING = ("movs", "cmps", "stos", "lods", "scas")

_PLAIN: frozenset[str] = frozenset(
    (
        "mov", "movabs", "movzx", "movsx", "movsxd", "lea", "xchg", "bswap", "push", "pop", "leave", "nop", "endbr64",
        "add", "adc", "sub", "sbb", "cmp", "inc", "dec", "neg", "mul", "imul", "div", "idiv", "xadd", "cmpxchg",
        "and", "or", "xor", "not", "test", "shl", "sal", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd",
        "bt", "bts", "btr", "btc", "bsf", "bsr", "popcnt", "tzcnt", "lzcnt",
        "cbw", "cwde", "cdqe", "cwd", "cdq", "cqo", "clc", "stc", "cmc", "cld", "std", "lahf", "sahf", "pushfq",
        "jmp", "call", "ret", "loop", "loope", "loopne", "jrcxz", "jecxz", "cpuid", "rdtsc", "pause", "hlt",
        *(family + condition for family in ("j", "set", "cmov") for condition in _CONDITIONS),
        *(name + width for name in _STRING for width in "bwdq"),
    )
)  # fmt: skip
_PREFIXES = frozenset(("lock", "rep", "repe", "repne"))

# A register of another kind as an operand of its own; in front of a colon it is the segment of an address, of which all
# but fs have a known base. `movsd` and `cmpsd` are names of vector instructions too, and the operand of a far call has
# no size.
_SPECIAL = re.compile(r"\b(?:cr\d+|dr\d+|[xyz]?mm\d+|fs|[cdegs]s(?!:))\b|^ptr\b")


def is_plain(code: bytes) -> bool:
    """Whether all of these bytes, read from the first to the last, are such instructions."""
    covered = 0
    for _, length, mnemonic, operands in _decoder().disasm_lite(code, 0):
        *prefixes, name = mnemonic.split()
        if name not in _PLAIN or not _PREFIXES.issuperset(prefixes) or _SPECIAL.search(operands):
            return False
        covered += length
    return covered == len(code)


@cache
def _decoder() -> Any:
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
