"""Steps, breakpoints and the stack (events-and-commands E.5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import CALLS, lines, listing_file, refused, session, shown

START = "00000000`0040"


def places(commands: str, listing: str = CALLS, **options: object) -> list[str]:
    """The low digits of the address of every instruction line that is shown."""
    found = shown(commands, listing, **options).splitlines()
    return [line[len(START) : len(START) + 4] for line in found if line.startswith(START)]


def test_i_executes_one_instruction_and_shows_the_next() -> None:
    assert places("i\ni\ni") == ["0005", "0010", "0011"]


def test_a_count_is_hexadecimal_and_every_step_is_shown() -> None:
    assert len(places("i 0n10")) == len(places("i a")) == 10


def test_p_runs_a_call_to_its_return() -> None:
    assert places("p\np\np") == ["0005", "000a", "000f"]


def test_p_over_a_recursive_call_waits_for_its_own_return() -> None:
    recursive = "mov ecx, 3; call f; hlt; f: dec ecx; jz out; call f; after: nop; out: ret"
    assert places("p 2", recursive) == ["0005", "000a"]


def test_p_stops_at_a_breakpoint_inside_the_call() -> None:
    text = shown("p\nbp 400014\np\nr rip", CALLS)
    assert "breakpoint 0x1 hit" in text
    assert text.endswith("rip=0000000000400014\n")


def test_t_goes_into_a_call() -> None:
    assert places("t\nt") == ["0005", "0010"]


def test_a_step_over_a_system_call_ends_behind_it() -> None:
    two = "mov eax, 0x55; syscall; nop"
    assert places("t 2", two)[-1] == places("p 2", two)[-1] == "0007"


def test_a_step_runs_the_events_of_the_instruction() -> None:
    assert shown("!syscall script { print(@rax); }\nt 2", "mov eax, 0x55; syscall; nop").count("55\n") == 1


def test_a_repeated_instruction_is_one_step() -> None:
    assert places("p 4", "mov ecx, 5; mov rdi, rsp; xor eax, eax; rep stosb; nop")[-2:] == ["000a", "000c"]


def test_conditional_jumps_say_whether_they_are_taken() -> None:
    assert shown("i 5", CALLS).splitlines()[-1].endswith("jnz 0x000000000040001A [not taken]")


def test_pr_tr_and_ir_show_the_registers_behind_each_step() -> None:
    for command in ("pr", "tr", "ir"):
        text = shown(f"{command} 2", "nop; nop; nop")
        assert text.count("RAX=") == 2
        assert "RFLAGS=0000000000000202\n\n00000000`00400002" in text
        assert not text.endswith("\n\n")


def test_gu_runs_until_a_return_was_executed_and_shows_one_line() -> None:
    assert places("i 2\ngu") == ["0005", "0010", "000a"]


def test_gu_has_a_largest_number_of_steps() -> None:
    assert places("i 2\ngu 2")[-1] == "0014"


def test_steps_end_with_the_time_of_a_run() -> None:
    for command in ("gu", "t ffffffff"):
        made, said = session("again: jmp again")
        made.timeout = 0.05
        made.execute(command)
        assert "the steps are ended by the timeout\n" in said.text
        assert made.guest_alive


def test_steps_and_runs_count_every_instruction_once() -> None:
    made, _ = session(CALLS)
    made.execute("i 3\ng")
    whole, _ = session(CALLS)
    whole.execute("g")
    assert made.instructions == whole.instructions


def test_a_step_at_hlt_ends_the_program() -> None:
    made, said = session("nop; hlt; nop")
    made.execute("p 5")
    assert not made.guest_alive
    assert said.text.count(START) == 1


@pytest.mark.parametrize("command", ["p", "t", "i", "gu"])
def test_a_step_without_a_program_is_refused(command: str) -> None:
    assert refused(command, "") == "err, there is no program: load one with .start path FILE"
    assert refused(f"g\n{command}", "hlt") == "err, the program has ended"


@pytest.mark.parametrize("command", ["p", "t", "i", "gu"])
def test_a_count_is_one_number(command: str) -> None:
    assert refused(f"{command} 1 2", CALLS).startswith(f"incorrect use of the '{command}'")
    assert refused(f"{command} zz", CALLS) == "err, please specify a correct hex value for the count, not 'zz'"


# --- at an event


def test_the_first_step_at_an_event_finishes_its_trigger() -> None:
    text = shown("!syscall 55\ng\nt\nr rax", "mov eax, 0x55; syscall; inc rbx; nop", kernel="bare")
    assert text.splitlines()[-2:] == [
        "00000000`00400007    48 FF C3                            inc rbx",
        "rax=0000000000000000",
    ]


def test_further_steps_at_an_event_go_on_behind_it() -> None:
    assert places("!syscall 55\ng\nt 3", "mov eax, 0x55; syscall; inc rbx; nop; nop")[-2:] == ["000a", "000b"]


def test_an_event_holds_the_guest_in_the_middle_of_a_step() -> None:
    made, said = session("mov eax, 0x55; syscall; inc rbx; nop; hlt")
    made.execute("!syscall 55\np 4")
    assert said.halts[0].event_id == 0
    made.execute("r rip")
    assert said.text.endswith("rip=0000000000400007\n")


def test_g_at_an_event_that_came_up_in_a_step_runs_on() -> None:
    made, _ = session("mov eax, 0x55; syscall; inc rbx; nop; hlt")
    made.execute("!syscall 55\np 2\ng")
    assert not made.guest_alive


def test_an_event_that_holds_the_guest_at_a_breakpoint_that_a_step_ended_at() -> None:
    listing = "mov eax, 0x55; syscall; inc rbx; nop; hlt"
    for way, ends in (("", "400005"), ("t", "400007"), ("g", "40000c")):
        made, said = session(listing)
        made.execute(f"bp 400005\n!syscall 55\ni\ng\n{way}")
        made.execute("r rip")
        assert said.text.count("triggered") == 1, way
        assert said.text.endswith(f"rip={'400007' if not way else ends:0>16}\n"), way


# --- breakpoints


def test_a_breakpoint_is_reported_each_time_it_is_reached() -> None:
    text = shown("bp 400010\ng\nr rdx\ng\nr rdx\ng", CALLS)
    assert [line for line in text.splitlines() if "=" in line] == ["rdx=0000000000000001", "rdx=0000000000000006"]
    assert text.count("breakpoint 0x1 hit\n00000000`00400010    55                                  push rbp\n") == 2


def test_a_breakpoint_at_the_first_instruction_is_hit() -> None:
    assert "breakpoint 0x1 hit" in shown("bp 400000\ng", CALLS)


def test_the_original_instruction_is_executed_on_continue() -> None:
    made, _ = session(CALLS, goes_on=True)
    made.execute("bp 40001a\nbp 400010\ng\nr rdx")
    assert not made.guest_alive
    assert made.totals.breaks == 4


def test_bl_lists_breakpoints_oldest_first() -> None:
    text = shown("bp 400010\nbp 400005 pid 1000 tid 1004 core 0\nbp 400011\nbc 3\nbd 1\nbp 400012\nbl", CALLS)
    assert text == lines(
        "Id   Address           Status",
        "--   ---------------   --------",
        "01   0000000000400010  disabled",
        "02   0000000000400005  enabled core = 0  pid = 1000  tid = 1004 ",
        "04   0000000000400012  enabled",
    )


def test_bl_without_breakpoints() -> None:
    assert shown("bl\nbp 400010\nbc all\nbl", CALLS) == "Breakpoints list is empty\n" * 2


def test_disabled_breakpoints_do_not_hit_until_they_are_enabled() -> None:
    text = shown("bp 400010\nbp 40000a\nbd 1\ng\nbe 1\ng", CALLS)
    assert [line for line in text.splitlines() if "hit" in line] == ["breakpoint 0x2 hit", "breakpoint 0x1 hit"]


def test_a_breakpoint_of_another_thread_is_not_reported() -> None:
    made, said = session(CALLS)
    made.execute("bp 400010 tid 77\ng")
    assert (said.halts, made.guest_alive) == ([], False)


def test_int3_of_the_program_halts_without_an_id() -> None:
    text = shown("g\nr rip\ng", "nop; int3; nop; hlt")
    assert text.startswith("int3 of the program\n")
    assert "rip=0000000000400002" in text


def test_the_bytes_are_back_after_bc() -> None:
    assert shown("bp 400010\nbc 1\n? print(db(400010));", CALLS) == "55\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("bp", "incorrect use of the 'bp': bp ADDRESS [pid P] [tid T] [core C]"),
        ("bp 9999999", "err, the address is not mapped in the layout of the process (c000000c)"),
        ("bp 400000\nbp 400000", "err, there is a breakpoint at this address already (c0000019)"),
        ("bp 400000 core 9", "err, invalid core id (c0000006)"),
        ("bp 400000 pid 9", "err, process id is invalid (c000001e)"),
        ("bp 400000 tid", "err, please specify a value for 'tid'"),
        ("be 1", "err, the breakpoint id is invalid (c000001a)"),
        ("bp 400000\nbe 1", "err, the breakpoint is enabled already (c000001c)"),
        ("bp 400000\nbd 1\nbd 1", "err, the breakpoint is disabled already (c000001b)"),
        ("bc zz", "err, please specify a correct hex value for the breakpoint id, not 'zz'"),
        ("bd", "incorrect use of the 'bd': bd ID"),
    ],
)
def test_what_is_wrong_with_a_breakpoint_is_said(command: str, message: str) -> None:
    assert refused(command, CALLS) == message


# --- the stack


def test_k_lists_return_addresses_with_the_call_before_them() -> None:
    text = shown("i 3\nk l 10", CALLS)
    assert text.endswith("mov rbp, rsp\n[$+008]   000000000040000a    (from <0000000000400005>)\n")


def test_kq_lists_every_slot() -> None:
    text = shown("i 3\neq @rsp+10 8\nkq l 18", CALLS)
    assert text.splitlines()[3:] == [
        "[$+000]      0000000000000000",
        "[$+008]   000000000040000a    (from <0000000000400005>)",
        "[$+010]      0000000000000008",
    ]


def test_kd_lists_dwords_and_says_which_are_addresses() -> None:
    text = shown("eq @rsp 400000 1\nkd l 10", CALLS)
    assert text == lines(
        "[$+000]      0000000000400000 (addr <0000000000400000>)",
        "[$+004]      0000000000000000",
        "[$+008]      0000000000000001",
        "[$+00c]      0000000000000000",
    )


# At the end of inner there are stale return addresses besides those of the frames: at rsp, and what outer pushed.
FRAMES = """
start:
    mov rbp, 0
    call outer
after_outer:
    hlt
outer:
    push rbp
    mov rbp, rsp
    lea rax, [rip + after_outer]
    push rax
    call inner
after_inner:
    leave
    ret
inner:
    push rbp
    mov rbp, rsp
    sub rsp, 0x20
    mov rax, [rbp + 8]
    mov [rsp], rax
    nop
    leave
    ret
"""


def frames(commands: str) -> list[tuple[str, str]]:
    """The place and the return address of every line that `k` shows."""
    found = [line.split() for line in shown(commands, FRAMES).splitlines() if line.startswith("[$+")]
    return [(place, value[-2:]) for place, value, *_ in found]


def test_k_follows_the_frame_pointers() -> None:
    inner, outer = "1e", "0c"
    assert frames("i 0n12\nk") == [("[$+028]", inner), ("[$+040]", outer)]
    assert frames("i 0n12\nk l 30") == [("[$+028]", inner)]


def test_k_scans_the_stack_from_a_base() -> None:
    assert [place for place, _ in frames("i 0n12\nk base @rsp")] == ["[$+000]", "[$+028]", "[$+030]", "[$+040]"]


def test_k_scans_the_stack_without_a_plausible_chain() -> None:
    assert len(frames("i 0n12\nr rbp=1234\nk")) == len(frames("i 0n12\nr rbp=@rsp-8\nk")) == 4


@pytest.mark.parametrize(("steps", "first"), [(7, "[$+000]"), (8, "[$+008]"), (9, "[$+008]"), (10, "[$+028]")])
def test_k_knows_the_caller_before_the_frame_is_complete(steps: int, first: str) -> None:
    innermost, outermost = frames(f"i 0n{steps}\nk")
    assert (innermost[0], innermost[1], outermost[1]) == (first, "1e", "0c")


def test_k_takes_a_base_and_nothing_else() -> None:
    assert shown("eq 400030 40000a\nk base 400030 l 8", CALLS).startswith("[$+000]   000000000040000a")
    assert refused("k 400030", CALLS).startswith("incorrect use of the 'k'")
    assert refused("k base 9999999", CALLS) == "err, invalid address (c0000005)"


# --- cores


def test_the_current_core_is_shown() -> None:
    assert shown("~") == "current processor : 0x0\n"
    assert refused("~ 5") == "err, invalid core selected (c0000014)"


# --- at an execution hook

HOOK = "!epthook 400010"


def test_an_execution_hook_halts_before_its_instruction() -> None:
    assert shown(f"{HOOK}\ng\nr rip", CALLS).endswith("rip=0000000000400010\n")


def test_the_instruction_of_a_hook_is_the_first_step() -> None:
    text = shown(f"{HOOK}\ng\nt 2\nr rsp\nk l 10", CALLS)
    assert "00000000`00400011" in text
    assert text.endswith("[$+008]   000000000040000a    (from <0000000000400005>)\n")


def test_a_hook_fires_once_for_each_execution_however_the_guest_goes_on() -> None:
    for way in ("g", "t\ng", "i 2\ng", "gu\ng"):
        text = shown(f"{HOOK} script {{ printf('-'); pause(); }}\ng\n{way}\n{way}".replace("'", '"'), CALLS)
        assert text.count("event 0x0 triggered (pre)") == 2, way


def test_a_run_that_a_hook_ended_goes_on_at_its_instruction() -> None:
    made, _ = session(CALLS)
    made.execute(HOOK)
    made.run()
    assert made.process is not None
    made.run()
    made.run()
    assert (made.triggers, made.guest_alive) == (2, False)


def test_a_breakpoint_halts_the_machine_at_once_while_other_processes_run(tmp_path: Path) -> None:
    made, said = session(CALLS, cores=2)
    made.execute(f'.start path "{listing_file(tmp_path)}"\nbp 400010\ng')
    assert [halt.process_id for halt in said.halts] == [0x1000]
    assert all(process.alive for process in made.machine.processes)


def test_i_freezes_every_other_process(tmp_path: Path) -> None:
    made, _ = session(CALLS, cores=2)
    made.execute(f'.start path "{listing_file(tmp_path)}"\ni 3')
    assert [process.cpu.executed for process in made.machine.processes] == [3, 0]
