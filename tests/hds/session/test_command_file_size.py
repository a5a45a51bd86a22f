"""Command files of any size: reading, checking and laying them out takes time in proportion to them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import process_time

import pytest

from hds.layout import CannotLayOut, lay_out_commands
from hds.session.command_scripts import read_command_file
from lang.commands.statements import begins_as_statement
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic, render
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.listing import listing_of

# Before, unit, behind: the unit is written again and again.
SHAPES = {
    "commands": ("", "echo x\n", ""),
    "events": ("", "!syscall script { x = 1; }\n", ""),
    "escaped braces": ("", "!syscall script { /* \\{ \\} */ x = 1; }\n", ""),
    "escaped braces in one block": ("? { /*", "\\{ \\} ", "*/ }"),
    "comments that are never closed in a block": ("? { ", "/* ", "}"),
    "quotes that are never closed": ("? { ", '"\\', "}"),
    "quotes": ("echo ", '"x" ', ""),
    "words": ("!syscall ", "pid 1 ", ""),
    "keywords with blocks": ("!syscall ", "script { x = 1; } ", ""),
    "keywords and blocks": ("!syscall " + "script " * 500, "{ } ", ""),
    "comments": ("/* */ ", "/**/ ", "\necho x\n"),
    "stray braces": ("", "}\n", ""),
    "expressions": ("", "print @rax\n", ""),
    "digits": ("!syscall pid 0n", "1", " script { }"),
}


def findings(source: SourceFile, limits: Limits = DEFAULT_LIMITS) -> list[Diagnostic]:
    file = read_command_file(source, limits)
    compiler = Compiler(limits)
    return [*file.findings, *(item for script in file.scripts for item in script.compile(compiler).diagnostics)]


def seconds(name: str, size: int) -> float:
    before, unit, behind = SHAPES[name]
    source = SourceFile("commands.hds", before + unit * (size // len(unit)) + behind)
    start = process_time()
    for item in findings(source):
        render(item)
    begins_as_statement(source.text)
    with suppress(CannotLayOut):
        lay_out_commands(source, DEFAULT_LIMITS)
    return process_time() - start


@pytest.mark.lasting
@pytest.mark.parametrize("name", SHAPES)
def test_time_is_linear_in_a_command_file(name: str) -> None:
    small, large = seconds(name, 1_000), seconds(name, 8_000)
    assert large < 24 * small + 0.05 or seconds(name, 8_000) < 24 * seconds(name, 1_000) + 0.05


def test_the_files_that_scripts_name_count_together(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.hds").write_text("x = 1;" * 10, encoding="utf-8")
    text = "".join(f"!syscall script {{file:{name}.hds}}\n" for name in "abc")
    source = SourceFile(str(tmp_path / "main.hds"), text)
    assert findings(source) == []
    found = findings(source, Limits(max_total_source_bytes=100))
    assert [item.code for item in found] == ["E222", "E026"]
    assert all("limit max_total_source_bytes" in item.message for item in found)


def test_a_listing_shows_parts_of_what_is_long() -> None:
    text = f'strlen("{"s" * 1000}");' + "void f{}_f() {{ }}" * 3
    program = Compiler().compile(SourceFile("test.hds", text.format(*"xyz"))).program
    assert program is not None
    assert max(len(line) for line in listing_of(program).splitlines()) < 300
