"""The table of prototypes says what the functions of the calls say, and names types that there are."""

from __future__ import annotations

import pytest

from hds.tracing.linux_structures import STRUCTURES
from hds.tracing.systems import Linux
from machine.kernel.linux import constants
from machine.kernel.linux.calls import CALLS
from machine.kernel.linux.prototypes import CLASSES, PROTOTYPES

LINUX = Linux()
_FEWER = {
    "clone": 1,
    "preadv2": 5,
    "pwritev2": 5,
    "prctl": 2,
    "membarrier": 2,
}  # than are read: the others stand in one, or are unused


@pytest.mark.parametrize("name", [call.name for call in CALLS.values()])
def test_each_call_that_is_carried_out_has_a_row_with_its_arguments(name: str) -> None:
    call = next(call for call in CALLS.values() if call.name == name)
    assert name in PROTOTYPES
    assert len(LINUX.prototype(name).parameters) >= _FEWER.get(name, len(call.arguments))


@pytest.mark.parametrize("name", PROTOTYPES)
def test_types_and_tables_are_there(name: str) -> None:
    assert name in LINUX.names
    prototype = LINUX.prototype(name)
    for parameter in prototype.parameters:
        assert parameter.type in LINUX.types
        if parameter.type == "struct":
            assert parameter.table in STRUCTURES
        elif parameter.type == "enum":
            assert constants(parameter.table)
    assert prototype.result in {"", "none", *LINUX.types}


def test_classes_have_calls() -> None:
    for names in CLASSES.values():
        assert names <= LINUX.names
