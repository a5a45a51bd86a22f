"""Agreement with reality: single system calls of calls.c answer here what they answer natively."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from linux_guests import build, emulated, exit_code, linux_release
from native_runs import NativeRuns

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("calls.c").read_text()
GROUPS = re.findall(r'\{"(\w+)", \1\}', SOURCE)

GROUPS_OF_MEMORY = ("files", "directories", "pipes")  # in a root in memory, too
LINKS = {"link": "inside", "absolute": "/inside", "out": "../f", "around": "e/../inside"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled groups."""
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("calls"))


def linked(folder: Path) -> Path:
    """The folder with another one, which has links."""
    (folder / "shown").mkdir(parents=True)
    for name, target in LINKS.items():
        (folder / "shown" / name).symlink_to(target)
    return folder


@pytest.mark.parametrize(
    ("group", "shown"), [(group, True) for group in GROUPS] + [(group, False) for group in GROUPS_OF_MEMORY]
)
def test_calls_answer_as_natively(group: str, shown: bool, program: Path, tmp_path: Path) -> None:
    if linux_release() < (6, 12):
        pytest.skip("these are the answers of Linux 6.12 and later")

    def once(folder: Path) -> tuple[list[str], int | None]:
        ran = subprocess.run([program, group], cwd=linked(folder), stdin=subprocess.DEVNULL, capture_output=True)
        return ran.stdout.decode().splitlines(), exit_code(ran.returncode)

    ran = emulated(program, (group,), linked(tmp_path / "here"), script="", shown=shown)
    here = ran.output.decode().splitlines(), ran.exit_code
    assert here == NativeRuns(once, tmp_path).like(here)
