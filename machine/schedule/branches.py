"""The recording of branches: on or off for all CPUs of a machine; what scripts have saved of it, by core.

`!lbr`, `!lbrdump` and the `lbr_*` functions are its faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from machine.schedule.process import Process

if TYPE_CHECKING:
    from machine.processor import Branch, Select


class BranchRecording:
    """Off at first; with it on, every process has its last branches."""

    def __init__(self, processes: Callable[[], Iterable[Process]]) -> None:
        self._processes = processes
        self.is_on = False
        self.select: Select | None = None  # what is not recorded
        self._saved: dict[int, list[Branch]] = {}

    def turn_on(self) -> None:
        """Record the branches of all processes from now on."""
        self.is_on = True
        for process in self._processes():
            self.include(process)

    def turn_off(self) -> None:
        """Record no more; what was recorded is forgotten."""
        self.is_on = False
        for process in self._processes():
            process.cpu.record_branches(False)

    def include(self, process: Process) -> None:
        """A process is there: record its branches, if recording is on."""
        if self.is_on:
            last = process.cpu.record_branches(True)
            assert last is not None
            if self.select is not None:
                last.select = self.select

    def leave_out(self, select: Select) -> None:
        """Do not record branches of these kinds from now on."""
        self.select = select
        for process in self._processes():
            if process.cpu.last_branches is not None:
                process.cpu.last_branches.select = select

    def flush(self) -> None:
        """Forget what was recorded."""
        for process in self._processes():
            if process.cpu.last_branches is not None:
                process.cpu.last_branches.keep([])

    def of(self, process: Process) -> list[Branch]:
        """The last branches of a process, the oldest first."""
        last = process.cpu.last_branches
        return [] if last is None else last.branches

    # --- what scripts ask for

    def save(self, process: Process) -> bool:
        """Keep the last branches of a core; False where nothing is recorded."""
        if self.is_on:
            self._saved[process.core] = self.of(process)
        return self.is_on

    def saved(self, core: int) -> list[Branch] | None:
        """What was saved of a core, the oldest first."""
        return self._saved.get(core)

    def restore(self, process: Process) -> bool:
        """Let what was saved of a core be its last branches again; False where there is nothing."""
        saved, last = self._saved.get(process.core), process.cpu.last_branches
        if saved is None or last is None:
            return False
        last.keep(saved)
        return True


def branch_lines(branches: Iterable[Branch], name_of: Callable[[int], str] = lambda address: "") -> str:
    """Branches as `!lbrdump` and `lbr_dump` show them, the last one first; none was ever predicted wrongly."""

    def place(address: int) -> str:
        name = name_of(address)
        return f"{address:016x}{f' ({name})' if name else ''}"

    return "".join(
        f"[{index:2x}] mispredicted: 0, cycles: {branch.cycles:x}, from: {place(branch.source)}, "
        f"to: {place(branch.target)}\n"
        for index, branch in enumerate(reversed(list(branches)))
    )
