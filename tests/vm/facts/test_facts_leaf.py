"""vm.facts imports nothing of ours but itself, and nothing defines its tables again."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from source_trees import nodes_of

from vm.facts.builtins import BUILTINS
from vm.facts.limits import LIMITS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import FLAGS, REGISTERS

ROOT = Path(__file__).parents[3]
FACTS = ROOT / "vm" / "facts"
PRODUCT = [path for package in ("hds", "lang", "machine", "vm") for path in sorted((ROOT / package).rglob("*.py"))]
SAMPLES = ROOT / "hds" / "fuzzing"  # chooses what is worth writing, by hand
OURS = ("hds", "lang", "machine", "vm")
NAMES = {
    "built-ins": {row.name for row in BUILTINS if "_" in row.name},
    "flags": {name for name, _, _ in FLAGS},
    "registers": {row.name for row in REGISTERS if row.bits < 64},
    "pseudo-registers": {row.name for row in PSEUDO_REGISTERS},
    "limits": {row.name for row in LIMITS},
}
MOST = 8  # names of one table in one place: a family that is treated alike, not a table


@pytest.mark.parametrize("path", sorted(FACTS.glob("*.py")), ids=lambda path: path.stem)
def test_facts_import_nothing_else_of_ours(path: Path) -> None:
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            assert node.module.startswith("vm.facts."), f"{path.name} imports {node.module}"


@pytest.mark.slow
@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_table_of_facts_stands_elsewhere(path: Path) -> None:
    if path.is_relative_to(FACTS) or path.is_relative_to(SAMPLES):
        return
    for node in nodes_of(path):
        if not isinstance(node, ast.Tuple | ast.List | ast.Set):
            continue  # mappings from names to functions carry the rows out
        items = node.elts
        words = {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        for table, names in NAMES.items():
            assert len(words & names) <= MOST, f"{path.name}:{node.lineno} lists {table}"
