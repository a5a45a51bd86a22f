"""`hds report`: what is refused and how, and the forms for other tools; the page itself is in tests/hds/exporting."""

from __future__ import annotations

import io
import json
import shutil
import struct
import sys
from pathlib import Path

import pytest
from hds_guests import command_line
from source_trees import ROOT

CALLS = '!syscall script { printf("call %llx\\n", $context); }\n'


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("recorded")
    shutil.copy(ROOT / "examples" / "guests" / "greet.asm", place)
    (place / "calls.hds").write_text(CALLS)
    words = ("--record", "triggers", "--record", "arguments", str(place / "calls.hds"), str(place / "greet.asm"))
    return command_line("run", "--format", "json", *words).output


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: str) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(recorded)
    return tmp_path


def test_a_report_is_a_page(place: Path) -> None:
    ran = command_line("report", "a.jsonl")
    assert (ran.code, ran.output) == (0, "")
    assert ran.errors == "hds: report.html: 14 records of 1 run\n"
    page = (place / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "getpid" in page


def test_a_page_has_the_hits_of_lines(place: Path) -> None:
    script = "!syscall script {\n  if (@rax == 99999) { print(1); }\n  else { x = 5 > 3; }\n}\n// <b>\n"
    (place / "hits.hds").write_text(script)
    shutil.copy(ROOT / "examples" / "guests" / "greet.asm", place)
    run = command_line("run", "--format", "json", "--record", "lines", "hits.hds", "greet.asm").output
    (place / "hits.jsonl").write_text(run)
    assert command_line("report", "hits.jsonl").code == 0
    page = (place / "report.html").read_text()
    assert "<h3>hits.hds</h3>" in page
    assert '<td class="number">3</td><td class="number">5</td><td><pre>  else { x = 5 &gt; 3; }</pre>' in page
    assert '<td class="number">5</td><td class="number"></td><td><pre>// &lt;b&gt;</pre>' in page
    assert command_line("report", "--max-report-lines", "2", "hits.jsonl").code == 0
    page = (place / "report.html").read_text()
    assert "3 lines of scripts left out." in page
    assert "<pre>  else" not in page


def test_a_page_has_times_fields_and_aggregates(place: Path) -> None:
    script = '!syscall script { printf("size=%d who=\\"<b>\\" \\n", @rdx); }'
    words = ("--fields", "--aggregate", "count by name", "--aggregate", "hist(size) by who", "--record", "times")
    run = command_line("run", "--format", "json", *words, "-e", script, str(ROOT / "examples" / "guests" / "greet.asm"))
    (place / "fields.jsonl").write_text(run.output)
    assert command_line("report", "fields.jsonl").code == 0
    page = (place / "report.html").read_text()
    assert '<th scope="col" class="number">time (ms)</th>' in page
    assert "<h3>count by name</h3>" in page
    assert '<tr><td>write</td><td class="number">3</td>' in page
    assert "<h3>hist(size) by who</h3>" in page
    assert '<tr><td>&lt;b&gt;</td><td>[4, 8)</td><td class="number">5</td>' in page
    assert "<h3>Values of size</h3>" in page
    assert '<tr><td>6</td><td class="number">5</td>' in page
    assert "Least 6, most 6, sum 30 (0x1e)." in page
    assert "Times of events are not measured" not in page


def test_a_page_without_times_says_how_they_are_had(place: Path) -> None:
    assert command_line("report", "a.jsonl").code == 0
    page = (place / "report.html").read_text()
    assert "Times of events are not measured: `hds run --record times` does that." in page
    assert "time (ms)" not in page


def test_the_same_run_gives_the_same_bytes(place: Path) -> None:
    for name in ("one", "two"):
        assert command_line("report", "a.jsonl", "-o", name).code == 0
    assert (place / "one").read_bytes() == (place / "two").read_bytes()


def test_a_report_is_made_of_standard_input_and_goes_to_standard_output(
    recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recorded.encode())))
    ran = command_line("report", "-", "-o", "-")
    assert (ran.code, ran.output[:15], ran.errors) == (0, "<!doctype html>", "")


def test_a_trace_for_perfetto_has_what_its_format_asks_for(recorded: str) -> None:
    ran = command_line("report", "--format", "perfetto", "a.jsonl", "a.jsonl", "-o", "-")
    events = json.loads(ran.output)["traceEvents"]
    for event in events:
        assert event.keys() >= {"ph", "ts", "pid", "tid", "name"}
        assert event["ph"] in ("i", "M")  # nothing tells when a call of these is over
        assert all(type(event[name]) is int and 0 <= event[name] < 1 << 53 for name in ("ts", "pid", "tid"))
    triggers = [event for event in events if event.get("cat") == "trigger"]
    names = ["write", "write", "write", "getpid", "exit"]
    ticks = [record["tick"] for record in map(json.loads, recorded.splitlines()) if record["type"] == "trigger"]
    assert [(event["name"], event["ts"]) for event in triggers] == list(zip(names, ticks, strict=True)) * 2
    assert triggers[0]["args"]["arguments"][0] == "0x1"
    assert {event["pid"] for event in events} == {0x1000, 1 << 32 | 0x1000}
    assert {event["args"]["name"] for event in events if event["name"] == "process_name"} == {"a.jsonl: greet.asm"}


@pytest.mark.parametrize("traced", [False, True])
def test_calls_are_slices_for_perfetto_where_their_ends_are_known(place: Path, traced: bool) -> None:
    greet = str(ROOT / "examples" / "guests" / "greet.asm")
    events = "!syscall script { x = 1; }\n!syscall script { x = 1; }\n!sysret script { x = 1; }"
    words = ["trace", "--format", "json", "--kernel", "linux", greet]
    if not traced:
        words = ["run", "--format", "json", "--kernel", "linux", "--record", "triggers", "-e", events, greet]
    (place / "calls.jsonl").write_text(command_line(*words).output)
    made = json.loads(command_line("report", "--format", "perfetto", "calls.jsonl", "-o", "-").output)["traceEvents"]
    slices = [event for event in made if event["ph"] == "X"]
    assert [event["name"] for event in slices] == ["write", "write", "write", "getpid"]
    assert all(event["dur"] > 0 and event["cat"] == "call" for event in slices)
    ends = [event["ts"] + event["dur"] for event in slices]
    assert all(end <= later["ts"] for end, later in zip(ends, slices[1:], strict=False))
    assert "exit" in {event["name"] for event in made if event["ph"] == "i"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"type": "mess', "bad.jsonl:15:10: this is no JSON: Unterminated string"),
        ("[]\n", "bad.jsonl:15: expected an object, found an array"),
        ('{"text": "x"}\n', "bad.jsonl:15: the object has no type"),
        ('{"type": "trigger", "event": 1}\n', "bad.jsonl:15: this trigger is none of hds: Object missing required"),
        ('{"type": "guest_output", "descriptor": "1", "text": ""}\n', "Expected `int`, got `str` - at `$.descriptor`"),
        (
            '{"type": "summary", "schema": "2.0"}\n',
            "bad.jsonl:15: the schema of the records is '2.0'; this hds",
        ),
        ('{"type": "summary"}\n', "bad.jsonl:15: the schema of the records is None; this hds reads 1.x"),
        ("\xff\n", "bad.jsonl:15:1: byte 0xff is not UTF-8"),
        ("[" * 200 + "\n", "bad.jsonl:15: this is no JSON: more than 100 levels"),
        ('{"type": "message", "tick": NaN}\n', "bad.jsonl:15: this is no JSON: NaN is no value"),
        ("x" * 5000, "bad.jsonl:15 is larger than 4000 bytes (limit max_record_bytes)"),
    ],
)
@pytest.mark.parametrize("form", ["html", "perfetto", "parquet"])
def test_a_line_that_is_no_record_is_refused_with_its_place(
    place: Path, recorded: str, lines: str, message: str, form: str
) -> None:
    (place / "bad.jsonl").write_bytes(recorded.encode() + lines.encode("latin-1"))
    ran = command_line("report", "--max-record-bytes", "4000", "--format", form, "bad.jsonl", "-o", "made")
    assert ran.code == (3 if "larger" in message else 1)
    assert message in ran.errors
    assert not (place / "made").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere.jsonl"], 3, "cannot read nowhere.jsonl"),
        (["."], 1, ". has no results of hds corpus"),
        (["a.jsonl", "-o", "no/where"], 3, "cannot write no/where"),
        (["a.jsonl", "-o", "/dev/full"], 3, "cannot write /dev/full"),
        (["a.jsonl", "-o", "./a.jsonl"], 2, "a.jsonl is read: it would be written over"),
        (["-", "-"], 2, "only one of the runs can be standard input"),
        ([], 2, "the following arguments are required: RUN"),
        (["a.jsonl", "--format", "pdf"], 2, "invalid choice: 'pdf'"),
    ],
)
def test_what_cannot_be_done_is_refused(words: list[str], code: int, message: str) -> None:
    ran = command_line("report", *words)
    assert (ran.code, message in ran.errors) == (code, True), ran.errors


def test_objects_of_other_programs_are_no_run(place: Path) -> None:
    (place / "foreign.jsonl").write_text('{"type": "span", "name": "x"}\n' * 3)
    ran = command_line("report", "foreign.jsonl")
    assert (ran.code, "none of its 3 objects is a record of hds" in ran.errors) == (1, True)


def test_records_of_a_later_version_are_left_out_and_counted(place: Path, recorded: str) -> None:
    later = recorded.replace('"schema": "1.', '"schema": "1.9')
    (place / "later.jsonl").write_text('{"type": "snapshot", "at": 1}\n' + later)
    assert command_line("report", "later.jsonl").code == 0
    assert "1 record of types that this hds does not know" in (place / "report.html").read_text()


def test_a_run_without_its_end_is_shown_and_said(place: Path, recorded: str) -> None:
    (place / "cut.jsonl").write_text("".join(recorded.splitlines(keepends=True)[:5]))
    ran = command_line("report", "cut.jsonl")
    assert (ran.code, "cut.jsonl has no summary" in ran.errors) == (0, True)
    assert "its end is not in the file" in (place / "report.html").read_text()


def test_what_a_page_keeps_is_bounded_and_said(place: Path, recorded: str) -> None:
    line = json.loads(recorded.splitlines()[1])
    many = [json.dumps({**line, "tick": 1000 * at, "text": f"number {at}\n"}) for at in range(3000)]
    (place / "many.jsonl").write_text("\n".join((*many, recorded)))
    limits = ("--max-report-messages", "10", "--max-report-bins", "20")
    assert command_line("report", *limits, "many.jsonl").code == 0
    page = (place / "report.html").read_text()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])[0]
    assert (len(data["messages"]["rows"]), data["messages"]["total"]) == (10, 3005)
    assert len(page) < 100_000


def test_without_jinja_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    ran = command_line("report", "a.jsonl")
    assert (ran.code, ran.errors) == (2, "hds: Jinja2 is not installed: pip install 'hds-hyperdbg[report]'\n")


def test_tables_have_every_trigger_message_and_event(place: Path, recorded: str) -> None:
    from pyarrow import parquet

    ran = command_line("report", "--format", "parquet", "a.jsonl", "a.jsonl", "-o", "tables")
    assert ran.code == 0, ran.errors
    records = [json.loads(line) for line in recorded.splitlines()]
    for name, kind in (("triggers", "trigger"), ("messages", "message")):
        rows = parquet.read_table(place / "tables" / f"{name}.parquet").to_pylist()
        wanted = [record for record in records if record["type"] == kind] * 2
        assert [(row["recording"], row["tick"], row["pc"]) for row in rows] == [
            ("a.jsonl", record["tick"], record["pc"]) for record in wanted
        ]
    triggers = parquet.read_table(place / "tables" / "triggers.parquet").to_pylist()
    assert [row["arguments"] for row in triggers[:5]] == [
        record["arguments"] for record in records if record["type"] == "trigger"
    ]
    assert parquet.read_table(place / "tables" / "events.parquet").to_pylist()[1]["triggers"] == 5


def test_fields_of_messages_have_a_table_with_types(place: Path) -> None:
    from pyarrow import parquet

    said = 'printf("size=-1 to=0x%llx\\n\\nwho=\\"the guest\\"\\n", 0xffffffffffffffff); print(1); printf("size=5");'
    (place / "exits.asm").write_text("mov eax, 60; syscall".replace("; ", "\n"))
    ran = command_line("run", "--format", "json", "--fields", "-e", f"!syscall script {{ {said} }}", "exits.asm")
    (place / "fields.jsonl").write_text(ran.output)
    assert command_line("report", "--format", "parquet", "fields.jsonl", "-o", "tables").code == 0
    columns = ("message", "line", "name", "number", "unsigned", "text")
    table = parquet.read_table(place / "tables" / "fields.parquet")
    assert [tuple(row[name] for name in columns) for row in table.to_pylist()] == [
        (0, 0, "size", -1, (1 << 64) - 1, None),
        (0, 0, "to", None, (1 << 64) - 1, None),
        (0, 1, "who", None, None, "the guest"),
        (2, 0, "size", 5, 5, None),
    ]
    assert command_line("report", "fields.jsonl", "-o", "fields.html").code == 0
    assert "to_hex" not in (place / "fields.html").read_text()


def test_coverage_for_lighthouse_has_the_blocks_that_were_executed(place: Path) -> None:
    (place / "guest.asm").write_text(
        "mov ecx, 3; again: dec ecx; jnz again; jmp out; nop; nop; out: mov eax, 60; syscall"
    )
    plain = command_line("run", "--format", "json", "-e", "print 1", "guest.asm").output
    for engine in ("reference", "native"):
        words = ("--record", "blocks", "--engine", engine, "-e", "print 1", "guest.asm")
        (place / f"{engine}.jsonl").write_text(command_line("run", "--format", "json", *words).output)
        assert command_line("report", "--format", "drcov", f"{engine}.jsonl", "-o", engine).code == 0
        lines = (place / f"{engine}.jsonl").read_text().splitlines(keepends=True)
        assert "".join(line for line in lines if '"coverage"' not in line) == plain
    assert (place / "reference").read_bytes() == (place / "native").read_bytes()
    text, _, table = (place / "native").read_bytes().partition(b" bbs\n")
    assert text.decode().splitlines() == [
        "DRCOV VERSION: 2",
        "DRCOV FLAVOR: hds",
        "Module Table: version 2, count 1",
        "Columns: id, base, end, entry, path",
        "  0, 0x0000000000400000, 0x0000000000401000, 0x0000000000000000, guest.asm",
        "BB Table: 4",
    ]
    assert list(struct.iter_unpack("<IHH", table)) == [(0, 9, 0), (5, 4, 0), (9, 2, 0), (13, 7, 0)]


def test_coverage_needs_a_run_that_has_it(place: Path) -> None:
    ran = command_line("report", "--format", "drcov", "a.jsonl")
    assert (ran.code, "a.jsonl has no records of blocks" in ran.errors) == (1, True)
    assert command_line("report", "--format", "drcov", "a.jsonl", "a.jsonl").code == 2
    (place / "bad.jsonl").write_text(
        '{"type": "coverage", "pid": 1, "process": "x", "modules": [], "blocks": [[0, 0, 1]], "complete": true}\n'
    )
    ran = command_line("report", "--format", "drcov", "bad.jsonl")
    assert (ran.code, "[0, 0, 1] is no block of a module" in ran.errors) == (1, True)


def test_tables_need_a_folder(place: Path) -> None:
    assert command_line("report", "--format", "parquet", "a.jsonl", "-o", "-").code == 2
    (place / "file").touch()
    assert command_line("report", "--format", "parquet", "a.jsonl", "-o", "file").code == 3
