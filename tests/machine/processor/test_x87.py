"""Instructions of x87 that the machine carries out, since the emulator computes 53 bits (machine.processor.x87)."""

from __future__ import annotations

import pytest
from machine_guests import CODE, DATA, cpu_with, get_register

from machine.processor import x87
from machine.processor.run_state import StopKind

SINE, COSINE = 0x3FFE_9935786E7E558405, 0xBFFE_CD17BF7C2C5BE959  # of 2.5
ARGUMENT = "mov qword ptr [rbx+40h], 0; mov dword ptr [rbx+40h], 40200000h; fld dword ptr [rbx+40h]"
NARROW = "mov word ptr [rbx+48h], 27fh; fldcw [rbx+48h]"
STORED = "fstp tbyte ptr [rbx]; fstp tbyte ptr [rbx+10h]"


def results(text: str) -> tuple[int, int, int]:
    """Two numbers of 80 bits at rbx, and the status word in eax."""
    cpu, end = cpu_with(f"mov rbx, {DATA:x}h; {text}; fnstsw ax; nop")
    assert cpu.run(CODE, end, 1000).kind is StopKind.REACHED
    data = cpu.memory.read(DATA, 32) or b""
    return int.from_bytes(data[:10], "little"), int.from_bytes(data[16:26], "little"), get_register(cpu, "rax")


@pytest.mark.parametrize("control", ["fninit", NARROW])
def test_all_64_bits_whatever_the_precision_is(control: str) -> None:
    assert results(f"{control}; {ARGUMENT}; fsincos; {STORED}")[:2] == (COSINE, SINE)


def test_a_tangent_is_pushed_behind_one() -> None:
    one, tangent, _ = results(f"{ARGUMENT}; fptan; {STORED}")
    assert (one, tangent) == (0x3FFF << 64 | 1 << 63, 0xBFFE_BF3CDA7005D8A565)


def test_what_takes_two_leaves_one() -> None:
    found, below, status = results(f"fld1; fldpi; fld1; fpatan; {STORED}")
    assert (found, below) == (0x3FFF_A19DC51916EE9519, 0x3FFF << 64 | 1 << 63)
    assert status >> 11 & 7 == 0


def test_a_remainder_is_exact_and_has_the_low_bits_of_the_quotient() -> None:
    """100000000000000001 modulo 3, 53 bits of which are 100000000000000000."""
    text = "mov rax, 16345785d8a0001h; mov [rbx+40h], rax; mov word ptr [rbx+48h], 3; fild word ptr [rbx+48h]"
    left, _, status = results(f"{text}; fild qword ptr [rbx+40h]; fprem; {STORED}")
    assert left == 0x4000 << 64 | 1 << 63
    quotient = (10**17 + 1) // 3
    assert status & 0x4700 == (quotient & 4) << 6 | (quotient & 2) << 13 | (quotient & 1) << 9


def test_an_argument_that_is_too_large_stays() -> None:
    text = "mov qword ptr [rbx+40h], 0; mov dword ptr [rbx+40h], 5f000000h; fld dword ptr [rbx+40h]"
    found, _, status = results(f"{text}; fsin; fstp tbyte ptr [rbx]")
    assert (found, status & 0x400) == ((0x3FFF + 63) << 64 | 1 << 63, 0x400)


@pytest.mark.parametrize(
    "text", ["fsin", "fpatan", "fprem", f"{'fldpi; ' * 8}fsincos", "fldz; fldz; fprem", "fldz; fld1; fyl2x"]
)
def test_what_has_no_operand_no_room_or_no_result_is_the_emulators(text: str) -> None:
    results(f"{text}; {STORED}")


def test_a_child_has_the_corrections_of_its_parent() -> None:
    parent, _ = cpu_with("fsin; nop")
    assert parent.run(CODE, CODE + 2, 10).kind is StopKind.REACHED
    child, end = cpu_with(f"fsin; mov rbx, {DATA:x}h; fstp tbyte ptr [rbx]; nop")
    child.tlb.on_executable = lambda page: None
    child.x87.begin_with(parent.x87)
    child.write_fxsave(parent.read_fxsave())
    assert child.run(CODE, end, 10).kind is StopKind.REACHED


def test_bytes_within_other_instructions_are_no_instruction() -> None:
    """mov ecx, ebx in front of another, and an immediate."""
    inside = bytes.fromhex("90" * 40 + "89d9 f8 90") + bytes.fromhex("b8 d9fe0000 90")
    assert [x87.is_instruction(inside, inside.index(pair)) for pair in (b"\xd9\xf8", b"\xd9\xfe")] == [False, False]
    assert x87.is_instruction(bytes.fromhex("90 db2c24 d9fe c3"), 4)
