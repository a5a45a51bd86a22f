"""`hds report RUN.jsonl...`: recorded runs as a page, or in a format of other tools."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hds.cli.options import Reading, add_limits, options_of
from hds.exit_codes import ExitCode
from hds.exporting import FORMATS, Format, RecordedRun
from hds.inputs import input_lines, refuse, spare
from hds.recorded_runs import BadRun
from hds.report import output, say
from hds.report.records import plural
from hds.session import MissingExtra
from hds.version import install_command
from vm import FileRefused, open_for_writing, reason

_CHUNK = 1 << 20  # bytes
CAMPAIGN = "report"  # where the pages of a campaign go
_IN_MEMORY = 1 << 24  # bytes of the output that wait there until all is read


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds report`."""
    what = "a file of JSON lines (hds run --format json --record triggers), or -; or a folder of hds corpus"
    parser.add_argument("runs", nargs="+", metavar="RUN", help=what)
    forms = "; ".join(f"{row.name}: {row.doc}" for row in FORMATS)
    parser.add_argument("--format", choices=[row.name for row in FORMATS], default=FORMATS[0].name, help=forms)
    files = ", ".join(row.path for row in FORMATS)
    parser.add_argument("-o", "--output", metavar="FILE", help=f"where to write ({files}); - for standard output")
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    runs: tuple[str, ...]
    reading: Reading
    format: Format
    output: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        form = next(row for row in FORMATS if row.name == found.format)
        reading = Reading.of(found)
        usual = CAMPAIGN if any(map(_is_folder, found.runs)) else form.path
        path = reading.locate(usual if found.output is None else found.output)
        return options_of(cls, found, reading=reading, format=form, output=path)


def run(options: Options) -> ExitCode:
    """Read the runs, then write the file; nothing is written where one cannot be read."""
    if options.runs.count("-") > 1:
        refuse("only one of the runs can be standard input", ExitCode.USAGE)
    if len(options.runs) > 1 and not options.format.several:
        refuse(f"a file of the form {options.format.name} has one run", ExitCode.USAGE)
    spare(options.output, *map(options.reading.locate, options.runs))
    if any(map(_is_folder, options.runs)):
        return _campaign(options)
    runs = [_run(path, options.reading) for path in options.runs]
    with _refusing(options.output):
        (_fill if options.format.is_folder else _file)(options, runs)
    for each in runs:
        if not each.ended:
            say(f"hds: {each.name} has no summary: the run did not end, or its end is not in the file")
    if options.output != "-":
        records = plural(sum(each.records for each in runs), "record")
        say(f"hds: {options.output}: {records} of {plural(len(runs), 'run')}")
    return ExitCode.OK


@contextmanager
def _refusing(output: str) -> Iterator[None]:
    """Exits for what keeps a report from being made."""
    try:
        yield
    except BadRun as error:
        refuse(str(error), ExitCode.FAILED, error.hint)
    except MissingExtra as error:
        refuse(str(error), ExitCode.USAGE)
    except FileRefused as error:
        refuse(str(error), ExitCode.NO_INPUT)
    except OSError as error:
        refuse(f"cannot write {output}: {reason(error)}", ExitCode.NO_INPUT)


def _is_folder(path: str) -> bool:
    return path != "-" and Path(path).is_dir()


def _campaign(options: Options) -> ExitCode:
    """Write the pages of a folder of `hds corpus`, the first page last."""
    if len(options.runs) > 1 or options.format is not FORMATS[0] or options.output == "-":
        refuse("the results of hds corpus are shown alone, as a folder of pages", ExitCode.USAGE)
    try:
        from hds.corpus import BadResults, campaign_pages
    except ImportError as error:
        refuse(f"{error.name} is not installed: {install_command('corpus')}", ExitCode.USAGE)
    count = 0
    with _refusing(options.output):
        try:
            for name, data in campaign_pages(options.reading.locate(options.runs[0]), options.reading.limits):
                path = Path(options.output, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(open_for_writing(path), "wb") as file:
                    file.write(data)
                count += 1
        except BadResults as error:
            refuse(str(error), ExitCode.FAILED, error.hint)
    say(f"hds: {Path(options.output, name)}: {plural(count - 1, 'program')}")
    return ExitCode.OK


def _file(options: Options, runs: Sequence[RecordedRun]) -> None:
    """Write the file, when all is read."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as waiting:
        for part in options.format.chunks(runs, options.reading.limits):
            waiting.write(part)
        waiting.seek(0)
        parts = iter(lambda: waiting.read(_CHUNK), b"")
        if options.output == "-":
            for part in parts:
                output().write_bytes(part)
        else:
            with open(open_for_writing(options.output), "wb") as file:
                file.writelines(parts)


def _fill(options: Options, runs: Sequence[RecordedRun]) -> None:
    """Write the files to the folder, when all is read."""
    if options.output == "-":
        refuse(f"{options.format.name} is a folder of files, which standard output cannot be", ExitCode.USAGE)
    target = Path(options.output)
    with tempfile.TemporaryDirectory() as place:
        waiting = Path(place)
        options.format.fill(waiting, runs)
        target.mkdir(exist_ok=True)
        for file in sorted(waiting.iterdir()):
            with open(file, "rb") as made, open(open_for_writing(target / file.name), "wb") as written:
                shutil.copyfileobj(made, written)


def _run(path: str, reading: Reading) -> RecordedRun:
    place = reading.locate(path)
    return RecordedRun(
        "standard input" if path == "-" else path, input_lines(place, reading.limits, "max_record_bytes")
    )
