"""A session takes its options as frozen classes or by their names, in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from hds_guests import TWO_CALLS

import hds
from hds.session.session import Session
from machine import Machine, MachineOptions, Program
from machine.options import Keywords, MachineKeywords, ProgramKeywords, ProgramStart
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


@pytest.mark.parametrize(
    ("keywords", "described", "without"),
    [
        (MachineKeywords, MachineOptions, set()),
        (ProgramKeywords, Program, {"source"}),
        (ProgramStart, Program, {"source", "kind"}),
    ],
)
def test_keywords_are_the_fields_of_the_classes(
    keywords: type, described: type[msgspec.Struct], without: set[str]
) -> None:
    wanted = {name: hint for name, hint in get_type_hints(described).items() if name not in without}
    assert get_type_hints(keywords) == wanted
    assert set(wanted) | without == set(described.__struct_fields__)


@pytest.mark.parametrize(
    ("function", "keywords"),
    [(Session, Keywords), (Session.load, ProgramStart), (Machine.load, ProgramStart), (Program.of, ProgramStart)],
)
def test_what_takes_keywords_says_which(function: Callable[..., object], keywords: type) -> None:
    assert inspect.signature(function).parameters["named"].annotation == f"Unpack[{keywords.__name__}]"


def test_type_checkers_see_a_keyword_that_is_wrong(tmp_path: Path) -> None:
    """The remarks to mypy are half of the assertions: --strict refuses one for a line without such an error."""
    session = hds.Session(kernel="bare")
    with pytest.raises(TypeError):
        hds.Session(kernal="bare")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        hds.Session(b"nop", kind="asm", arguments=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        session.load(b"nop", "asm", kernel="bare")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        session.machine.load(b"nop", "asm", argument=["x"])  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Program.of(tmp_path, sauce=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ({"kernel": "zzz"}, ValueError, "there is no kernel 'zzz'; there are bare, linux, nt"),
        ({"cores": 0}, ValueError, "cores is a number from 0x1 to 0x40, not 0"),
        ({"cores": "x"}, TypeError, "cores is a number, not 'x'"),
        ({"timer": -1}, ValueError, "the timer has 1 to 100000 interrupts a second"),
        ({"build": 5}, TypeError, "the build is a Build, not 5"),
        ({"start_time": 5}, TypeError, "the start time is a datetime, not 5"),
        ({"limits": 5}, TypeError, "limits are an object of Limits, not 5"),
        ({"stdin": 5}, TypeError, "stdin is bytes or the path of a file, not 5"),
        ({"program": 5}, TypeError, "a program is a path or bytes, not 5"),
        ({"name": 5}, TypeError, "the name is a text, not 5"),
        ({"arguments": "abc"}, TypeError, "arguments is a list of texts, not 'abc'"),
        ({"arguments": [5]}, TypeError, "arguments is a list of texts; 5 is none"),
        ({"environment": {"A": "b"}}, TypeError, "environment is a list of texts, not {'A': 'b'}"),
        ({"modules": 5}, TypeError, "modules is a list of texts, not 5"),
        ({"base": "0"}, TypeError, "base is a number, not '0'"),
        ({"entry": -1}, ValueError, "entry is a number from 0x0"),
        ({"process_id": 1 << 40}, ValueError, "process_id is a number from 0x1 to 0xfffffffe"),
        ({"ring": 2}, ValueError, "the ring is 0 or 3, not 2"),
        ({"engine": "fast"}, ValueError, "there is no engine 'fast'; there are reference, native"),
        ({"engine": 5}, TypeError, "an engine is a name or an Engine, not 5"),
    ],
)
def test_an_option_that_is_none_is_refused_by_its_name(
    named: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as raised:
        Session(**{"program": b"nop", "kind": "asm", **named})
    assert said in str(raised.value)


def test_an_engine_may_be_named() -> None:
    assert hds.Session(engine="reference").engine.name == "reference"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("max_steps", 0, ValueError), ("max_instructions", -1, ValueError), ("max_instructions", "5", TypeError)],
)
def test_a_limit_has_its_range_in_python_too(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        Limits(**{name: value})
