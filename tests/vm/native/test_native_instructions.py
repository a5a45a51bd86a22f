"""Every scalar instruction on both engines, on the values where arithmetic breaks; registers need not be canonical."""

from __future__ import annotations

import struct

import pytest
from native_cases import World, engines, main_program

from vm.facts.limits import DEFAULT_LIMITS
from vm.facts.registers import REGISTER_INDEX
from vm.isa import BY_MNEMONIC, INTEGER_KINDS
from vm.native.lowering import LOWERING
from vm.script_memory import GlobalStore
from vm.semantics import BINARY, UNARY

pytestmark = pytest.mark.slow

INTEGERS = (
    0, 1, 2, 3, 7, 31, 32, 63, 64, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0001, 0xFFFF_FFFF_8000_0000,
    0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFE, 0xFFFF_FFFF_FFFF_FFFF,
)  # fmt: skip


def _bits(value: float, form: str) -> int:
    return int.from_bytes(struct.pack(form, value), "little")


DOUBLES = (
    *(
        _bits(value, "<d")
        for value in (
            0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.7, -129.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
            2.0**31, 2.0**63, -(2.0**63), 2.0**64, 18446744073709549568.0, 3.4028235677973366e38, 1.401298464324817e-45,
            1 + 2**-24, float("inf"), float("-inf"), float("nan"),
        )
    ),
    0x7FF0_0000_0000_0001,
)  # fmt: skip
SINGLES = (
    *(
        _bits(value, "<f")
        for value in (0.0, -0.0, 1.0, -1.5, 3.0, 1.401298464324817e-45, 1.1754943508222875e-38, 3.4028234663852886e38)
    ),
    _bits(1 + 2**-23, "<f"), 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001, 0xDEAD_0000_3F80_0000,
)  # fmt: skip


def values_for(mnemonic: str) -> tuple[int, ...]:
    if mnemonic in ("D2F", "D2I", "NEGD", "BOOLD") or (
        mnemonic.endswith("D") and mnemonic in BINARY and mnemonic[-2:] != "ND"
    ):
        return DOUBLES + INTEGERS[:2]
    if mnemonic in ("F2D", "NEGF", "BOOLF") or (mnemonic.endswith("F") and mnemonic in BINARY):
        return SINGLES
    return INTEGERS


def compare_on(lines: list[tuple[str | int, ...]], operands: list[tuple[int, int]]) -> None:
    """Run the instructions with r0 = rax and r1 = rcx, print r2, and compare the engines for every pair of operands."""
    rax, rcx = REGISTER_INDEX["rax"], REGISTER_INDEX["rcx"]
    program = main_program([("LDM", 0, rax), ("LDM", 1, rcx), *lines, ("PRINT", 2), ("RETV",)])
    loaded = [(engine, engine.load(program, GlobalStore())) for engine in engines(DEFAULT_LIMITS)]
    for x, y in operands:
        outcomes = []
        for engine, ready in loaded:
            host = World({"rax": x, "rcx": y}).host()
            outcomes.append((engine.run(ready, host), host.messages))
        assert outcomes[1] == outcomes[0], (hex(x), hex(y))


def test_every_instruction_has_a_lowering() -> None:
    assert set(LOWERING) == set(BY_MNEMONIC)


@pytest.mark.parametrize("mnemonic", sorted(BINARY))
def test_binary_instruction(mnemonic: str) -> None:
    values = values_for(mnemonic)
    compare_on([(mnemonic, 2, 0, 1)], [(x, y) for x in values for y in values])


@pytest.mark.parametrize("mnemonic", sorted([*UNARY, "MOV"]))
def test_unary_instruction(mnemonic: str) -> None:
    compare_on([(mnemonic, 2, 0)], [(x, 0) for x in INTEGERS + DOUBLES + SINGLES])


@pytest.mark.parametrize("kind", range(len(INTEGER_KINDS)))
def test_double_to_integer(kind: int) -> None:
    _, bits, _ = INTEGER_KINDS[kind]
    edges = (2.0 ** (bits - 1), 2.0**bits, -(2.0 ** (bits - 1)), -(2.0 ** (bits - 1)) - 1, -1.0, -0.9, 2.0**bits - 0.5)
    near = [_bits(edge + offset, "<d") for edge in edges for offset in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    compare_on([("D2I", 2, 0, kind)], [(x, 0) for x in (*DOUBLES, *near)])


def test_constants() -> None:
    compare_on([("LDI", 2, -1), ("LDH", 2, 0xBEEF)], [(0, 0)])
    compare_on([("LDI", 2, -0x8000)], [(0, 0)])


def test_bound_and_branches() -> None:
    pairs = [(x, y) for x in INTEGERS[:6] for y in INTEGERS[:6]]
    compare_on([("BOUND", 0, 1)], pairs)
    compare_on([("JZ", 0, 1), ("LDI", 2, 5), ("JNZ", 1, 0), ("JMP", 1), ("LDI", 2, 6)], pairs)


@pytest.mark.parametrize("register", ["rax", "eax", "ax", "ah", "al", "r8h", "zf", "iopl", "cs", "gdtr", "rip"])
@pytest.mark.parametrize("value", [0, 1, 0x1234_5678_9ABC_DEF0, 0xFFFF_FFFF_FFFF_FFFF])
def test_machine_registers(register: str, value: int) -> None:
    index = REGISTER_INDEX[register]
    compare_on([("STM", 1, index), ("LDM", 2, index)], [(0x0F0F_0F0F_0F0F_0F0F, value)])
