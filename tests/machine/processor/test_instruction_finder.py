"""Instructions that are found where code is translated (machine.processor.instruction_finder), through a Cpu."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import capstone
import pytest
from machine_guests import CODE, DATA, cpu_with, get_register, set_register

from machine.processor.cpu import Cpu
from machine.processor.instruction_finder import InstructionPattern, OperandKind, Site
from machine.processor.run_state import StopKind
from vm.facts.registers import RIP

CPUID = InstructionPattern(b"\x0f\xa2")
SYSRET = InstructionPattern(b"\x48\x0f\x07", exact=True)


class Served:
    """Notes arrivals at sites of one CPU."""

    def __init__(self, cpu: Cpu) -> None:
        self.cpu = cpu
        self.sites: list[Site] = []
        self.arrivals: list[int] = []

    def serve(self, site: Site) -> Served._Hook:
        self.sites.append(site)
        return Served._Hook(self, site)

    class _Hook:
        def __init__(self, served: Served, site: Site) -> None:
            self._served = served
            self._site = site
            self._hook = served.cpu.hook_address(site.address, self._arrive)

        def come_last(self) -> None:
            self.remove()
            self._hook = self._served.cpu.hook_address(self._site.address, self._arrive)

        def _arrive(self) -> None:
            self._served.arrivals.append(self._served.cpu.registers.read(RIP))

        def remove(self) -> None:
            self._served.cpu.unhook(self._hook)


def looking(text: str, *patterns: InstructionPattern) -> tuple[Cpu, int, Served]:
    cpu, end = cpu_with(text)
    served = Served(cpu)
    cpu.look_for(dict.fromkeys(patterns or (CPUID,), served.serve))
    return cpu, end, served


@pytest.mark.parametrize(
    ("code", "pattern", "matches"),
    [
        ("0fa2", CPUID, True),
        ("f30fa2", CPUID, True),
        ("480fa2", CPUID, True),
        ("90", CPUID, False),
        ("0f05", CPUID, False),
        ("480f07", SYSRET, True),
        ("0f07", SYSRET, False),
        ("66480f07", SYSRET, False),
    ],
)
def test_a_pattern_reads_what_stands_behind_prefixes_unless_it_is_exact(
    code: str, pattern: InstructionPattern, matches: bool
) -> None:
    assert pattern.matches(bytes.fromhex(code)) is matches


def test_the_first_block_of_a_run_is_looked_at_although_the_emulator_does_not_name_it() -> None:
    cpu, end, served = looking("nop; cpuid; nop")
    cpu.run(CODE, end, 100)
    assert served.sites == [Site(CPUID, CODE + 1, b"\x0f\xa2")]
    assert served.arrivals == [CODE + 1]


def test_a_block_is_not_entered_before_it_is_served() -> None:
    cpu, end, served = looking("jmp next; nop; next: inc rbx; cpuid; inc r8")
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert len(served.arrivals) == 1
    assert (get_register(cpu, "r8"), cpu.executed) == (1, 4)


def test_bytes_within_another_instruction_are_no_site() -> None:
    cpu, end, served = looking("jmp next; next: mov eax, 0xa20f; nop")
    cpu.run(CODE, end, 100)
    assert served.sites == []


def test_code_that_a_guest_writes_later_is_found_and_what_it_overwrites_is_forgotten() -> None:
    cpu, end, served = looking(
        f"mov rsp, {DATA + 0x800}; mov rdi, {CODE + 0x200}; mov word ptr [rdi], 0xa20f; mov byte ptr [rdi+2], 0xc3; "
        "call rdi; mov word ptr [rdi], 0x9090; call rdi; mov word ptr [rdi], 0xa20f; call rdi"
    )
    assert cpu.run(CODE, end, 200).kind is StopKind.REACHED
    assert served.arrivals == [CODE + 0x200] * 2
    assert len(served.sites) == 2


def test_what_is_no_longer_looked_for_is_not_served() -> None:
    cpu, end, served = looking("again: cpuid; dec r8; jnz again")
    set_register(cpu, "r8", 3)
    cpu.run(CODE, end, 3)
    cpu.look_for({})
    cpu.run(cpu.registers.read(RIP), end, 100)
    assert len(served.arrivals) == 1


def test_code_that_was_translated_before_is_looked_at_when_something_new_is_looked_for() -> None:
    cpu, end = cpu_with("again: jmp next; next: cpuid; dec r8; jnz again")
    set_register(cpu, "r8", 1)
    cpu.run(CODE, end, 100)
    served = Served(cpu)
    cpu.look_for({CPUID: served.serve})
    set_register(cpu, "r8", 2)
    cpu.run(CODE, end, 100)
    assert served.arrivals == [CODE + 2] * 2


def test_sites_are_served_within_the_gate_of_the_cores() -> None:
    cpu, end, served = looking("cpuid; jmp there; nop; there: cpuid; nop")
    inside: list[bool] = []

    class Gate:
        def __enter__(self) -> None:
            inside.append(True)

        def __exit__(self, *_: object) -> None:
            inside.pop()

    held: list[bool] = []
    serve = served.serve

    def noting(site: Site) -> Served._Hook:
        held.append(bool(inside))
        return serve(site)

    cpu.gate = Gate()
    cpu.look_for({CPUID: noting})
    cpu.run(CODE, end, 100)
    assert held == [True, True]


def test_a_callback_may_look_for_more_and_the_run_ends_before_the_next_block() -> None:
    cpu, end = cpu_with("nop; nop; jmp next; next: cpuid; nop")
    served = Served(cpu)
    cpu.hook_address(CODE + 1, lambda: cpu.look_for({CPUID: served.serve}))
    reason = cpu.run(CODE, end, 100)
    assert (reason.kind, reason.rip) == (StopKind.STOPPED, CODE + 1)
    cpu.run(reason.rip, end, 100)
    assert served.arrivals == [CODE + 4]


def test_a_hook_that_comes_later_is_called_before_the_one_of_a_site() -> None:
    cpu, end, served = looking("again: cpuid; dec r8; jnz again")
    set_register(cpu, "r8", 1)
    cpu.run(CODE, end, 100)
    order: list[str] = []
    served.arrivals = _Noting(order)
    cpu.hook_address(CODE, lambda: order.append("hook"))
    cpu.run(CODE, end, 3)
    assert order == ["hook", "site"]


class _Noting(list[int]):
    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    def append(self, _value: int) -> None:
        self._order.append("site")


def test_python_and_machine_code_count_alike_where_blocks_are_begun_anew() -> None:
    counts = []
    for looks in (False, True):
        cpu, end = cpu_with("mov r8d, 5; again: cpuid; dec r8; jnz again; nop")
        if looks:
            cpu.look_for({CPUID: Served(cpu).serve})
        cpu.run(CODE, end, 1000)
        counts.append(cpu.executed)
    assert counts[0] == counts[1]


MOV_TO_CR4 = InstructionPattern(b"\x0f\x22", register=4, operand=OperandKind.REGISTER)
MOV_TO_CR8 = InstructionPattern(b"\x0f\x22", register=8, operand=OperandKind.REGISTER)
IN_BYTE = InstructionPattern(b"\xe4", operand=OperandKind.IMMEDIATE)


@pytest.mark.parametrize(
    ("code", "pattern", "operand"),
    [
        ("0f22e1", MOV_TO_CR4, 1),
        ("410f22e1", MOV_TO_CR4, 9),
        ("440f22e1", MOV_TO_CR4, None),
        ("440f22c3", MOV_TO_CR8, 3),
        ("450f22c3", MOV_TO_CR8, 11),
        ("41660f22e1", MOV_TO_CR4, 1),
        ("0f22d9", MOV_TO_CR4, None),
        ("f00f22e1", MOV_TO_CR4, None),
        ("e460", IN_BYTE, 0x60),
        ("66e4", IN_BYTE, 0),
    ],
)
def test_fields_of_the_encoding_tell_instructions_apart(
    code: str, pattern: InstructionPattern, operand: int | None
) -> None:
    found = bytes.fromhex(code)
    assert (pattern.operand_of(found) if pattern.matches(found) else None) == operand


def test_a_prefix_between_rex_and_opcode_hides_nothing() -> None:
    assert CPUID.matches(bytes.fromhex("48660fa2"))


def test_an_operand_that_a_guest_changes_is_another_site() -> None:
    cpu, end, served = looking(
        f"mov rsp, {DATA + 0x800}; mov rdi, {CODE + 0x200}; mov word ptr [rdi], 0x60e4; mov byte ptr [rdi+2], 0xc3; "
        "call rdi; mov byte ptr [rdi+1], 0x61; call rdi",
        IN_BYTE,
    )
    assert cpu.run(CODE, end, 200).kind is StopKind.REACHED
    assert [site.operand for site in served.sites] == [0x60, 0x61]


@pytest.mark.parametrize("before", ["", "jmp next; next: "])
def test_an_instruction_behind_one_that_the_decoder_does_not_know_is_found(before: str) -> None:
    cpu, end, served = looking(before + "nop; nop; nop; nop; cpuid; inc r8; nop")
    at = end - 9
    cpu.memory.write(at, bytes.fromhex("0f1ac0"))  # a hint that does nothing without MPX
    with mock.patch("capstone.Cs.disasm_lite", _knowing_no_hint(at)):
        assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert len(served.arrivals) == 1


def _knowing_no_hint(at: int) -> Callable[..., Iterator[tuple[int, int, str, str]]]:
    whole = capstone.Cs.disasm_lite

    def decode(decoder: Any, code: bytes, offset: int, count: int = 0) -> Iterator[tuple[int, int, str, str]]:
        for row in whole(decoder, code, offset, count):
            if row[0] == at:
                return
            yield row

    return decode
