"""The records that a run says: each has its JSON form as docs/records.schema.json says, derived from its class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict, get_args

import pytest
from hds_guests import command_line, listing_file, session
from record_schema import check_lines, document, mistakes

import hds.report.records
from hds.report.failures import Failure, FailureKind
from hds.report.json_lines import JsonLines
from hds.report.records import (
    Aggregated,
    Bucket,
    CodeCoverage,
    CodeFault,
    CoveredModule,
    DecodedCall,
    Diagnostic,
    Forwarded,
    Group,
    GuestOutput,
    Halt,
    Incident,
    LineHits,
    Message,
    Notice,
    Record,
    RecordObject,
    Result,
    ScriptFault,
    Settled,
    Triggered,
    as_object,
    shown,
)
from hds.report.schema import record_type, records_schema, schema_of
from hds.session.summary import summarize
from lang import Code
from lang.diagnostics import Note
from lang.source import SourceFile, Span

_SPAN = Span(SourceFile("a.hds", "g\n"), 0, 1)
_NOT_RECORDS = {"__init__", "shown", "texts"}


def one_of_each() -> list[Record]:
    """A value of every record class."""
    heard: list[Record] = []

    class Listener:
        def report(self, record: Record, /) -> None:
            heard.append(record)

    made, _ = session("syscall; hlt", kernel="bare")
    made.reporter = Listener()
    made.execute("!syscall script { print(1 / (@rax - @rax)); }")
    made.run()
    fault = next(record for record in heard if isinstance(record, ScriptFault))
    message = Message(b"\xff", 0, outputs=("o",))
    return [
        Message(b"text"),
        message,
        Forwarded(message),
        GuestOutput(1, b"\xff"),
        Result("x\n"),
        Notice("x"),
        Diagnostic(Code.REFUSED, "refused", _SPAN, "a hint", (Note("here", _SPAN), Note("nowhere"))),
        fault,
        CodeFault(0, "stopped"),
        Halt("event", "nop", 1, 2, 0, 3, 4, event_id=0, stage=1),
        Halt("breakpoint", "nop", 1, 2, 0, 3, 4, breakpoint_id=1),
        Triggered(0, 0, 0, 1, 2, 3, "p", "t", 4, None, 5),
        DecodedCall(1, 1, 0, 5, 0, "read", (0, 1 << 63, 4), ("0", '"a"', "4"), -9, "EBADF", "-1 EBADF"),
        Incident("signal", 1, 1, 9, "SIGTERM", None, "--- SIGTERM {} ---"),
        Triggered(0, 1, 0, 1, 2, 3, "p", "t", 1 << 63, "a!b", 5, "write", {"rax": 1 << 53, "rbx": 1}, (1 << 54,)),
        CodeCoverage(1, "p", (CoveredModule("a", 1 << 63, 1 << 63 | 16),), ((0, 4, 2),), True),
        LineHits("a.hds", ((None, "// \x1b"), (0, "print 1"), (1 << 53, "print 2")), True),
        Aggregated("sum(n) by x", "sum", "n", ("x",), (Group((1 << 63,), ("0x1",), 2, 1 << 60),), 3, 1, False),
        Aggregated("hist(n)", "hist", "n", (), (Group((), (), 1, None, (Bucket(1 << 62, 1 << 63, 1),)),)),
        Settled(),
        Failure(FailureKind.CRASH, "why"),
        summarize(made),
    ]


def test_every_record_is_described(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    records = one_of_each()
    assert {type(record) for record in records} == set(get_args(Record))
    for record in records:
        JsonLines().report(record)
    text = capsysbinary.readouterr().out.decode()
    check_lines(text)
    assert {json.loads(line)["type"] for line in text.splitlines()} == set(document()["$defs"])


def test_people_are_shown_every_record_or_something_else_tells_them() -> None:
    silent = {type(record) for record in one_of_each() if shown(record) is None}
    assert silent == {Forwarded, Failure}


def test_the_document_is_derived_from_the_classes() -> None:
    assert document() == records_schema()
    assert [record_type(kind) for kind in get_args(RecordObject)] == list(document()["$defs"])


def test_a_record_is_one_file() -> None:
    folder = Path(hds.report.records.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - _NOT_RECORDS
    homes = [kind.__module__.rpartition(".")[2] for kind in get_args(RecordObject)]
    assert sorted([*homes, "settled"]) == sorted(files)


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"event": "0"}, "record.event is '0', no ['integer', 'null']"),
        ({"core": True}, "record.core is True, no integer"),
        ({"stage": "mid"}, "record.stage is 'mid', none of what it may be"),
        ({"more": 1}, "record has more, which the schema does not know"),
        ({"outputs": [1]}, "record.outputs[0] is 1, no string"),
    ],
)
def test_what_is_not_as_the_schema_says_is_found(change: dict[str, object], mistake: str) -> None:
    made = {**(as_object(Message(b"x")) or {}), **change}
    assert list(mistakes(made, document()["$defs"]["message"], "record")) == [mistake]


def test_a_missing_property_is_found() -> None:
    assert list(mistakes({"type": "result"}, document()["$defs"]["result"], "record")) == ["record lacks text"]


def test_a_type_that_json_does_not_have_is_refused() -> None:
    class Strange(TypedDict):
        value: bytes

    with pytest.raises(TypeError, match="no values of type"):
        schema_of(Strange)


def test_the_lines_of_a_run_are_validated_where_tests_run_it(tmp_path: Path) -> None:
    ran = command_line("run", "--format", "json", "-e", "!syscall\ng\nr zzz", listing_file(tmp_path))
    types = [json.loads(line)["type"] for line in ran.output.splitlines()]
    assert types == ["break", "finding", "notice", "summary"]
