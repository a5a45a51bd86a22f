"""Structures that Python and compiled code share. The class body is the table: one annotated line per field.

Every field is a 64-bit cell (`U64`), a host address (`Address`) or an array of cells (`Annotated[Cells, count]`), so
that a field's offset is eight times the number of cells before it. `cells` makes the ctypes structure of the table;
`vm.native.linkage` has compiled code read its fields.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_type_hints

U64: TypeAlias = Annotated[int, "u64"]
Address: TypeAlias = Annotated[int, "address"]
Cells: TypeAlias = ctypes.Array[ctypes.c_uint64]

CELL = 8

S = TypeVar("S", bound=ctypes.Structure)


@cache
def table(structure: type[ctypes.Structure]) -> dict[str, Any]:
    """The fields in order: name and "u64", "address" or the length of an array."""
    hints = get_type_hints(structure, include_extras=True)
    return {name: get_args(hint)[1] for name, hint in hints.items() if not name.startswith("_")}


def cells(structure: type[S]) -> type[S]:
    """Class decorator: gives an annotated ctypes structure its fields."""
    structure._fields_ = [
        (name, ctypes.c_uint64 * kind if isinstance(kind, int) else ctypes.c_uint64)
        for name, kind in table(structure).items()
    ]
    return structure
