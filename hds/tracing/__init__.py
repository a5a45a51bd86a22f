"""System calls, decoded: `hds trace` (docs/tracing.md).

A row of `machine/kernel/*/prototypes.py` declares a call; its types are functions of `linux` and `nt_types`.
"""

from __future__ import annotations

from hds.tracing.calls import Call, Calls, Sink
from hds.tracing.lines import Lines, Style
from hds.tracing.selection import Selection, SelectionError
from hds.tracing.summary import Counts
from hds.tracing.systems import Linux, Nt
from hds.tracing.telling import Records

__all__ = ["Call", "Calls", "Counts", "Lines", "Linux", "Nt", "Records", "Selection", "SelectionError", "Sink", "Style"]
