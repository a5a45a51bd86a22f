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

from hds.exit_codes import ExitCode
from hds.inputs import add_drives, add_limits, chosen_limits, decode_text, located, read_bytes, refuse
from hds.session import ENGINES, add_engine, load_engine

if TYPE_CHECKING:
    from hds.cli.conformance import Verdict


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds conform`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="vectors, one JSON object a line; - for stdin")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    add_engine(parser, "both")
    add_drives(parser)
    add_limits(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run all vectors; the last line counts them."""
    from hds.cli.conformance import MalformedVector, Runner, read_vectors

    limits = chosen_limits(arguments)
    names = ENGINES if arguments.engine == "both" else (arguments.engine,)
    runner = Runner([load_engine(name, limits) for name in names], limits)
    passed = failed = 0
    for path in arguments.files:
        try:
            vectors = read_vectors(decode_text(path, read_bytes(located(path, arguments), limits)))
        except MalformedVector as error:
            refuse(f"{path}: {error}", ExitCode.FAILED)
        for vector in vectors:
            verdict = runner.judge(vector)
            passed, failed = passed + verdict.passed, failed + (not verdict.passed)
            _show(verdict, arguments.format)
    total = {"passed": passed, "failed": failed}
    print(json.dumps(total) if arguments.format == "json" else f"{passed} passed, {failed} failed")
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
