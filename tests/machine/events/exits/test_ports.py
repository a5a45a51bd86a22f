"""`!ioin` and `!ioout` on all carriers: every form of IN, OUT, INS and OUTS (events-and-commands C.2, G.5 16)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, Outcome, run

from machine.root import assemble
from machine.summary import StopCause


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts(outcome: Outcome) -> list[str]:
    return [line[1].text.decode() for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]


SHOW = 'script { printf("%d:%llx:%llx", $event_stage, $context, @rax); }'
BUFFER = "mov rsp, 0x400f00; mov edx, 0x3f8; lea rdi, [rsp-64]; lea rsi, [rsp-64]; "


@pytest.mark.parametrize(("register", "mask"), [("al", 0xFF), ("ax", 0xFFFF), ("eax", 0xFFFF_FFFF)])
def test_a_port_without_a_device_reads_all_ones(carrier: str, register: str, mask: int) -> None:
    before = 0x1122_3344_5566_7788
    upper = 0 if register == "eax" else before & ~mask
    for port, form in ((0x60, "0x60"), (0x3F8, "dx")):
        text = f"mov edx, 0x3f8; mov rax, {before}; in {register}, {form}; nop"
        outcome = run(carrier, text, f"!ioin stage all {SHOW}")
        assert texts(outcome) == [f"0:{port:x}:{before:x}", f"1:{port:x}:{upper | mask:x}"]


@pytest.mark.parametrize("register", ["al", "ax", "eax"])
def test_what_is_written_is_at_hand(carrier: str, register: str) -> None:
    for port, form in ((0x60, "0x60"), (0x3F8, "dx")):
        outcome = run(carrier, f"mov edx, 0x3f8; mov eax, 0x41; out {form}, {register}; nop", f"!ioout {port:x} {SHOW}")
        assert texts(outcome) == [f"0:{port:x}:41"]


def test_a_port_filters(carrier: str) -> None:
    text = "mov edx, 0x3f8; in al, dx; in al, 0xf8; in al, 0x60; in al, dx; nop"
    outcome = run(
        carrier, text, "!ioin 3f8 script { .n = 1; }\n!ioin 60 script { .n = 1; }\n!ioin 61 script { .n = 1; }"
    )
    assert outcome.triggers == [2, 1, 0]


def test_what_is_read_can_be_changed(carrier: str) -> None:
    text = "in al, 0x60; mov r8, rax; in al, 0x60; mov r9, rax; nop"
    outcome = run(carrier, text, "!ioin stage post script { .n = .n + 1; @al = 0x40 + .n; }")
    assert (outcome.registers["r8"], outcome.registers["r9"]) == (0x41, 0x42)


def test_a_blocked_port_leaves_the_register_alone(carrier: str) -> None:
    text = "mov edx, 0x3f8; mov eax, 7; in al, dx; inc r8; out dx, al; inc r8; nop"
    outcome = run(carrier, text, "!ioin 3f8 sc on script { print($context); }\n!ioout 3f8 sc on script { print(2); }")
    assert texts(outcome) == ["3f8\n", "2\n"]
    assert (outcome.registers["rax"], outcome.registers["r8"]) == (7, 2)


@pytest.mark.parametrize(
    ("instruction", "event", "moved"),
    [("insb", "!ioin", "rdi"), ("insd", "!ioin", "rdi"), ("outsb", "!ioout", "rsi"), ("outsd", "!ioout", "rsi")],
)
def test_a_string_instruction_triggers_once_however_often_it_is_repeated(
    carrier: str, instruction: str, event: str, moved: str
) -> None:
    show = f'script {{ printf("%d %llx %llx", $event_stage, @rcx, @{moved}); }}'
    for count in (1, 3):
        text = f"{BUFFER} mov ecx, {count}; rep {instruction}; inc r8; nop"
        outcome = run(carrier, text, f"{event} 3f8 stage all {show}")
        size = 4 if instruction.endswith("d") else 1
        assert texts(outcome) == [f"0 {count:x} 400ec0", f"1 0 {0x400EC0 + count * size:x}"]
        assert outcome.registers["r8"] == 1


def test_nothing_to_be_repeated_is_no_trigger(carrier: str) -> None:
    assert run(carrier, f"{BUFFER} xor ecx, ecx; rep insb; nop", "!ioin script { print(1); }").triggers == [0]
    short = b"\x48\xb9\0\0\0\0\x01\0\0\0\x67\xf3\x6c\x90"  # mov rcx, 1 << 32; addr32 rep insb
    assert run(carrier, short, "!ioin script { print(1); }", kind="raw").triggers == [0]


def test_a_repeated_instruction_triggers_again_in_the_next_round(carrier: str) -> None:
    text = f"{BUFFER} mov r9d, 3; again: mov ecx, 2; rep outsb; dec r9d; jnz again; nop"
    assert run(carrier, text, "!ioout script { .n = 1; }").triggers == [3]


def test_a_repeated_instruction_is_skipped_as_a_whole(carrier: str) -> None:
    outcome = run(carrier, f"{BUFFER} mov ecx, 5; rep insb; inc r8; nop", "!ioin sc on script { .n = 1; }")
    assert (outcome.registers["rcx"], outcome.registers["rdi"], outcome.registers["r8"]) == (5, 0x400EC0, 1)


@pytest.mark.parametrize("event", ["!ioin", "!epthook 40001b"])
def test_a_script_that_writes_flags_at_a_repeated_instruction_runs_once(carrier: str, event: str) -> None:
    text = f"{BUFFER} mov ecx, 5; rep insb; inc r8; nop"
    outcome = run(carrier, text, f"{event} script {{ @rip = @rip; @cf = 1; }}\n!ioin script {{ print(@rip); }}")
    assert outcome.triggers == [1, 1]
    assert texts(outcome) == ["40001b\n"]


def test_an_instruction_that_faults_has_no_post_stage(carrier: str) -> None:
    outcome = run(carrier, "xor edi, edi; insb; nop", "!ioin stage all script { .n = 1; }")
    assert outcome.triggers == [1]
    assert "unmapped" in str(outcome.summary).lower()


FORMS_OF_OUT = ("out 0x60, al", "out dx, eax", "outsb", "rep outsw", "outsd")
AT_LEVEL_3 = "lea rsi, [rsp-64]; mov ecx, 2; mov edx, 0x3f8; inc r12; FORM; inc r13; nop"
EVENTS_AT_LEVEL_3 = {
    "none": "",
    "an event": "!ioout script { .n = 1; }",
    "both stages": "!ioout stage all script { .n = 1; }",
    "disabled": "!ioout script { .n = 1; }\nevents d 0",
    "cleared": "!ioout script { .n = 1; }\nevents c 0",
    "registered in the same block": "!epthook ADDRESS\ng\n!ioout script { .n = 1; }",
    "cleared in the same block": "!ioout script { .n = 1; }\n!epthook ADDRESS script { event_clear(0); }",
}


@pytest.mark.parametrize("form", FORMS_OF_OUT)
@pytest.mark.parametrize("case", EVENTS_AT_LEVEL_3)
def test_a_refused_port_is_an_exception_at_the_instruction(carrier: str, case: str, form: str) -> None:
    text = AT_LEVEL_3.replace("FORM", form)
    place = 0x40_0000 + len(assemble(AT_LEVEL_3.split("inc r12")[0]).code)
    events = EVENTS_AT_LEVEL_3[case].replace("ADDRESS", f"{place:x}")
    commands = f"{events}\n!exception script {{ .vector = $context; .at = @rip; }}"
    outcome = run(carrier, text, commands, kernel="bare", ring=3, halts=True)
    found = {name: int.from_bytes(value, "little") for name, value in outcome.globals.items()}
    assert (found.get("n", 0), found["vector"], found["at"]) == (0, 0xD, place + 3)
    assert (outcome.registers["rip"], outcome.registers["r12"], outcome.registers["r13"]) == (place + 3, 1, 0)
    assert (outcome.summary.cause, outcome.registers["rcx"]) == (StopCause.FAULT, 2)  # type: ignore[attr-defined]


def test_a_refused_port_may_be_passed_by_and_is_free_once_the_flags_say_so(carrier: str) -> None:
    text = "mov ebx, 3; mov edx, 0x3f8; again: out dx, al; dec ebx; jnz again; nop"
    events = "!ioout script { .n = .n + 1; }\n"
    passed = run(carrier, text, events + "!exception d script { @rip = @rip + 1; }", kernel="bare", ring=3)
    assert (passed.triggers, passed.registers["rbx"]) == ([0, 3], 0)
    freed = run(
        carrier, text, events + "!exception d sc on script { @rflags = @rflags | 3000; }", kernel="bare", ring=3
    )
    assert (freed.triggers, freed.registers["rbx"]) == ([3, 1], 0)
