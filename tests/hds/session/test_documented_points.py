"""Points of HyperDbg's documentation about whole commands: names, times, processes, breaks at the guest's end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file, session, shown

EXIT = "mov eax, 60; mov edi, 9; syscall"
CALL_THEN_EXIT = "mov eax, 0x66; syscall; mov eax, 60; mov edi, 9; syscall"


# --- $pname, $time, $date


@pytest.mark.parametrize(
    ("kernel", "name"), [("nt", "simple_sendfil"), ("linux", "simple_sendfile"), ("bare", "simple_sendfile")]
)
def test_an_image_name_is_cut_as_the_kernel_cuts_it(kernel: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "simple_sendfile_more.asm"
    path.write_text("nop")
    arguments = ("run", "--quiet", "--kernel", kernel, "-e", '? printf("%s\\n", $pname);\n.process', str(path))
    text = command_line(*arguments).output
    assert text.startswith(f"{name}\n")
    assert f"process name (16-Byte): {name}\n" in text


def test_the_name_of_hyperdbgs_example_under_nt(tmp_path: Path) -> None:
    path = tmp_path / "simple_send.exe.asm"
    path.write_text("nop")
    commands = '? printf("%s %x\\n", $pname, db($pname + e));'
    assert command_line("run", "--quiet", "--kernel", "nt", "-e", commands, str(path)).output == "simple_send.ex 0\n"


@pytest.mark.parametrize("name", ["time", "date"])
def test_the_fields_of_a_time_lie_before_its_text(name: str) -> None:
    script = f"t = ${name}; for (i = 0; i < 8; i++) {{ print(dw(t - 10 + 2 * i)); }}"
    year, month, day, hour, minute, second, milliseconds, day_of_week = shown(f"? {{ {script} }}").split()
    assert (year, month, day, day_of_week) == ("7e8", "1", "1", "1")  # Monday, 1 January 2024
    assert (hour, minute, second, milliseconds) == ("0", "0", "0", "0")


def test_the_fields_follow_the_virtual_clock() -> None:
    script = "microsleep(0n3723004000); t = $time; for (i = 0; i < 4; i++) { print(dw(t - a + 2 * i)); }"
    assert shown(f'? {{ {script} printf("%s\\n", t); }}') == "1\n2\n3\n4\n01:02:03.004\n"


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_eval_sleeps_in_virtual_time(engine: str) -> None:
    sleeping = command_line("eval", "--engine", engine, "-e", 'microsleep(0n5000); printf("%s", $time);')
    assert sleeping.output.strip() == "00:00:00.005"


def test_eval_has_the_pseudo_registers_of_a_debugger_without_a_guest() -> None:
    script = 'printf("%s %x %x %x %s %s %x", $pname, $pid, $tid, $core, $date, $time, dw($time - 10));'
    assert command_line("eval", "-e", script).output.strip() == "hds 1000 1004 0 2024-01-01 00:00:00.000 7e8"
    assert command_line("eval", "-e", "microsleep(-1); print(dw($time - 10));").output == "270f\n"


# --- processes


def test_thread_list_takes_a_process(tmp_path: Path) -> None:
    made, said = session("nop")
    made.execute(f'.start path "{listing_file(tmp_path, "nop")}"')
    other = made.machine.processes[1].objects
    said.take()
    made.execute(f".thread list process {other.process:x}")
    assert (
        said.take() == f"PROCESS\t{other.process:x}\tIMAGE\tguest.asm\n\tTHREAD\t{other.first.thread:x} (1010.1014)\n"
    )
    made.execute(".thread list process $proc")
    assert said.take().count("THREAD") == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (".thread list process 1234", "err, there is no such process (c0000020)"),
        (".thread list process", "incorrect use of the '.thread'"),
        (".thread list other 1234", "incorrect use of the '.thread'"),
    ],
)
def test_thread_list_of_what_is_no_process(command: str, message: str) -> None:
    assert message in shown(command)


def test_an_event_without_pid_is_one_of_the_started_process(tmp_path: Path) -> None:
    started = f'.start path "{listing_file(tmp_path, CALL_THEN_EXIT)}"'
    print_id = 'script { printf("%x\\n", $pid); }'
    bound = shown(f"{started}\n!syscall 66 {print_id}\ng", CALL_THEN_EXIT, cores=2)
    assert [line for line in bound.splitlines() if line in ("1000", "1010")] == ["1010"]
    assert "event 0 applies to process 1010 (guest.asm) only" in bound
    assert "'pid all' is for every process" in bound
    both = shown(f"{started}\n!syscall 66 pid all {print_id}\ng", CALL_THEN_EXIT, cores=2)
    assert sorted(line for line in both.splitlines() if line in ("1000", "1010")) == ["1000", "1010"]
    assert "applies to process" not in both


def test_an_event_with_pid_keeps_it(tmp_path: Path) -> None:
    started = f'.start path "{listing_file(tmp_path, CALL_THEN_EXIT)}"'
    text = shown(f"{started}\n!syscall 66 pid 1000 script {{ print($pid); }}\ng", CALL_THEN_EXIT, cores=2)
    assert [line for line in text.splitlines() if line in ("1000", "1010")] == ["1000"]


def test_an_event_of_a_program_of_the_command_line_is_for_every_process() -> None:
    text = shown("!syscall 66 script { print($pid); }\ng", CALL_THEN_EXIT)
    assert "applies to process" not in text
    assert "1000" in text.splitlines()


def test_events_go_with_a_program_that_is_started_again(tmp_path: Path) -> None:
    commands = f'.start path "{listing_file(tmp_path, CALL_THEN_EXIT)}"\n!syscall 66 script {{ print($pid); }}\ng\n'
    text = shown(f"{commands}.restart\ng", "")
    assert [line for line in text.splitlines() if line in ("1000", "1010")] == ["1000", "1010"]


# --- breaks at the end, and what was not run


@pytest.mark.parametrize("command", ["!syscall 3c", "!syscall 3c script { pause(); }"])
def test_a_break_on_the_last_instruction_is_no_end_of_the_guest(command: str, tmp_path: Path) -> None:
    path = listing_file(tmp_path, EXIT)
    arguments = ("--kernel", "linux", "-e", command, path)
    ran = command_line("run", "--guest-exit-code", *arguments)
    assert (ran.code, ran.errors.endswith("; stopped: break\n")) == (0, True)
    assert command_line("run", "--on-break", "fail", *arguments).code == 7
    summary = json.loads(command_line("run", "--format", "json", *arguments).output.splitlines()[-1])
    assert (summary["cause"], summary["stopped"], summary["exit_code"]) == ("break", "stopped: break", None)


def test_a_guest_that_goes_on_behind_a_break_ends_by_itself(tmp_path: Path) -> None:
    path = listing_file(tmp_path, EXIT)
    ran = command_line(
        "run", "--guest-exit-code", "--on-break", "continue", "--kernel", "linux", "-e", "!syscall 3c", path
    )
    assert (ran.code, "exited with code 9" in ran.errors) == (9, True)


def test_a_file_whose_second_block_is_wrong_is_not_begun() -> None:
    ran = command_line("run", "-e", "? print(1);\n!syscall script { print(2; }")
    assert (ran.code, ran.output) == (1, "")
    assert ran.errors.endswith("hds: nothing was run: the commands have errors\n")
    quiet = command_line("run", "--quiet", "-e", "? print(1);\n!syscall script { print(2; }")
    assert "nothing was run" not in quiet.errors
