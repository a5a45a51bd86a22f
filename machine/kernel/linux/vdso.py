"""The vDSO: an ELF image that the kernel maps into each process, where the time can be read without a system call.

Its functions read the time-stamp counter, as those of Linux do. It counts nanoseconds of the virtual clock: answers are
exact and the same in every run, and time goes on in loops that wait for it. Scripts see the readings as `!tsc`.
What they do not know they ask the kernel. Laid out for glibc, musl and Go: DT_HASH, and all symbols have the
version LINUX_2.6.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import msgspec

from machine.memory import PAGE

NAME = "[vdso]"
SIZE = PAGE
SONAME, VERSION = "linux-vdso.so.1", "LINUX_2.6"
START = 0x1122_3344_5566_7788  # stands in the code for the time at which the clock began, in ns since 1970


class Function(msgspec.Struct, frozen=True):
    """A function of the vDSO; `code` is what `listing` is assembled to (tests compare them)."""

    name: str
    listing: str
    code: bytes


_NOW = "rdtsc; shl rdx, 0x20; or rax, rdx"
_SINCE_1970 = f"{_NOW}; mov r8, {START:#x}; add rax, r8"
_SECONDS = "xor edx, edx; mov ecx, 0x3b9aca00; div rcx"
FUNCTIONS = (
    # The clocks of Linux's vDSO are bits of 8f3, those of the calendar bits of 821.
    Function("__vdso_clock_gettime", f"""
        cmp edi, 0xb; ja other; mov eax, 0x8f3; bt eax, edi; jae other
        {_NOW}; mov ecx, 0x821; bt ecx, edi; jae elapsed
        mov r8, {START:#x}; add rax, r8
elapsed: {_SECONDS}; mov qword ptr [rsi], rax; mov qword ptr [rsi + 8], rdx; xor eax, eax; ret
other:  mov eax, 0xe4; syscall; ret
    """, bytes.fromhex(
        "83ff0b773eb8f30800000fa3f873340f3148c1e2204809d0b9210800000fa3f9730d49b888776655443322114c01c031"
        "d2b900ca9a3b48f7f14889064889560831c0c3b8e40000000f05c3"
    )),
    Function("__vdso_clock_getres", """
        cmp edi, 0xb; ja other; mov eax, 0x8f3; bt eax, edi; jae other
        test rsi, rsi; je done; mov qword ptr [rsi], 0; mov qword ptr [rsi + 8], 1
done:   xor eax, eax; ret
other:  mov eax, 0xe5; syscall; ret
    """, bytes.fromhex(
        "83ff0b7721b8f30800000fa3f873174885f6740f48c7060000000048c746080100000031c0c3b8e50000000f05c3"
    )),
    Function("__vdso_gettimeofday", f"""
        test rdi, rdi; je zone
        {_SINCE_1970}; xor edx, edx; mov ecx, 0x3e8; div rcx; xor edx, edx; mov ecx, 0xf4240; div rcx
        mov qword ptr [rdi], rax; mov qword ptr [rdi + 8], rdx
zone:   test rsi, rsi; je done; mov qword ptr [rsi], 0
done:   xor eax, eax; ret
    """, bytes.fromhex(
        "4885ff74310f3148c1e2204809d049b888776655443322114c01c031d2b9e803000048f7f131d2b940420f0048f7f148"
        "8907488957084885f6740748c7060000000031c0c3"
    )),
    Function("__vdso_time", f"""
        {_SINCE_1970}; {_SECONDS}; test rdi, rdi; je done; mov qword ptr [rdi], rax
done:   ret
    """, bytes.fromhex(
        "0f3148c1e2204809d049b888776655443322114c01c031d2b900ca9a3b48f7f14885ff7403488907c3"
    )),
    Function("__vdso_getcpu", """
        rdtscp; test rdi, rdi; je node; mov dword ptr [rdi], ecx
node:   test rsi, rsi; je done; mov dword ptr [rsi], 0
done:   xor eax, eax; ret
    """, bytes.fromhex(
        "0f01f94885ff7402890f4885f67406c7060000000031c0c3"
    )),
)  # fmt: skip

_PREFIX = "__vdso_"
_TEXT = 0x800
_ALIGNMENT = 16
_HEADER = struct.Struct("<4sBBBBQHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_PT_LOAD, _PT_DYNAMIC, _PF_X, _PF_R, _ET_DYN, _EM_X86_64 = 1, 2, 1, 4, 3, 62
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 4, 5, 6, 10, 11, 14
_DT_VERSYM, _DT_VERDEF, _DT_VERDEFNUM = 0x6FFF_FFF0, 0x6FFF_FFFC, 0x6FFF_FFFD
_GLOBAL_FUNCTION, _WEAK_FUNCTION, _SECTION_NUMBER = 0x12, 0x22, 1
_BASE_VERSION, _OWN_VERSION, _IS_BASE = 1, 2, 1


@lru_cache(maxsize=8)
def image(start: int) -> bytes:
    """The page of a machine whose clock began at this time, in nanoseconds since 1970."""
    text, places = b"", {}
    for function in FUNCTIONS:
        text = text.ljust(-(-len(text) // _ALIGNMENT) * _ALIGNMENT, b"\xcc")
        places[function.name] = (_TEXT + len(text), len(function.code))
        text += function.code.replace(struct.pack("<Q", START), struct.pack("<Q", start))
    names = [*places, *(name.removeprefix(_PREFIX) for name in places)]  # the second ones are weak
    strings, offsets = b"\0", {}
    for name in (SONAME, VERSION, *names):
        offsets[name] = len(strings)
        strings += name.encode() + b"\0"
    symbols = bytes(_SYMBOL.size)
    for name in names:
        kind = _GLOBAL_FUNCTION if name in places else _WEAK_FUNCTION
        symbols += _SYMBOL.pack(offsets[name], kind, 0, _SECTION_NUMBER, *places[_PREFIX + name.removeprefix(_PREFIX)])
    parts: list[tuple[int, bytes]] = [
        (_DT_HASH, _hash_table(names)),
        (_DT_SYMTAB, symbols),
        (_DT_STRTAB, strings),
        (_DT_VERSYM, struct.pack(f"<{1 + len(names)}H", 0, *(_OWN_VERSION for _ in names))),
        (_DT_VERDEF, _versions(offsets)),
    ]
    body, at = b"", _HEADER.size + 2 * _PROGRAM_HEADER.size
    rows = [(_DT_SONAME, offsets[SONAME]), (_DT_STRSZ, len(strings)), (_DT_SYMENT, _SYMBOL.size), (_DT_VERDEFNUM, 2)]
    for tag, part in parts:
        rows.append((tag, at + len(body)))
        body += part.ljust(-(-len(part) // 8) * 8, b"\0")
    dynamic = b"".join(struct.pack("<QQ", *row) for row in (*rows, (0, 0)))
    dynamic_at = at + len(body)
    ident = (b"\x7fELF", 2, 1, 1, 0, 0)
    head = _HEADER.pack(*ident, _ET_DYN, _EM_X86_64, 1, _TEXT, _HEADER.size, 0, 0, _HEADER.size, 56, 2, 64, 0, 0)
    size = _TEXT + len(text)
    head += _PROGRAM_HEADER.pack(_PT_LOAD, _PF_R | _PF_X, 0, 0, 0, size, size, PAGE)
    head += _PROGRAM_HEADER.pack(_PT_DYNAMIC, _PF_R, dynamic_at, dynamic_at, 0, len(dynamic), len(dynamic), 8)
    return ((head + body + dynamic).ljust(_TEXT, b"\0") + text).ljust(SIZE, b"\0")


def _hash_table(names: list[str]) -> bytes:
    """DT_HASH with one bucket (psABI, chapter 5): every symbol is in its chain."""
    count = 1 + len(names)
    return struct.pack(f"<3I{count}I", 1, count, 1, 0, *range(2, count), 0)


def _versions(offsets: dict[str, int]) -> bytes:
    """DT_VERDEF: the file itself, and the version that all symbols have."""
    rows = ((_IS_BASE, _BASE_VERSION, SONAME, 28), (0, _OWN_VERSION, VERSION, 0))
    return b"".join(
        struct.pack("<4H3I2I", 1, flags, number, 1, elf_hash(name), 20, following, offsets[name], 0)
        for flags, number, name, following in rows
    )


def elf_hash(name: str) -> int:
    """The hash of names in ELF files (psABI, figure 5-13)."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF000_0000
        value = (value ^ high >> 24) & ~high
    return value & 0xFFFF_FFFF
