"""The guest has come to a stop, or commands are done."""

from __future__ import annotations

import msgspec

from hds.report.records.shown import Settle


class Settled(msgspec.Struct, frozen=True):
    """The guest has come to a stop, or commands are done: a renderer that only counts something says it now.

    Programs are not told: the record that follows says why.
    """


def shown(settled: Settled) -> Settle:
    """What was counted."""
    return Settle()
