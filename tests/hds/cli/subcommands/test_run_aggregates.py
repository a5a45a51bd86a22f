"""`hds run --aggregate` and `--fields`: what triggers and messages say, counted and summed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engines import need_machine_code
from hds_guests import command_line
from source_trees import ROOT

GREET = str(ROOT / "examples" / "guests" / "greet.asm")  # write three times, getpid, exit
SILENT = "!syscall script { }"
SIZES = r'!syscall script { printf("call=0x%llx size=%lld who=\"a %lld\"\n", $context, @rbx - 1, @rbx); }'


def table(script: str, *aggregates: str, more: tuple[str, ...] = ()) -> list[str]:
    """The lines that a run ends with, columns apart by a space and without bars."""
    words = [word for text in aggregates for word in ("--aggregate", text)]
    ran = command_line("run", "--quiet", "--guest-output", "none", *words, *more, "-e", script, GREET)
    assert (ran.code, ran.errors) == (0, "")
    said = ran.output[ran.output.index(f"\n{aggregates[0]}\n") + 1 :]
    return [" ".join(line.partition("|")[0].split()) for line in said.splitlines()]


def objects(script: str, *words: str) -> list[dict[str, Any]]:
    ran = command_line("run", "--format", "json", "--guest-output", "none", *words, "-e", script, GREET)
    assert (ran.code, ran.errors) == (0, "")
    return [json.loads(line) for line in ran.output.splitlines()]


def test_triggers_are_counted_and_calls_have_names() -> None:
    assert table(SILENT, "count by context") == ["count by context", "context count", "write 3", "getpid 1", "exit 1"]


def test_bars_are_as_long_as_the_values() -> None:
    ran = command_line("run", "--quiet", "--guest-output", "none", "--aggregate", "by name", "-e", SILENT, GREET)
    assert [line.count("@") for line in ran.output.splitlines()[3:]] == [40, 13, 13]


def test_several_expressions_and_the_rest_of_the_largest() -> None:
    assert table(SILENT, "top 1 by pid, name", "max(tick) by stage") == [
        "top 1 by pid, name", "pid name count", "0x1000 write 3", "other: 2",
        "", "max(tick) by stage", "stage max", "pre 27",
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_fields_of_messages_with_values_of_their_triggers(engine: str) -> None:
    if engine == "native":
        need_machine_code()
    more = ("--engine", engine)
    assert table(SIZES, "sum(size) by name", "avg(size)", "min(size) by who", more=more) == [
        "sum(size) by name", "name sum", "write 3", "exit -1", "getpid -1",
        "", "avg(size)", "avg", "0",
        "", "min(size) by who", "who min", "a 3 2", "a 2 1", "a 1 0", "a 0 -1",
    ]  # fmt: skip


def test_histograms() -> None:
    assert table(SIZES, "hist(size)", "lhist(size, 0, 3, 2) by core", "lhist(size, 0, 2, 1)") == [
        "hist(size)", "(..., 0) 2", "[0] 1", "[1] 1", "[2, 4) 1",
        "", "lhist(size, 0, 3, 2) by core", "core 0", "(..., 0) 2", "[0, 2) 2", "[2] 1",
        "", "lhist(size, 0, 2, 1)", "(..., 0) 2", "[0] 1", "[1] 1", "[2, ...) 1",
    ]  # fmt: skip


def test_groups_are_bounded() -> None:
    assert table(SILENT, "count by tick", more=("--max-aggregate-groups", "2")) == [
        "count by tick", "tick count", "6 1", "13 1", "other: 3",
        "there were more groups than are kept (limit max_aggregate_groups)",
    ]  # fmt: skip


def test_what_is_no_number_is_counted_apart() -> None:
    assert table(SIZES, "sum(who)") == ["sum(who)", "without a number in who: 5"]


def test_names_that_nothing_has_are_told() -> None:
    assert table(SIZES, "count by contxt", "sum(size) by sise") == [
        "count by contxt", "nothing was counted: no message has a field contxt=...; did you mean context?",
        "", "sum(size) by sise", "nothing was counted: no message has a field sise=...",
    ]  # fmt: skip
    assert table("g", "count") == ["count", "nothing was counted: no event has triggered"]


def test_a_field_may_have_the_name_of_a_value() -> None:
    script = r'!syscall script { printf("pid=%lld\n", @rbx); }'
    assert table(script, "sum(fields.pid)", "top 1 by fields.pid") == [
        "sum(fields.pid)", "sum", "6", "", "top 1 by fields.pid", "fields.pid count", "0 2", "other: 3",
    ]  # fmt: skip


def test_collected_messages_have_a_row_for_each_line() -> None:
    script = r'!syscall imm no script { printf("size=%lld\n", @rbx); }'
    assert table(script, "sum(size) by pid") == ["sum(size) by pid", "pid sum", "- 6"]


def test_what_scripts_say_never_obeys_the_terminal() -> None:
    script = r'!syscall 3c script { printf("t=%s\n", "\x1b[31m"); }'
    ran = command_line("run", "--quiet", "--guest-output", "none", "--aggregate", "by t", "-e", script, GREET)
    assert r"\u001b[31m" in ran.output.partition("\nby t\n")[2]
    assert "\x1b" not in ran.output.partition("\nby t\n")[2]


def test_records() -> None:
    words = ("--fields", "--aggregate", "sum(size) by context", "--aggregate", "hist(size)")
    said = objects(SIZES, *words)
    assert [record["type"] for record in said] == [*["message"] * 5, "aggregate", "aggregate", "summary"]
    assert said[0]["fields"] == [{"call": 1, "size": 2, "who": "a 3"}]
    assert said[5]["keys"] == ["context"]
    assert said[5]["groups"][0] == {"by": {"context": 1}, "names": ["write"], "count": 3, "value": 3, "buckets": []}
    buckets = said[6]["groups"][0]["buckets"]
    assert [(each["least"], each["below"], each["count"]) for each in buckets] == [
        (None, 0, 2), (0, 1, 1), (1, 2, 1), (2, 4, 1),
    ]  # fmt: skip


def test_recorded_triggers_are_shown_only_on_request() -> None:
    words = ("--aggregate", "count by context")
    assert [record["type"] for record in objects(SILENT, *words)] == ["aggregate", "summary"]
    recorded = objects(SILENT, "--record", "triggers", *words)
    assert [record["type"] for record in recorded] == [*["trigger"] * 5, "aggregate", "summary"]


def test_mistakes_are_of_usage() -> None:
    ran = command_line("run", "--aggregate", "cnt by x", "-e", SILENT, GREET)
    assert (ran.code, ran.output) == (2, "")
    assert ran.errors.startswith("hds: --aggregate: column 1 of 'cnt by x': there is no function 'cnt'\n  hint: ")
    ran = command_line("run", "--fields", "-e", SILENT, GREET)
    assert (ran.code, ran.errors) == (
        2, "hds: --fields is for --format json\n  hint: --aggregate reads fields without it\n",
    )  # fmt: skip
