"""How a package shows what others use of it, and loads none of its modules before somebody asks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

_SCAFFOLD = {"TYPE_CHECKING", "annotations", "lazy"}  # what an `__init__` needs for this, and nobody asks for
_late: dict[str, ModuleType] = {}  # by the names of those that somebody has


class _Late(ModuleType):
    """A module that is loaded when something in it is first used."""

    def __getattr__(self, name: str) -> object:
        try:
            value: object = getattr(sys.modules[self.__name__], name)
        except (KeyError, AttributeError):  # or somebody is loading it
            value = getattr(import_module(self.__name__), name)
        return value


def load_late() -> None:
    """Load now what is loaded when it is first used, where others begin with what is here: they would each load it."""
    loaded: set[str] = set()
    while new := _late.keys() - loaded:
        for name in sorted(new):
            import_module(name)
        loaded |= new


def lazy(
    package: str, homes: Mapping[str, str], late: str = ""
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package: `homes` says, for each of its modules, which names are found there.

    A module without names is one itself. One of `late` is loaded when something in it is first used, not when it is
    imported, by `from package import module`: what most runs do without.

    Nothing is kept: `from package import name` asks once, and who asked keeps it. The `__init__` has the same names
    imported for types, and this in the other branch, so that a type checker knows them and no others.
    """
    home_of = {name: f"{package}.{module}" for module, names in homes.items() for name in names.split()}
    modules = {module for module, names in homes.items() if not names}
    late_ones = frozenset(late.split())

    def get(name: str) -> object:
        if name in late_ones:
            whole = f"{package}.{name}"
            return _late.setdefault(whole, _Late(whole))
        if name in modules:
            return import_module(f"{package}.{name}")
        if name == "__all__":  # of `from package import *`: its modules, which may need extras, are no part of it
            return [each for each in names() if not each.startswith("_") and each not in modules]
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(home_of[name]), name)
        return value

    def names() -> list[str]:
        own = {name for name, value in vars(sys.modules[package]).items() if not isinstance(value, ModuleType)}
        return sorted((own - _SCAFFOLD) | home_of.keys() | modules)

    return get, names
