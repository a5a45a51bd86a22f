"""The import contract of docs/architecture.md: dependencies point one way, and each library has one home."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_trees import nodes_of, tree_of

ROOT = Path(__file__).parent.parent
PACKAGES = ("hds", "lang", "machine", "vm")

# What each package may import of the others.
ALLOWED = {"vm": set(), "lang": {"vm"}, "machine": {"vm"}, "hds": {"lang", "machine", "vm"}}

# Where each library may be imported.
HOMES = {
    "lark": ("lang/tables.py",),
    "unicorn": ("machine/processor/", "machine/root/"),
    "keystone": ("machine/root/",),
    "llvmlite": ("vm/native/jit.py",),
    "capstone": ("machine/processor/", "machine/root/", "machine/debugger/", "machine/host.py", "hds/fuzzing/"),
    "demangle": ("hds/symbols/demangling.py",),
}

# The rooms of a package, lowest floor first: a room imports lower ones only, but for types (docs/architecture.md).
FLOORS = {
    "vm": ("facts", "*", "native"),
    "machine": (
        "memory", "processor", "root", "messages", "records", "loaders", "schedule", "kernel", "events", "host",
        "native", "summary", "options", "machine", "debugger",
    ),
    "hds": (
        "version", "exit_codes", "layout", "report", "symbols", "inputs", "outputs", "session", "fuzzing",
        "cli",
        "__main__",
    ),
}  # fmt: skip

CODE = re.compile(r"[EWRP][0-9]{3}")

# Rooms with a face: others import what stands in `__init__`, or one of these modules as such.
FACES = ("machine.memory", "machine.processor", "machine.schedule", "machine.debugger")

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_keep_to_the_walls(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    package = name.split("/")[0]
    for module in imported(path):
        top = module.split(".")[0]
        if top in PACKAGES and top != package:
            assert top in ALLOWED[package], f"{name} imports {module}"
        if top in HOMES:
            assert name.startswith(HOMES[top]), f"{name} imports {module}"


def test_tests_stand_in_the_rooms_of_what_they_test() -> None:
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in FILES} | {"."}
    tested = {path.parent.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert tested <= rooms


def test_nothing_reads_a_format_that_can_run_code() -> None:
    running = {"pickle", "marshal", "shelve", "dill", "joblib"}
    found = {path.name: sorted(running.intersection(imported(path))) for path in FILES}
    assert {name: modules for name, modules in found.items() if modules} == {}


def room_of(module: str) -> str | None:
    """The room of a module, or the module itself where it stands in none; None for a package."""
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    if not room or package not in FLOORS:
        return None
    return room if room in FLOORS[package] else "*"


def imported_at_run_time(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports for more than types, those inside functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if (ROOT / f"{full.replace('.', '/')}.py").exists() else node.module
        yield from imported_at_run_time(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_lower_floors_only(path: Path) -> None:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    package, room = name.partition(".")[0], room_of(name)
    if room is None:
        return  # a package's face
    floors = FLOORS[package]
    assert room in floors, f"{name} stands on no floor"
    for module in imported_at_run_time(tree_of(path)):
        other = room_of(module) if module.startswith(f"{package}.") else None
        if other is not None and other != room:
            assert floors.index(other) < floors.index(room), f"{name} imports {module}, which is not below it"


def test_a_code_of_a_diagnostic_is_written_once() -> None:
    """Its name is for everybody; the text "E014" stands in the enum only."""
    written = {
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path in FILES
        if path.relative_to(ROOT).as_posix() != "lang/code.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }
    assert written == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_with_a_face_is_entered_by_it(path: Path) -> None:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            room = next((face for face in FACES if node.module.startswith(f"{face}.")), None)
            assert room is None or name.startswith(f"{room}."), f"{name} imports {node.module} past its face"
