"""seccomp(2): which system calls a thread may make, by mode and by filters in the kernel's packet language (cBPF).

A filter is checked once, as the kernel checks it (kernel/seccomp.c, net/core/filter.c): every jump goes forward, every
load is of a word of struct seccomp_data. Each call runs all filters, the newest first; the lowest action counts.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.names import ARCH_I386, ARCH_X86_64

STRICT = {ARCH_X86_64: (0, 1, 60, 15), ARCH_I386: (3, 4, 1, 119)}  # strict mode: to read, to write, to end, sigreturn
LONGEST, MOST_INSTRUCTIONS, _PER_FILTER, _PROLOGUE = (
    4096,
    1 << 15,
    4,
    3,
)  # instructions: of one filter, of all
_DATA = struct.Struct("<iIQ6Q")  # struct seccomp_data
_INSTRUCTION = struct.Struct("<HBBI")  # struct sock_filter
INSTRUCTION_BYTES = _INSTRUCTION.size
_WORD = 0xFFFF_FFFF
_SCRATCH = 16
DATA_BITS = 0xFFFF


class Action(IntEnum):
    """What a filter says of a call (SECCOMP_RET_*)."""

    KILL_PROCESS = 0x8000_0000
    KILL_THREAD = 0
    TRAP = 0x3_0000
    ERRNO = 0x5_0000
    USER_NOTIF = 0x7FC0_0000
    TRACE = 0x7FF0_0000
    LOG = 0x7FFC_0000
    ALLOW = 0x7FFF_0000


_KNOWN = {int(action): action for action in Action}

# Classes and codes (linux/bpf_common.h) that a filter may have.
_RET_K, _RET_A = 0x06, 0x16
_LOAD_WORD, _LOAD_LENGTH, _LOAD_X_LENGTH = 0x20, 0x80, 0x81
_LOAD, _LOAD_X, _LOAD_MEMORY, _LOAD_X_MEMORY, _STORE, _STORE_X = 0x00, 0x01, 0x60, 0x61, 0x02, 0x03
_JUMP, _TO_X, _TO_A, _NEGATE = 0x05, 0x07, 0x87, 0x84
_JUMPS = {0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D}
_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _XOR = 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0xA4
_BY_X = 8
_ANY_BIT = 0x40  # of jumps: JSET
_OPERATIONS = {code | by for code in (_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _XOR) for by in (0, _BY_X)}
_OTHERS = {
    _RET_K, _RET_A, _LOAD_WORD, _LOAD_LENGTH, _LOAD_X_LENGTH, _LOAD, _LOAD_X, _LOAD_MEMORY, _LOAD_X_MEMORY, _STORE,
    _STORE_X, _JUMP, _TO_X, _TO_A, _NEGATE,
}  # fmt: skip
_SHIFTS = (_LSH, _RSH)
_OF_SCRATCH = (_LOAD_MEMORY, _LOAD_X_MEMORY, _STORE, _STORE_X)

Row = tuple[int, int, int, int]  # code, jt, jf, k


class Question(msgspec.Struct, frozen=True):
    """A call that filters are asked about."""

    number: int
    architecture: int
    address: int  # behind the instruction
    arguments: tuple[int, ...]

    @property
    def words(self) -> tuple[int, ...]:
        """struct seccomp_data, by words of 32 bits."""
        number = (self.number & _WORD ^ 1 << 31) - (1 << 31)
        return struct.unpack("<16I", _DATA.pack(number, self.architecture, self.address, *self.arguments))


class Filter(msgspec.Struct, frozen=True):
    """One filter that has been checked. `cost` is what it counts for among all of a thread's: instructions of eBPF."""

    rows: tuple[Row, ...]
    cost: int

    @classmethod
    def of(cls, data: bytes) -> Filter:
        """The filter whose instructions these are. Raises EINVAL."""
        rows = tuple(_INSTRUCTION.iter_unpack(data))
        if not 0 < len(rows) <= LONGEST or rows[-1][0] not in (_RET_K, _RET_A):
            raise LinuxError(Errno.EINVAL)
        for at, row in enumerate(rows):
            _check(row, len(rows) - at - 1)
        _check_scratch(rows)
        return cls(rows, sum(map(_translated, rows)) + _PROLOGUE + _PER_FILTER)

    def answer(self, words: tuple[int, ...]) -> int:
        """What it returns for the words of struct seccomp_data."""
        a = x = at = 0
        scratch = [0] * _SCRATCH
        while True:
            code, jt, jf, k = self.rows[at]
            at += 1
            if code == _LOAD_WORD:
                a = words[k >> 2]
            elif code in _JUMPS:
                at += jt if _holds(code & 0xF0, a, x if code & _BY_X else k) else jf
            elif code == _RET_K:
                return k
            elif code == _RET_A:
                return a
            elif code in _OPERATIONS:
                operand = x if code & _BY_X else k
                if code & ~_BY_X == _DIV and not operand:
                    return 0
                a = _computed(code & ~_BY_X, a, operand)
            elif code == _JUMP:
                at += k
            elif code == _LOAD:
                a = k
            elif code == _LOAD_X:
                x = k
            elif code == _LOAD_MEMORY:
                a = scratch[k]
            elif code == _LOAD_X_MEMORY:
                x = scratch[k]
            elif code == _STORE:
                scratch[k] = a
            elif code == _STORE_X:
                scratch[k] = x
            elif code == _TO_X:
                x = a
            elif code == _TO_A:
                a = x
            elif code == _NEGATE:
                a = -a & _WORD
            elif code == _LOAD_LENGTH:
                a = _DATA.size
            else:
                x = _DATA.size


def _translated(row: Row) -> int:
    """How many instructions of eBPF stand for one (bpf_convert_filter)."""
    code, jt, jf, k = row
    if code in _JUMPS:
        is_one = not jf or (not jt and code & 0xF0 != _ANY_BIT)
        return (1 if is_one else 2) + (not code & _BY_X and k >> 31)
    return {_RET_K: 2, _DIV | _BY_X: 5}.get(code, 1)


def _check(row: Row, behind: int) -> None:
    """Raises EINVAL for an instruction that no filter may have, with so many behind it."""
    code, jt, jf, k = row
    is_wrong = (
        (code not in _OTHERS and code not in _OPERATIONS and code not in _JUMPS)
        or (code == _LOAD_WORD and (k >= _DATA.size or k % 4))
        or (code in _OF_SCRATCH and k >= _SCRATCH)
        or (code == _DIV and not k)
        or (code in _SHIFTS and k >= 32)
        or (code == _JUMP and k >= behind)
        or (code in _JUMPS and max(jt, jf) >= behind)
    )
    if is_wrong:
        raise LinuxError(Errno.EINVAL)


def _check_scratch(rows: tuple[Row, ...]) -> None:
    """Raises EINVAL where a word may be read that was not written on every way there (check_load_and_stores)."""
    everything = (1 << _SCRATCH) - 1
    known = [everything] * (len(rows) + 1)
    written = 0
    for at, (code, jt, jf, k) in enumerate(rows):
        written &= known[at]
        if code in (_STORE, _STORE_X):
            written |= 1 << k
        elif code in (_LOAD_MEMORY, _LOAD_X_MEMORY):
            if not written >> k & 1:
                raise LinuxError(Errno.EINVAL)
        elif code == _JUMP or code in _JUMPS:
            for distance in (k,) if code == _JUMP else (jt, jf):
                known[at + 1 + distance] &= written
            written = everything


def _holds(comparison: int, a: int, operand: int) -> bool:
    if comparison == 0x10:
        return a == operand
    if comparison == 0x20:
        return a > operand
    return a >= operand if comparison == 0x30 else bool(a & operand)


def _computed(code: int, a: int, operand: int) -> int:
    """An operation on 32 bits, as the kernel's eBPF machine has it: shifts count modulo 32."""
    if code == _ADD:
        return a + operand & _WORD
    if code == _SUB:
        return a - operand & _WORD
    if code == _MUL:
        return a * operand & _WORD
    if code == _DIV:
        return a // operand
    if code == _OR:
        return a | operand
    if code == _AND:
        return a & operand
    if code == _XOR:
        return a ^ operand
    return a << (operand & 31) & _WORD if code == _LSH else a >> (operand & 31)


Filters = tuple[Filter, ...]


def verdict(filters: Filters, question: Question) -> tuple[Action, int]:
    """What the filters say of a call, and the data that belong to it; the newest of equal ones."""
    words, found = question.words, int(Action.ALLOW)
    for each in reversed(filters):
        answer = each.answer(words)
        if _rank(answer) < _rank(found):
            found = answer
    return _KNOWN.get(found & ~DATA_BITS & _WORD, Action.KILL_PROCESS), found & DATA_BITS


def _rank(answer: int) -> int:
    """The action as the kernel compares it: a signed number."""
    return (answer & ~DATA_BITS & _WORD ^ 1 << 31) - (1 << 31)
