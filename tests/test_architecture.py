"""The import contract of docs/architecture.md: dependencies point one way, and each library has one home."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from engines import need_machine_code
from source_trees import FILES, PACKAGES, ROOT, nodes_of, tree_of

pytestmark = pytest.mark.walls

# What each package may import of the others.
ALLOWED = {"vm": set(), "lang": {"vm"}, "machine": {"vm"}, "hds": {"lang", "machine", "vm"}}

# Where each library may be imported.
HOMES = {
    "lark": ("lang/tables.py",),
    "unicorn": ("machine/processor/", "machine/root/"),
    "keystone": ("machine/root/",),
    "llvmlite": ("vm/native/jit.py",),
    "capstone": ("machine/processor/", "machine/root/", "machine/debugger/"),
    "demangle": ("hds/symbols/demangling.py",),
    "hypothesis": ("hds/fuzzing/shrinking.py", "hds/strategies.py"),
    "sortedcontainers": ("machine/memory/",),
    "pygls": ("hds/editor/server.py",),
    "lsprotocol": ("hds/editor/server.py",),
    "jinja2": ("hds/exporting/html.py",),
    "pygments": ("hds/highlighting.py",),
    "elftools": ("machine/debugger/unwinding.py", "hds/symbols/source_lines.py"),
    "prompt_toolkit": ("hds/cli/prompt.py",),
    "dask": ("hds/corpus/cluster.py",),
    "distributed": ("hds/corpus/cluster.py",),
    "pyarrow": ("hds/session/tables.py", "hds/corpus/", "hds/exporting/parquet.py"),
    "rich": ("hds/cli/progress.py", "hds/corpus/watching.py", "hds/report/bars.py"),
}

# The rooms of a package, lowest floor first: a room imports lower ones only, but for types (docs/architecture.md).
FLOORS = {
    "vm": ("facts", "*", "native"),
    "machine": (
        "memory", "processor", "root", "messages", "records", "loaders", "schedule", "kernel", "events", "host",
        "native", "summary", "options", "script_programs", "children", "processes", "run_loop", "machine", "debugger",
    ),
    "hds": (
        "version", "exit_codes", "layout", "json_text", "alignment", "report", "aggregation", "recorded_runs",
        "comparing", "script_tests", "symbols", "inputs", "outputs", "session", "measuring", "tracing", "exporting",
        "highlighting", "editor", "values", "testing", "gdb", "corpus", "fuzzing", "strategies", "cli", "pytest_plugin",
        "__main__",
    ),
}  # fmt: skip

CODE = re.compile(r"[EWRP][0-9]{3}")

# Every package is a room, and its `__init__` the face: what stands there is all that others import, but from these,
# whose modules are each a face of their own.
OPEN = {
    "vm.facts": "a table each",
    "hds.cli.subcommands": "a subcommand each",
}
FACE = "vm.face"  # how a face is made, for those that make one


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def past_the_walls(name: str, path: Path) -> Iterator[str]:
    """The modules that this file may not import."""
    package = name.split("/")[0]
    for module in imported(path):
        top = module.split(".")[0]
        of_another = top in PACKAGES and top != package and top not in ALLOWED[package]
        if of_another or not name.startswith(HOMES.get(top, "")):
            yield f"{name} imports {module}"


def test_imports_keep_to_the_walls() -> None:
    assert [wrong for name, path in FILES.items() for wrong in past_the_walls(name, path)] == []


def test_tests_stand_in_the_rooms_of_what_they_test() -> None:
    rooms = {name.rpartition("/")[0] for name in FILES} | {"."}
    tested = {path.parent.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert tested <= rooms


def test_nothing_reads_a_format_that_can_run_code() -> None:
    running = {"pickle", "marshal", "shelve", "dill", "joblib"}
    found = {name: sorted(running.intersection(imported(path))) for name, path in FILES.items()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_memory_is_not_shared_with_copies_of_the_process() -> None:
    by_hand = [name for name in FILES if re.search(r"\bmmap\(\s*-1", Path(ROOT, name).read_text(encoding="utf-8"))]
    assert by_hand == ["machine/memory/physical.py", "vm/host_memory.py"]  # the first is private, too


def room_of(module: str) -> str | None:
    """The room of a module, or the module itself where it stands in none; None for a package."""
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    if not room or package not in FLOORS:
        return None
    return room if room in FLOORS[package] else "*"


def module_name(path: Path) -> str:
    """The name under which a file is imported; a package's is its own."""
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES.values()}
ROOMS = {name: path for name, path in MODULES.items() if path.stem == "__init__"}


@cache
def lazy_homes(path: Path) -> dict[str, str] | None:
    """What a face that loads nothing says of its names: module by name. None for a face of another kind."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lazy":
            homes = ast.literal_eval(node.args[1])
            return {name: module for module, names in homes.items() for name in names.split()}
    return None


def loaded_for(module: str, name: str) -> str:
    """The module that an import of a name loads besides the packages that it is in."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    homes = lazy_homes(ROOMS[module]) if module in ROOMS else None
    return f"{module}.{homes[name]}" if homes and name in homes else module


def imported_at_run_time(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports for more than types, those inside functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (loaded_for(node.module, alias.name) for alias in node.names)
        yield from imported_at_run_time(node)


def test_no_files_import_each_other_in_a_circle() -> None:
    """But for types: what is imported inside functions counts, and what a lazy face loads."""
    imports = {name: set(imported_at_run_time(tree_of(path))) & MODULES.keys() for name, path in MODULES.items()}
    TopologicalSorter({name: others - {name} for name, others in imports.items()}).prepare()  # raises CycleError


def not_below(path: Path) -> Iterator[str]:
    """What this file imports of its own package and is not below its room."""
    name = module_name(path)
    package, room = name.partition(".")[0], room_of(name)
    if room is None:
        return  # a package's face
    floors = FLOORS[package]
    assert room in floors, f"{name} stands on no floor"
    for module in imported_at_run_time(tree_of(path)):
        other = room_of(module) if module.startswith(f"{package}.") else None
        if other not in (None, room) and other not in floors[: floors.index(room)]:
            yield f"{name} imports {module}, which is not below it"


def test_a_room_imports_lower_floors_only() -> None:
    assert [wrong for path in FILES.values() for wrong in not_below(path)] == []


def test_a_code_of_a_diagnostic_is_written_once() -> None:
    """Its name is for everybody; the text "E014" stands in the enum only."""
    written = {
        f"{name}:{node.lineno}"
        for name, path in FILES.items()
        if name != "lang/code.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }
    assert written == set()


def for_types(path: Path) -> Iterator[ast.ImportFrom]:
    """The imports under TYPE_CHECKING."""
    for node in tree_of(path).body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from (each for each in node.body if isinstance(each, ast.ImportFrom))


@cache
def shown(room: str) -> frozenset[str]:
    """The names of a face: `__all__`, or what is imported for types."""
    for node in tree_of(ROOMS[room]).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset(alias.name for node in for_types(ROOMS[room]) for alias in node.names)


def past_the_face(importer: str, node: ast.ImportFrom) -> list[str]:
    """Which names of an import stand in a room that the importer is not in, and are not shown by the room's face."""
    module = node.module or ""
    if module.partition(".")[0] not in PACKAGES or module == FACE:
        return []
    room = module if module in ROOMS else module.rpartition(".")[0]
    if room in OPEN or importer == room or importer.startswith(f"{room}."):
        return []
    known = shown(room) if module == room else frozenset[str]()
    return [f"{module}.{alias.name}" for alias in node.names if alias.name not in known]


def past_faces(path: Path) -> Iterator[str]:
    """What this file imports of other rooms and their faces do not show, and whole modules of ours."""
    name = module_name(path)
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{name} passes the face of {each}" for each in past_the_face(name, node))
        elif isinstance(node, ast.Import):
            ours = [alias.name for alias in node.names if alias.name.partition(".")[0] in PACKAGES]
            yield from (f"{name} imports {each}: import names, not modules of ours" for each in ours)


def test_a_room_is_entered_by_its_face() -> None:
    assert [wrong for path in FILES.values() for wrong in past_faces(path)] == []


@pytest.mark.parametrize(
    ("importer", "statement", "passes"),
    [
        ("hds.cli.main", "from machine.kernel.entry import LINUX", True),
        ("hds.cli.main", "from machine.kernel import entry", True),
        ("hds.cli.main", "from machine.kernel import LINUX", False),
        ("hds.cli.main", "from vm.facts.limits import Limits", False),
        ("machine.kernel.abi", "from machine.kernel.linux.tree import World", True),
        ("machine.kernel.linux.kernel", "from machine.kernel.linux.tree import World", False),
        ("machine.kernel.linux.calls.time", "from machine.kernel.entry import LINUX", False),
    ],
)
def test_what_passes_a_face(importer: str, statement: str, passes: bool) -> None:
    (node,) = ast.parse(statement).body
    assert isinstance(node, ast.ImportFrom)
    assert bool(past_the_face(importer, node)) is passes


@pytest.mark.parametrize("room", ROOMS)
def test_a_lazy_face_says_the_same_to_python_and_to_the_type_checker(room: str) -> None:
    homes = lazy_homes(ROOMS[room])
    typed = {
        alias.name: (node.module or "").removeprefix(f"{room}.")
        for node in for_types(ROOMS[room])
        for alias in node.names
        if node.module != room  # a module that is shown as such needs no help
    }
    assert homes is None or homes == typed
    face = importlib.import_module(room)
    if room == "vm.native":
        need_machine_code()
    for name in shown(room):
        assert getattr(face, name, None) is not None or importlib.import_module(f"{room}.{name}")
    # A module of the same name would stand in the place of what is meant, from its first import on.
    assert not {name for name in homes or () if (ROOMS[room].parent / f"{name}.py").exists()}


TRACKED = [
    path.relative_to(ROOT).as_posix()
    for folder in (*PACKAGES, "tests", "benchmarks", "docs", "examples")
    for path in sorted((ROOT / folder).rglob("*"))
    if "__pycache__" not in path.parts
] + ["setup.py"]
DOCUMENTS = ("README.md", "SECURITY.md", "docs/architecture.md")  # those in which a file is one of ours
PLACE = re.compile(r"(?<![\w./-])(?:hds|lang|machine|vm|tests|benchmarks|docs)/[\w./-]*\w")
FILE = re.compile(r"(?<![\w./-])[\w/]*\w\.(?:py|lark)\b")


def names_no_file(text: str, pattern: re.Pattern[str]) -> set[str]:
    """The paths in a text, whole or from some folder on, at which nothing stands."""
    known = {f"/{name}" for name in TRACKED} | {f"/{name.removesuffix('.py')}" for name in TRACKED}
    named = {name for name in pattern.findall(text) if "NAME" not in name}
    return {name for name in named if not any(each.endswith(f"/{name}") for each in known)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_documents_name_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert names_no_file(text, PLACE) | names_no_file(text, FILE) == set()


def test_files_that_the_code_names_exist() -> None:
    paths = [ROOT / name for name in TRACKED if name.endswith(".py")]
    found = {path.name: names_no_file(path.read_text(encoding="utf-8"), PLACE) for path in paths}
    assert {name: names for name, names in found.items() if names} == {}
