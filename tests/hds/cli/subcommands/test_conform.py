"""`hds conform`: both kinds of vectors, what a failure shows, speed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from processor_time import least

from hds.cli.main import main

VECTORS = Path(__file__).parents[3] / "conformance"
GOOD = {
    "id": "one",
    "script": "print(@rax);",
    "registers": {"rax": "0x5"},
    "memory": [],
    "stdout": "5\n",
    "status": "ok",
}


def written(tmp_path: Path, *rows: object) -> str:
    path = tmp_path / "vectors.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_last_line_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = GOOD | {"id": "two", "stdout": "6\n", "registers_after": {"rax": "0x7"}}
    assert main(["conform", written(tmp_path, GOOD, bad)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED two",
        "  script:",
        "    print(@rax);",
        "  stdout: expected '6\\n', got '5\\n'",
        "  rax: expected 0x7, got 0x5",
        "1 passed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("row", "difference"),
    [
        (
            {"script": "poi(0);", "status": "runtime_error", "runtime_kind": "deadlock", "stdout": ""},
            "status: expected",
        ),
        ({"script": "x = ;"}, "status: expected ok, got compile_error E030"),
        ({"status": "compile_error"}, "status: expected compile_error, got it compiles"),
        (
            {
                "script": "eb(10000001, 0x41); print(5);",
                "memory": [{"address": "0x10000000", "size": 4096, "bytes": "00"}],
                "memory_after": [{"address": "0x10000000", "bytes": "0042"}],
            },
            "memory at 0x10000000 + 0x1: expected 42, got 41",
        ),
    ],
)
def test_a_failure_says_what_differs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, row: dict[str, object], difference: str
) -> None:
    assert main(["conform", written(tmp_path, GOOD | row)]) == 1
    assert difference in capsys.readouterr().out


def test_a_portability_row_needs_its_remark(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    here = {"status": "ok", "stdout": "f\n"}
    right = {"portability": "P001", "script": "print(0t17);", "memory": [], "here": here}
    assert main(["conform", written(tmp_path, right, right | {"portability": "P002"})]) == 1
    out = capsys.readouterr().out
    assert "FAILED P002, line 2" in out
    assert "remark: expected P002, got P001" in out
    assert "1 passed, 1 failed" in out


def test_an_error_code_of_a_portability_row_is_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    row = {"portability": "P037", "script": "void v = 1;", "here": {"status": "compile_error", "code": "E030"}}
    assert main(["conform", written(tmp_path, row)]) == 1
    assert "code: expected E030, got E098" in capsys.readouterr().out


def test_json_has_one_object_per_vector_and_the_total(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["conform", written(tmp_path, GOOD), "--format", "json"]) == 0
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"id": "one", "passed": True, "differences": []}
    assert last == {"passed": 1, "failed": 0}


@pytest.mark.parametrize("line", ["{", "[]", "5", '{"id": 1}', '{"portability": "P001", "script": "x"}'])
def test_a_line_that_is_no_vector_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str) -> None:
    path = tmp_path / "vectors.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    assert main(["conform", str(path)]) == 1
    assert "line 2 is no vector" in capsys.readouterr().err


@pytest.mark.lasting
def test_three_hundred_vectors_a_second(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.jsonl"
    vectors.write_text("".join((VECTORS / "language.jsonl").read_text().splitlines(keepends=True)[::4]))

    def seconds() -> float:
        start = time.process_time()
        assert main(["conform", str(vectors)]) == 0
        return time.process_time() - start

    enough = 203 / 150  # more than 300 a second on an idle core
    assert least(seconds, enough) < enough
    assert capsys.readouterr().out.splitlines()[-1] == "203 passed, 0 failed"
