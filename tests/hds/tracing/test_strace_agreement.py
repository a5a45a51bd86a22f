"""`hds trace` says of a program what strace says of it natively, but for addresses, ids, times and what is random."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import pytest
from hds_guests import command_line
from linux_guests import ENVIRONMENT, USER, as_user, build, strace

SOURCE = Path(__file__).with_name("traced_calls.c").read_text()
_OURS = (  # what differs between this machine and the guest's, and where its system starts
    "chdir(", "execve(", "uname(", "getrusage(", "times(", "getrandom(", "clock_gettime(CLOCK_MONOTONIC",
    "gettimeofday(", "readlink(", "getuid(", "getgid(", "geteuid(", "getsid(", "getppid(", "prlimit64(",
    "getpgrp(", "getpgid(",
)  # fmt: skip


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
        index: [_plain(line, numbers) for line in _ordered(own) if not line.startswith(_OURS)]
        for index, own in enumerate(found.values())
    }


def _ordered(lines: list[str]) -> list[str]:
    """A SIGCHLD comes before or behind the wait for the child: natively that is chance."""
    return sorted(lines, key=lambda line: line.startswith("--- SIGCHLD"))


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
        (r"<(?:/[^<> ]*)?/native/?([^<>]*)>", r"</\1>"),
        (r" += ", " = "),
        (r"makedev\(.*?\)", "makedev"),
    ):
        line = re.sub(pattern, instead, line)
    return line


@pytest.mark.programs
def test_every_line_is_what_strace_has(tmp_path: Path) -> None:
    program = build(SOURCE, "glibc", tmp_path, "-w")
    folders = [tmp_path / "native", tmp_path / "here"]
    for folder in folders:
        folder.mkdir()
    native, here = tmp_path / "native.txt", tmp_path / "here.txt"
    subprocess.run(
        [*strace(native), "-y", program, "."], cwd=folders[0], env=dict(ENVIRONMENT), capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    ran = command_line("trace", "-y", "--pid", "bead", "-o", str(here), "--root-rw", str(folders[1]), str(program), ".")
    assert ran.code == 0
    theirs, ours = (normal(path.read_text().splitlines()) for path in (native, here))
    assert sum(map(len, ours.values())) > 150
    assert ours == theirs


@pytest.mark.programs
@pytest.mark.parametrize("words", [("/bin/cat", "/etc/passwd"), ("/bin/cat", "/etc/nosuch"), ("/bin/uname", "-s")])
def test_programs_of_this_machine_are_traced_from_their_loader_on(words: tuple[str, ...], tmp_path: Path) -> None:
    native, here = tmp_path / "native.txt", tmp_path / "here.txt"
    subprocess.run(
        [*strace(native), "-y", *words], cwd="/", env=dict(ENVIRONMENT), capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    given = [word for name, value in dict(ENVIRONMENT).items() for word in ("--env", f"{name}={value}")]
    with mock.patch.dict(os.environ, ENVIRONMENT, clear=True):
        options = ("-y", "--pid", "bead", "-o", str(here), "--guest-output", "none", "--root", "/", *given)
        command_line("trace", *options, *words)
    (start, *theirs), (our_start, *ours) = (path.read_text().splitlines() for path in (native, here))
    assert _plain(our_start, {}).split()[1:] == _plain(start, {}).split()[1:]
    assert len(ours) > 20
    assert normal(ours)[0] == normal(theirs)[0]


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
    program = build(SHORT, "glibc", tmp_path, "-w", "-no-pie")
    native, here = tmp_path / "native.txt", tmp_path / "here.txt"
    subprocess.run(
        [*strace(native), program], env=dict(ENVIRONMENT), capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    ran = command_line("trace", "--pid", "bead", "-o", str(here), "--guest-exit-code", str(program))
    assert ran.code == 3
    theirs, ours = (normal(path.read_text().splitlines())[0][1:] for path in (native, here))
    assert "exit_group(3) = ?" in ours
    assert ours[-22:] == theirs[-22:]


PRIVILEGES = Path(__file__).with_name("privileges.c").read_text()


@pytest.mark.programs
def test_privileges_and_what_signals_interrupt_are_lines_as_strace_has_them(tmp_path: Path) -> None:
    program = build(PRIVILEGES, "glibc", tmp_path, "-w")
    native, here = tmp_path / "native.txt", tmp_path / "here.txt"
    native.touch()
    as_guest = as_user(tmp_path)
    if as_guest:
        os.chown(native, USER, USER)
    subprocess.run(
        [*strace(native), program], env=dict(ENVIRONMENT), capture_output=True, check=False, timeout=60, **as_guest
    )
    assert command_line("trace", "--pid", "bead", "-o", str(here), str(program)).code == 0
    theirs, ours = (_behind_start(normal(path.read_text().splitlines())[0]) for path in (native, here))
    assert len(ours) > 90
    assert ours == theirs


def _behind_start(lines: list[str]) -> list[str]:
    """From the first call of the program's own on; what is left of a sleep is not the same."""
    first = next(at for at, line in enumerate(lines) if line.startswith("capget"))
    return [re.sub(r"\{tv_sec=0, tv_nsec=\d{9}\}", "LEFT", line) for line in lines[first:]]
