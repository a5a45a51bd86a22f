"""Where the DLLs of a Windows program go, planned before it runs: those that it imports in any way, and named ones.

The guest's own ntdll loads them, at the bases of the plan, so `!epthook kernel32!CreateFileW` knows its address before
they are mapped. A base is the preferred one where it is free, else the next one below a fixed top: nothing is random.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from machine.loaders.api_sets import host_of, hosts_of, is_api_set, section_of
from machine.loaders.image import LoadError, Placement, UnreadableFile
from machine.loaders.pe_exports import Export, exports_of, symbols_of
from machine.loaders.pe_file import DELAY_IMPORTS, IMPORTS, PeFile
from machine.loaders.symbols import Symbol, module_name
from vm import FileRefused, read_file
from vm.facts.limits import Limits

NTDLL = "ntdll.dll"
_NEEDED = (NTDLL, "kernel32.dll", "kernelbase.dll", "apisetschema.dll", "locale.nls", "l_intl.nls", "c_1252.nls")
SYSTEM = ("windows", "system32")
SYSTEM_FOLDER = "C:\\windows\\system32"
PROGRAM_FOLDER = "prog"  # of a program that does not lie in the folder
_TOP, _LOWEST, _UNIT = 0x7FF8_0000_0000, 0x1_0000, 0x1_0000
_MOST_MODULES = 1024  # of a plan
_MOST_IMPORTS = 4096  # descriptors of one file
_DEEPEST_FORWARDER = 16


@dataclass(frozen=True, eq=False)
class Module:
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


@dataclass(frozen=True, eq=False)
class WindowsPlan:
    """The modules of a program by name, ntdll among them; `api_sets` is the map of API sets as the guest is to see it.

    `missing` are the DLLs that the folder does not have. `names` lead from C: to the program: to where it lies in the
    folder, or to a place of its own.
    """

    program: Module
    names: tuple[str, ...]
    modules: Mapping[str, Module]
    api_sets: bytes
    missing: Sequence[str] = ()
    _symbols: dict[str, tuple[Symbol, ...]] = field(default_factory=dict)

    @property
    def ntdll(self) -> Module:
        """The guest's loader, among other things."""
        return self.modules[NTDLL]

    @cached_property
    def start(self) -> int:
        """Where threads begin. Raises LoadError."""
        return self.ntdll.address_of("LdrInitializeThunk")

    @cached_property
    def hosts(self) -> Mapping[str, str]:
        """The DLL behind each API set."""
        return hosts_of(self.api_sets)

    def symbols(self, module: Module) -> tuple[Symbol, ...]:
        """The named exports of a module; forwarders lead to their target."""
        if module.name not in self._symbols:
            self._symbols[module.name] = symbols_of(module.file, module.base, self.forwarded)
        return self._symbols[module.name]

    def forwarded(self, text: str) -> int | None:
        """The address that `MODULE.name` leads to; None where it leads nowhere in the plan."""
        for _ in range(_DEEPEST_FORWARDER):
            name, _, export = text.rpartition(".")
            file = f"{name.lower()}.dll"
            module = self.modules.get(host_of(self.hosts, file) if is_api_set(file) else file)
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
        self._root = root.resolve()
        self._names: dict[str, Path] = {}
        self._paths: dict[str, str] = {}
        folder: Path | None = self._root
        for part in SYSTEM:
            folder = None if folder is None else _child(folder, part)
        if folder is not None:
            self._take(folder, SYSTEM_FOLDER)
        if beside is not None and beside.resolve().parent.is_relative_to(self._root):
            inside = beside.resolve().parent
            parts = inside.relative_to(self._root).parts
            self._take(inside, "\\".join(("C:", *parts)))

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

    def path(self, name: str) -> str:
        """How the guest names a file."""
        return self._paths[name]

    def read(self, name: str) -> PeFile:
        """The file of this name. Raises LoadError."""
        path = self._names[name].resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            raise LoadError(f"{name} does not lie in the folder of --root")
        try:
            data = read_file(path, self._limits, "max_file_bytes")
        except (FileRefused, OSError) as error:
            raise UnreadableFile(f"cannot read {path}: {error}") from None
        try:
            return PeFile(data)
        except LoadError as error:
            raise LoadError(f"{name}: {error.message}", error.hint) from None


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


def system_files(root: Path, limits: Limits) -> Mapping[str, str | None]:
    """The files that nearly every program needs besides its imports, and how the guest names them (None: missing)."""
    folder = SystemFolder(root, None, limits)
    return {name: folder.path(name) if name in folder else None for name in _NEEDED}


def plan(program: PeFile, placement: Placement) -> WindowsPlan:
    """The plan of a program with the DLLs of `placement.root`. Raises LoadError."""
    assert placement.root is not None
    limits = placement.limits
    folder = SystemFolder(placement.root, placement.path, limits)
    schema = section_of(folder.read("apisetschema.dll")) if "apisetschema.dll" in folder else b""
    hosts = hosts_of(schema)
    named = [name for name in folder.names() if name.endswith((".dll", ".exe")) and _is_named(name, placement.modules)]
    waiting, files, missing = deque([NTDLL, *imports_of(program), *named]), dict[str, PeFile](), set[str]()
    left = limits.max_guest_memory
    while waiting:
        name = waiting.popleft()
        name = host_of(hosts, name) if is_api_set(name) else name
        if not name or name in files or name in missing:
            continue
        if name not in folder:
            missing.add(name)
            continue
        if len(files) >= _MOST_MODULES:
            raise LoadError(f"this program imports from more than {_MOST_MODULES} DLLs")
        file = files[name] = folder.read(name)
        left -= len(file.data)
        if left < 0:
            raise LoadError("the DLLs of this program exceed max_guest_memory", "raise --max-guest-memory")
        waiting += imports_of(file)
    own = placement.path.name if placement.path is not None else "program.exe"
    taken = _Bases()
    names = _place_of(placement.root, placement.path, own)
    first = Module(own.lower(), "\\".join(("C:", *names)), taken.take(program), program)
    modules = {name: Module(name, folder.path(name), taken.take(file), file) for name, file in files.items()}
    made = WindowsPlan(first, names, modules, schema, sorted(missing))
    _ = made.start  # an ntdll without a loader is refused here
    return made


def _place_of(root: Path, path: Path | None, name: str) -> tuple[str, ...]:
    """Where the guest finds its program."""
    if path is not None and path.resolve().is_relative_to(root.resolve()):
        return path.resolve().relative_to(root.resolve()).parts
    return PROGRAM_FOLDER, name


def _is_named(file: str, modules: Sequence[str]) -> bool:
    return module_name(file) in {name.lower() for name in modules}


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


def imports_of(file: PeFile) -> list[str]:
    """The DLLs that a file imports from, also when it first needs them, in small letters. Raises LoadError."""
    found: list[str] = []
    for index, size, name_at in ((IMPORTS, 20, 12), (DELAY_IMPORTS, 32, 4)):
        place, _ = file.directory(index)
        for number in range(_MOST_IMPORTS if place else 0):
            row = file.read(place + number * size, size)
            if len(row) < size or not any(row):
                break
            (name,) = struct.unpack_from("<I", row, name_at)
            if not name:
                break
            found.append(file.text(name).lower())
    return found


def _child(folder: Path, name: str) -> Path | None:
    try:
        return next((path for path in folder.iterdir() if path.name.lower() == name and path.is_dir()), None)
    except OSError:
        return None
