"""The code that processes have executed, as records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hds.report.records import CodeCoverage, CoveredModule

if TYPE_CHECKING:
    from hds.session.session import Session

_ITSELF = ("program", "code")  # names of the areas of a program's own file


def coverage_of(session: Session) -> Iterator[CodeCoverage]:
    """A record for each process, in the order in which they were made; none where blocks are not recorded."""
    for process, coverage in session.machine.coverages:
        modules = sorted(set(coverage.blocks.values()), key=lambda module: (module.start, module.name))
        numbers = {module: number for number, module in enumerate(modules)}
        yield CodeCoverage(
            process.pid,
            process.name,
            tuple(
                CoveredModule(process.name if each.name in _ITSELF else each.name, each.start, each.end)
                for each in modules
            ),
            tuple(
                sorted(
                    (numbers[module], address - module.start, size)
                    for (address, size), module in coverage.blocks.items()
                )
            ),
            coverage.is_complete,
        )
