"""Where the DLLs of a Windows program go, planned before it runs: those that it imports in any way, and named ones.

The guest's own ntdll loads them, at the bases of the plan, so `!epthook kernel32!CreateFileW` knows its address before
they are mapped. A base is the preferred one where it is free, else the next one below a fixed top: nothing is random.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path

import msgspec

from machine.loaders.api_sets import host_of, hosts_of, is_api_set, section_of
from machine.loaders.image import LoadError, Placement, UnreadableFile
from machine.loaders.pe_exports import Export, exports_of, symbols_of as exported_symbols
from machine.loaders.pe_file import PeFile
from machine.loaders.pe_imports import imports_of, loaded_with
from machine.loaders.pe_symbols import symbols_of
from machine.loaders.symbols import Symbol, module_name
from vm import FileRefused, read_file
from vm.facts.limits import Limits

NTDLL, SCHEMA = "ntdll.dll", "apisetschema.dll"
_NEEDED = (NTDLL, "kernel32.dll", "kernelbase.dll", SCHEMA, "locale.nls", "l_intl.nls", "c_1252.nls")
SYSTEM = ("windows", "system32")
SYSTEM_FOLDER = "C:\\windows\\system32"
PROGRAM_FOLDER = "prog"  # of a program that does not lie in the folder
_TOP, _LOWEST, _UNIT = 0x7FF8_0000_0000, 0x1_0000, 0x1_0000
_MOST_MODULES = 1024  # of a plan
_MOST_IMPORTERS = 16  # of a DLL that is missing
_MOST_BELOW = 10_000  # names below a program's folder that are looked at
_MOST_WANTED = 1 << 18  # functions that are looked for to find those that are missing
_DEEPEST_FORWARDER = 16


class Module(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A program or DLL of a plan: its file's name, its path as the guest has it, its base."""

    name: str
    path: str
    base: int
    file: PeFile

    @cached_property
    def exports(self) -> Mapping[str, Export]:
        """Its exports by name, and by `#ordinal`."""
        return exports_of(self.file)

    def address_of(self, name: str) -> int:
        """The address of an export that is no forwarder. Raises LoadError."""
        export = self.exports.get(name)
        if not isinstance(export, int):
            raise LoadError(f"{self.name} does not export {name}", "is the folder of --root complete?")
        return self.base + export


class Unmet(msgspec.Struct, frozen=True):
    """What a module is not loaded without, and the folder does not have: a DLL, or an export of one (else empty)."""

    importer: str
    dll: str
    export: str = ""


class Broken(msgspec.Struct):
    """A file of the folder that cannot be loaded, why, and the modules that import it."""

    path: str
    why: str
    importers: list[str] = msgspec.field(default_factory=list)


class WindowsPlan(msgspec.Struct, frozen=True, eq=False, dict=True):
    """The modules of a program by name, ntdll among them; `api_sets` is the map of API sets as the guest is to see it.

    `missing` are the DLLs that the folder does not have, and the modules that import each. `names` lead from C: to the
    program: to where it lies in the folder, or to a place of its own. What is asked for later is added to the plan.
    """

    program: Module
    names: tuple[str, ...]
    api_sets: bytes
    _growth: _Growth
    _symbols: dict[Module, tuple[Symbol, ...]] = msgspec.field(default_factory=dict)

    @property
    def modules(self) -> Mapping[str, Module]:
        """By the names of their files in small letters; by the whole path, where the name is that of another module."""
        return self._growth.modules

    @property
    def missing(self) -> Mapping[str, Sequence[str]]:
        """By name, sorted."""
        return {name: tuple(by) for name, by in sorted(self._growth.missing.items())}

    @property
    def broken(self) -> Mapping[str, Broken]:
        """By name; only of a plan that is made to look at it."""
        return self._growth.broken or {}

    @cached_property
    def unmet(self) -> Sequence[Unmet]:
        """What the loader is not going to find of what the program and the DLLs that are loaded with it import."""
        found: dict[Unmet, None] = {}
        waiting, seen, left = deque([self.program]), {self.program}, _MOST_WANTED
        while waiting:
            importer = waiting.popleft()
            with suppress(LoadError):
                for name, wanted in loaded_with(importer.file):
                    file = self._growth.file_of(name)
                    if file in self.broken:
                        continue
                    module = self.modules.get(file)
                    if module is None:
                        found[Unmet(importer.name, name)] = None
                        continue
                    for each in islice(wanted, left):
                        left -= 1
                        if each not in module.exports:
                            found[Unmet(importer.name, name, each)] = None
                    if module not in seen:
                        seen.add(module)
                        waiting.append(module)
        return tuple(found)

    @property
    def ntdll(self) -> Module:
        """The guest's loader, among other things."""
        return self.modules[NTDLL]

    @cached_property
    def start(self) -> int:
        """Where threads begin. Raises LoadError."""
        return self.ntdll.address_of("LdrInitializeThunk")

    def include(self, module: str) -> None:
        """Plan a DLL that a script names (`version`) with what it imports, if the folder has it and it can be read."""
        self._growth.include(module)

    def at(self, path: str) -> Module | None:
        """The module that the guest has by this path, in any case."""
        folded = path.lower()
        return next((each for each in (self.program, *self.modules.values()) if each.path.lower() == folded), None)

    def adopt(self, path: str, file: PeFile) -> Module:
        """An image of which nobody has known that the guest would map it: the module that it is from now on."""
        return self._growth.adopt(path, file)

    def symbols(self, module: Module) -> tuple[Symbol, ...]:
        """The symbols of a module, of DLLs of the system the exports only; forwarders lead to their target."""
        if module not in self._symbols:
            is_system = module.path.lower().startswith(f"{SYSTEM_FOLDER}\\".lower())
            read = exported_symbols if is_system else symbols_of
            self._symbols[module] = read(module.file, module.base, self.forwarded)
        return self._symbols[module]

    def forwarded(self, text: str) -> int | None:
        """The address that `MODULE.name` leads to; None where it leads nowhere in the plan."""
        for _ in range(_DEEPEST_FORWARDER):
            name, _, export = text.rpartition(".")
            module = self.modules.get(self._growth.file_of(f"{name.lower()}.dll"))
            target = None if module is None else module.exports.get(export)
            if target is None or module is None:
                return None
            if isinstance(target, int):
                return module.base + target if module.file.holds(target) else None
            text = target
        return None


class SystemFolder:
    """Windows\\System32 of a folder that is laid out like C:, found in any spelling, and the program's own folder."""

    def __init__(self, root: Path, beside: Path | None, limits: Limits) -> None:
        self._limits = limits
        self._root = _real(root)
        self._names: dict[str, Path] = {}
        self._paths: dict[str, str] = {}
        self._beside: tuple[Path, str] | None = None
        folder: Path | None = self._root
        for part in SYSTEM:
            folder = None if folder is None else _child(folder, part)
        if folder is not None:
            self._take(folder, SYSTEM_FOLDER)
        if beside is not None and _real(beside).parent.is_relative_to(self._root):
            inside = _real(beside).parent
            parts = inside.relative_to(self._root).parts
            self._beside = inside, "\\".join(("C:", *parts))
            self._take(*self._beside)

    def _take(self, folder: Path, path: str) -> None:
        try:
            for file in folder.iterdir():
                self._names[file.name.lower()] = file
                self._paths[file.name.lower()] = f"{path}\\{file.name.lower()}"
        except OSError as error:
            raise UnreadableFile(f"cannot read {folder}: {error.strerror}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def names(self) -> Iterator[str]:
        """The names of its files, in small letters."""
        return iter(self._names)

    def below(self, module: str) -> list[str]:
        """The name of the first image of a module in the folders below the program's own; it is known from now on."""
        waiting, left = deque([] if self._beside is None else [self._beside]), _MOST_BELOW
        while waiting and left > 0:
            folder, path = waiting.popleft()
            try:
                found = sorted(islice(folder.iterdir(), left), key=lambda each: each.name)
            except OSError:
                continue
            left -= len(found)
            for each in found:
                name = each.name.lower()
                if each.is_symlink():
                    continue
                if each.is_dir():
                    waiting.append((each, f"{path}\\{each.name}"))
                elif _is_image(name) and module_name(name) == module:
                    self._names[name], self._paths[name] = each, f"{path}\\{each.name}"
                    return [name]
        return []

    def path(self, name: str) -> str:
        """How the guest names a file."""
        return self._paths[name]

    def read(self, name: str) -> PeFile:
        """The file of this name. Raises LoadError that names it."""
        try:
            return self.load(name)
        except LoadError as error:
            raise self.named(error, name) from None

    def named(self, error: LoadError, name: str, importer: str = "") -> LoadError:
        """What is wrong with a file, with its path and the module that imports it."""
        by = f" (imported by {importer})" if importer else ""
        return type(error)(f"{self.path(name)}{by}: {error.message}", error.hint)

    def broken(self, error: LoadError, name: str) -> Broken:
        """The same, to be told later."""
        return Broken(self.path(name), f"{error.message}; {error.hint}" if error.hint else error.message)

    def load(self, name: str) -> PeFile:
        """The file of this name. Raises LoadError."""
        path = _real(self._names[name])
        if not path.is_relative_to(self._root) or not path.is_file():
            raise LoadError("it does not lie in the folder of --root")
        try:
            data = read_file(path, self._limits, "max_file_bytes")
        except FileRefused as error:
            raise UnreadableFile(str(error), error.hint or "") from None
        return PeFile(data)

    def state(self, name: str) -> str | Broken | None:
        """How the guest names a file, unless it is broken, or missing (None)."""
        if name not in self:
            return None
        try:
            if _is_image(name):
                imports_of(self.load(name))
        except LoadError as error:
            return self.broken(error, name)
        return self.path(name)


def has_system(root: Path, limits: Limits) -> bool:
    """Whether a folder has an ntdll where Windows has it."""
    return NTDLL in SystemFolder(root, None, limits)


def ntdll_of(root: Path, limits: Limits) -> Module | None:
    """The ntdll of a folder, if it has one. Raises LoadError."""
    folder = SystemFolder(root, None, limits)
    if NTDLL not in folder:
        return None
    file = folder.read(NTDLL)
    return Module(NTDLL, folder.path(NTDLL), file.base, file)


def system_files(root: Path, limits: Limits) -> Mapping[str, str | Broken | None]:
    """The files that nearly every program needs besides its imports, and how the guest names them (None: missing)."""
    folder = SystemFolder(root, None, limits)
    return {name: folder.state(name) for name in _NEEDED}


def plan(program: PeFile, placement: Placement, *, keeps_broken: bool = False) -> WindowsPlan:
    """The plan of a program with the DLLs of `placement.root`. Raises LoadError, unless it keeps what is broken."""
    assert placement.root is not None
    limits = placement.limits
    folder = SystemFolder(placement.root, placement.path, limits)
    has_schema = isinstance(folder.state(SCHEMA), str) if keeps_broken else SCHEMA in folder
    schema = section_of(folder.read(SCHEMA)) if has_schema else b""
    own = placement.path.name if placement.path is not None else "program.exe"
    names = _place_of(placement.root, placement.path, own)
    growth = _Growth(folder, hosts_of(schema), limits.max_guest_memory, {} if keeps_broken else None)
    first = Module(own.lower(), "\\".join(("C:", *names)), growth.bases.take(program), program)
    growth.close([(NTDLL, own), *((name, own) for name in imports_of(program))])
    made = WindowsPlan(first, names, schema, growth)
    for module in placement.modules:
        made.include(module)
    if NTDLL not in made.broken:
        _ = made.start  # an ntdll without a loader is refused here
    return made


def plan_without_program(root: Path, limits: Limits) -> WindowsPlan:
    """The plan of a program that imports nothing but ntdll, for what scripts name besides. Raises LoadError."""
    folder = SystemFolder(root, None, limits)
    if NTDLL not in folder:
        raise UnreadableFile(f"{root} has no {NTDLL} in Windows/System32", "the folder is laid out like C:\\")
    return plan(folder.read(NTDLL), Placement(limits=limits, root=root))


def plan_of(path: Path, root: Path, limits: Limits) -> WindowsPlan:
    """The plan of a program, or of a DLL as if it were one, and what is broken of it. Raises LoadError."""
    try:
        file = PeFile(read_file(path, limits, "max_file_bytes"))
    except FileRefused as error:
        raise UnreadableFile(str(error), error.hint or "") from None
    return plan(file, Placement(limits=limits, root=root, path=path), keeps_broken=True)


def _real(path: Path) -> Path:
    """Where a path leads; a circle of links stays one, of which Path.resolve makes an error."""
    return Path(os.path.realpath(path))


def _place_of(root: Path, path: Path | None, name: str) -> tuple[str, ...]:
    """Where the guest finds its program."""
    if path is not None and _real(path).is_relative_to(_real(root)):
        return _real(path).relative_to(_real(root)).parts
    return PROGRAM_FOLDER, name


class _Growth:
    """The modules of a plan, and what it takes to add some: `left` is how many bytes of files it may still keep.

    Files that are broken are collected in `broken`; where it is None, they are errors.
    """

    def __init__(
        self, folder: SystemFolder, hosts: Mapping[str, str], left: int, broken: dict[str, Broken] | None
    ) -> None:
        self.broken = broken
        self.modules: dict[str, Module] = {}
        self.missing: dict[str, list[str]] = {}
        self.bases = _Bases()
        self._folder, self._hosts, self._left = folder, hosts, left
        self._included: set[str] = set()

    def file_of(self, name: str) -> str:
        """The DLL behind an API set; other names stay what they are."""
        return host_of(self._hosts, name) if is_api_set(name) else name

    def close(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Add DLLs and all that they import; with each name stands who wants it. Raises LoadError."""
        waiting = deque(wanted)
        while waiting:
            name, importer = waiting.popleft()
            name = self.file_of(name)
            if not name or name in self.modules:
                continue
            if name not in self._folder:
                _note(self.missing.setdefault(name, []), importer)
                continue
            if self.broken is not None and name in self.broken:
                _note(self.broken[name].importers, importer)
                continue
            if len(self.modules) >= _MOST_MODULES:
                raise LoadError(f"this program imports from more than {_MOST_MODULES} DLLs")
            try:
                file = self._folder.load(name)
                inner = imports_of(file)
            except LoadError as error:
                if self.broken is None:
                    raise self._folder.named(error, name, importer) from None
                self.broken[name] = self._folder.broken(error, name)
                _note(self.broken[name].importers, importer)
                continue
            self._left -= len(file.data)
            if self._left < 0:
                raise LoadError("the DLLs of this program exceed max_guest_memory", "raise --max-guest-memory")
            self.modules[name] = Module(name, self._folder.path(name), self.bases.take(file), file)
            waiting += ((each, name) for each in inner)

    def include(self, module: str) -> None:
        """Add the DLLs of System32, of the program's folder or below it that have this name, unless they are broken."""
        wanted = module.lower()
        if wanted in self._included:
            return
        self._included.add(wanted)
        named = sorted(name for name in self._folder.names() if _is_image(name) and module_name(name) == wanted)
        with suppress(LoadError):
            self.close([(name, "") for name in named or self._folder.below(wanted)])

    def adopt(self, path: str, file: PeFile) -> Module:
        """Add an image as long as there is room; one for which there is none is where it prefers to be."""
        name = path.rpartition("\\")[2].lower()
        if len(self.modules) >= _MOST_MODULES or len(file.data) > self._left:
            return Module(name, path, file.base, file)
        self._left -= len(file.data)
        made = Module(name, path, self.bases.take(file), file)
        self.modules[name if name not in self.modules else path.lower()] = made
        return made


def _note(importers: list[str], importer: str) -> None:
    if importer not in importers and len(importers) < _MOST_IMPORTERS:
        importers.append(importer)


def _is_image(name: str) -> bool:
    return name.endswith((".dll", ".exe"))


class _Bases:
    """Which addresses are taken by modules."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, int]] = []
        self._top = _TOP

    def take(self, file: PeFile) -> int:
        """The base of a file."""
        size = file.size + _UNIT - 1 & -_UNIT
        base = file.base
        if not self._is_free(base, size) and file.has_relocations:
            base = self._top = self._top - size
        self._taken.append((base, base + size))
        return base

    def _is_free(self, base: int, size: int) -> bool:
        end = base + size
        return base >= _LOWEST and end <= _TOP - (1 << 32) and all(end <= a or base >= b for a, b in self._taken)


def _child(folder: Path, name: str) -> Path | None:
    try:
        return next((path for path in folder.iterdir() if path.name.lower() == name and path.is_dir()), None)
    except OSError:
        return None
