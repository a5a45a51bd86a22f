"""Source or `.hdc` file -> compiled programs, for `hds compile` and `hds disasm`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from hds.inputs import is_script, new_compiler
from lang.diagnostics import Diagnostic, Severity, render
from lang.source import SourceFile
from vm.bundle import Bundle, is_bundle, read_bundle
from vm.limits import Limits
from vm.program import Program, decode

Compiled = Program | Bundle


def compile_source(source: SourceFile, arguments: argparse.Namespace, limits: Limits) -> Compiled | None:
    """The program of a bare script or the bundle of a command file; None when there are errors. Findings are shown."""
    compiler = new_compiler(arguments, limits)
    if is_script(arguments, source):
        made = compiler.compile(source)
        _show(made.diagnostics)
        return made.program
    from hds.command_scripts import read_command_file

    file = read_command_file(source, limits)
    findings = list(file.findings)
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


def read_compiled(data: bytes) -> Compiled:
    """What a `.hdc` file holds. Raises vm.program.ProgramFormatError."""
    return read_bundle(data) if is_bundle(data) else decode(data)


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
        if item.severity is not Severity.REMARK:
            print(render(item), file=sys.stderr)
