"""The table that `make bench` ends with: every ratio, its goal, and whether it holds. Exit code 1 where one does not.

Usage: python benchmarks/table.py [--readme]. With `--readme` the ratios in README.md are those of the table, which is
kept in benchmarks/results.json then; rows of benchmarks that have not run stay there as they were.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from rows import Row, kept, table

README = Path(__file__).parents[1] / "README.md"
RESULTS = Path(__file__).parent / "results.json"  # what README.md shows
BENCHMARKS = (
    "start", "triggers", "native", "linux", "windows", "linux_peers", "mappings", "compile", "compactness", "memory",
    "callbacks", "fuzzing", "corpus",
)  # fmt: skip
_LINE = re.compile(r"^\| (?P<what>[^|]+) \| (?P<ratio>[\d.,]+ x[^|]*) \|$", re.MULTILINE)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the ratios into README.md")
    readme: bool = parser.parse_args().readme
    found: list[Row] = []
    for name in BENCHMARKS:
        rows = kept(name)
        found += rows
        if not rows:
            print(f"{name}: it has not run, or was skipped")
    print("\n".join(table(found)))
    missed = [row.what for row in found if row.holds is False]
    print(f"{len(found)} rows, {sum(row.holds is not None for row in found)} with a goal, {len(missed)} missed")
    if readme:
        shown = {row.what: row for row in (*results(), *found)}
        RESULTS.write_text(json.dumps([asdict(row) for row in shown.values()], indent=1) + "\n")
        README.write_text(with_ratios(README.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return int(bool(missed))


def results() -> list[Row]:
    """The rows that README.md was written from."""
    return [Row(**row) for row in json.loads(RESULTS.read_text())] if RESULTS.exists() else []


def ratios(text: str) -> dict[str, str]:
    """The rows of a page that have a ratio: what is compared, and the ratio."""
    return {match["what"]: match["ratio"] for match in _LINE.finditer(text)}


def with_ratios(text: str, rows: dict[str, Row]) -> str:
    """A page whose rows have the ratios of these. Raises KeyError for what no benchmark has."""
    return _LINE.sub(lambda match: f"| {match['what']} | {rows[match['what']].shown} |", text)


if __name__ == "__main__":
    sys.exit(main())
