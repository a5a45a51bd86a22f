"""`hds list`: the tables of events, commands, built-in functions, registers, limits, codes and instructions."""

from __future__ import annotations

import argparse
import json

import msgspec

from hds.cli.tables import TABLES, Table
from hds.exit_codes import ExitCode


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds list`."""
    parser.add_argument("table", choices=tuple(TABLES), metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    table: str
    format: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(found.table, found.format)


def run(options: Options) -> ExitCode:
    """Show one table."""
    table = TABLES[options.table]()
    if options.format == "json":
        for row in table.rows:
            print(json.dumps(dict(zip(table.columns, row, strict=True))))
    else:
        print("\n".join(_aligned(table)))
    return ExitCode.OK


def _aligned(table: Table) -> list[str]:
    """The columns with a blank column between them; the last one is not padded."""
    lines = (table.columns, *table.rows)
    widths = [max(len(line[number]) for line in lines) for number in range(len(table.columns))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
