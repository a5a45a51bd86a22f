"""The guest has come to a stop, or commands are done."""

from __future__ import annotations

from dataclasses import dataclass

from hds.report.records.shown import Settle


@dataclass(frozen=True, slots=True)
class Settled:
    """The guest has come to a stop, or commands are done: a renderer that only counts something says it now.

    Programs are not told: the record that follows says why.
    """


def shown(settled: Settled) -> Settle:
    """What was counted."""
    return Settle()
