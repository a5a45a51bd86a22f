"""Comparisons with native runs, which are not the same each time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from linux_guests import as_user, exit_code

T = TypeVar("T")

MOST = 20  # native runs, before ours is taken for another one than all of them


class NativeRuns(Generic[T]):
    """Runs of a program on this machine, as many as it takes until one is like ours.

    A native run is not the same each time: glibc draws random bytes again where those it got are biased (mkstemp, in
    one run of twenty), SIGCHLD comes before or behind another call, a pipe has what was written in one read or in two,
    addresses are where chance puts them. A run here is the same each time, and right if it is like any native one.

    A failing `assert ours == runs.like(ours)` shows what the first run came to. `once` runs the program in the folder
    that it is given, which is new and empty, and says what is compared.
    """

    def __init__(self, once: Callable[[Path], T], folder: Path) -> None:
        self._once = once
        self._folder = folder
        self._runs: list[T] = []

    @property
    def first(self) -> T:
        """What the first run came to."""
        return self._runs[0] if self._runs else self._another()

    def like(self, ours: T, by: Callable[[T], object] = lambda run: run) -> T:
        """The run that is like ours, as `by` has both; the first if none of MOST is."""
        wanted = by(ours)
        for number in range(MOST):
            run = self._runs[number] if number < len(self._runs) else self._another()
            if by(run) == wanted:
                return run
        return self.first

    def _another(self) -> T:
        folder = self._folder / f"native{len(self._runs)}"
        folder.mkdir()
        self._runs.append(self._once(folder))
        return self._runs[-1]


def native_outputs(command: Sequence[str | Path], folder: Path, **options: Any) -> NativeRuns[tuple[bytes, int | None]]:
    """What a program prints in an empty folder, with nothing to read, and its exit code; and options of subprocess.

    With those of as_user the way to the program and the folder is opened for that user before each run: a session of
    pytest that begins closes the folder of all temporary ones.
    """

    def once(fresh: Path) -> tuple[bytes, int | None]:
        if "user" in options:
            as_user(Path(command[0]).parent)
            as_user(fresh)
        given = {"cwd": fresh, "stdin": subprocess.DEVNULL, "timeout": 100, **options}
        ran = subprocess.run(command, capture_output=True, check=False, **given)
        return ran.stdout, exit_code(ran.returncode)

    return NativeRuns(once, folder)
