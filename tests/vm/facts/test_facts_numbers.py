"""Numbers in text have one reader, and each place its dialect."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from source_trees import FILES, nodes_of

from vm.facts.numbers import (
    ASSEMBLY_BLOCK,
    ASSEMBLY_LISTING,
    COMMAND,
    DECIMAL,
    OPTION,
    SCRIPT,
    TOO_LARGE,
    Dialect,
    number_32,
    number_in,
    plain_number,
    read,
)

DIALECTS = (SCRIPT, COMMAND, OPTION, DECIMAL, ASSEMBLY_BLOCK, ASSEMBLY_LISTING)
NOT_NUMBERS_OF_USERS = {  # mappings, opcodes, templates of generated programs, digits of escapes, messages and packets
    "machine/processor/window.py", "machine/processor/memory_forms.py", "hds/fuzzing/loaded.py", "hds/fuzzing/crowd.py",
    "hds/script_tests/texts.py", "hds/comparing/runs.py",
    "hds/gdb/server.py",
    "hds/gdb/resuming.py",
}  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "text", "value"),
    [
        (SCRIPT, "0n10", 10), (SCRIPT, "0y101", 5), (SCRIPT, "0t17", 0o17), (SCRIPT, "0X10", None),
        (SCRIPT, "x10", None),
        (COMMAND, "0X10", 0x10), (COMMAND, "\\x10", 0x10), (COMMAND, "N10", 10), (COMMAND, "0y101", None),
        (COMMAND, "0x", None), (COMMAND, "`", None), (COMMAND, "-1", None),
        (OPTION, "-1", 2**64 - 1), (OPTION, "0n1f", None), (OPTION, "fffff800`1000", 0xFFFFF800_1000),
        (DECIMAL, "10", 10), (DECIMAL, "1`0", None), (DECIMAL, "a", None), (DECIMAL, "\u0663", None),
        (DECIMAL, "1_0", None),
        (ASSEMBLY_BLOCK, "10", 0x10), (ASSEMBLY_BLOCK, "0b1", 0xB1), (ASSEMBLY_BLOCK, "0ah", 10),
        (ASSEMBLY_BLOCK, "ah", None),
        (ASSEMBLY_LISTING, "10", 10), (ASSEMBLY_LISTING, "0B11", 3), (ASSEMBLY_LISTING, "10H", 16),
        (ASSEMBLY_LISTING, "0x0x1", None), (ASSEMBLY_LISTING, "", None),
    ],
)  # fmt: skip
def test_a_dialect_says_how_numbers_are_written(dialect: Dialect, text: str, value: int | None) -> None:
    assert number_in(text, dialect) == value


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_numbers_of_any_length_are_read_in_linear_time(dialect: Dialect) -> None:
    assert read("9" * 3_000_000, dialect).value == TOO_LARGE
    assert number_in("0" * 3_000_000 + "7", dialect) == 7


@given(st.sampled_from(DIALECTS), st.integers(0, 2**64 + 5))
def test_what_is_written_in_the_dialects_base_is_read(dialect: Dialect, value: int) -> None:
    text = f"{value:x}" if dialect.base == 16 else str(value)
    assert read("0" + text, dialect).value == min(value, TOO_LARGE)


@given(st.sampled_from(DIALECTS), st.text(max_size=12))
def test_the_first_wrong_character_is_behind_the_prefix(dialect: Dialect, text: str) -> None:
    reading = read(text, dialect)
    assert reading.wrong is None or reading.digits_at <= reading.wrong < len(text)
    assert not reading.is_number or reading.value == TOO_LARGE or number_in(text, dialect) == reading.value


def test_words_of_commands_are_saturated_and_those_of_32_bits_are_not() -> None:
    assert (plain_number("1" + "0" * 16), number_32("1" + "0" * 8)) == (2**64 - 1, None)


def readers_of_numbers(path: Path) -> Iterator[str]:
    """Where a file reads digits in a base, or knows prefixes of numbers."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and len([*node.args, *node.keywords]) > 1 and ast.unparse(node.func) == "int":
            yield f"{path.name}:{node.lineno} reads a number in a base"
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            if {"0x", "0n", "0y"}.intersection(keys):
                yield f"{path.name}:{node.lineno} lists prefixes of numbers"


@pytest.mark.walls
def test_nothing_else_reads_numbers() -> None:
    others = [path for name, path in FILES.items() if name not in {"vm/facts/numbers.py", *NOT_NUMBERS_OF_USERS}]
    assert [reader for path in others for reader in readers_of_numbers(path)] == []
