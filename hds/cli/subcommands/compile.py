"""`hds compile`: a command file, or a bare script, to a `.hdc` file that `hds run` and `hds disasm` read."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Literal

import msgspec

from hds.cli.options import (
    Compiling,
    Input,
    TextKind,
    add_compiling,
    add_input,
    add_kind,
    add_limits,
    add_programs,
    options_of,
)
from hds.exit_codes import ExitCode
from hds.inputs import refuse, spare
from hds.report import output
from vm import FileRefused, write_file

if TYPE_CHECKING:
    from vm import Program
    from vm.facts.limits import Limits


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds compile`."""
    add_input(parser, "a command file or a bare script")
    parser.add_argument("-o", "--output", metavar="X.hdc", help="where to write; - for standard output")
    parser.add_argument(
        "--emit",
        choices=("hdc", "llvm", "asm"),
        default="hdc",
        help="hdc (default); or, to be read, what the native engine makes: its LLVM code or the host's assembly",
    )
    add_kind(parser)
    add_compiling(parser)
    add_programs(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says; without `output` it is standard output, for texts only."""

    input: Input
    kind: TextKind
    compiling: Compiling
    output: str | None
    emit: Literal["hdc", "llvm", "asm"]

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        made = {"input": Input.of(found), "kind": TextKind.of(found), "compiling": Compiling.of(found)}
        return options_of(cls, found, **made)


def run(options: Options) -> ExitCode:
    """Compile, verify, write."""
    from hds.cli.bundles import compile_source, programs_of
    from vm import Bundle, VerificationError, encode_program, verify, write_bundle

    compiling, limits = options.compiling, options.compiling.limits
    if options.output is None and options.emit == "hdc":
        refuse("say with -o where to write (- for standard output)", ExitCode.USAGE)
    source = compiling.with_arguments(options.input.source())
    compiled = compile_source(source, options.kind, compiling)
    if compiled is None:
        return ExitCode.FAILED
    programs = programs_of(compiled)
    for title, program in programs:
        try:
            verify(program, limits)
        except VerificationError as error:
            refuse(f"{title or source.name}: {error}", ExitCode.FAILED)
    path = compiling.reading.locate("-" if options.output is None else options.output)
    spare(path, source.name)
    if options.emit != "hdc":
        _write(path, _native_text(programs, options.emit, limits).encode())
        return ExitCode.OK
    data = write_bundle(compiled) if isinstance(compiled, Bundle) else encode_program(compiled)
    _write(path, data)
    size = sum(program.size for _, program in programs)
    scripts = f"{len(programs)} script{'' if len(programs) == 1 else 's'}"
    print(f"{source.name}: {scripts}, {size} bytes of program, {len(data)} bytes written", file=sys.stderr)
    return ExitCode.OK


def _native_text(programs: list[tuple[str, Program]], form: Literal["llvm", "asm"], limits: Limits) -> str:
    from vm import GlobalStore, Loaded

    try:
        from vm.native import emit
    except ImportError as error:
        refuse(f"the native engine is not available: {error}", ExitCode.USAGE)
    comment = ";" if form == "llvm" else "#"
    parts = []
    for title, program in programs:
        text = emit(Loaded(program, GlobalStore(limits), ()), form, limits)
        parts.append(f"{comment} script at {title}\n{text}" if title else text)
    return "\n".join(parts)


def _write(path: str, data: bytes) -> None:
    try:
        if path == "-":
            output().write_bytes(data)
        else:
            write_file(path, data)
    except FileRefused as error:
        refuse(str(error), ExitCode.NO_INPUT)
