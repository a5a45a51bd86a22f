"""`#include`: where files are looked up, and what may be in them (docs/language.md 14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lang.compiler import Compilation, Compiler
from lang.source import SourceFile
from vm.facts.limits import Limits
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.script_memory import GlobalStore


def compiled(path: Path, *folders: Path, limits: Limits | None = None) -> Compilation:
    return Compiler(limits or Limits(), folders).compile(SourceFile(str(path), path.read_text()))


def output(made: Compilation) -> str:
    assert made.program is not None, made.diagnostics
    engine, host = Interpreter(), MemoryHost()
    engine.run(engine.load(made.program, GlobalStore()), host)
    return b"".join(host.messages).decode()


def codes(made: Compilation) -> set[str]:
    return {item.code for item in made.diagnostics if item.code.startswith("E")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.hds").write_text('int one() { return two() - 1; }\n#include "two.hds"\n')
    (tmp_path / "parts" / "two.hds").write_text("? { int two() { return 2; } print(100); typedef char byte_t; }\n")
    return tmp_path


def main(folder: Path, text: str) -> Path:
    path = folder / "main.hds"
    path.write_text(text)
    return path


def test_a_path_is_relative_to_the_including_file(folder: Path) -> None:
    text = '#include "parts/one.hds"\nprint(one()); byte_t v = 0x1ff; print(v);'
    assert output(compiled(main(folder, text))) == "100\n1\nffffffffffffffff\n"


def test_a_backslash_separates_folders(folder: Path) -> None:
    for text in ('#include "parts\\one.hds"; print(one());', '#include "parts\\\\one.hds"; print(one());'):
        assert output(compiled(main(folder, text))) == "100\n1\n"


def test_include_folders_come_after_the_own_one(folder: Path) -> None:
    path = main(folder, '#include "two.hds"; print(two());')
    assert codes(compiled(path)) == {"E020"}
    assert output(compiled(path, folder / "none", folder / "parts")) == "100\n2\n"


def test_a_file_is_included_once(folder: Path) -> None:
    text = '#include "parts/two.hds"\n#include "parts/../parts/two.hds"\n'
    assert output(compiled(main(folder, text))) == "100\n"


def test_a_file_that_includes_the_main_file_is_a_cycle(folder: Path) -> None:
    (folder / "back.hds").write_text('#include "main.hds"')
    made = compiled(main(folder, '#include "back.hds"'))
    assert codes(made) == {"E021"}
    (item,) = (item for item in made.diagnostics if item.code == "E021")
    assert item.span.file.name == str(folder / "back.hds")


def test_a_finding_in_an_included_file_points_there(folder: Path) -> None:
    (folder / "bad.hds").write_text("x = 1;\nb0 = 5;\n")
    made = compiled(main(folder, 'x = 5;\n#include "bad.hds"'))
    (item,) = (item for item in made.diagnostics if item.code == "E031")
    assert str(item.span) == f"{folder / 'bad.hds'}:2:1"


@pytest.mark.parametrize("text", ["#include", "#include <x.hds>", '#include "x.hds', "#pragma once"])
def test_a_malformed_directive(folder: Path, text: str) -> None:
    assert codes(compiled(main(folder, text))) <= {"E023", "E003"}


def test_an_included_file_may_be_too_large(folder: Path) -> None:
    made = compiled(main(folder, '#include "parts/two.hds"'), limits=Limits(max_source_bytes=40))
    assert codes(made) == {"E020"}


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"x = 1;\n// \xff\xfe;", "2:4", "byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"\x7fELF\2\1\1\0\xff" + bytes(range(256)) * 9, "1:9", "byte 0xff is not UTF-8; save the file as UTF-8"),
        ("x = 1;".encode("utf-16"), "1:1", "the file is UTF-16; save it as UTF-8"),
    ],
)
def test_bytes_that_are_no_text_are_one_error_in_that_file(folder: Path, data: bytes, place: str, message: str) -> None:
    (folder / "bytes.hds").write_bytes(data)
    (item,) = (item for item in compiled(main(folder, '#include "bytes.hds"')).diagnostics if item.code[0] == "E")
    assert (item.code, item.message, str(item.span)) == ("E001", message, f"{folder / 'bytes.hds'}:{place}")


@pytest.mark.parametrize("header", [b"HDSB\1\0\0\0", b"HDSC\x09\0\0\0"])
def test_a_compiled_file_is_not_included(folder: Path, header: bytes) -> None:
    (folder / "made.hdc").write_bytes(header + b"\xff rest")
    (item,) = (item for item in compiled(main(folder, '#include "made.hdc"')).diagnostics if item.code[0] == "E")
    assert (item.code, item.message) == ("E020", f"{folder / 'made.hdc'} is a compiled file")


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ('#include "parts/two.hds"\nprint(1);', True),
        ('#include "parts\\one.hds"; print(1);', True),
    ],
)
def test_the_checker_names_what_v023_does_otherwise(folder: Path, text: str, beyond: bool) -> None:
    remarks = {item.code for item in compiled(main(folder, text)).diagnostics}
    assert ("P036" in remarks) == beyond
