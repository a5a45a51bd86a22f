"""gdb itself, on programs that gcc has built: source lines, threads, watchpoints, a crash, `monitor`."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processor_time import wait_until_busy

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed (Debian: gdb)"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed (Debian: gcc)"),
]

PROGRAM = """
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
volatile int go, counter;
__attribute__((noinline)) int twice(int n) { counter += n; return 2 * n; }
__attribute__((noinline)) void leaf(void) { go = 1; }
static void *work(void *p) { while (!go) usleep(10); return p; }
int main(int argc, char **argv) {
    int sum = 0;
    for (int i = 0; i < 4; i++) sum += twice(i);
    printf("sum %d\\n", sum);
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    usleep(1000);
    leaf();
    pthread_join(thread, 0);
    if (argc > 1) for (;;) counter++;
    return *(volatile int *)0x10;
}
"""
COMMANDS = """
set pagination off
set confirm off
set sysroot /
target remote {address}
break twice
continue
print n
backtrace
finish
delete
watch counter
continue
continue
delete
break leaf
continue
sharedlibrary
info sharedlibrary
info threads
thread apply all backtrace 1
print/x $xmm0.v2_int64[0]
monitor events
monitor .dump 0 1 path x
delete
continue
backtrace
info registers rip
continue
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gdb")
    (folder / "program.c").write_text(PROGRAM, encoding="utf-8")
    subprocess.run(["gcc", "-g", "-O1", "-pthread", "-o", "program", "program.c"], cwd=folder, check=True)
    return folder / "program"


def started(program: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """`hds run --gdb`, and where it waits."""
    script = '!syscall 1 script { printf("write %llx\\n", @rdx); }'
    command = [sys.executable, "-m", "hds", "run", "--gdb", "0", "--root", "/", "-e", script, str(program), *arguments]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    return run, run.stderr.readline().split()[-1]


def gdb(program: Path, commands: str) -> subprocess.Popen[str]:
    debugger = subprocess.Popen(
        ["gdb", "-q", "-nx", str(program)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert debugger.stdin is not None
    debugger.stdin.write(commands)
    debugger.stdin.flush()
    return debugger


def test_a_program_is_debugged_by_its_source(program: Path) -> None:
    run, address = started(program)
    said = gdb(program, COMMANDS.format(address=address)).communicate(timeout=100)[0]
    output, errors = run.communicate(timeout=100)
    wanted = (
        "Breakpoint 1, twice (n=n@entry=0)", "in main", "Value returned is $2 = 0", "Hardware watchpoint 2: counter",
        "New value = 1", "New value = 3", "hit Breakpoint 3, leaf ()", "libc.so.6", "Thread 2 (Thread 4104)", "$3 = 0x",
        "!syscall 1 script", "--gdb-trusted", "received signal SIGSEGV", "main (argc=1",
        "terminated with signal SIGSEGV",
    )  # fmt: skip
    places = [said.find(text) for text in wanted]
    assert -1 not in places, said
    assert output == "write 7\n"
    assert "sum 12" in errors
    assert "read of 0x10" in errors


def test_the_session_of_the_page_works(program: Path) -> None:
    """docs/gdb.md, but for the port."""
    page = (Path(__file__).parents[3] / "docs" / "gdb.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^\(gdb\) (.*)$", page, re.MULTILINE))
    run, address = started(program)
    said = gdb(program, f"set confirm off\n{commands}\nkill\n".replace("127.0.0.1:1234", address)).communicate(
        timeout=100
    )[0]
    run.communicate(timeout=100)
    assert "Breakpoint 1, main" in said, said


def test_ctrl_c_stops_a_program_that_runs(program: Path) -> None:
    run, address = started(program, "forever")
    debugger = gdb(program, f"set confirm off\nset sysroot /\ntarget remote {address}\ncontinue\n")
    assert run.stdout is not None
    assert run.stderr is not None
    assert run.stderr.readline() == "sum 12\n"
    wait_until_busy(run.pid)
    debugger.send_signal(signal.SIGINT)
    said = debugger.communicate("print counter > 5\nkill\n", timeout=60)[0]
    assert "received signal SIGINT" in said
    assert "$1 = 1" in said
    assert run.wait(100) == 0


AGAIN = """
#include <unistd.h>
__attribute__((noinline)) int once(int n) { return n + 1; }
int main(int argc, char **argv) {
    if (once(argc) == 2) execl("/proc/self/exe", "again", "once", (char *)0);
    return argc;
}
"""


def test_breakpoints_go_with_a_program_that_executes_another_one(tmp_path: Path) -> None:
    """And no script is needed."""
    (tmp_path / "again.c").write_text(AGAIN, encoding="utf-8")
    subprocess.run(["gcc", "-g", "-O1", "-o", "again", "again.c"], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "hds", "run", "--gdb", "0", "--root", "/", str(tmp_path / "again")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    address = run.stderr.readline().split()[-1]
    commands = (
        f"set confirm off\nset sysroot /\ntarget remote {address}\nbreak once\ncontinue\ncontinue\nbt\ncontinue\n"
    )
    said = gdb(tmp_path / "again", commands).communicate(timeout=100)[0]
    run.communicate(timeout=100)
    places = [
        said.find(text)
        for text in ("once (n=n@entry=1)", "once (n=n@entry=2)", "in main (argc=2", "exited with code 02")
    ]
    assert -1 not in places, said
    assert places == sorted(places)
