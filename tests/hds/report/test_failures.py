"""JSON mode: every failure is one record on standard output, with its kind, and nothing is on standard error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

from hds.cli.documentation import page
from hds.exit_codes import ExitCode
from hds.report.failures import Failure, FailureKind
from hds.report.json_lines import JsonLines
from hds.report.streams import standard_streams

SPIN = "again: jmp again"
CRASH = "mov rax, [0x10]"
TWICE = "mov eax, 0x55\nsyscall\nmov eax, 0x55\nsyscall"
DIVIDE = "!syscall 55 script { print(1 / (@rax - @rax)); }"
UNOPENED = f"output create o file {os.devnull}\n!syscall 55 script {{ print(1); }} output {{o}}"

# Kind, the guest's listing, and what follows `hds run --format json`; {} is the guest.
RUNS: list[tuple[FailureKind, str, tuple[str, ...]]] = [
    (FailureKind.USAGE, TWICE, ("--bogus",)),
    (FailureKind.USAGE, TWICE, ("--timeout", "soon", "-e", "g")),
    (FailureKind.USAGE, TWICE, ()),
    (FailureKind.USAGE, TWICE, ("--symbol", "x", "-e", "g")),
    (FailureKind.NO_INPUT, TWICE, ("/no/script.hds",)),
    (FailureKind.NO_INPUT, TWICE, ("-e", "g", "/no/guest")),
    (FailureKind.NO_INPUT, TWICE, ("--stdin", "/no/file", "-e", "g", "{}")),
    (FailureKind.REFUSED, TWICE, ("-e", "print \udcff")),
    (FailureKind.LOAD, TWICE, ("--kind", "elf", "-e", "g", "{}")),
    (FailureKind.NO_INPUT, TWICE, ("--root", "/no/folder", "-e", "g", "{}")),
    (FailureKind.LOAD, "bogus", ("-e", "g", "{}")),
    (FailureKind.COMPILE, TWICE, ("-e", "bogus")),
    (FailureKind.COMPILE, TWICE, ("-e", "? print(1)", "{}")),
    (FailureKind.COMMAND, TWICE, ("-e", "r zzz", "{}")),
    (FailureKind.CRASH, CRASH, ("-e", "g", "{}")),
    (FailureKind.INSTRUCTIONS, SPIN, ("--max-instructions", "1000", "-e", "g", "{}")),
    (FailureKind.TIMEOUT, SPIN, ("--timeout", "0.01", "-e", "g", "{}")),
    (FailureKind.BREAK, TWICE, ("--on-break", "fail", "-e", "!syscall 55", "{}")),
    (FailureKind.SCRIPT, TWICE, ("--fail-on-script-errors", "-e", DIVIDE, "{}")),
    (FailureKind.OUTPUT, TWICE, ("-e", UNOPENED, "{}")),
]  # fmt: skip


def failures(*words: str) -> list[dict[str, object]]:
    """The records of failures of a command line in JSON mode, which says nothing else on standard error."""
    ran = command_line(*words)
    assert ran.errors == ""
    found = [json.loads(line) for line in ran.output.splitlines()]
    kinds = {kind.value for kind in FailureKind}
    return [record for record in found if record["type"] in ("failure", "finding") and record["kind"] in kinds]


@pytest.mark.parametrize(("kind", "guest", "words"), RUNS, ids=[" ".join(ascii(w) for w in row[2]) for row in RUNS])
def test_every_failure_of_a_run_is_one_record(
    kind: FailureKind, guest: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = listing_file(tmp_path, guest)
    given = ("run", "--format", "json", *(path if word == "{}" else word for word in words))
    (record,) = failures(*given)
    assert record["kind"] == kind.value
    assert record["message"]
    assert {"code", "hint"} <= record.keys()
    assert command_line(*given).code == kind.exit_code


def test_a_record_has_what_the_text_has(tmp_path: Path) -> None:
    path = listing_file(tmp_path)
    (record,) = failures("run", "--format", "json", "-e", "g", "--kind=elf", path) or [{}]
    text = command_line("run", "--kind=elf", "-e", "g", path)
    assert record["type"] == "failure"
    assert record["exit_code"] == text.code == ExitCode.GUEST
    assert text.errors.splitlines()[0] == f"hds: {record['message']}"


def test_a_hint_is_a_field_of_its_own(tmp_path: Path) -> None:
    (record,) = failures("run", "--format", "json", "--xyzzy")
    assert record["message"] == "unrecognized arguments: --xyzzy"
    assert record["hint"] == "`hds run --help` shows the options"


def test_a_record_of_what_does_not_compile_has_the_code() -> None:
    (record,) = failures("run", "--format", "json", "-e", "? b0 = 5;")
    assert (record["code"], record["hint"]) == ("E031", "use for example 'b0_v'")


def test_a_bug_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("hds.cli.subcommands.run.read_commands_or_bundle", broken)
    (record,) = failures("run", "--format", "json", "-e", "g")
    assert (record["kind"], record["exit_code"]) == ("internal_error", 70)
    assert "ZeroDivisionError: on purpose" in str(record["message"])


def test_a_run_that_ends_well_has_none(tmp_path: Path) -> None:
    assert failures("run", "--format", "json", "-e", "g", listing_file(tmp_path)) == []


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("check", "--format", "json", "/no/file"), "no_input"),
        (("check", "--format", "json"), "usage"),
        (("check", "--format=json", "-e", "bogus"), "compile_error"),
        (("check", "--format", "json", "--disable", "E001", "-e", "print 1"), "usage"),
        (("eval", "--json", "/no/file"), "no_input"),
        (("eval", "--json", "--reg", "zzz=1", "-e", "print(1);"), "usage"),
        (("eval", "--json", "--bogus"), "usage"),
        (("conform", "--format", "json", "/no/file"), "no_input"),
        (("conform", "--format", "json"), "usage"),
        (("list", "--format", "json", "nothing"), "usage"),
    ],
)
def test_other_subcommands_have_records_too(words: tuple[str, ...], kind: str) -> None:
    ran = command_line(*words)
    (record,) = [json.loads(line) for line in ran.output.splitlines()]
    assert record["kind"] == kind
    assert {"message", "hint", "code"} <= record.keys()
    assert ran.code != 0


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [("b0 = 5;", "compile_error", "E031"), ("print(1 / (@rax - @rax));", "script_error", None)],
)
def test_the_object_of_eval_has_the_failure(script: str, kind: str, code: str | None) -> None:
    failure = json.loads(command_line("eval", "--json", "-e", script).output)["failure"]
    assert (failure["kind"], failure["code"]) == (kind, code)
    assert failure["hint"]


def test_sarif_says_which_files_could_not_be_checked() -> None:
    log = json.loads(command_line("check", "--format", "sarif", "/no/file").output)
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == "cannot read /no/file: No such file or directory"


def test_every_kind_and_every_exit_code_is_documented() -> None:
    text = page("command-line.md")
    for kind in FailureKind:
        assert f"| `{kind.value}` | `{int(kind.exit_code)}` | {kind.doc} |" in text
    for code in ExitCode:
        assert f"| `{int(code)}` | `{code.name}` | {code.doc} |" in text


def test_names_that_are_no_utf_8_are_valid_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    name = os.fsdecode(b"\xff")
    with standard_streams() as (output, _):
        JsonLines().report(Failure(FailureKind.NO_INPUT, name))
        output.finish()
    assert json.loads(capfdbinary.readouterr().out)["message"] == name
