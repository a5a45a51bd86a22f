"""The table of prototypes says what the functions of the calls say, and names types that there are."""

from __future__ import annotations

import pytest

from hds.tracing.linux import STRUCTURES
from hds.tracing.systems import Linux, Nt
from machine.kernel.linux import constants
from machine.kernel.linux.calls import CALLS
from machine.kernel.linux.prototypes import CLASSES, PROTOTYPES
from machine.kernel.nt import nt_constants
from machine.kernel.nt.calls import CALLS as NT_CALLS
from machine.kernel.nt.prototypes import CLASSES as NT_CLASSES, PROTOTYPES as NT_PROTOTYPES

LINUX, NT = Linux(), Nt()
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


@pytest.mark.parametrize("name", NT_PROTOTYPES)
def test_types_and_tables_of_windows_are_there(name: str) -> None:
    assert name in NT.names
    for parameter in NT.prototype(name).parameters:
        assert parameter.type in NT.types
        if parameter.type in ("flags", "flags_at", "enum"):
            assert nt_constants(parameter.table)


@pytest.mark.parametrize("name", [call.name for call in NT_CALLS.values()])
def test_no_argument_that_windows_looks_at_is_left_out(name: str) -> None:
    call = NT_CALLS[name]
    if name == "NtOpenProcessToken":  # its function carries NtOpenProcessTokenEx out, too
        return
    assert len(NT.prototype(name).parameters) >= len(call.arguments)


def test_classes_of_windows_have_calls() -> None:
    for names in NT_CLASSES.values():
        assert names <= NT.names
