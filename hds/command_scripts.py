"""The scripts of a command file: where each stands, and how to compile it so that positions point into that file.

A script is the block of an event's `script`, the text behind `?` (or its aliases), a file named by `file:`, or an
expression: that of `print` and `.formats`, or a parameter that is no plain number. `CommandScript.key` (the offset of
the script in the command file) identifies it in a compiled bundle, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hds.inputs import InputError, read_source
from lang.commands import Command, CommandError, EventCommand, ScriptFile, ScriptText, parse_event, read_commands
from lang.compiler import Compilation, Compiler
from lang.diagnostics import Diagnostic
from lang.source import SourceFile, Span
from vm.limits import Limits

EXPRESSIONS = ("print", ".formats")  # commands whose text is an expression


@dataclass(frozen=True, eq=False)
class CommandScript:
    """A script to compile: [start, end) of `source`; an expression stands for `print(expression);`."""

    command: Command
    key: int
    source: SourceFile
    start: int
    end: int
    expression: bool = False

    def compile(self, compiler: Compiler) -> Compilation:
        """The outcome, with positions in the source."""
        return compiler.compile(self.source, self.start, self.end, expression=self.expression)


@dataclass(frozen=True)
class CommandFile:
    """What a command file holds: its commands in order, what the event commands say, all scripts, all findings."""

    source: SourceFile
    commands: tuple[Command, ...]
    scripts: tuple[CommandScript, ...]
    findings: tuple[Diagnostic, ...]
    events: dict[int, EventCommand] = field(default_factory=dict)  # by the offset of the command

    def event(self, command: Command) -> EventCommand:
        """What an event command of this file says. Raises KeyError for one with errors."""
        return self.events[command.span.start]


def read_command_file(source: SourceFile, limits: Limits) -> CommandFile:
    """Read a command file and the files that its `file:` scripts name. Nothing is compiled."""
    commands, errors = read_commands(source)
    findings = [as_diagnostic(error) for error in errors]
    scripts: list[CommandScript] = []
    events: dict[int, EventCommand] = {}
    for command in commands:
        if not command.row.is_event:
            found = raw_script(command)
            if isinstance(found, Diagnostic):
                findings.append(found)
            elif found is not None:
                scripts.append(found)
            continue
        event, event_errors = parse_event(command)
        findings += [as_diagnostic(error) for error in event_errors]
        if event is None:
            continue
        events[command.span.start] = event
        scripts += parameter_scripts(event)
        script = event_script(event, limits)
        if isinstance(script, Diagnostic):
            findings.append(script)
        elif script is not None:
            scripts.append(script)
    return CommandFile(source, tuple(commands), tuple(scripts), tuple(findings), events)


def as_diagnostic(error: CommandError) -> Diagnostic:
    """An error of the command level as a finding like those of the scripts."""
    return Diagnostic(str(error.code), error.message, error.span, error.hint)


def parameter_scripts(event: EventCommand) -> list[CommandScript]:
    """The parameters of an event that are expressions."""
    spans = [parameter.span for parameter in event.parameters.values() if parameter.value is None]
    return [CommandScript(event.command, span.start, span.file, span.start, span.end, True) for span in spans]


def event_script(event: EventCommand, limits: Limits) -> CommandScript | Diagnostic | None:
    """The script of an event, None without one, or why its file cannot be read."""
    if isinstance(event.script, ScriptText):
        token = event.script.token
        source = token.span.file
        if token.dropped:
            # A backslash in front of a brace belongs to the command level; a blank in its place keeps all offsets.
            characters = list(source.text)
            for start, end in token.dropped:
                characters[start:end] = " " * (end - start)
            source = SourceFile(source.name, "".join(characters))
        return CommandScript(event.command, token.span.start, source, token.span.start, token.span.end)
    if isinstance(event.script, ScriptFile):
        return _file_script(event, event.script, limits)
    return None


def _file_script(event: EventCommand, script: ScriptFile, limits: Limits) -> CommandScript | Diagnostic:
    path = Path(script.span.file.name).parent / script.path.replace("\\", "/")
    try:
        source = read_source(str(path), limits)
    except InputError as error:
        return Diagnostic("E222", str(error), script.span, "paths are relative to the command file")
    if not source.text.strip():
        return Diagnostic("E222", f"the script file {path} is empty", script.span)
    return CommandScript(event.command, script.span.start, source, 0, len(source.text))


def raw_script(command: Command) -> CommandScript | Diagnostic | None:
    """The script of `?` and its aliases, `print` or `.formats`; None for other commands."""
    raw: Span = command.raw
    expression = command.canonical_name in EXPRESSIONS
    if command.canonical_name != "?" and not expression:
        return None
    if raw.start >= raw.end:
        what = "an expression" if expression else "a script"
        message = f"incorrect use of the '{command.canonical_name}': {what} is missing"
        return Diagnostic("E210", message, command.span)
    return CommandScript(command, raw.start, raw.file, raw.start, raw.end, expression)
