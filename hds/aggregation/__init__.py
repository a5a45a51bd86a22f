"""Counts, sums and histograms of what triggers and messages say (`hds run --aggregate`, docs/aggregation.md)."""

from __future__ import annotations

from hds.aggregation.grammar import Aggregate, AggregateError, parse
from hds.aggregation.groups import Aggregation

__all__ = ["Aggregate", "AggregateError", "Aggregation", "parse"]
