"""`hds explain`, `hds list`, and the pages of docs/ that are made from the same tables."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hds.cli.documentation import PAGES, page
from hds.cli.main import main
from hds.cli.subcommands.explain import explanation
from hds.cli.tables import TABLES
from hds.report.findings import code_titles
from hds.version import VERSION
from machine.kernel.nt import numbers_of

DOCS = Path(__file__).parents[4] / "docs"


def test_every_code_has_an_explanation() -> None:
    for code in code_titles():
        assert (explanation(code) or "").startswith(f"{code}: "), code


def test_explain_shows_a_bad_and_a_good_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "e031"]) == 0
    out = capsys.readouterr().out
    assert "a = 5; print(a);" in out
    assert "a_v = 5; print(a_v);" in out


def test_explain_tells_of_a_portability_remark_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "P060"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("P060: array sizes in base 16\n\nArray sizes are hexadecimal")
    assert "HyperDbg v0.23 reads" in out
    assert "Not alike in both:\n\n    int v[10] = {1};" in out
    assert "Alike in both:\n\n    int v[0n16] = {1};" in out


def test_an_unknown_code_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "E31", "W014"]) == 1
    out, err = capsys.readouterr()
    assert "E31 is no diagnostic code; did you mean E031?" in err
    assert out.startswith("W014: ")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_listed(capsys: pytest.CaptureFixture[str], name: str) -> None:
    table = TABLES[name]()
    assert main(["list", name]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(table.rows) + 1
    assert main(["list", name, "--format", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [tuple(row.values()) for row in rows] == list(table.rows)


def test_the_calls_say_what_becomes_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "calls"]) == 0
    lines = [re.split(r"  +", line, maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert ["nt", "55", "NtCreateFile", "carried out"] in lines
    assert ["nt", "c", "NtReplyPort", "answered by default: STATUS_NOT_IMPLEMENTED"] in lines
    assert ["nt", "800 up, private", "NtContinueEx", "carried out"] in lines
    assert ["linux", "101", "openat", "carried out"] in lines
    assert ["linux", "a5", "mount", "answered by default: EPERM"] in lines


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("call_numbers.ds", r"^\.(?P<name>Nt\w+) = 0x(?P<number>[0-9a-f]+);$"),
        ("call_names.ds", r'number == 0x(?P<number>[0-9a-f]+)\) \{ printf\("(?P<name>Nt\w+)"\)'),
    ],
)
def test_the_includes_have_the_numbers_of_every_windows_call(file: str, row: str) -> None:
    text = (DOCS.parent / "examples" / "windows" / file).read_text(encoding="utf-8")
    found = {match["name"]: int(match["number"], 16) for match in re.finditer(row, text, re.MULTILINE)}
    assert found == numbers_of()


def test_an_unknown_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "nothing"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == page(name), "run: python -m hds.cli.documentation --write docs"


def test_the_version_costs_next_to_nothing() -> None:
    command = [sys.executable, "-m", "hds", "--version"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout == f"hds {VERSION}\n"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3  # 0.05 on an idle core


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    command = f"{sys.executable} -m hds list builtins | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("function")
    assert done.stderr == ""
