"""Every example line of docs/language.md gives the result that stands behind its arrow, on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from language_world import Run

from lang.compiler import Compiler
from lang.source import SourceFile

DOCUMENT = Path(__file__).parents[2] / "docs" / "language.md"
BLOCK = re.compile(r"^```example\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINE = re.compile(r"(?P<script>.*?)\s+==>(?P<beyond>\+?) (?P<result>.*)")

# No portability remark covers these differences: they have no id, or depend on values.
UNSEEN = {
    "unsigned int fn(int n) { return n; } print(fn(-1));",
    "int v = 5; ed(&v, 0x1ffffffff); print(v);",
}


def examples() -> list[tuple[str, bool, str]]:
    """Script, whether it is beyond HyperDbg v0.23, expected result."""
    found = []
    for block in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")):
        for line in block.splitlines():
            match = LINE.fullmatch(line)
            assert match is not None, line
            found.append((match["script"], match["beyond"] == "+", match["result"]))
    return found


EXAMPLES = examples()


def shown(run: Run, script: str) -> str:
    """The result in the notation of the document."""
    outcome = run(script)
    if outcome.program is None:
        return "error " + next(code for code in outcome.codes if code.startswith("E"))
    parts = outcome.output.removesuffix("\n").split("\n") if outcome.output else []
    if outcome.fault:
        parts.append(f"stop {outcome.fault}")
    return " | ".join(parts) or "(nothing)"


def test_the_document_has_examples() -> None:
    assert len(EXAMPLES) > 300


@pytest.mark.parametrize("engine", ["reference", pytest.param("native", marks=pytest.mark.lasting)], indirect=True)
def test_every_example_gives_its_result(run: Run) -> None:
    results = [(script, shown(run, script).rstrip(), result.rstrip()) for script, _, result in EXAMPLES]
    assert [(script, got, expected) for script, got, expected in results if got != expected] == []


def test_the_checker_names_what_is_beyond_v023() -> None:
    scripts = [script for script, beyond, _ in EXAMPLES if beyond and script not in UNSEEN]
    found = {script: Compiler().compile(SourceFile("example", script)).diagnostics for script in scripts}
    assert [script for script, items in found.items() if not any(item.code.startswith("P") for item in items)] == []
