"""The scripts of a command file: where each stands, and how to compile it so that positions point into that file.

A script is the block of an event's `script` (or the file that its `file:` names), the text behind `?`, or an
expression: that of `print` and `.formats`, and that of an event's parameter. An expression is compiled as
`print(EXPRESSION);`. The key of a script, the offset at which it begins in the command file, identifies it everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hds.inputs import InputError, decode_text
from hds.session.assembly import check_assembly
from hds.session.symbols import locate
from lang import Code, Compilation, Compiler, Diagnostic, Reference, SourceFile, Span, Unresolved
from lang.commands import (
    Command,
    EventCommand,
    ScriptFile,
    ScriptText,
    parse_event,
    parts,
    read_commands,
)
from vm import NO_DRIVES, DriveRefused, Drives, FileRefused, Source, read_file, too_large
from vm.facts.limits import Limits

STATEMENTS = ("?",)
EXPRESSIONS = ("print", ".formats")


class CommandScript(msgspec.Struct, frozen=True, eq=False):
    """A script: the characters [start, end) of `text`.

    `shown` is the file as it was written; it differs from `text` only where `\\{` stood for a brace, and in no offset.
    """

    command: Command
    key: int
    text: SourceFile
    start: int
    end: int
    shown: SourceFile
    expression: bool = False
    parameter: str | None = None  # the text of an event's parameter: a symbol, or an expression

    def compile(self, compiler: Compiler) -> Compilation:
        """The outcome, with all places in `shown`. A parameter that is a symbol needs no program."""
        if self.parameter is not None:
            return self._compile_parameter(compiler, self.parameter)
        whole = self.command.span.file
        made = compiler.compile(self.text, self.start, self.end, expression=self.expression, whole=whole)
        if self.text is self.shown:
            return made
        program = made.program
        if program is not None:
            written = Source(self.shown.name, self.shown.text)
            sources = tuple(written if row.text == self.text.text else row for row in program.sources)
            program = replace(program, sources=sources)
        return replace(
            made,
            program=program,
            diagnostics=tuple(self._shown(item) for item in made.diagnostics),
            references=tuple(self._shown_reference(item) for item in made.references),
        )

    def _compile_parameter(self, compiler: Compiler, text: str) -> Compilation:
        span = Span(self.shown, self.start, self.end)
        found = locate(compiler.symbols, text)
        if found is None:
            return compile_parameter(compiler, span)
        if isinstance(found, Unresolved):
            return Compilation(None, (Diagnostic(found.code, found.message, span, found.hint),))
        return Compilation(None, ())

    def _shown(self, item: Diagnostic) -> Diagnostic:
        notes = tuple(replace(note, span=self._moved(note.span) if note.span else None) for note in item.notes)
        return replace(item, span=self._moved(item.span), notes=notes)

    def _shown_reference(self, item: Reference) -> Reference:
        definition = item.definition
        if definition is not None:
            header = None if definition.header is None else self._moved(definition.header)
            definition = replace(definition, span=self._moved(definition.span), header=header)
        return Reference(self._moved(item.span), definition)

    def _moved(self, span: Span) -> Span:
        return Span(self.shown, span.start, span.end) if span.file is self.text else span


class CommandFile(msgspec.Struct, frozen=True):
    """What a command file holds: commands, events by the offset of their command, scripts, and what is wrong."""

    source: SourceFile
    commands: tuple[Command, ...]
    events: Mapping[int, EventCommand]
    scripts: tuple[CommandScript, ...]
    findings: tuple[Diagnostic, ...]
    unchecked_blocks: int = 0  # of assembly text: the assembler is not installed

    def event(self, command: Command) -> EventCommand:
        """The event of an event command without errors. Raises KeyError for any other command."""
        return self.events[command.span.start]


def compile_parameter(compiler: Compiler, span: Span) -> Compilation:
    """An expression that a command has as a parameter: it has no variables, so that every name in it is a symbol."""
    made = compiler.compile(span.file, span.start, span.end, expression=True)
    unknown = [item.span for item in made.diagnostics if item.code == Code.UNASSIGNED_LOCAL]
    if not unknown:
        return made
    found = [(compiler.symbols.find(place.text), place) for place in unknown]
    errors = [Diagnostic(f.code, f.message, place, f.hint) for f, place in found if isinstance(f, Unresolved)]
    return Compilation(None, (*errors, *(item for item in made.diagnostics if item.span not in unknown)))


def read_command_file(source: SourceFile, limits: Limits, drives: Drives = NO_DRIVES) -> CommandFile:
    """Read a command file and the files that its `file:` scripts name; nothing raises.

    Assembly blocks are assembled, to know whether that is possible; scripts are not compiled.
    """
    commands, errors = read_commands(source)
    findings = [*errors]
    events: dict[int, EventCommand] = {}
    texts = _Texts(source, commands, limits, drives)
    scripts: list[CommandScript] = []
    unchecked_blocks = 0
    for command in commands:
        found: Iterator[CommandScript | Diagnostic]
        if command.row.is_event:
            event, event_errors = parse_event(command)
            findings += event_errors
            if event is None:
                continue
            events[command.span.start] = event
            wrong_blocks, unchecked = check_assembly(event, limits)
            findings += wrong_blocks
            unchecked_blocks += unchecked
            found = _event_scripts(event, texts)
        else:
            found = _raw_script(command)
        for item in found:
            if isinstance(item, Diagnostic):
                findings.append(item)
            else:
                scripts.append(item)
    return CommandFile(source, tuple(commands), events, tuple(scripts), tuple(findings), unchecked_blocks)


def _event_scripts(event: EventCommand, texts: _Texts) -> Iterator[CommandScript | Diagnostic]:
    for parameter in event.parameters.values():
        if parameter.value is None:
            span = parameter.span
            yield CommandScript(
                event.command, span.start, span.file, span.start, span.end, span.file, True, parameter.text
            )
    if isinstance(event.script, ScriptText):
        yield _block(event.command, event.script, texts)
    elif isinstance(event.script, ScriptFile):
        yield _file(event.command, event.script, texts)


class _Texts:
    """Where the scripts of a command file stand: in its own text, and in the files that it names."""

    def __init__(self, source: SourceFile, commands: list[Command], limits: Limits, drives: Drives) -> None:
        self._source = source
        self._commands = commands
        self._limits = limits
        self._drives = drives
        self._named: dict[Path, SourceFile] = {}
        self._total = 0  # bytes, of the named files

    @cached_property
    def without_escapes(self) -> SourceFile:
        """The command file with blanks for what blocks escape their braces with."""
        return parts.without_escapes(self._source, (token for command in self._commands for token in command.tokens))

    def named(self, path: str) -> SourceFile:
        """The file of a `file:`. Raises DriveRefused, FileRefused, InputError."""
        found = self._drives.locate(path, Path(self._source.name).parent)
        if found not in self._named:
            if self._total > self._limits.max_total_source_bytes:
                raise too_large("what the scripts name", self._limits, "max_total_source_bytes")
            data = read_file(found, self._limits, "max_source_bytes")
            self._total += len(data)
            self._named[found] = SourceFile(str(found), decode_text(str(found), data))
        return self._named[found]


def _block(command: Command, script: ScriptText, texts: _Texts) -> CommandScript:
    token = script.token
    span = token.span
    text = texts.without_escapes if token.dropped else span.file
    return CommandScript(command, span.start, text, span.start, span.end, span.file)


def _file(command: Command, script: ScriptFile, texts: _Texts) -> CommandScript | Diagnostic:
    try:
        source = texts.named(script.path)
    except DriveRefused as error:
        return Diagnostic(Code.WINDOWS_PATH, str(error), script.span, error.hint)
    except (FileRefused, InputError) as error:
        return Diagnostic(Code.NO_SCRIPT_FILE, str(error), script.span, "a path is relative to the command file")
    if not source.text.strip():
        return Diagnostic(Code.NO_SCRIPT_FILE, f"{source.name} is empty", script.span)
    return CommandScript(command, script.span.start, source, 0, len(source.text), source)


def _raw_script(command: Command) -> Iterator[CommandScript | Diagnostic]:
    raw, name = command.raw, command.canonical_name
    if name not in STATEMENTS + EXPRESSIONS:
        return
    if raw.start >= raw.end:
        message = f"incorrect use of the '{command.name.text}'"
        yield Diagnostic(Code.MISSING_VALUE, message, command.span, f"{name} needs something to evaluate")
        return
    yield CommandScript(command, raw.start, raw.file, raw.start, raw.end, raw.file, name in EXPRESSIONS)
