"""What holds for every event of an instruction, on all carriers (events-and-commands C.1, C.2)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from carrier_worlds import CARRIERS, Outcome, make_engine, run, without_window
from hds_guests import shown

from hds.session.session import Session


@dataclass(frozen=True)
class Case:
    """A guest with one such instruction, which `nop; inc r15` follow; what is at hand before it, and what it does."""

    setup: str
    instruction: str
    context: int
    result: tuple[str, int] | None = None  # of the instruction: a register
    privileged: bool = True


CASES = {
    "!cpuid": Case("mov eax, 0x16", "cpuid", 0x16, privileged=False),
    "!msrread": Case("mov ecx, 0xc0000084; mov eax, 5", "rdmsr", 0xC000_0084, ("rax", 0x47700)),
    "!msrwrite": Case("mov ecx, 0xc0000084; mov eax, 0x300; xor edx, edx", "wrmsr", 0xC000_0084),
    "!tsc": Case("mov eax, 0x7777", "rdtscp", 1, ("rcx", 0), privileged=False),
    "!pmc": Case("mov eax, 7; mov edx, 7", "rdpmc", 0, ("rax", 0)),
    "!vmcall": Case("mov eax, 7", "vmcall", 0, ("rax", 7), privileged=False),
    "!xsetbv": Case("xor ecx, ecx; mov eax, 3; xor edx, edx", "xsetbv", 0),
    "!ioin": Case("mov edx, 0x1003f8", "in al, dx", 0x3F8, ("rax", 0xFF)),
    "!ioout": Case("mov edx, 0x1003f8", "out dx, al", 0x3F8),
    "!dr": Case("mov eax, 0x1234", "mov dr0, rax", 0, ("dr0", 0x1234)),
    "!crwrite 0": Case("mov rax, cr0; xor eax, 0x20", "mov cr0, rax", 0, ("cr0", 0x8000_0031)),
}
PRIVILEGED = [name for name, case in CASES.items() if case.privileged]
ALWAYS = [name for name, case in CASES.items() if not case.privileged]
SHOW = 'script { printf("%d %llx %llx", $event_stage, $context, @rip); }'
COMMON = "pid 1000 core 0 imm no buffer 20 asm condition { mov eax, 1 } asm code { mov qword ptr [rcx], 5 }"


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def guest(name: str) -> str:
    case = CASES[name]
    return f"{case.setup}; here: {case.instruction}; nop; inc r15"


def texts(outcome: Outcome) -> list[str]:
    return [line[1].text.decode() for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CASES)
def test_both_stages_with_the_context_of_the_first(carrier: str, name: str) -> None:
    case, outcome = CASES[name], run(carrier, guest(name), f"{name} stage all {SHOW}")
    (pre, context, at), (post, same, behind) = (text.split() for text in texts(outcome))
    assert (pre, post, int(context, 16), context) == ("0", "1", case.context, same)
    assert int(behind, 16) - int(at, 16) in (1, 2, 3)
    assert (outcome.registers["r15"], outcome.triggers) == (1, [2])
    if case.result is not None:
        register, value = case.result
        assert outcome.registers[register] == value


@pytest.mark.parametrize("name", CASES)
def test_a_short_circuited_instruction_has_no_effect(carrier: str, name: str) -> None:
    events = f"{name} sc on script {{ .n = .n + 1; }}\n{name} stage post script {{ .n = 100; }}"
    outcome, idle = run(carrier, guest(name), events), run(carrier, CASES[name].setup + "; nop; inc r15", "")
    different = {key for key, value in outcome.registers.items() if value != idle.registers[key]}
    assert different <= {"rip"}
    assert outcome.triggers == [1, 0]


@pytest.mark.parametrize("name", CASES)
def test_a_script_decides_and_may_change_what_the_guest_sees(carrier: str, name: str) -> None:
    outcome = run(carrier, guest(name), f"{name} script {{ @rax = 0x11; @rdx = 0x22; event_sc(1); }}")
    assert (outcome.registers["rax"], outcome.registers["rdx"], outcome.registers["r15"]) == (0x11, 0x22, 1)


@pytest.mark.parametrize("name", CASES)
def test_post_can_change_what_the_guest_sees(carrier: str, name: str) -> None:
    outcome = run(carrier, guest(name), f"{name} stage post script {{ @rax = 0x11; @rdx = 0x22; }}")
    assert (outcome.registers["rax"], outcome.registers["rdx"], outcome.registers["r15"]) == (0x11, 0x22, 1)


@pytest.mark.parametrize("name", CASES)
def test_all_options_together(carrier: str, name: str) -> None:
    events = (
        f"{name} {COMMON} script {{ print(poi($buffer)); }}\n{name} core 0 pid all asm condition {{ xor eax, eax }}"
    )
    outcome = run(carrier, guest(name), events)
    assert (outcome.triggers, outcome.registers["r15"], texts(outcome)) == ([1, 0], 1, ["0\n"])


@pytest.mark.parametrize("name", CASES)
def test_an_event_without_an_action_breaks_and_is_listed(carrier: str, name: str) -> None:
    outcome = run(carrier, guest(name), f"{name}\ng", halts=True)
    assert [line[0] for line in outcome.lines] == ["broke"]
    assert outcome.registers["r15"] == 1
    listed = shown(f"{name}\nevents")
    assert listed == f"0\t(enabled)\t    {name} \n"


@pytest.mark.parametrize("name", CASES)
def test_newer_events_come_first(carrier: str, name: str) -> None:
    events = f'{name} script {{ printf("old"); }}\n{name} script {{ printf("new"); event_disable($event_id); }}'
    assert texts(run(carrier, guest(name), events)) == ["new", "old"]


def at_level(carrier: str, level: int, text: str, command: str, before: str = "") -> int:
    """How often an event triggers where the guest's code has a privilege level, behind a statement of the debugger."""
    if carrier == "copied":
        with without_window():
            return _at_level(carrier, level, text, command, before)
    return _at_level(carrier, level, text, command, before)


def _at_level(carrier: str, level: int, text: str, command: str, before: str) -> int:
    session = Session(engine=make_engine(carrier), kernel="bare")
    session.machine.load(text.encode(), "asm", ring=level)
    session.execute(f"{command} script {{ .n = 1; }}\n{before}")
    session.run()
    return session.triggers


@pytest.mark.parametrize("name", PRIVILEGED)
def test_an_exception_of_the_privilege_level_comes_before_the_exit(carrier: str, name: str) -> None:
    assert [at_level(carrier, level, guest(name), name) for level in (0, 3)] == [1, 0]


@pytest.mark.parametrize("name", ALWAYS)
def test_others_exit_at_every_level(carrier: str, name: str) -> None:
    assert at_level(carrier, 3, guest(name), name) == 1


@pytest.mark.parametrize("name", ["!ioin", "!ioout"])
def test_the_level_of_ports_is_that_of_the_flags(carrier: str, name: str) -> None:
    assert at_level(carrier, 3, guest(name), name, "? @rflags = @rflags | 3000;") == 1


def test_the_level_of_counters_is_that_of_cr4(carrier: str) -> None:
    assert at_level(carrier, 3, guest("!pmc"), "!pmc", "? @cr4 = @cr4 | 100;") == 1


@pytest.mark.parametrize("name", CASES)
def test_behind_the_instruction_without_having_executed_it_there_is_no_post_stage(carrier: str, name: str) -> None:
    events = f"{name} script {{ pause(); }}\n{name} stage post script {{ print(1); }}\ng\n"
    length = {"cpuid": 2, "rdmsr": 2, "wrmsr": 2, "rdpmc": 2, "in al, dx": 1, "out dx, al": 1}
    step = length.get(CASES[name].instruction, 3)
    outcome = run(carrier, guest(name), f"{events}? @rip = @rip + {step};\ng", halts=True)
    assert (outcome.triggers, outcome.registers["r15"]) == ([1, 0], 1)


@pytest.mark.parametrize("name", CASES)
def test_the_last_instruction_of_a_program_has_a_post_stage(carrier: str, name: str) -> None:
    case = CASES[name]
    outcome = run(carrier, f"{case.setup}; {case.instruction}", f"{name} stage all {SHOW}")
    assert [text.split()[0] for text in texts(outcome)] == ["0", "1"]


def test_a_post_stage_at_the_end_of_a_program_may_send_it_back(carrier: str) -> None:
    events = "!cpuid stage post script { .n = .n + 1; if (.n < 3) { @rip = 0x400002; } }"
    outcome = run(carrier, "xor eax, eax; cpuid", events)
    assert (outcome.triggers, outcome.registers["rip"]) == ([3], 0x400004)


def test_a_post_stage_at_the_end_of_a_program_may_break(carrier: str) -> None:
    outcome = run(carrier, "xor eax, eax; cpuid", "!cpuid stage post\ng\n? @r8 = @rip;", halts=True)
    assert (outcome.triggers, outcome.registers["r8"]) == ([1], 0x400004)


ROW = "mov r12d, 2; jmp second; first: cpuid; second: cpuid; dec r12d; jnz first; nop"


@pytest.mark.parametrize("late", [False, True])
def test_the_post_stage_of_one_comes_before_the_next_one(carrier: str, late: bool) -> None:
    post = '!cpuid stage post script { printf("post"); }'
    pre = '!cpuid script { printf("pre"); }'
    events = f"{pre}\n!tsc\ng\n{post}\ng" if late else f"{pre}\n{post}"
    outcome = run(carrier, "rdtsc; " + ROW, events, halts=True)
    assert texts(outcome) == ["pre", "post"] * 3


def test_a_long_row_of_instructions_is_served(carrier: str) -> None:
    events = "!ioin stage post script { .n = 1; }\n!epthook 400005 script { .n = 2; }\n!ioin script { .n = 3; }"
    outcome = run(carrier, "mov edx, 0x3f8; " + "in al, dx; " * 400, events)
    assert outcome.triggers == [400, 1, 400]


def test_a_turn_that_ends_behind_an_instruction_has_its_post_stage_first(carrier: str) -> None:
    text = "mov ecx, 0xc0000084; mov eax, 0x700; xor edx, edx; again: wrmsr; dec ebx; jmp again"  # wrmsr ends a block
    events = "!msrwrite script { .n = .n + 1; }\n!msrwrite stage post script { .m = .m + 1; }"
    pairs = [run(carrier, text, events, max_instructions=count).triggers for count in range(4, 12)]
    assert all(pre == post for pre, post in pairs)
