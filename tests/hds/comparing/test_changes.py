"""Which records stand against each other, and what differs between them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hds.comparing import Change, Kind, Rules, Run, compare, lines_of
from hds.recorded_runs import BadRun
from vm.facts.limits import DEFAULT_LIMITS, Limits

Rows = list[dict[str, Any]]


def run_of(rows: Rows, name: str = "a.jsonl") -> Run:
    return Run.of_lines(name, "".join(json.dumps(row) + "\n" for row in rows).encode(), DEFAULT_LIMITS)


def message(text: str, pc: int = 0x401000, tick: int = 1, event: int = 0, **more: object) -> dict[str, Any]:
    symbol = more.pop("symbol", None)
    return {"type": "message", "event": event, "tick": tick, "pc": pc, "symbol": symbol, "text": text, **more}


def changes(a: Rows, b: Rows, rules: Rules | None = None) -> list[Change]:
    return list(compare(run_of(a), run_of(b), rules or Rules()))


def marks(a: Rows, b: Rows, rules: Rules | None = None) -> str:
    """A letter for each change: s, c, m, a."""
    return "".join(change.kind.value[0] for change in changes(a, b, rules))


def test_equal_runs_have_no_changes() -> None:
    rows = [message("one"), message("two", 0x401010), {"type": "summary", "triggers": 2}]
    assert marks(rows, rows) == "sss"


def test_an_insertion_moves_the_clock_and_nothing_else() -> None:
    a = [message(f"call {number}", tick=number) for number in range(9)]
    b = [message("new", 0x400000, tick=0), *(row | {"tick": row["tick"] + 5} for row in a)]
    assert marks(a, b) == "a" + "c" * 9
    assert {name for change in changes(a, b) for name in change.fields} == {"tick"}
    assert marks(a, b, Rules(("tick",))) == "a" + "s" * 9


def test_what_is_missing_in_the_middle_is_found_among_the_same_triggers() -> None:
    a = [message(f"write {number}") for number in (1, 2, 3, 4)]
    assert marks(a, [a[0], a[1], a[3]]) == "ssms"


def test_records_of_one_trigger_are_compared_field_by_field() -> None:
    a = [message("one"), message("opens /etc/passwd as 3", registers={"rax": 1, "rbx": 2})]
    b = [message("one"), message("opens /etc/shadow as 3", registers={"rax": 1, "rbx": 7})]
    (_, change) = changes(a, b)
    assert change.fields == {
        "text": ("opens /etc/passwd as 3", "opens /etc/shadow as 3"), "registers.rbx": (2, 7),
    }  # fmt: skip
    (_, change) = changes(a, b, Rules(("registers",)))
    assert set(change.fields) == {"text"}


def test_records_of_other_events_or_with_other_words_are_no_changes_of_each_other() -> None:
    assert marks([message("read 5")], [message("read 5", event=1)]) == "ma"
    assert marks([message("read five bytes")], [message("the door opens at noon", 0x500000)]) == "ma"


def test_those_that_are_most_alike_stand_against_each_other() -> None:
    a = [message("getpid() = 5", 0x10000), message("exit(0)", 0x10008)]
    b = [message("exit(1)", 0x10004)]
    assert [(change.kind, change.a, change.b) for change in changes(a, b)] == [
        (Kind.MISSING, 0, None), (Kind.CHANGED, 1, 0),
    ]  # fmt: skip


def test_symbols_stand_for_addresses_that_moved() -> None:
    a = [message("hook at 0000000000401010", 0x401010, symbol="hello!check+0x10", context=0x401010)]
    b = [message("hook at 0000000000405010", 0x405010, symbol="hello!check+0x10", context=0x405010)]
    assert marks(a, b) == "c"
    assert marks(a, b, Rules(symbols=True)) == "s"
    c = [message("hook at 0000000000405020", 0x405020, symbol="hello!check+0x20", context=0x405020)]
    (change,) = changes(a, c, Rules(symbols=True))
    assert change.fields["text"] == ("hook at hello!check+0x10", "hook at hello!check+0x20")


def test_the_module_of_the_program_is_the_same_where_it_has_another_name() -> None:
    def run(name: str, module: str, start: int) -> Rows:
        own, library = message(f"at {start:x}", start, symbol=f"{module}!main"), message("in", symbol="libc!write")
        return [own, library, {"type": "summary", "processes": [{"name": name}]}]

    a, b = run("old.exe", "old", 0x401000), run("./new", "./new", 0x501000)
    assert marks(a, b) == "csc"
    assert marks(a, b, Rules(symbols=True)) == "ssc"
    other = run("./new", "helper", 0x501000)
    (change, *_) = changes(a, other, Rules(symbols=True))
    assert change.fields["symbol"] == ("program!main", "helper!main")


def test_an_ignored_field_that_no_record_has_is_named() -> None:
    runs = [run_of([message("a", registers={"rax": 1})])]
    assert Rules(("tick", "registers.rax", "tikc", "registers.rbx")).unknown(runs) == ["tikc", "registers.rbx"]


def test_hexadecimal_twins_of_numbers_are_not_told_twice() -> None:
    a = {"type": "trigger", "pc": 1 << 60, "pc_hex": hex(1 << 60)}
    b = {"type": "trigger", "pc": 2 << 60, "pc_hex": hex(2 << 60)}
    (change,) = changes([a], [b])
    assert set(change.fields) <= {"pc"}


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_every_record_stands_once_in_order(first: list[int], second: list[int]) -> None:
    a = [message(f"call {number}", 0x401000 + number % 2, event=number % 3) for number in first]
    b = [message(f"call {number}", 0x401000 + number % 2, event=number % 3) for number in second]
    found = changes(a, b)
    assert [change.a for change in found if change.a is not None] == list(range(len(a)))
    assert [change.b for change in found if change.b is not None] == list(range(len(b)))
    for change in found:
        both = change.a is not None and change.b is not None
        assert both is (change.kind in (Kind.SAME, Kind.CHANGED))
        assert bool(change.fields) is (change.kind is Kind.CHANGED)


@pytest.mark.lasting
def test_many_records_that_all_differ_take_no_quadratic_time() -> None:
    a = [message(f"call {number} a", tick=number) for number in range(4000)]
    b = [message(f"call {number} b", tick=number) for number in range(4000)]
    assert marks(a, b).count("c") == 4000


# --- hostile lines


DEEP = "[" * 5000 + "]" * 5000
HOSTILE = {
    b"not json": "a.jsonl:1:1: this is no JSON: ",
    b'{"type": "a"': "a.jsonl:1:13: this is no JSON: ",
    b"\n\n[1]": "a.jsonl:3: expected an object, found an array",
    b"5": "a.jsonl:1: expected an object, found a number",
    b"{}": "a.jsonl:1: the object has no type",
    b'{"type": 5}': "a.jsonl:1: the object has no type",
    b'{"type": "a", "b": NaN}': "a.jsonl:1: this is no JSON: NaN is no value",
    b'{"type": "a\xff"}': "a.jsonl:1:12: byte 0xff is not UTF-8",
    b'{"type": "a", "b": ' + DEEP.encode() + b"}": "a.jsonl:1: this is no JSON: more than 100 levels",
    b'{"type": "a", "b": ' + b"9" * 10_000 + b"}": "a.jsonl:1: this is no JSON: Exceeds the limit",
    b'{"type": "a\x01"}': "a.jsonl:1:12: this is no JSON: Invalid control character",
}


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: data[:24])
def test_what_is_no_run_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(BadRun) as caught:
        Run.of_lines("a.jsonl", data, DEFAULT_LIMITS)
    assert str(caught.value).startswith(HOSTILE[data])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("limits", [Limits(max_compared_records=2), Limits(max_compared_bytes=30)])
def test_a_run_that_is_too_large_is_refused(limits: Limits) -> None:
    with pytest.raises(BadRun, match="has more than the limit max_compared_"):
        Run.of_lines("a.jsonl", b'{"type": "a"}\n' * 3, limits)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["event", "stage", "pc", "symbol", "text", "tick", "registers", "pid", "pc_hex", "\x1b", "a[0"])


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=5), st.booleans())
def test_values_of_any_type_are_compared_and_shown_without_control_characters(rows: Rows, symbols: bool) -> None:
    a = run_of([{"type": "message", **row} for row in rows])
    b = run_of([{"type": "message", **row} for row in rows[1:]])
    for change in compare(a, b, Rules(symbols=symbols)):
        for line in lines_of(change, a, b):
            assert line.isprintable()
