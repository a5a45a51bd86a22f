"""The table that `make bench` ends with: every ratio, its goal, and whether it holds. Exit code 1 where one does not.

Usage: python benchmarks/table.py. Benchmarks that have not run, or were skipped, are named.
"""

from __future__ import annotations

import sys

from rows import Row, kept, table

BENCHMARKS = (
    "start", "triggers", "native", "linux", "windows", "linux_peers", "mappings", "compile", "compactness", "memory",
    "callbacks", "fuzzing", "corpus",
)  # fmt: skip


def main() -> int:
    """Print the table."""
    found: list[Row] = []
    for name in BENCHMARKS:
        rows = kept(name)
        found += rows
        if not rows:
            print(f"{name}: it has not run, or was skipped")
    print("\n".join(table(found)))
    missed = [row.what for row in found if row.holds is False]
    print(f"{len(found)} rows, {sum(row.holds is not None for row in found)} with a goal, {len(missed)} missed")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
