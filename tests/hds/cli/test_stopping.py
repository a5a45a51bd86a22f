"""`hds run` is ended by Ctrl-C and by `--timeout` at once, whatever the guest and its events are doing.

Processor time is compared, which a busy machine does not lengthen as it does real time. It includes the end of the
process after Ctrl-C.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from effort import often
from hds_guests import command_line, listing_file, session
from processor_time import used, wait_until_busy, wait_until_used

from hds.exit_codes import ExitCode
from hds.session.engines import load_engine
from machine.kernel.linux import World
from machine.machine import StopCause
from machine.root.assembler import assemble
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import RIP, STORAGE_INDEX

pytestmark = pytest.mark.lasting

AT_ONCE = 0.2  # seconds
ENGINES = ("reference", "native")
LOOP = "again: jmp again"
CALLS = "next: mov eax, 0x55; syscall; jmp next"
BURNING = "!syscall script { while (1) { .n = .n + 1; } }"
CASES = {
    "no event": (LOOP, ""),
    "a native event": (CALLS, "!syscall script { .n = .n + 1; }"),
    "an event in Python": (CALLS, "!syscall stage all script { .n = .n + 1; }"),
    "messages": (CALLS, "!syscall script { print(@rax); } imm no"),
    "scripts that use up their steps": (CALLS, BURNING),
}


SCRIPT = 0.3  # seconds that a script under way may go on: a timeout does not cut a short one in half
HUGE = Limits(max_steps=1 << 60, max_bulk_bytes=1 << 60, max_root_instructions=1 << 60)
LONG = {
    "a script": BURNING,
    "a condition": "!syscall asm condition { l: jmp l } script { .n = 1; }",
    "a code block": "!syscall asm code { l: rdtsc; jmp l }",
}


def arguments(folder: Path, engine: str, case: str) -> list[str]:
    guest, commands = CASES[case]
    path = listing_file(folder, guest)
    return ["run", "--engine", engine, "--kernel", "bare", "-e", f".connect local\n{commands}", path]


# With the reference engine every event is one in Python, and what runs without any is the same.
INTERRUPTED = [("native", case) for case in CASES]
INTERRUPTED += [("reference", case) for case in ("an event in Python", "scripts that use up their steps")]
SEEN_ALWAYS = [("native", "no event"), ("native", "messages"), ("reference", "scripts that use up their steps")]


@pytest.mark.nightly
@pytest.mark.parametrize(("engine", "case"), often(SEEN_ALWAYS, INTERRUPTED))
def test_ctrl_c_ends_the_run_and_shows_the_summary(tmp_path: Path, engine: str, case: str) -> None:
    command = [sys.executable, "-m", "hds", *arguments(tmp_path, engine, case)]
    earlier = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert "no effect" in run.stderr.readline()  # the commands are being carried out
        wait_until_busy(run.pid)
        before = used(run.pid)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    later = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = later.ru_utime + later.ru_stime - earlier.ru_utime - earlier.ru_stime
    assert (run.returncode, said.endswith("; interrupted\n")) == (ExitCode.INTERRUPTED, True), said[-400:]
    assert spent - before < AT_ONCE


@pytest.fixture(scope="module")
def counted_natively() -> None:
    """What counts blocks is compiled once in a process."""
    session(LOOP)[0].run(300_000)


@pytest.mark.usefixtures("counted_natively")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_the_run_in_time(tmp_path: Path, engine: str, case: str) -> None:
    guest, commands = CASES[case]
    made = session(guest, kernel="bare", engine=load_engine(engine, DEFAULT_LIMITS))[0]
    made.execute(commands)
    made.run(3)  # compiles the script
    start = time.process_time()
    assert made.run(timeout=0.1).cause is StopCause.TIMEOUT
    assert time.process_time() - start < 0.1 + AT_ONCE + SCRIPT


@pytest.mark.usefixtures("counted_natively")
@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_what_would_run_for_hours(engine: str, case: str) -> None:
    made = session(CALLS, kernel="bare", engine=load_engine(engine, HUGE), limits=HUGE)[0]
    made.execute(LONG[case])
    start = time.process_time()
    assert made.run(timeout=0.1).cause is StopCause.TIMEOUT
    assert time.process_time() - start < 1.0
    assert made.totals.script_faults + made.totals.code_faults == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_a_bare_script(engine: str) -> None:
    options = ("--engine", engine, "--max-steps", str(1 << 60), "-e", "while (1) { .n = .n + 1; }")
    command = [sys.executable, "-m", "hds", "eval", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        wait_until_used(run.pid, 0.8)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == ExitCode.INTERRUPTED


@pytest.mark.parametrize("engine", ENGINES)
def test_a_timeout_ends_scripts_of_commands_and_steps(engine: str) -> None:
    made, said = session(CALLS, kernel="bare", engine=load_engine(engine, HUGE), limits=HUGE)
    made.timeout = 0.1
    made.execute("? while (1) { .n = .n + 1; }")
    assert said.take() == "fault interrupted\n"
    made.execute(BURNING)
    made.execute("t")
    made.execute("t")
    assert "fault interrupted\n" in said.text
    made.execute("? print(.n > 0);")
    assert said.text.endswith("1\n")


READER = "mov eax, 0; mov edi, 0; lea rsi, [rsp - 0x100]; mov edx, 0x40; syscall; mov r12, rax; again: jmp again"
READ_RETURNS = 1 + len(assemble(READER.partition("; mov r12")[0]).code)  # behind a nop


@pytest.mark.lasting
@pytest.mark.parametrize("engine", ENGINES)
def test_who_gives_a_guest_its_input_has_seen_what_was_said_before(tmp_path: Path, engine: str) -> None:
    script = '!syscall 0 script { printf("it reads\\n"); }'
    listing = "lea rsi, [rip + text]; mov edx, 6; mov edi, 1; mov eax, 1; syscall; " + READER.partition("; again")[0]
    ends = '; mov edi, r12d; mov eax, 60; syscall; text: db "name?", 10'
    options = ("--engine", engine, "--kernel", "linux", "--stdin", "-", "--guest-output", "stdout", "-e", script)
    command = [sys.executable, "-m", "hds", "run", *options, listing_file(tmp_path, listing + ends)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        before = b""
        while before.count(b"\n") < 2 and select.select([run.stdout], [], [], 30)[0]:
            before += os.read(run.stdout.fileno(), 100)
        run.stdin.write(b"me")
        run.stdin.close()
        assert b"exited with code 2" in (run.stderr.read() if run.stderr else b"")
    assert before == b"name?\nit reads\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_guest_that_waits_for_input_is_ended_by_ctrl_c(tmp_path: Path, engine: str) -> None:
    script = '!syscall 0 script { printf("it reads\\n"); }'
    options = ("--engine", engine, "--kernel", "linux", "--stdin", "-", "-e", script)
    command = [sys.executable, "-m", "hds", "run", *options, listing_file(tmp_path, READER)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "it reads\n"
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()  # the pipe that the guest reads from stays open
    assert (run.returncode, said.endswith("; interrupted\n")) == (ExitCode.INTERRUPTED, True), said


@pytest.mark.parametrize("engine", ENGINES)
def test_a_guest_that_waits_for_input_is_ended_by_a_timeout(engine: str) -> None:
    source, target = os.pipe()
    try:
        world = World(standard_input=source)
        guest = session(READER, kernel="linux", engine=load_engine(engine, DEFAULT_LIMITS), world=world)[0]
        assert guest.run(timeout=0.2).cause is StopCause.TIMEOUT
        assert guest.process is not None
        # The wait was given up with EINTR; what is written now is read by the next call.
        assert guest.process.cpu.registers.read(STORAGE_INDEX["rax"]) == (1 << 64) - 4
    finally:
        os.close(source)
        os.close(target)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_over_a_read_waits_for_input_whatever_ended_the_last_run(engine: str) -> None:
    source, target = os.pipe()
    writer = threading.Timer(0.2, os.write, (target, b"hello"))
    try:
        world = World(standard_input=source)
        guest = session("nop; " + READER, kernel="linux", engine=load_engine(engine, DEFAULT_LIMITS), world=world)[0]
        guest.execute("!epthook 400001 script { pause(); }")
        assert guest.run().cause is StopCause.BREAK
        assert guest.process is not None
        writer.start()
        while guest.process.cpu.registers.read(RIP) < 0x40_0000 + READ_RETURNS:
            guest.execute("t")
        assert guest.process.cpu.registers.read(STORAGE_INDEX["rax"]) == 5
    finally:
        writer.join()
        os.close(source)
        os.close(target)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_is_not_cut_in_half_by_a_timeout(tmp_path: Path, engine: str) -> None:
    commands = '!syscall script { .n = 0; while (.n < 0n100000) { .n = .n + 1; } printf("%d\\n", .n); }'
    options = ("--engine", engine, "--kernel", "bare", "--timeout", "0.01", "-e", commands)
    ran = command_line("run", *options, listing_file(tmp_path, CALLS))
    assert ran.code == ExitCode.LIMIT
    assert set(ran.output.splitlines()) <= {"100000"}
    assert ran.errors.endswith("; stopped: timeout\n")


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_refused(seconds: str) -> None:
    assert command_line("run", "--timeout", seconds, "-e", "g").code == ExitCode.USAGE
