"""Colour on a terminal: control sequences of hds itself, where standard output is one and NO_COLOR is not set."""

from __future__ import annotations

import os
from enum import Enum

from hds.report import output


class Colour(Enum):
    """What a part of a line is shown in, as the parameters of SGR (ECMA-48)."""

    PLAIN = ""
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"
    BOLD = "1"


def show(text: str, colour: Colour = Colour.PLAIN, end: str = "\n") -> None:
    """Write a text to standard output."""
    stream = output()
    coloured = colour is not Colour.PLAIN and stream.isatty() and not os.environ.get("NO_COLOR")
    if coloured:
        stream.write_control(f"\x1b[{colour.value}m")
    stream.write(text)
    if coloured:
        stream.write_control("\x1b[0m")
    stream.write(end)
