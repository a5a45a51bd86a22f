"""event_inject and event_inject_error_code: where what they ask for arrives, and as what (events-and-commands F.3)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, Outcome, run
from interrupt_worlds import HZ, SPIN, outcomes, texts, with_handlers

TAKE = "mov r8, [rsp]; mov r9, [rsp + 8]; "
LOOP = "mov ebx, 3; again: mov eax, 0x27; syscall; dec ebx; jnz again; mov eax, 60; mov edi, 5; syscall"


def linux(commands: str, guest: str = LOOP) -> Outcome:
    """A program of level 3 on Linux, the same on all carriers."""
    found = [run(carrier, guest, commands, kernel="linux", ring=3) for carrier in CARRIERS]
    assert found[0] == found[1] == found[2]
    return found[0]


def ends(outcome: Outcome) -> list[object]:
    """How its processes have ended."""
    return [(end.exit_code, end.crash_code) for end in outcome.summary.ends]  # type: ignore[attr-defined]


def notices(outcome: Outcome) -> list[object]:
    """What the machine says of the outcome."""
    return [line[1] for line in outcome.lines if line[0] == "notice"]


@pytest.mark.parametrize(
    ("arguments", "signal"),
    [("3, d", 11), ("3, 0", 8), ("3, 6", 4), ("6, 4", 11), ("5, 1", 5), ("3, e", 11), ("4, 21", 11)],
)
def test_an_exception_is_what_it_is_to_a_program(arguments: str, signal: int) -> None:
    outcome = linux(f"!syscall script {{ .n++; if (.n == 2) {{ event_inject({arguments}); }} }}")
    assert ends(outcome)[0][1] == 128 + signal  # type: ignore[index]
    assert outcome.triggers == [2]


def test_interrupts_are_the_systems_business() -> None:
    outcome = linux("!syscall script { event_inject(0, d1); }")
    assert (ends(outcome)[0][0], outcome.triggers, notices(outcome)) == (5, [4], [])  # type: ignore[index]


def test_it_comes_behind_an_instruction_that_the_event_is_of() -> None:
    guest = with_handlers({13: TAKE + "add rsp, 8; iretq"}, "mov eax, 1; cpuid; mov r14, rdx; nop")
    outcome = outcomes(guest, "!cpuid script { .at = @rip; event_inject_error_code(3, d, 1238); }")
    at = int.from_bytes(outcome.globals["at"][:8], "little")
    assert (outcome.registers["r8"], outcome.registers["r9"] - at) == (0x1238, 2)
    assert outcome.registers["r14"] != 0


def test_it_comes_at_a_hooked_address_before_the_instruction() -> None:
    guest = "jmp on; hook: inc ebx; hlt; on: " + with_handlers(
        {6: "mov r9, [rsp]; mov r10, rbx; hlt"}, "mov ebx, 7; jmp hook"
    )
    outcome = outcomes(guest, "!epthook 400002 script { .n++; event_inject(3, 6); }")
    assert [outcome.registers[name] for name in ("r9", "r10", "rbx")] == [0x400002, 7, 7]


def test_in_a_loop_it_comes_behind_each_instruction() -> None:
    guest = with_handlers(
        {6: "mov r9, [rsp]; inc r13; iretq"},
        "mov ebx, 20; xor r13d, r13d; on: cpuid; mov ebx, 20; sub ebx, r13d; jnz on",
    )
    outcome = outcomes(guest, "!cpuid script { at = @rip; event_inject(3, 6); }".replace("at =", ".at ="))
    assert (outcome.triggers, outcome.registers["r13"]) == ([20], 20)
    assert outcome.registers["r9"] == int.from_bytes(outcome.globals["at"][:8], "little") + 2


def test_the_post_stage_of_the_instruction_comes_first() -> None:
    guest = with_handlers({6: "inc r13; iretq"}, "xor r13d, r13d; xor eax, eax; cpuid; nop")
    outcome = outcomes(guest, "!cpuid script { event_inject(3, 6); }\n!cpuid stage post script { print(@r13); }")
    assert (texts(outcome), outcome.registers["r13"]) == (["0"], 1)


def test_a_skipped_instruction_is_not_executed_first() -> None:
    guest = with_handlers({6: "mov r9, [rsp]; iretq"}, "mov eax, 1; xor edx, edx; cpuid; nop")
    outcome = outcomes(guest, "!cpuid script { .at = @rip; event_sc(1); event_inject(3, 6); }")
    at = int.from_bytes(outcome.globals["at"][:8], "little")
    assert (outcome.registers["r9"] - at, outcome.registers["rdx"]) == (2, 0)


def test_the_last_one_counts() -> None:
    guest = with_handlers({3: "mov r8, 3; iretq", 6: "mov r8, 6; iretq"}, "xor r8d, r8d; cpuid; nop")
    assert outcomes(guest, "!cpuid script { event_inject(3, 6); event_inject(6, 3); }").registers["r8"] == 3


def test_an_interrupt_waits_until_the_guest_accepts_it() -> None:
    guest = with_handlers({0x40: "inc r8; iretq"}, "xor r8d, r8d; cli; cpuid; nop; mov r9, r8; sti; nop; nop; nop")
    outcome = outcomes(guest, "!cpuid script { event_inject(0, 40); }\n!interrupt 40 script { .n++; }")
    assert (outcome.registers["r9"], outcome.registers["r8"]) == (0, 1)
    assert outcome.triggers == [1, 0]  # what is injected is no exit


def test_an_nmi_does_not_wait() -> None:
    guest = with_handlers({2: "inc r8; iretq"}, "xor r8d, r8d; cli; cpuid; nop")
    assert outcomes(guest, "!cpuid script { event_inject(2, 2); }").registers["r8"] == 1


def test_what_nobody_handles_is_named() -> None:
    lost, ended = (
        outcomes("cpuid; inc ebx", f"!cpuid script {{ event_inject({what}); }}") for what in ("0, d1", "3, d")
    )
    assert notices(lost) == ["interrupt d1 was injected, and the guest has no table of handlers: it is lost"]
    assert ended.summary.cause.name == "FAULT"  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", ["1, 20", "7, 0", "2, 3", "3, 20", "5, 3", "6, 6"])
def test_what_a_processor_refuses_is_named(arguments: str) -> None:
    outcome = outcomes("cpuid; mov r8, 7", f"!cpuid script {{ event_inject({arguments}); }}")
    assert "refuses" in str(notices(outcome))
    assert outcome.registers["r8"] == 7


def test_events_of_interrupts_may_inject() -> None:
    guest = with_handlers({0xD1: "inc r8; iretq", 0x40: "inc r9; iretq"}, "xor r8d, r8d; xor r9d, r9d; " + SPIN)
    outcome = outcomes(guest, "!interrupt d1 sc on script { event_inject(0, 40); }", timer=HZ)
    assert (outcome.registers["r8"], outcome.registers["r9"]) == (0, 2)


def test_a_command_injects_where_the_guest_goes_on() -> None:
    outcome = outcomes(with_handlers({6: "inc r8; iretq"}, "xor r8d, r8d; cpuid; nop"), "? event_inject(2, 2);")
    assert outcome.registers["r8"] == 0
