"""More programs in the spirit of the acceptance table: they say what Windows documents, on both engines.

`programs/NAME.out` has the output and the exit code, checked line by line against Microsoft's documentation of each
call when it was written: Wine's DLLs are real here, the kernel below them is ours.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from windows_world import PROGRAMS, make_root, needs_wine, run

from machine.kernel.nt import objects

pytestmark = [needs_wine, pytest.mark.programs]
NAMES = (
    "contexts", "locks", "files", "nested", "rethrow", "modules", "texts", "values", "input", "extended",
    "pools", "tls", "regs", "faults", "drive", "queries", "pipes", "asks", "objects", "chance", "library",
    "views", "alarms", "crowds", "readers", "rights", "kinds", "slots", "version", "patches",
    "notices", "gui", "sparse", "streams", "moved", "refused", "folders",
)  # fmt: skip
ROOM = 4096  # of APCs and packets that wait
STDIN = b"abc\nsecond\n12 34\nx\ny\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_a_program_like_them_does_what_windows_documents(
    name: str, engine: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_MOST_WAITING", ROOM)
    root = make_root(tmp_path / "c", built, name)
    found = run(root, name, "last one", writable=True, stdin=STDIN, engine=engine)
    wanted = (PROGRAMS / f"{name}.out").read_text(encoding="utf-8").splitlines()
    assert [*found.lines, f"exit code {found.code}"] == wanted
