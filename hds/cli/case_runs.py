"""A test of a script -> what its run came to, by the same functions that `hds run`, `eval` and `check` are made of.

A test runs in this process, with a session of its own, in the folder of its script, so that files are named from there.
Whatever goes wrong is its own: an outcome or CannotRun, never an exception of another kind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.cli.parsing import WrongWords, parsed, silenced
from hds.cli.subcommands import check, eval as evaluation, run
from hds.exit_codes import ExitCode
from hds.inputs import decode_text, read_bytes
from hds.report import Refusal, StreamFailed, fault_message, fault_span, interruption_named
from hds.report.records import Bytes, Control, GuestOutput, Line, Output, Record, Repeated, Result, Summary, shown
from hds.script_tests import (
    DEFAULT_TIMEOUT,
    CannotRun,
    Case,
    FaultSeen,
    Outcome,
    Status,
    Subcommand,
    TestFile,
    Verdict,
    has_tests,
    judge,
    read_tests,
)
from hds.session import Captured
from lang import Code, Compiler, Diagnostic, Severity, SourceFile
from machine import Message, ScriptFault
from vm import Fault, FaultKind, FileRefused, read_file
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.numbers import SCRIPT, number_in
from vm.facts.registers import REGISTER_INDEX, REGISTERS

if TYPE_CHECKING:
    from hds.session import Session
    from vm import Engine, GlobalStore, Host, Loaded, Program, RunResult

MOST_OUTPUT = 1 << 26  # bytes of output, of the guest's output, and characters of other lines, that a test may have
_MOST_SORTS = 1000  # of run-time errors
_WRONG = (Code.UNASSIGNED_LOCAL,)  # a name that nothing has is a mistake in an expression


def try_case(case: Case, path: str, usual: Usual) -> tuple[Verdict, Outcome | None]:
    """What came of a test, whatever happens. Raises KeyboardInterrupt."""
    folder = Path(case.source.name).parent
    missing = [name for name in case.needs if not (folder / name).exists()]
    if missing:
        return Verdict(case, path, Status.SKIPPED, reason=f"{missing[0]} is not there"), None
    began = time.perf_counter()
    try:
        outcome = carry_out(case, usual)
        mismatches = judge(case, outcome, lambda name: _companion(folder / name, usual.limits))
    except CannotRun as error:
        return Verdict(case, path, Status.ERROR, reason=str(error), seconds=time.perf_counter() - began), None
    status = Status.FAILED if mismatches else Status.PASSED
    return Verdict(case, path, status, mismatches, seconds=time.perf_counter() - began), outcome


def _companion(path: Path, limits: Limits) -> bytes:
    """A file that belongs to a test. Raises OSError."""
    try:
        return read_file(path, limits, "max_file_bytes")
    except FileRefused as error:
        raise OSError(error.reason) from None


def read_file_of_tests(path: str, usual: Usual) -> TestFile | None:
    """The tests of a file; None where it has none. Raises InputError."""
    data = read_bytes(path, usual.limits)
    if not has_tests(data):
        return None
    found = read_tests(SourceFile(path, decode_text(path, data)), path, usual.limits)
    errors = [
        Diagnostic(Code.BAD_TEST_COMMAND, f"hds {case.subcommand.value}: {wrong}", case.words_span)
        for case in found.cases
        if (wrong := wrong_words(case, usual)) is not None
    ]
    return replace(found, cases=(), errors=tuple(errors)) if errors else found


def carry_out(case: Case, usual: Usual) -> Outcome:
    """Run a test. Raises CannotRun, and KeyboardInterrupt."""
    folder = Path(case.source.name).parent
    try:
        with _in_folder(folder), silenced():
            return _CARRY_OUT[case.subcommand](case, _inner_source(case), usual)
    except Refusal as refusal:
        failure = refusal.failure
        said = [failure.message, *([f"hint: {failure.hint}"] if failure.hint else [])]
        return Outcome(int(failure.kind.exit_code), failure.message, said=said)
    except (CannotRun, KeyboardInterrupt):
        raise
    except MemoryError:
        raise CannotRun("the host gives no more memory") from None
    except OSError as error:
        raise CannotRun(f"the host says: {error}") from None
    except StreamFailed as error:
        raise CannotRun(str(error)) from None
    except Exception as error:
        if os.environ.get("HDS_TRACEBACK"):
            raise
        message = f"internal error: {type(error).__name__}: {error} (a bug in hds; HDS_TRACEBACK=1 shows where)"
        raise CannotRun(message) from None


def wrong_words(case: Case, usual: Usual) -> str | None:
    """What is wrong with the command line of a test, without running it."""
    try:
        given = _parsed(case, usual)
    except CannotRun as error:
        return str(error)
    if case.subcommand is Subcommand.RUN:
        if given.stdin == "-":
            return "a test has no standard input: `--stdin FILE`"
        if given.execute is not None:
            return "a test runs the file that it stands in: `-e` has no place"
        if given.allow_modules and not usual.allow_modules:
            return "`--allow-modules` lets a test load code: `hds test --allow-modules` allows it"
    elif given.execute is not None or getattr(given, "file", None) or getattr(given, "files", None):
        return "a test runs the file that it stands in; no other one is named"
    return None


def _inner_source(case: Case) -> SourceFile:
    """The text under the name that it has in its own folder."""
    return SourceFile(Path(case.source.name).name, case.source.text)


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# --- command lines


class Usual(msgspec.Struct, frozen=True):
    """What holds for every test: `words` are options in front of its own, where its subcommand has them."""

    limits: Limits = DEFAULT_LIMITS
    words: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT  # seconds, for tests that have none of their own
    allow_modules: bool = False

    def timeout_of(self, case: Case) -> float:
        """Seconds of real time that a test has."""
        return self.timeout if case.timeout is None else case.timeout


_CONFIGURE = {
    Subcommand.RUN: run.configure,
    Subcommand.EVAL: evaluation.configure,
    Subcommand.CHECK: check.configure,
}


def _parsed(case: Case, usual: Usual, *first: str) -> argparse.Namespace:
    """The options of a test. Raises CannotRun."""
    name = case.subcommand.value
    try:
        return parsed(name, _CONFIGURE[case.subcommand], case.words, (*first, *usual.words))
    except WrongWords as error:
        raise CannotRun(str(error)) from None


# --- run


class TooMuch(CannotRun):
    """A test writes more than is kept."""

    def __init__(self) -> None:
        super().__init__(f"the test writes more than {MOST_OUTPUT >> 20} MiB")


class _Collector(msgspec.Struct):
    """The reporter of a test: keeps what is said, up to `MOST_OUTPUT` of each kind."""

    outcome: Outcome
    output: bytearray = msgspec.field(default_factory=bytearray)
    guest: bytearray = msgspec.field(default_factory=bytearray)
    summary: Summary | None = None
    _sorts: set[FaultSeen] = msgspec.field(default_factory=set)
    _said: int = 0

    def report(self, record: Record, /) -> None:
        """Keep it."""
        match record:
            case Message():
                self._add(self.output, record.text)
            case Result():
                self._add(self.output, record.text.encode("utf-8", "surrogateescape"))
            case GuestOutput():
                self._add(self.guest, record.data)
            case Summary():
                self.summary = record
            case Diagnostic():
                self.outcome.findings.append(record)
                self._say(record)
            case ScriptFault():
                self._fault(record.program.program, record.fault)
                self._say(record)
            case _:
                self._say(record)

    def _add(self, stream: bytearray, data: bytes) -> None:
        if len(stream) + len(data) > MOST_OUTPUT:
            raise TooMuch
        stream += data

    def _fault(self, program: Program, fault: Fault) -> None:
        seen = seen_fault(program, fault)
        if seen not in self._sorts and len(self._sorts) < _MOST_SORTS:
            self._sorts.add(seen)
            self.outcome.faults.append(seen)

    def _say(self, record: Record) -> None:
        form = shown(record)
        match form:
            case Line(text):
                pass
            case Repeated():
                text = form.describe()[1]
            case Output(text) | Control(text):
                pass
            case Bytes(data):
                text = data.decode("utf-8", "surrogateescape")
            case _:
                return
        self._said += len(text)
        if self._said > MOST_OUTPUT:
            raise TooMuch
        self.outcome.said += text.split("\n")


def seen_fault(program: Program, fault: Fault) -> FaultSeen:
    """A run-time error as tests know it."""
    span = fault_span(program, fault)
    place = (None, None, None) if span is None else (span.file.name, span.line, span.column)
    return FaultSeen(fault.kind.value, *place)


def _run(case: Case, source: SourceFile, usual: Usual) -> Outcome:
    given = _parsed(case, usual, f"--timeout={usual.timeout_of(case):g}")
    given.words = [source.name, *given.words]
    options = run.Options.of(given)
    outcome = Outcome()
    collector = _Collector(outcome)

    def look(session: Session) -> None:
        def run_on(loaded: Loaded, host: Host) -> RunResult:
            with session.machine.run_loop.guarding(usual.timeout_of(case)):
                return session.engine.run(loaded, host)

        host = session.machine.host_for_commands()
        evaluator = _Evaluator(session.scripts.compiler, session.engine, session.store, host, run_on)
        _look(case, outcome, host, evaluator.value)

    text = options.session.compiling.with_arguments(source)
    outcome.exit_code = int(run.carry_out(options, text, None, collector, ended=look))
    outcome.output, outcome.guest = bytes(collector.output), bytes(collector.guest)
    summary = collector.summary
    if summary is not None:
        interruption = interruption_named(summary.cause)
        if interruption is not None:
            raise interruption
        outcome.failure = summary.stopped if outcome.exit_code else None
        outcome.guest_exit_code = summary.exit_code
        outcome.totals = _totals(summary)
        outcome.events = {
            event.number: {"triggers": event.triggers, "errors": event.errors} for event in summary.events
        }
    return outcome


def _totals(summary: Summary) -> dict[str, int]:
    names = ("triggers", "messages", "instructions", "script_errors", "code_errors", "refused_commands", "breaks")
    return {name: getattr(summary, name) for name in names} | {"lost_messages": summary.losses.messages}


# --- eval and check


def _eval(case: Case, source: SourceFile, usual: Usual) -> Outcome:
    options = evaluation.Options.of(_parsed(case, usual))
    text = options.compiling.with_arguments(source)
    evaluated = evaluation.evaluate(options, text, shows=False, timeout=usual.timeout_of(case))
    made, result, host = evaluated.made, evaluated.result, evaluated.host
    findings = list(made.diagnostics)
    if result is None or made.program is None:
        first = next(item for item in findings if item.severity is Severity.ERROR)
        return Outcome(int(ExitCode.FAILED), first.message, findings=findings)
    output = b"".join(host.messages)
    if host.unkept_messages or len(output) > MOST_OUTPUT:
        raise CannotRun("the script prints more messages than are kept (limit max_kept_messages)")
    outcome = Outcome(output=output, findings=findings)
    if result.fault is not None and result.fault.kind is FaultKind.INTERRUPTED:  # or KeyboardInterrupt were raised
        outcome.exit_code, outcome.failure = int(ExitCode.LIMIT), "stopped: timeout"
    elif result.fault is not None:
        outcome.exit_code, outcome.failure = int(ExitCode.RUNTIME), fault_message(result.fault)
        outcome.faults = [seen_fault(made.program, result.fault)]

    def run_on(loaded: Loaded, host: Host) -> RunResult:
        return evaluation.run_on(evaluated.engine, loaded, host, usual.timeout_of(case))

    compiler = options.compiling.compiler()
    evaluator = _Evaluator(compiler, evaluated.engine, evaluated.store, host, run_on)
    _look(case, outcome, host, evaluator.value)
    return outcome


def _check(case: Case, source: SourceFile, usual: Usual) -> Outcome:
    options = check.Options.of(_parsed(case, usual))
    text = options.compiling.with_arguments(source)
    findings = options.selection.of_all(check.check(text, options))
    is_wrong = any(item.severity is Severity.ERROR for item in findings)
    return Outcome(int(ExitCode.FAILED if is_wrong else ExitCode.OK), findings=findings)


_CARRY_OUT = {Subcommand.RUN: _run, Subcommand.EVAL: _eval, Subcommand.CHECK: _check}


# --- what is looked at when it is over


def _look(case: Case, outcome: Outcome, host: Host, evaluate: Callable[[str], int | str]) -> None:
    """Registers, memory and values that the test asks for."""
    for register in case.registers:
        view = REGISTERS[REGISTER_INDEX[register.name]]
        outcome.registers[register.name] = view.extract(host.read_register(view.storage))
    for row in case.memory:
        outcome.memory[row.address, len(row.data)] = host.read_memory(row.address, len(row.data))
    for each in case.values:
        outcome.values[each.expression] = evaluate(each.expression)


class _Evaluator(msgspec.Struct, frozen=True):
    """Expressions of the script language after a run, which see the script's globals."""

    compiler: Compiler
    engine: Engine
    store: GlobalStore
    host: Host
    run: Callable[[Loaded, Host], RunResult]

    def value(self, expression: str) -> int | str:
        """The value of an expression, or why it has none."""
        source = SourceFile("value", expression)
        compiler = replace(self.compiler, portability=False)
        made = compiler.compile(source, 0, len(expression), expression=True)
        wrong = next((item.message for item in made.diagnostics if item.code in _WRONG or _is_error(item)), None)
        if made.program is None or wrong is not None:
            return wrong or "it does not compile"
        host = Captured(self.host)
        result = self.run(self.engine.load(made.program, self.store), host)
        if result.fault is not None:
            return fault_message(result.fault)
        value = number_in(host.text.decode("utf-8", "replace").strip(), SCRIPT)
        return "it is no whole number" if value is None else value


def _is_error(item: Diagnostic) -> bool:
    return item.severity is Severity.ERROR
