"""`hds fuzz`: try the laws on generated cases. Deterministic for a seed and a number of cases; the last line counts."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import msgspec

from hds.cli.options import Reading, add_drives, number_of_seconds, options_of
from hds.exit_codes import ExitCode
from hds.fuzzing import LAWS, Failure, HypothesisMissing, Kept, Law, require_hypothesis, run as run_campaign, saved
from hds.inputs import refuse
from vm import FileRefused

DEFAULT_SECONDS = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds fuzz`."""
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--cases", type=_count, metavar="N", help="stop after so many cases")
    budget.add_argument(
        "--seconds", type=number_of_seconds, metavar="S", help=f"stop after so much time (default {DEFAULT_SECONDS:g})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where the cases come from (default 0)")
    parser.add_argument(
        "--law", action="append", choices=[law.name for law in LAWS], metavar="NAME",
        help="only this law; may be repeated. " + "; ".join(f"{law.name}: {law.doc}" for law in LAWS),
    )  # fmt: skip
    parser.add_argument(
        "--database", metavar="DIR", help="keep failures there (a database of Hypothesis), and try those first"
    )
    parser.add_argument("--save", metavar="DIR", help="write every failure there, as a .hds file")
    add_drives(parser)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of cases")
    return int(text)


class Options(msgspec.Struct, frozen=True):
    """What the command line says; without `law` all are tried."""

    cases: int | None
    seconds: float | None
    seed: int
    law: tuple[str, ...] | None
    save: str | None
    database: str | None
    reading: Reading

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, reading=Reading.of(found))


def run(options: Options) -> ExitCode:
    """Try cases until the budget is used up; exit code 0 only if no law was broken."""
    try:
        require_hypothesis()
    except HypothesisMissing as error:
        refuse(str(error), ExitCode.USAGE, "it makes failing cases small")
    laws = tuple(law for law in LAWS if not options.law or law.name in options.law)
    return fuzz(laws, options)


def fuzz(laws: tuple[Law, ...], options: Options) -> ExitCode:
    """The campaign with these laws."""
    folder = None if options.save is None else _folder("--save", options.reading.locate(options.save))
    seconds = options.seconds if options.cases is not None or options.seconds is not None else DEFAULT_SECONDS

    database = options.database
    kept = None if database is None else Kept(_folder("--database", options.reading.locate(database)))

    def found(failure: Failure) -> None:
        print(f"FAILED {failure.law.name}, seed {failure.seed}, case {failure.number}: {failure.why}", flush=True)
        if folder is not None:
            try:
                print(f"  saved as {saved(failure, folder)}")
            except FileRefused as error:
                refuse(str(error), ExitCode.NO_INPUT)
            except OSError as error:
                refuse(f"cannot write to {folder}: {error.strerror}", ExitCode.NO_INPUT)
        elif isinstance(failure.case, str):
            print("\n".join("    " + line for line in failure.case.splitlines()))

    passed, failed, skipped = run_campaign(
        laws, options.seed, cases=options.cases, seconds=seconds, found=found, kept=kept
    )
    for name in sorted(skipped):
        print(f"skipped {name}: the native engine is not available")
    print(f"{passed} passed, {failed} failed")
    return ExitCode.FAILED if failed else ExitCode.OK


def _folder(option: str, path: str) -> Path:
    """A folder that is made where there is none; refused where nothing can be written, before any case is tried."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        refuse(f"{option}: cannot write to {path}: {error.strerror}", ExitCode.NO_INPUT)
