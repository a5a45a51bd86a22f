"""Tables of named constants, as text: `NAME=VALUE ...`, or `NAME ...` that count up from 0.

Of two names of one value the first is shown. Of bits, names of several stand before those of each.
"""

from __future__ import annotations

from collections.abc import Mapping


class ConstantTables:
    """Tables by name, each read when one first asks for it: `tables(name)`."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        self._tables = tables
        self._read: dict[str, Mapping[int, str]] = {}

    def __call__(self, table: str) -> Mapping[int, str]:
        """The names of a table by value, in its order. Raises KeyError."""
        from ast import literal_eval

        found = self._read.get(table)
        if found is None:
            made: dict[int, str] = {}
            for index, word in enumerate(self._tables[table].split()):
                name, equals, value = word.partition("=")
                made.setdefault(literal_eval(value) if equals else index, name)
            found = self._read[table] = made
        return found
