"""How it is said, to people and to programs, why a subcommand did not end well.

In JSON mode each failure is one record on standard output: of type `failure`, or, for what does not compile and for
refused commands, of type `finding`, with the same fields and more.
"""

from __future__ import annotations

from hds.report import streams
from hds.report.failures import Failure


def report(failure: Failure, *, as_json: bool, lead: str = "hds: ") -> None:
    """Say it: a record on standard output, or a line or two on standard error."""
    if as_json:
        from hds.report.json_lines import JsonLines  # knows all records, which no other way to end needs

        JsonLines().report(failure)
        return
    streams.say(f"{lead}{failure.message}" + (f"\n  hint: {failure.hint}" if failure.hint else ""))
