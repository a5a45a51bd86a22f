"""One step up the stack, by what compilers have written down: DWARF's call frame information (.eh_frame) in ELF files,
and the function table (.pdata) in PE files. All is read from the memory of the process, as its own unwinder would.

Sources: DWARF 5, 6.4; Linux Standard Base Core 5, 10.6 (eh_frame, eh_frame_hdr); Microsoft, x64 exception handling.
The tables are a guest's: what is not plain, or too much, leads nowhere, and nothing is raised.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO

RIP, RSP, RBP = 16, 7, 6  # by their numbers in DWARF (System V psABI, AMD64, figure 3.36)
NAMES = (
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
)  # fmt: skip
_PRESERVED = (3, RBP, 12, 13, 14, 15)  # by calls, where nothing is said
_WORD = (1 << 64) - 1
_LONGEST = 1 << 16  # bytes of an entry
_LARGEST = 8 << 20  # bytes of a section that is looked through
_MOST_ENTRIES = 1 << 20  # of a table
_GNU_EH_FRAME = 0x6474_E550
_SORTED_TABLE = (0x1B, 0x03, 0x3B)  # how linkers encode it: pointer, count, pairs of 32 bits from the header on

Registers = Mapping[int, int]
ReadUpTo = Callable[[int, int], bytes]


Section = tuple[int, int]  # address in memory, and size


def caller(
    base: int, registers: Registers, read: ReadUpTo, section: Section | None = None, *, innermost: bool
) -> dict[int, int] | None:
    """The registers of the caller, as far as they are known, of a function in the module at `base`; None: unknown.

    Of other frames than the innermost, rip is a return address: the call stands in front of it. `section` is .eh_frame,
    for a module without an index of it (static programs have none).
    """
    place = registers[RIP] - (not innermost)
    try:
        if read(base, 4) == b"\x7fELF":
            return _by_call_frames(base, place, registers, read, section)
        if read(base, 2) == b"MZ":
            return _by_function_table(base, place, registers, read)
    except Exception:  # whatever a library stumbles over in tables that nobody has checked, or we do
        return None
    return None


def function_at(base: int, place: int, read: ReadUpTo) -> int | None:
    """Where the last function begins, of those that the module at `base` describes, that begins not behind `place`."""
    try:
        if read(base, 4) == b"\x7fELF":
            entry = _entry_of(base, place, read)
            return None if entry is None else entry[1]
        return base + _function_of(base, place - base, read) if read(base, 2) == b"MZ" else None
    except Exception:  # as above
        return None


def _number(read: ReadUpTo, address: int, size: int) -> int:
    data = read(address & _WORD, size)
    if len(data) != size:
        raise ValueError("not mapped")
    return int.from_bytes(data, "little")


# --- DWARF


@lru_cache(4)
def call_frames_of(data: bytes) -> Section | None:
    """Where .eh_frame of an ELF file is to lie, and its size."""
    from elftools.elf.elffile import ELFFile

    try:
        section = ELFFile(BytesIO(data)).get_section_by_name(".eh_frame")
        return None if section is None else (section["sh_addr"], section["sh_size"])
    except Exception:  # whatever the library stumbles over
        return None


def _by_call_frames(
    base: int, place: int, registers: Registers, read: ReadUpTo, section: Section | None
) -> dict[int, int] | None:
    entry = _entry_of(base, place, read)
    if entry is None and section is not None:
        entry = _entry_in(*section, place, read)
    return None if entry is None else _applied(*entry, place, registers, read)


def _entry_of(base: int, place: int, read: ReadUpTo) -> tuple[int, int] | None:
    """Where the description of the function at `place` lies, and where the function begins."""
    table, size, count = struct.unpack("<Q14xHH", read(base + 0x20, 26))
    headers = read(base + table, size * min(count, 64))
    rows = [struct.unpack_from("<IIQQQQQQ", headers, at) for at in range(0, len(headers) - 55, 56)]
    loads = [row[3] - row[2] for row in rows if row[0] == 1 and row[2] == 0]
    header = next((row[3] for row in rows if row[0] == _GNU_EH_FRAME), None)
    if header is None or not loads:
        return None
    start = base + header - loads[0]
    version, *encodings, count = struct.unpack("<B3B4xI", read(start, 12))
    if version != 1 or tuple(encodings) != _SORTED_TABLE:
        return None
    low, high = 0, min(count, _MOST_ENTRIES)
    while low < high:
        middle = (low + high) // 2
        if start + _signed(read, start + 12 + 8 * middle) <= place:
            low = middle + 1
        else:
            high = middle
    if not low:
        return None
    at = start + 12 + 8 * (low - 1)
    return start + _signed(read, at + 4), start + _signed(read, at)


def _entry_in(start: int, size: int, place: int, read: ReadUpTo) -> tuple[int, int] | None:
    """The same, by looking at all entries; functions are encoded as compilers do it, 32 bits from where that stands."""
    data, at, best = read(start, min(size, _LARGEST)), 0, None
    while at + 12 <= len(data):
        length, kind, begins = struct.unpack_from("<IIi", data, at)
        if not 8 <= length <= _LONGEST:
            break
        if kind and start + at + 8 + begins <= place and (best is None or start + at + 8 + begins > best[1]):
            best = start + at, start + at + 8 + begins
        at += length + 4
    return best


def _signed(read: ReadUpTo, address: int) -> int:
    return int.from_bytes(read(address, 4), "little", signed=True)


def _applied(entry: int, function: int, place: int, registers: Registers, read: ReadUpTo) -> dict[int, int] | None:
    """The caller's registers by the row of the description that holds at `place`."""
    from elftools.dwarf.callframe import FDE, CallFrameInfo
    from elftools.dwarf.structs import DWARFStructs

    common = entry + 4 - _number(read, entry + 4, 4)
    first, second = _piece(read, common), _piece(read, entry)
    alone = first + second[:4] + len(first + second[:4]).to_bytes(4, "little") + second[8:]
    structs = DWARFStructs(little_endian=True, dwarf_format=32, address_size=8)
    found = CallFrameInfo(BytesIO(alone), len(alone), entry - len(first), structs, for_eh_frame=True).get_entries()
    description = next(each for each in found if isinstance(each, FDE))
    begins, length = description.header["initial_location"], description.header["address_range"]
    if begins != function or not function <= place < function + length:
        return None
    rows = [row for row in description.get_decoded().table if row["pc"] <= place]
    if not rows or rows[-1]["cfa"].reg is None:
        return None
    row = rows[-1]
    frame = registers[row["cfa"].reg] + row["cfa"].offset & _WORD
    known = {number: registers[number] for number in _PRESERVED if number in registers}
    for number, rule in row.items():
        if not isinstance(number, int):
            continue
        if rule.type == "OFFSET":
            known[number] = _number(read, frame + rule.arg, 8)
        elif rule.type == "UNDEFINED" and number == RIP:
            return None  # the outermost one
        elif rule.type != "SAME_VALUE":
            known.pop(number, None)
    known[RSP] = frame
    return known if RIP in known else None


def _piece(read: ReadUpTo, at: int) -> bytes:
    size = _number(read, at, 4) + 4
    if not 8 < size <= _LONGEST:
        raise ValueError("no entry")
    data = read(at, size)
    if len(data) != size:
        raise ValueError("not mapped")
    return data


# --- PE


_IN_PE = (0, 2, 1, 3, 7, 6, 4, 5, *range(8, 16))  # DWARF's number of each register, by Microsoft's
_PUSH, _LARGE, _SMALL, _SET_FRAME, _SAVE, _SAVE_FAR, _SAVE_XMM, _SAVE_XMM_FAR, _MACHINE = 0, 1, 2, 3, 4, 5, 8, 9, 10
_CHAINED = 4
_MOST_PIECES = 32  # of a function, whose descriptions are chained


def _by_function_table(base: int, place: int, registers: Registers, read: ReadUpTo) -> dict[int, int] | None:
    row, offset = _row_of(base, place - base, read), place - base
    known = {number: registers[number] for number in (*_PRESERVED, RSP, 4, 5) if number in registers}
    if row is not None:
        begin, end, info = row
        if offset < end and not _undone(base, base + info, offset - begin, known, read):
            return None
    known[RIP] = _number(read, known[RSP], 8)  # a function that is in no table has pushed nothing
    known[RSP] = known[RSP] + 8 & _WORD
    return known


def _row_of(base: int, offset: int, read: ReadUpTo) -> tuple[int, int, int] | None:
    """The last row of the table whose function begins not behind an offset: begin, end, and where it is described."""
    headers = base + _number(read, base + 0x3C, 4)
    table, size = struct.unpack("<II", read(headers + 24 + 112 + 3 * 8, 8))
    low, high = 0, min(size // 12, _MOST_ENTRIES)
    while low < high:
        middle = (low + high) // 2
        if _number(read, base + table + 12 * middle, 4) <= offset:
            low = middle + 1
        else:
            high = middle
    if not low:
        return None
    begin, end, info = struct.unpack("<III", read(base + table + 12 * (low - 1), 12))
    return begin, end, info


def _function_of(base: int, offset: int, read: ReadUpTo) -> int:
    """Where the function of an offset begins; one in pieces where its first piece does. Raises ValueError."""
    row = _row_of(base, offset, read)
    if row is None:
        raise ValueError("no function")
    begin, _, info = row
    for _ in range(_MOST_PIECES):
        flags, _, count, _ = read(base + info, 4)
        if not flags >> 3 & _CHAINED:
            break
        begin, _, info = struct.unpack("<III", read(base + info + 4 + 2 * (count + count % 2), 12))
    return begin


def _undone(base: int, info: int, progress: int, known: dict[int, int], read: ReadUpTo) -> bool:
    """Take back what the prologue has done so far."""
    for _ in range(_MOST_PIECES):
        flags, prologue, count, frame = read(info, 4)
        codes = struct.unpack(f"<{count}H", read(info + 4, 2 * count))
        if frame & 15 and progress >= prologue:
            known[RSP] = known[_IN_PE[frame & 15]] - 16 * (frame >> 4)
        at = 0
        while at < count:
            offset, operation, argument = codes[at] & 0xFF, codes[at] >> 8 & 15, codes[at] >> 12
            more = {_LARGE: 2 if argument else 1, _SAVE: 1, _SAVE_FAR: 2, _SAVE_XMM: 1, _SAVE_XMM_FAR: 2}.get(
                operation, 0
            )
            operand = sum(word << 16 * index for index, word in enumerate(codes[at + 1 : at + 1 + more]))
            at += 1 + more
            if offset > progress:
                continue
            match operation:
                case 0:
                    known[_IN_PE[argument]] = _number(read, known[RSP], 8)
                    known[RSP] += 8
                case 1:
                    known[RSP] += operand if argument else 8 * operand
                case 2:
                    known[RSP] += 8 * argument + 8
                case 4 | 5:
                    known[_IN_PE[argument]] = _number(read, known[RSP] + (operand if more == 2 else 8 * operand), 8)
                case 10:
                    return False
        if not flags >> 3 & _CHAINED:
            return True
        info, progress = base + _number(read, info + 4 + 2 * (count + count % 2) + 8, 4), 255
    return False
