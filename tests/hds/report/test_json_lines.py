"""Lines of JSON for many messages at a time: the same as those for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

from hds.report.json_lines import JsonLines
from hds.report.records import Triggered, json_object
from machine import Kept, Message

MESSAGES = [
    Message(b"text", 0, 0, 0, 4096, 4100, 0x400000, 1),
    Message(b"text\n", 0, 0, 0, 4096, 4100, 0x400000, 2),
    Message(b'"text": "", \\ \x00 \x1b \x7f', 0, 0, 0, 4096, 4100, 0x400000, 0, symbol='a!"tick": 0, "text": ""'),
    Message("\u00e9\u2028".encode(), 0, 0, 1, 4096, 4100, 0xFFFFF800_00001000, 10, ("a", "b")),
    Message(b"\xff", 0, 0, 1, 4096, 4100, 0xFFFFF800_00001000, 11),
    Message(b"", None, 1, 0, 4096, 4100, 0, 1 << 53),
    Message(b"size=4 name=x\n", 7),
]


@pytest.mark.parametrize("reads_fields", [False, True])
def test_many_messages_are_the_lines_of_each(reads_fields: bool, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    reporter = JsonLines(reads_fields=reads_fields)
    for message in MESSAGES:
        reporter.report(message)
    alone = capsysbinary.readouterr().out
    reporter.report_messages(Kept([message.text for message in MESSAGES], MESSAGES.__getitem__))
    assert capsysbinary.readouterr().out == alone
    made = [json.loads(line) for line in alone.splitlines()]
    for line in made:
        line.pop("fields", None)
    assert made == [json_object(message) for message in MESSAGES]


REGISTERS = {"rax": 1, "rip": 0xFFFFF800_00001000}
TRIGGERS = [
    Triggered(0, 0, 0, 1, 4096, 4100, "a", "a", 0x400000, None, 7, "write", kind="syscall"),
    Triggered(0, 0, 0, 2, 4096, 4100, "a", "a", 0x400000, None, 7, "write", kind="syscall"),
    Triggered(0, 1, 0, 3, 4096, 4100, "a", "a", 0x400000, "a!b", 1 << 63, None, kind="syscall"),
    Triggered(0, 0, 0, 4, 4096, 4100, '"tick": 0', "\xe9\udc80", 0x400000, '"text": ""', 7, None, {"rax": 1}, (1, 2)),
    Triggered(1, 0, 0, 1 << 53, 4096, 4100, "a", "a", 0x400000, "a!b", 7, None, REGISTERS),
    Triggered(1, 0, 0, 5, 4096, 4100, "a", "a", 0x400000, "a!b", 7, None, REGISTERS, (1 << 63, 0)),
    Triggered(1, 0, 0, 6, 4096, 4100, "a", "a", 0x400000, "a!b", 7, None, None, (1, 2)),
]


def test_triggers_are_the_objects_of_each(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    reporter = JsonLines()
    for trigger in TRIGGERS:
        reporter.report(trigger)
    lines = capsysbinary.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [json_object(trigger) for trigger in TRIGGERS]
    assert lines[5].decode() == json.dumps(json_object(TRIGGERS[5]))


@pytest.mark.lasting
def test_messages_of_a_run_name_their_places_on_every_engine(tmp_path: Path) -> None:
    program = listing_file(tmp_path, "mov ebx, 3; again: mov eax, 39; syscall; dec ebx; jnz again; hlt")
    words = (
        "--format",
        "json",
        "--symbol",
        "guest!again=400005",
        "-e",
        '!syscall script { printf("%d\\n", @rbx); }',
        program,
    )
    native, reference = (command_line("run", "--engine", each, *words).output for each in ("native", "reference"))
    messages = [json.loads(line) for line in native.splitlines() if '"message"' in line]
    assert [message["text"] for message in messages] == ["3\n", "2\n", "1\n"]
    assert {message["symbol"] for message in messages} == {"guest!again+0x5"}
    assert native == reference
