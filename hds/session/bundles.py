"""Source or `.hdc` file -> compiled programs, for `hds compile` and `hds disasm`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from hds.exit_codes import ExitCode
from hds.inputs import (
    STANDARD_INPUT,
    decode_text,
    drives,
    is_script,
    locate,
    new_compiler,
    read_bytes,
    refuse,
    require_source,
    with_arguments,
)
from lang import Diagnostic, Severity, SourceFile, render
from vm import Bundle, Program, ProgramFormatError, decode_program, is_bundle, is_compiled, read_bundle
from vm.facts.limits import Limits

Compiled = Program | Bundle
SUFFIX = ".hdc"


def compile_source(source: SourceFile, arguments: argparse.Namespace, limits: Limits) -> Compiled | None:
    """The program of a bare script or the bundle of a command file; None when there are errors. Findings are shown."""
    compiler = new_compiler(arguments, limits)
    if is_script(arguments, source):
        made = compiler.compile(source)
        _show(made.diagnostics)
        return made.program
    from hds.session.availability import refused_commands
    from hds.session.command_scripts import read_command_file
    from hds.session.symbols import announce_programs

    file = read_command_file(source, limits, compiler.drives)
    announce_programs(file.commands, compiler)
    findings = [*file.findings, *refused_commands(file)]
    programs: dict[int, Program] = {}
    for script in file.scripts:
        made = script.compile(compiler)
        findings += made.diagnostics
        if made.program is not None:
            programs[script.key] = made.program
    _show(findings)
    if any(item.severity is Severity.ERROR for item in findings):
        return None
    return Bundle(source.name, source.text, tuple(sorted(programs.items())))


def read_source_or_compiled(arguments: argparse.Namespace, limits: Limits) -> SourceFile | Compiled:
    """The one input of `hds run` and `hds disasm`: its first bytes say whether it is compiled. Exits with a message."""
    if arguments.execute is not None or arguments.file is None:
        return with_arguments(require_source(arguments, limits), arguments)
    limit = "max_compiled_bytes" if arguments.file.lower().endswith(SUFFIX) else "max_source_bytes"
    try:
        path = locate(arguments.file, drives(arguments))
        data = read_bytes(path, limits, limit, getattr(arguments, "timeout", None))
        if is_compiled(data) or path.lower().endswith(SUFFIX):
            return read_bundle(data) if is_bundle(data) else decode_program(data)
        name = STANDARD_INPUT if path == "-" else path
        return with_arguments(SourceFile(name, decode_text(name, data)), arguments)
    except ProgramFormatError as error:
        refuse(f"{arguments.file}: {error}", ExitCode.FAILED)


def read_commands_or_bundle(
    arguments: argparse.Namespace, limits: Limits
) -> tuple[SourceFile, dict[int, Program] | None]:
    """The command file of `hds run`, and its programs when it is a bundle. Exits for what cannot be read."""
    found = read_source_or_compiled(arguments, limits)
    if isinstance(found, SourceFile):
        return found, None
    if isinstance(found, Program):
        refuse(f"{arguments.file}: a bare script has no commands; hds run takes command files", ExitCode.FAILED)
    return SourceFile(found.name, found.text), dict(found.programs)


def programs_of(compiled: Compiled) -> list[tuple[str, Program]]:
    """The programs with a title each: the place of the script in a command file, nothing for a bare script."""
    if isinstance(compiled, Program):
        return [("", compiled)]
    source = SourceFile(compiled.name, compiled.text)
    found = []
    for key, program in compiled.programs:
        line, column = source.position(key)
        found.append((f"{compiled.name}:{line}:{column}", program))
    return found


def _show(findings: Iterable[Diagnostic]) -> None:
    for item in findings:
        if item.severity.is_for_everybody:
            print(render(item), file=sys.stderr)
