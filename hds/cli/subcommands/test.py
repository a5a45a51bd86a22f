"""`hds test`: run the tests that stand in comments of script files, and say what differs (docs/testing.md)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.cli.colours import Colour, show
from hds.cli.options import Reading, add_limits, number_of_seconds, options_of
from hds.exit_codes import ExitCode
from hds.inputs import InputError, spare
from hds.report import output, refuse, say
from hds.session import ENGINES
from vm import FileRefused, write_file
from vm.facts.limits import LIMITS

if TYPE_CHECKING:
    from hds.cli.case_runs import Usual
    from hds.script_tests import Choice, Edit, Outcome, TestFile, Verdict

DEFAULT_TIMEOUT = 10.0
_WIDTH = 80
_REWRITTEN = ("output", "guest")  # the mismatches that --update takes away


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds test`."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="script files, and folders of them (*.hds, *.ds); default: this folder"
    )
    parser.add_argument(
        "-k",
        dest="choice",
        metavar="EXPR",
        help="only tests whose PATH::NAME has these words; and, or, not, parentheses between them",
    )
    parser.add_argument("--junit", metavar="FILE", help="write what came of the tests as JUnit XML")
    parser.add_argument(
        "--update", action="store_true", help="rewrite the expected lines of tests that differ, and their out-files"
    )
    parser.add_argument("--list", action="store_true", help="show the names of the tests and run none")
    parser.add_argument("--pass-without-tests", action="store_true", help="exit code 0, not 3, where there is no test")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each test")
    parser.add_argument("-x", "--exit-first", action="store_true", help="end at the first test that fails")
    parser.add_argument(
        "--timeout",
        type=number_of_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="real time of a test that says none itself (default 10)",
    )
    parser.add_argument("--engine", choices=tuple(ENGINES), help="what runs the bytecode (default: as the subcommand)")
    parser.add_argument("--allow-modules", action="store_true", help="let tests use --allow-modules, which loads code")
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says; `limits` are the flags of those that are given."""

    paths: tuple[str, ...]
    reading: Reading
    limits: tuple[str, ...]
    choice: str | None
    junit: str | None
    update: bool
    list: bool
    pass_without_tests: bool
    verbose: bool
    exit_first: bool
    timeout: float
    engine: str | None
    allow_modules: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        given = ((row.name, getattr(found, row.name)) for row in LIMITS)
        flags = tuple(f"--{name.replace('_', '-')}={value}" for name, value in given if value is not None)
        return options_of(cls, found, reading=Reading.of(found), limits=flags)

    def usual(self) -> Usual:
        """What holds for every test."""
        from hds.cli.case_runs import Usual

        engine = () if self.engine is None else (f"--engine={self.engine}",)
        return Usual(self.reading.limits, (*engine, *self.limits), self.timeout, self.allow_modules)


class _Found(msgspec.Struct):
    """The files that were asked for, and what could not be read."""

    files: list[TestFile] = msgspec.field(default_factory=list)
    unread: list[str] = msgspec.field(default_factory=list)

    @property
    def count(self) -> int:
        """How many tests they have."""
        return sum(len(file.cases) for file in self.files)


def run(options: Options) -> ExitCode:
    """Collect, run, report."""
    usual = options.usual()
    found = _collect(options, usual)
    wrong = [file for file in found.files if file.errors]
    if options.junit is not None:
        spare(options.reading.locate(options.junit), *(file.path for file in found.files))
    if options.list:
        for file in found.files:
            for case in file.cases:
                show(f"{file.path}::{case.name}")
    else:
        _heading("hds test")
        show(f"collected {_plural(found.count, 'test')} from {_plural(len(found.files), 'file')}")
    verdicts = [] if options.list else _run_all(found.files, options, usual)
    _report_errors(wrong, found.unread)
    if not options.list:
        _report(verdicts, wrong, found.unread)
    if options.junit is not None and not options.list:
        _write_junit(options, found.files, verdicts)
    if wrong or any(verdict.is_bad for verdict in verdicts):
        return ExitCode.FAILED
    if found.unread:
        return ExitCode.NO_INPUT
    if not found.count and not options.pass_without_tests:
        refuse("there is no test", ExitCode.NO_INPUT, "a test is a comment `// test: NAME` in a script; see `-k` too")
    return ExitCode.OK


# --- collecting


def _collect(options: Options, usual: Usual) -> _Found:
    from hds.cli.case_runs import read_file_of_tests
    from hds.script_tests import BadExpression, Choice

    try:
        choice = None if options.choice is None else Choice(options.choice)
    except BadExpression as error:
        refuse(f"-k {options.choice}: {error}", ExitCode.USAGE, "words, and, or, not, parentheses")
    found = _Found()
    for path in _paths(options, found):
        try:
            file = read_file_of_tests(path, usual)
        except InputError as error:
            found.unread.append(str(error))
            continue
        if file is not None:
            file = _chosen(file, choice)
        if file is not None:
            found.files.append(file)
    return found


def _paths(options: Options, found: _Found) -> Iterator[str]:
    """Every file once, in order."""
    from hds.script_tests import TooManyFiles, script_files

    seen: set[str] = set()
    for given in options.paths or (".",):
        path = options.reading.locate(given)
        try:
            files = script_files(path) if os.path.isdir(path) else iter((os.path.normpath(path),))
            for each in files:
                if each not in seen:
                    seen.add(each)
                    yield each
        except OSError as error:
            found.unread.append(f"cannot read {given}: {error.strerror}")
        except TooManyFiles as error:
            refuse(str(error), ExitCode.USAGE, "name fewer folders")


def _chosen(file: TestFile, choice: Choice | None) -> TestFile | None:
    """A file with the tests that are wanted; None where none is. Faulty files stay, but for those that -k excludes."""
    if choice is None:
        return file
    cases = tuple(case for case in file.cases if choice.takes(f"{file.path}::{case.name}"))
    return replace(file, cases=cases) if cases or (file.errors and choice.takes(file.path)) else None


# --- running


def _run_all(files: Sequence[TestFile], options: Options, usual: Usual) -> list[Verdict]:
    """Run the tests in order, with a row of letters for each file, or a line for each test."""
    from hds.cli.case_runs import try_case

    verdicts: list[Verdict] = []
    total = sum(len(file.cases) for file in files)
    for file in files:
        if not file.cases:
            continue
        if not options.verbose:
            show(f"{file.path} ", end="")
        edits: list[Edit] = []
        letters = 0
        for case in file.cases:
            verdict, outcome = try_case(case, file.path, usual)
            if options.update and outcome is not None and verdict.mismatches:
                verdict = _update(verdict, outcome, edits)
            verdicts.append(verdict)
            letters += 1
            _show_progress(verdict, options.verbose, 100 * len(verdicts) // total)
            if options.exit_first and verdict.is_bad:
                break
        if not options.verbose:
            used = len(file.path) + 1 + letters
            show(f"{100 * len(verdicts) // total:>{max(1, _WIDTH - 2 - used)}}%".rjust(5), Colour.CYAN)
        if edits:
            _rewrite(file, edits)
        if options.exit_first and verdicts[-1].is_bad:
            break
    return verdicts


def _show_progress(verdict: Verdict, verbose: bool, percent: int) -> None:
    colour = _colour(verdict)
    if verbose:
        word = "UPDATED" if verdict.updated else verdict.status.word
        show(f"{verdict.id} ", end="")
        show(f"{word} [{percent:>3}%]", colour)
    else:
        show("u" if verdict.updated else verdict.status.letter, colour, end="")
        output().flush()


def _colour(verdict: Verdict) -> Colour:
    from hds.script_tests import Status

    if verdict.updated or verdict.status is Status.SKIPPED:
        return Colour.YELLOW
    return Colour.RED if verdict.is_bad else Colour.GREEN


# --- updating


def _update(verdict: Verdict, outcome: Outcome, edits: list[Edit]) -> Verdict:
    """Note what the file becomes, write companion files, and leave only what that does not cure."""
    from hds.script_tests import Status, edits as edits_of, files as files_of

    case = verdict.case
    made = edits_of(case, outcome)
    cured = {edit.start for edit in made}
    edits += made
    for name, data in files_of(case, outcome).items():
        target = Path(case.source.name).parent / name
        if not _may_write(target, Path(case.source.name).parent):
            say(f"hds: {target} is not written: it is neither below the folder of the script nor below this one")
            continue
        try:
            write_file(target, data)
        except FileRefused as error:
            say(f"hds: {error}")
            continue
        cured |= {sequence.span.start for sequence in case.sequences if sequence.file == name}
    left = tuple(each for each in verdict.mismatches if each.kind not in _REWRITTEN or each.span.start not in cured)
    if len(left) == len(verdict.mismatches):
        return verdict
    return replace(verdict, mismatches=left, status=Status.FAILED if left else Status.PASSED, updated=not left)


def _may_write(target: Path, folder: Path) -> bool:
    """Whether a file that a test names lies where the user has sent hds."""
    place = target.resolve()
    return any(place.is_relative_to(each.resolve()) for each in (folder, Path()))


def _rewrite(file: TestFile, edits: Sequence[Edit]) -> None:
    from hds.script_tests import apply

    try:
        write_file(file.source.name, apply(file.source.text, edits).encode())
    except FileRefused as error:
        refuse(str(error), ExitCode.NO_INPUT)


# --- reporting


def _report_errors(wrong: Sequence[TestFile], unread: Sequence[str]) -> None:
    """Files whose directives are faulty, and those that cannot be read."""
    from lang import render

    if wrong:
        _heading("ERRORS")
    for file in wrong:
        for item in file.errors:
            show(render(item))
    for message in unread:
        say(f"hds: {message}")


def _report(verdicts: Sequence[Verdict], wrong: Sequence[TestFile], unread: Sequence[str]) -> None:
    from hds.script_tests import Status, failure_lines

    bad = [verdict for verdict in verdicts if verdict.is_bad]
    if bad:
        _heading("FAILURES")
    for verdict in bad:
        show(f" {verdict.id} ".center(_WIDTH, "_"), Colour.RED)
        for line in failure_lines(verdict):
            colour = {"-": Colour.GREEN, "+": Colour.RED}.get(line[:1], Colour.PLAIN)
            show(line, colour)
    if any(each.kind in _REWRITTEN for verdict in bad for each in verdict.mismatches):
        show("hint: `hds test --update` writes what came into the files, where that is what was meant")
    told = [verdict for verdict in verdicts if verdict.is_bad or verdict.status is Status.SKIPPED]
    if told or wrong:
        _heading("short summary")
    for verdict in told:
        why = verdict.reason or (verdict.mismatches[0].message if verdict.mismatches else "")
        show(f"{verdict.status.word} {verdict.id} - {why}")
    for file in wrong:
        show(f"ERROR {file.path} - {file.errors[0].code}: {file.errors[0].message}")
    counts = [(status.value, sum(verdict.status is status for verdict in verdicts)) for status in Status]
    updated = sum(verdict.updated for verdict in verdicts)
    parts = [f"{count} {name}" for name, count in counts if count]
    parts += [f"{updated} updated"] if updated else []
    errors = len(wrong) + len(unread)
    parts += [f"{_plural(errors, 'file')} with errors"] if errors else []
    _heading(", ".join(parts) or "no tests", Colour.RED if bad or errors else Colour.GREEN)


def _write_junit(options: Options, files: Sequence[TestFile], verdicts: Sequence[Verdict]) -> None:
    from hds.script_tests import junit

    assert options.junit is not None
    try:
        write_file(options.reading.locate(options.junit), junit(files, verdicts))
    except FileRefused as error:
        raise InputError(str(error)) from None


def _heading(text: str, colour: Colour = Colour.BOLD) -> None:
    show(f" {text} ".center(_WIDTH, "="), colour)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
