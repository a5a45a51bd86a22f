"""Agreement with reality: dynamic programs of Debian, with `--root /`, do what they do natively.

Standard output, exit code and, of one thread and unless OTHER_CALLS says why not, the sequence of calls are the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_guests import Listening, build, without_calls
from whole_machine import here, native_runs

from hds.session.session import Session
from machine.kernel.linux import World

pytestmark = pytest.mark.programs

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
PROCESSES = """
import multiprocessing as m
def work(queue, sum):
    with sum.get_lock(): sum.value += 20
    queue.put(sum.value > 0)
if __name__ == '__main__':
    queue, sum = m.Queue(), m.Value('i', 2)
    them = [m.Process(target=work, args=(queue, sum)) for _ in range(2)]
    for each in them: each.start()
    print(queue.get(), queue.get())
    for each in them: each.join()
    print(sum.value)
"""

COMMANDS = {
    "perl": ("perl", "-e", PERL),
    "bash": ("bash", "-c", SHELL),
    "sqlite3": ("sqlite3", ":memory:", SQL),
    "jq": ("jq", "-nc", "[range(5)] | map(. * .) | {sum: add}"),
    "lua": ("lua5.4", "-e", "print(_VERSION, 2 ^ 10, string.rep('x', 3))"),
    "sed": ("sed", "-n", "1,2p", "/etc/passwd"),
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
    "subprocess": (
        PYTHON,
        "-IS",
        "-c",
        "import subprocess as s; print(s.run(['/bin/echo', 'x'], capture_output=True))",
    ),
    "perl's system": ("perl", "-e", "print `echo perl`; system('exit 4'); print $? >> 8, qq(\\n)"),
    "gawk's pipe": ("gawk", 'BEGIN { "echo gawk" | getline x; print x }'),
    "lua's popen": ("lua5.4", "-e", "print(io.popen('echo lua'):read('a'))"),
}
# Of several threads: the calls come in another order.
THREADED = {
    "node": ("node", "-e", "setTimeout(() => { console.log([1, 2, 3].map(x => x * x)); process.exit(6); }, 10)"),
    "python's threads": (PYTHON, "-IS", "-c", THREADS),
    "python's processes": (PYTHON, "-IS", "-c", PROCESSES),
    "go": ("go", "version"),
}
# Of one thread each; why the calls of the first process differ nevertheless.
OTHER_CALLS = {
    "gawk": "natively root has no supplementary group; /proc/self/maps has other sizes, read in other pieces",
    "gawk's pipe": "as gawk",
    "curl": "one of its libraries looks up the name of the host, which /etc/hosts does not have here",
    "find -exec": "/proc/filesystems has fewer lines, so the heap is filled otherwise when it asks for 128 KiB",
    "repository": "when SIGCHLD comes between bash's other calls is a matter of time, and hardly ever the same",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_of_debian_behaves_as_natively(name: str, tmp_path: Path) -> None:
    native, emulated = native_runs(COMMANDS[name], tmp_path), here(COMMANDS[name])
    if name in OTHER_CALLS:
        assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))
    else:
        assert emulated == native.like(emulated)


@pytest.mark.parametrize("name", THREADED)
def test_a_program_of_several_threads_behaves_as_natively(name: str, tmp_path: Path) -> None:
    native, emulated = native_runs(THREADED[name], tmp_path), here(THREADED[name])
    assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


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
    heard = Listening()
    session = Session(folder / name, world=World(tmp_path / "in" if shown else None), reporter=heard)
    assert session.run(timeout=60).exit_code == 0
    wanted = "|".join([f"/deep/{name}"] * 3 if shown else [name, f"/{name}", f"/{name}"])
    assert heard.output.decode() == f"{wanted}|{name[:15]}|ELF|1\n"


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
