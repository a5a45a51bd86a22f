"""Recorded runs in other forms: a page to look at, and the formats of other tools (docs/reports.md, `hds report`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.exporting.formats import FORMATS as FORMATS, Format as Format
    from hds.exporting.html import chunks as chunks, page as page
    from hds.exporting.runs import RecordedRun as RecordedRun, shown as shown
    from hds.exporting.views import Row as Row, Table as Table
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "formats": "FORMATS Format",
            "html": "chunks page",
            "runs": "RecordedRun shown",
            "views": "Row Table",
        },
    )
