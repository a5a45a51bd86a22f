"""THE table of the forms of `hds report`. One more is a module here, with its function, and its row."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

import msgspec

from hds.exporting.runs import RecordedRun
from vm.facts.limits import Limits


class _File(Protocol):
    """What the module of a form has that is a file: its bytes, for runs that are read once and in order."""

    def chunks(self, runs: Sequence[RecordedRun], limits: Limits) -> Iterable[bytes]: ...


class _Folder(Protocol):
    """What the module of a form has that is several files: they are written to an empty folder."""

    def fill(self, folder: Path, runs: Sequence[RecordedRun]) -> None: ...


class Format(msgspec.Struct, frozen=True):
    """A form; `path` is what is written unless another is given. Reading raises BadRun, and MissingExtra."""

    name: str
    path: str
    doc: str
    is_folder: bool = False
    several: bool = True  # whether it takes several runs

    def chunks(self, runs: Sequence[RecordedRun], limits: Limits) -> Iterator[bytes]:
        """The bytes of the file."""
        yield from cast(_File, self._module()).chunks(runs, limits)

    def fill(self, folder: Path, runs: Sequence[RecordedRun]) -> None:
        """Write the files of a form that is a folder."""
        cast(_Folder, self._module()).fill(folder, runs)

    def _module(self) -> object:
        return importlib.import_module(f"hds.exporting.{self.name}")


FORMATS = (
    Format("html", "report.html", "one page with charts and tables, which needs nothing else"),
    Format("perfetto", "trace.json", "a trace in Chrome's JSON, for ui.perfetto.dev"),
    Format("drcov", "coverage.drcov", "executed code for Lighthouse and the like (--record blocks)", several=False),
    Format("parquet", "tables", "a folder of tables: triggers, messages, fields, events", is_folder=True),
)
