"""W020, R001 and P060: numbers that look decimal; and our own scripts, which have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds.inputs import is_bare_script
from hds.session.command_scripts import read_command_file
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("examples/**/*.*ds"), *ROOT.glob("tests/golden/*.hds"), *ROOT.glob("tests/**/*.hds")])


def found(script: str, *codes: str) -> list[Diagnostic]:
    return [item for item in Compiler().compile(SourceFile("x", script)).diagnostics if item.code in codes]


def texts(script: str, *codes: str) -> list[str]:
    return [item.span.text for item in found(script, *codes)]


@pytest.mark.parametrize(
    ("script", "numbers"),
    [
        ("for (i = 0; i < 100; i++) { print(i); }", ["100"]),
        ("for (i = 10; i > 0; i--) { print(i); }", ["10"]),
        ("for (int i = 10; i != 20; i++) { print(i); }", ["10", "20"]),
        ("i = 0; while (12 >= i) { i++; }", ["12"]),
        ("i = 0; do { i++; } while (i < (99));", ["99"]),
        ("i = 0; while ((i < 9 || i == (int)-50) && !(i > 010)) { i++; }", ["50", "010"]),
    ],
)
def test_a_loop_bound_that_looks_decimal_is_named(script: str, numbers: list[str]) -> None:
    assert texts(script, "W020") == numbers
    assert texts(script, "R001") == []


@pytest.mark.parametrize("number", ["9", "0x10", "0n10", "0y10", "0o10", "1f", "a0", "1`0000", "08", "00"])
def test_a_number_that_shows_its_base_is_quiet(number: str) -> None:
    script = f"for (i = {number}; i < {number}; i++) {{ print(i); }} if (@rdi == {number}) {{ print(1); }}"
    assert found(script, "W020", "R001") == []


@pytest.mark.parametrize(
    ("script", "numbers"),
    [
        ("if (@rdi == 10) { print(1); } elsif (@rdi == 20) { print(2); }", ["10"]),
        ("x = (11 != @rax); print(x); if (x > 12) { print(1); }", ["11"]),
        ("for (i = 0; i < 10; i++) { if (i >= 12) { print(1); } }", ["12"]),
        ("int fn(int n) { return n <= -15; } print(fn(1));", ["15"]),
        ("x = 10; x = x + 20; print(x);", []),
    ],
)
def test_the_first_comparison_with_such_a_number_is_remarked_on(script: str, numbers: list[str]) -> None:
    assert texts(script, "R001") == numbers


def test_both_ways_to_write_it_are_shown() -> None:
    (item,) = found("if (@rdi == 10) { print(1); }", "R001")
    assert item.message == "`10` is hexadecimal: 16 in decimal"
    assert (item.hint or "").startswith("write 0n10 for a decimal number, 0x10 if this is meant")


def test_an_array_size_has_one_diagnostic_that_tells_its_decimal_value() -> None:
    (item,) = found("int v[10] = {1}; print(v[0]);", "P060", "W020", "R001")
    assert item.code == "P060"
    assert item.message == "HyperDbg v0.23 reads array sizes as decimal digits; `10` is 16 in decimal here"
    assert item.hint == "write 0n16, or 0n10 if a decimal number is meant"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_our_own_scripts_are_quiet(path: Path) -> None:
    source = SourceFile(str(path), path.read_text(encoding="utf-8"))
    compiler = Compiler()
    if is_bare_script(source):
        items = list(compiler.compile(source).diagnostics)
    else:
        scripts = read_command_file(source, DEFAULT_LIMITS).scripts
        items = [item for script in scripts for item in script.compile(compiler).diagnostics]
    assert [str(item.span) for item in items if item.code in ("W020", "R001")] == []
