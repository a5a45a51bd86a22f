"""Mangled names of C++ (Itanium, Microsoft) and Rust in the form in which people write them.

The names come from files that nobody has checked. The library bounds depth, output and substitutions by itself; what it
cannot read within the bounds here, or at all, stays mangled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_MARKS = ("_Z", "__Z", "_R", "?")
_SCHEMES = ("itanium", "rust", "msvc")
_LONGEST = 4096  # characters of a mangled name, and of a readable one
_DEEPEST = 64  # levels of types within types
_MOST_SUBSTITUTIONS = 512
_KEPT = 1 << 14  # answers


class Readable(NamedTuple):
    """`full` is with the parameters, `short` the path of a function without them; both empty for a plain name."""

    full: str = ""
    short: str = ""


_PLAIN = Readable()


def readable(name: str) -> Readable:
    """The readable forms of a symbol's name."""
    return _read(name) if name.startswith(_MARKS) and len(name) <= _LONGEST else _PLAIN


class NameDemangler:
    """What a `lang.symbols.SymbolTable` asks."""

    def is_mangled(self, name: str) -> bool:
        """Whether a name may be mangled, by its first letters."""
        return name.startswith(_MARKS)

    def spellings(self, name: str) -> tuple[str, ...]:
        """Every way in which a mangled name may be written instead; parts that a compiler split off have one."""
        full, short = readable(name)
        if not short or "." in name:
            return (full,) if full else ()
        return tuple(dict.fromkeys((full, short, _without_template_arguments(short))))


@lru_cache(_KEPT)
def _read(name: str) -> Readable:
    try:
        import demangle
    except ImportError:  # it is declared as a dependency; without it names stay as they are
        return _PLAIN
    limits = demangle.Limits(_DEEPEST, _LONGEST, _MOST_SUBSTITUTIONS, _LONGEST)
    try:
        full = demangle.demangle_strict(name, language=_SCHEMES, limits=limits)
        parts = demangle.signature(name, language=_SCHEMES, limits=limits)
    except Exception:  # whatever it stumbles over: the name is not ours to judge
        return _PLAIN
    if not full.isprintable():
        return _PLAIN
    short = str(parts.qualified_name) if parts is not None and (parts.is_function or parts.parameters is None) else ""
    other = f" for {short}" in full or f" to {short}" in full  # what belongs to a function, and is none
    return Readable(full, short if short in full and not other else "")


def _without_template_arguments(path: str) -> str:
    """`Foo::bar` of `Foo::bar<int>`; the path itself where it ends otherwise."""
    if not path.endswith(">") or "operator" in path:
        return path
    depth = 0
    for at in range(len(path) - 1, -1, -1):
        depth += {">": 1, "<": -1}.get(path[at], 0)
        if depth == 0:
            return path[:at] or path
    return path
