"""`hds fuzz`: try the laws on generated cases. Deterministic for a seed and a number of cases; the last line counts."""

from __future__ import annotations

import argparse
from pathlib import Path

from hds.exit_codes import ExitCode
from hds.fuzzing import LAWS, Failure, Law, run as run_campaign, saved
from hds.inputs import add_drives, located, number_of_seconds, refuse
from vm import FileRefused

DEFAULT_SECONDS = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds fuzz`."""
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--cases", type=int, metavar="N", help="stop after so many cases")
    budget.add_argument(
        "--seconds", type=number_of_seconds, metavar="S", help=f"stop after so much time (default {DEFAULT_SECONDS:g})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where the cases come from (default 0)")
    parser.add_argument(
        "--law", action="append", choices=[law.name for law in LAWS], metavar="NAME",
        help="only this law; may be repeated. " + "; ".join(f"{law.name}: {law.doc}" for law in LAWS),
    )  # fmt: skip
    parser.add_argument("--save", metavar="DIR", help="write every failure there, as a .hds file")
    add_drives(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Try cases until the budget is used up; exit code 0 only if no law was broken."""
    laws = tuple(law for law in LAWS if not arguments.law or law.name in arguments.law)
    return fuzz(laws, arguments)


def fuzz(laws: tuple[Law, ...], arguments: argparse.Namespace) -> ExitCode:
    """The campaign with these laws."""
    folder = None if arguments.save is None else Path(located(arguments.save, arguments))
    seconds = arguments.seconds if arguments.cases is not None or arguments.seconds is not None else DEFAULT_SECONDS

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

    passed, failed, skipped = run_campaign(laws, arguments.seed, cases=arguments.cases, seconds=seconds, found=found)
    for name in sorted(skipped):
        print(f"skipped {name}: the native engine is not available")
    print(f"{passed} passed, {failed} failed")
    return ExitCode.FAILED if failed else ExitCode.OK
