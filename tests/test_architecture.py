"""The import contract of docs/architecture.md: dependencies point one way, and each library has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hds", "lang", "machine", "vm")

# What each package may import of the others.
ALLOWED = {"vm": set(), "lang": {"vm"}, "machine": {"vm"}, "hds": {"lang", "machine", "vm"}}

# Where each library may be imported.
HOMES = {
    "lark": ("lang/tables.py",),
    "unicorn": ("machine/",),
    "keystone": ("machine/root/",),
    "llvmlite": ("vm/native/jit.py",),
    "capstone": ("machine/", "hds/"),
    "demangle": ("hds/session/demangling.py",),
}

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


def test_nothing_reads_a_format_that_can_run_code() -> None:
    running = {"pickle", "marshal", "shelve", "dill", "joblib"}
    found = {path.name: sorted(running.intersection(imported(path))) for path in FILES}
    assert {name: modules for name, modules in found.items() if modules} == {}
