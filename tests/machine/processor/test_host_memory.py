"""What native libraries would end the process for is refused by name: memory that the host does not give."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import only_with_machine_code  # noqa: F401
import pytest

from hds.cli import main as cli
from hds.exit_codes import ExitCode
from machine.processor.cpu_model import new_engine
from vm.host_memory import HostMemoryError, require_memory
from vm.native.jit import compile_text

pytestmark = pytest.mark.slow

_PAGE = resource.getpagesize()


def in_a_fork(work: Callable[[], object], spare: int) -> int:
    """The exit code of a fork that has `spare` bytes more than now: 7 where HostMemoryError was raised."""
    fork = os.fork()
    if fork == 0:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
        resource.setrlimit(resource.RLIMIT_AS, (used + spare, used + spare))
        try:
            work()
        except HostMemoryError:
            os._exit(7)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])


def test_an_emulator_too_many_is_refused() -> None:
    assert in_a_fork(lambda: [new_engine() for _ in range(100)], 1 << 30) == 7


def test_a_compilation_that_may_not_fit_is_refused() -> None:
    compile_text("define void @first() { ret void }")  # LLVM starts where there is memory
    text = "; " + "x" * (1 << 20) + "\ndefine void @second() { ret void }"
    assert in_a_fork(lambda: compile_text(text), 64 << 20) == 7


def test_the_message_says_what_and_how_much() -> None:
    with pytest.raises(HostMemoryError, match=r"a test needs 1073741824 MiB .* ulimit -v"):
        require_memory(1 << 50, "a test")


def test_the_command_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = tmp_path / "guest.asm"
    guest.write_text("nop")

    def refuse(*_: object) -> None:
        raise HostMemoryError("an emulator needs 160 MiB of memory")

    monkeypatch.setattr("machine.processor.cpu.new_engine", refuse)
    assert cli.main(["run", "-e", "g", str(guest)]) == ExitCode.LIMIT
    assert capsys.readouterr().err == "hds: an emulator needs 160 MiB of memory\n"
