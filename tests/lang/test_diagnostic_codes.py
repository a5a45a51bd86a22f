"""Every code of the tables: its bad example gives it, and its good example does not and compiles."""

from __future__ import annotations

import re
from pathlib import Path

from lang import codes as tables
from lang.code import Code
from lang.codes import ERRORS, PORTABILITY, REMARKS, WARNINGS, Row
from lang.compiler import Compiler
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm.facts.limits import Limits

ROWS = [*ERRORS, *WARNINGS, *REMARKS]


def codes(row: Row, script: str, folder: Path) -> list[str]:
    for name, text in row.files.items():
        (folder / name).write_text(text)
    main = folder / "main.hds"
    main.write_text(script)
    compiler = Compiler(Limits(**row.limits), symbols=SymbolTable(row.symbols))
    return [item.code for item in compiler.compile(SourceFile(str(main), script)).diagnostics]


def test_the_bad_example_gives_the_code(tmp_path: Path) -> None:
    assert [row.code for row in (*WARNINGS, *REMARKS) if row.code not in codes(row, row.bad, tmp_path)] == []


def test_the_bad_example_of_an_error_gives_the_code_and_no_other_kind_of_error_first(tmp_path: Path) -> None:
    first = {row.code: [code for code in codes(row, row.bad, tmp_path) if code[0] == "E"][:1] for row in ERRORS}
    assert {code: found for code, found in first.items() if found != [code]} == {}


def test_the_good_example_is_good(tmp_path: Path) -> None:
    found = {row.code: codes(row, row.good, tmp_path) for row in ROWS}
    assert [row for row, seen in found.items() if row in seen or any(code[0] == "E" for code in seen)] == []


def test_every_code_has_one_row() -> None:
    assert sorted(row.code for row in tables.ROWS) == sorted(Code)


def test_codes_are_unique_and_in_order() -> None:
    for table in (ERRORS, WARNINGS, REMARKS):
        found = [row.code for row in table]
        assert found == sorted(set(found))
    remarks = [row.code for row in PORTABILITY]
    assert len(remarks) == len(set(remarks))


def test_the_examples_of_a_portability_remark_have_it_and_are_portable(tmp_path: Path) -> None:
    seen = [row for row in PORTABILITY if row.seen != "n"]
    assert [row.code for row in seen if row.code not in codes(row, row.bad, tmp_path)] == []
    good = {row.code: codes(row, row.good, tmp_path) for row in PORTABILITY}
    assert {row: found for row, found in good.items() if any(code[0] in "EP" for code in found)} == {}


def test_every_row_has_an_explanation() -> None:
    for row in ROWS:
        assert len(row.explanation) > 20, row.code


def test_a_portability_remark_tells_what_both_do_and_what_to_write() -> None:
    for row in PORTABILITY:
        assert "HyperDbg v0.23" in row.explanation, row.code
        assert len(re.findall(r"[.;] |[.]$", row.explanation)) >= 2, row.code


def test_a_warning_does_not_stop_the_compilation() -> None:
    assert [row.code for row in WARNINGS if not Compiler().compile(SourceFile("x", row.bad)).ok] == []
