"""Agreement with reality: what is rarely asked of Linux answers here as natively, by rare_calls.c and seized.c."""

from __future__ import annotations

import os
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
from linux_guests import USER, Listening, as_user, build, emulated, exit_code, linux_release
from native_runs import NativeRuns

from hds.session.session import Session
from machine.kernel.linux import World

pytestmark = pytest.mark.programs

FOLDER = Path(__file__).parent
SOURCE, SEIZED = (FOLDER.joinpath(name).read_text() for name in ("rare_calls.c", "seized.c"))
GROUPS = sorted({*re.findall(r'\{"(\w+)", \1\}', SOURCE), "busy"} - {"names", "nothing", "writes"})

# By a Linux with CONFIG_ANON_VMA_NAME, which not all have.
NAMES = """\
0
0..1 1..2 [anon:a name]
2..4 0
0
0..2 [anon:a name]
2..4 [anon:other]
0
0..4 [anon:]
0
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled groups."""
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("rare"), "-w")


Said = tuple[list[str], int | None]  # lines and exit code


def own_program(program: Path, folder: Path) -> Path:
    """A copy in a folder that both are a user's who is not root."""
    folder.mkdir(exist_ok=True)
    copy = folder / "program"
    copy.write_bytes(program.read_bytes())
    copy.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, USER, USER)
        os.chown(copy, USER, USER)
    return copy


def natively(program: Path, arguments: tuple[str, ...], folder: Path) -> Said:
    ran = subprocess.run(
        [own_program(program, folder), *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
        **as_user(folder),
    )  # fmt: skip
    return ran.stdout.decode().splitlines(), exit_code(ran.returncode)


def both(program: Path, arguments: tuple[str, ...], tmp_path: Path) -> tuple[NativeRuns[Said], Said]:
    """The native runs and the one here, of a user who is not root and owns the folder."""
    if linux_release() < (6, 17):
        pytest.skip("these are the answers of Linux 6.17 and later")
    heard, copy = Listening(), own_program(program, tmp_path / "here")
    user, group = (USER, USER) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    world = World(copy.parent, writable=True, user=user, group=group)
    code = Session(copy, arguments=arguments, world=world, reporter=heard).run(timeout=60).exit_code
    native = NativeRuns(partial(natively, program, arguments), tmp_path)
    return native, (heard.output.decode().splitlines(), code)


@pytest.mark.parametrize("group", GROUPS)
def test_rare_calls_answer_as_natively(group: str, program: Path, tmp_path: Path) -> None:
    native, here = both(program, (group,), tmp_path)
    assert here == native.like(here)


def test_a_tracee_that_listens_is_told_of_as_natively(tmp_path: Path) -> None:
    native, here = both(build(SEIZED, "glibc", tmp_path, "-w"), (), tmp_path)
    assert here == native.like(here)


def test_anonymous_memory_has_the_name_that_it_was_given(program: Path, tmp_path: Path) -> None:
    output = emulated(program, ("names",), tmp_path, script="").output.decode()
    assert re.sub(r"\d+: ", "", output).startswith(NAMES)
