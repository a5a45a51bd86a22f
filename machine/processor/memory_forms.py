"""Which memory each instruction accesses: a row per opcode, which `machine.processor.memory_operands` evaluates.

By the opcode maps of the Intel SDM (volume 2, appendix A) in 64-bit mode, with SSE4.2, AES and MOVBE. What has no row
accesses no memory: LEA, NOP, PREFETCH, CLFLUSH (as in QEMU; a processor looks for the right to read), jumps, SYSCALL,
INT, and all that the CPU model lacks (AVX, 3DNow!, VMX). A row does not say that the instruction exists.

A row is words, in the order of the accesses:

    kind, size, place    R, W or M (read-modify-write); a size; `@` and a place, where that is not the ModRM operand
    ib, iw, iz           an immediate of 8 bits, of 16, or of 16 or 32
    rep                  a string instruction, which F2 and F3 repeat

Sizes in bytes: b w d q x are 1, 2, 4, 8, 16; v is 2, 4 or 8 by operand size, z 2 or 4, y 4 or 8; s is that of a push,
8 or 2; m is 8 (MMX) or, with 66, 16 (SSE); h is half an MMX register or, with 66, 16; f is a far pointer, v + 2, and l
one of z + 2; e and a are the environment and the state of x87, fx and xs the images of FXSAVE and XSAVE; pair is 8 or
16; the others are numbers.

Places: rsi, rdi, rbp, push, pop, moffs and xlat; bit is the ModRM operand moved by a bit offset in a register; mask are
the bytes at rdi that a vector selects; enter is what ENTER copies. A row with `|` has parts for no mandatory prefix,
66, F3 and F2; `.` is an empty one.
"""

from __future__ import annotations

from functools import cache

import msgspec

# 64-bit mode makes calls and returns 16 bits wide with 66, as QEMU and AMD's processors do; Intel's ignore the prefix.
_ONE_BYTE: dict[str, str] = {
    "00 08 10 18 20 28 30": "Mb", "01 09 11 19 21 29 31": "Mv", "38 02 0a 12 1a 22 2a 32 3a": "Rb",
    "39 03 0b 13 1b 23 2b 33 3b": "Rv", "50-57": "Ws@push", "58-5f": "Rs@pop", "63": "Rd", "68": "Ws@push iz",
    "6a": "Ws@push ib", "69": "Rv iz", "6b": "Rv ib", "6c": "rep Wb@rdi", "6d": "rep Wz@rdi", "6e": "rep Rb@rsi",
    "6f": "rep Rz@rsi", "80/0-6": "Mb ib", "80/7": "Rb ib", "81/0-6": "Mv iz", "81/7": "Rv iz", "83/0-6": "Mv ib",
    "83/7": "Rv ib", "84": "Rb", "85": "Rv", "86": "Mb", "87": "Mv", "88": "Wb", "89": "Wv", "8a": "Rb", "8b": "Rv",
    "8c": "Ww", "8e": "Rw", "8f": "Rs@pop Ws", "9c": "Ws@push", "9d": "Rs@pop", "a0": "Rb@moffs", "a1": "Rv@moffs",
    "a2": "Wb@moffs", "a3": "Wv@moffs", "a4": "rep Rb@rsi Wb@rdi", "a5": "rep Rv@rsi Wv@rdi",
    "a6": "rep Rb@rdi Rb@rsi", "a7": "rep Rv@rdi Rv@rsi", "aa": "rep Wb@rdi", "ab": "rep Wv@rdi", "ac": "rep Rb@rsi",
    "ad": "rep Rv@rsi", "ae": "rep Rb@rdi", "af": "rep Rv@rdi", "c0": "Mb ib", "c1": "Mv ib", "d0 d2": "Mb",
    "d1 d3": "Mv", "c2": "Rs@pop iw", "c3": "Rs@pop", "c6/0": "Wb ib", "c7/0": "Wv iz", "c8": "Ws@enter iw ib",
    "c9": "Rs@rbp", "ca": "Rv@pop Rv@pop iw", "cb": "Rv@pop Rv@pop", "cf": "Rv@pop Rv@pop Rv@pop Rv@pop Rv@pop",
    "d7": "Rb@xlat", "d8": "Rd", "d9/0": "Rd", "d9/2-3": "Wd", "d9/4": "Re", "d9/5": "Rw", "d9/6": "We", "d9/7": "Ww",
    "da": "Rd", "db/0": "Rd", "db/1-3": "Wd", "db/5": "R10", "db/7": "W10", "dc": "Rq", "dd/0": "Rq", "dd/1-3": "Wq",
    "dd/4": "Ra", "dd/6": "Wa", "dd/7": "Ww", "de": "Rw", "df/0": "Rw", "df/1-3": "Ww", "df/4": "R10", "df/5": "Rq",
    "df/6": "W10", "df/7": "Wq", "e8": "Ws@push iz", "f6/0-1": "Rb ib", "f6/2-3": "Mb", "f6/4-7": "Rb",
    "f7/0-1": "Rv iz", "f7/2-3": "Mv", "f7/4-7": "Rv", "fe/0-1": "Mb", "ff/0-1": "Mv", "ff/2": "Rq Ws@push",
    "ff/3": "Rf Wv@push Wv@push", "ff/4": "Rq", "ff/5": "Rf", "ff/6": "Rs Ws@push",
}  # fmt: skip

_TWO_BYTES: dict[str, str] = {
    "00/0-1": "Ww", "00/2-5": "Rw", "01/0-1": "W10", "01/2-3": "R10", "01/4": "Ww", "01/6": "Rw", "02 03": "Rw",
    "40-4f": "Rv", "90-9f": "Wb", "a0 a8": "Ws@push", "a1 a9": "Rs@pop", "a3": "Rv@bit", "ab b3 bb": "Mv@bit",
    "a4 ac": "Mv ib", "a5 ad": "Mv", "af": "Rv", "b0": "Mb", "b1": "Mv", "b2 b4 b5": "Rl", "b6 be": "Rb",
    "b7 bf": "Rw", "b8": ".|.|Rv|.", "ba/4": "Rv ib", "ba/5-7": "Mv ib", "bc bd": "Rv", "c0": "Mb", "c1": "Mv",
    "c3": "Wy", "c7/1": "Mpair", "ae/0": "Wfx", "ae/1": "Rfx", "ae/2": "Rd", "ae/3": "Wd", "ae/4": "Wxs",
    "ae/5": "Rxs", "ae/6": "Wxs|.|.|.", "10": "Rx|Rx|Rd|Rq", "11": "Wx|Wx|Wd|Wq", "12": "Rq|Rq|Rx|Rq",
    "13 17": "Wq|Wq|.|.", "14 15": "Rx", "16": "Rq|Rq|Rx|.", "28": "Rx", "29": "Wx", "2b": "Wx|Wx|Wd|Wq",
    "2a": "Rq|Rq|Ry|Ry", "2c 2d": "Rq|Rx|Rd|Rq", "2e 2f": "Rd|Rq|.|.", "51 58 59 5c-5f": "Rx|Rx|Rd|Rq",
    "52 53": "Rx|.|Rd|.", "54-57": "Rx", "5a": "Rq|Rx|Rd|Rq", "5b": "Rx", "60-62": "Rh", "63-6b": "Rm", "6c 6d": "Rx",
    "6e": "Ry", "6f": "Rq|Rx|Rx|.", "70": "Rq ib|Rx ib|Rx ib|Rx ib", "74-76": "Rm", "7c 7d": "Rx", "7e": "Wy|Wy|Rq|.",
    "7f": "Wq|Wx|Wx|.", "c2": "Rx ib|Rx ib|Rd ib|Rq ib", "c4": "Rw ib", "c6": "Rx ib", "d0": "Rx",
    "d1-d5 d8-df e0-e5 e8-ef f1-f6 f8-fe": "Rm", "d6": ".|Wq|.|.", "e6": ".|Rx|Rq|Rx", "e7": "Wm", "f0": ".|.|.|Rx",
    "f7": "Wb@mask",
}  # fmt: skip

_THREE_BYTES_38: dict[str, str] = {
    "00-0b 1c-1e": "Rm", "10 14 15 17 28 29 2a 2b 37-41 db-df": "Rx", "20 23 25 30 33 35": "Rq", "21 24 31 34": "Rd",
    "22 32": "Rw", "f0": "Rv|Rv|.|Rb", "f1": "Wv|Wv|.|Rv", "f6": ".|Ry|Ry|.",
}  # fmt: skip

_THREE_BYTES_3A: dict[str, str] = {
    "08 09 0c-0e 40-42 44 60-63 df": "Rx ib", "0a 21": "Rd ib", "0b": "Rq ib", "0f": "Rm ib", "14": "Wb ib",
    "15": "Ww ib", "16": "Wy ib", "17": "Wd ib", "20": "Rb ib", "22": "Ry ib",
}  # fmt: skip

_VEX_38: dict[str, str] = {"f2 f3 f5 f6 f7": "Ry"}  # BMI, whatever the prefix in VEX
_VEX_3A: dict[str, str] = {"f0": "Ry ib"}

VEX = 0xC4
_MAPS: dict[bytes, dict[str, str]] = {
    b"": _ONE_BYTE, b"\x0f": _TWO_BYTES, b"\x0f\x38": _THREE_BYTES_38, b"\x0f\x3a": _THREE_BYTES_3A,
    bytes((VEX, 2)): _VEX_38, bytes((VEX, 3)): _VEX_3A,
}  # fmt: skip
_IMMEDIATES = ("ib", "iw", "iz")
_PLACES_OF_MODRM = ("", "bit", "mask")


class Word(msgspec.Struct, frozen=True):
    """One access of a row: "R", "W" or "M", and size and place as the table has them."""

    kind: str
    size: str
    place: str


class Row(msgspec.Struct, frozen=True):
    """What one opcode accesses under one mandatory prefix; `immediates` are b, w and z."""

    words: tuple[Word, ...] = ()
    immediates: tuple[str, ...] = ()
    repeats: bool = False


class Opcode(msgspec.Struct, frozen=True):
    """The rows of an opcode: by the reg field of ModRM, if it has one, and by mandatory prefix (none, 66, F3, F2)."""

    has_modrm: bool
    rows: tuple[tuple[Row, ...], ...]


@cache
def opcodes_of(escape: bytes) -> dict[int, Opcode]:
    """The rows of the map behind 0F, 0F38, 0F3A, VEX and its map, or nothing, by opcode."""
    found: dict[int, dict[int, tuple[Row, ...]]] = {}
    with_digits: set[int] = set()
    for key, text in _MAPS.get(escape, {}).items():
        numbers, _, digits = key.partition("/")
        rows = _rows_of(text)
        for opcode in _numbers(numbers):
            found.setdefault(opcode, {}).update(dict.fromkeys(_numbers(digits or "0-7"), rows))
            if digits:
                with_digits.add(opcode)
    nothing = (Row(),) * 4
    return {
        opcode: Opcode(
            opcode in with_digits or any(_has_operand(row) for row in rows[min(rows)]),
            tuple(rows.get(digit, nothing) for digit in range(8)),
        )
        for opcode, rows in found.items()
    }


def _numbers(text: str) -> list[int]:
    """The hexadecimal numbers and ranges of a key."""
    ends = [word.partition("-") for word in text.split()]
    return [number for first, _, last in ends for number in range(int(first, 16), int(last or first, 16) + 1)]


def _rows_of(text: str) -> tuple[Row, ...]:
    rows = tuple(_row_of(part) for part in text.split("|"))
    return rows if len(rows) > 1 else rows * 4


def _row_of(text: str) -> Row:
    words = text.split()
    return Row(
        tuple(_word_of(word) for word in words if word[0] in "RWM"),
        tuple(word[1] for word in words if word in _IMMEDIATES),
        "rep" in words,
    )


def _word_of(text: str) -> Word:
    what, _, place = text.partition("@")
    return Word(what[0], what[1:], place)


def _has_operand(row: Row) -> bool:
    return any(word.place in _PLACES_OF_MODRM for word in row.words)
