"""Which instructions count as plain: each row of the table by a real encoding, and what must not be one of them."""

from __future__ import annotations

import capstone
import pytest

from machine.root.assembler import assemble
from machine.root.plain_code import _PLAIN, is_plain

# One encoding of each row whose name alone is no instruction, or that the assembler spells otherwise.
OPERANDS: dict[str, str] = {
    **dict.fromkeys(("mov", "xchg", "add", "adc", "sub", "sbb", "cmp", "xadd", "cmpxchg"), "rax, rbx"),
    **dict.fromkeys(("and", "or", "xor", "test", "bt", "bts", "btr", "btc", "bsf", "bsr", "imul"), "rax, rbx"),
    **dict.fromkeys(("popcnt", "tzcnt", "lzcnt"), "rax, rbx"),
    **dict.fromkeys(("bswap", "push", "pop", "inc", "dec", "neg", "not", "mul", "div", "idiv"), "r9"),
    **dict.fromkeys(("shl", "shr", "sar", "rol", "ror", "rcl", "rcr"), "rax, cl"),
    **dict.fromkeys(("shld", "shrd"), "rax, rbx, 3"),
    **dict.fromkeys(("movzx", "movsx"), "eax, bl"),
    **dict.fromkeys(("jmp", "call", "loop", "loope", "loopne", "jrcxz", "jecxz"), "0x10"),
    **dict.fromkeys(("andn", "bextr", "bzhi", "mulx", "pdep", "pext", "sarx", "shlx", "shrx"), "rax, rbx, rcx"),
    **dict.fromkeys(("blsi", "blsmsk", "blsr", "adcx", "adox"), "rax, rbx"),
    "rorx": "rax, rbx, 3",
    "movbe": "rax, [rbx]",
    "movabs": "rax, 0x1122334455667788",
    "movsxd": "rax, ebx",
    "lea": "rax, [rbx+rcx*4+8]",
}
ENCODINGS: dict[str, str] = {
    "sal": "c0 f0 03", "lzcnt": "f3 48 0f bd c3", "tzcnt": "f3 48 0f bc c3", "jecxz": "67 e3 0d", "movsd": "a5",
    "cmpsd": "a7",
}  # fmt: skip


def encoding(name: str) -> bytes:
    """The row's instruction."""
    if name in ENCODINGS:
        return bytes.fromhex(ENCODINGS[name])
    for family, operands in (("cmov", "rax, rbx"), ("set", "al")):
        if name.startswith(family):
            return assemble(f"{name} {operands}").code
    operands = OPERANDS.get(name, "0x10" if name.startswith("j") else "")
    return assemble(f"{name} {operands}").code


@pytest.mark.parametrize("name", sorted(_PLAIN))
def test_every_row_is_a_real_instruction_of_that_name(name: str) -> None:
    pytest.importorskip("keystone")
    code = encoding(name)
    decoded = list(capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm_lite(code, 0))
    assert [row[2] for row in decoded] == [name]
    assert is_plain(code)


PLAIN_FORMS = {
    "segment of an address": "65 48 8b 04 25 88 01 00 00",  # mov rax, gs:[188h]
    "repeated copy": "f3 48 a5",
    "repeated search": "f2 ae",
    "locked increment": "f0 48 ff 01",
    "copy from another segment": "65 a5",  # movsd dword ptr [rdi], dword ptr gs:[rsi]
    "two": "48 31 c0 c3",
    "indirect jump": "ff e0",
    "nothing": "",
}


def test_forms_of_plain_instructions() -> None:
    assert [name for name, code in PLAIN_FORMS.items() if not is_plain(bytes.fromhex(code))] == []


MORE_THAN_PLAIN = {
    "mov rax, fs:[0]": "64 48 8b 04 25 00 00 00 00", "movsd dword ptr [rdi], dword ptr fs:[rsi]": "64 a5",
    "mov cr0, rax": "0f 22 c0", "mov rax, cr0": "0f 20 c0", "mov cr8, rax": "44 0f 22 c0",
    "mov dr7, rax": "0f 23 f8", "mov rax, dr0": "0f 21 c0",
    "mov ds, ax": "8e d8", "mov fs, ax": "8e e0", "mov gs, ax": "8e e8", "mov eax, ss": "8c d0",
    "push fs": "0f a0", "pop gs": "0f a9", "lss rax, [rcx]": "48 0f b2 01",
    "mov fs:[rax], gs": "64 8c 28",
    "rdmsr": "0f 32", "wrmsr": "0f 30", "swapgs": "0f 01 f8", "wrfsbase rax": "f3 48 0f ae d0", "rdtscp": "0f 01 f9",
    "rdpmc": "0f 33", "xsetbv": "0f 01 d1", "xgetbv": "0f 01 d0",
    "movaps xmm0, xmm1": "0f 28 c1", "movsd xmm0, xmm1": "f2 0f 10 c1", "movsd xmm0, [rcx]": "f2 0f 10 01",
    "cmpsd xmm0, xmm1, 0": "f2 0f c2 c1 00", "movsd [rcx], xmm0": "f2 0f 11 01", "movq rax, xmm0": "66 48 0f 7e c0",
    "movss xmm0, xmm1": "f3 0f 10 c1", "movd mm0, eax": "0f 6e c0", "emms": "0f 77", "crc32 eax, bl": "f2 0f 38 f0 c3",
    "fld1": "d9 e8", "fninit": "db e3", "ldmxcsr [rcx]": "0f ae 11", "stmxcsr [rcx]": "0f ae 19",
    "fxrstor [rcx]": "0f ae 09",
    "lgdt [rcx]": "0f 01 11", "lidt [rcx]": "0f 01 19", "ltr ax": "0f 00 d8", "lldt ax": "0f 00 d0",
    "lmsw ax": "0f 01 f0",
    "clts": "0f 06", "invlpg [rcx]": "0f 01 39", "wbinvd": "0f 09",
    "iretq": "48 cf", "sysret": "48 0f 07", "sysexit": "48 0f 35", "syscall": "0f 05", "sysenter": "0f 34",
    "far call": "ff 19", "far jump": "ff 29", "far return": "cb", "far return of 64 bits": "48 cb",
    "int 80": "cd 80", "int3": "cc", "int1": "f1", "ud2": "0f 0b", "vmcall": "0f 01 c1",
    "in al, 60": "e4 60", "out dx, al": "ee", "insb": "6c", "rep outsb": "f3 6e",
    "popfq": "9d", "sti": "fb", "cli": "fa", "enter": "c8 10 00 00", "monitor": "0f 01 c8",
    "cmpxchg16b [rcx]": "48 0f c7 09", "xsave [rcx]": "0f ae 21", "xrstor [rcx]": "0f ae 29",
    "half an instruction": "48", "behind another": "90 0f 30", "cut": "48 8b 04", "no instruction": "06",
}  # fmt: skip


def test_what_does_more_than_compute_is_not_plain() -> None:
    assert [name for name, code in MORE_THAN_PLAIN.items() if is_plain(bytes.fromhex(code))] == []
