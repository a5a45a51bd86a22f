"""Recorded runs in other forms: a page to look at, and the formats of other tools (docs/reports.md, `hds report`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.exporting.formats import FORMATS as FORMATS, Format as Format
    from hds.exporting.runs import RecordedRun as RecordedRun
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "formats": "FORMATS Format",
            "runs": "RecordedRun",
        },
    )
