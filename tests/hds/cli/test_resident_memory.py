"""What `hds run` has in memory stays within `max_guest_memory` and 300 MB, whatever the guest does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from effort import often
from engines import need_machine_code
from hds_guests import listing_file

need_machine_code()  # millions of blocks and iterations
pytestmark = pytest.mark.lasting

MIB = 1 << 20
GUEST_MEMORY = 128 * MIB
OWN = 300_000_000  # bytes
BLOCKS = often(0x1_0000, 0x30_0000)  # that are translated; Unicorn kept 80 bytes of each
_RUN = """
import sys
from hds.cli.main import main
main(sys.argv[1:])
status = dict(line.split(":") for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0], file=sys.stderr)
"""
_MMAP = "mov r10d, 0x22; mov r8, -1; xor r9d, r9d; mov eax, 9; syscall; "
_RETS = "mov rbx, rax; mov rdi, rax; mov ecx, {size:#x}; mov al, 0xc3; rep stosb; "

GUESTS = {
    "all memory is touched": (
        "xor edi, edi; mov esi, 0x8000000; mov edx, 3; " + _MMAP + "next: mov [rax], rax; add rax, 0x1000; jmp next"
    ),
    "mapped and unmapped again": (
        "mov r15d, 6; again: xor edi, edi; mov esi, 0x4000000; mov edx, 3; " + _MMAP + "mov rdi, rax; "
        "mov ecx, 0x4000; touch: mov [rax], rax; add rax, 0x1000; dec ecx; jnz touch; "
        "mov esi, 0x4000000; mov eax, 0xb; syscall; dec r15d; jnz again"
    ),
    "code that writes itself": (
        "xor edi, edi; mov esi, 0x1000; mov edx, 7; " + _MMAP + "mov rbx, rax; mov byte ptr [rbx], 0xb8; "
        f"mov byte ptr [rbx + 5], 0xc3; mov r15d, {BLOCKS}; again: mov [rbx + 1], r15d; call rbx; dec r15d; jnz again"
    ),
    "new code all the time": (
        "xor edi, edi; mov esi, 0x1000000; mov edx, 7; " + _MMAP + _RETS.format(size=0x100_0000)
        + f"mov r15d, {BLOCKS}; again: call rbx; inc rbx; dec r15d; jnz again"
    ),
    "code in every page": (
        "xor edi, edi; mov esi, 0x7000000; mov edx, 7; " + _MMAP + _RETS.format(size=0x700_0000)
        + "mov r15d, 0x7000; again: call rbx; add rbx, 0x1000; dec r15d; jnz again"
    ),
    "60,000 mappings": (
        "mov r15d, 0xea60; mov r14d, 1; again: xor edi, edi; mov esi, 0x1000; mov edx, r14d; " + _MMAP
        + "xor r14d, 2; dec r15d; jnz again"
    ),
    "long writes": (
        "xor edi, edi; mov esi, 0x6000000; mov edx, 3; " + _MMAP + "mov r15d, 3; mov rbx, rax; again: "
        "mov edi, 1; mov rsi, rbx; mov edx, 0x6000000; mov eax, 1; syscall; dec r15d; jnz again"
    ),
}  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("case", often(("all memory is touched", "new code all the time"), tuple(GUESTS)))
def test_resident_memory_is_bounded(tmp_path: Path, case: str) -> None:
    path = listing_file(tmp_path, GUESTS[case])
    options = ["--kernel", "linux", "--max-guest-memory", str(GUEST_MEMORY), "-e", "!syscall script { .n = .n + 1; }"]
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, "run", *options, path],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    summary, peak = ran.stderr.splitlines()[-2:]
    assert summary.endswith(": limit max_guest_memory" if case == "all memory is touched" else ": end")
    assert int(peak) * 1024 <= GUEST_MEMORY + OWN
