"""Files of symbols and types, in JSON: what `.sym add` reads.

    {
      "module": "nt",
      "symbols": {"NtOpenFile": "1230"},
      "declarations": "struct _POINT { int x; int y; };",
      "types": {"_FILE": {"size": "20", "members": {"0": "int Kind", "18": "struct _POINT *Where"}}}
    }

Numbers are hexadecimal texts, or JSON's own; symbols are offsets from the base that the command gives. Declarations are
those of the script language. The members of `types` lie where their offsets say. Every part may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vm import FileRefused, read_file
from vm.facts.limits import Limits
from vm.facts.numbers import COMMAND, number_in

_LARGEST = (1 << 64) - 1
_NAME_CHARACTERS = frozenset("$?@.")


class SymbolFileError(Exception):
    """A file has no symbols that can be read; the text says why."""


class TypeRow(msgspec.Struct, frozen=True):
    """A struct: declarations of its members by offset in bytes, ascending; its size, if it is given."""

    members: Mapping[int, str]
    size: int | None = None

    @property
    def text(self) -> str:
        """The members as a struct of the script language has them."""
        return " ".join(f"{member};" for member in self.members.values())


class SymbolFile(msgspec.Struct, frozen=True):
    """What a file says; `symbols` are offsets in bytes."""

    name: str
    module: str
    symbols: Mapping[str, int] = msgspec.field(default_factory=dict)
    declarations: str = ""
    types: Mapping[str, TypeRow] = msgspec.field(default_factory=dict)


def read_symbol_file(path: Path, limits: Limits) -> SymbolFile:
    """The symbols and types of a file, of at most `max_source_bytes`. Raises SymbolFileError."""
    try:
        data = read_file(path, limits, "max_source_bytes")
    except FileRefused as error:
        raise SymbolFileError(str(error)) from None
    if data.startswith(b"Microsoft C/C++"):
        raise SymbolFileError(f"{path} is a PDB file, which is not read: convert it to JSON (see docs/symbols.md)")
    from hds.json_text import read_json

    try:
        content = read_json(data.decode())
    except ValueError as error:
        raise SymbolFileError(f"{path} is no JSON: {error}") from None
    try:
        return _parsed(path, content)
    except _Wrong as error:
        raise SymbolFileError(f"{path}: {error}") from None


class _Wrong(Exception):  # noqa: N818 - it says what is so
    pass


def _parsed(path: Path, content: Any) -> SymbolFile:
    table = _table(content, "the file")
    unknown = table.keys() - {"module", "symbols", "declarations", "types"}
    if unknown:
        raise _Wrong(f"there is no `{sorted(unknown)[0][:64]}`: module, symbols, declarations and types are known")
    symbols = _table(table.get("symbols", {}), "symbols")
    return SymbolFile(
        str(path),
        _word(table.get("module", path.stem.replace("-", "_")), "module"),
        {_word(name, "a symbol"): _number(value, name) for name, value in symbols.items()},
        _text(table.get("declarations", ""), "declarations"),
        {_word(tag, "a type"): _type(tag, row) for tag, row in _table(table.get("types", {}), "types").items()},
    )


def _type(tag: str, row: Any) -> TypeRow:
    table = _table(row, tag)
    unknown = table.keys() - {"size", "members"}
    if unknown:
        raise _Wrong(f"{tag} has no `{sorted(unknown)[0][:64]}`: size and members are known")
    members = _table(table.get("members", {}), f"members of {tag}")
    placed = {_number(offset, tag): _text(text, f"a member of {tag}") for offset, text in members.items()}
    for text in placed.values():
        if any(character in text for character in ";{}"):
            raise _Wrong(f"a member of {tag} is one declaration, not `{text[:64]}`")
    size = table.get("size")
    if max(placed, default=0) >> 31:
        raise _Wrong(f"{tag} is too large")
    return TypeRow(dict(sorted(placed.items())), None if size is None else _number(size, tag) & 0x7FFF_FFFF)


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{what} should be an object in braces")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{what} should be a text")
    return value


def _word(value: Any, what: str) -> str:
    text = _text(value, what)
    if not text or text[0].isdigit() or not all(c.isalnum() or c == "_" or c in _NAME_CHARACTERS for c in text):
        raise _Wrong(f"`{text[:64]}` is no name of {what}")
    return text


def _number(value: Any, what: str) -> int:
    number = number_in(value, COMMAND) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _LARGEST:
        raise _Wrong(f"{what} should have a hexadecimal number")
    return number
