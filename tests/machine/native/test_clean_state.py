"""One event's blocks neither see nor change what another's left behind, on every carrier; the reproducers first."""

from __future__ import annotations

from functools import cache

import pytest
from carrier_worlds import CARRIERS, Line, Outcome, run

from machine.root import sandbox

pytest.importorskip("keystone")
pytestmark = pytest.mark.parametrize("carrier", CARRIERS)

FIVE_CALLS = "mov ebx, 5; again: mov eax, 0x55; syscall; dec ebx; jnz again; nop"
RETURN_TRAP, BLOCK_CODE = "ffffb10000000010", "ffffb10000000040"


def done(carrier: str, commands: str, guest: str = FIVE_CALLS) -> Outcome:
    return run(carrier, guest, commands, kernel="bare")


@cache
def alone_on(carrier: str, commands: str) -> Outcome:
    """What is compared with again and again."""
    return done(carrier, commands)


def hits(outcome: Outcome) -> dict[str, int]:
    """Globals as numbers."""
    return {name: int.from_bytes(value, "little") for name, value in outcome.globals.items()}


def code_faults(outcome: Outcome) -> list[tuple[int, str]]:
    """Ids of events and texts."""
    return [(int(str(event)), str(text)) for kind, event, text in _three(outcome.lines) if kind == "code fault"]


def _three(lines: list[Line]) -> list[Line]:
    return [line for line in lines if len(line) == 3]


@pytest.mark.parametrize("address", [RETURN_TRAP, BLOCK_CODE, "ffffb10000000020"])
def test_a_store_to_block_code_is_a_fault_of_the_block_that_stores(carrier: str, address: str) -> None:
    outcome = done(
        carrier,
        f"!syscall asm condition {{ mov rax, {address}; mov dword ptr [rax], c3c03190; mov al, 1 }} "
        "script { .a++; }\n"
        "!syscall asm condition { mov eax, 1 } script { .b++; }",
    )
    assert hits(outcome) == {"a": 0, "b": 5}
    what = "condition stopped: write of page ffffb10000000000, which is code of a block, at ffffb1000000002a (+a)"
    assert code_faults(outcome) == [(0, f"{what}: mov dword ptr [rax], 0xc3c03190")] * 5


@pytest.mark.parametrize("distance", ["100", "8", "1000", "8000", "0ff00"])
def test_the_stack_that_a_block_finds_is_zero(carrier: str, distance: str) -> None:
    outcome = done(
        carrier,
        f"!syscall asm condition {{ mov qword ptr [rsp-{distance}], 1234; mov al, 1 }} script {{ .a++; }}\n"
        f"!syscall asm condition {{ mov rax, [rsp-{distance}] }} script {{ .b++; }}\n"
        f"!syscall asm condition {{ mov rax, [rsp-{distance}]; mov qword ptr [rsp-{distance}], 5 }} script {{ .c++; }}",
    )
    assert hits(outcome) == {"a": 5, "b": 0, "c": 0}


def test_a_block_cannot_change_its_own_code(carrier: str) -> None:
    outcome = done(carrier, "!syscall asm condition { lea rax, [rip]; mov byte ptr [rax], 90; mov al, 1 }")
    assert [text.split(" at ")[0] for _, text in code_faults(outcome)] == [
        "condition stopped: write of page ffffb10000000000, which is code of a block,"
    ] * 5


def test_code_of_another_block_is_neither_there_to_be_read_nor_to_be_executed(carrier: str) -> None:
    commands = (
        f"!syscall condition {{ b801000000 {0x20 * '90 '} }} script {{ .a++; }}\n"
        f"!syscall asm condition {{ mov rax, {BLOCK_CODE}; jmp rax }} script {{ .b++; }}\n"
        "!syscall asm condition { mov rax, ffffb10000001000; jmp rax } script { .c++; }\n"
        f"!syscall asm condition {{ mov rax, {BLOCK_CODE}; cmp byte ptr [rax], 90; sete al; movzx eax, al }} "
        "script { .d++; }"
    )
    outcome = done(carrier, commands)
    assert hits(outcome) == {"a": 5, "b": 0, "c": 0, "d": 0}
    assert code_faults(outcome)[:2] == [
        (2, "condition stopped: fetch of page ffffb10000001000, which is not mapped or not allowed, at "
            "ffffb10000001000: no instruction"),
        (1, "condition stopped: fetch of what is not code of the block at ffffb10000000040: hlt"),
    ]  # fmt: skip


def test_a_block_reads_its_own_code(carrier: str) -> None:
    outcome = done(carrier, "!syscall asm condition { jmp over; data: dq 55; over: mov rax, [rip+data]; cmp al, 55; "
                            "sete al } script { .a++; }")  # fmt: skip
    assert hits(outcome) == {"a": 5}


def test_a_buffer_belongs_to_the_blocks_of_its_event(carrier: str) -> None:
    commands = (
        "!syscall buffer 10 script { .where = $buffer; .there = poi($buffer); }\n"
        "!syscall buffer 10 script { .n = 0; } asm code { mov rax, [rdx+68]; mov [rdx+60], rax }\n"
        "!syscall buffer 10 script { @r13 = .where; } asm code { mov rax, [rdx+68]; mov qword ptr [rax], 7 }"
    )
    outcome = done(carrier, commands)
    assert hits(outcome)["there"] == 0
    where = hits(outcome)["where"]
    assert [text.split(" at ")[0] for event, text in code_faults(outcome) if event == 2][-1] == (
        f"code stopped: write of page {where:x}, which is not mapped or not allowed,"
    )


def test_blocks_of_an_event_have_the_buffer_that_its_script_has(carrier: str) -> None:
    outcome = done(
        carrier, "!syscall buffer 10 script { eq($buffer, 5); } asm code { mov rax, [rcx]; mov [rdx+60], rax }"
    )
    assert (code_faults(outcome), outcome.registers["r12"]) == ([], 0)  # each action has its own


def test_nothing_stays_around_guest_regs(carrier: str) -> None:
    outcome = done(carrier, "!syscall asm condition { mov qword ptr [rcx-8], 9; mov qword ptr [rcx-20], 9; mov al, 1 } "
                            "script { .a++; }\n"
                            "!syscall asm condition { mov rax, [rcx-8]; or rax, [rcx-20] } script { .b++; }\n"
                            "!syscall asm condition { mov rax, [rcx+80] } script { .c++; }")  # fmt: skip
    assert hits(outcome) == {"a": 5, "b": 0, "c": 0}
    assert {event for event, _ in code_faults(outcome)} == {2}


CHANGES = {
    "x87": "fld1; fld1",
    "x87 control word": "mov dword ptr [rsp-8], 27f; fldcw [rsp-8]",
    "mxcsr": "mov dword ptr [rsp-8], 0ff80; ldmxcsr [rsp-8]",
    "mmx": "movd mm3, ecx",
    "direction": "std",
    "flags": "pushfq; or qword ptr [rsp], 244000; popfq",
    "data segment": "mov eax, 2b; mov ds, ax; mov es, ax",
    "fs": "mov eax, 5; mov ecx, 0c0000100; xor edx, edx; wrmsr",
    "msr": "mov eax, 5; mov ecx, 0c0000082; xor edx, edx; wrmsr",
    "mtrr": "mov eax, 5; mov ecx, 200; xor edx, edx; wrmsr",
    "cr0": "mov rax, cr0; xor rax, 2; mov cr0, rax",
    "cr4": "mov rax, cr4; xor rax, 200; mov cr4, rax",
    "cr8": "mov eax, 5; mov cr8, rax",
    "breakpoint": "lea rax, [rip]; and rax, 0fffffffffffffff0; mov dr0, rax; mov eax, 3; mov dr7, rax",
    "descriptor table": "sub rsp, 20; mov qword ptr [rsp], 1234; mov qword ptr [rsp+8], 5; lgdt [rsp]; lidt [rsp]; "
    "add rsp, 20",
}
PROBE = (
    "sub rsp, 400; and rsp, 0fffffffffffffff0; fxsave [rsp]; xor eax, eax; mov rsi, rsp; mov ecx, 0c; "
    "next: add rax, [rsi]; rol rax, 1; add rsi, 8; loop next; mov ecx, 14; add rsi, 60; mov rbx, rax; "
    "pushfq; pop rax; add rbx, rax; rol rbx, 1; mov eax, ds; add rbx, rax; rol rbx, 1; mov rax, cr0; add rbx, rax; "
    "rol rbx, 1; mov rax, cr4; add rbx, rax; rol rbx, 1; mov rax, cr8; add rbx, rax; rol rbx, 1; mov rax, dr7; "
    "add rbx, rax; rol rbx, 1; mov ecx, 0c0000082; rdmsr; add rbx, rax; rol rbx, 1; mov ecx, 0c0000100; rdmsr; "
    "add rbx, rax; rol rbx, 1; mov ecx, 200; rdmsr; add rbx, rax; rol rbx, 1; sgdt [rsp]; add rbx, [rsp]; rol rbx, 1; "
    "sidt [rsp]; add rbx, [rsp]; mov [r15+60], rbx"
)


@pytest.mark.parametrize("name", CHANGES)
def test_the_processor_that_a_block_finds_is_always_the_same(carrier: str, name: str) -> None:
    probe = f"!syscall asm code {{ mov r15, rdx; {PROBE}; mov rsp, r15; sub rsp, 28 }} script {{ .n = .n * 3 + @r12; }}"
    alone = alone_on(carrier, probe)
    behind = done(carrier, f"{probe}\n!syscall asm condition {{ {CHANGES[name]}; xor eax, eax }} script {{ .n = 0; }}")
    assert hits(alone)["n"] != 0
    assert hits(behind) == hits(alone)
    assert code_faults(alone) == []


def test_a_block_sees_the_msrs_of_the_trigger(carrier: str) -> None:
    guest = (
        "mov ebx, 3; again: mov ecx, 0xc0000084; mov eax, ebx; xor edx, edx; wrmsr; mov eax, 0x55; syscall; dec ebx; "
        "jnz again; nop"
    )
    outcome = done(carrier, "!syscall asm code { mov r9, rdx; mov ecx, 0c0000084; rdmsr; mov [r9+60], rax } "
                            "script { .n = .n * 10 + @r12; }", guest)  # fmt: skip
    assert hits(outcome)["n"] == 0x32  # the script runs before the code


def test_blocks_that_share_a_processor_are_as_far_apart(carrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MOST_PROCESSORS", 2)
    commands = "\n".join(
        f"!syscall asm condition {{ mov rax, [rsp-100]; test rax, rax; jnz over; mov qword ptr [rsp-100], {number}; "
        f"mov rbx, [rcx+60]; add rbx, {number}; mov [rcx+60], rbx; over: xor eax, eax }} script {{ .n++; }}"
        for number in range(1, 7)
    )
    outcome = done(carrier, commands)
    assert outcome.registers["r12"] == 5 * sum(range(1, 7))
    assert code_faults(outcome) == []


def test_a_block_with_another_ones_bytes_in_its_place_is_counted_anew(
    carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MOST_PROCESSORS", 1)
    # Ten bytes each at one address: plain or not, another number of instructions.
    outcome = done(
        carrier,
        "!syscall condition { 90909090909090909090 b001 } script { .a++; }\n"
        "!syscall condition { 0f20c0 909090 909090 90 b001 } script { .b++; }\n"
        "!syscall condition { 48b80000000000000000 b001 } script { .c++; }",
    )
    assert hits(outcome) == {"a": 5, "b": 5, "c": 5}


def test_memory_that_the_guest_unmaps_between_two_runs_does_not_disturb_them(carrier: str) -> None:
    guest = (
        "mov ebx, 5; again: mov eax, 9; xor edi, edi; mov esi, 0x2000; mov edx, 3; mov r10d, 0x22; mov r8, -1; "
        "xor r9d, r9d; syscall; mov r12, rax; mov [r12], rbx; mov eax, 39; syscall; mov rdi, r12; mov esi, 0x2000; "
        "mov eax, 11; syscall; dec ebx; jnz again; mov eax, 60; xor edi, edi; syscall"
    )
    commands = (
        "!syscall 27 asm condition { mov rax, [rcx+60]; mov rax, [rax]; add [rcx+68], rax } script { .n++; }\n"
        "!syscall 27 asm condition { mov rax, [rcx+60]; mov [rax+1000], rcx; movq xmm0, [rax]; mov al, 1 } "
        "script { .m++; }"
    )
    outcome = run(carrier, guest, commands, kernel="linux")
    assert (code_faults(outcome), hits(outcome)) == ([], {"n": 5, "m": 5})
    assert outcome.registers["r13"] == 5 + 4 + 3 + 2 + 1


def test_a_block_sees_only_pages_that_have_globals(carrier: str) -> None:
    outcome = done(carrier, "!syscall asm code { mov rax, 1000000000100000; mov [rax], rax } script { .a = 1; }")
    assert len(code_faults(outcome)) == 5
