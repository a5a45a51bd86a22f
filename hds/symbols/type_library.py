"""The types that `dt` and `struct` know: Windows' structures, and those of the files that `.sym add` has read."""

from __future__ import annotations

from collections.abc import Mapping

from hds.symbols.symbol_file import SymbolFile, TypeRow
from lang import Diagnostic, Placed, SourceFile, types, types_of
from machine.kernel import TYPEDEFS, Build, windows_types
from vm.facts.limits import Limits


class TypeLibrary:
    """Types by name. A name of a file wins over a built-in one, and that of a later file over an earlier one's."""

    def __init__(self, build: Build, limits: Limits) -> None:
        self._build = build
        self._limits = limits
        self._types: dict[str, types.Type] | None = None  # the built-in ones cost time, and few ask

    @property
    def _known(self) -> dict[str, types.Type]:
        if self._types is None:
            self._types = {}
            rows = {tag: TypeRow(members, size) for tag, (members, size) in windows_types(self._build).items()}
            assert not self._take("built-in types", "", rows)
        return self._types

    def add(self, file: SymbolFile) -> list[Diagnostic]:
        """Take in the types of a file; the errors in them, with which nothing is taken."""
        return self._take(file.name, file.declarations, file.types)

    def clear(self) -> None:
        """Forget what files have brought."""
        self._types = None

    def _take(self, name: str, declarations: str, rows: Mapping[str, TypeRow]) -> list[Diagnostic]:
        known = self._known if self._types is None else self._types
        parts = [TYPEDEFS, declarations, *(f"struct {tag} {{ {row.text} }};" for tag, row in rows.items())]
        tags = {tag: kind for tag, kind in known.items() if isinstance(kind, types.Struct)}
        placed = {tag: Placed(tuple(row.members), row.size) for tag, row in rows.items()}
        found, errors = types_of(SourceFile(name, "\n".join(parts)), self._limits, tags, placed)
        if not errors:
            known.update(found)
        return errors

    def find(self, name: str) -> types.Type | None:
        """The type of that name: `[module!]name` or `struct name`, in any case and without its underscore."""
        bare = name.rpartition("!")[2]
        known = self._known
        folded = {each.lower(): each for each in known}
        for spelling in (bare, f"_{bare}"):
            found = spelling if spelling in known else folded.get(spelling.lower())
            if found is not None:
                return known[found]
        return None

    @property
    def names(self) -> list[str]:
        """The names of all types."""
        return list(self._known)
