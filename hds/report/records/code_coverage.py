"""The code that a process has executed, where that is recorded (`--record blocks`)."""

from typing import Annotated, Literal, TypedDict

import msgspec

from hds.report.records.shown import Line
from hds.report.records.texts import Address


class CoveredModule(msgspec.Struct, frozen=True):
    """A file or another stretch of code, [start, end)."""

    path: str
    start: int
    end: int


class CodeCoverage(msgspec.Struct, frozen=True):
    """Of each basic block the number of its module, where it begins in that, and its size in bytes."""

    process_id: int
    process: str
    modules: tuple[CoveredModule, ...]
    blocks: tuple[tuple[int, int, int], ...]
    is_complete: bool


class ModuleObject(TypedDict):
    """A file or another stretch of code, from start to before end."""

    path: str
    start: Address
    end: Address


class CoverageObject(TypedDict):
    """The basic blocks that a process has entered; only with --record blocks. A program by exec has one of its own."""

    type: Literal["coverage"]
    pid: int
    process: Annotated[str, "the name of the process"]
    modules: list[ModuleObject]
    blocks: Annotated[list[list[int]], "number of the module from 0, offset in it, size in bytes"]
    complete: Annotated[bool, "false where there were more than max_recorded_blocks"]


def as_object(coverage: CodeCoverage) -> CoverageObject:
    """The record of JSON mode."""
    return {
        "type": "coverage",
        "pid": coverage.process_id,
        "process": coverage.process,
        "modules": [{"path": each.path, "start": each.start, "end": each.end} for each in coverage.modules],
        "blocks": [list(block) for block in coverage.blocks],
        "complete": coverage.is_complete,
    }


def shown(coverage: CodeCoverage) -> Line:
    """How many blocks there are in each module."""
    said = [f"pid {coverage.process_id:x} ({coverage.process}) entered {len(coverage.blocks)} basic blocks"]
    for number, module in enumerate(coverage.modules):
        count = sum(1 for block in coverage.blocks if block[0] == number)
        said.append(f"  {module.path} at 0x{module.start:x}: {count}")
    return Line("\n".join(said))
