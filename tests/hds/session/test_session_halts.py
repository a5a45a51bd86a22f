"""What a session does while an event holds the guest: commands at the trigger, `g`, `events sc`, `exit`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import TWO_CALLS, lines, listing_file, refused, session, shown

from hds.report.reporters import Questions
from hds.session.session import Session
from machine.machine import StopCause
from vm.engine import Engine

SKIPPED = "mov eax, 0x55; syscall; mov ebx, eax"


def test_the_commands_behind_g_are_carried_out_at_the_trigger() -> None:
    text = shown("!syscall 55\ng\nr rip\nprint @rax")
    assert text.endswith("rip=000000000040000e\n55\n")


def test_g_finishes_the_trigger_and_runs_on() -> None:
    made, said = session()
    made.execute("!syscall\ng\nr rax\ng\nr rax\ng")
    assert [line for line in said.text.splitlines() if "=" in line] == [
        "rax=0000000000000055",
        "rax=0000000000000066",
    ]
    assert not made.guest_alive


def test_a_halt_without_further_commands_ends_the_run_behind_the_trigger() -> None:
    made, said = session()
    made.execute("!syscall 55")
    summary = made.run()
    assert (summary.cause, made.triggers, len(said.halts)) == (StopCause.BREAK, 1, 1)
    made.run()
    assert not made.guest_alive


def test_the_break_lines_name_event_stage_and_instruction() -> None:
    line = "00000000`0040000e    0F 05                               syscall"
    assert shown("!syscall 55\ng") == f"event 0x0 triggered (pre)\n{line}\n"
    assert shown("!syscall 55 stage post\ng").startswith("event 0x0 triggered (post)\n")


def test_stage_all_halts_before_and_after() -> None:
    made, said = session()
    made.execute("!syscall 55 stage all\ng\ng\ng")
    assert [halt.stage for halt in said.halts] == [0, 1]


def test_pause_in_a_script_halts_like_a_break() -> None:
    text = shown('!syscall 55 script { printf("before;"); pause(); printf("after;"); }\ng\nr rip\ng')
    assert text.startswith("before;event 0x0 triggered (pre)\n")
    assert text.endswith("rip=000000000040000e\nafter;")


def test_a_script_that_pauses_keeps_its_arrays_while_others_run(engine: Engine) -> None:
    text = shown(
        lines(
            "!syscall 55 script { int one_v[4]; one_v[1] = 7; pause(); print(one_v[1]); }",
            "g",
            "? { int two_v[8]; two_v[1] = 3; two_v[2] = 4; print(two_v[1]); }",
            "g",
        ),
        engine=engine,
    )
    assert text.endswith("\n3\n7\n")


def test_events_sc_changes_the_trigger_that_holds_the_guest_and_no_other() -> None:
    made, said = session(TWO_CALLS.replace("0x66", "0x55"), kernel="bare")
    made.execute("!syscall 55\ng\nevents sc on\ng\nr rax\ng")
    assert "the event's short-circuiting state changed to 'on'\n" in said.text
    made.execute("r rax")
    assert said.text.endswith("rax=0000000000000000\n")  # the second call was carried out


def test_events_sc_off_undoes_the_default_of_the_event() -> None:
    assert shown("!syscall 55 sc on\ng\nevents sc off\ng\nr rbx", SKIPPED, kernel="bare").endswith(
        "rbx=" + "0" * 16 + "\n"
    )
    assert shown("!syscall 55 sc on\ng\ng\nr rbx", SKIPPED, kernel="bare").endswith("rbx=0000000000000055\n")


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ("events sc on", "err, the short-circuiting state changes only while an event is being handled"),
        ("events sc maybe", "err, please specify 'on' or 'off', not 'maybe'"),
        (
            "!syscall 55\ng\ng\nevents sc on",
            "err, the short-circuiting state changes only while an event is being handled",
        ),
    ],
)
def test_events_sc_needs_a_trigger_and_a_state(commands: str, message: str) -> None:
    assert refused(commands) == message


def test_events_are_registered_and_cleared_at_a_halt() -> None:
    text = shown(lines("!syscall 55", "g", "events c all", "!syscall 66 script { print(@rbx); }", "g"))
    assert text.endswith("syscall\n1\n")


def test_exit_at_a_halt_ends_the_session() -> None:
    made, said = session()
    made.execute("!syscall\ng\nexit\nr rax")
    assert (made.ended, len(said.halts), "rax=" in said.text) == (True, 1, False)


def test_sleep_at_a_halt_finishes_the_trigger_and_runs_for_that_time() -> None:
    made, said = session()
    made.execute("!syscall 55\ng\nsleep 1")
    assert (len(said.halts), made.guest_alive) == (1, False)


@pytest.mark.parametrize("kernel", ["bare", "linux", "nt"])
def test_kill_at_a_halt_ends_the_program(kernel: str, engine: Engine) -> None:
    made, _ = session(kernel=kernel, engine=engine)
    made.execute("!syscall 55\ng\n.kill\ng")
    assert not made.guest_alive


def test_a_file_that_is_run_at_a_halt_is_carried_out_there(tmp_path: Path) -> None:
    path = tmp_path / "inner.hds"
    path.write_text("r rip\ng\nr rip\n")
    text = shown(f'!syscall\ng\n.script "{path}"\nr rax')
    assert [line for line in text.splitlines() if "=" in line] == [
        "rip=000000000040000e", "rip=0000000000400018", "rax=0000000000000066",
    ]  # fmt: skip


def test_next_commands_are_asked_for_when_the_file_is_at_its_end() -> None:
    answers = iter(("r rip", "bogus", "g", "r rax", None))
    made, said = session()
    made.questions = Questions(next_commands=lambda: next(answers))
    made.execute("!syscall")
    made.run()
    assert [line for line in said.lines if "=" in line] == ["rip=000000000040000e\n", "rax=0000000000000066\n"]


def test_a_session_that_always_goes_on_never_holds() -> None:
    made, said = session(goes_on=True)
    made.execute("!syscall\ng\nr rax")
    assert (len(said.halts), made.totals.breaks, made.guest_alive) == (2, 2, False)


def test_held_back_messages_keep_their_order_and_are_delivered_at_the_end_of_a_run() -> None:
    text = shown('!syscall imm no script { printf("%d;", @rax); }\n!syscall 66 script { printf("now;"); }\ng')
    assert text == "now;85;102;"
    many = "mov ecx, 0x2000; again: mov ebx, ecx; mov eax, 0x55; syscall; mov ecx, ebx; loop again; hlt"
    made, said = session(many)
    made.execute('!syscall imm no script { printf("%x,", @rbx); }\ng')
    assert said.text == "".join(f"{number:x}," for number in range(0x2000, 0, -1))
    assert 5 < made.totals.messages < 20


def test_a_program_is_run_from_a_path_too(tmp_path: Path) -> None:
    made = Session(listing_file(tmp_path))
    made.run()
    assert not made.guest_alive
