"""`!msrread` and `!msrwrite` on all carriers: which registers they mean (events-and-commands C.2, G.5 18 and 23)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, run


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


LEFT_OUT = (0xC000_0102, 0xE7, 0xE8)
LEFT_OUT_OF_WRITES = (*LEFT_OUT, 0x48, 0x49)
OTHERS = (0xC000_0082, 0x1B, 0x17E7)


@pytest.mark.parametrize(
    ("event", "instruction", "left_out"),
    [("!msrread", "rdmsr", LEFT_OUT), ("!msrwrite", "wrmsr", LEFT_OUT_OF_WRITES)],
)
def test_some_registers_have_to_be_named(carrier: str, event: str, instruction: str, left_out: tuple[int, ...]) -> None:
    for number in (*left_out, *OTHERS):
        text = f"mov ecx, {number}; xor eax, eax; xor edx, edx; {instruction}; nop"
        outcome = run(
            carrier, text, f"{event} sc on script {{ .n = 1; }}\n{event} {number:x} sc on script {{ .n = 1; }}"
        )
        assert outcome.triggers == [int(number not in left_out), 1]


def test_reads_of_other_registers_do_not_trigger(carrier: str) -> None:
    text = "mov rcx, 0x1c0000082; rdmsr; inc ecx; rdmsr; nop"
    assert run(carrier, text, "!msrread c0000082 script { print(1); }").triggers == [1]


def test_all_is_a_number_too(carrier: str) -> None:
    text = "mov ecx, 0xe7; rdmsr; mov ecx, 0xc0000082; rdmsr; nop"
    assert run(carrier, text, "!msrread ffffffff script { print(1); }").triggers == [1]


def test_a_read_is_faked(carrier: str) -> None:
    command = "!msrread c0000082 script { @rdx = 0xfffff801; @rax = 0x1234; event_sc(1); }"
    outcome = run(carrier, "mov ecx, 0xc0000082; rdmsr; nop", command)
    assert (outcome.registers["rdx"], outcome.registers["rax"]) == (0xFFFFF801, 0x1234)


def test_a_write_is_altered_before_it_happens(carrier: str) -> None:
    text = "mov ecx, 0xc0000084; mov eax, 0x4500; xor edx, edx; wrmsr; xor eax, eax; rdmsr; nop"
    outcome = run(carrier, text, "!msrwrite c0000084 stage pre script { @eax = @eax | 1 << 9; }")
    assert outcome.registers["rax"] == 0x4700


def test_the_guest_sees_system_calls_enabled_while_their_events_exist(carrier: str) -> None:
    events = "!syscall script { print(1); }\n!msrread c0000080 stage post script { @r8 = @rax; }"
    assert run(carrier, "mov ecx, 0xc0000080; rdmsr; nop", events).registers["r8"] & 1
