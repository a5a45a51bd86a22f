"""HyperDbg's error numbers and their texts stand in one table."""

from __future__ import annotations

import ast
import re

import pytest
from source_trees import FILES, nodes_of

from vm.facts.errors import ErrorNumber

NUMBER = re.compile(r"c00000[0-6][0-9a-f](?![0-9a-f])", re.IGNORECASE)
STATUS = "machine/kernel/nt"  # NT's own status codes begin alike


def test_numbers_are_consecutive() -> None:
    assert [int(number) for number in ErrorNumber] == list(range(0xC000_0000, 0xC000_0066))


def test_a_message_ends_with_its_number() -> None:
    assert ErrorNumber.INVALID_CORE_ID.said() == "invalid core id (c0000006)"
    assert ErrorNumber.INVALID_ADDRESS.err("invalid address 0") == "err, invalid address 0 (c0000005)"


def test_texts_are_short_and_say_different_things() -> None:
    texts = [number.text for number in ErrorNumber]
    assert len(set(texts)) == len(texts)
    assert all(0 < len(text) < 70 and not text.endswith(".") for text in texts)


def is_error_number(value: object) -> bool:
    if isinstance(value, str):
        return NUMBER.search(value) is not None
    return isinstance(value, int) and value in range(0xC000_0000, 0xC000_0066)


@pytest.mark.walls
def test_no_error_number_stands_elsewhere() -> None:
    found = [
        f"{name}:{node.lineno}: {node.value!r}"
        for name, path in FILES.items()
        if name != "vm/facts/errors.py" and not name.startswith(STATUS)
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and is_error_number(node.value)
    ]
    assert found == []
