"""Processes of Linux guests: real programs and shells that fork, execute, signal and wait behave as natively."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from linux_guests import Listening, build, busybox
from native_runs import NativeRuns, native_outputs

from hds.session import Session, load_engine
from machine.debugger import BreakpointError
from machine.kernel.linux import World
from machine.machine import RunSummary, StopCause
from machine.processor import block_hook
from vm.facts.limits import DEFAULT_LIMITS, Limits

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("processes.c").read_text()
CASES = (
    "statuses", "many", "pipes", "child_signals", "stopping", "busy_child", "waitids", "groups", "orphans", "shared",
    "counted", "cloned", "executing", "timers", "queues", "commands", "demon", "polls", "masks", "robust",
    "privileged", "undefined", "at_fork", "bounded", "file_size",
)  # fmt: skip
ENGINES = ("reference", "native")

SHELL = {
    "subshell": "(echo a; exit 3); echo $?",
    "pipe": "echo one two three | wc -w",
    "long pipe": "seq 1 2000 | sort -rn | head -n 3 | tr 0 x",
    "substitution": 'x=$(echo inner; exit 4); echo "$x" $?',
    "nested substitution": "echo $(echo $(echo $(echo deep)))",
    "background": "sleep 0 & wait $!; echo $?; (sleep 1; exit 6) & wait $!; echo $?",
    "killed": "sleep 100 & kill -9 $!; wait $!; echo $?",
    "trap": "trap 'echo caught' USR1; kill -USR1 $$; echo behind",
    "trap on exit": "trap 'echo bye' EXIT; (exit 2); echo $?",
    "trap while waiting": "trap 'echo usr2' USR2; (sleep 1; kill -USR2 $$) & wait; echo $?",
    "exec": "echo before; exec echo replaced; echo never",
    "not found": "no_such_program; echo $?",
    "not executable": "/etc/data; echo $?",
    "script": "/bin/script one 'two three'",
    "xargs": "seq 1 7 | xargs -n 3 echo got",
    "find": "find /etc -type f -exec wc -c {} ';' | sort",
    "env": "env -i A=1 B=2 env | sort",
    "timeout": "timeout 1 sleep 10; echo $?",
    "nice": "nice -n 3 nice",
    "setsid": "setsid sh -c 'echo in a session'",
    "heredoc": "cat <<end | tr a b\nbanana\nend",
    "while": "seq 1 3 | while read n; do echo line $n; done",
    "self": "kill -TERM $$",
    "tar": "cd /tmp && tar cf - -C /etc data | tar xf - && cat data",
    "gzip": "cat /etc/data | gzip -c | gunzip -c",
    "time limit": "sleep 3 & p=$!; kill -STOP $p; kill -CONT $p; wait $p; echo $?",
}


def ran(
    program: Path,
    arguments: tuple[str, ...],
    root: Path,
    *,
    commands: str = "",
    engine: str = "reference",
    cores: int = 1,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Listening, RunSummary]:
    """A run here, with a folder as the root."""
    heard = Listening()
    session = Session(
        program, arguments=arguments, environment=["PATH=/bin"], world=World(root), reporter=heard,
        engine=load_engine(engine, DEFAULT_LIMITS), cores=cores, parallel=cores > 1, limits=limits,
    )  # fmt: skip
    session.execution.halts_at_int3 = False
    session.execute(commands)
    summary = session.run(timeout=60)
    heard.messages = [message.text.decode() for message in session.messages]
    return heard, summary


def code_of(summary: RunSummary) -> int | None:
    """The exit code as `--guest-exit-code` has it."""
    return summary.exit_code if summary.crash is None else summary.crash.crash_code


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A small root with busybox and the C program; natively it is one of a user's own namespace."""

    @cache
    def make() -> Path:
        root = tmp_path_factory.mktemp("root")
        for name in ("bin", "etc", "tmp", "dev", "proc"):
            (root / name).mkdir()
        shutil.copy(busybox(), root / "bin" / "busybox")
        applets = subprocess.run([busybox(), "--list"], capture_output=True, text=True, check=True).stdout.split()
        for applet in applets:
            if not (root / "bin" / applet).exists():
                (root / "bin" / applet).symlink_to("busybox")
        (root / "dev" / "null").touch(0o666)
        (root / "etc" / "data").write_text("banana\n" * 30)
        (root / "bin" / "script").write_text('#!/bin/sh -u\necho $0 $# "$2"\n')
        (root / "bin" / "script").chmod(0o755)
        shutil.copy(build(SOURCE, "glibc", tmp_path_factory.mktemp("glibc")), root / "program")
        return root

    return make


def native_runs(folder: Path, root: Path, *arguments: str) -> NativeRuns[tuple[bytes, int | None]]:
    """What a program of the root prints on the Linux below, in a root of its own."""
    unshare, chroot = (shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in ("unshare", "chroot"))
    if unshare is None or chroot is None:
        pytest.skip("the Debian packages util-linux and coreutils are not installed")
    prefix = [unshare, "--user", "--map-current-user", "--keep-caps", chroot, str(root)]
    tried = subprocess.run([*prefix, "/bin/busybox", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"there is no root of one's own here: {tried.stderr!r}")
    return native_outputs([*prefix, *arguments], folder, env={"PATH": "/bin"})


@pytest.mark.parametrize("case", CASES)
def test_a_program_with_processes_behaves_as_natively(case: str, world: Callable[[], Path], tmp_path: Path) -> None:
    root = world()
    heard, summary = ran(root / "program", (case,), root)
    here = heard.output, code_of(summary)
    assert here == native_runs(tmp_path, root, "/program", case).like(here)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lock_of_a_process_that_has_ended_is_had_by_the_next(engine: str, world: Callable[[], Path]) -> None:
    root = world()
    heard, summary = ran(root / "program", ("robust",), root, engine=engine)
    assert heard.output == b"Owner died 0 0\n" * 10
    assert (summary.cause, summary.exit_code) == (StopCause.EXIT, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_child_has_of_memory_what_madvise_says(engine: str, world: Callable[[], Path]) -> None:
    root = world()
    heard, _ = ran(root / "program", ("at_fork",), root, engine=engine)
    assert heard.output.decode().splitlines() == [
        "0 0", "-1 Invalid argument", "page 0", "0", "b", "page 7", "0", "grandchild 0", "0", "0 0", "page 7", "0",
        "page 7", "0",
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_files_keep_to_a_resource_limit(engine: str, world: Callable[[], Path]) -> None:
    root = world()
    heard, _ = ran(root / "program", ("file_size",), root, engine=engine)
    killed = "40 killed 25"
    assert heard.output.decode().splitlines() == [
        "20 0", killed, killed, killed, "40 -1 File too large", "exited 0", "0 50",
    ]  # fmt: skip


def test_mappings_keep_to_resource_limits_and_to_map_32bit(world: Callable[[], Path]) -> None:
    root = world()
    heard, _ = ran(root / "program", ("bounded",), root)
    assert heard.output.decode().splitlines() == [
        "1 1 1", "0 1 Cannot allocate memory 1 0 1", "1", "0", "0 1 Cannot allocate memory 0 1 1", "1", "0",
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("case", "code"), [("privileged", 139), ("undefined", 132)])
def test_a_fault_is_the_first_one_where_machine_code_has_begun_to_count(
    case: str, code: int, engine: str, world: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unicorn forgets its code for the other hook, and raises page faults of its own, which are none of the guest's."""
    monkeypatch.setattr(block_hook, "is_compiled", lambda: False)
    root = world()
    _, summary = ran(root / "program", (case,), root, engine=engine)
    assert code_of(summary) == code


@pytest.mark.parametrize("command", SHELL.values(), ids=SHELL.keys())
def test_a_shell_behaves_as_natively(command: str, world: Callable[[], Path], tmp_path: Path) -> None:
    root = world()
    heard, summary = ran(root / "bin" / "busybox", ("sh", "-c", command), root)
    here = heard.output, code_of(summary)
    assert here == native_runs(tmp_path, root, "/bin/busybox", "sh", "-c", command).like(here)


COUNT_BY_PROCESS = '!syscall script { printf("%x\\n", $pid); }'


@pytest.mark.parametrize("engine", ENGINES)
def test_events_see_every_process_with_its_id(engine: str, world: Callable[[], Path]) -> None:
    root = world()
    heard, summary = ran(root / "bin" / "busybox", ("sh", "-c", "(echo a); echo b | cat"), root,
                         commands=COUNT_BY_PROCESS, engine=engine)  # fmt: skip
    assert (heard.output, summary.exit_code) == (b"a\nb\n", 0)
    assert {message.strip() for message in heard.messages} == {"1000", "1010", "1020", "1030"}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_of_one_process_is_not_its_childrens(engine: str, world: Callable[[], Path]) -> None:
    root = world()
    heard, _ = ran(root / "bin" / "busybox", ("sh", "-c", "(echo a); echo b"), root,
                   commands='!syscall pid 1000 script { printf("%x\\n", $pid); }', engine=engine)  # fmt: skip
    assert {message.strip() for message in heard.messages} == {"1000"}


def test_a_hook_of_a_page_is_in_the_children_that_have_it_and_leaves_with_the_program(
    world: Callable[[], Path],
) -> None:
    root = world()
    heard, summary = ran(root / "program", ("many",), root,
                         commands='!epthook program!fork script { printf("%x\\n", $pid); }')  # fmt: skip
    assert (len(heard.messages), summary.exit_code) == (12, 0)
    heard, _ = ran(root / "program", ("executing",), root,
                   commands='!epthook program!child_main script { printf("%x %s\\n", $pid, $pname); }')  # fmt: skip
    assert len(heard.messages) == 3  # the same file has the same pages


def test_the_name_of_a_process_is_that_of_what_it_executes(world: Callable[[], Path]) -> None:
    root = world()
    heard, _ = ran(root / "bin" / "busybox", ("sh", "-c", "/bin/script; :"), root,
                   commands='!syscall e7 script { printf("%x %s\\n", $pid, $pname); }')  # fmt: skip
    assert heard.messages == ["1010 script\n", "1000 busybox\n"]


def test_two_runs_are_the_same(world: Callable[[], Path]) -> None:
    root, command = world(), "seq 1 50 | sort -rn | head -n 2; sleep 1 & wait"
    commands = '!syscall script { printf("%x %d %llx\\n", $pid, $context, @rsp); }'
    runs = [ran(root / "bin" / "busybox", ("sh", "-c", command), root, commands=commands) for _ in range(2)]
    assert runs[0][0].messages == runs[1][0].messages
    assert runs[0][1].instructions == runs[1][1].instructions


def test_processes_run_on_cores_in_parallel(world: Callable[[], Path]) -> None:
    root = world()
    for case in ("many", "pipes", "statuses", "counted"):
        heard, summary = ran(root / "program", (case,), root, cores=2, engine="native")
        assert heard.output == ran(root / "program", (case,), root)[0].output
        assert summary.exit_code is not None


def test_processes_that_fork_for_ever_end_at_a_limit(world: Callable[[], Path]) -> None:
    limits = Limits(max_processes=5)
    heard = Listening()
    root = world()
    session = Session(root / "program", arguments=("bomb",), world=World(root), reporter=heard, limits=limits)
    summary = session.run(timeout=60)
    assert (summary.cause, session.machine.kernels.reached_limits()) == (StopCause.DEADLOCK, ["max_processes"])
    assert len(session.machine.processes) == 5


def test_a_fork_bomb_ends_by_name(world: Callable[[], Path]) -> None:
    root = world()
    limits = Limits(max_processes=4, max_kernel_work=1 << 31)
    _, summary = ran(root / "program", ("fork_bomb",), root, limits=limits)
    assert summary.cause is StopCause.KERNEL_WORK


def test_what_is_left_behind_does_not_keep_a_run_going(world: Callable[[], Path]) -> None:
    root = world()
    _, summary = ran(root / "bin" / "busybox", ("sh", "-c", "sh -c 'kill -STOP $$' & exit 4"), root)
    assert (summary.cause, summary.exit_code) == (StopCause.EXIT, 4)


def test_processes_that_are_gone_leave_nothing_behind(world: Callable[[], Path]) -> None:
    root = world()
    session = Session(root / "program", arguments=("many",), world=World(root), reporter=Listening())
    session.run(timeout=60)
    assert [process.pid for process in session.machine.processes] == [0x1000]


def test_a_breakpoint_of_a_process_that_is_gone_can_be_cleared_and_not_set_again(world: Callable[[], Path]) -> None:
    root = world()
    program = root / "program"
    session = Session(program, arguments=("many",), world=World(root), reporter=Listening())
    session.execute("!syscall script { if ($pid == 1010) { pause(); } }")
    session.run(timeout=60)
    child = next(process for process in session.machine.processes if process.pid == 0x1010)
    session.machine.switch(child)
    row = session.execution.breakpoints.add(child, child.image.entry)
    session.execute("events c all")
    session.run(timeout=60)
    assert row.number is not None
    session.execution.breakpoints.disable(row.number)
    with pytest.raises(BreakpointError):
        session.execution.breakpoints.enable(row.number)
    session.execution.breakpoints.clear(row.number)
