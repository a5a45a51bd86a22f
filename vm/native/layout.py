"""Structures that Python and compiled code share. The class body is the table: one annotated line per field.

Every field is a 64-bit cell (`U64`), a host address (`Address`) or an array of cells (`Annotated[Cells, count]`), so
that a field's offset is eight times the number of cells before it. `cells` makes the ctypes structure of the table;
`vm.native.linkage` has compiled code read its fields.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, get_args

U64: TypeAlias = Annotated[int, "u64"]
Address: TypeAlias = Annotated[int, "address"]
Cells: TypeAlias = ctypes.Array[ctypes.c_uint64]

CELL = 8

S = TypeVar("S", bound=ctypes.Structure)


@cache
def table(structure: type[ctypes.Structure]) -> dict[str, Any]:
    """The fields in order: name and "u64", "address" or the length of an array."""
    names, kinds = vars(sys.modules[structure.__module__]), dict[str, Any]()
    for name, hint in structure.__annotations__.items():
        if isinstance(hint, str):  # nearly all are plain names: to compile each took 3 ms of a start
            hint = names[hint] if hint in names else eval(hint, names)
        if not name.startswith("_"):
            kinds[name] = get_args(hint)[1]
    return kinds


def cells(structure: type[S]) -> type[S]:
    """Class decorator: gives an annotated ctypes structure its fields."""
    structure._fields_ = [
        (name, ctypes.c_uint64 * kind if isinstance(kind, int) else ctypes.c_uint64)
        for name, kind in table(structure).items()
    ]
    return structure
