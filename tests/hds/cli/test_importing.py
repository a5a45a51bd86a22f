"""The shorter way to modules finds what Python's own finds, and leaves it what it would do otherwise."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest
from source_trees import PACKAGES, ROOT

from hds.cli.importing import _PACKAGES, _Finder

_LOOK = """
import os, sys
import hds.cli.start
if sys.argv.pop(1) == "long":
    hds.cli.start.shorten = lambda: None
def leave(code):
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in ("hds", "lang", "machine", "vm"):
            spec = module.__spec__
            print(name, module.__file__, module.__cached__, getattr(module, "__path__", None), module.__package__)
            print(spec.name, spec.origin, spec.cached, spec.parent, spec.has_location, spec.submodule_search_locations)
            print(sorted(vars(module)), spec.loader.path, spec.loader.get_source(name) is not None)
    loaders = [getattr(getattr(module, "__spec__", None), "loader", None) for module in sys.modules.values()]
    print(sum(type(loader).__module__ == "hds.cli.importing" for loader in loaders), file=sys.stderr)
    sys.stdout.flush()
    real(code)
real, os._exit = os._exit, leave
hds.cli.start.entry()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module with its bytecode."""
    path = tmp_path / "module.py"
    path.write_text("VALUE = 1\n")
    py_compile.compile(str(path))
    return path


def found(path: Path, name: str = "hds.module") -> ModuleSpec | None:
    return _Finder.find_spec(name, [str(path.parent)])


def loaded(spec: ModuleSpec | None) -> ModuleType:
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_packages_are_those_of_the_program() -> None:
    assert set(PACKAGES) == _PACKAGES


def test_a_module_is_as_python_s_own_finder_has_it(source: Path) -> None:
    own, other = found(source), PathFinder.find_spec("hds.module", [str(source.parent)])
    module, usual = loaded(own), loaded(other)
    assert own is not None
    assert other is not None
    for name in ("name", "origin", "cached", "has_location", "parent", "submodule_search_locations"):
        assert getattr(own, name) == getattr(other, name), name
    assert (module.__file__, module.__cached__, vars(module).keys()) == (
        usual.__file__, usual.__cached__, vars(usual).keys(),
    )  # fmt: skip


def test_a_package_is_found_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    inner = tmp_path / "module" / "__init__.py"
    inner.write_text("VALUE = 2\n")
    py_compile.compile(str(inner))
    module = loaded(found(tmp_path / "module"))
    assert (module.VALUE, list(module.__path__), module.__file__) == (2, [str(tmp_path / "module")], str(inner))


def test_bytecode_of_another_time_or_size_is_not_used(source: Path) -> None:
    status = source.stat()
    source.write_text("VALUE = 23\n")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert found(source) is None
    source.write_text("VALUE = 3\n")
    os.utime(source, (1, 1))
    assert found(source) is None


def test_without_bytecode_or_with_one_that_is_checked_otherwise_others_find_it(source: Path) -> None:
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    assert found(source) is None
    Path(importlib.util.cache_from_source(str(source))).write_bytes(b"")
    assert found(source) is None
    Path(importlib.util.cache_from_source(str(source))).unlink()
    assert found(source) is None


def test_modules_of_others_are_others_to_find(source: Path) -> None:
    assert found(source, "other.module") is None
    assert _Finder.find_spec("hds", None) is None
    assert _Finder.find_spec("hds.module", [str(source.parent), "/"]) is None
    assert _Finder.find_spec("hds.nothing", [str(source.parent)]) is None


def test_in_a_folder_that_has_moved_code_names_its_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    source.write_text("def function(): pass\n")
    py_compile.compile(str(source))
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in (source, Path(importlib.util.cache_from_source(str(source)))):
        target = moved / path.relative_to(tmp_path)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
        os.utime(target, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert loaded(found(moved / "module.py")).function.__code__.co_filename == str(moved / "module.py")


def test_a_module_may_be_executed_again(source: Path) -> None:
    module = loaded(found(source))
    vars(module)["VALUE"] = 5
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    module.__spec__.loader.exec_module(module)
    assert module.VALUE == 1


@pytest.mark.lasting
def test_a_start_has_the_same_modules_either_way() -> None:
    runs = []
    for way in ("long", "short", "short"):
        line = [sys.executable, "-c", _LOOK, way, "eval", "-e", "print(1);"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        ran = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        runs.append((ran.stdout, int(ran.stderr)))
    (usual, none), (_, _), (short, many) = runs
    assert short == usual
    assert none == 0
    assert many > 50


_FULL = """
import os, resource, lang, hds
from hds.cli.importing import shorten
shorten()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
import lang.nearest, hds.exit_codes
assert type(lang.nearest.__loader__).__module__ == "hds.cli.importing"
"""


def test_a_module_is_found_when_there_are_no_more_descriptors() -> None:
    subprocess.run(
        [sys.executable, "-c", "import lang.nearest, hds.exit_codes"], cwd=ROOT, check=True
    )  # keeps bytecode
    subprocess.run([sys.executable, "-c", _FULL], cwd=ROOT, check=True)
