"""`.attach`, `.detach`, `.switch` (events-and-commands E.7)."""

from __future__ import annotations

import pytest
from hds_guests import Said, refused, session

from hds.session.session import Session

CALL = "mov rax, 0x55; syscall; nop; hlt"


def two_processes() -> tuple[Session, Said]:
    made, said = session(CALL)
    made.load(CALL.encode(), kind="asm")
    return made, said


def test_attaching_makes_a_process_the_current_one() -> None:
    made, said = two_processes()
    made.execute(".attach pid 1010\n.process")
    assert said.text.splitlines()[:2] == ["Attaching to process 0x1010(4112)...", "process id: 1010"]


def test_events_without_a_pid_are_those_of_the_attached_process() -> None:
    made, said = two_processes()
    made.execute(".attach pid 1010\n!syscall script { print($pid); }\n!syscall pid all script { print($pid + 1); }\ng")
    assert "event 0 applies to process 1010 (program) only" in said.text
    assert sorted(said.text.splitlines()[2:]) == ["1001", "1010", "1011"]


def test_behind_a_detach_events_are_about_all() -> None:
    made, said = two_processes()
    made.execute(".attach pid 1010\n.detach\n!syscall script { print($pid); }\ng")
    assert said.text.splitlines()[1] == "detached from process 0x1010"
    assert sorted(said.text.splitlines()[2:]) == ["1000", "1010"]


def test_switch_lists_and_changes_what_is_debugged() -> None:
    made, said = two_processes()
    made.execute(".switch\n.attach pid 1000\n.attach pid 1010\n.switch list")
    assert said.take().splitlines() == [
        "no process is attached",
        "Attaching to process 0x1000(4096)...",
        "Attaching to process 0x1010(4112)...",
        "1000 (process)",
        "\t-> 1004 (thread) | # blkd exec attempts: 0",
        "*1010 (process)",
        "\t-> 1014 (thread) | # blkd exec attempts: 0",
    ]
    made.execute(".switch pid 1000\nprint $pid\n.switch tid 1014\nprint $pid")
    assert said.text.splitlines() == [
        "switched to process id: 1000", "1000", "switched to thread id: 1014", "1010",
    ]  # fmt: skip


def test_a_started_program_is_attached(tmp_path: object) -> None:
    made, said = session(CALL)
    made.execute(".attach pid 1000\n.kill\n.switch")
    assert said.text.splitlines()[-1] == "no process is attached"


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (".attach", "incorrect use of the '.attach': .attach pid P"),
        (".attach 1000", "incorrect use of the '.attach': .attach pid P"),
        (".attach pid zz", "err, please specify a correct hex value for the process id, not 'zz'"),
        (".attach pid 77", "err, process id is invalid (c000001e)"),
        (".attach pid 1000\n.attach pid 1000", "err, the process is attached already (c0000032)"),
        (".kill\n.attach pid 1000", "err, the process cannot be attached to (c000002a)"),
        (".detach", "err, the process is not attached (c0000033)"),
        (".detach 5", "incorrect use of the '.detach': .detach"),
        (".switch pid 1000", "err, invalid id of a process or thread to switch to (c0000035)"),
        (".switch tid 1004", "err, invalid id of a process or thread to switch to (c0000035)"),
        (".switch 5", "incorrect use of the '.switch'"),
    ],
)
def test_what_is_wrong_is_said(commands: str, message: str) -> None:
    assert refused(commands, CALL).startswith(message)
