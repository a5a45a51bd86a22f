"""Two runs compared: their records, aligned by what triggered them (docs/comparing.md, `hds diff`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.comparing.changes import Change as Change, Kind as Kind, Rules as Rules, compare as compare
    from hds.comparing.forms import MARKS as MARKS, change_object as change_object, lines_of as lines_of
    from hds.comparing.runs import Run as Run, hexadecimal_words as hexadecimal_words
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "changes": "Change Kind Rules compare",
            "forms": "MARKS change_object lines_of",
            "runs": "Run hexadecimal_words",
        },
    )
