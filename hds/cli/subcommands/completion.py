"""`hds completion SHELL`: what a shell evaluates to complete command lines of hds, made from all options."""

from __future__ import annotations

import argparse

import msgspec

from hds.exit_codes import ExitCode

SHELLS = ("bash", "zsh", "fish", "tcsh")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    shell: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(found.shell)


def run(options: Options) -> ExitCode:
    """Print the script."""
    import shtab

    from hds.cli.main import whole_parser

    print(shtab.complete(with_files(whole_parser()), options.shell))
    return ExitCode.OK


def with_files(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The same parser; what has no choices of its own and takes a value is completed with names of files."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                with_files(inner)
        elif action.choices is None and action.nargs != 0:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's way to say it
    return parser
