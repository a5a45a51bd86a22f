"""docs/language.md names everything that the tables have."""

from __future__ import annotations

from pathlib import Path

from lang.lexer import KEYWORDS, TYPE_WORDS
from vm.engine import FaultKind
from vm.facts.builtins import BUILTINS
from vm.facts.limits import LIMITS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import STORAGES

TEXT = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
# The limits of scripts; those of the machine stand in docs/limits.md.
SCRIPT_LIMITS = tuple(row.name for row in LIMITS[: [row.name for row in LIMITS].index("max_source_bytes") + 1])
NAMES = [
    *(row.name for row in BUILTINS),
    *(alias for row in BUILTINS for alias in row.aliases),
    *(f"${row.name}" for row in PSEUDO_REGISTERS),
    *(name for name in STORAGES if not (name[0] == "r" and name[1:].isdigit())),
    *(kind.value for kind in FaultKind),
    *SCRIPT_LIMITS,
    *KEYWORDS,
    *TYPE_WORDS,
]


def test_the_page_names_them_all() -> None:
    assert [name for name in NAMES if name not in TEXT] == []


def test_the_page_does_not_name_what_a_reader_does_not_have() -> None:
    for word in ("section 18", "vectors-", "dsmodel", "annex"):
        assert word not in TEXT
