"""!exception: what a guest's instructions raise, on all carriers (events-and-commands B.7, C.2, D.2, G.5)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, Collecting, Line, Outcome, make_engine, run
from machine_guests import CODE

from hds.session.session import Session
from machine.events import sdk
from machine.events.registry import RegistrationError
from machine.machine import RunSummary, StopCause
from vm.facts.errors import ErrorNumber

SHOW = 'stage all script { printf("%d %x %llx %llx", $event_stage, $context, @rip - 400000, @cr2); }'
SC = 'script { printf("%x %llx", $context, @rip - 400000); event_sc(1); }'
TRAP_FLAG_SET = "pushfq; or dword ptr [rsp], 0x100; popfq; "  # 9 bytes
AT_SINGLE_STEPS = 9


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts(outcome: Outcome | list[Line]) -> list[str]:
    lines = outcome.lines if isinstance(outcome, Outcome) else outcome
    return [line[1].text.decode() for line in lines if line[0] == "message"]  # type: ignore[attr-defined]


def cause(outcome: Outcome) -> StopCause:
    assert isinstance(outcome.summary, RunSummary)
    return outcome.summary.cause


def executed(outcome: Outcome) -> int:
    assert isinstance(outcome.summary, RunSummary)
    return outcome.summary.instructions


def on_level_3(carrier: str, text: str, *commands: str) -> list[str]:
    lines: list[Line] = []
    session = Session(engine=make_engine(carrier), kernel="bare", reporter=Collecting(lines))
    session.machine.load(text.encode(), "asm", ring=3)
    session.execute("\n".join(commands))
    session.run(1000)
    return texts(lines)


# --- which exceptions, and what is seen of them


@pytest.mark.parametrize(
    ("instruction", "vector", "behind"),
    [
        ("xor ecx, ecx; div ecx", 0, 2),
        ("ud2", 6, 0),
        ("mov rax, 0x8000000000000000; mov rax, [rax]", 13, 10),
        ("mov ax, 0x38; mov ds, ax", 13, 4),
        ("mov rax, [0x123]", 14, 0),
        ("mov eax, 0x600000; jmp rax", 14, 0x200000),
    ],
)
def test_a_fault_is_seen_at_its_instruction(carrier: str, instruction: str, vector: int, behind: int) -> None:
    outcome = run(carrier, f"{instruction}; nop", f"!exception {SHOW}")
    cr2 = {0: 0x123, 0x200000: 0x600000}[behind] if vector == 14 else 0
    assert texts(outcome) == [f"0 {vector:x} {behind:x} 0", f"1 {vector:x} {behind:x} {cr2:x}"]
    assert cause(outcome) is not StopCause.END


@pytest.mark.parametrize(
    ("code", "vector"), [("int3", 3), (".byte 0xf3, 0xcc", 3), (".byte 0xf1", 1), (".byte 0x66, 0xf1", 1)]
)
def test_what_is_raised_in_software_is_seen_at_its_instruction_and_delivered_behind_it(
    carrier: str, code: str, vector: int
) -> None:
    length = 1 + (code.count(",") > 0)
    shown = texts(run(carrier, _bytes(f"nop; {code}; nop"), f"!exception {SHOW}", kind="raw"))
    assert shown == [f"0 {vector:x} 1 0", f"1 {vector:x} {1 + length:x} 0"]


def _bytes(text: str) -> bytes:
    known = {"nop": b"\x90", "int3": b"\xcc"}
    parts = (part.strip() for part in text.split(";"))
    return b"".join(
        known.get(part) or bytes(int(value, 16) for value in part.removeprefix(".byte ").split(",")) for part in parts
    )


def test_int_n_is_no_exception(carrier: str) -> None:
    for vector in (3, 13, 0x80):
        guest = b"\x90\xcd" + bytes((vector,)) + b"\x90"
        assert texts(run(carrier, guest, "!exception script { print(1); }", kind="raw")) == [], vector


def test_int_n_that_the_program_may_not_execute_is_a_general_protection_fault(carrier: str) -> None:
    for text in ("nop; int 0x21; nop", "nop; hlt", "nop; in al, dx", "nop; cli", "nop; rdmsr"):
        assert on_level_3(carrier, text, f"!exception {SHOW}") == ["0 d 1 0", "1 d 1 0"], text


@pytest.mark.parametrize(
    "access", ["in al, dx", "in eax, dx", "out dx, al", "in al, 0x60; out 0x60, al", "out dx, eax"]
)
def test_nothing_of_the_block_is_executed_behind_a_port_that_is_refused(carrier: str, access: str) -> None:
    session = Session(engine=make_engine(carrier), kernel="bare")
    guest = f"mov ebx, 7; mov [rsp-16], rbx; {access}; mov [rsp-8], rbx; inc ebx; {access}; nop"
    cpu = session.machine.load(guest.encode(), "asm", ring=3).cpu
    session.execute("!exception d script { .at = @rip; .bx = @rbx; .near = poi(@rsp-10); .far = poi(@rsp-8); }")
    session.run(100)
    values = {name: int.from_bytes(session.store.read(name), "little") for name in session.store.entries}
    assert values == {"at": CODE + 10, "bx": 7, "near": 7, "far": 0}
    assert cpu.executed == 2


def test_the_trap_flag_raises_one_behind_every_instruction(carrier: str) -> None:
    outcome = run(carrier, TRAP_FLAG_SET + "nop; inc rbx; nop; nop", f"!exception 1 {SC}")
    steps = [AT_SINGLE_STEPS + distance for distance in (1, 4, 5, 6)]
    assert texts(outcome) == [f"1 {step:x}" for step in steps]
    assert (cause(outcome), executed(outcome)) == (StopCause.END, 7)


def test_a_repeated_instruction_traps_behind_each_iteration(carrier: str) -> None:
    guest = "lea rdi, [rsp-64]; mov ecx, 3; " + TRAP_FLAG_SET + "rep stosb; nop; nop"
    outcome = run(carrier, guest, '!exception 1 script { printf("%x %x", @rip - 400000, @ecx); event_sc(1); }')
    at = 5 + 5 + AT_SINGLE_STEPS
    assert texts(outcome) == [f"{at:x} 2", f"{at:x} 1", f"{at + 2:x} 0", f"{at + 3:x} 0", f"{at + 4:x} 0"]


def test_a_load_of_ss_and_the_next_instruction_trap_together(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 0x18; " + TRAP_FLAG_SET + "mov ss, ax; nop; nop; nop", f"!exception 1 {SC}")
    at = 5 + AT_SINGLE_STEPS
    assert texts(outcome) == [f"1 {at + 4:x}", f"1 {at + 5:x}", f"1 {at + 6:x}"]


# --- filters and options


def test_the_vector_and_the_other_filters_decide(carrier: str) -> None:
    events = ["6", "", "d", "6 pid 1000", "pid 1004", "6 core 0", "6 core 1"]
    commands = [f"!exception {each} script {{ .n = 1; }}" for each in events if "1004" not in each]
    outcome = run(carrier, "ud2", "\n".join(commands), cores=2)
    assert outcome.triggers == [1, 1, 0, 1, 1, 0]


def test_conditions_and_code_get_the_vector(carrier: str) -> None:
    commands = (
        "!exception asm condition { cmp rdx, 6; sete al; movzx eax, al } asm code { mov [rdx], r8 }\n"
        "!exception asm condition { cmp rdx, 0xd; sete al; movzx eax, al } script { .n = 1; }"
    )
    outcome = run(carrier, "nop; ud2", commands)
    assert outcome.triggers == [1, 0]
    assert outcome.registers["rax"] == 6


def test_the_parameter_is_one_of_the_first_32() -> None:
    session = Session(engine=make_engine("portable"), kernel="bare")
    for parameters in ((), (0x1F,), (0xFFFF_FFFF,)):
        sdk.register(session.machine.registry, sdk.EventDetail("EXCEPTION_OCCURRED", parameters), [])
    with pytest.raises(RegistrationError) as caught:
        sdk.register(session.machine.registry, sdk.EventDetail("EXCEPTION_OCCURRED", (0x20,)), [])
    assert caught.value.number == ErrorNumber.EXCEPTION_INDEX


def test_a_break_halts_at_the_instruction(carrier: str) -> None:
    outcome = run(carrier, "nop; ud2", "!exception 6\ng\nr rip\nevents sc on\nr rip=400003", halts=True)
    assert outcome.registers["rip"] == CODE + 3
    assert [line[0] for line in outcome.lines if line[0] == "broke"] == ["broke"]


@pytest.mark.parametrize(("step", "triggers"), [("i", [2, 1]), ("t", [1, 1])])
def test_an_exact_step_at_a_break_does_not_deliver_it(carrier: str, step: str, triggers: list[int]) -> None:
    commands = f"!exception 6\n!exception 6 stage post script {{ .n = 1; }}\ng\n{step}\ng\ng"
    outcome = run(carrier, "nop; ud2; nop", commands, halts=True)
    assert outcome.triggers == triggers
    assert outcome.registers["rip"] == CODE + 1


# --- short-circuiting and redirection


def test_one_that_is_dropped_has_its_instruction_tried_again(carrier: str) -> None:
    outcome = run(carrier, "nop; ud2; nop", "!exception 6 sc on script { .n++; }", max_instructions=50)
    assert (cause(outcome), outcome.registers["rip"]) == (StopCause.BUDGET, CODE + 1)
    assert (outcome.triggers, executed(outcome)) == ([49], 50)


def test_the_cause_of_one_that_is_dropped_can_be_mended(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 7; div ecx; inc rbx; nop", "!exception 0 sc on script { @rcx = 7; }")
    assert (cause(outcome), outcome.registers["rax"], outcome.registers["rbx"]) == (StopCause.END, 1, 1)
    assert executed(outcome) == 5  # DIV twice


def test_int3_that_is_dropped_is_tried_again(carrier: str) -> None:
    drop = "!exception 3 sc on script { .n++; if (.n == 3) { @rip = @rip + 1; } }"
    outcome = run(carrier, "nop; int3; inc rbx", drop)
    assert (cause(outcome), outcome.triggers, outcome.registers["rbx"]) == (StopCause.END, [3], 1)


def test_a_script_that_moves_rip_redirects_the_guest(carrier: str) -> None:
    outcome = run(carrier, "nop; ud2; inc rbx; nop", f"!exception script {{ @rip = @rip + 2; }}\n!exception {SHOW}")
    assert (cause(outcome), outcome.registers["rbx"]) == (StopCause.END, 1)
    assert texts(outcome) == ["0 6 1 0"]  # no stage behind it


def test_any_event_drops_it_and_no_post_stage_follows(carrier: str) -> None:
    commands = (
        f"!exception 6 {SHOW}\n"
        "!exception 6 script { event_sc(1); @rip = @rip; }\n"
        '!exception 6 script { printf("newest"); event_sc(0); }'
    )
    outcome = run(carrier, "nop; ud2", commands, max_instructions=2)
    assert texts(outcome) == ["newest", "0 6 1 0"]


def test_flags_that_a_script_writes_are_those_of_the_instruction(carrier: str) -> None:
    outcome = run(
        carrier, "ud2; jz there; nop; hlt; there: inc rbx", "!exception 6 script { @zf = 1; @rip = @rip + 2; }"
    )
    assert outcome.registers["rbx"] == 1


# --- instructions that the system-call events take from the processor (D.2)


def test_exits_of_system_calls_are_undefined_instructions_first(carrier: str) -> None:
    commands = (
        '!exception 6 script { printf("ud %llx", @rax); }\n!exception d script { printf("never"); }\n'
        '!syscall script { printf("call"); }\n!sysret script { printf("return"); }'
    )
    outcome = run(carrier, "mov eax, 0x55; syscall; mov eax, 0x56; syscall; nop", commands, kernel="bare")
    assert texts(outcome) == ["ud 55", "call", "ud 0", "return", "ud 56", "call", "ud 0", "return"]


def test_without_such_events_system_calls_raise_nothing(carrier: str) -> None:
    outcome = run(carrier, "mov eax, 0x55; syscall; nop", "!exception script { .n = 1; }")
    assert (outcome.triggers, cause(outcome)) == ([0], StopCause.END)


@pytest.mark.parametrize("event", ["!syscall", "!sysret", "!syscall2"])
def test_a_system_call_that_is_dropped_is_tried_again(carrier: str, event: str) -> None:
    drop = "!exception 6 sc on script { .n++; if (.n == 3) { @rip = @rip + 2; } }"
    outcome = run(carrier, "mov eax, 0x55; syscall; nop", f"{drop}\n{event} script {{ print(1); }}")
    assert (outcome.triggers, texts(outcome)) == ([3, 0], [])
    assert outcome.registers["rax"] == 0x55


def test_an_undefined_instruction_that_is_taken_for_a_call_is_seen_first(carrier: str) -> None:
    commands = '!exception 6 script { printf("ud"); }\n!syscall2 script { printf("call"); }'
    assert texts(run(carrier, "ud2; nop", commands)) == ["ud", "call"]
    assert texts(run(carrier, "ud2; nop", commands.replace("syscall2", "syscall"))) == ["ud"]
