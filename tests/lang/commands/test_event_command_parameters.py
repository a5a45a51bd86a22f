"""The own parameters of event commands (C.1, C.2)."""

from __future__ import annotations

import pytest

from lang.commands import EventCommand, parse_event, read_commands
from lang.diagnostics import Diagnostic
from lang.source import SourceFile
from vm.facts.events import EVENTS, AddressSpace, ExecutionMode, MonitoredAccess, TraceType

SHORTEST = {
    "!epthook": "!epthook nt!Foo+3",
    "!epthook2": "!epthook2 1000",
    "!monitor": "!monitor w 1000 2000",
    "!interrupt": "!interrupt 20",
    "!crwrite": "!crwrite 0",
    "!mode": "!mode u pid 4",
    "!trace": "!trace step",
}


def parse(text: str) -> tuple[EventCommand | None, list[Diagnostic]]:
    (command,), _ = read_commands(SourceFile("test.hds", text))
    return parse_event(command)


def values(text: str) -> dict[str, int | None]:
    event, errors = parse(text)
    assert event is not None, errors
    return {name: parameter.value for name, parameter in event.parameters.items()}


def only_error(text: str) -> Diagnostic:
    event, errors = parse(text)
    assert event is None
    (error,) = errors
    return error


@pytest.mark.parametrize("name", [row.name for row in EVENTS])
def test_every_event_has_a_shortest_form(name: str) -> None:
    event, errors = parse(SHORTEST.get(name, name))
    assert (event is not None, errors) == (True, [])


@pytest.mark.parametrize("name", SHORTEST)
def test_required_parameters(name: str) -> None:
    error = only_error(name)
    assert (error.code, error.message.startswith(f"incorrect use of the '{name}'")) == ("E231", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!syscall 55", {"number": 0x55}),
        ("!syscall 0", {"number": 0}),
        ("!syscall2 @rax+1", {"number": None}),
        ("!epthook nt!Foo+3", {"address": None}),
        ("!cpuid 1", {"leaf": 1}),
        ("!msrread c0000082", {"msr": 0xC000_0082}),
        ("!ioin 3f8", {"port": 0x3F8}),
        ("!exception e", {"vector": 0xE}),
        ("!exception 1f", {"vector": 0x1F}),
        ("!interrupt ff", {"vector": 0xFF}),
        ("!crwrite 4", {"register": 4}),
        ("!crwrite 4 10000", {"register": 4, "mask": 0x10000}),
        ("!crwrite 4 mask 10000", {"register": 4, "mask": 0x10000}),
        ("!crwrite 0 mask 1", {"register": 0, "mask": 1}),
        ("!crwrite mask 1 0", {"register": 0, "mask": 1}),
        ("!mode UK pid 4", {"mode": ExecutionMode.USER_AND_KERNEL}),
        ("!mode k pid 4", {"mode": 0}),
        ("!mode u pid 4", {"mode": 3}),
        ("!trace instrument-step-in", {"type": TraceType.INSTRUMENTATION_STEP}),
        ("!trace step", {"type": 1}),
        ("!trace StepOut", {"type": 2}),
        ("!xsetbv 0", {"xcr": 0}),
        ("!monitor rw 1000 1fff", {"access": MonitoredAccess.RW, "from": 0x1000, "to": 0x1FFF}),
        ("!monitor xwr 1000 1000", {"access": MonitoredAccess.RWX, "from": 0x1000, "to": 0x1000}),
        (
            "!monitor pa r 1000 l 1",
            {"space": AddressSpace.PHYSICAL, "access": MonitoredAccess.R, "from": 0x1000, "length": 1},
        ),
        (
            "!monitor w l 8 @rsp va",
            {"space": AddressSpace.VIRTUAL, "access": MonitoredAccess.W, "from": None, "length": 8},
        ),
    ],
)
def test_values(text: str, expected: dict[str, int | None]) -> None:
    assert values(text) == expected


def test_expression_is_kept_as_text() -> None:
    event, _ = parse("!epthook nt!Foo+@rcx+5")
    assert event is not None
    assert (event.parameters["address"].text, event.parameters["address"].span.column) == ("nt!Foo+@rcx+5", 10)


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("!cpuid zz", "E232", "zz"),
        ("!mode z pid 4", "E232", "z"),
        ("!monitor q 1000 2000", "E232", "q"),
        ("!trace jump", "E232", "jump"),
        ("!exception 20", "E233", "20"),
        ("!interrupt 5", "E233", "5"),
        ("!interrupt 100", "E233", "100"),
        ("!crwrite 3", "E233", "3"),
        ("!crwrite 0 mask", "E210", "mask"),
        ("!crwrite mask 1", "E231", "!crwrite"),
        ("!epthook 0", "E233", "0"),
        ("!monitor r 1000 l 0", "E233", "0"),
        ("!monitor r 2000 1000", "E234", "1000"),
        ("!monitor r 1000", "E234", "!monitor"),
        ("!monitor r 1000 2000 l 5", "E234", "2000"),
        ("!monitor r 1000 l", "E210", "l"),
        ("!monitor 1000 2000", "E231", "!monitor"),
        ("!syscall 55 66", "E230", "66"),
        ("!epthook 1000 2000", "E230", "2000"),
        ("!tsc 5", "E230", "5"),
        ("!pmc 5", "E230", "5"),
        ("!dr 0", "E230", "0"),
        ("!mode u", "E231", "!mode"),
        ("!mode u pid all", "E231", "pid all"),
    ],
)
def test_errors(text: str, code: str, where: str) -> None:
    error = only_error(text)
    assert (error.code, error.span.text) == (code, where)


@pytest.mark.parametrize("text", ["!epthook 1000", "!epthook2 1000", "!mode u pid 4", "!trace step"])
def test_events_without_stages(text: str) -> None:
    assert only_error(f"{text} stage post").code == "E219"
    assert parse(f"{text} stage pre")[1] == []


def test_unknown_parameter_says_what_is_accepted() -> None:
    assert only_error("!crwrite 4 5 6").hint == "usage: !crwrite 0|4 [[mask] MASK] [options]"


def test_unknown_parameter_suggests_the_nearest_option() -> None:
    assert only_error("!tsc scirpt { a; }").hint == "did you mean `script`?"


@pytest.mark.parametrize("name", ["!sysret", "!sysret2"])
def test_sysret_ignores_words_and_lists_them(name: str) -> None:
    event, errors = parse(f"{name} 55 pid 4")
    assert event is not None
    assert (errors, [token.text for token in event.ignored]) == ([], ["55"])


@pytest.mark.parametrize("text", ["!msread 10", "!iout 10"])
def test_alias_of_an_event_works(text: str) -> None:
    assert parse(text)[1] == []
