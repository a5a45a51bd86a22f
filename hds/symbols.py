"""The symbols that a session knows: those that were given (`--symbol`), and those of its programs.

Names are looked up in one table, for the compiler and for commands: a given name wins, then that of the program that
was loaded last. Addresses are looked up for a process, since programs may lie at the same ones.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lang.commands import Command
from machine.loading import read_symbols
from machine.symbols import module_name, qualified
from vm.drives import DriveRefused

if TYPE_CHECKING:
    from lang.compiler import Compiler
    from machine.process import Process

FARTHEST_SYMBOL = 0xFFFF  # bytes between a symbol and what is named after it
_SYMBOL = re.compile(r"([A-Za-z_]\w*)![A-Za-z_]")


class Symbols:
    """`by_name` has addresses by `module!name` in lower case; it is this table that the compiler reads."""

    def __init__(self, given: Mapping[str, int]) -> None:
        self._given = dict(given)
        self.by_name = dict(given)
        self._by_address: dict[Process, list[tuple[int, str]]] = {}

    def add(self, process: Process) -> None:
        """Take in the symbols of a process that was loaded."""
        self.by_name.update({**qualified(process.name, process.image.symbols), **self._given})

    def nearest(self, process: Process, address: int) -> tuple[str, int] | None:
        """The name of the nearest symbol at or below an address in a process, and the distance in bytes."""
        rows = self._rows(process)
        index = bisect_right(rows, address, key=lambda row: row[0])
        if index == 0:
            return None
        value, name = rows[index - 1]
        return name, address - value

    def place(self, process: Process, address: int) -> str:
        """`module!name+0x..` of that symbol; empty when none is near."""
        found = self.nearest(process, address)
        if found is None or found[1] > FARTHEST_SYMBOL:
            return ""
        name, distance = found
        return f"{name}+0x{distance:x}" if distance else name

    def _rows(self, process: Process) -> list[tuple[int, str]]:
        if process not in self._by_address:
            names = {**qualified(process.name, process.image.symbols), **self._given}
            self._by_address[process] = sorted((address, name) for name, address in names.items())
        return self._by_address[process]


def process_with_symbols_in(text: str, current: Process | None, processes: Sequence[Process]) -> Process | None:
    """The process whose program has the first `module!name` of an expression: the current one, or the latest."""
    symbol = _SYMBOL.search(text)
    if symbol is None:
        return None
    module = symbol[1].lower()
    candidates = [*processes, *(() if current is None else (current,))]
    return next((item for item in reversed(candidates) if module_name(item.name).lower() == module), None)


def announce_programs(commands: Iterable[Command], compiler: Compiler) -> None:
    """Add the symbols of the programs that `.start` is going to load, where a name is not known yet.

    A file is compiled before its first command is executed, and scripts behind a `.start` may name its symbols.
    """
    for command in commands:
        tokens = command.tokens
        if command.canonical_name == ".start" and len(tokens) > 1 and tokens[0].lower == "path":
            try:
                path = compiler.drives.locate(tokens[1].text)
            except DriveRefused:
                continue  # the command itself will say so
            for name, address in qualified(path.name, read_symbols(path, compiler.limits)).items():
                compiler.symbols.setdefault(name, address)
