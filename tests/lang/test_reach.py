"""Nothing is listed that no case reaches: instructions, built-in functions, diagnostic codes, run-time errors.

The cases are the conformance vectors, the examples of the document, the files of tests/regress, and those below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from language_world import example_host
from msgspec.structs import replace

from hds.cli.conformance import read_vectors
from lang.codes import COMMAND_ERRORS, ERRORS, PORTABILITY, REMARKS, WARNINGS
from lang.compiler import Compiler
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm.engine import FaultKind
from vm.facts.builtins import BUILTINS
from vm.facts.limits import Limits
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.isa import INSTRUCTIONS, decode
from vm.script_memory import GlobalStore

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "language.md"
NO_POOL = "print(0x12345678); print(-0x123456789abc);"  # is compiled without room for constants
MORE_CASES = (
    ".lk = 1; spinlock_lock(&.lk);",
    "double v = 0.0; eq(&v, 0x7ff8000000000000); v = v + 1.0;",
    "memcpy_pa(1, 2, 3);",
    "print(1); x = 4611686018427387904; y = 0x123456789abcdef0; print(x ^ y);",
    (
        "float v = 2.5; float w = v / 2.; w = v - w; w = v + w * v; w = -w; if (v < w || v <= w || v == w || v != "
        "w) { x = 1; }"
    ),
    (
        "double v = 2.5; double w = v / 2; w = v - w; w = v + w * v; w = -w; if (v < w || v <= w || v == w || v !="
        " w) { x = 1; }"
    ),
    (
        "float v = 1.5; if (v) { print(1); } double w = 1.5; if (w) { print(2); } if (!v) { print(3); } bool flag "
        "= v > 1.0;"
    ),
    (
        "unsigned int v = 5; v = v + v; v = v - v; v = v * v; v = ~v; v = -v; v = v >> v; v = v % 3; v = 1; v = v "
        "<< v;"
    ),
    (
        "int v = 5; int w = 3; v = v + w; v = v - w; v = v * w; v = -v; v = v / w; v = v % w; v = v << w; v = v >>"
        " w; v = ~v;"
    ),
    (
        "long v = 5; long w = 3; v = v / w; v = v % w; v = v >> w; x = 5; x = x / 3; x = x % 3; x = x >> 1; x = "
        "-x; x = ~x;"
    ),
    (
        "x = 5; float v = x; long w = 5; v = w; double z = x; z = w; v = z; z = v; char u = z; bool flag = x; flag"
        " = z;"
    ),
    (
        "struct S { char m_c; unsigned char m_u; short m_s; unsigned short m_w; int m_i; unsigned m_n; long m_l; "
        "};struct S v[2]; v[0].m_c = 1; v[0].m_u = 2; v[0].m_s = 3; v[0].m_w = 4; v[0].m_i = 5; v[0].m_n = 6; "
        "v[0].m_l = 7;v[1] = v[0]; x = v[1].m_c + v[1].m_u + v[1].m_s + v[1].m_w + v[1].m_i + v[1].m_n + v[1].m_l;"
        " print(v[x - 0n28].m_l);"
    ),
    "int v[3]; i = 1; v[i] = 2; int *p = &v[2]; print(p - v); print(v[i]);",
    (
        "@eax = 5; print($pid); .g = 3; .g = .g + 1; print(L\"ab\"[0]); print(x); p = &x; x = 6; print(x); "
        "test_statement(5);"
    ),
    (
        "float v = 1.5; float w = v / v; print(v && w); print(x && v); print(v && x); bool flag = x; print(x || "
        "x); x = v || x;"
    ),
    NO_POOL,
    "formats(5); print(neg(5)); print(not(5)); print(poi(10000080)); print(dq(10000080)); print(dd(10000080));",
    (
        "int fn(int n) { return n; } print(fn(3)); if (1 && x) { } for (;;) { break; } x = x == 1; x = x != 1; x ="
        " x < 1;"
    ),
    (
        "long v = 1; long w = 2; x = v < w; x = v <= w; y = x < 1; y = x <= w; char k = v; short s = v; unsigned "
        "short u = v;"
    ),
)  # fmt: skip


class _Recording(list[Any]):
    """Decoded code that remembers which instructions were executed."""

    def __init__(self, code: list[Any], pcs: list[int], executed: set[int]) -> None:
        super().__init__(code)
        self.pcs = pcs
        self.executed = executed

    def __getitem__(self, index: Any) -> Any:
        self.executed.add(self.pcs[index])
        return super().__getitem__(index)


def scripts() -> Iterator[tuple[str, MemoryHost]]:
    """Every case with the world it runs in."""
    for block in re.findall(r"^```example\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            yield re.split(r"\s+==>", line)[0], example_host()
    for name in ("language.jsonl", "portability.jsonl"):
        for vector in read_vectors((TESTS / "conformance" / name).read_text(encoding="utf-8")):
            yield vector.script, MemoryHost.with_memory(vector.registers, vector.memory)
    for case in MORE_CASES:
        yield case, example_host()
    for row in BUILTINS:
        # Whatever a function needs, three numbers or fewer are of the right kind for it.
        arguments = ", ".join(("10000080", "10000080", "1")[: len(row.parameters)])
        if row.name not in ("printf", "reference"):
            yield f"{row.name}({arguments});", example_host()


@cache
def reached() -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]:
    """Mnemonics executed, built-in functions called, kinds of run-time errors, and codes of diagnostics."""
    mnemonics, called, kinds, codes = set[str](), set[str](), set[str](), set[str]()
    engine = Interpreter(Limits(max_steps=20_000))
    for script, host in scripts():
        with patch("lang.lowering.POOL", 0 if script == NO_POOL else 0x1_0000):
            made = Compiler().compile(SourceFile("case", script))
        codes |= {item.code for item in made.diagnostics}
        if made.program is None:
            continue
        loaded = engine.load(made.program, GlobalStore())
        executed: set[int] = set()
        prepared: Any = loaded.native
        bodies = [replace(body, code=_Recording(body.code, body.pcs, executed)) for body in prepared.bodies]
        vars(prepared)["bodies"] = bodies
        result = engine.run(loaded, host)
        if result.fault is not None:
            kinds.add(result.fault.kind.value)
        for pc in executed:
            row, operands = decode(made.program.code[pc])
            mnemonics.add(row.mnemonic)
            if row.mnemonic == "SYS":
                called.add(BUILTINS[operands[1]].name)
        # The others are instructions; what is written in a script that compiles is called by it.
        called |= {row.name for row in BUILTINS if re.search(rf"\b{row.name}\s*\(", script)}
    return frozenset(mnemonics), frozenset(called), frozenset(kinds), frozenset(codes)


def test_every_instruction_is_executed() -> None:
    assert {row.mnemonic for row in INSTRUCTIONS} - reached()[0] == set()


def test_every_builtin_is_called() -> None:
    assert {row.name for row in BUILTINS} - reached()[1] == set()


def test_every_kind_of_runtime_error_happens() -> None:
    from_outside = {FaultKind.INTERRUPTED.value}
    assert {kind.value for kind in FaultKind} - reached()[2] == from_outside


def test_every_code_is_reported(tmp_path: Path) -> None:
    found = set(reached()[3])
    for row in (*ERRORS, *WARNINGS, *REMARKS):
        for name, text in row.files.items():
            (tmp_path / name).write_text(text)
        main = tmp_path / "main.hds"
        main.write_text(row.bad)
        compiler = Compiler(Limits(**row.limits), symbols=SymbolTable(row.symbols))
        found |= {item.code for item in compiler.compile(SourceFile(str(main), row.bad)).diagnostics}
    (tmp_path / "part.hds").write_text("x = 1;")
    found |= {item.code for item in Compiler().compile(SourceFile(str(main), '#include "part.hds"')).diagnostics}
    unseen = {row.code for row in PORTABILITY if row.seen == "n"}
    assert {row.code for row in (*ERRORS, *WARNINGS, *REMARKS, *PORTABILITY)} - unseen - found == set()


@pytest.mark.parametrize("code", [row.code for row in COMMAND_ERRORS])
def test_every_code_of_the_command_level_has_a_test(code: str) -> None:
    name = getattr(code, "name", str(code))
    texts = [path.read_text(encoding="utf-8") for folder in ("lang", "hds", "golden") for path in files(TESTS / folder)]
    assert any(re.search(rf"\b(?:{name}|{code})\b", text) for text in texts)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".py", ".hds", ".txt", ".ds")]
