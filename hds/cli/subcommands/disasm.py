"""`hds disasm`: the bytecode of a `.hdc` file, a command file or a bare script, with its source lines."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from hds.exit_codes import ExitCode
from hds.inputs import add_compiling, add_input, add_kind, add_limits, chosen_limits, refuse

if TYPE_CHECKING:
    from hds.session import Compiled
    from vm.facts.limits import Limits


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds disasm`."""
    add_input(parser, "a .hdc file, a command file or a bare script")
    add_kind(parser)
    add_compiling(parser)
    add_limits(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read or compile, verify, list."""
    from hds.session import programs_of
    from vm import VerificationError, listing_of, verify

    limits = chosen_limits(arguments)
    compiled = _compiled(arguments, limits)
    if compiled is None:
        return ExitCode.FAILED
    for number, (title, program) in enumerate(programs_of(compiled)):
        try:
            verify(program, limits)
        except VerificationError as error:
            refuse(f"{title or 'the program'} is not well-formed: {error}", ExitCode.FAILED)
        text = ("\n" if number else "") + (f"; script at {title}\n" if title else "") + listing_of(program)
        sys.stdout.write(text)
    return ExitCode.OK


def _compiled(arguments: argparse.Namespace, limits: Limits) -> Compiled | None:
    from hds.session import compile_source, read_source_or_compiled
    from lang import SourceFile

    found = read_source_or_compiled(arguments, limits)
    return compile_source(found, arguments, limits) if isinstance(found, SourceFile) else found
