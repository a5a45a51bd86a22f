"""Messages: rendered later where nothing can go wrong with them, at once elsewhere, in order always."""

from __future__ import annotations

import pytest
from native_cases import BASE, World, engines, same, same_script, script

from vm import formatting
from vm.engine import FaultKind
from vm.host import MemoryHost
from vm.limits import DEFAULT_LIMITS, Limits
from vm.native.engine import NativeEngine
from vm.native.records import RING_CELLS, can_wait
from vm.script_memory import GlobalStore


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("plain", True),
        ("%llx %d %c %p %u %o", True),
        ("%f", True),
        ("%s", False),
        ("%ws", False),
        ("%4000x", True),
        ("%4095x", False),
        ("%.4090f", False),
    ],
)
def test_a_message_waits_unless_it_can_stop_the_run(text: str, waits: bool) -> None:
    assert can_wait(formatting.parse(text.encode()), DEFAULT_LIMITS.max_message) is waits


def test_messages_of_both_kinds_stay_in_order() -> None:
    world = World({"rcx": BASE}, b"text")
    outcome = same_script(
        'print(1); printf("%s ", @rcx); printf("%x", 2); flush(); printf("%s", @rcx); print(3);', world
    )
    assert outcome.host.messages == [b"1\n", b"text ", b"2", b"text", b"3\n"]


def test_a_full_ring_is_drained_and_nothing_is_lost() -> None:
    count = RING_CELLS // 3 + 100
    program = script(f'for (i = 0; i < 0n{count}; i++) {{ printf("%llx %llx", i, i * i); }}')
    outcome = same(program)
    assert len(outcome.host.messages) == count


@pytest.mark.parametrize("limit", range(1, 26))
def test_the_message_limit_strikes_at_the_same_point(limit: int) -> None:
    outcome = same_script('print(0); printf("%d is %x", -1234, @rax); print(1);', limits=Limits(max_message=limit))
    if outcome.result.fault is not None:
        assert outcome.result.fault.kind is FaultKind.MESSAGE_TOO_LONG


def test_every_conversion_on_every_kind_of_value() -> None:
    flags = ("", "-", "0", "+", " ", "#", "-#", "+0")
    sizes = ("", "1", "9", ".0", ".3", "12.5")
    for letter in ("d", "i", "u", "x", "X", "o", "hd", "hx", "lld", "llx", "llu", "llX", "llo", "c", "p"):
        formats = "|".join(f"%{flag}{size}{letter}" for flag in flags[:3] for size in sizes) + "|".join(
            f"%{flag}{letter}" for flag in flags
        )
        count = formats.count("%")
        for value in ("0", "1", "-1", "0x8000", "0x80000000", "0x8000000000000041"):
            same_script(f'printf("{formats}"{f", {value}" * count});')


def test_held_messages_wait_for_drain() -> None:
    engine, host = NativeEngine(), MemoryHost()
    loaded = engine.load(script("print(1);"), GlobalStore())
    other = engine.load(script('printf("%d-%d", 2, 3);'), GlobalStore())
    assert engine.run_holding(loaded, host).ok
    assert engine.run_holding(other, host).ok
    assert engine.run_holding(loaded, host).ok
    assert host.messages == []
    engine.drain(host)
    assert host.messages == [b"1\n", b"2-3", b"1\n"]
    engine.drain(host)
    assert len(host.messages) == 3


def test_messages_before_an_error_are_delivered() -> None:
    for engine in engines(DEFAULT_LIMITS):
        host = MemoryHost()
        assert not engine.run(engine.load(script("print(1); print(1 / @rax); print(2);"), GlobalStore()), host).ok
        assert host.messages == [b"1\n"]
