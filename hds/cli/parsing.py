"""Command lines that stand within others: in tests of scripts, and as runs that `hds diff` makes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from hds.report import Nowhere, status_stream


class WrongWords(ValueError):  # noqa: N818 - it names what it reports
    """The command line is wrong; the text says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongWords(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise WrongWords(message or "it asks for help only")


def parsed(
    name: str, configure: Callable[[argparse.ArgumentParser], None], words: Sequence[str], usual: Sequence[str] = ()
) -> argparse.Namespace:
    """The options of a subcommand; of the `usual` ones, which stand in front, those that it has. Raises WrongWords."""
    parser = _Parser(prog=f"hds {name}", add_help=False)
    configure(parser)
    known = [word for word in usual if word.partition("=")[0] in parser._option_string_actions]
    with silenced():
        return parser.parse_args([*known, *words])


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """What is said in passing goes nowhere: what counts are records. How far a long run is stays to be seen."""
    nowhere = Nowhere(status_stream())
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
