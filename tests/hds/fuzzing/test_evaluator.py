"""The independent evaluator agrees with every recorded result: vectors, portability rows, examples of the document."""

from __future__ import annotations

import re
from pathlib import Path
from unittest import mock

import pytest
from evaluator import evaluate
from evaluator.machine import MAX_ROUNDS
from language_world import example_host

from hds.cli.conformance import Vector, read_vectors
from lang.diagnostics import Diagnostics, Severity
from lang.parser import parse
from lang.source import SourceFile
from vm.host import MemoryHost

pytestmark = pytest.mark.lasting

TESTS = Path(__file__).parents[2]
DOCUMENT = TESTS.parent / "docs" / "language.md"
EXAMPLE = re.compile(r"(?P<script>.*?)\s+==>\+? (?P<result>.*)")


def vectors(name: str) -> list[Vector]:
    return read_vectors((TESTS / "conformance" / name).read_text(encoding="utf-8"))


def run(script: str, host: MemoryHost) -> tuple[str, str | None]:
    """Status as vectors name it, and the code or kind."""
    diagnostics = Diagnostics()
    tree = parse(SourceFile("vector", script), diagnostics)
    if tree is None:
        return "compile_error", next(item.code for item in diagnostics if item.severity is Severity.ERROR)
    result = evaluate(tree, host)
    if result.rejected:
        return "compile_error", result.rejected
    return ("runtime_error", result.stopped) if result.stopped else ("ok", None)


def differences(vector: Vector) -> list[object]:
    host = MemoryHost.with_memory(vector.registers, vector.memory)
    # What never ends need not go on for as long as what ends late.
    rounds = 20_000 if vector.runtime_kind == "step_limit" else MAX_ROUNDS
    with mock.patch("evaluator.machine.MAX_ROUNDS", rounds):
        status, detail = run(vector.script, host)
    found: list[object] = []
    if status != vector.status:
        return [("status", vector.status, status, detail)]
    expected = vector.code or vector.runtime_kind
    if expected is not None and expected != detail:
        found.append(("code or kind", expected, detail))
    if status == "compile_error":
        return found
    if vector.stdout is not None and vector.stdout != b"".join(host.messages):
        found.append(("stdout", vector.stdout, b"".join(host.messages)))
    for name, value in vector.registers_after.items():
        if host.registers.get(name, 0) != value:
            found.append((name, value, host.registers.get(name, 0)))
    for address, data in vector.memory_after:
        if host.read_memory(address, len(data)) != data:
            found.append((address, data, host.read_memory(address, len(data))))
    return found


@pytest.mark.parametrize("name", ["language.jsonl", "portability.jsonl"])
def test_every_vector_passes(name: str) -> None:
    failures = [(vector.id, vector.script, found) for vector in vectors(name) if (found := differences(vector))]
    assert not failures, "\n".join(map(str, failures))


def test_every_example_of_the_document_passes() -> None:
    failures = []
    for block in re.findall(r"^```example\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            match = EXAMPLE.fullmatch(line)
            assert match is not None
            got = shown(match["script"])
            if got.rstrip() != match["result"].rstrip():
                failures.append((match["script"], match["result"], got))
    assert not failures, "\n".join(map(str, failures))


def shown(script: str) -> str:
    """The result in the notation of the document."""
    host = example_host()
    status, detail = run(script, host)
    if status == "compile_error":
        return f"error {detail}"
    output = b"".join(host.messages).decode("utf-8", "replace")
    parts = output.removesuffix("\n").split("\n") if output else []
    return " | ".join(parts + ([f"stop {detail}"] if detail else [])) or "(nothing)"
