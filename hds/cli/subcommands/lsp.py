"""`hds lsp`: the language server that an editor starts, and talks to over standard input and output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib.util import find_spec

import msgspec

from hds.cli.options import (
    Compiling,
    Selection,
    add_compiling,
    add_limits,
    add_programs,
    add_selection,
    options_of,
)
from hds.exit_codes import ExitCode
from hds.inputs import refuse
from hds.version import install_command


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds lsp`."""
    parser.add_argument("--stdio", action="store_true", help="accepted, as editors give it: there is no other way")
    add_selection(parser)
    add_compiling(parser, arguments=False)
    add_programs(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    compiling: Compiling
    selection: Selection

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, compiling=Compiling.of(found), selection=Selection.of(found))


def run(options: Options) -> ExitCode:
    """Serve one client."""
    if find_spec("pygls") is None:
        refuse("the package pygls is not installed", ExitCode.USAGE, install_command("lsp"))
    if sys.stdin is not None and sys.stdin.isatty():
        refuse(
            "this speaks the Language Server Protocol to an editor, and not to a terminal",
            ExitCode.USAGE,
            "docs/editors.md says how editors start it",
        )
    from hds.editor import Analyser, serve

    if not os.environ.get("HDS_TRACEBACK"):
        logging.getLogger("pygls").setLevel(logging.CRITICAL)  # refusals are answers, and no tracebacks
    # Whatever else is printed must not get in between messages.
    output = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(0, "rb", closefd=False) as reader, os.fdopen(output, "wb") as writer:
        serve(Analyser(options.compiling.compiler()), options.selection.of_all, reader, writer)
    return ExitCode.OK
