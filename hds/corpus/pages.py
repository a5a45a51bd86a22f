"""The results of `hds corpus` as pages: one with the tables of all programs, and one for each of the first runs."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike

import msgspec

from hds.corpus.kept import kept_runs
from hds.corpus.refusals import BadResults
from hds.corpus.store import Reading
from hds.corpus.summing import Overview, lists_of, overview
from hds.exporting import RecordedRun, Row, Table, chunks, page, shown
from vm.facts.limits import Limits

INDEX = "index.html"
RUNS = "runs"  # the folder of the other pages


class Program(msgspec.Struct, frozen=True):
    """A row of the table of programs; `page` is where its run is shown."""

    page: str
    path: str
    outcome: str
    reason: str
    triggers: str
    messages: str
    seconds: str


def campaign_pages(folder: str | PathLike[str], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Their names in the folder of the report, and what is in them. Raises BadResults, BadRun, MissingExtra."""
    results = Reading(folder)
    found = overview(results)
    programs = []
    for run in kept_runs(results, limits.max_report_programs):
        row = run.row
        name = f"{RUNS}/{row['key']}.html"
        if not all(char in "0123456789abcdef" for char in row["key"]):
            raise BadResults(f"{folder}: {row['key']!r:.80} is no key of a run")
        yield name, b"".join(chunks([RecordedRun(row["path"] or "", run.lines)], limits))
        triggers, messages = (f"{row[name] or 0:,}" for name in ("triggers", "messages"))
        path, reason, seconds = shown(row["path"] or ""), shown(row["reason"] or ""), f"{row['cpu_seconds'] or 0:,.3f}"
        programs.append(Program(name, path, row["outcome"], reason, triggers, messages, seconds))
    identity = results.identity
    assert identity is not None
    index = page(
        "campaign.html.jinja",
        [],
        name=shown(identity.script),
        made_by=shown(identity.version),
        sums=found,
        tables=list(_tables(found)),
        programs=sorted(programs, key=lambda each: (each.outcome == "ok", each.path)),
    )
    yield INDEX, index


def _tables(found: Overview) -> Iterator[Table]:
    for title, rows in lists_of(found):
        largest = max((value for _, value, _ in rows), default=0) or 1
        made = [Row((shown(name),), text, round(100 * value / largest, 1)) for name, value, text in rows]
        yield Table(title, ("",), made, "")
