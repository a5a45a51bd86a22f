"""Source or `.hdc` file -> compiled programs, for `hds compile` and `hds disasm`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from hds.cli.options import Compiling, Input, TextKind
from hds.exit_codes import ExitCode
from hds.inputs import STANDARD_INPUT, decode_text, read_bytes, refuse
from lang import Diagnostic, Severity, SourceFile, render
from vm import Bundle, Program, ProgramFormatError, decode_program, is_bundle, is_compiled, read_bundle

Compiled = Program | Bundle
SUFFIX = ".hdc"


def compile_source(source: SourceFile, kind: TextKind, compiling: Compiling) -> Compiled | None:
    """The program of a bare script or the bundle of a command file; None when there are errors. Findings are shown."""
    compiler = compiling.compiler()
    if kind.is_script(source):
        made = compiler.compile(source)
        _show(made.diagnostics)
        return made.program
    from hds.session import announce_symbols, read_command_file, refused_commands

    file = read_command_file(source, compiling.limits, compiler.drives)
    announce_symbols(file.commands, compiler)
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


def read_source_or_compiled(given: Input, compiling: Compiling) -> SourceFile | Compiled:
    """The one input of `hds run` and `hds disasm`: its first bytes say whether it is compiled. Exits with a message."""
    if given.execute is not None or given.file is None:
        return compiling.with_arguments(given.source())
    limit = "max_compiled_bytes" if given.file.lower().endswith(SUFFIX) else "max_source_bytes"
    try:
        path = given.reading.locate(given.file)
        data = read_bytes(path, given.reading.limits, limit, given.timeout)
        if is_compiled(data) or path.lower().endswith(SUFFIX):
            return read_bundle(data) if is_bundle(data) else decode_program(data)
        name = STANDARD_INPUT if path == "-" else path
        return compiling.with_arguments(SourceFile(name, decode_text(name, data)))
    except ProgramFormatError as error:
        refuse(f"{given.file}: {error}", ExitCode.FAILED)


def read_commands_or_bundle(given: Input, compiling: Compiling) -> tuple[SourceFile, dict[int, Program] | None]:
    """The command file of `hds run`, and its programs when it is a bundle. Exits for what cannot be read."""
    found = read_source_or_compiled(given, compiling)
    if isinstance(found, SourceFile):
        return found, None
    if isinstance(found, Program):
        refuse(f"{given.file}: a bare script has no commands; hds run takes command files", ExitCode.FAILED)
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
