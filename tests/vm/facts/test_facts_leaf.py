"""vm.facts imports nothing of ours but itself, and nothing defines its tables again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_trees import FILES, PACKAGES, nodes_of

from vm.facts.builtins import BUILTINS
from vm.facts.limits import LIMITS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import FLAGS, REGISTERS

FACTS = "vm/facts/"
SAMPLES = "hds/fuzzing/"  # chooses what is worth writing, by hand
NAMES = {
    "built-ins": {row.name for row in BUILTINS if "_" in row.name},
    "flags": {name for name, _, _ in FLAGS},
    "registers": {row.name for row in REGISTERS if row.bits < 64},
    "pseudo-registers": {row.name for row in PSEUDO_REGISTERS},
    "limits": {row.name for row in LIMITS},
}
MOST = 8  # names of one table in one place: a family that is treated alike, not a table


def test_facts_import_nothing_else_of_ours() -> None:
    found = [
        f"{name} imports {node.module}"
        for name, path in FILES.items()
        if name.startswith(FACTS)
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES
        if not node.module.startswith("vm.facts.")
    ]
    assert found == []


def tables_of_facts(path: Path) -> Iterator[str]:
    """Where more names of one table stand together than a family has."""
    for node in nodes_of(path):
        if not isinstance(node, ast.Tuple | ast.List | ast.Set):
            continue  # mappings from names to functions carry the rows out
        items = node.elts
        words = {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        for table, names in NAMES.items():
            if len(words & names) > MOST:
                yield f"{path.name}:{node.lineno} lists {table}"


@pytest.mark.walls
def test_no_table_of_facts_stands_elsewhere() -> None:
    others = [path for name, path in FILES.items() if not name.startswith((FACTS, SAMPLES))]
    assert [table for path in others for table in tables_of_facts(path)] == []
