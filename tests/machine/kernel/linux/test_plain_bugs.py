"""Faults that Linux programs once showed, by their numbers: each ends here as it does natively, with the same output.

The numbers are those of `plain_bugs.c`, whose functions are the programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import pytest
from linux_guests import Listening, build
from linux_world import O_RDWR, O_WRONLY, Guest
from test_linux_processes import code_of

from hds.session import Session
from machine.kernel.linux import World
from machine.kernel.linux.errors import Errno

SOURCE = Path(__file__).with_name("plain_bugs.c").read_text()
NUMBERS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 16, 20)
USER = 1000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read what a guest must not")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("bugs"))


def own_folder(program: Path, folder: Path) -> Path:
    """A folder of the user whom the guest takes itself for, with the program."""
    folder.mkdir()
    shutil.copy(program, folder / "program")
    if os.geteuid() == 0:
        for path in (folder, folder / "program"):
            os.chown(path, USER, USER)
    return folder


@pytest.mark.parametrize("number", NUMBERS)
def test_plain_bug(number: int, program: Path, tmp_path: Path) -> None:
    # the way to the folder is open for the other user
    native = own_folder(program, tmp_path / "native")
    as_user = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    for above in takewhile(lambda folder: folder != Path(gettempdir()), tmp_path.parents) if as_user else ():
        above.chmod(0o755)
    tmp_path.chmod(0o755)
    done = subprocess.run(["./program", str(number)], cwd=native, capture_output=True, check=False, **as_user)  # type: ignore[call-overload]
    here = own_folder(program, tmp_path / "here")
    heard = Listening()
    user = USER if as_user else os.getuid()
    session = Session(
        here / "program",
        arguments=[str(number)],
        world=World(here, writable=True, user=user, group=user),
        reporter=heard,
    )
    session.execution.halts_at_int3 = False
    summary = session.run(timeout=30)
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    assert (heard.output.decode(), code_of(summary)) == (done.stdout.decode(), code)


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
