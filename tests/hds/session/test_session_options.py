"""A session takes its options as frozen classes or by their names, in one place."""

from __future__ import annotations

from typing import Any

import pytest
from hds_guests import TWO_CALLS

import hds
from hds.session.session import Session
from machine import MachineOptions, Program
from vm.facts.limits import Limits


def test_names_and_classes_make_the_same_session() -> None:
    limits = Limits(max_kept_messages=3)
    program = Program(TWO_CALLS.encode(), "asm", name="tool", process_id=0x20)
    one = hds.Session(program, MachineOptions(limits, kernel="bare", cores=2))
    other = hds.Session(
        TWO_CALLS.encode(), kind="asm", name="tool", process_id=0x20, limits=limits, kernel="bare", cores=2
    )
    assert one.machine.options == other.machine.options
    assert [(process.pid, process.name) for process in one.machine.processes] == [(0x20, "tool")]
    assert [(process.pid, process.name) for process in other.machine.processes] == [(0x20, "tool")]


def test_a_name_changes_the_class_that_is_given_beside_it() -> None:
    made = Session(Program(b"nop", name="one"), MachineOptions(cores=2, kernel="nt"), kind="asm", kernel="bare")
    assert made.machine.options == MachineOptions(cores=2, kernel="bare")
    assert made.load(Program(b"nop", "asm"), name="two").name == "two"
    assert [process.name for process in made.machine.processes] == ["one", "two"]


@pytest.mark.parametrize("name", ["cpus", "source", "outlets"])
def test_an_unknown_name_is_a_type_error_that_names_it(name: str) -> None:
    named: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=f"there is no keyword '{name}'"):
        Session(**named)
