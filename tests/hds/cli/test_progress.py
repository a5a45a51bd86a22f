"""The line that says how far a run is: when there is one, what it says, and that nothing of it stays."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from engines import need_machine_code
from hds_guests import listing_file, session

from hds.cli.progress import Progress, StatusLine, fitting, short

# Writes a line, is busy for as many rounds as it takes, and so on, three times.
BUSY = """
    mov r14d, 3
again: mov eax, 1; mov edi, 1; lea rsi, [rip + text]; mov edx, 5; syscall
    mov rcx, {rounds}
round: dec rcx; jnz round
    dec r14d; jnz again
    mov eax, 60; xor edi, edi; syscall
text: db "line", 10
"""
ERASED = "\r\x1b[K"


def on_a_terminal(*words: str, typed: bytes = b"") -> str:
    """What a terminal gets of hds; where something is typed there, it is standard input, too."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "hds", *words]
    given = secondary if typed else subprocess.DEVNULL
    os.write(primary, typed)
    with subprocess.Popen(command, stdin=given, stdout=secondary, stderr=secondary, env=environment) as run:
        os.close(secondary)
        data = b""
        while True:
            try:
                piece = os.read(primary, 4096)
            except OSError:  # nobody has the other end any more
                break
            data += piece
        run.wait()
    os.close(primary)
    return data.decode()


def left_on(text: str) -> list[str]:
    """The lines that stay on a terminal, which returns to the beginning of a line and erases."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [re.sub(r"\x1b\[[\d;]*m", "", line.rpartition(ERASED)[2]) for line in lines]


SHOWN = r"\d+ s: [\d.]+[MG] instructions \([\d.]+[MG]/s\), \d triggers, \d messages, virtual time"


def until_it_shows(rounds: int, times: int, said: Callable[[int], str]) -> tuple[str, int]:
    """What is said of a guest that is busy for so many rounds, or for more until the line comes so often; how many."""
    text = said(rounds)
    if len(re.findall(SHOWN, text)) >= times:
        return text, rounds
    assert rounds < 1 << 32
    return until_it_shows(2 * rounds, times, said)


@pytest.mark.programs
@pytest.mark.parametrize("output", ["stderr", "stdout"])
def test_a_long_run_has_a_line_of_which_nothing_stays(output: str, tmp_path: Path) -> None:
    need_machine_code()
    words = ("--kernel", "linux", "--max-instructions", "100000000000", "--guest-output", output)

    def said_of(rounds: int, *more: str) -> str:
        program = listing_file(tmp_path, BUSY.format(rounds=rounds))
        return on_a_terminal("run", *more, *words, "-e", '!syscall 1 script { printf("call\\n"); }', program)

    said, rounds = until_it_shows(0x200_0000, 3, said_of)
    lines = left_on(said)
    assert lines[:6] == ["call", "line"] * 3
    assert "instructions (" not in "".join(lines)
    without = said_of(rounds, "--no-progress")
    assert left_on(said)[:6] == without.replace("\r\n", "\n").split("\n")[:6]
    assert ERASED not in without


def loop(folder: Path, rounds: int) -> str:
    """A program that is busy for so many rounds."""
    text = f"mov rcx, {rounds}\nround: dec rcx\njnz round\nmov eax, 60\nxor edi, edi\nsyscall\n"
    return listing_file(folder, text)


@pytest.mark.programs
@pytest.mark.parametrize(
    ("words", "typed", "left"),
    [
        (("trace",), b"", "exit(0)"),
        (("console",), b"g\rq\r", "exited with code 0"),
        (("bench", "--rounds", "1", "-e", "!cpuid script { }"), b"", "!cpuid script"),
    ],
)
def test_every_command_that_runs_a_guest_has_the_line(
    words: tuple[str, ...], typed: bytes, left: str, tmp_path: Path
) -> None:
    need_machine_code()
    words = (*words, "--kernel", "linux", "--max-instructions", "100000000000")
    said, _ = until_it_shows(0x600_0000, 1, lambda rounds: on_a_terminal(*words, loop(tmp_path, rounds), typed=typed))
    lines = "\n".join(left_on(said))
    assert "instructions (" not in lines
    assert left in lines


@pytest.mark.programs
def test_a_run_that_hds_diff_makes_has_the_line(tmp_path: Path) -> None:
    need_machine_code()
    run = "hds run --kernel linux --max-instructions 100000000000 -e '!cpuid script { }' "
    said, _ = until_it_shows(0x600_0000, 1, lambda rounds: on_a_terminal("diff", *[run + loop(tmp_path, rounds)] * 2))
    assert left_on(said)[:1] == ["hds: 1 same, 0 changed, 0 missing, 0 added"]


class Shown:
    """A terminal that notes what its status line has said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def show_status(self, text: str) -> None:
        self.said.append(re.sub(r"\x1b\[[\d;]*m", "", text))


def test_a_line_comes_in_the_second_second_and_five_times_a_second_at_most() -> None:
    times = iter([0.0, 0.9, 1.0, 1.1, 1.1, 1.25, 1.31, 1.31, 5.0, 5.0])  # a line is followed by one more look
    terminal = Shown()
    line = StatusLine(terminal, lambda: next(times))  # type: ignore[arg-type]
    for _ in range(6):
        now = line.clock()
        if line.is_due(now):
            line.show(f"{now}")
    line.end()
    assert terminal.said == ["1.1", "1.31", "5.0", ""]


def test_the_time_that_a_line_takes_to_be_drawn_counts_for_no_rate() -> None:
    times = iter([0.0, 0.0, 1.5, 9.5, 10.5, 10.5])  # two to begin with, then each turn's, and each line's
    terminal, made = Shown(), session()[0]
    progress = Progress(made, StatusLine(terminal, lambda: next(times)))  # type: ignore[arg-type]
    counts = iter([3_000_000, 5_000_000])
    with patch.object(type(made), "instructions", property(lambda _: next(counts))):
        progress.turned()
        progress.turned()
    assert [re.findall(r"\((.*?)/s", line) for line in terminal.said] == [["2M"], ["2M"]]


def test_numbers_are_short() -> None:
    assert [short(number) for number in (0, 999, 1000, 1_250_000, 20_000_000_000)] == ["0", "999", "1k", "1.25M", "20G"]


def test_a_line_fits_into_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert len(re.sub(r"\x1b\[[\d;]*m", "", fitting("word " * 10))) <= 19


@pytest.mark.programs
@pytest.mark.parametrize("options", [(), ("--no-progress",)])
def test_a_message_is_on_the_terminal_while_the_guest_goes_on(options: tuple[str, ...], tmp_path: Path) -> None:
    need_machine_code()
    program = listing_file(tmp_path, "mov eax, 39; syscall; again: jmp again")
    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "hds", "run", "--kernel", "linux", "--max-instructions", "1" + "0" * 15, *options]
    command += ["-e", '!syscall script { printf("called\\n"); }', program]
    null, environment = subprocess.DEVNULL, {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, stdin=null, stdout=secondary, stderr=null, env=environment) as run:
        os.close(secondary)
        assert os.read(primary, 4096) == b"called\r\n"
        assert run.poll() is None
        run.kill()
    os.close(primary)
