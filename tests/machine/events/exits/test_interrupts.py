"""!interrupt: the clock of the timer, in programs and in guests with own handlers (events-and-commands C.2)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, run
from interrupt_worlds import COUNT, HZ, SPIN, outcomes, texts, with_handlers

from hds.session import Session
from machine.events import RegistrationError, sdk
from vm.facts.errors import ErrorNumber

# --- the timer


def test_the_clock_interrupts_a_program_at_equal_distances_of_virtual_time() -> None:
    outcome = outcomes(
        SPIN + "; mov ecx, 60000; more: dec ecx; jnz more", "!interrupt d1 script { print($context); }", timer=HZ
    )
    assert texts(outcome) == ["d1"] * 3
    times = [line[1].time for line in outcome.lines]  # type: ignore[attr-defined]
    assert all(0 <= time - 100_000 * number < 3 for number, time in enumerate(times, 1))


def test_without_a_timer_no_interrupt_comes() -> None:
    assert outcomes(SPIN, "!interrupt d1 script { .n++; }").triggers == [0]


def test_a_run_with_a_timer_and_no_events_leaves_what_it_leaves_without() -> None:
    with_timer, without = outcomes(SPIN, timer=HZ), outcomes(SPIN)
    assert with_timer == without


@pytest.mark.parametrize("vector", ["20", "ff"])
def test_other_vectors_do_not_trigger(vector: str) -> None:
    assert outcomes(SPIN, f"!interrupt {vector} script {{ .n++; }}", timer=HZ).triggers == [0]


def test_a_handler_of_the_guest_is_entered_and_left() -> None:
    outcome = outcomes(with_handlers({0xD1: COUNT}, "xor ebx, ebx; " + SPIN), timer=HZ)
    assert outcome.registers["rbx"] == 2
    assert outcome.registers["rcx"] == 0


def test_pre_is_at_the_interrupted_instruction_and_post_in_the_handler() -> None:
    script = '!interrupt d1 stage all script { printf("%d %d", $event_stage, @rip >= 400000 && @if); }'
    outcome = outcomes(with_handlers({0xD1: COUNT}, SPIN), script, timer=HZ)
    assert texts(outcome) == ["0 1", "1 0"] * 2


def test_short_circuited_it_is_lost() -> None:
    guest = with_handlers({0xD1: COUNT}, "xor ebx, ebx; " + SPIN)
    by_option = outcomes(
        guest, "!interrupt d1 sc on script { .n++; }\n!interrupt d1 stage post script { .m++; }", timer=HZ
    )
    by_script = outcomes(guest, "!interrupt d1 script { .n++; event_sc(.n == 1); }", timer=HZ)
    assert (by_option.registers["rbx"], by_option.triggers) == (0, [2, 0])
    assert (by_script.registers["rbx"], by_script.triggers) == (1, [2])


@pytest.mark.parametrize(
    ("options", "triggers"),
    [
        ("core 0", 2), ("pid 1000", 2), ("condition { 31 c0 }", 0), ("condition { b0 01 }", 2), ("imm no", 2),
        ("buffer 10", 2), ("code { 90 }", 2), ("asm code { inc qword ptr [rdx+18] }", 2),
    ],
)  # fmt: skip
def test_common_options(options: str, triggers: int) -> None:
    assert outcomes(SPIN, f'!interrupt d1 {options} script {{ printf("%x", $context); }}', timer=HZ).triggers == [
        triggers
    ]


def test_a_break_halts_at_the_interrupted_instruction() -> None:
    outcome = outcomes(with_handlers({0xD1: COUNT}, "xor ebx, ebx; " + SPIN), "!interrupt d1", timer=HZ, halts=True)
    assert [line[0] for line in outcome.lines] == ["broke"]
    assert outcome.triggers == [1]


def test_on_several_cores_it_comes_to_the_one_that_runs() -> None:
    both = [
        run(carrier, [SPIN, SPIN], "!interrupt d1 script { print($core); }", kernel="bare", cores=2, timer=HZ)
        for carrier in CARRIERS
    ]
    assert both[0] == both[1] == both[2]
    assert both[0].triggers == [4]
    assert set(texts(both[0])) <= {"0", "1"}


# --- accepting


def test_while_interrupts_are_off_they_wait_and_several_are_one() -> None:
    guest = with_handlers(
        {0xD1: COUNT}, f"xor ebx, ebx; cli; {SPIN}; mov edx, ebx; sti; nop; nop; mov eax, ebx; cli; nop"
    )
    outcome = outcomes(guest, timer=HZ)
    assert (outcome.registers["rdx"], outcome.registers["rax"]) == (0, 1)


def test_the_instruction_behind_sti_comes_first() -> None:
    guest = with_handlers(
        {0xD1: "mov rdx, [rsp]; iretq"}, f"cli; {SPIN}; call here; here: pop rax; sti; nop; nop; cli; nop"
    )
    outcome = outcomes(guest, timer=HZ)
    assert outcome.registers["rdx"] - outcome.registers["rax"] == len(b"\x58\xfb\x90")


def test_flags_that_are_popped_let_it_in() -> None:
    guest = with_handlers({0xD1: COUNT}, f"xor ebx, ebx; pushfq; cli; {SPIN}; popfq; mov eax, ebx; cli; nop")
    assert outcomes(guest, timer=HZ).registers["rax"] == 1


def test_halted_the_guest_waits_for_the_next_one() -> None:
    guest = with_handlers(
        {0xD1: COUNT}, "xor ebx, ebx; rdtsc; mov r8, rax; wait: hlt; cmp ebx, 5; jb wait; rdtsc; cli; hlt"
    )
    outcome = outcomes(guest, timer=HZ)
    assert outcome.registers["rbx"] == 5
    assert outcome.registers["rax"] // 100_000 == 5


def test_an_interrupt_that_waits_wakes_a_guest_that_halts_behind_sti() -> None:
    guest = with_handlers({0xD1: COUNT}, f"xor ebx, ebx; cli; {SPIN}; sti; hlt; cli; rdtsc; hlt")
    outcome = outcomes(guest, timer=HZ)
    assert outcome.registers["rbx"] == 1
    assert outcome.registers["rax"] < 300_000


def test_hlt_ends_a_guest_without_a_table_and_one_without_interrupts() -> None:

    assert outcomes("hlt; inc ebx", timer=HZ).registers["rbx"] == 0
    assert outcomes(with_handlers({0xD1: COUNT}, "xor ebx, ebx; cli; hlt; inc ebx"), timer=HZ).registers["rbx"] == 0


# --- registration


@pytest.mark.parametrize("vector", [0x1F, 0x100])
def test_the_vector_is_one_of_interrupts(vector: int) -> None:
    session = Session(b"nop", kind="asm", kernel="bare")
    with pytest.raises(RegistrationError) as refused:
        sdk.register(
            session.machine.registry, sdk.EventDetail("EXTERNAL_INTERRUPT_OCCURRED", optional_parameters=(vector,)), []
        )
    assert refused.value.number is ErrorNumber.INTERRUPT_INDEX


def test_it_is_listed() -> None:
    session = Session(b"nop", kind="asm", kernel="bare")
    session.execute("!interrupt d1 script { .n++; }")
    assert [event.definition.command for event in session.machine.registry.oldest_first()] == [
        "!interrupt d1 script  .n++;  "
    ]
