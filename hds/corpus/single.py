"""One program, run in this process: the records of `hds run --format json` as lines, in a buffer.

It is called in a process that was forked for it and ends behind it (`fork_server`).
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hds.corpus.campaign import Campaign
from hds.report import Failure, FailureKind
from hds.report.records import Record, json_object
from hds.session import Prepared, Session, failure_of, stopped_early, summarize
from lang import Compiler, Severity, SourceFile, SymbolTable
from machine import LoadError, MachineOptions, Program
from machine.kernel import World
from vm import Engine, read_bundle

_MAGIC = {b"\x7fELF": "linux", b"MZ": "nt"}
MOST_BYTES = 256 << 20  # of the lines of one program; what comes behind is counted only


class Lines:
    """The reporter of a run: records as JSON lines, as many as `max_kept_messages`."""

    def __init__(self, most: int) -> None:
        self.lines: list[bytes] = []
        self._left = most
        self._bytes = MOST_BYTES
        self._unkept = 0

    def report(self, record: Record, /) -> None:
        """Keep it, if there is room."""
        made = json_object(record)
        if made is None:
            return
        if not self._left:
            self._unkept += 1
            return
        line = _line(made)
        if len(line) > self._bytes:
            self._left = 0
            self._unkept += 1
            return
        self._left -= 1
        self._bytes -= len(line)
        self.lines.append(line)

    def conclude(self, *records: Record) -> bytes:
        """All lines, and those that say what came of the run, for which there is always room."""
        last = [_line(made) for record in records if (made := json_object(record)) is not None]
        unkept = [_line({"type": "unkept", "count": self._unkept})]
        return b"".join([*self.lines, *unkept, *last])


def _line(made: dict[str, object]) -> bytes:
    return json.dumps(made).encode() + b"\n"


class Waiting(msgspec.Struct, frozen=True):
    """A session without a program, and its script; None where that is compiled when the program is known."""

    session: Session
    lines: Lines
    prepared: Prepared | None


def run_program(
    campaign: Campaign, engine: Engine, data: bytes, kind: str | None, waiting: Waiting | None = None
) -> bytes:
    """Run a program, in a session that waits for it if there is one; what came of it as JSON lines, whatever it is."""
    waiting = waiting or waiting_session(campaign, engine)
    lines = waiting.lines
    try:
        load(campaign, waiting.session, data, kind)
    except LoadError as error:
        return lines.conclude(Failure(FailureKind.LOAD, str(error), error.hint or None))
    with waiting.session as session:
        prepared = waiting.prepared or prepare(session, campaign)
        if prepared.has_errors:
            first = next(item for item in prepared.diagnostics if item.severity is Severity.ERROR)
            return lines.conclude(Failure(FailureKind.COMPILE, first.message, first.hint, first.code))
        session.perform(prepared, keeps_going=False)
        if session.guest_alive and not session.ended and not stopped_early(session):
            session.run()
    return conclusion(session, lines)


def conclusion(session: Session, lines: Lines) -> bytes:
    """All lines of a run that is over."""
    summary = summarize(session)
    failure = failure_of(session, summary, fail_on_break=False, fail_on_script_errors=False)
    return lines.conclude(*([] if failure is None else [failure]), summary)


def waiting_session(campaign: Campaign, engine: Engine, kernel: str | None = None) -> Waiting:
    """A session that waits for its program: all that can be made before that is known.

    With `kernel` its program is going to be one for that. Raises machine.memory.MapError, vm.HostMemoryError.
    """
    settings = campaign.settings
    lines = Lines(settings.limits.max_kept_messages)
    root = None if settings.root is None else Path(settings.root)
    compiler = Compiler(
        settings.limits, tuple(map(Path, settings.folders)), symbols=SymbolTable(settings.symbols), portability=False
    )
    session = Session(
        options=MachineOptions(
            limits=replace(settings.limits, max_kept_messages=0),
            kernel=settings.kernel,
            world=World(root, seed=settings.seed),
        ),
        engine=engine,
        compiler=compiler,
        reporter=lines,
        record=settings.record,
    )
    session.names_places = True
    session.timeout = campaign.budget.timeout
    if kernel is not None:
        session.machine.make_ready(kernel)
    return Waiting(session, lines, prepare(session, campaign) if campaign.is_compiled else None)


def load(campaign: Campaign, session: Session, data: bytes, kind: str | None) -> None:
    """Load a program. What it is called does not depend on its file's name. Raises machine.LoadError."""
    settings = campaign.settings
    program = Program(
        data,
        settings.kind or kind,
        name=settings.name or usual_name(data),
        arguments=settings.arguments,
        environment=settings.environment,
    )
    session.load(program)


def kernel_of(campaign: Campaign, data: bytes, kind: str | None) -> str | None:
    """For which kernel a program is made, by its first bytes; None where they do not tell."""
    if campaign.settings.kind or kind:
        return None
    return next((kernel for magic, kernel in _MAGIC.items() if data.startswith(magic)), None)


def usual_name(data: bytes) -> str:
    """What a program is called where nothing else is said."""
    return "program.exe" if data[:2] == b"MZ" else "program"


def prepare(session: Session, campaign: Campaign) -> Prepared:
    """The script's commands, ready to be carried out."""
    bundle = read_bundle(campaign.bundle)
    compiled = dict(bundle.programs) if campaign.is_compiled else None
    return session.prepare(SourceFile(bundle.name, bundle.text), compiled)
