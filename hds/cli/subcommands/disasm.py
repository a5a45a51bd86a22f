"""`hds disasm`: the bytecode of a `.hdc` file, a command file or a bare script, with its source lines."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from hds.cli.options import Compiling, Input, TextKind, add_compiling, add_input, add_kind, add_limits
from hds.exit_codes import ExitCode
from hds.inputs import refuse

if TYPE_CHECKING:
    from hds.cli.bundles import Compiled


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds disasm`."""
    add_input(parser, "a .hdc file, a command file or a bare script")
    add_kind(parser)
    add_compiling(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    input: Input
    kind: TextKind
    compiling: Compiling

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(Input.of(found), TextKind.of(found), Compiling.of(found))


def run(options: Options) -> ExitCode:
    """Read or compile, verify, list."""
    from hds.cli.bundles import programs_of
    from vm import VerificationError, listing_of, verify

    compiled = _compiled(options)
    if compiled is None:
        return ExitCode.FAILED
    for number, (title, program) in enumerate(programs_of(compiled)):
        try:
            verify(program, options.compiling.limits)
        except VerificationError as error:
            refuse(f"{title or 'the program'} is not well-formed: {error}", ExitCode.FAILED)
        text = ("\n" if number else "") + (f"; script at {title}\n" if title else "") + listing_of(program)
        sys.stdout.write(text)
    return ExitCode.OK


def _compiled(options: Options) -> Compiled | None:
    from hds.cli.bundles import compile_source, read_source_or_compiled
    from lang import SourceFile

    found = read_source_or_compiled(options.input, options.compiling)
    return compile_source(found, options.kind, options.compiling) if isinstance(found, SourceFile) else found
