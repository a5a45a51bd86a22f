"""What code can leave behind in a processor, told by its text (`Effect`).

Code that computes with nothing but memory, general registers and flags is *plain*: it may be run again and again
without the rest of the processor being put back first. What is not listed here counts as `Effect.SYSTEM`.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

from machine.processor import decoder
from machine.root.assembly_names import CONDITIONS
from vm import late_pattern


class Effect(IntEnum):
    """What code may do; each kind includes those before it."""

    PLAIN = 0  # memory, general registers, arithmetic flags and DF
    COMPUTING = 1  # x87, MMX and SSE registers, their control words, all flags: a saved context undoes that
    READING = 2  # as well, and the code sees MSRs, fs or system registers
    SYSTEM = 3  # anything else: control, debug and segment registers, MSRs, descriptor tables, translations, privilege


_STRING = ("movs", "cmps", "stos", "lods", "scas")

_PLAIN: frozenset[str] = frozenset(
    (
        "mov", "movabs", "movzx", "movsx", "movsxd", "lea", "xchg", "bswap", "push", "pop", "leave", "nop", "endbr64",
        "add", "adc", "sub", "sbb", "cmp", "inc", "dec", "neg", "mul", "imul", "div", "idiv", "xadd", "cmpxchg",
        "and", "or", "xor", "not", "test", "shl", "sal", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd",
        "bt", "bts", "btr", "btc", "bsf", "bsr", "popcnt", "tzcnt", "lzcnt",
        "andn", "bextr", "blsi", "blsmsk", "blsr", "bzhi", "mulx", "pdep", "pext", "rorx", "sarx", "shlx", "shrx",
        "movbe", "adcx", "adox",
        "cbw", "cwde", "cdqe", "cwd", "cdq", "cqo", "clc", "stc", "cmc", "cld", "std", "lahf", "sahf", "pushfq",
        "jmp", "call", "ret", "loop", "loope", "loopne", "jrcxz", "jecxz", "rdtsc", "pause", "hlt",
        *(family + condition for family in ("j", "set", "cmov") for condition in CONDITIONS),
        *(name + width for name in _STRING for width in "bwdq"),
    )
)  # fmt: skip
_COMPUTING = frozenset(
    (
        "ldmxcsr", "stmxcsr", "emms", "wait", "popfq", "enter", "xlatb", "cmpxchg8b", "cmpxchg16b", "movnti", "lfence",
        "mfence", "sfence", "cpuid", "rdrand", "rdseed", "ud2", "int3", "int", "syscall",
    )
)  # fmt: skip
_READING = frozenset(("rdmsr", "sgdt", "sidt", "sldt", "str", "smsw"))
_PREFIXES = frozenset(("lock", "rep", "repe", "repne"))

# A register of another kind as an operand of its own; in front of a colon it is the segment of an address, of which all
# but fs have a known base. `movsd` and `cmpsd` are names of vector instructions too, and the operand of a far call has
# no size.
_SPECIAL = late_pattern(r"\b(?:cr\d+|dr\d+|[xyz]?mm\d+|[c-gs]s(?!:))\b|^ptr\b")
_DATA_REGISTER = late_pattern(r"\bx?mm\d+\b")
_X87 = "f"  # first letter of all its instructions, and of no others


@lru_cache(maxsize=1024)
def effect_of(code: bytes) -> Effect:
    """What these bytes may do when they are executed from the first to the last."""
    covered, effect = 0, Effect.PLAIN
    for _, length, mnemonic, operands in decoder().disasm_lite(code, 0):
        covered += length
        effect = max(effect, _effect(mnemonic, operands))
    return effect if covered == len(code) else Effect.SYSTEM


def is_plain(code: bytes) -> bool:
    """Whether all of these bytes, read from the first to the last, are plain instructions."""
    return effect_of(code) is Effect.PLAIN


def _effect(mnemonic: str, operands: str) -> Effect:
    *prefixes, name = mnemonic.split()
    if not _PREFIXES.issuperset(prefixes):
        return Effect.SYSTEM
    least = Effect.READING if "fs:" in operands else Effect.PLAIN
    operands = operands.replace("fs:", "")
    if name in _PLAIN and not _SPECIAL.search(operands):
        return least
    if name in _COMPUTING or name.startswith(_X87) or _DATA_REGISTER.search(operands):
        return max(least, Effect.COMPUTING)
    reads = name in _READING or (name == "mov" and not _SPECIAL.search(operands.partition(",")[0]))
    return Effect.READING if reads else Effect.SYSTEM
