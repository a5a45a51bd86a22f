"""The law of the native engine: any verified program does the same on both engines."""

from __future__ import annotations

import pytest
from effort import often
from hypothesis import HealthCheck, given, settings, strategies as st
from native_cases import BASE, PAGE, World, same

from vm import formatting
from vm.facts.builtins import BUILTINS, Effect
from vm.facts.limits import Limits
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS
from vm.isa import INSTRUCTIONS, INTEGER_KINDS, Instruction, Operand, encode
from vm.program import Function, GlobalSymbol, Program
from vm.script_memory import GLOBALS_BASE, LITERALS_BASE, STACK_BASE
from vm.verifier import verify

pytestmark = pytest.mark.slow

LIMITS = Limits(max_steps=400, max_call_depth=5, max_stack_bytes=256, max_bulk_bytes=20_000, max_message=60)
USED_REGISTERS = 6
STRINGS = (b"hello\0", b"h\0\0\0", b"\0")
FORMATS = (b"plain\n", b"%d %llx|", b"%s", b"%ws:%c", b"%5.2f %e %g", b"%-9lld%%%08x%p", b"%40d%30d", b"%c%llu")
GLOBALS = (GlobalSymbol("a", "long", 8), GlobalSymbol("b", "int[5]", 20))
EDGES = (0, 1, 8, 63, 64, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1, 0x3FF8 << 48, 0x7FF0 << 48, 0x4050 << 48)
ADDRESSES = tuple(
    base + offset
    for base in (GLOBALS_BASE, LITERALS_BASE, STACK_BASE, BASE, BASE + PAGE, BASE + 2 * PAGE)
    for offset in (-1, 0, 5, 17)
)
CONSTANTS = EDGES + ADDRESSES
WORD = st.one_of(st.sampled_from(CONSTANTS), st.integers(0, (1 << 64) - 1))
SCALARS = [row for row in INSTRUCTIONS if Operand.ARGUMENT not in row.operands and not row.is_jump]
REQUESTED = [index for index, row in enumerate(BUILTINS) if row.effect is not Effect.INSTRUCTION]
# Frames of the functions: one without memory of its own, so that both ways into a function are taken.
FRAMES = (16, 0, 32)
PARAMETERS = (0, 1, 2)

_RANGES = {
    Operand.DST: USED_REGISTERS, Operand.SRC: USED_REGISTERS, Operand.KIND: len(INTEGER_KINDS),
    Operand.CONSTANT: len(CONSTANTS), Operand.STRING: len(STRINGS), Operand.FORMAT: len(FORMATS),
    Operand.REGISTER: len(REGISTERS), Operand.PSEUDO: len(PSEUDO_REGISTERS), Operand.BITS16: 0x10000,
}  # fmt: skip

Line = tuple[str, tuple[int, ...]]


@st.composite
def instruction(draw: st.DrawFn, row: Instruction, function: int) -> list[Line]:
    """An instruction, after the ARGs that it needs. Jumps have the number of a group as their target for now."""
    operands = []
    for kind in row.operands:
        if kind is Operand.FUNCTION:
            operands.append(draw(st.integers(0, len(FRAMES) - 1)))
        elif kind is Operand.BUILTIN:
            operands.append(draw(st.sampled_from(REQUESTED)))
        elif kind is Operand.GLOBAL:
            operands.append(draw(st.integers(0, len(GLOBALS) - 1)))
        elif kind is Operand.SLOT:
            operands.append(draw(st.integers(0, FRAMES[function] // 8 - 1)))
        elif kind is Operand.INT16:
            operands.append(draw(st.integers(-40, 100)))
        else:
            operands.append(draw(st.integers(0, _RANGES[kind] - 1)))
    count = {
        "CALL": lambda: PARAMETERS[operands[1]],
        "SYS": lambda: len(BUILTINS[operands[1]].parameters),
        "PRINTF": lambda: len(formatting.parse(FORMATS[operands[0]]).conversions),
    }.get(row.mnemonic, lambda: 0)()
    arguments: list[Line] = [("ARG", (draw(st.integers(0, USED_REGISTERS - 1)), index)) for index in range(count)]
    return [*arguments, (row.mnemonic, tuple(operands))]


@st.composite
def function_code(draw: st.DrawFn, index: int) -> list[int]:
    """The code of a function: loads of interesting values, then any instructions, then a return."""
    rows = [
        row
        for row in SCALARS
        if (FRAMES[index] or Operand.SLOT not in row.operands) and (index or row.mnemonic != "RET")
    ]
    values = draw(st.lists(st.integers(0, len(CONSTANTS) - 1), max_size=USED_REGISTERS))
    groups: list[list[Line]] = [[("LDK", (register, constant))] for register, constant in enumerate(values)]
    if PARAMETERS[index]:
        groups.append([("PAR", (0, PARAMETERS[index] - 1))])
    for _ in range(draw(st.integers(0, 14))):
        if draw(st.integers(0, 6)) == 0:
            name = draw(st.sampled_from(("JMP", "JZ", "JNZ")))
            target = draw(st.integers(0, 40))
            tested = () if name == "JMP" else (draw(st.integers(0, USED_REGISTERS - 1)),)
            groups.append([(name, (*tested, target))])
        else:
            groups.append(draw(instruction(draw(st.sampled_from(rows)), index)))
    groups.append([("RETV", ())] if not index else [("RET", (draw(st.integers(0, USED_REGISTERS - 1)),))])
    return assemble(groups)


def assemble(groups: list[list[Line]]) -> list[int]:
    """The words of the groups; a jump to group n goes to its first instruction."""
    starts = [sum(map(len, groups[:number])) for number in range(len(groups))]
    code: list[int] = []
    for name, operands in (line for group in groups for line in group):
        if name.startswith("J"):
            operands = (*operands[:-1], starts[operands[-1] % len(groups)] - len(code) - 1)
        code.append(encode(name, *operands))
    return code


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program of three functions that call each other at random."""
    code: list[int] = []
    functions = []
    for index, (frame, parameters) in enumerate(zip(FRAMES, PARAMETERS, strict=True)):
        body = draw(function_code(index))
        functions.append(Function(f"f{index}", parameters, frame, len(code), len(code) + len(body)))
        code += body
    return Program(tuple(code), tuple(functions), CONSTANTS, STRINGS, FORMATS, GLOBALS)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    registers = {name: draw(WORD) for name in ("rax", "rcx", "rflags")}
    return World(registers, draw(st.binary(max_size=40)), {"pid": 7, "context": draw(WORD)})


LAW = settings(
    max_examples=often(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@LAW
@given(programs(), worlds())
def test_both_engines_agree_on_any_program(program: Program, world: World) -> None:
    verify(program)
    same(program, world, LIMITS)
