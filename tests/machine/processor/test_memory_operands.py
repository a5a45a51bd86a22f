"""Memory operands by the Intel SDM: a table of instructions, and the address of a fault."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from machine_guests import CODE, cpu_with

from machine.processor.memory_operands import (
    Access,
    accesses,
    faulting,
)
from machine.processor.registers import FIRST_MM, FIRST_XMM, FS_BASE, GS_BASE, OPERAND_IDS
from vm.facts.registers import STORAGE_INDEX

RIP = 0x40_0000
BEYOND = {"fs_base": FS_BASE, "gs_base": GS_BASE, "mm1": FIRST_MM + 1, "xmm1": FIRST_XMM + 1, "xmm9": FIRST_XMM + 9}
REGISTERS = {
    "rax": 0x1_0000, "rcx": 0x3, "rdx": 0x2_0000, "rbx": 0x3_0000, "rsp": 0x7_0000, "rbp": 0x6_0000, "rsi": 0x4_0000,
    "rdi": 0x5_0000, "r12": 0x12_0000, "r13": 0x13_0000, "fs_base": 0x7F00_0000_0000, "gs_base": 0xFFFF_8000_0000_0000,
    "mm1": 0x80_00_00_FF_7F_00_00_80, "xmm1": 0, "xmm9": 0x80 << 120 | 0x80,
}  # fmt: skip


def made(code: str, registers: Mapping[str, int] | None = None) -> list[tuple[int, int, str]]:
    """Address, size and kind of each access of the instruction; `m` in the place of R and W marks read-modify-write."""
    named = REGISTERS | dict(registers or {})
    values = {BEYOND[name] if name in BEYOND else STORAGE_INDEX[name]: value for name, value in named.items()}
    found = accesses(bytes.fromhex(code), RIP, lambda number: values.get(number, 0))
    return [(item.address, item.size, "RW"[item.is_write] + "m" * item.modifies) for item in found]


def modified(address: int, size: int) -> list[tuple[int, int, str]]:
    return [(address, size, "Rm"), (address, size, "Wm")]


@pytest.mark.parametrize(
    ("code", "address"),
    [
        ("8b00", 0x1_0000),  # [rax]
        ("8b40f0", 0x0_FFF0),  # [rax-16]
        ("8b8000000080", -0x7FFF_0000),  # [rax-0x80000000]
        ("8b4c9008", 0x9_0008),  # [rax+rdx*4+8]
        ("8b0c6d00000000", 0xC_0000),  # [rbp*2]
        ("8b4d00", 0x6_0000),  # [rbp]
        ("8b4c2500", 0x6_0000),  # [rbp+riz]
        ("8b0c24", 0x7_0000),  # [rsp]
        ("418b0c24", 0x12_0000),  # [r12]
        ("418b4d00", 0x13_0000),  # [r13]
        ("428b0c20", 0x13_0000),  # [rax+r12]: an index of 12 is one
        ("8b0c2578563412", 0x1234_5678),  # [0x12345678]
        ("8b0d00010000", RIP + 6 + 0x100),  # [rip+0x100]
        ("418b0d00010000", RIP + 7 + 0x100),  # the same with REX.B
        ("c7050001000011223344", RIP + 10 + 0x100),  # an immediate counts
        ("660f3a0f0d0001000008", RIP + 10 + 0x100),  # PALIGNR xmm1, [rip+0x100], 8
        ("480fa40d0001000003", RIP + 9 + 0x100),  # SHLD [rip+0x100], rcx, 3: Unicorn forgets the immediate
        ("678b0d000000c0", 0xC040_0007),  # [eip-0x40000000]
        ("678b40f0", 0x0_FFF0),  # [eax-16]
        ("678b8000000080", 0x8001_0000),  # [eax-0x80000000]
        ("648b00", 0x7F00_0001_0000),  # fs:[rax]
        ("658b0c2588010000", 0xFFFF_8000_0000_0188),  # gs:[0x188]
        ("65678b8000000080", 0xFFFF_8000_8001_0000),  # gs:[eax-0x80000000]: the base is added to 32 bits
        ("64658b00", 0xFFFF_8000_0001_0000),  # the last of two counts
        ("642e8b00", 0x7F00_0001_0000),  # CS, DS, ES and SS do not
        ("488b00", 0x1_0000),
        ("41668b00", 0x1_0000),  # REX that is not the last prefix does not count
        ("2a0480", 0x5_0000),  # [rax+rax*4]
        ("a0efcdab8967452301", 0x0123_4567_89AB_CDEF),  # moffs
        ("67a0efcdab89", 0x89AB_CDEF),
        ("64a0efcdab8967452301", 0x0123_4567_89AB_CDEF + 0x7F00_0000_0000),
    ],
)
def test_an_address_is_made_of_base_index_displacement_and_segment(code: str, address: int) -> None:
    assert {found for found, _, _ in made(code)} == {address & (1 << 64) - 1}


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("8a00", 1), ("668b00", 2), ("8b00", 4), ("488b00", 8), ("66488b00", 8),
        ("0fb600", 1), ("0fbf00", 2), ("486300", 4), ("8e18", 2), ("0f4200", 4),
        ("0f1000", 16), ("660f1000", 16), ("f30f1000", 4), ("f20f1000", 8), ("66f30f1000", 4), ("66f20f1000", 8),
        ("0f1200", 8), ("f30f1200", 16), ("0f5a00", 8), ("660f5a00", 16), ("f30fe600", 8), ("660fe600", 16),
        ("0f2c00", 8), ("660f2c00", 16), ("f30f2c00", 4), ("f2480f2a00", 8), ("f20f2a00", 4), ("660f2f00", 8),
        ("0f6000", 4), ("660f6000", 16), ("0f6e00", 4), ("66480f6e00", 8), ("f30f7e00", 8), ("0ffe00", 8),
        ("660f383200", 2), ("660f383000", 8), ("660f382a00", 16), ("660f3a210000", 4), ("660f3a0a0000", 4),
        ("660f3a610000", 16), ("0fc40000", 2), ("f20f38f000", 1), ("66f20f38f100", 2), ("f2480f38f100", 8),
        ("f2480f38f000", 1), ("0f38f000", 4), ("660f38f000", 2), ("f20ff000", 16), ("d900", 4), ("dd00", 8),
        ("db28", 10), ("df20", 10), ("d920", 28), ("66d920", 14), ("dd20", 108), ("66dd20", 94), ("d928", 2),
        ("0fae08", 512), ("0fae10", 4), ("0f0110", 10), ("0fb200", 6), ("660fb200", 4), ("ff28", 6), ("48ff28", 10),
        ("660fba2003", 2), ("f70033333333", 4),
    ],
)  # fmt: skip
def test_a_read_is_as_wide_as_the_operand(code: str, size: int) -> None:
    assert made(code) == [(0x1_0000, size, "R")]


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("8800", 1), ("668900", 2), ("488900", 8), ("8c18", 2), ("488c18", 2), ("c60000", 1), ("c70000000000", 4),
        ("0f9400", 1), ("0f2900", 16), ("0f1300", 8), ("f30f1100", 4), ("0f7e00", 4), ("66480f7e00", 8),
        ("660fd600", 8), ("0fe700", 8), ("660fe700", 16), ("480fc300", 8), ("0f38f100", 4), ("660f3a150000", 2),
        ("d910", 4), ("dd18", 8), ("db38", 10), ("df30", 10), ("df38", 8), ("df08", 2), ("d930", 28), ("dd30", 108),
        ("d938", 2), ("dd38", 2), ("0fae00", 512), ("0fae18", 4), ("0f0100", 10), ("0f0108", 10), ("0f0000", 2),
        ("0f0120", 2),
    ],
)  # fmt: skip
def test_a_write_is_as_wide_as_the_operand(code: str, size: int) -> None:
    assert made(code) == [(0x1_0000, size, "W")]


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("0108", 4), ("f0480108", 8), ("800001", 1), ("668700", 2), ("f610", 1), ("48f718", 8), ("fe00", 1),
        ("ff08", 4), ("d320", 4), ("c00005", 1), ("0fb108", 4), ("0fc008", 1), ("0fc708", 8), ("480fc708", 16),
        ("0fba2803", 4), ("0fa40803", 4), ("480fad08", 8),
    ],
)  # fmt: skip
def test_read_modify_write_is_a_read_and_a_write(code: str, size: int) -> None:
    assert made(code) == modified(0x1_0000, size)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("50", [(0x6_FFF8, 8, "W")]),  # PUSH rax
        ("6650", [(0x6_FFFE, 2, "W")]),
        ("6aff", [(0x6_FFF8, 8, "W")]),
        ("0fa0", [(0x6_FFF8, 8, "W")]),  # PUSH fs
        ("5c", [(0x7_0000, 8, "R")]),  # POP rsp
        ("ff30", [(0x1_0000, 8, "R"), (0x6_FFF8, 8, "W")]),  # PUSH [rax]
        ("ff742408", [(0x7_0008, 8, "R"), (0x6_FFF8, 8, "W")]),  # PUSH [rsp+8]: of rsp as it was
        ("8f00", [(0x7_0000, 8, "R"), (0x1_0000, 8, "W")]),  # POP [rax]
        ("8f442408", [(0x7_0000, 8, "R"), (0x7_0010, 8, "W")]),  # POP [rsp+8]: of rsp as it is then
        ("668f0424", [(0x7_0000, 2, "R"), (0x7_0002, 2, "W")]),
        ("9c", [(0x6_FFF8, 8, "W")]),
        ("669d", [(0x7_0000, 2, "R")]),
        ("e800000000", [(0x6_FFF8, 8, "W")]),
        ("ffd0", [(0x6_FFF8, 8, "W")]),  # CALL rax
        ("ff10", [(0x1_0000, 8, "R"), (0x6_FFF8, 8, "W")]),  # CALL [rax]
        ("ff20", [(0x1_0000, 8, "R")]),
        ("ff18", [(0x1_0000, 6, "R"), (0x6_FFFC, 4, "W"), (0x6_FFF8, 4, "W")]),  # CALL FAR [rax]
        ("48ff18", [(0x1_0000, 10, "R"), (0x6_FFF8, 8, "W"), (0x6_FFF0, 8, "W")]),
        ("c3", [(0x7_0000, 8, "R")]),
        ("c21000", [(0x7_0000, 8, "R")]),
        ("48cb", [(0x7_0000, 8, "R"), (0x7_0008, 8, "R")]),
        ("48cf", [(0x7_0000 + 8 * number, 8, "R") for number in range(5)]),  # IRETQ
        ("c9", [(0x6_0000, 8, "R")]),  # LEAVE
        ("c8100000", [(0x6_FFF8, 8, "W")]),  # ENTER 16, 0
        (
            "c8100003",  # ENTER 16, 3
            [
                (0x6_FFF8, 8, "W"), (0x5_FFF8, 8, "R"), (0x6_FFF0, 8, "W"), (0x5_FFF0, 8, "R"), (0x6_FFE8, 8, "W"),
                (0x6_FFE0, 8, "W"),
            ],
        ),
        ("d7", [(0x3_0000, 1, "R")]),  # XLAT
        ("0ff7c1", [(0x5_0000 + number, 1, "W") for number in (0, 4, 7)]),  # MASKMOVQ mm0, mm1
        ("660ff7c1", []),  # MASKMOVDQU xmm0, xmm1
        ("66410ff7c1", [(0x5_0000, 1, "W"), (0x5_000F, 1, "W")]),  # MASKMOVDQU xmm0, xmm9
        ("a4", [(0x4_0000, 1, "R"), (0x5_0000, 1, "W")]),
        ("f348a5", [(0x4_0000, 8, "R"), (0x5_0000, 8, "W")]),
        ("64a5", [(0x7F00_0004_0000, 4, "R"), (0x5_0000, 4, "W")]),  # the destination has no other segment
        ("f3a6", [(0x5_0000, 1, "R"), (0x4_0000, 1, "R")]),
        ("f266af", [(0x5_0000, 2, "R")]),
        ("f3ab", [(0x5_0000, 4, "W")]),
        ("ac", [(0x4_0000, 1, "R")]),
        ("f36d", [(0x5_0000, 4, "W")]),  # INSD
        ("666f", [(0x4_0000, 2, "R")]),  # OUTSW
    ],
)  # fmt: skip
def test_implicit_operands_in_order(code: str, expected: list[tuple[int, int, str]]) -> None:
    assert made(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "8d00", "0f1f00", "90", "0f1800", "0f0d08", "0fae38", "0f0138", "89c8", "ffe0", "e900000000", "0f05", "cd80",
        "cc", "0f28c1", "0fa3c8", "660f6fc1", "0f01d0", "0fa2", "f4", "0f0b", "c5fc1000",
    ],
)  # fmt: skip
def test_no_memory_is_accessed(code: str) -> None:
    assert made(code) == []


@pytest.mark.parametrize(
    "code",
    ["", "66", "8b", "8b80", "8b8000", "8b04", "c700000000", "f7003333", "a000", "0f", "660f38", "66" * 15 + "8b00"],
)
def test_what_is_cut_off_or_too_long_accesses_nothing(code: str) -> None:
    assert made(code) == []


def test_what_stands_behind_the_instruction_does_not_matter() -> None:
    assert made("8b00" + "ff" * 13) == made("8b00")


@pytest.mark.parametrize(("counter", "times"), [(0, 0), (1, 1), (1 << 32, 1)])
def test_a_repeated_instruction_accesses_nothing_when_its_counter_is_0(counter: int, times: int) -> None:
    assert made("f3aa", {"rcx": counter}) == [(0x5_0000, 1, "W")] * times
    assert made("aa", {"rcx": counter}) == [(0x5_0000, 1, "W")]


def test_ecx_counts_with_32_bit_addresses() -> None:
    wide = {"rcx": 1 << 32, "rdi": 5 << 32 | 7}
    assert made("67f3aa", wide) == []
    assert made("67f3aa", wide | {"rcx": 1}) == [(7, 1, "W")]


@pytest.mark.parametrize(
    ("code", "offset", "expected"),
    [
        ("0fa318", 31, [(0x1_0000, 4, "R")]),
        ("0fa318", 32, [(0x1_0004, 4, "R")]),
        ("0fa318", -1, [(0x0_FFFC, 4, "R")]),
        ("0fa318", 1 << 32 | 0x8000_0000, [((0x1_0000 - (1 << 28)) & (1 << 64) - 1, 4, "R")]),
        ("660fa318", 0x1_8000, [(0x0_F000, 2, "R")]),
        ("480fa318", 1 << 40, [(0x1_0000 + (1 << 37), 8, "R")]),
        ("480fab18", -64, modified(0x0_FFF8, 8)),
        ("0fb318", 64, modified(0x1_0008, 4)),
        ("0fbb18", 1, modified(0x1_0000, 4)),
    ],
)
def test_a_bit_offset_in_a_register_moves_the_operand(
    code: str, offset: int, expected: list[tuple[int, int, str]]
) -> None:
    assert made(code, {"rbx": offset & (1 << 64) - 1}) == expected


def test_an_address_wraps() -> None:
    assert made("8b4010", {"rax": (1 << 64) - 8}) == [(8, 4, "R")]
    assert made("678b4010", {"rax": (1 << 32) - 8}) == [(8, 4, "R")]


@pytest.mark.parametrize(
    ("access", "page", "expected"),
    [
        (Access(0x1FF8, 8, False), 0x1000, (0x1FF8, 8)),
        (Access(0x1FFC, 8, False), 0x1000, (0x1FFC, 4)),
        (Access(0x1FFC, 8, False), 0x2000, (0x2000, 4)),
        (Access(0x1FFC, 8, False), 0x2ABC, (0x2000, 4)),
        (Access(0x1FF8, 8, False), 0x2000, None),
        (Access(0x1FF8, 8, True), 0x1000, None),
        (Access((1 << 64) - 4, 8, False), 0, (0, 4)),
        (Access((1 << 64) - 4, 8, False), (1 << 64) - 4096, ((1 << 64) - 4, 4)),
        (Access(0x1E80, 512, False), 0x2000, (0x2000, 128)),
    ],
)
def test_a_fault_is_at_the_first_byte_in_the_page(access: Access, page: int, expected: tuple[int, int] | None) -> None:
    assert faulting((access,), page, False) == expected


def test_a_fault_is_of_the_first_access_of_its_kind() -> None:
    both = (Access(0x1010, 8, False), Access(0x1020, 8, True), Access(0x1000, 8, False))
    assert faulting(both, 0x1000, False) == (0x1010, 8)
    assert faulting(both, 0x1000, True) == (0x1020, 8)


def test_a_register_file_has_what_operands_are_made_of() -> None:
    cpu, end = cpu_with("mov rax, 0x1122334455667788; movq mm1, rax; movq xmm9, rax; pslldq xmm9, 8")
    cpu.run(CODE, end, 100)
    for register, value in ((FS_BASE, 1 << 47), (GS_BASE, 0xFFFF_8000_0000_0000)):
        cpu._engine.set_register(OPERAND_IDS[register], value)
    found = [cpu.registers.read(number) for number in (FS_BASE, GS_BASE, FIRST_MM + 1, FIRST_XMM + 9)]
    assert found == [1 << 47, 0xFFFF_8000_0000_0000, 0x1122_3344_5566_7788, 0x1122_3344_5566_7788 << 64]
