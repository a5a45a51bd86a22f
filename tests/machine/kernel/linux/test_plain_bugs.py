"""Faults that Linux programs once showed, by their numbers: each ends here as it does natively, with the same output.

The numbers are those of `plain_bugs.c`, whose functions are the programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from linux_guests import USER, Listening, as_user, build, exit_code, flags_below
from linux_world import O_RDWR, O_WRONLY, Guest
from native_runs import NativeRuns
from test_linux_processes import code_of

from hds.cli.main import main
from hds.session import Session
from machine.kernel.linux import World
from machine.kernel.linux.errors import Errno

SOURCE = Path(__file__).with_name("plain_bugs.c").read_text()
NUMBERS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 21)
BUG_13_NEEDS = {"bmi1", "bmi2", "abm", "movbe", "rdrand"}
EI_CLASS, EI_DATA = 4, 5
COUNT = "!syscall script { .n++; }"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read what a guest must not")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("bugs"))


def own_folder(program: Path, folder: Path) -> Path:
    """A folder of the user whom the guest takes itself for, with the program."""
    folder.mkdir(exist_ok=True)
    shutil.copy(program, folder / "program")
    if os.geteuid() == 0:
        for path in (folder, folder / "program"):
            os.chown(path, USER, USER)
    return folder


@pytest.mark.programs
@pytest.mark.parametrize("number", NUMBERS)
def test_plain_bug(number: int, program: Path, tmp_path: Path) -> None:
    if number == 13 and (missing := BUG_13_NEEDS - flags_below()):
        pytest.skip(f"the processor below has no {', '.join(sorted(missing))}")

    def natively(folder: Path) -> tuple[str, int | None]:
        command, user_there = ["./program", str(number)], as_user(folder)
        done = subprocess.run(command, cwd=own_folder(program, folder), capture_output=True, check=False, **user_there)
        return done.stdout.decode(), exit_code(done.returncode)

    here = own_folder(program, tmp_path / "here")
    heard = Listening()
    user = USER if os.geteuid() == 0 else os.getuid()
    session = Session(
        here / "program",
        arguments=[str(number)],
        world=World(here, writable=True, user=user, group=user),
        reporter=heard,
    )
    session.execution.halts_at_int3 = False
    summary = session.run(timeout=30)
    said = heard.output.decode(), code_of(summary)
    assert said == NativeRuns(natively, tmp_path).like(said)


@needs_root
def test_plain_bug_6_what_only_root_may_read_is_not_the_guests(tmp_path: Path) -> None:
    for name, mode in (("secret", 0o600), ("shown", 0o644)):
        (tmp_path / name).write_bytes(b"bytes")
        (tmp_path / name).chmod(mode)
    (tmp_path / "closed").mkdir(0o700)
    (tmp_path / "closed" / "file").write_bytes(b"bytes")
    for writable in (False, True):
        guest = Guest(tmp_path, writable)
        assert guest.contents("/shown") == b"bytes"
        for path in ("/secret", "/closed/file", "/closed"):
            assert guest.contents(path) == -Errno.EACCES
        assert guest.open("/secret", O_RDWR) == (-Errno.EROFS if not writable else -Errno.EACCES) or not writable
        assert guest.call("access", "/secret", 4) == guest.call("stat", "/closed/file") == -Errno.EACCES
        assert Guest(tmp_path, writable, user=0).contents("/closed/file") == b"bytes"


@needs_root
def test_plain_bug_6_what_a_guest_makes_is_its_own(tmp_path: Path) -> None:
    guest = Guest(tmp_path, writable=True)
    assert guest.call("mkdir", "/made", 0o700) == 0
    descriptor = guest.open("/made/file", O_WRONLY | 0o100, 0o600)
    assert guest.call("write", descriptor, b"text", 4) == 4
    assert guest.contents("/made/file") == b"text"
    assert (tmp_path / "made" / "file").stat().st_uid == USER


def test_plain_bug_5_a_folder_that_is_only_shown_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    guest = Guest(tmp_path)
    assert guest.call("access", "/file", 2) == guest.open("/file", O_WRONLY) == -Errno.EROFS
    assert guest.call("access", "/file", 4) == guest.call("access", "/", 1) == 0
    assert guest.call("access", "/file", 1) == -Errno.EACCES


@pytest.mark.parametrize(("place", "value"), [(EI_CLASS, 1), (EI_DATA, 2)])
def test_plain_bug_15_bytes_of_the_header_that_linux_ignores(
    place: int, value: int, program: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "program"
    data = bytearray(program.read_bytes())
    data[place] = value
    changed.write_bytes(data)
    changed.chmod(0o755)
    native = subprocess.run([changed, "9"], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "flags").unlink()
    heard = Listening()
    world = World(tmp_path, writable=True, user=os.getuid(), group=os.getgid())
    summary = Session(changed, arguments=["9"], world=world, reporter=heard).run(timeout=30)
    assert (summary.exit_code, heard.output) == (0, native.stdout)


def test_plain_bug_17_options_behind_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "script.hds", "--root", "/", "/bin/true"]) == 2
    said = capsys.readouterr().err
    assert "--root stands behind SCRIPT: options come before SCRIPT" in said
    assert "hint: hds run --root ... script.hds PROGRAM" in said


def test_plain_bug_18_what_is_no_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, library = tmp_path / "s.sh", build("int f(void) { return 1; }", "dynamic", tmp_path, "-shared", "-nostdlib")
    text.write_text("#!/bin/sh\necho hi\n")
    for path, reason in ((text, "is no ELF or PE program, but a script"), (library, "has no entry point")):
        assert main(["run", "-e", COUNT, str(path)]) == 5
        assert reason in capsys.readouterr().err


def test_plain_bug_19_the_program_and_the_script_write_lines_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = """#include <unistd.h>
        int main(void) { for (int i = 0; i < 2; i++) { write(1, "abc", 3); write(1, "d\\n", 2); } return 0; }"""
    log = '!syscall 1 script { printf("call "); printf("%d", $context); }\n!sysret script { printf(" = %d\\n", @rax); }'
    main(["run", "--guest-output", "stdout", "-e", log, str(build(pieces, "glibc", tmp_path))])
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" = ")]
    assert lines == ["call 1 = 3", "abc", "call 1 = 2", "d"] * 2


def test_plain_bug_21_reading_a_clock_is_no_call(program: Path) -> None:
    session = Session(program, arguments=["21"])
    session.execute("!syscall 0n228 script { print($context); }")
    assert session.run(timeout=30).exit_code == 0
    assert session.messages == []
