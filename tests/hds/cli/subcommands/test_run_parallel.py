"""`hds run --parallel` and `hds console --parallel`: the flag reaches the machine, and runs end as they do without."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engines import need_machine_code
from hds_guests import command_line, listing_file
from processor_time import wait_until_busy

from hds.exit_codes import ExitCode

pytestmark = pytest.mark.lasting

CALLS = "mov ebx, 100; next: mov eax, 0x55; syscall; dec ebx; jnz next"
LOOP = "again: jmp again"
OPTIONS = ("--kernel", "bare", "--cores", "2", "--parallel")
COUNT = "!syscall pid all script { interlocked_increment(&.n); }\n"


def twice(path: str, commands: str = COUNT) -> str:
    """Commands on two processes of a program."""
    return f".start path {path}\n{commands}g\n? print(.n);"


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_counts_are_exact(tmp_path: Path, engine: str) -> None:
    path = listing_file(tmp_path, CALLS)
    ran = command_line("run", *OPTIONS, "--engine", engine, "-e", twice(path), path)
    assert (ran.code, ran.output.splitlines()[-1]) == (ExitCode.OK, "c8")
    assert "200 triggers" in ran.errors


def test_the_cores_are_threads(tmp_path: Path) -> None:
    """One waits in its script for the other, which no turn would end; scripts run side by side in machine code only."""
    need_machine_code()
    path = listing_file(tmp_path, "syscall")
    meet = "!syscall pid all script { interlocked_increment(&.n); while (.n < 2) { } }\n"
    ran = command_line("run", *OPTIONS, "--max-steps", "100000000000", "-e", twice(path, meet), path)
    assert (ran.code, ran.output.splitlines()[-1]) == (ExitCode.OK, "2")


def test_one_core_runs_as_without(tmp_path: Path) -> None:
    path = listing_file(tmp_path, CALLS)
    commands = '!syscall pid all script { printf("%llx %llx\\n", $pid, rdtsc()); }\n'
    with_flag, without = (
        command_line("run", "--kernel", "bare", *flag, "-e", twice(path, commands), path)
        for flag in (("--parallel",), ())
    )
    assert with_flag == without


def test_a_break_ends_the_run(tmp_path: Path) -> None:
    path = listing_file(tmp_path, CALLS)
    commands = f".start path {path}\n!syscall script {{ if ($pid == 0x1010) {{ pause(); }} }}"
    ran = command_line("run", *OPTIONS, "--on-break", "fail", "-e", commands, path)
    assert ran.code == ExitCode.BREAK
    assert ran.errors.endswith("; stopped: break\n")


def test_a_timeout_ends_the_run(tmp_path: Path) -> None:
    path = listing_file(tmp_path, LOOP)
    ran = command_line("run", *OPTIONS, "--timeout", "0.2", "-e", f".start path {path}", path)
    assert ran.code == ExitCode.LIMIT
    assert ran.errors.endswith("; stopped: timeout\n")


def test_ctrl_c_ends_the_run(tmp_path: Path) -> None:
    path = listing_file(tmp_path, LOOP)
    commands = f'.start path {path}\n? printf("begun\\n");'
    command = [sys.executable, "-u", "-m", "hds", "run", *OPTIONS, "-e", commands, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while run.stdout.readline() != "begun\n":
            assert run.poll() is None
        wait_until_busy(run.pid)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=60)[1]
    assert (run.returncode, said.endswith("; interrupted\n")) == (ExitCode.INTERRUPTED, True), said[-400:]


def test_a_console_halts_all_cores_at_a_break_and_goes_on(tmp_path: Path) -> None:
    path = listing_file(tmp_path, CALLS)
    commands = (
        f".start path {path}\n!syscall pid 1010 script {{ if (@rbx == 5) {{ pause(); }} }}\n"
        "!syscall pid all script { interlocked_increment(&.n); }\ng\nr rbx\ng\n? print(.n);\nq\n"
    )
    command = [sys.executable, "-m", "hds", "console", *OPTIONS, path]
    ran = subprocess.run(command, input=commands, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == ExitCode.OK, ran.stderr
    assert "rbx=0000000000000005" in ran.stdout
    assert "c8\n" in ran.stdout
