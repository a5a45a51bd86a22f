"""THE table of directives, and the block that they fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from hds.script_tests import values
from hds.script_tests.cases import (
    Bound,
    Bytes,
    Case,
    Claim,
    Item,
    Place,
    RegisterValue,
    Sequence,
    Subcommand,
    ValueOf,
)
from lang import Code, Diagnostics, SourceFile, Span
from vm import FaultKind

LONGEST_TIMEOUT = 3600.0  # seconds
EVENT_COUNTERS = ("triggers", "errors")
TOTALS = (
    *("triggers", "messages", "lost_messages", "instructions", "script_errors", "code_errors", "refused_commands"),
    "breaks",
)


class BlockError(ValueError):
    """A directive cannot be what it is; the text says why."""

    def __init__(self, message: str, hint: str | None, code: Code) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class Block(msgspec.Struct):
    """The directives of one test, as they are read."""

    source: SourceFile
    name: Span
    line: Span
    found: Diagnostics
    subcommand: Subcommand | None = None
    words: tuple[str, ...] = ()
    words_span: Span | None = None
    timeout: float | None = None
    needs: list[str] = msgspec.field(default_factory=list)
    items: dict[str, list[Item]] = msgspec.field(default_factory=dict)  # by stream
    lines: dict[str, list[Span]] = msgspec.field(default_factory=dict)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    silent: Span | None = None
    claims: list[Claim] = msgspec.field(default_factory=list)
    registers: list[RegisterValue] = msgspec.field(default_factory=list)
    memory: list[Bytes] = msgspec.field(default_factory=list)
    values: list[ValueOf] = msgspec.field(default_factory=list)
    bounds: list[Bound] = msgspec.field(default_factory=list)
    findings: list[Place] | None = None
    faults: list[Place] = msgspec.field(default_factory=list)
    exit_code: int | None = None
    guest_exit_code: int | None = None

    def case(self, usual: Subcommand) -> Case:
        """The test; what its directives do together wrongly is reported."""
        name = self.name.text.strip()
        if not name:
            self.found.add(Code.TEST_NAME, "the test has no name", self.line, "such as `// test: three calls`")
        subcommand = self.subcommand or usual
        self._refuse_what_does_not_fit(subcommand)
        return Case(
            name,
            self.source,
            self.line,
            subcommand,
            self.words,
            self.words_span or self.line,
            self.timeout,
            tuple(self.needs),
            self._sequence("out"),
            self._sequence("guest"),
            tuple(self.claims),
            tuple(self.registers),
            tuple(self.memory),
            tuple(self.values),
            tuple(self.bounds),
            None if self.findings is None else tuple(self.findings),
            tuple(self.faults),
            self.exit_code,
            self.guest_exit_code,
        )

    def _sequence(self, stream: str) -> Sequence | None:
        lines = self.lines.get(stream, [])
        if not lines:
            return None
        items = self.items.get(stream, [])
        return Sequence(tuple(items), tuple(lines), lines[0], self.files.get(stream))

    def _refuse_what_does_not_fit(self, subcommand: Subcommand) -> None:
        """Directives that mean nothing for what carries the test out."""
        guest = [*self.lines.get("guest", []), *(bound.span for bound in self.bounds)]
        guest += [claim.span for claim in self.claims if claim.stream == "err"]
        guest += [] if self.guest_exit_code is None else [self.line]
        state = [*self.lines.get("out", []), *(claim.span for claim in self.claims)]
        state += [each.span for each in self.registers] + [each.span for each in self.memory]
        state += [each.span for each in self.values] + [each.span for each in self.faults]
        wrong = {Subcommand.RUN: [], Subcommand.EVAL: guest, Subcommand.CHECK: guest + state}[subcommand]
        if wrong:
            what = "executes nothing" if subcommand is Subcommand.CHECK else "has no guest and no events"
            message = f"this says nothing of a test with `{subcommand.value}:`, which {what}"
            self.found.add(Code.DIRECTIVES_CONFLICT, message, wrong[0], "begin another test for it")

    def begin(self, subcommand: Subcommand, value: Span) -> None:
        """The command line."""
        if self.subcommand is not None:
            message = f"the test has `{self.subcommand.value}:` already"
            raise BlockError(message, "a test has one command line; begin another test", Code.DIRECTIVES_CONFLICT)
        self.subcommand, self.words, self.words_span = subcommand, values.words(value), value

    def expect(self, stream: str, item: Item, line: Span) -> None:
        """One more line of a stream."""
        if stream in self.files or (stream == "out" and self.silent is not None):
            said = f"{stream}-file" if stream in self.files else "silent"
            message, hint = f"the test has `{said}:` already", "one of them says all that there is"
            raise BlockError(message, hint, Code.DIRECTIVES_CONFLICT)
        self.items.setdefault(stream, []).append(item)
        self.lines.setdefault(stream, []).append(line)

    def expect_all(self, stream: str, line: Span, file: str | None) -> None:
        """`silent:` and `out-file:`: they say it at once."""
        if stream in self.lines:
            message, hint = "the test says already what is written", "one of them says all that there is"
            raise BlockError(message, hint, Code.DIRECTIVES_CONFLICT)
        self.lines[stream] = [line]
        if file is None:
            self.silent = line
        else:
            self.files[stream] = file


Read = Callable[[Block, Span, Span], None]  # the block, the value, the whole line


class Directive(msgspec.Struct, frozen=True):
    """One key: what its value looks like, and what it means."""

    key: str
    value: str
    doc: str
    _read: Read

    def read(self, block: Block, value: Span, line: Span) -> None:
        """Take a line in. Raises BlockError."""
        try:
            self._read(block, value, line)
        except values.BadValue as error:
            raise BlockError(str(error), error.hint, Code.BAD_TEST_VALUE) from None


def _command(subcommand: Subcommand) -> Read:
    return lambda block, value, line: block.begin(subcommand, value)


def _item(stream: str) -> Read:
    return lambda block, value, line: block.expect(stream, values.item(value), line)


def _pattern(stream: str) -> Read:
    return lambda block, value, line: block.expect(stream, values.pattern_item(value), line)


def _claim(stream: str, *, regular: bool = False, counted: bool = False, wanted: bool = True) -> Read:
    return lambda block, value, line: block.claims.append(
        values.claim(value, stream, regular=regular, counted=counted, wanted=wanted)
    )


def _file(stream: str) -> Read:
    def read(block: Block, value: Span, line: Span) -> None:
        if not value.text.strip():
            raise values.BadValue("the name of a file is missing")
        block.expect_all(stream, line, value.text.strip())

    return read


def _silent(block: Block, value: Span, line: Span) -> None:
    if value.text.strip():
        raise values.BadValue("nothing stands behind `silent:`", "lines of output are `out:`")
    block.expect_all("out", line, None)


def _timeout(block: Block, value: Span, line: Span) -> None:
    try:
        seconds = float(value.text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise values.BadValue(f"expected a number of seconds, up to {LONGEST_TIMEOUT:g}")
    block.timeout = seconds


def _needs(block: Block, value: Span, line: Span) -> None:
    files = values.words(value)
    if not files:
        raise values.BadValue("the name of a file is missing")
    block.needs += files


def _event(block: Block, value: Span, line: Span) -> None:
    number, _, rest = value.text.strip().partition(" ")
    block.bounds += values.bounds(value, values.number(number), rest, EVENT_COUNTERS)


def _total(block: Block, value: Span, line: Span) -> None:
    block.bounds += values.bounds(value, None, value.text, TOTALS)


def _finding(block: Block, value: Span, line: Span) -> None:
    block.findings = block.findings or []
    if value.text.strip() != "none":
        block.findings.append(values.place(value))


def _fault(block: Block, value: Span, line: Span) -> None:
    place = values.place(value)
    kinds = [kind.value for kind in FaultKind]
    if place.code not in kinds:
        raise values.BadValue(f"there is no run-time error `{place.code}`", "one of " + ", ".join(kinds))
    block.faults.append(place)


def _exit(block: Block, value: Span, line: Span) -> None:
    block.exit_code = values.decimal(value.text, "expected the exit code of hds")


def _guest_exit(block: Block, value: Span, line: Span) -> None:
    block.guest_exit_code = values.decimal(value.text, "expected the exit code of the guest program")


def _registers(block: Block, value: Span, line: Span) -> None:
    block.registers += values.registers(value)


def _memory(block: Block, value: Span, line: Span) -> None:
    block.memory.append(values.memory(value))


def _value(block: Block, value: Span, line: Span) -> None:
    block.values.append(values.value_of(value))


_ROWS = (
    Directive("run", "[OPTION...] [PROGRAM [ARG...]]", "what follows `hds run SCRIPT`", _command(Subcommand.RUN)),
    Directive("eval", "[OPTION...]", "what follows `hds eval` but the script", _command(Subcommand.EVAL)),
    Directive("check", "[OPTION...]", "what follows `hds check` but the script", _command(Subcommand.CHECK)),
    Directive("needs", "FILE...", "skip the test where one of these files is not there", _needs),
    Directive("timeout", "SECONDS", "real time for the run (default 10)", _timeout),
    Directive("out", "TEXT", "the next line of output is this one; `...` stands for any lines", _item("out")),
    Directive("re", "REGEX", "the next line of output, the whole of it, matches", _pattern("out")),
    Directive("out-file", "FILE", "the output is what this file has, byte for byte", _file("out")),
    Directive("silent", "", "there is no output", _silent),
    Directive("has", "TEXT", "a line of output has this text in it, wherever it stands", _claim("out")),
    Directive("has-re", "REGEX", "the same with a regular expression", _claim("out", regular=True)),
    Directive("not", "TEXT", "no line of output has this text in it", _claim("out", wanted=False)),
    Directive("not-re", "REGEX", "the same with a regular expression", _claim("out", regular=True, wanted=False)),
    Directive("count", "N TEXT", "so many lines of output have this text in them", _claim("out", counted=True)),
    Directive("count-re", "N REGEX", "the same with a regular expression", _claim("out", regular=True, counted=True)),
    Directive("guest", "TEXT", "the next line that the guest program writes; as `out`", _item("guest")),
    Directive("guest-re", "REGEX", "the next line that the guest program writes; as `re`", _pattern("guest")),
    Directive("err", "TEXT", "a line of what hds says beside the output has this text in it", _claim("err")),
    Directive("err-not", "TEXT", "no line of what hds says beside the output has it", _claim("err", wanted=False)),
    Directive("finding", "CODE [[FILE:]LINE[:COLUMN]]", "a diagnostic; all of them are named, or `none`", _finding),
    Directive("fault", "KIND [[FILE:]LINE[:COLUMN]]", "a run-time error; all sorts of them are named", _fault),
    Directive("event", "ID COUNTER=N...", "counters of an event: triggers, errors", _event),
    Directive("total", "COUNTER=N...", "counters of the run: " + ", ".join(TOTALS), _total),
    Directive("reg", "NAME=VALUE...", "registers after the run", _registers),
    Directive("mem", "ADDRESS = BYTES", "memory after the run: hexadecimal bytes, quoted texts", _memory),
    Directive("value", "EXPRESSION = VALUE", "an expression after the run, such as a global variable", _value),
    Directive("exit", "N", "the exit code of hds (default 0)", _exit),
    Directive("guest-exit", "N", "the exit code of the guest program", _guest_exit),
)  # fmt: skip
DIRECTIVES: Mapping[str, Directive] = {row.key: row for row in _ROWS}
