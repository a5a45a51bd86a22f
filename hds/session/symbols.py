"""The symbols that a session knows: those that were given (`--symbol`), its programs' and those of the kernel stand-in.

Names are looked up in one table (`lang.symbols`), for the compiler and for commands: a given name wins, then that of
the program that was loaded last. Addresses are looked up for a process, since programs may lie at the same ones.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.symbols import (
    DEMANGLER,
    add_kernel,
    add_program,
    new_table,
    readable,
    symbol_file,
    type_library,
)
from lang import KERNEL_MODULE, Diagnostic, Place, SymbolTable, Unresolved
from lang.commands import Command
from machine.debugger import modules_of, unwinding
from machine.kernel import ENTRY_POINTS, Build
from machine.loaders import LoadError, Placement, elf_symbols, module_name
from machine.memory import Protection
from vm import DriveRefused, late_pattern
from vm.facts.limits import Limits
from vm.facts.numbers import plain_number
from vm.facts.registers import REGISTER_INDEX

if TYPE_CHECKING:
    from pathlib import Path

    from hds.symbols import SourceLines
    from lang import Compiler
    from machine.debugger import Module
    from machine.loaders import Image, Symbol
    from machine.schedule import Process

_MOST_PLACES = 4096  # whose names are remembered
_ELF = b"\x7fELF"
_MOST_OF_LIBRARIES = 1_000_000  # symbols, before no other library is read
FARTHEST_SYMBOL = 0xFFFF  # bytes between a symbol and what is named after it
_WORD_MASK = (1 << 64) - 1
_MODULE = late_pattern(r"([A-Za-z_]\w*)![A-Za-z_?]", re.ASCII)
_NUMBER = late_pattern(r"0[xnyo][0-9A-Fa-f`]+|[0-9A-Fa-f`]+")
_NAME = late_pattern(r"(?:[A-Za-z_]\w*!)?[A-Za-z_?][\w.$@?]*", re.ASCII)
_READABLE = late_pattern(r"(?:[A-Za-z_]\w*!)?[^-+*!]*::|[A-Za-z_]\w*!~?\w+\(", re.ASCII)


# --- what a parameter names -------------------------------------------------------------------------------------------


class Located(msgspec.Struct, frozen=True):
    """What a parameter that is a symbol, perhaps with an offset in bytes, stands for."""

    address: int
    place: Place


def locate(table: SymbolTable, text: str) -> Located | Unresolved | None:
    """The address that a parameter of a command names: `[module!]name[+-number]`; None for any other expression.

    The name may be a readable form of a mangled one. A register keeps its meaning, and the number behind the name is
    one whatever it reads like (`main+eb`), unless it is a register's name.
    """
    written = text.replace("`", "")
    if written in REGISTER_INDEX:
        return None
    plain = _NAME.fullmatch(written) is not None
    found = table.search(written if plain else text)
    if isinstance(found, Place):
        return Located(found.address, found)
    base = _with_offset(table, text)
    if isinstance(base, Located):
        return base
    if found is not None or base is not None:
        return base if found is None else found
    return table.unknown(text) if plain or _READABLE.match(text) else None


def _with_offset(table: SymbolTable, text: str) -> Located | Unresolved | None:
    at = max(text.rfind("+"), text.rfind("-"))
    name, number = text[: max(at, 0)], text[at + 1 :]
    if not name or name in REGISTER_INDEX or number in REGISTER_INDEX or not _NUMBER.fullmatch(number):
        return None
    base, offset = table.search(name), plain_number(number)
    if base is None or isinstance(base, Unresolved) or offset is None:
        return base if isinstance(base, Unresolved) else None
    return Located(base.address + (-offset if text[at] == "-" else offset) & _WORD_MASK, base)


class _Extent(msgspec.Struct, frozen=True):
    """Where a module lies: [start, end)."""

    start: int
    end: int
    name: str


class AddedFile(msgspec.Struct, frozen=True):
    """A file of `.sym add`, and the base of its symbols."""

    file: symbol_file.SymbolFile
    base: int

    @property
    def addresses(self) -> dict[str, int]:
        """The symbols with their addresses."""
        return {name: self.base + offset & _WORD_MASK for name, offset in self.file.symbols.items()}


class Symbols:
    """The symbols of a session: `table` is also the compiler's. `kernel` is the stand-in of all programs, if given."""

    def __init__(
        self,
        given: Mapping[str, int],
        limits: Limits,
        kernel: str | None,
        build: Build,
        read_file: Callable[[str], bytes],
    ) -> None:
        self._build, self._limits = build, limits
        self.files: list[AddedFile] = []
        self.table = new_table(given, limits, kernel)
        self._most_demangled = limits.max_demangled_names
        self._kernel = kernel
        self._read_file = read_file
        self._bytes_left, self._symbols_left = limits.max_guest_memory, _MOST_OF_LIBRARIES
        self._known: set[Process] = set()  # whose programs' symbols are in the table
        self._libraries: dict[Process, tuple[Module, ...]] = {}  # that each process had when it was last looked at
        self._looked: dict[Process, int] = {}  # how often its areas had changed then
        self._of_files: dict[str, tuple[Symbol, ...]] = {}  # by path, as if they lay at 0
        self._by_address: dict[Process, list[tuple[int, str]]] = {}
        self._extents: dict[Process, list[_Extent]] = {}  # its modules by address, as old as `_by_address`
        self._places: dict[tuple[Process, int], str] = {}  # by address, for the same time
        self._lines_of: Image | None = None  # the program whose lines these are
        self._lines: SourceLines | None = None

    @cached_property
    def types(self) -> type_library.TypeLibrary:
        """What `dt` and `struct` know."""
        return type_library.TypeLibrary(self._build, self._limits)

    def add(self, process: Process) -> None:
        """Take in the symbols of a process that was loaded."""
        self._known.add(process)
        add_kernel(self.table, self._kernel_of(process.image))
        add_program(self.table, process.name, process.image)

    # --- libraries

    def add_modules(self, program: str, modules: Iterable[Module]) -> None:
        """Take in the symbols of a program's libraries; the program's own module keeps its name."""
        for module in modules:
            name = module_name(module.path)
            if name != module_name(program):
                symbols = self._symbols_of(module)
                self.table.add(name, {symbol.name: module.start + symbol.address & _WORD_MASK for symbol in symbols})

    def modules(self, process: Process) -> tuple[Module, ...]:
        """The libraries that a process has mapped; the symbols of new ones are known from then on."""
        changes = process.cpu.memory.area_changes
        if self._looked.get(process) == changes:
            return self._libraries[process]
        if process not in self._known:  # another one has made it
            self.add(process)
        found = modules_of(process)
        if found != self._libraries.get(process, ()):
            self._forget_places(process)
            self.add_modules(process.name, found)
        self._libraries[process], self._looked[process] = found, changes
        return found

    def _forget_places(self, *processes: Process) -> None:
        """What stands where is to be found anew, in all processes or in these."""
        self._places.clear()
        for process in processes or tuple(self._by_address):
            self._by_address.pop(process, None)

    def _symbols_of(self, module: Module) -> tuple[Symbol, ...]:
        if module.dll is not None:
            return tuple(replace(symbol, address=symbol.address - module.start) for symbol in module.dll())
        if module.path not in self._of_files:
            self._of_files[module.path] = self._read_symbols(module.path)
        return self._of_files[module.path]

    def _read_symbols(self, path: str) -> tuple[Symbol, ...]:
        """None where the files before had as many as are kept: a guest may map whatever it has written."""
        if self._bytes_left <= 0 or self._symbols_left <= 0:
            return ()
        try:
            data = self._read_file(path)
        except LoadError:
            return ()
        symbols = elf_symbols(data, 0)
        self._bytes_left -= len(data)
        self._symbols_left -= len(symbols)
        return symbols

    # --- files of symbols and types

    def add_file(self, file: symbol_file.SymbolFile, base: int) -> list[Diagnostic]:
        """Take in a file whose symbols are offsets from `base`; what is wrong with its types, and nothing else then."""
        errors = self.types.add(file)
        if not errors:
            self.files = [*(each for each in self.files if each.file.name != file.name), AddedFile(file, base)]
            self.table.add(file.module, self.files[-1].addresses)
            self._forget_places()
        return errors

    def forget_files(self, processes: Iterable[Process]) -> None:
        """Forget what files have brought; what their symbols took the place of is known again."""
        for added in self.files:
            self.table.forget(added.file.module, added.addresses)
        self.files = []
        self.types.clear()
        self._forget_places()
        self._libraries.clear()
        self._looked.clear()
        for process in processes:
            self.add(process)

    # --- what names mean

    def locate(self, text: str, current: Process | None) -> Located | Unresolved | None:
        """What a parameter names; a name without a module is one of the current process's program first."""
        if current is not None:
            self.modules(current)
            self.table.prefer(module_name(current.name))
        return locate(self.table, text)

    def process_named_in(
        self, texts: Iterable[str], current: Process | None, processes: Sequence[Process]
    ) -> Process | None:
        """The process whose program has the first symbol of some parameters: the current one, or the latest."""
        module = next(filter(None, (self._module_in(text, current) for text in texts)), None)
        candidates = [*processes, *(() if current is None else (current,))]
        own = (item for item in reversed(candidates) if module_name(item.name) == module)
        having = (
            item for item in reversed(candidates) if any(module_name(row.path) == module for row in self.modules(item))
        )
        return next(own, None) or next(having, None)

    def _module_in(self, text: str, current: Process | None) -> str | None:
        found = self.locate(text, current)
        if isinstance(found, Located):
            return found.place.module
        written = _MODULE.search(text)
        return None if written is None else next(iter(self.table.modules_called(written[1])), None)

    def matching(self, mask: str, current: Process | None) -> list[Place]:
        """The symbols whose name fits `[module!]mask` with * and ?, by address; in any case if none does as written.

        A mangled name fits if its readable form does, too. Without a module: those of the current program and the
        kernel's.
        """
        if current is not None:
            self.modules(current)
            self.table.prefer(module_name(current.name))
        module, mark, name = mask.partition("!") if "!" in mask else ("", "", mask)
        modules = set(_fitting(self.table.modules, module) if mark else self.table.default_modules())
        places = [place for place in self.table if place.module in modules]
        mangled = islice((place for place in places if DEMANGLER.is_mangled(place.name)), self._most_demangled)
        forms = {place: DEMANGLER.spellings(place.name) for place in mangled}
        for flags in (re.NOFLAG, re.IGNORECASE):
            fits = re.compile(_pattern(name), flags).match
            found = [p for p in places if fits(p.name) or any(fits(form) for form in forms.get(p, ()))]
            if found:
                return sorted(found, key=lambda place: (place.address, place.name))
        return []

    # --- names of addresses

    def nearest(self, process: Process, address: int) -> tuple[str, int] | None:
        """The readable name of the nearest symbol at or below an address in a process, and the distance in bytes."""
        rows = self._rows(process)
        index = bisect_right(rows, address, key=lambda row: row[0])
        if index == 0:
            return None
        value, name = rows[index - 1]
        module, _, symbol = name.partition("!")
        return f"{module}!{readable(symbol).full or symbol}", address - value

    def place(self, process: Process, address: int) -> str:
        """`module!name+0x..` of that symbol, `module+0x..` where none of the module is near; empty outside of both."""
        self.modules(process)
        known = self._places.get((process, address))
        if known is not None:
            return known
        text = self._named(process, address)
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[process, address] = text
        return text

    def _named(self, process: Process, address: int) -> str:
        """The text of a place: a symbol names its function, or what lies in its section of its module, or in none."""
        found, extent = self.nearest(process, address), self._extent_at(process, address)
        if found is not None and found[1] <= FARTHEST_SYMBOL:
            name, distance = found
            symbol = self._extent_at(process, address - distance, with_end=True)
            if not distance or (extent == symbol and _belongs(process, extent, address - distance, address)):
                return _with_distance(name, distance)
        return "" if extent is None else _with_distance(extent.name, address - extent.start)

    def _extent_at(self, process: Process, address: int, *, with_end: bool = False) -> _Extent | None:
        """The module in which an address lies, or at whose end."""
        self._rows(process)
        extents = self._extents[process]
        index = bisect_right(extents, address, key=lambda each: each.start)
        if not index or address >= extents[index - 1].end + with_end:
            return None
        return extents[index - 1]

    def line(self, process: Process, address: int) -> str:
        """`file.c:12`, the line of source of an address in the program itself; empty where that is not known."""
        image = process.image
        if not image.data.startswith(_ELF):
            return ""
        if self._lines_of is not image:
            from hds.symbols import SourceLines

            self._lines_of, self._lines = image, SourceLines(image.data)
        assert self._lines is not None
        return self._lines.at(address - image.bias)

    def _rows(self, process: Process) -> list[tuple[int, str]]:
        libraries = self.modules(process)
        if process not in self._by_address:
            kernel = ENTRY_POINTS[self._kernel_of(process.image)].symbols
            names = {f"{KERNEL_MODULE}!{name}": address for name, address in kernel.items()}
            module = module_name(process.name)
            names.update({f"{module}!{symbol.name}": symbol.address for symbol in process.image.symbols})
            for library in libraries:
                prefix = module_name(library.path)
                symbols = self._symbols_of(library)
                names.update({f"{prefix}!{symbol.name}": library.start + symbol.address for symbol in symbols})
            for added in self.files:
                names.update({f"{added.file.module}!{name}": place for name, place in added.addresses.items()})
            names.update(self.table.given)
            self._by_address[process] = sorted((address, name) for name, address in names.items())
            own = [] if process.image.extent is None else [_Extent(*process.image.extent, module)]
            others = (_Extent(row.start, row.end, module_name(row.path)) for row in libraries)
            self._extents[process] = sorted((*own, *others), key=lambda each: each.start)
        return self._by_address[process]

    def _kernel_of(self, image: Image) -> str:
        return self._kernel or image.kernel


def _belongs(process: Process, module: _Extent | None, symbol: int, address: int) -> bool:
    """Whether an address seems to be of what a symbol names: the same function, or data with the same rights."""
    memory = process.cpu.memory
    areas = [memory.area_at(each) for each in (symbol, address)]
    rights = [Protection.NONE if area is None else area.protection for area in areas]
    if module is None or not all(each & Protection.EXECUTE for each in rights):
        return rights[0] == rights[1]
    begins = unwinding.function_at(module.start, address, memory.read_up_to)
    return begins is None or begins <= symbol


def _with_distance(name: str, distance: int) -> str:
    return f"{name}+0x{distance:x}" if distance else name


def _pattern(mask: str) -> str:
    """A regular expression for a mask of which only * and ? are special; it matches in linear time."""
    return translate(mask.replace("[", "[[]"))


def _fitting(modules: Iterable[str], mask: str) -> list[str]:
    """The modules that a mask names as it is written; in any case if none."""
    for flags in (re.NOFLAG, re.IGNORECASE):
        found = [module for module in modules if re.compile(_pattern(mask), flags).match(module)]
        if found:
            return found
    return []


def announce_symbols(
    commands: Iterable[Command],
    compiler: Compiler,
    kernel: str | None = None,
    started: Callable[[Path, tuple[str, ...]], None] = lambda path, arguments: None,
    root: Path | None = None,
) -> None:
    """Add the symbols of the programs that `.start` is going to load, and of the files that `.sym add` will read.

    A file is compiled before its first command is executed, and the scripts behind these may name such symbols. Those
    of programs only where a name is not known yet; `started` is told of each, with its arguments. `root` is the folder
    with the DLLs of Windows programs.
    """
    for command in commands:
        words = [token.lower for token in command.tokens]
        try:
            if command.canonical_name == ".start" and words[:1] == ["path"] and len(words) > 1:
                from machine.loaders import read_program

                path = compiler.drives.locate(command.tokens[1].text)
                image = read_program(path, Placement(limits=compiler.limits, root=root, path=path))
                add_kernel(compiler.symbols, kernel or image.kernel)
                add_program(compiler.symbols, path.name, image, known_wins=True)
                started(path, tuple(token.text for token in command.tokens[2:]))
            elif command.canonical_name == ".sym" and is_addition(words):
                path = compiler.drives.locate(command.tokens[4].text)
                file, base = symbol_file.read_symbol_file(path, compiler.limits), plain_number(words[2])
                if base is not None:
                    compiler.symbols.add(file.module, AddedFile(file, base).addresses)
        except (DriveRefused, LoadError, symbol_file.SymbolFileError):
            continue  # the command itself will say so


def is_addition(words: Sequence[str]) -> bool:
    """Whether these are `add base ADDRESS path FILE`."""
    return len(words) == 5 and (words[0], words[1], words[3]) == ("add", "base", "path")
