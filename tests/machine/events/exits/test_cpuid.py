"""`!cpuid` on all carriers: an instruction that is found where code is translated (events-and-commands C.2)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, Outcome, run

LOOP = """
    mov r12d, 3
again:
    mov eax, 1
    xor ecx, ecx
    cpuid
    mov r13d, ecx
    xor eax, eax
    cpuid
    mov r14d, ebx
    dec r12d
    jnz again
"""


def texts(outcome: Outcome) -> list[str]:
    return [line[1].text.decode() for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


TOLD = """
    mov r15d, 4
    mov rdi, 0x400800
again:
    mov eax, {leaf}
    xor ecx, ecx
    cpuid
    mov r8, rax
    mov r9, rbx
    mov r10, rcx
    mov r11, rdx
    clc
    dec r15d
    jnz again
"""
WITH_EVENTS = (
    "!cpuid script { .n = .n + 1; }",
    "!cpuid stage all script { .n = .n + 1; }",
    "!cpuid script { .n = .n + 1; if (.n == 2) { event_clear($event_id); } }",
    "!cpuid script { @rflags = @rflags ^ 1; }",
    "!epthook 40000e script { .n = .n + 1; }\n!cpuid 7 script { .n = .n + 1; }",
    "!cpuid script { .n = .n + 1; }\nbp 40000e\ng\ng\ng\ng\ng",
)


@pytest.mark.parametrize("events", WITH_EVENTS)
@pytest.mark.parametrize("leaf", [0, 1, 7])
def test_events_change_nothing_of_what_is_told(carrier: str, leaf: int, events: str) -> None:
    alone = run(carrier, TOLD.format(leaf=leaf), "print 1").registers
    assert run(carrier, TOLD.format(leaf=leaf), events, halts="bp" in events).registers == alone


def test_a_leaf_that_a_script_writes_is_the_one_that_is_told(carrier: str) -> None:
    asked = run(carrier, "mov eax, 1; cpuid; nop", "print 1").registers
    assert run(carrier, "mov eax, 7; cpuid; nop", "!cpuid script { @eax = 1; }").registers == asked


def test_every_cpuid_triggers_with_the_leaf_as_context(carrier: str) -> None:
    outcome = run(carrier, LOOP, '!cpuid script { printf("%llx %llx;", $context, @rip); }')
    first, second = (text.split()[1] for text in texts(outcome)[:2])
    assert texts(outcome) == [f"1 {first}", f"0 {second}"] * 3
    assert outcome.registers["r14"] == int.from_bytes(b"Genu", "little")


def test_a_leaf_filters(carrier: str) -> None:
    outcome = run(carrier, LOOP, "!cpuid 1 script { .n = .n + 1; }\n!cpuid 7 script { .n = 100; }")
    assert outcome.triggers == [3, 0]


def test_post_sees_the_result_and_the_context_keeps_the_leaf(carrier: str) -> None:
    outcome = run(
        carrier, LOOP, '!cpuid 0 stage all script { printf("%llx %llx %llx;", $event_stage, $context, @rbx); }'
    )
    vendor = f"{int.from_bytes(b'Genu', 'little'):x}"
    assert [text.split()[0] for text in texts(outcome)] == ["0", "1"] * 3
    assert {text.split()[1] for text in texts(outcome)} == {"0"}
    assert {text.split()[2] for text in texts(outcome)[1::2]} == {vendor + ";"}


def test_post_can_change_a_result(carrier: str) -> None:
    outcome = run(carrier, LOOP, "!cpuid 1 stage post script { @rcx = @rcx | 0x80000000; }")
    assert outcome.registers["r13"] >> 31 == 1
    assert outcome.triggers == [3]


def test_a_short_circuited_cpuid_is_skipped(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 1; mov ebx, 5; cpuid; nop", "!cpuid sc on script { @rcx = 77; }")
    assert (outcome.registers["rax"], outcome.registers["rbx"], outcome.registers["rcx"]) == (1, 5, 0x77)


def test_a_script_that_moves_rip_replaces_the_instruction(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 1; cpuid; inc r8; nop; inc r9", "!cpuid script { @rip = @rip + 5; }")
    assert (outcome.registers["rax"], outcome.registers["r8"], outcome.registers["r9"]) == (1, 0, 1)


def test_prefixes_belong_to_the_instruction(carrier: str) -> None:
    outcome = run(carrier, b"\x31\xc0\xf3\x0f\xa2\x90", "!cpuid sc on script { print(@rip); }", kind="raw")
    assert outcome.triggers == [1]
    assert outcome.registers["rbx"] == 0


MADE_LATER = """
    mov rsp, 0x400f00
    mov rdi, 0x400200
    mov word ptr [rdi], 0xa20f
    mov byte ptr [rdi+2], 0xc3
    xor eax, eax
    call rdi
    mov word ptr [rdi], 0x9090
    call rdi
    mov word ptr [rdi], 0xa20f
    xor eax, eax
    call rdi
    nop
"""


def test_code_that_is_made_and_changed_at_run_time_is_found(carrier: str) -> None:
    outcome = run(carrier, MADE_LATER, "!cpuid script { print(@rip); }")
    assert texts(outcome) == ["400200\n", "400200\n"]


def test_bytes_of_a_cpuid_within_another_instruction_do_not_trigger(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 0xa20f; nop; mov eax, 0xa20f; nop", "!cpuid script { print(1); }")
    assert outcome.triggers == [0]


def test_the_first_block_of_a_run_is_looked_at(carrier: str) -> None:
    outcome = run(carrier, "cpuid; nop", "!cpuid script { print(@rip); }")
    assert texts(outcome) == ["400000\n"]


def test_an_event_that_is_registered_at_a_break_sees_what_follows(carrier: str) -> None:
    commands = "!cpuid 5 script { .n = 1; }\nbp 400000\ng\n!cpuid script { print($context); }\ng"
    outcome = run(carrier, LOOP, commands, halts=True)
    assert texts(outcome) == ["1\n", "0\n"] * 3


def test_a_hook_of_the_same_address_comes_first(carrier: str) -> None:
    commands = """!cpuid script { printf("cpuid;"); }\n!epthook 400002 script { printf("hook;"); }"""
    outcome = run(carrier, "xor eax, eax; cpuid; nop", commands)
    assert "".join(texts(outcome)) == "hook;cpuid;"


def test_a_condition_and_a_code_block_see_the_guest(carrier: str) -> None:
    condition = "asm condition { mov rax, [rcx]; cmp rax, 1; sete al; movzx rax, al }"
    commands = f"!cpuid {condition} asm code {{ mov qword ptr [rdx], 0 }}"
    outcome = run(carrier, "mov eax, 1; cpuid; mov r8, rbx; mov eax, 1; nop", commands)
    assert outcome.triggers == [1]
    assert outcome.registers["r8"] == int.from_bytes(b"Genu", "little")


def test_a_cleared_event_triggers_no_more(carrier: str) -> None:
    outcome = run(carrier, LOOP, "!cpuid 0 script { .n = .n + 1; if (.n == 2) { event_clear($event_id); } }")
    assert outcome.triggers == [2]


def test_the_sdk_gives_a_leaf_behind_a_flag() -> None:
    from machine.events import sdk
    from machine.events.exits import exit_of
    from machine.events.exits.cpuid import EXIT

    kind = EXIT.kind
    assert exit_of(kind).wanted(sdk._parameters(kind, (1, 0x4000_0000))) == 0x4000_0000
    assert exit_of(kind).wanted(sdk._parameters(kind, (0, 0x4000_0000))) is None
    assert exit_of(kind).wanted({"leaf": 0xFFFF_FFFF}) == 0xFFFF_FFFF
