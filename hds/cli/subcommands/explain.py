"""`hds explain CODE`: what a diagnostic means, with a script that has it and one that does not."""

from __future__ import annotations

import argparse
import sys
import textwrap

import msgspec

from hds.exit_codes import ExitCode

WIDTH = 100
VISIBLE_RETURN = "\N{SYMBOL FOR CARRIAGE RETURN}"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds explain`."""
    parser.add_argument("codes", nargs="+", metavar="CODE", help="a code such as E031, W014 or P060")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    codes: tuple[str, ...]

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(tuple(found.codes))


def run(options: Options) -> ExitCode:
    """Explain every code; unknown ones get the nearest known one as a hint."""
    from hds.report import code_titles
    from lang import nearest_name

    texts: list[str] = []
    worst = ExitCode.OK
    for word in options.codes:
        text = explanation(word.upper())
        if text is None:
            near = nearest_name(word.upper(), code_titles())
            hint = f"; did you mean {near}?" if near else "; `hds list diagnostics` shows them all"
            print(f"hds: {word} is no diagnostic code{hint}", file=sys.stderr)
            worst = ExitCode.FAILED
        else:
            texts.append(text)
    if texts:
        print("\n\n".join(texts))
    return worst


def explanation(code: str) -> str | None:
    """The text for one code, without a final line feed; None for an unknown one."""
    from lang.codes import KINDS, ROWS, SEEN, Remark

    row = next((row for row in ROWS if row.code == code), None)
    if row is None:
        return None
    parts = [f"{code}: {row.title}", _filled(row.explanation)]
    titles = ("Not like this", "But like this")
    if isinstance(row, Remark):
        titles = ("Not alike in both", "Alike in both")
        kinds = ", or ".join(KINDS[letter] for letter in row.kinds.split())
        parts.append(_filled(f"HyperDbg v0.23 {kinds}; {SEEN[row.seen]}."))
    for title, script in zip(titles, (row.bad, row.good), strict=True):
        parts.append(f"{title}:\n\n" + textwrap.indent(_short(script), "    "))
    return "\n\n".join(parts)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _short(script: str) -> str:
    script = script.replace("\r", VISIBLE_RETURN)
    return "\n".join(textwrap.shorten(line, WIDTH) if len(line) > WIDTH else line for line in script.split("\n"))
