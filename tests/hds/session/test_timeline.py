"""Going back in a recorded console: the state of before is there again, exactly, and forward from it as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hds_guests import CALLS, CODE, TWO_CALLS, command_line, listing_file, refused
from processor_time import wait_until_busy
from recorded_consoles import answers, static_program

LOOPING = "mov rbx, 0\nagain: inc rbx\npush rbx\npop rcx\ncmp rbx, 0x20000000\njne again\nhlt"

programs = pytest.mark.programs


def test_nothing_goes_back_without_a_record() -> None:
    for command in ("t-", "p-", "g-", "watch back 400000"):
        assert refused(command) == "err, nothing is recorded"


@pytest.mark.parametrize("flag", [("--root-rw", "."), ("--cores", "2", "--parallel")])
def test_what_cannot_be_done_again_is_not_recorded(flag: tuple[str, ...]) -> None:
    ran = command_line("console", "--record", *flag)
    assert (ran.code, "exclude each other" in ran.errors) == (2, True)


@pytest.fixture(scope="module", params=("reference", "native"))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@programs
def test_steps_back_and_forth_meet_the_same_states(tmp_path: Path) -> None:
    there, back = "\n".join(["r", "t"] * 4), "\n".join(["t-", "r"] * 4)
    found = answers(f"{there}\nr\n{back}\n{there}\nr", listing_file(tmp_path, CALLS))
    forward, backward, again = found[:9:2], found[10:17:2], found[17::2]
    assert len(set(forward)) == 5
    assert backward == forward[3::-1]
    assert again[:5] == forward


@programs
def test_threads_files_and_memory_are_as_they_were(engine: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("0123456789" * 2)
    guest = static_program("going_back_guest.c", tmp_path)
    state = "r\nkq l 80\n.thread list\ndb order l 100\ndb @rdi l 8\n"
    commands = f"bp piece\ng\ng\n{state}t 10\nt-\np-\ng-\n{state}g-\ng\n{state}"
    commands += f"bc all\nbp note\ng\ng\nt 5\n{state}t 30\ng-\nt 5\n{state}"
    found = answers(commands, "--engine", engine, "--root", str(tmp_path), str(guest))
    first, second, third = found[3:8], found[12:17], found[19:24]
    assert first == second == third
    assert "56789..." in first[-1]
    assert found[28:33] == found[36:41]


@programs
def test_threads_that_race_do_so_alike_wherever_runs_have_halted_and_gone_back(tmp_path: Path) -> None:
    guest = str(static_program("racing_guest.c", tmp_path))
    returns = "bp tick\ng\ng\nt 9\nbc all\nbp printf\ng\nt- 3\ng\nbc all\nbp tick\ng-\nt 3\nt-\nbc all\nt\ng"
    sums = {
        next(line for line in "".join(answers(commands, guest)).splitlines() if "sum " in line)
        for commands in ("g", returns)
    }
    assert len(sums) == 1


@programs
def test_what_was_read_from_standard_input_is_read_again(tmp_path: Path) -> None:
    """The program reads the terminal, the commands come from there, too: a piece of text follows each `g`."""
    guest = static_program("reading_guest.c", tmp_path)
    front, back = os.openpty()
    line = [sys.executable, "-m", "hds", "console", "--record", "--stdin", "-", str(guest)]
    environment = {**os.environ, "TERM": "dumb", "HDS_HISTORY": ""}
    ran = subprocess.Popen(line, stdin=back, stdout=back, stderr=back, start_new_session=True, env=environment)
    os.close(back)
    seen = ""

    def asked(text: str) -> str:
        """What is said behind a text up to the next prompt."""
        nonlocal seen
        os.write(front, text.encode())
        while "HyperDbg> " not in seen:
            seen += os.read(front, 1 << 12).decode()
        said, _, seen = seen.partition("HyperDbg> ")
        return said

    asked("")
    asked("bp piece\n")
    asked("g\nabcd\n")
    first = [asked("db guest!text l 6\n"), asked("r rsi\n")]
    asked("g\nfgh\n")
    second = [asked("db guest!text l 6\n"), asked("r rsi\n")]
    asked("g-\n")
    assert [asked("db guest!text l 6\n"), asked("r rsi\n")] == first
    asked("g\n")
    assert [asked("db guest!text l 6\n"), asked("r rsi\n")] == second
    assert "abcd" in first[0]
    assert "fgh" in second[0]
    asked("g-\n")
    asked("t- 3\n")
    asked("g\n")
    assert [asked("db guest!text l 6\n"), asked("r rsi\n")] == first
    assert "syscall" in asked("watch back guest!text+1 l 1\n")
    os.write(front, b"q\n")
    assert ran.wait(timeout=60) == 0
    os.close(front)


@programs
def test_what_has_changed_nothing_is_not_said_to_be_undone(engine: str, tmp_path: Path) -> None:
    quiet = [
        "? print(@rax);",
        "? print(.unknown);",
        "r rbx",
        "r rbx = 0",
        "events",
        "? .n = 0;",
        "eb 1 2",
        ".thread",
        "events d 77",
        "? print(1/0);",
        "!syscall nonsense {",
    ]
    loud = [
        "? @rcx = 7;",
        "r rbx = 5",
        "!syscall 55",
        "events d 0",
        "? .n = 3;",
        "ed @rsp 7",
        "? eq(@rsp, 8);",
        "!cpuid",
    ]
    commands = "t\n? .n = 0;\nt\n" + "\n".join([*quiet, *loud]).replace("{", "") + "\ng-"
    found = answers(commands, "--engine", engine, listing_file(tmp_path, TWO_CALLS))
    assert f"undone: {'; '.join(loud)}\n" in found[-2]


@programs
def test_a_held_event_is_held_again_and_what_was_changed_is_undone(engine: str, tmp_path: Path) -> None:
    commands = """!syscall 55
!syscall 66 script { .count = .count + 1; printf("count %d\\n", .count); }
g
r rax
r rbx = 7
t
t-
r rbx
r rip
g
t-
? print(.count);
watch back 400000
g-
r rip"""
    found = answers(commands, "--engine", engine, listing_file(tmp_path, TWO_CALLS))
    assert found[3] == "rax=0000000000000055\n"
    assert found[6].startswith(f"00000000`{CODE + 14:08x} ")  # the call, with the trigger under way
    assert found[7] == "rbx=0000000000000007\n"  # as it was before the step
    assert "count 1\n" in found[9]
    assert "undone" not in found[10]
    assert found[11] == "1\n"
    assert "nothing has written to 400000" in found[12]
    assert found[14] == f"rip={CODE + 0x18:016x}\n"


@programs
def test_going_back_is_typed_alone(tmp_path: Path) -> None:
    script = tmp_path / "back.hds"
    script.write_text("? @rbx = 5;\nt\nt-\nr rbx\n", encoding="utf-8")
    found = answers(f"t\n.script {script}\nr rbx\nt-\nr rbx", listing_file(tmp_path, CALLS))
    assert "'t-' is typed alone" in found[1]
    assert found[2] == "rbx=0000000000000005\n"
    assert f"undone: .script {script}\n" in found[3]
    assert found[4] == "rbx=0000000000000000\n"


@programs
def test_runs_go_back_to_breakpoints_and_writes(tmp_path: Path) -> None:
    guest = listing_file(tmp_path, LOOPING.replace("0x20000000", "0x100"))
    commands = "g\nbp 400007\ng-\nr rbx\ng-\nr rbx\nbc all\nwatch back @rsp-8\nr rbx\nr rbx = 5\ng-\nr rbx"
    found = answers(commands, guest)
    assert found[3] == "rbx=00000000000000ff\n"  # in front of the instruction that makes 100 of it
    assert found[5] == "rbx=00000000000000fe\n"
    assert "push rbx" in found[7]
    assert found[8] == "rbx=00000000000000fe\n"
    assert "the record begins here" in found[10]
    assert "undone: r rbx = 5" in found[10]
    assert found[11] == "rbx=0000000000000000\n"


@programs
def test_from_a_crash_to_the_write_that_is_to_blame(engine: str, tmp_path: Path) -> None:
    guest = static_program("crashing_guest.c", tmp_path)
    found = answers("g\nt-\nwatch back @rdi\nx guest!spoil\nr rip", "--engine", engine, str(guest))
    assert "which is not mapped" in found[0]
    assert "mov rdi, qword ptr ds:[rdi]" in found[1]
    spoil = found[3].split()[0].replace("`", "")
    assert found[4] == f"rip={int(spoil, 16):016x}\n"


@programs
def test_a_child_goes_back_to_writes_and_breakpoints_of_its_own(tmp_path: Path) -> None:
    guest = str(static_program("forking_guest.c", tmp_path))
    first = "!epthook set script { if (@edi == 4) { pause(); } }\ng\n"
    found = answers(f"{first}watch back guest!number\nr rip\nk\ndd guest!number l 4\nt\ndd guest!number l 4", guest)
    assert found[5].split()[1] == "00000000"  # before the fork: what the parent has written since is its own
    assert found[7].split()[1] == "00000001"
    assert "undone" not in "".join(found)
    found = answers(f"{first}t\nbp @rip\nevents c all\ng\ng\nr rdi\ng-\nr rdi\ng-\nr rdi", guest)
    assert [found[7], found[9]] == ["rdi=0000000000000005\n", "rdi=0000000000000004\n"]
    assert found[8].endswith("ret\n")  # the breakpoint, and not the trigger before it
    found = answers("bp puts\ng\nwatch back guest!number\nr rdi", guest)
    assert found[3] == "rdi=0000000000000006\n"  # of a child that shares the memory


@programs
@pytest.mark.parametrize("command", ["t-", "p-", "g-", "watch back @rsp"])
def test_where_nothing_was_done_yet_nothing_is_gone_back_to(command: str, tmp_path: Path) -> None:
    found = answers(f"{command}\n{command}\nr rip", listing_file(tmp_path, CALLS))
    text = "nothing has written to" if command.startswith("watch") else "the record begins here"
    assert [text in each for each in found] == [True, True, False, False]
    assert found[2] == f"rip={CODE:016x}\n"


@programs
def test_what_is_undone_at_the_beginning_is_said(tmp_path: Path) -> None:
    found = answers("r rbx = 5\ng-\nr rbx", listing_file(tmp_path, CALLS))
    assert "undone: r rbx = 5\n" in found[1]
    assert found[2] == "rbx=0000000000000000\n"


@programs
def test_ctrl_c_ends_a_run_and_the_user_goes_back_from_there(tmp_path: Path) -> None:
    """On a terminal; the whole process group gets the signal, as from the keyboard."""
    front, back = os.openpty()
    environment = {**os.environ, "TERM": "dumb", "HDS_HISTORY": ""}
    line = [sys.executable, "-m", "hds", "console", "--record", listing_file(tmp_path, LOOPING)]
    ran = subprocess.Popen(line, stdin=back, stdout=back, stderr=back, start_new_session=True, env=environment)
    os.close(back)
    seen = b""

    def until(text: bytes, wait: float = 60) -> None:
        nonlocal seen
        end = time.monotonic() + wait
        while text not in seen:
            assert time.monotonic() < end, seen
            seen += os.read(front, 1 << 12)
        seen = seen.partition(text)[2]

    until(b"HyperDbg> ")
    os.write(front, b"g\n")
    until(b"g\r\n")
    wait_until_busy(ran.pid, 0.5)
    os.killpg(ran.pid, signal.SIGINT)
    until(b"interrupted")
    os.write(front, b"t-\nt\nr rip\nq\n")
    until(b"rip=00000000004000")
    assert ran.wait(timeout=60) == 0
    os.close(front)


@programs
@pytest.mark.parametrize("commands", ["g\n", "t 5\nt-\ng\n"])
def test_an_interrupt_that_is_sent_to_the_process_that_was_started_stops_the_program(
    commands: str, tmp_path: Path
) -> None:
    guest = listing_file(tmp_path, LOOPING.replace("cmp rbx, 0x20000000", "test rbx, rbx"))
    line = [sys.executable, "-m", "hds", "console", "--record", guest]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True) as ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        ran.stdin.write(commands.encode())
        ran.stdin.flush()
        for _ in range(commands.count("\n")):
            while ran.stdout.read(1) != b">":
                pass
        wait_until_busy(ran.pid, 0.5)
        ran.send_signal(signal.SIGINT)
        said = ran.communicate(b"r rip\nq\n", timeout=60)[0].decode()
        assert "interrupted" in said
        assert "rip=00000000004000" in said
    assert ran.returncode == 0


@programs
@pytest.mark.parametrize("commands", ["g\n", "t 5\nt-\ng\n"])
def test_nothing_is_left_of_a_console_that_is_killed_while_its_program_runs(commands: str, tmp_path: Path) -> None:
    guest = listing_file(tmp_path, LOOPING.replace("cmp rbx, 0x20000000", "test rbx, rbx"))
    line = [sys.executable, "-m", "hds", "console", "--record", guest]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True) as ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        ran.stdin.write(commands.encode())
        ran.stdin.flush()
        for _ in range(commands.count("\n")):  # the last command has begun
            while ran.stdout.read(1) != b">":
                pass
        wait_until_busy(ran.pid, 0.5)
        ran.kill()
        os.set_blocking(ran.stdout.fileno(), False)
        end = time.monotonic() + 60
        while ran.stdout.read(1 << 16) != b"":  # all of its copies have it open
            assert time.monotonic() < end
            time.sleep(0.05)
