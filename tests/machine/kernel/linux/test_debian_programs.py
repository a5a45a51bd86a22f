"""Agreement with reality: dynamic programs of Debian, with `--root /`, do what they do natively.

Standard output, exit code and, where nothing is left out here, the sequence of calls are the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from effort import NIGHTLY
from linux_guests import ENVIRONMENT as COMMON, LOG_EVERY_CALL, Ran, build, calls_of_trace, strace, without_vdso

from hds.report.records import GuestOutput, Record
from hds.session.session import Session
from machine.kernel.linux import World

pytestmark = pytest.mark.programs

ENVIRONMENT = {**COMMON, "PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
PYTHON = "/usr/bin/python3"
PERL = "my %h = map { $_ => $_ ** 2 } 1..5; print join(',', map { $h{$_} } sort keys %h), qq(\\n)"
SHELL = "echo $0 ${#PATH}; for i in 1 2 3; do echo $((i * i)); done; [[ abc =~ ^a.c$ ]] && exit 3"
SQL = "create table t(a, b); insert into t values (1, 'x'), (2, 'y'); select sum(a), group_concat(b) from t;"

REPOSITORY = """
    cd $(mktemp -d); export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
    git init -q -b main . && git config user.email a@b && git config user.name n && echo x > f
    git add f && git commit -qm one && git log --oneline && git status -s && git show --stat
"""

THREADS = "import threading as t; x = t.Thread(target=lambda: print('in a thread')); x.start(); x.join(); print(1)"

COMMANDS = {
    "perl": ("perl", "-e", PERL),
    "bash": ("bash", "-c", SHELL),
    "sqlite3": ("sqlite3", ":memory:", SQL),
    "jq": ("jq", "-nc", "[range(5)] | map(. * .) | {sum: add}"),
    "lua": ("lua5.4", "-e", "print(_VERSION, 2 ^ 10, string.rep('x', 3))"),
    "sed": ("sed", "-n", "1,2p", "/etc/passwd"),
}
HEAVY = {
    "python": (PYTHON, "-I", "-c", "import json, sys; print(json.dumps(sys.argv), sum(range(10))); sys.exit(4)"),
    "openssl": ("openssl", "dgst", "-sha256", "/etc/passwd"),
    "git": ("git", "--version"),
    "find": ("find", "/etc/apt", "-name", "*.d"),
    "tar": ("tar", "cf", "-", "-C", "/etc", "passwd"),
    "xz": ("xz", "-c", "-k", "/etc/passwd"),
    "gawk": ("gawk", 'BEGIN { print 6 * 7, toupper("abc"), strftime("%Y", 0) }'),
    "sort": ("sort", "-r", "/etc/passwd"),
    "grep": ("grep", "-n", "root", "/etc/passwd"),
    "cat": ("cat", "/nowhere", "/etc/passwd"),
    "curl": ("curl", "--version"),
    "gcc": ("gcc", "--version"),
    "vim": ("vim", "--version"),
    "pipes": ("bash", "-c", "seq 1 50 | sort -rn | head -n 3; x=$(echo sub); echo $x; (exit 3); echo $?"),
    "find -exec": ("find", "/etc/apt", "-maxdepth", "1", "-exec", "echo", "{}", ";"),
    "repository": ("bash", "-c", REPOSITORY),
    "tar through xz": ("bash", "-c", "tar cJf - -C /etc passwd | tar tJf -"),
    "subprocess": (PYTHON, "-I", "-c", "import subprocess as s; print(s.run(['/bin/echo', 'x'], capture_output=True))"),
    "perl's system": ("perl", "-e", "print `echo perl`; system('exit 4'); print $? >> 8, qq(\\n)"),
    "gawk's pipe": ("gawk", 'BEGIN { "echo gawk" | getline x; print x }'),
    "lua's popen": ("lua5.4", "-e", "print(io.popen('echo lua'):read('a'))"),
}
# Of several threads: the calls come in another order.
THREADED = {
    "node": ("node", "-e", "setTimeout(() => { console.log([1, 2, 3].map(x => x * x)); process.exit(6); }, 10)"),
    "python's threads": (PYTHON, "-I", "-c", THREADS),
    "go": ("go", "version"),
}
SAME_CALLS = {"perl", "jq", "lua", "sort"}  # others look at /proc, ask for a socket, or make a process


@dataclass
class _Output:
    written: list[bytes]

    def report(self, record: Record, /) -> None:
        if isinstance(record, GuestOutput) and record.descriptor == 1:
            self.written.append(record.data)


def program(name: str) -> Path:
    """A program of Debian; the test is skipped where it is missing."""
    found = shutil.which(name, path="/usr/bin:/bin")
    if found is None:
        pytest.skip(f"there is no {name}")
    return Path(found)


def natively(command: tuple[str, ...], trace: Path) -> Ran:
    path = program(command[0])
    done = subprocess.run(
        [*strace(trace), str(path), *command[1:]],
        cwd="/", env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    return Ran(done.stdout, done.returncode, {}, calls_of_trace(trace))


def here(command: tuple[str, ...], script: str = LOG_EVERY_CALL) -> Ran:
    output = _Output([])
    session = Session(
        program(command[0]),
        arguments=command[1:],
        environment=[f"{name}={value}" for name, value in ENVIRONMENT.items()],
        world=World(Path("/"), user=os.getuid(), group=os.getgid()),
        reporter=output,
    )
    session.execute(script)
    summary = session.run(timeout=120)
    calls = without_vdso(int(line) for message in session.messages for line in message.text.split())
    return Ran(b"".join(output.written), summary.exit_code, {}, calls)


def agrees(name: str, command: tuple[str, ...], trace: Path) -> None:
    native, emulated = natively(command, trace), here(command)
    assert (emulated.output, emulated.exit_code) == (native.output, native.exit_code)
    if name in SAME_CALLS:
        assert emulated.calls == native.calls


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_of_debian_behaves_as_natively(name: str, tmp_path: Path) -> None:
    agrees(name, COMMANDS[name], tmp_path / "trace")


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="takes its time: `make fuzz` runs it")
@pytest.mark.parametrize("name", [*HEAVY, *THREADED])
def test_more_programs_of_debian_behave_as_natively(name: str, tmp_path: Path) -> None:
    agrees(name, (HEAVY | THREADED)[name], tmp_path / "trace")


def test_two_runs_of_a_dynamic_program_are_the_same() -> None:
    assert here(COMMANDS["lua"]) == here(COMMANDS["lua"])


SELF = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
int main(int argc, char **argv) {
    char link[256] = {0}, magic[5] = {0}, name[17] = {0};
    readlink("/proc/self/exe", link, 255);
    FILE *file = fopen("/proc/self/exe", "rb");
    if (file) fread(magic, 1, 4, file);
    prctl(PR_GET_NAME, name);
    struct rlimit stack;
    getrlimit(RLIMIT_STACK, &stack);
    printf("%s|%s|%s|%s|%s|%d\n", argv[0], (char *)getauxval(AT_EXECFN), link, name, magic + 1,
           getauxval(51) >= 1024 && getauxval(AT_BASE) == 0 && stack.rlim_cur == 8 << 20);
    return 0;
}
"""


@pytest.mark.parametrize("shown", [True, False])
def test_a_program_knows_its_own_path(shown: bool, tmp_path: Path) -> None:
    """Also where the guest's tree does not have it: then it can be read by /proc/self/exe."""
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    name = build(SELF, "glibc", folder).name
    output = _Output([])
    session = Session(folder / name, world=World(tmp_path / "in" if shown else None), reporter=output)
    assert session.run(timeout=60).exit_code == 0
    wanted = "|".join([f"/deep/{name}"] * 3 if shown else [name, f"/{name}", f"/{name}"])
    assert b"".join(output.written).decode() == f"{wanted}|{name[:15]}|ELF|1\n"


DEEP_STACK = r"""
#include <stdio.h>
#include <string.h>
static int deep(int n) {
    volatile char room[4096];
    memset((char *)room, n, 4096);
    return n ? deep(n - 1) + room[7] * 0 : 5;
}
int main(void) { return deep(1500); }
"""


def test_six_megabytes_of_stack_are_there(tmp_path: Path) -> None:
    assert Session(build(DEEP_STACK, "glibc", tmp_path)).run(timeout=60).exit_code == 5
