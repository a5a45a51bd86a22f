"""What a Windows process finds in its memory before its first instruction: KUSER_SHARED_DATA, PEB, parameters, TEBs.

Offsets are those of Windows 10 x64 (public symbols; ntddk.h for KUSER_SHARED_DATA).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from machine.kernel.nt.space import GRANULARITY, PAGE_READONLY, PAGE_READWRITE, NtSpace
from machine.memory import PAGE, AddressSpace, Area, Protection, page_ceil

SHARED_DATA = 0x7FFE_0000
_LOW = 0xFFFF_FFFF
_TIMES, _TICK_COUNT = struct.Struct("<6I"), struct.Struct("<3I")
TICKS_PER_UNIT = 100  # ns of the virtual clock in what NT counts time in
COUNTER_FREQUENCY = 10_000_000
# PF_...: CMPXCHG8B, MMX, SSE, RDTSC, PAE, SSE2, NX, SSE3, FSGSBASE, RDRAND, RDTSCP, SSSE3, SSE4.1, SSE4.2, ERMS, BMI2
_PROCESSOR_FEATURES = (2, 3, 6, 8, 9, 10, 12, 13, 22, 28, 32, 36, 37, 38, 42, 60)
_PEB_PAGES, _TEB_PAGES = 4, 4
_GRAPHICS_HANDLES = 1 << 16
_CURRENT_FOLDER = 0x38  # CurrentDirectory of RTL_USER_PROCESS_PARAMETERS
_FOLDER_ROOM = 0x208  # bytes of its buffer: MAX_PATH characters, which ntdll fills without making it larger


def map_shared_data(memory: AddressSpace, build: int, cores: int) -> None:
    """The page that every process reads at 7ffe0000; `set_time` writes its clocks."""
    memory.map(Area(SHARED_DATA, SHARED_DATA + PAGE, Protection.READ, "KUSER_SHARED_DATA"))
    page = bytearray(PAGE)

    def put(offset: int, form: str, *values: int) -> None:
        struct.pack_into("<" + form, page, offset, *values)

    put(0x004, "I", 1 << 24)  # what a tick is: a millisecond, which Wine takes for granted
    put(0x02C, "HH", 0x8664, 0x8664)
    root = "C:\\windows".encode("utf-16-le")
    page[0x030 : 0x030 + len(root)] = root
    put(0x260, "IIBxH", build, 1, 1, 9)
    put(0x26C, "II", 10, 0)
    for feature in _PROCESSOR_FEATURES:
        page[0x274 + feature] = 1
    put(0x2E8, "I", 0xF_FF00)
    put(0x300, "Q", COUNTER_FREQUENCY)
    put(0x330, "I", 0x1234_5678)
    put(0x3C0, "I", cores)
    put(0x3D8, "QI4xI", 3, 0, 0x240)
    memory.write(SHARED_DATA, bytes(page))


def set_time(memory: AddressSpace, elapsed: int, system_time: int) -> None:
    """The clocks of the page: `elapsed` in ns since the start, `system_time` in units of 100 ns since 1601."""
    interrupt, count = elapsed // TICKS_PER_UNIT, elapsed // 1_000_000
    high, system_high, count_high = interrupt >> 32, system_time >> 32, count >> 32
    low, system_low, count_low = interrupt & _LOW, system_time & _LOW, count & _LOW
    memory.write(SHARED_DATA + 0x008, _TIMES.pack(low, high, high, system_low, system_high, system_high))
    memory.write(SHARED_DATA + 0x320, _TICK_COUNT.pack(count_low, count_high, count_high))


def make_peb(space: NtSpace, fields: Mapping[int, tuple[str, int]]) -> int:
    """A PEB with these fields (offset: form of struct, value); Wine needs a third page."""
    peb = space.reserve(0x7FF5_0000_0000, _PEB_PAGES * PAGE, PAGE_READWRITE, "PEB", commit=True).base
    for offset, (form, value) in fields.items():
        space.memory.write(peb + offset, struct.pack("<" + form, value))
    return peb


def make_graphics_handles(space: NtSpace) -> int:
    """The table of GDI's handles, which gdi32 reads without a call: there are none."""
    place = 0x7FF5_1000_0000
    return space.reserve(place, _GRAPHICS_HANDLES * 24, PAGE_READONLY, "GDI handles", commit=True).base


def make_teb(space: NtSpace, ids: tuple[int, int], peb: int, stack: tuple[int, int, int], *, first: bool) -> int:
    """A TEB; `stack` are its base (the upper end), its limit and where its allocation begins. Raises NtError."""
    low = 0x7FF5_0010_0000
    gap = space.memory.find_gap(2 * GRANULARITY, low, 0x7FF6_0000_0000, top_down=False)
    place = 0 if gap is None else gap + GRANULARITY - 1 & -GRANULARITY
    teb = space.reserve(place, (_TEB_PAGES + 1) * PAGE, PAGE_READWRITE, "TEB", commit=True).base
    actctx = teb + _TEB_PAGES * PAGE
    base, limit, allocation = stack
    fields = {
        0x000: -1 & (1 << 64) - 1, 0x008: base, 0x010: limit, 0x030: teb, 0x040: ids[0], 0x048: ids[1], 0x060: peb,
        0x2C8: actctx, 0x1260: teb + 0x1268, 0x1478: allocation,
    }  # fmt: skip
    for offset, value in fields.items():
        space.memory.write(teb + offset, struct.pack("<Q", value))
    space.memory.write(teb + 0x108, struct.pack("<I", 0x409))
    space.memory.write(teb + 0x1258, struct.pack("<HH", 0, 522))
    space.memory.write(teb + 0x17EE, struct.pack("<H", 0x400 if first else 0))
    space.memory.write(actctx, struct.pack("<QQQII", 0, actctx + 8, actctx + 8, 0, 1))
    return teb


WINE_USER = "WINEUSERNAME=user"


def environment_block(texts: Sequence[str]) -> bytes:
    """NAME=VALUE texts, sorted as Windows sorts them, with what every program expects."""
    given = {text.partition("=")[0].upper(): text for text in texts if "=" in text}
    known = {text.partition("=")[0].upper(): text for text in _ENVIRONMENT}
    rows = sorted({**known, **given}.items())
    return ("".join(f"{text}\0" for _, text in rows) + "\0").encode("utf-16-le", "surrogatepass")


_ENVIRONMENT = (
    "ALLUSERSPROFILE=C:\\ProgramData", "APPDATA=C:\\users\\user\\AppData\\Roaming", "COMPUTERNAME=HDS",
    "ComSpec=C:\\windows\\system32\\cmd.exe", "HOMEDRIVE=C:", "HOMEPATH=\\users\\user",
    "LOCALAPPDATA=C:\\users\\user\\AppData\\Local", "NUMBER_OF_PROCESSORS=1", "OS=Windows_NT",
    "Path=C:\\windows\\system32;C:\\windows", "PATHEXT=.COM;.EXE;.BAT;.CMD", "PROCESSOR_ARCHITECTURE=AMD64",
    "ProgramData=C:\\ProgramData", "ProgramFiles=C:\\Program Files", "SystemDrive=C:", "SystemRoot=C:\\windows",
    "TEMP=C:\\windows\\temp", "TMP=C:\\windows\\temp", "USERDOMAIN=HDS", "USERNAME=user",
    "USERPROFILE=C:\\users\\user", "windir=C:\\windows",
)  # fmt: skip


def make_parameters(
    space: NtSpace, handles: Sequence[int], folder: str, folder_handle: int, program: str, line: str,
    environment: bytes,
) -> int:  # fmt: skip
    """RTL_USER_PROCESS_PARAMETERS with its texts, in an allocation that the guest frees."""
    block = bytearray(0x440)
    beside = program.rpartition("\\")[0]
    dll_path = f"{beside};C:\\windows\\system32;C:\\windows"  # what Wine searches, and nothing else
    texts = {
        _CURRENT_FOLDER: folder,
        0x50: dll_path,
        0x60: program,
        0x70: line,
        0xB0: program,
        0xC0: "WinSta0\\Default",
        0xD0: "",
    }  # fmt: skip; none at 0xE0: C libraries take RuntimeData with a buffer for the handles of a parent
    size = page_ceil(len(block) + sum(2 * len(text) + 9 for text in texts.values()) + _FOLDER_ROOM)
    base = space.reserve(0, size, PAGE_READWRITE, "parameters", commit=True).base
    other = space.reserve(0, len(environment), PAGE_READWRITE, "environment", commit=True).base
    space.memory.write(other, environment)
    struct.pack_into("<IIII", block, 0, size, size, 1, 0)
    struct.pack_into("<3Q", block, 0x20, *handles)
    struct.pack_into("<Q", block, 0x48, folder_handle)
    struct.pack_into("<Q", block, 0x80, other)
    struct.pack_into("<Q", block, 0x3F0, len(environment))
    for offset, text in texts.items():
        data = text.encode("utf-16-le", "surrogatepass")
        room = max(len(data) + 2, _FOLDER_ROOM if offset == _CURRENT_FOLDER else 0)
        struct.pack_into("<HHIQ", block, offset, len(data), min(room, 0xFFFE), 0, base + len(block))
        block += data.ljust(room + 7 & -8, b"\0")
    space.memory.write(base, bytes(block))
    return base


def make_api_sets(space: NtSpace, data: bytes) -> int:
    """A copy of the map of API sets; 0 for none."""
    if not data:
        return 0
    base = space.reserve(0, len(data), PAGE_READWRITE, "API sets", commit=True).base
    space.memory.write(base, data)
    space.protect(base, base + page_ceil(len(data)), PAGE_READONLY)
    return base
