"""Generated lines against GNU as: what both accept means the same, what hds refuses it refuses for a true reason."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import capstone
import pytest
from assembly_lines import CONDITIONS, lines, pick
from capstone import x86 as cs_x86

from machine.root import assembler_process
from machine.root.assembler import AssemblerError, assemble
from machine.root.assembler_process import Refusal
from vm.facts.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.programs

COUNT, SEED = 2100, 20
AS = ("as", "--64", "-msyntax=intel", "-mnaked-reg", "-Z", "-aln", "--listing-lhs-width=8")

# Instructions whose memory operand has one size.
SIZED = {
    "clflushopt": "660fae38",
    "clwb": "660fae30",
    "xsavec": "0fc720",
    "xsaves64": "480fc728",
    "vmptrld": "0fc730",
    "vmptrst": "0fc738",
    "vmclear": "660fc730",
    "vmxon": "f30fc730",
}

needs_gnu_as = pytest.mark.skipif(
    shutil.which("as") is None, reason="GNU as (Debian package binutils) is not installed"
)

# What both accept and encode differently, with the same effect.
SAME_EFFECT = {
    r"mov [defgsc]s, ": "a segment register is loaded from 16 bits, whatever the size of the operand",
    r"mov \w+, [defgsc]s$": "a segment register is extended with zeros, into 32 bits as into 64",
    r"(str|sldt) r": "as before",
    r"int 0x3$": "GNU as shortens it to int3",
}


@cache
def gnu_as(source: tuple[str, ...], folder: Path) -> dict[int, str]:
    """The code of each line that GNU as accepts, in hexadecimal, by its number from 0."""
    text = ".intel_syntax noprefix\n" + "\n".join(source) + "\n"
    made = subprocess.run([*AS, "-o", "object"], input=text, capture_output=True, text=True, cwd=folder)
    refused = {int(found[1]) for found in re.finditer(r":(\d+): Error:", made.stderr)}
    code: defaultdict[int, str] = defaultdict(str)
    for found in re.finditer(r"^ *(\d+) (?:\S{4,}|     ) ((?:[0-9A-F]{2,8} ?)+)", made.stdout, re.MULTILINE):
        code[int(found[1])] += found[2].replace(" ", "").lower()
    return {number - 2: text for number, text in code.items() if number not in refused}


def ours(line: str) -> str:
    return assemble(line).code.hex()


@cache
def decoder() -> capstone.Cs:
    made = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    made.detail = True
    return made


def meaning(code: str) -> list[object]:
    """What instructions do: registers of addresses in any order, and of segments only those with a base."""
    found: list[object] = []
    for insn in decoder().disasm(bytes.fromhex(code), 0):
        found.append(insn.mnemonic.replace("notrack ", "").replace("movabs", "mov"))
        for operand in insn.operands:
            if operand.type == cs_x86.X86_OP_REG:
                found.append(insn.reg_name(operand.reg))
            elif operand.type == cs_x86.X86_OP_IMM:
                found.append(operand.imm)
            else:
                memory = operand.mem
                registers = Counter({insn.reg_name(memory.base): 1}) if memory.base else Counter()
                if memory.index:
                    registers[insn.reg_name(memory.index)] += memory.scale
                segment = insn.reg_name(memory.segment) if memory.segment else ""
                found += [
                    registers - Counter(riz=8, eiz=8),
                    memory.disp,
                    segment in ("fs", "gs") and segment,
                    operand.size,
                ]
    return found


@needs_gnu_as
def test_what_both_accept_means_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tuple(lines(COUNT, SEED))
    theirs = gnu_as(source, tmp_path_factory.getbasetemp())
    accepted, different = 0, []
    for number, line in enumerate(source):
        try:
            code = ours(line)
        except AssemblerError:
            continue
        accepted += 1
        other = theirs.get(number, code)
        if (
            code != other
            and meaning(code) != meaning(other)
            and not any(re.match(known, line) for known in SAME_EFFECT)
        ):
            different.append((line, code, other))
    assert different == []
    assert accepted > 0.85 * COUNT


@needs_gnu_as
def test_what_gnu_as_accepts_is_refused_for_true_reasons_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tuple(lines(COUNT, SEED))
    theirs = gnu_as(source, tmp_path_factory.getbasetemp())
    untrue, refused = [], 0
    for number in theirs:
        try:
            ours(source[number])
        except AssemblerError as error:
            refused += 1
            if not is_true(error.message, source[number]):
                untrue.append((source[number], error.message))
    assert untrue == []
    assert 0 < refused < 0.03 * COUNT


def is_true(reason: str, line: str) -> bool:
    """Whether a reason holds, as far as Keystone and arithmetic can tell."""
    (alone,) = assembler_process.encode_singly([line], DEFAULT_LIMITS)
    if "Keystone refuses it" in reason:
        return isinstance(alone, Refusal) or "[" in line  # an address without registers is given to it otherwise
    if found := re.search(r"Keystone makes `(.*)` of it", reason):
        assert isinstance(alone, bytes)
        insn = next(decoder().disasm(alone, 0))
        return found[1] == f"{insn.mnemonic} {insn.op_str}".strip() and line != found[1]
    if "16 bits wide in Keystone" in reason:
        return isinstance(alone, bytes) and alone.startswith(b"\x66")
    if found := re.search(r"(\S+) does not fit in (\d+) bits", reason):
        number, bits = int(found[1], 16), int(found[2])
        return not -(1 << bits - 1) <= number < 1 << bits
    return "size of the memory operand is not stated" in reason and re.search(r"(?<!ptr )\[|:\[", line) is not None


@needs_gnu_as
@pytest.mark.parametrize("seed", [1, 2])
def test_branches_have_the_sizes_that_gnu_as_gives_them(seed: int, tmp_path: Path) -> None:
    source = tuple(branches(1500, Random(seed)))
    theirs = gnu_as(source, tmp_path)
    assert ours("\n".join(source)) == "".join(theirs[number] for number in sorted(theirs))


def branches(count: int, random: Random) -> list[str]:
    """Branches to labels near and far, with other instructions between them."""
    found = []
    for number in range(count):
        target = f"here_{min(max(number + random.randrange(-60, 60), 0), count - 1)}"
        branch = random.choice((f"j{pick(random, CONDITIONS)}", "jmp", "call"))
        near = f"here_{max(number - random.randrange(4), 0)}"
        statement = random.choice(
            (
                f"{branch} {target}",
                f"{branch} {target}",
                "nop",
                f"{pick(random, 'loop loope loopne jrcxz jecxz')} {near}",
            )
        )
        found.append(f"here_{number}: {statement}")
    return found


def test_a_text_has_the_code_of_its_lines() -> None:
    def accepted(source: Sequence[str]) -> list[tuple[str, str]]:
        found = []
        for line in source:
            try:
                found.append((line, ours(line)))
            except AssemblerError:
                continue
        return found

    pairs = accepted(lines(700, SEED + 1))
    assert len(pairs) > 600
    assert ours("\n".join(line for line, _ in pairs)) == "".join(code for _, code in pairs)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # Segments: DS, ES, SS and CS have no effect in 64-bit mode, and no prefix is needed (SDM volume 2, 2.1.1).
        ("mov byte ptr ds:[rcx], 0x20", "c60120"),
        ("mov eax, ds:[rsp + r15]", "428b043c"),
        ("mov eax, fs:[rcx]", "648b01"),
        # MOV with a 64-bit address exists for the accumulator alone.
        ("mov rax, [0x14000d250]", "48a150d2004001000000"),
        ("mov [0xfffff80312345678], al", "a27856341203f8ffff"),
        ("mov eax, gs:[0x80000000]", "65a10000008000000000"),
        ("movabs rax, [0x1234]", "48a13412000000000000"),
        # Spellings.
        ("fadd st(0), st(3)", "d8c3"),
        ("fsubp ST(2), st", "deea"),
        ("fucomip st, st(1)", "dfe9"),
        ("fstcw word ptr [rax]", "9bd938"),
        ("cmpps xmm1, xmm2, 3", "0fc2ca03"),
        ("blendvps xmm5, xmm1, xmm0", "660f3814e9"),
        ("rep movsd", "f3a5"),
        ("movs byte ptr es:[rdi], byte ptr fs:[rsi]", "64a4"),
        ("repne scas al, byte ptr [rdi]", "f2ae"),
        ("pushfw; popfw; iretw", "669c669d66cf"),
        ("xlat", "d7"),
        ("lea rax, qword ptr [rcx]", "488d01"),
        ("mov rax, [rax + rsp]", "488b0404"),
        ("movd rax, mm1", "480f7ec8"),
        ("setne [rcx]", "0f9501"),
        ("vcmpps xmm0, xmm1, xmm2, 0x1f", "c5f0c2c21f"),
        ("vcmptrue_usps xmm0, xmm1, xmm2", "c5f0c2c21f"),
        ("movq mm0, mmword ptr [rax]", "0f6f00"),
        # Operands that are understood.
        ("shl eax", "d1e0"),
        ("sar dword ptr [rax]", "d138"),
        ("shld eax, ecx", "0fa5c8"),
        ("rep nop", "f390"),
        ("xlat byte ptr [rbx]", "d7"),
        ("xlat byte ptr ds:[rbx]", "d7"),
        ("stos [rdi], eax", "ab"),
        ("lods rax, [rsi]", "48ad"),
        ("repne scas al, [rdi]", "f2ae"),
        ("movsx rax, ecx", "4863c1"),
        # Sizes that the instruction has by itself.
        *[(f"{name} [rax]", code) for name, code in SIZED.items()],
        ("invept rax, [rcx]", "660f388001"),
        ("lsl eax, [rax]", "0f0300"),
        # Addresses in pieces, and segments without brackets.
        ("mov eax, fs:0x28", "648b042528000000"),
        ("mov fs:0x28, ecx", "64890c2528000000"),
        ("mov rcx, qword ptr gs:[0x10][rax*8]", "65488b0cc510000000"),
        ("mov eax, [rax][rcx]", "8b0408"),
        ("mov eax, 8[rax]", "8b4008"),
        ("mov eax, dword ptr -8[rbp]", "8b45f8"),
        ("mov eax, [rax + rcx*0x4]", "8b0488"),
        ("mov eax, ds:here[rip]; here:", "8b0500000000"),
        # Arithmetic.
        ("mov eax, 5*4", "b814000000"),
        ("mov eax, 2*(3 + 4) - 10/3 % 2", "b80d000000"),
        ("mov eax, 1 << 4", "b810000000"),
        ("mov eax, 1 | 2 | 8", "b80b000000"),
        ("mov eax, (6 & 3) + (6 ^ 3) + (0x80 >> 4)", "b80f000000"),
        ("mov eax, ~5", "b8faffffff"),
        ("mov eax, +5", "b805000000"),
        ("mov eax, -(-5)", "b805000000"),
        ("mov eax, [rcx + rdx*2 + 5*4]", "8b445114"),
        ("mov eax, [rcx - (8 + 4)]", "8b41f4"),
    ],
)
def test_what_means_the_same_is_accepted(text: str, code: str) -> None:
    assert ours(text) == code


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mov rcx, [0x14000d250]", "does not fit in 32 bits"),
        ("add ax, 0x12345", "0x12345 does not fit in 16 bits"),
        ("pushf", "16 bits wide in Keystone"),
        ("popf", "16 bits wide in Keystone"),
        ("iret", "16 bits wide in Keystone"),
        ("lret", "Keystone refuses it"),
        ("vaddps zmm0, zmm1, zmm2", "the register zmm0 is not emulated"),
        ("kmovw k1, eax", "the register k1 is not emulated"),
        ("mov rax, dr8", "the register dr8 is not emulated"),
        ("movaps xmm16, xmm1", "the register xmm16 is not emulated"),
        ("addr32 nop", "the prefix addr32 is not accepted"),
        ("gs mov eax, ecx", "the prefix gs is not accepted"),
        ("notrack jmp rax", "the prefix notrack is not accepted"),
        ("data16 -1, r15b, 0", "the prefix data16 is not accepted"),
        ("rep data16 [rax], r8d", "the prefix data16 is not accepted"),
        ("rex", "the prefix rex is not accepted"),
        ("lock rep movsb", "one prefix at most"),
        ("jmp far ptr [rax]", "branches to other segments"),
        ("movups xmm0, oword ptr [rax]", "'oword' is no size of an operand"),
        ("mov eax, dword [rcx]", "`ptr` was expected after dword"),
        ("inc byte fs:[rcx]", "`ptr` was expected after byte"),
        ("mov eax, offset [rax]", "`offset` stands in front of a label or a number"),
        ("jmp short rax", "`short` stands in front of a label or a number"),
        ("mov eax, fs:rax", r"'\[' was expected after fs:"),
        ("mov eax, 1 << 2 + 1", "assemblers do not agree on what `\\+` beside other operators means"),
        ("mov eax, 1 + 2 | 4", "assemblers do not agree on what `|` beside"),
        ("mov eax, [rax + 1 & 2]", "assemblers do not agree on what `&` beside"),
        ("mov eax, 5/0", "takes positive numbers"),
        ("mov eax, 1 << 64", "a count below 64"),
        ("mov rax, 0xffffffffffffffff * 2", "does not fit in 64 bits"),
        ("a: mov eax, a*2", r"`\*` takes no label"),
        ("mov eax, (1", r"this '\(' is not closed"),
        ("mov eax, " + "(" * 100, "more than 64 signs and parentheses"),
        ("mov eax, " + "-" * 100 + "1", "more than 64 signs and parentheses"),
        ("mov ah, [r8]", "no instruction has both ah and r8"),
        ("mov eax, fs:[rcx]; mov rax, fs:[rcx + rdx*3]", "no scale"),
        ("mov [rax], 5", "Keystone refuses it|size of the memory operand"),
        ("fadd st(8), st", r"st\(0\) to st\(7\)"),
    ],
)
def test_what_is_refused_says_why(text: str, reason: str) -> None:
    with pytest.raises(AssemblerError, match=reason):
        assemble(text)


def test_a_comment_behind_a_semicolon_has_a_hint() -> None:
    for text in ("mov eax, 5 ; the number\nnop", "nop ; comment\nnop"):
        with pytest.raises(AssemblerError) as caught:
            assemble(text)
        assert caught.value.hint == "`;` ends a statement; comments begin with //"
    with pytest.raises(AssemblerError) as caught:
        assemble("nop; moov eax, 1; nop\nnop")
    assert caught.value.hint == ""
