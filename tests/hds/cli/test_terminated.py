"""SIGTERM and SIGHUP end a run as Ctrl-C does: what was collected is said, with the summary; the exit code tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hds_guests import listing_file
from processor_time import wait_until_busy, wait_until_used

from hds.exit_codes import ExitCode

pytestmark = pytest.mark.lasting

CALLS = "mov eax, 0x27; syscall; again: jmp again"
COLLECTED = '!syscall script { printf("collected\\n"); } imm no'
ENDLESS = "? while (1) { .n = .n + 1; }"
SIGNALS = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGHUP: ExitCode.HUNG_UP}
FOR_EVER = ("--max-steps", str(1 << 60))


def started(*words: str, ignored: int | None = None, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """hds as a process of its own, which ignores a signal."""

    def prepare() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "hds", *words], stdout=output, stderr=subprocess.PIPE,
        stdin=subprocess.PIPE, text=True, preexec_fn=prepare,
    )  # fmt: skip


STARTED = 1.2  # seconds of processor time in which hds has started what it was told to


def running(
    folder: Path, *words: str, ignored: int | None = None, output: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """`hds run`, when the guest runs and a message was collected."""
    script = f".connect local\n{COLLECTED}"
    run = started(
        "run", "--kernel", "linux", *words, "-e", script, listing_file(folder, CALLS), ignored=ignored, output=output
    )
    assert run.stderr is not None
    assert "no effect" in run.stderr.readline()  # the commands are being carried out
    wait_until_busy(run.pid, 0.8)
    return run


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_says_what_it_has_collected_and_what_ended_it(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path) as run:
        run.send_signal(number)
        output, said = run.communicate(timeout=30)
    assert (run.returncode, output) == (SIGNALS[number], "collected\n")
    assert said.endswith(f"; ended by {number.name}\n")


def test_a_trace_is_summed_up(tmp_path: Path) -> None:
    with started("trace", "--kernel", "linux", listing_file(tmp_path, CALLS)) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("getpid()")
        time.sleep(0.1)
        run.terminate()
        _, said = run.communicate(timeout=30)
    assert run.returncode == ExitCode.TERMINATED
    assert said.endswith("; ended by SIGTERM\n")


def test_programs_are_told_the_cause(tmp_path: Path) -> None:
    words = (
        "--format",
        "json",
        "--kernel",
        "linux",
        "-e",
        COLLECTED.replace("no", "yes"),
        listing_file(tmp_path, CALLS),
    )
    with started("run", *words) as run:
        wait_until_used(run.pid, STARTED)
        run.terminate()
        output, _ = run.communicate(timeout=30)
    assert run.returncode == ExitCode.TERMINATED
    assert '"cause":"terminated"' in output.splitlines()[-1].replace(" ", "")


TEST = "g\n// test: it goes on for ever\n//   run: --kernel bare loop.asm\n"


@pytest.mark.parametrize("subcommand", ["eval", "test", "diff", "bench", "console"])
def test_every_subcommand_that_runs_something_ends(subcommand: str, tmp_path: Path) -> None:
    (tmp_path / "case.hds").write_text(TEST)
    (tmp_path / "loop.asm").write_text(CALLS)
    guest = listing_file(tmp_path, CALLS)
    words = {
        "eval": (*FOR_EVER, "-e", ENDLESS[2:]),
        "test": ("--timeout", "100", str(tmp_path / "case.hds")),
        "diff": (f"hds run -e 'g' {guest}", f"hds run -e 'g' {guest}"),
        "bench": ("-e", COLLECTED, guest),
        "console": (guest,),
    }[subcommand]
    with started(subcommand, *words) as run:
        assert run.stdin is not None
        if subcommand == "console":
            run.stdin.write("g\n")
            run.stdin.flush()
        wait_until_used(run.pid, STARTED)
        run.terminate()
        assert run.wait(30) == ExitCode.TERMINATED


@pytest.mark.parametrize("flags", [(), ("--record",)])
def test_a_console_ends_at_its_prompt_too(flags: tuple[str, ...], tmp_path: Path) -> None:
    with started("console", *flags, listing_file(tmp_path, CALLS)) as run:
        assert run.stdout is not None
        assert run.stdout.read(9) == "HyperDbg>"
        time.sleep(0.1)
        run.terminate()
        assert run.wait(30) == ExitCode.TERMINATED


def test_two_signals_in_a_row_are_one(tmp_path: Path) -> None:
    """timeout(1) sends one to the process and one to its group."""
    with running(tmp_path) as run:
        run.terminate()
        time.sleep(0.02)
        run.terminate()
        output, said = run.communicate(timeout=30)
    assert (run.returncode, output) == (ExitCode.TERMINATED, "collected\n")
    assert said.endswith("; ended by SIGTERM\n")


def full_pipe() -> tuple[int, int]:
    """One that nobody reads, in which there is no room."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize("again", [True, False])
def test_who_cannot_say_it_ends_at_the_second_signal_or_after_a_while(again: bool, tmp_path: Path) -> None:
    reader, writer = full_pipe()
    with running(tmp_path, output=writer) as run:
        run.terminate()
        time.sleep(1)
        assert run.poll() is None
        if again:
            run.terminate()
        assert run.wait(1 if again else 10) == ExitCode.TERMINATED
    os.close(reader)
    os.close(writer)


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    with running(tmp_path, "--timeout", "4", ignored=signal.SIGHUP) as run:
        run.send_signal(signal.SIGHUP)
        output, said = run.communicate(timeout=30)
    assert (run.returncode, output) == (ExitCode.LIMIT, "collected\n")
    assert said.endswith("; stopped: timeout\n")


_IMPORTS = """
import signal, sys
from machine.schedule import end_by_signals
end_by_signals()
sys.path.insert(0, sys.argv[1])
try:
    import interrupted
    signal.sigtimedwait((), 10)  # until it comes again
except KeyboardInterrupt as error:
    print("module" if "interrupted" in sys.modules else "no module", type(error).__name__)
"""


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")])
def test_a_signal_that_comes_while_a_module_is_imported_comes_behind_it(
    number: int, raised: str, tmp_path: Path
) -> None:
    (tmp_path / "interrupted.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})\nVALUE = 1\n")
    ran = subprocess.run([sys.executable, "-c", _IMPORTS, tmp_path], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == (f"module {raised}\n", "")
