"""`hds trace` says of a program what strace says of it natively, but for addresses, ids, times and what is random."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from hds_guests import command_line
from linux_guests import ENVIRONMENT, USER, as_user, build, strace
from native_runs import NativeRuns

SOURCE = Path(__file__).with_name("traced_calls.c").read_text()
_OURS = (  # what differs between this machine and the guest's, and where its system starts
    "chdir(", "execve(", "uname(", "getrusage(", "times(", "getrandom(", "clock_gettime(CLOCK_MONOTONIC",
    "gettimeofday(", "readlink(", "getuid(", "getgid(", "geteuid(", "getsid(", "getppid(", "prlimit64(",
    "getpgrp(", "getpgid(",
)  # fmt: skip


T = TypeVar("T")


def native_traces(
    seen: Callable[[list[str]], T], options: Sequence[str], words: Sequence[str | Path], tmp_path: Path, **given: Any
) -> NativeRuns[T]:
    """Runs of a program under strace in an empty folder, and what `seen` makes of the lines of each."""

    def once(folder: Path) -> T:
        trace = folder.with_suffix(".txt")
        trace.touch()
        if "user" in given:
            as_user(folder)
            os.chown(trace, USER, USER)
        options_of_run = {"cwd": folder, "stdin": subprocess.DEVNULL, "timeout": 100, **given}
        command = [*strace(trace), *options, *words]
        subprocess.run(command, env=dict(ENVIRONMENT), capture_output=True, check=False, **options_of_run)
        return seen(trace.read_text().splitlines())

    return NativeRuns(once, tmp_path)


def normal(lines: Iterable[str]) -> dict[int, list[str]]:
    """The lines of each process, in the order in which they appear; those that stand in two parts as one."""
    found: dict[str, list[str]] = defaultdict(list)
    begun: dict[str, str] = {}
    for line in lines:
        process, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>").removesuffix(" ")
            continue
        if text.startswith("<... "):
            text = begun.pop(process) + text.partition(" resumed>")[2]
        found[process].append(text)
    numbers = {process: f"P{index}" for index, process in enumerate(found)}
    return {
        index: [_plain(line, numbers) for line in own if not line.startswith(_OURS)]
        for index, own in enumerate(found.values())
    }


def _plain(line: str, numbers: dict[str, str]) -> str:
    for number, name in numbers.items():
        line = re.sub(rf"\b{number}\b", name, line)
    for pattern, instead in (
        (r"0x[0-9a-f]{5,}", "ADDRESS"),
        (r"si_uid=\d+", "si_uid=U"),
        (r"si_([us])time=\d+", r"si_\1time=T"),
        (r"left \{tv_sec=\d+, (tv_[nu]sec)=\d+\}\)", r"left \1)"),
        (r"htons\((?!54321\))\d+\)", "htons(ANY)"),
        (r"\|STATX_MNT_ID", ""),
        (r"<(pipe|socket):\[\d+\]>", r"<\1>"),
        (r"<(?:/[^<> ]*)?/native\d+/?([^<>]*)>", r"</\1>"),
        (r" += ", " = "),
        (r"makedev\(.*?\)", "makedev"),
    ):
        line = re.sub(pattern, instead, line)
    return line


@pytest.mark.programs
def test_every_line_is_what_strace_has(tmp_path: Path) -> None:
    program, folder, here = build(SOURCE, "glibc", tmp_path, "-w"), tmp_path / "here", tmp_path / "here.txt"
    folder.mkdir()
    ran = command_line("trace", "-y", "--pid", "bead", "-o", str(here), "--root-rw", str(folder), str(program), ".")
    assert ran.code == 0
    ours = normal(here.read_text().splitlines())
    assert sum(map(len, ours.values())) > 150
    assert ours == native_traces(normal, ["-y"], [program, "."], tmp_path).like(ours)


@pytest.mark.programs
@pytest.mark.parametrize("words", [("/bin/cat", "/etc/passwd"), ("/bin/cat", "/etc/nosuch"), ("/bin/uname", "-s")])
def test_programs_of_this_machine_are_traced_from_their_loader_on(words: tuple[str, ...], tmp_path: Path) -> None:
    def seen(lines: list[str]) -> tuple[list[str], list[str]]:
        return _plain(lines[0], {}).split()[1:], normal(lines[1:])[0]

    here = tmp_path / "here.txt"
    given = [word for name, value in dict(ENVIRONMENT).items() for word in ("--env", f"{name}={value}")]
    with mock.patch.dict(os.environ, ENVIRONMENT, clear=True):
        options = ("-y", "--pid", "bead", "-o", str(here), "--guest-output", "none", "--root", "/", *given)
        command_line("trace", *options, *words)
    ours = seen(here.read_text().splitlines())
    assert len(ours[1]) > 10
    assert ours == native_traces(seen, ["-y"], words, tmp_path, cwd="/").like(ours)


SHORT = """
static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory", "r8");
    return result;
}
static char text[] = "hello\\n", none[] = "/none";
int main(void) {
    static unsigned short_times[2] = {0, 500}, left[2];
    static unsigned vector[2] = {0, 2};
    static char status[128], here[] = ".";
    vector[0] = (unsigned)(long)text;
    call(162, (long)short_times, (long)left, 0);
    call(266, 1, (long)left, 0);
    call(195, (long)none, (long)status, 0);
    call(197, 0, (long)status, 0);
    call(196, (long)none, (long)status, 0);
    call(146, 1, (long)vector, 1);
    call(145, 0, (long)vector, 1);
    call(7, -1, (long)left, 1);
    call(240, (long)left, 0, 9);
    call(126, 0, (long)short_times, (long)left);
    call(174, 10, 0, (long)status);
    call(4, 1, (long)text, 6);
    call(5, (long)none, 0x80000, 0);
    call(6, 99, 0, 0);
    call(122, 0, 0, 0);
    call(20, 0, 0, 0);
    call(37, call(20, 0, 0, 0), 17, 0);
    call(252, 3, 0, 0);
    return 0;
}
"""


@pytest.mark.programs
def test_calls_of_int_0x80_are_lines_as_strace_has_them(tmp_path: Path) -> None:
    def seen(lines: list[str]) -> list[str]:
        return normal(lines)[0][1:][-22:]

    program, here = build(SHORT, "glibc", tmp_path, "-w", "-no-pie"), tmp_path / "here.txt"
    ran = command_line("trace", "--pid", "bead", "-o", str(here), "--guest-exit-code", str(program))
    assert ran.code == 3
    ours = seen(here.read_text().splitlines())
    assert "exit_group(3) = ?" in ours
    assert ours == native_traces(seen, [], [program], tmp_path).like(ours)


KILLS = """
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    open("/none", FASYNC | O_NONBLOCK);
    kill(getpid(), atoi(words[1]));
    return 0;
}
"""


@pytest.mark.programs
@pytest.mark.parametrize("wanted", [(), ("-e", "signal=none"), ("-e", "signal=SIGKILL")])
@pytest.mark.parametrize("number", [9, 15])
def test_how_a_signal_kills_is_told_as_strace_does(number: int, wanted: tuple[str, ...], tmp_path: Path) -> None:
    def seen(lines: list[str]) -> list[str]:
        found = normal(lines)[0]
        return found[next(at for at, line in enumerate(found) if line.startswith("open")) :]

    program, here = build(KILLS, "musl", tmp_path, "-w"), tmp_path / "here.txt"
    command_line("trace", "--pid", "bead", "-o", str(here), *wanted, str(program), str(number))
    ours = seen(here.read_text().splitlines())
    assert len(ours) >= 2
    assert ours == native_traces(seen, wanted, [program, str(number)], tmp_path).like(ours)


PRIVILEGES = Path(__file__).with_name("privileges.c").read_text()


@pytest.mark.programs
def test_privileges_and_what_signals_interrupt_are_lines_as_strace_has_them(tmp_path: Path) -> None:
    program, here = build(PRIVILEGES, "glibc", tmp_path, "-w"), tmp_path / "here.txt"
    assert command_line("trace", "--pid", "bead", "-o", str(here), str(program)).code == 0
    ours = _behind_start(here.read_text().splitlines())
    assert len(ours) > 90
    assert ours == native_traces(_behind_start, [], [program], tmp_path, **as_user(tmp_path)).like(ours)


def _behind_start(trace: list[str]) -> list[str]:
    """From the first call of the program's own on; what is left of a sleep is not the same."""
    lines = normal(trace)[0]
    first = next(at for at, line in enumerate(lines) if line.startswith("capget"))
    return [re.sub(r"\{tv_sec=0, tv_nsec=\d{9}\}", "LEFT", line) for line in lines[first:]]
