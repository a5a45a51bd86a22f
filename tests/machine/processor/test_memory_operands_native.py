"""Memory operands against the processor under the tests: where it faults, and whether the error code says a write.

The instructions are those of which processors do not differ. Left out is what they are free to do: the bytes that
MASKMOVDQU looks at, the order of IRET's pops, and calls and returns with prefix 66.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.processor.memory_operands import Access, accesses, faulting
from machine.processor.registers import FS_BASE
from vm.facts.registers import GENERAL, STORAGE_INDEX

CODE = 0x1000_0000
LOW, SHOWN, HIDDEN, READ_ONLY = 0x2000_0000, 0x2000_1000, 0x2000_2000, 0x2000_3000
FLAGS, BACKWARDS = 0x202, 0x602
PAGE_BYTES = 4096
WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF
USUAL = {"rax": SHOWN + 0x100, "rcx": 1, "rbx": SHOWN + 0x200, "rsp": SHOWN + 0x800, "rbp": SHOWN + 0x400} | {
    "rsi": SHOWN + 0x300, "rdi": SHOWN + 0x380,
}  # fmt: skip

# Code, the registers that matter, and the direction flag.
CASES: tuple[tuple[str, dict[str, int], int], ...] = (
    ("8b18", {"rax": HIDDEN}, FLAGS),
    ("8b18", {"rax": HIDDEN - 2}, FLAGS),
    ("8b18", {"rax": SHOWN - 2}, FLAGS),
    ("8918", {"rax": SHOWN - 2}, FLAGS),
    ("8918", {"rax": READ_ONLY + 8}, FLAGS),
    ("8b449810", {"rax": HIDDEN - 0x40, "rbx": 0x40}, FLAGS),
    ("678b40ff", {"rax": 0}, FLAGS),
    ("8b05fa1f0010", {}, FLAGS),  # MOV eax, [rip+0x10001ffa]
    ("c705f61f001001020304", {}, FLAGS),  # the same address, with an immediate
    ("648b00", {"rax": SHOWN}, FLAGS),
    ("642e8b00", {"rax": SHOWN}, FLAGS),
    ("2e648b00", {"rax": SHOWN}, FLAGS),
    ("a00020002000000000", {}, FLAGS),
    ("67a000200020", {}, FLAGS),
    ("0118", {"rax": HIDDEN}, FLAGS),
    ("0118", {"rax": HIDDEN - 2}, FLAGS),
    ("0118", {"rax": SHOWN - 2}, FLAGS),
    ("0118", {"rax": READ_ONLY}, FLAGS),
    ("f00118", {"rax": HIDDEN}, FLAGS),
    ("8718", {"rax": HIDDEN}, FLAGS),
    ("0fb10b", {"rbx": HIDDEN}, FLAGS),
    ("0fb10b", {"rbx": READ_ONLY}, FLAGS),
    ("0fc10b", {"rbx": HIDDEN}, FLAGS),
    ("0fc70b", {"rbx": READ_ONLY}, FLAGS),
    ("480fc70b", {"rbx": HIDDEN}, FLAGS),
    ("d320", {"rax": READ_ONLY, "rcx": 0}, FLAGS),
    ("c12000", {"rax": READ_ONLY}, FLAGS),
    ("f7180000", {"rax": HIDDEN}, FLAGS),
    ("f70000000000", {"rax": HIDDEN}, FLAGS),
    ("0f4200", {"rax": HIDDEN}, FLAGS),  # CMOVB that moves nothing
    ("0fa318", {"rax": SHOWN, "rbx": 0x8000 + 32}, FLAGS),
    ("480fab18", {"rax": SHOWN, "rbx": -64 & WORD_MASK}, FLAGS),
    ("660fab18", {"rax": SHOWN, "rbx": 0x1_8000}, FLAGS),
    ("0fab18", {"rax": SHOWN, "rbx": 0x1_8000_0005}, FLAGS),
    ("0fba20ff", {"rax": HIDDEN}, FLAGS),
    ("a4", {"rsi": HIDDEN + 0x10, "rdi": HIDDEN + 0x20}, FLAGS),
    ("f3a5", {"rdi": HIDDEN + 0x20, "rcx": 3}, BACKWARDS),
    ("f3a4", {"rsi": HIDDEN, "rcx": 0}, FLAGS),
    ("48a7", {"rsi": HIDDEN + 0x10}, FLAGS),
    ("48a7", {"rdi": HIDDEN + 0x10}, FLAGS),
    ("aa", {"rdi": HIDDEN + 5}, FLAGS),
    ("ac", {"rsi": HIDDEN + 5}, FLAGS),
    ("ae", {"rdi": HIDDEN + 5}, FLAGS),
    ("64a4", {"rsi": SHOWN}, FLAGS),
    ("d7", {"rbx": HIDDEN, "rax": 0x1234}, FLAGS),
    ("50", {"rsp": HIDDEN + 8}, FLAGS),
    ("6650", {"rsp": HIDDEN + 4}, FLAGS),
    ("0fa0", {"rsp": HIDDEN + 8}, FLAGS),
    ("58", {"rsp": HIDDEN - 4}, FLAGS),
    ("9c", {"rsp": HIDDEN + 8}, FLAGS),
    ("9d", {"rsp": HIDDEN - 4}, FLAGS),
    ("ff30", {"rax": HIDDEN + 0x10, "rsp": HIDDEN + 0x28}, FLAGS),
    ("8f00", {"rax": HIDDEN + 0x10, "rsp": HIDDEN + 0x28}, FLAGS),
    ("8f00", {"rax": HIDDEN + 0x10}, FLAGS),
    ("8f442408", {"rsp": HIDDEN - 8}, FLAGS),
    ("e800000000", {"rsp": HIDDEN + 0x28}, FLAGS),
    ("ff10", {"rax": HIDDEN + 0x10, "rsp": HIDDEN + 0x28}, FLAGS),
    ("ff20", {"rax": HIDDEN - 4}, FLAGS),
    ("ff28", {"rax": HIDDEN}, FLAGS),
    ("c3", {"rsp": HIDDEN - 4}, FLAGS),
    ("48cb", {"rsp": HIDDEN - 8}, FLAGS),
    ("c8100000", {"rsp": HIDDEN + 8}, FLAGS),
    ("c8000002", {"rbp": HIDDEN + 8}, FLAGS),
    ("c9", {"rbp": HIDDEN + 0x40}, FLAGS),
    ("8c18", {"rax": HIDDEN - 1}, FLAGS),
    ("0f1008", {"rax": HIDDEN - 8}, FLAGS),
    ("f30f1008", {"rax": HIDDEN - 4}, FLAGS),
    ("f20f1008", {"rax": HIDDEN - 4}, FLAGS),
    ("66f30f1008", {"rax": HIDDEN - 4}, FLAGS),
    ("66f20f1008", {"rax": HIDDEN - 4}, FLAGS),
    ("0f5a08", {"rax": HIDDEN - 8}, FLAGS),
    ("f30fe608", {"rax": HIDDEN - 8}, FLAGS),
    ("0f6008", {"rax": HIDDEN - 4}, FLAGS),
    ("660f3a610800", {"rax": HIDDEN - 8}, FLAGS),
    ("660f383208", {"rax": HIDDEN - 1}, FLAGS),
    ("660f3a210800", {"rax": HIDDEN - 3}, FLAGS),
    ("f20f38f118", {"rax": HIDDEN - 3}, FLAGS),
    ("0fc40800", {"rax": HIDDEN - 2}, FLAGS),
    ("0fc308", {"rax": HIDDEN}, FLAGS),
    ("0fae10", {"rax": HIDDEN - 2}, FLAGS),
    ("0fae18", {"rax": HIDDEN - 2}, FLAGS),
    ("db28", {"rax": HIDDEN - 9}, FLAGS),
    ("db38", {"rax": HIDDEN - 8}, FLAGS),
    ("d930", {"rax": HIDDEN}, FLAGS),
    ("66d930", {"rax": HIDDEN - 14}, FLAGS),
    ("dd38", {"rax": HIDDEN - 1}, FLAGS),
    ("480f38f000", {"rax": HIDDEN - 7}, FLAGS),
    ("660f38f118", {"rax": HIDDEN - 1}, FLAGS),
    ("66480f38f618", {"rax": HIDDEN - 7}, FLAGS),
    ("f30f38f618", {"rax": HIDDEN - 3}, FLAGS),
    ("c4e260f218", {"rax": HIDDEN - 3}, FLAGS),
    ("c4c2f8f318", {"r8": HIDDEN - 7}, FLAGS),
    ("c4a2fbf50440", {"rax": SHOWN, "r8": (HIDDEN - SHOWN) // 2}, FLAGS),
    ("c4e2fbf600", {"rax": HIDDEN}, FLAGS),
    ("c4e37bf00003", {"rax": HIDDEN}, FLAGS),
    ("64c4e2f8f700", {"rax": SHOWN}, FLAGS),
    ("8d18", {"rax": HIDDEN}, FLAGS),
    ("0f1808", {"rax": HIDDEN}, FLAGS),
    ("0f1f00", {"rax": HIDDEN}, FLAGS),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """faults.c, compiled."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        pytest.skip("the processor or the system under the tests is another one than x86-64 Linux")
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc (Debian packages gcc and libc6-dev)")
    made = tmp_path_factory.mktemp("faults") / "faults"
    source = Path(__file__).parent / "faults.c"
    subprocess.run(["gcc", "-O1", "-o", str(made), str(source)], check=True, capture_output=True)
    return made


def words(registers: dict[str, int], flags: int) -> list[int]:
    return [*(registers.get(name, 0) for name in GENERAL), flags]


def refuses(page: int, access: Access, fs_base: int) -> bool:
    """Whether the page may not be accessed so; what is not listed is not mapped, or a thread's own data at FS."""
    if page in (SHOWN, fs_base & -PAGE_BYTES):
        return False
    return page != READ_ONLY or access.is_write or access.modifies


def predicted(made: tuple[Access, ...], fs_base: int) -> str:
    """The line that the program prints."""
    for access in made:
        first, last = access.address & -PAGE_BYTES, (access.address + access.size - 1) & -PAGE_BYTES
        for page in (first, last):
            found = faulting(made, page, access.is_write)
            if refuses(page, access, fs_base) and found is not None:
                return f"{found[0]:x} {int(access.is_write or access.modifies)}"
    return "none"


@pytest.mark.slow
def test_the_processor_faults_at_these_addresses(program: Path) -> None:
    rows = [words(USUAL | registers, flags) for _, registers, flags in CASES]
    text = "".join(
        " ".join(f"{word:x}" for word in row) + f" {code}\n" for row, (code, *_) in zip(rows, CASES, strict=True)
    )
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=60)
    base, *found = done.stdout.splitlines()
    fs_base = int(base, 16)
    expected = []
    for row, (code, *_) in zip(rows, CASES, strict=True):
        values = dict(enumerate(row[:16])) | {FS_BASE: fs_base, STORAGE_INDEX["rflags"]: row[16]}
        expected.append(predicted(accesses(bytes.fromhex(code), CODE, values.__getitem__), fs_base))
    told = zip(CASES, found, expected, strict=True)
    assert [(case, processor, ours) for case, processor, ours in told if processor != ours] == []
    assert len(CASES) > 60
