"""`hds conform FILE.jsonl...`: run conformance vectors on one engine or both, and say which fail and how.

A language vector gives a script, the start of registers and memory, and what must be the case afterwards. A portability
row gives a script, what it does here, and the id that the checker must name for it (unless it depends on run-time
values).
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import msgspec

from hds.cli.options import Reading, add_drives, add_engine, add_limits, options_of
from hds.exit_codes import ExitCode
from hds.inputs import decode_text, read_bytes, refuse
from hds.session import ENGINES, load_engine

if TYPE_CHECKING:
    from hds.cli.conformance import Verdict


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds conform`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="vectors, one JSON object a line; - for stdin")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    add_engine(parser, "both")
    add_drives(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    files: tuple[str, ...]
    format: str
    engine: str
    reading: Reading

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, reading=Reading.of(found))


def run(options: Options) -> ExitCode:
    """Run all vectors; the last line counts them."""
    from hds.cli.conformance import MalformedVector, Runner, read_vectors

    reading, limits = options.reading, options.reading.limits
    names = ENGINES if options.engine == "both" else (options.engine,)
    runner = Runner([load_engine(name, limits) for name in names], limits)
    passed = failed = 0
    for path in options.files:
        try:
            vectors = read_vectors(decode_text(path, read_bytes(reading.locate(path), limits)))
        except MalformedVector as error:
            refuse(f"{path}: {error}", ExitCode.FAILED)
        for vector in vectors:
            verdict = runner.judge(vector)
            passed, failed = passed + verdict.passed, failed + (not verdict.passed)
            _show(verdict, options.format)
    total = {"passed": passed, "failed": failed}
    print(json.dumps(total) if options.format == "json" else f"{passed} passed, {failed} failed")
    return ExitCode.FAILED if failed else ExitCode.OK


def _show(verdict: Verdict, form: str) -> None:
    if form == "json":
        row = {"id": verdict.id, "passed": verdict.passed, "differences": list(verdict.differences)}
        sys.stdout.write(json.dumps(row) + "\n")
    elif not verdict.passed:
        script = "\n".join("    " + line for line in verdict.script.splitlines())
        print(f"FAILED {verdict.id}\n  script:\n{script}")
        for difference in verdict.differences:
            print(f"  {difference}")
