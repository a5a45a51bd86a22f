"""The line that says how far a run is: when there is one, what it says, and that nothing of it stays."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from engines import need_machine_code
from hds_guests import listing_file

from hds.cli.progress import fitting, short

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


def on_a_terminal(*words: str) -> str:
    """What a terminal gets of `hds run`."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "hds", "run", *words]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=null, stdout=secondary, stderr=secondary, env=environment) as run:
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


@pytest.mark.programs
@pytest.mark.parametrize("output", ["stderr", "stdout"])
def test_a_long_run_has_a_line_of_which_nothing_stays(output: str, tmp_path: Path) -> None:
    need_machine_code()
    program = listing_file(tmp_path, BUSY.format(rounds="0x10000000"))
    words = ("--kernel", "linux", "--max-instructions", "100000000000", "--guest-output", output)
    said = on_a_terminal(*words, "-e", '!syscall 1 script { printf("call\\n"); }', program)
    shown = re.findall(r"\d+ s: [\d.]+[MG] instructions \([\d.]+[MG]/s\), \d triggers, \d messages, virtual time", said)
    assert len(shown) > 2
    lines = left_on(said)
    assert lines[:6] == ["call", "line"] * 3
    assert "instructions (" not in "".join(lines)
    program = listing_file(tmp_path, BUSY.format(rounds="0x8000000"))
    without = on_a_terminal("--no-progress", *words, "-e", '!syscall 1 script { printf("call\\n"); }', program)
    assert left_on(said)[:6] == without.replace("\r\n", "\n").split("\n")[:6]
    assert ERASED not in without


def test_numbers_are_short() -> None:
    assert [short(number) for number in (0, 999, 1000, 1_250_000, 20_000_000_000)] == ["0", "999", "1k", "1.25M", "20G"]


def test_a_line_fits_into_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert len(re.sub(r"\x1b\[[\d;]*m", "", fitting("word " * 10))) <= 19
