"""What a process that runs a program can do to others, and to the machine: nothing."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")

from hds.corpus.sandbox import Limits, Sandbox

GENEROUS = Limits(1 << 30, 60.0)


def inside(attempt: Callable[[], object], sandbox: Sandbox | None = None, limits: Limits = GENEROUS) -> str:
    """What an attempt comes to in a sandboxed process: `done`, the name of the error, or the signal that ended it."""
    sandbox = sandbox or Sandbox()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            sandbox.enter(limits, 0)
            attempt()
            said = "done"
        except BaseException as error:
            said = type(error).__name__
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        data = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return str(json.loads(data)) if data else signal.Signals(-status).name


def has(what: str) -> None:
    """Skip where the kernel has it not."""
    found = Sandbox().describe()
    if not any(each.startswith(what) for each in found):
        pytest.skip(f"this kernel has no {what}: {found}")


def landlock(version: int) -> None:
    """Skip where the kernel has an older one."""
    has("landlock")
    if not any(f"landlock {number}" in Sandbox().describe() for number in range(version, 100)):
        pytest.skip(f"this kernel has no landlock {version}")


def test_files_are_out_of_reach(tmp_path: Path) -> None:
    has("landlock")
    secret = tmp_path / "secret"
    secret.write_text("of others")
    assert inside(secret.read_text) == "PermissionError"
    assert inside(lambda: secret.write_text("mine")) == "PermissionError"
    assert inside((tmp_path / "new").touch) == "PermissionError"
    assert inside(secret.unlink) == "PermissionError"
    assert secret.read_text() == "of others"


def test_what_is_named_can_be_read_and_not_written(tmp_path: Path) -> None:
    has("landlock")
    (tmp_path / "file").write_text("x")
    sandbox = Sandbox([str(tmp_path)])
    assert inside((tmp_path / "file").read_text, sandbox) == "done"
    assert inside(lambda: (tmp_path / "file").write_text("y"), sandbox) == "PermissionError"


def test_packages_can_be_imported_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has("landlock")
    for name in ("edited", "linked", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "late.py").touch()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "linked").symlink_to(tmp_path / "linked")
    edited = ModuleType("edited")
    edited.__path__ = [str(tmp_path / "edited")]
    monkeypatch.setitem(sys.modules, "edited", edited)  # as a finder of an editable installation does
    monkeypatch.syspath_prepend(tmp_path / "site")
    sandbox = Sandbox()
    found = {name: inside((tmp_path / name / "late.py").read_text, sandbox) for name in ("edited", "linked", "other")}
    assert found == {"edited": "done", "linked": "done", "other": "PermissionError"}


def test_no_file_grows() -> None:
    assert inside(lambda: os.write(os.memfd_create("m"), b"x")) in ("OSError", "SIGXFSZ")


def test_there_is_no_network() -> None:
    has("seccomp")
    assert inside(socket.socket) == "PermissionError"
    assert inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) == "PermissionError"
    assert inside(socket.socketpair) == "done"  # with itself


def test_other_processes_are_out_of_reach() -> None:
    has("seccomp")
    library = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def attach() -> None:
        if library.ptrace(16, parent, None, None):
            raise PermissionError

    assert inside(attach) == "PermissionError"


def test_signals_do_not_leave() -> None:
    landlock(6)
    parent = os.getpid()
    assert inside(lambda: os.kill(parent, 0)) == "PermissionError"


def test_memory_has_an_end() -> None:
    assert inside(lambda: bytearray(8 << 30), limits=Limits(16 << 20, 60.0)) == "MemoryError"


@pytest.mark.lasting
def test_processor_time_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hds.corpus.sandbox._SECONDS_MORE", 0)

    def spin() -> None:
        while True:
            time.process_time()

    assert inside(spin, limits=Limits(1 << 30, 1.0)) in ("SIGXCPU", "SIGKILL")
