"""Chains of comparisons of one value: looked up, with the fuel, the registers and the errors of a walk."""

from __future__ import annotations

import pytest
from native_cases import World, main_program, same, same_script, script

from vm.blocks import block_fuel
from vm.facts.limits import Limits
from vm.facts.registers import REGISTER_INDEX
from vm.native.chains import LEAST, blocks_entered, chains_of, ends_of
from vm.program import Program

CONSTANTS = (1, 2, 0x1234_5678, 2, 0xFFFF_FFFF_FFFF_FFFF, 0x9000, 0)
VALUES = (*CONSTANTS, 3, 1 << 63, 0x1_0000_0001)


def chain(tests: list[str], behind: str = "") -> str:
    bodies = (f" ({test}) {{ print({number}); }} " for number, test in enumerate(tests))
    return "if" + "elsif".join(bodies) + f"else {{ print(0x99); }} print(0x77); {behind}"


def lengths(program: Program) -> list[int]:
    """How many comparisons the chains of the main function have."""
    main = program.functions[0]
    return [len(found.links) for found in chains_of(program, main, block_fuel(program, main)).values()]


SHAPES = {
    "a variable": "x = @rax; " + chain([f"x == {value:#x}" for value in CONSTANTS]),
    "a register": chain([f"@rax == {value:#x}" for value in CONSTANTS]),
    "a part of a register": chain([f"@al == {value & 0xFF:#x}" for value in CONSTANTS]),
    "a pseudo-register": chain([f"$context == {value:#x}" for value in CONSTANTS]),
    "a global": ".g = @rax; " + chain([f".g == {value:#x}" for value in CONSTANTS]),
    "the constant first": "x = @rax; " + chain([f"{value:#x} == x" for value in CONSTANTS]),
    "several constants for a branch": chain(
        ["@rax == 1 || @rax == 2", "@rax == 3", "@rax == 4 || @rax == 0", "@rax == 0x1234"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_chain_is_looked_up_with_the_same_outcome(shape: str) -> None:
    assert max(lengths(script(SHAPES[shape]))) >= LEAST
    for value in VALUES:
        same_script(SHAPES[shape], World({"rax": value}, pseudo={"context": value}))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["a variable", "several constants for a branch"])
@pytest.mark.parametrize("value", [0, 1, 4, 0x9000, 0x7777])
def test_the_step_limit_strikes_at_the_same_comparison(shape: str, value: int) -> None:
    world = World({"rax": value})
    faults = [same_script(SHAPES[shape], world, Limits(max_steps=steps)).result.fault for steps in range(1, 26)]
    assert len({fault.pc for fault in faults if fault}) > 1


@pytest.mark.slow
def test_the_step_limit_strikes_alike_in_a_loop_of_look_ups() -> None:
    text = "for (i = 0; i < 9; i++) { " + chain([f"i == {value}" for value in (5, 1, 7, 0, 2)]) + " }"
    for steps in range(1, 400, 7):
        same_script(text, limits=Limits(max_steps=steps))


@pytest.mark.parametrize(
    "tests",
    [
        ["@rax == 1", "@rax == 2", "@rax == 3"],
        ["@rax == 1", "@rcx == 2", "@rax == 3", "@rcx == 4", "@rax == 5"],
        ["@rax == 1", "@rax > 2", "@rax == 3", "@rax < 4"],
        ["@rax == @rcx", "@rax == @rdx", "@rax == @rbx", "@rax == @rsi"],
        ["poi(@rsp) == 1", "poi(@rsp) == 2", "poi(@rsp) == 3", "poi(@rsp) == 4"],
    ],
)
def test_what_is_no_chain_stays_as_it_is(tests: list[str]) -> None:
    program = script("x = 0; " + chain(tests))
    assert lengths(program) == []
    for value in range(6):
        same(program, World({"rax": value, "rcx": value}))


def test_a_text_that_is_made_anew_at_each_use_is_asked_for_each_time() -> None:
    assert lengths(script(chain([f"$time == {value:#x}" for value in CONSTANTS]))) == []


def walk(bodies: list[list[tuple[str | int, ...]]]) -> Program:
    """Comparisons of r0 with 1, 2, ... in r1, each with a body behind it; the last ones print r0 to r3."""
    behind: list[tuple[str | int, ...]] = [("PRINT", 0), ("PRINT", 1), ("PRINT", 2), ("PRINT", 3), ("RETV",)]
    lines: list[tuple[str | int, ...]] = []
    for number, body in reversed(list(enumerate(bodies))):
        jump = ("JMP", len(lines))
        lines = [("LDI", 1, number + 1), ("EQ", 2, 0, 1), ("JZ", 2, len(body) + 1), *body, jump, *lines]
    return main_program([("LDM", 0, REGISTER_INDEX["rax"]), ("MOV", 3, 0), *lines, *behind])


def test_registers_are_left_as_the_comparisons_leave_them() -> None:
    program = walk([[("PRINT", 1), ("PRINT", 2)]] * 6)
    assert lengths(program) == [6]
    for value in range(9):
        same(program, World({"rax": value}))


def test_a_comparison_that_writes_the_value_ends_the_chain() -> None:
    lines: list[tuple[str | int, ...]] = [("LDM", 0, REGISTER_INDEX["rax"]), ("MOV", 3, 0)]
    for number in range(6):
        result = 0 if number == 4 else 2
        lines += [("LDI", 1, number), ("EQ", result, 0, 1), ("JZ", result, 1), ("PRINT", 1)]
    program = main_program([*lines, ("PRINT", 0), ("PRINT", 1), ("PRINT", 2), ("RETV",)])
    for value in range(8):
        same(program, World({"rax": value}))


def test_a_chain_that_is_entered_in_the_middle_is_walked_from_there() -> None:
    ifs = "".join(f"if (x == {value}) {{ print({value}); x = {value + 2}; }} " for value in range(8))
    for value in range(9):
        same_script(f"x = @rax; {ifs} print(x);", World({"rax": value}))


def test_a_loop_of_comparisons_stays_a_loop() -> None:
    """The last comparison goes back to the second one; a run of it ends at the step limit."""
    lines: list[tuple[str | int, ...]] = [("LDM", 0, REGISTER_INDEX["rax"])]
    for number in range(5):
        lines += [("LDI", 1, number), ("EQ", 2, 0, 1), ("JNZ", 2, 3 * (5 - number) - 3)]
    lines[-1] = ("JZ", 2, -13)
    program = main_program([*lines, ("PRINT", 1), ("RETV",)])
    for value in range(7):
        same(program, World({"rax": value}), Limits(max_steps=500))


def test_blocks_that_only_a_look_up_stands_for_are_not_lowered() -> None:
    program = script(SHAPES["a variable"])
    main = program.functions[0]
    fuel = block_fuel(program, main)
    chains = chains_of(program, main, fuel)
    (found,) = chains.values()
    entered = blocks_entered(program, main, fuel, chains)
    assert not {link.block for link in found.links[1:]} & set(entered)
    assert set(entered) < set(ends_of(fuel, main))


def test_constants_of_several_instructions_are_known() -> None:
    lines: list[tuple[str | int, ...]] = [("LDM", 0, REGISTER_INDEX["rax"])]
    for number in range(5):
        lines += [("LDI", 1, -1), ("LDH", 1, number), ("EQ", 2, 0, 1), ("JZ", 2, 2), ("PRINT", 1), ("RETV",)]
    program = main_program([*lines, ("RETV",)])
    assert lengths(program) == [5]
    for number in range(6):
        same(program, World({"rax": (-1 << 16 | number) & (1 << 64) - 1}))
