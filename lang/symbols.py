"""Symbols: names of places, and how a name finds its place.

`module!name` is looked up as it is written; else it is the only name that differs in nothing but case (the names of
Windows' kernel are written in any case); else it is an error that lists what could be meant. A name without a module is
looked up in the program's own module, then in `nt`. Nothing here reads files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Protocol

import msgspec

from lang.code import Code
from lang.nearest import NearestName
from vm import late_pattern

KERNEL_MODULE = "nt"
"""Where a name without a module is looked up last, and HyperDbg looks it up alone."""

_WORD = late_pattern(r"[A-Za-z_]\w*", re.ASCII)
_SHOWN_CANDIDATES = 6
_MOST_HINTS = 32  # of a table: to look for near names takes time, and nobody reads more
_CONSIDERED = 20_000  # names of nearly the same length that a hint is chosen from
_DEMANGLED_FOR_A_HINT = 5_000


class Place(msgspec.Struct, frozen=True):
    """A symbol that was found: its module and name as they are spelt, and its address."""

    module: str
    name: str
    address: int

    def __str__(self) -> str:
        return f"{self.module}!{self.name}"


class Unresolved(msgspec.Struct, frozen=True):
    """Why a name has no address: E011 (unknown) or E014 (ambiguous), what to say, and what could be meant."""

    code: Code
    message: str
    hint: str | None = None


class Demangler(Protocol):
    """How mangled names may be written instead."""

    def is_mangled(self, name: str) -> bool:
        """Whether a name may have other spellings, by its first letters."""
        ...

    def spellings(self, name: str) -> Sequence[str]:
        """The other spellings of a mangled name; none where it cannot be read."""
        ...


class _Module(msgspec.Struct):
    """The symbols of one module, and the indexes that are made once somebody asks."""

    names: dict[str, int] = msgspec.field(default_factory=dict)
    folded: dict[str, list[str]] | None = None
    mangled: list[str] | None = None

    def by_lower_case(self, name: str) -> list[str]:
        if self.folded is None:
            self.folded = {}
            for known in self.names:
                self.folded.setdefault(known.lower(), []).append(known)
        return self.folded.get(name.lower(), [])


class SymbolTable:
    """The symbols that a compiler and the commands of a session know.

    `given` (`module!name`: address) wins over what programs bring. `demangler` knows how else mangled names may be
    written; at most `most_demangled` names are asked about in one look-up.
    """

    def __init__(
        self,
        given: Mapping[str, int] | None = None,
        demangler: Demangler | None = None,
        most_demangled: int = 0,
    ) -> None:
        self._modules: dict[str, _Module] = {}
        self._given: dict[str, dict[str, int]] = {}
        self._demangler = demangler
        self._most_demangled = most_demangled
        self._hints = _MOST_HINTS
        self.more: Callable[[SymbolTable, str], None] = lambda table, module: None
        """Asked before a name with a module is given up, with the table and the module's name: it may add symbols that
        cost time."""
        self.programs: list[str] = []
        """The modules of programs in which a name without a module is looked up, in this order."""
        for text, address in (given or {}).items():
            module, _, name = text.partition("!")
            module = KERNEL_MODULE if module.lower() == KERNEL_MODULE else module
            self._given.setdefault(module, {})[name] = address
        for module, names in self._given.items():
            self.add(module, names)

    def copy(self) -> SymbolTable:
        """A table with the same symbols; what is added to one is not in the other."""
        made = SymbolTable(None, self._demangler, self._most_demangled)
        made._modules = {name: _Module(dict(row.names)) for name, row in self._modules.items()}
        made._given = self._given
        made.more = self.more
        made.programs = list(self.programs)
        return made

    @property
    def given(self) -> dict[str, int]:
        """The symbols that were given, by `module!name`."""
        return {f"{module}!{name}": address for module, names in self._given.items() for name, address in names.items()}

    def add(self, module: str, names: Mapping[str, int], *, program: bool = False, known_wins: bool = False) -> None:
        """Take in the symbols of a module; the newer address of a name counts, unless `known_wins`."""
        row = self._modules.setdefault(module, _Module())
        row.folded = row.mangled = None
        if known_wins:
            row.names = {**names, **row.names}
        else:
            row.names.update(names)
        given = self._given.get(module, {})
        if module == KERNEL_MODULE and given:  # whose names are the same in any case
            folded = {name.lower() for name in given}
            row.names = {name: address for name, address in row.names.items() if name.lower() not in folded}
        row.names.update(given)
        if program:
            self.prefer(module)

    def forget(self, module: str, names: Iterable[str]) -> None:
        """Forget these symbols of a module, but what was given of them."""
        row = self._modules.get(module)
        if row is not None:
            gone = set(names) - self._given.get(module, {}).keys()
            row.names = {name: address for name, address in row.names.items() if name not in gone}
            row.folded = row.mangled = None

    def drop(self, module: str) -> None:
        """Forget the symbols of a module that were not given."""
        self._modules.pop(module, None)
        if module in self._given:
            self.add(module, {})

    def prefer(self, module: str) -> None:
        """Look names without a module up in this program's module first, if its symbols are known."""
        if module not in self._modules:
            return
        self.programs = [module, *(name for name in self.programs if name != module)]

    def __iter__(self) -> Iterator[Place]:
        """Every symbol, by module."""
        for module, row in self._modules.items():
            for name, address in row.names.items():
                yield Place(module, name, address)

    @property
    def modules(self) -> list[str]:
        """The names of all modules."""
        return list(self._modules)

    def modules_called(self, module: str) -> list[str]:
        """The modules that a name means: the one that is spelt so, else those that differ in case only."""
        if module in self._modules:
            return [module]
        return [name for name in self._modules if name.lower() == module.lower()]

    def default_modules(self) -> list[str]:
        """Where a name without a module is looked up."""
        return list(dict.fromkeys([*self.programs, *self.modules_called(KERNEL_MODULE)]))

    # --- finding

    def find(self, text: str) -> Place | Unresolved:
        """The place of `module!name`, or of a name without a module."""
        return self.search(text) or self.unknown(text)

    def search(self, text: str) -> Place | Unresolved | None:
        """The same, with None for a name that is unknown."""
        module, mark, name = text.partition("!")
        if mark:
            if not (found := self._candidates(self.modules_called(module), name)):
                self.more(self, module)
                found = self._candidates(self.modules_called(module), name)
            return self._chosen(text, found)
        places = (self._chosen(text, self._candidates([default], text)) for default in self.default_modules())
        return next((place for place in places if place is not None), None)

    def _candidates(self, modules: Sequence[str], name: str) -> list[Place]:
        """As it is written, mangled or not; else whatever differs in case only."""
        exact = [Place(m, name, self._modules[m].names[name]) for m in modules if name in self._modules[m].names]
        exact = exact or [place for m in modules for place in self._spelled(m, name)]
        if exact:
            return exact
        folded = [Place(m, n, self._modules[m].names[n]) for m in modules for n in self._modules[m].by_lower_case(name)]
        return folded + [place for m in modules for place in self._spelled(m, name, fold=True)]

    def _spelled(self, module: str, text: str, *, fold: bool = False) -> Iterator[Place]:
        """The symbols that have `text` among their other spellings; blanks do not count."""
        if self._demangler is None:
            return
        wanted, word = "".join(text.split()), _sure_word(text)
        if fold:
            wanted, word = wanted.lower(), word.lower()
        row = self._modules[module]
        near = (name for name in self._mangled(module) if word in (name.lower() if fold else name))
        for name in islice(near, self._most_demangled):
            forms = ["".join(form.split()) for form in self._demangler.spellings(name)]
            if wanted in (map(str.lower, forms) if fold else forms):
                yield Place(module, name, row.names[name])

    @staticmethod
    def _chosen(text: str, candidates: Sequence[Place]) -> Place | Unresolved | None:
        """The candidate that is meant; names of one address mean the same."""
        if not candidates:
            return None
        if len({place.address for place in candidates}) == 1:
            return candidates[0]
        shown = ", ".join(f"{place} at {place.address:x}" for place in candidates[:_SHOWN_CANDIDATES])
        more = len(candidates) - _SHOWN_CANDIDATES
        shown += f" and {more} more" if more > 0 else ""
        return Unresolved(
            Code.AMBIGUOUS_SYMBOL, f"the symbol `{text}` is ambiguous", f"write one of these as it stands: {shown}"
        )

    # --- what could be meant

    def unknown(self, text: str) -> Unresolved:
        """What to say of a name that `search` does not find."""
        self._hints -= 1
        near = self.nearest(text) if self._hints >= 0 else None
        hint = f"did you mean `{near}`?" if near else self._what_is_known(text)
        return Unresolved(Code.UNKNOWN_SYMBOL, f"the symbol `{text}` is unknown", hint)

    def _what_is_known(self, text: str) -> str:
        module, mark, _ = text.partition("!")
        known = self.modules_called(module) if mark else self.programs
        if known:
            return f"`x {module + mark if mark else ''}*` lists the symbols that are known; an address may be a number"
        return "give its address as a number or with --symbol, or its program with --program"

    def nearest(self, text: str) -> str | None:
        """The symbol that is nearest to a name that is none: in its module, in one spelt nearly so, in any other."""
        module, mark, name = text.partition("!")
        if not mark:
            module, name = "", text
        meant = self.modules_called(module) if mark else self.default_modules()
        for modules in (meant, self._near_modules(module) if mark else []):
            for candidate in modules:
                if self._modules[candidate].by_lower_case(name):
                    return f"{candidate}!{self._modules[candidate].by_lower_case(name)[0]}"
                near = self._nearest_in(candidate, name)
                if near:
                    return f"{candidate}!{near}"
        elsewhere = [m for m in self._modules if self._modules[m].by_lower_case(name)]
        return f"{elsewhere[0]}!{self._modules[elsewhere[0]].by_lower_case(name)[0]}" if elsewhere else None

    def _near_modules(self, module: str) -> list[str]:
        known = {name.lower(): name for name in self._modules}
        near = NearestName(known).find(module.lower())
        return [known[near]] if near else []

    def _nearest_in(self, module: str, name: str) -> str | None:
        forms = chain(self._modules[module].names, self._readable_names(module))
        similar = (known for known in forms if abs(len(known) - len(name)) <= 1)
        folded = {known.lower(): known for known in islice(similar, _CONSIDERED)}
        near = NearestName(folded).find(name.lower())
        return folded[near] if near else None

    def _readable_names(self, module: str) -> Iterator[str]:
        """The other spellings of mangled names, as many as a hint is worth."""
        if self._demangler is not None:
            for name in islice(self._mangled(module), min(_DEMANGLED_FOR_A_HINT, self._most_demangled)):
                yield from self._demangler.spellings(name)

    def _mangled(self, module: str) -> list[str]:
        row = self._modules[module]
        if row.mangled is None:
            is_mangled = self._demangler.is_mangled if self._demangler is not None else lambda name: False
            row.mangled = [name for name in row.names if is_mangled(name)]
        return row.mangled


def _sure_word(text: str) -> str:
    """A word that every symbol has in its mangled form that can be spelt `text`; empty when none is sure."""
    path = re.split(r"[(<]", text, maxsplit=1)[0]
    words = [word for word in _WORD.findall(path) if word not in ("std", "operator", "for")]
    return words[-1] if words and "operator" not in path else (words[0] if words else "")
