"""Exits as data: what their expressions mean is the same in Python and in machine code; every kind has its file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from engines import need_machine_code
from machine_guests import CODE, cpu_with

import machine.events.exits
from machine.events.dispatch import carry_out
from machine.events.exit import (
    Assign,
    Binary,
    ByProcessor,
    Constant,
    Expression,
    Msr,
    Operand,
    OperandRegister,
    PrivilegeLevel,
    Register,
    evaluate,
)
from machine.events.exits import exit_of, forms_of, syscall, sysret
from machine.events.passage import pass_through
from machine.processor import msr
from machine.processor.cpu import Cpu
from vm.facts.events import EVENT_KINDS, EventKind
from vm.facts.registers import GENERAL, RIP, STORAGE_INDEX

FOLDER = Path(machine.events.exits.__file__).parent
EMULATED = [kind for kind in EVENT_KINDS if kind.emulated]
STATE = (*GENERAL, "rip", "rflags", "cs", "ss")


def test_every_kind_that_is_emulated_has_a_file_and_every_file_a_kind() -> None:
    families = {kind.family for kind in EMULATED}
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == families
    assert all(exit_of(kind).kind is kind for kind in EMULATED)


@pytest.mark.parametrize("kind", EMULATED, ids=lambda kind: kind.name)
def test_a_filtered_parameter_is_one_of_the_kinds(kind: EventKind) -> None:
    exit_ = exit_of(kind)
    assert exit_.parameter is None or exit_.parameter in exit_.kind.sdk_parameters


def test_values_are_computed_before_the_first_is_written() -> None:
    cpu, _ = cpu_with("nop")
    cpu.registers.write(STORAGE_INDEX["rax"], 1)
    cpu.registers.write(STORAGE_INDEX["rbx"], 2)
    carry_out((Assign("rax", Register("rbx")), Assign("rbx", Register("rax"))), cpu)
    assert [cpu.registers.read(STORAGE_INDEX[name]) for name in ("rax", "rbx")] == [2, 1]


def random_state(cpu: Cpu, seed: int) -> None:
    chosen = random.Random(seed)
    for name in GENERAL:
        cpu.registers.write(STORAGE_INDEX[name], chosen.getrandbits(64))
    cpu.registers.write(RIP, CODE)
    cpu.registers.write(STORAGE_INDEX["rflags"], 0x202 | chosen.getrandbits(1) | chosen.getrandbits(1) << 11)
    for number in (msr.STAR, msr.LSTAR, msr.FMASK):
        cpu.write_msr(number, chosen.getrandbits(64))
    cpu.privilege_level = chosen.randrange(4)
    cpu.registers.store()
    cpu.registers.forget()


def expressions(chosen: random.Random, depth: int) -> Expression:
    """A random expression."""
    match chosen.randrange(8) if depth else chosen.randrange(3):
        case 0:
            return Constant(chosen.getrandbits(chosen.choice((3, 32, 64))))
        case 1:
            simple = (Operand(), OperandRegister(), PrivilegeLevel(), *map(Register, (*STATE, "cr0", "cr4")))
            return chosen.choice(simple)
        case 2:
            return Msr(chosen.choice((msr.STAR, msr.LSTAR, msr.FMASK)))
        case 3:
            return Binary(
                chosen.choice(("add", "and", "or", "xor")),
                expressions(chosen, depth - 1),
                expressions(chosen, depth - 1),
            )
        case 4:
            return expressions(chosen, depth - 1).is_equal(expressions(chosen, depth - 1))
        case 5:
            return expressions(chosen, depth - 1).is_above(expressions(chosen, depth - 1))
        case 6:
            return expressions(chosen, depth - 1) << chosen.randrange(64)
        case _:
            return expressions(chosen, depth - 1) >> chosen.randrange(64)


@pytest.mark.parametrize("seed", range(6))
def test_evaluated_and_emitted_expressions_have_the_same_value(seed: int) -> None:
    need_machine_code()
    from exit_probe import OPERAND, Probe

    chosen, probe = random.Random(seed), Probe()
    made = [expressions(chosen, 3) for _ in range(20)]
    random_state(probe.cpu, seed)
    assert probe.emitted(made) == [evaluate(expression, probe.cpu, OPERAND) for expression in made]


@pytest.mark.parametrize("kind", EMULATED, ids=lambda kind: kind.name)
def test_the_expressions_of_every_exit_have_a_native_form(kind: EventKind) -> None:
    need_machine_code()
    from exit_probe import OPERAND, Probe

    made: list[Expression] = []
    for exit_ in forms_of(kind):
        effect = () if isinstance(exit_.effect, ByProcessor) else exit_.effect
        made += [exit_.context, exit_.bits, exit_.refused, *(step.value for step in effect if isinstance(step, Assign))]
    probe = Probe()
    random_state(probe.cpu, 7)
    assert probe.emitted(made) == [evaluate(expression, probe.cpu, OPERAND) for expression in made]


@pytest.mark.parametrize("seed", range(8))
def test_the_fast_path_does_what_the_two_effects_do(seed: int) -> None:
    states = []
    for fast in (False, True):
        cpu, _ = cpu_with("syscall")
        random_state(cpu, seed)

        def answer(cpu: Cpu = cpu) -> None:
            cpu.registers.write(STORAGE_INDEX["rax"], 42)

        if fast:
            pass_through(cpu, answer)
        else:
            carry_out(syscall.EFFECT, cpu)
            answer()
            carry_out(sysret.EFFECT, cpu)
        states.append({name: cpu.registers.read(STORAGE_INDEX[name]) for name in STATE})
    assert states[0] == states[1]
