"""Every conformance vector passes on both engines; the command says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import make_engine

from hds.cli.conformance import Runner, Vector, read_vectors
from lang.codes import PORTABILITY
from vm.facts.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "conformance"


def vectors(name: str) -> list[Vector]:
    return read_vectors((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["language.jsonl", "portability.jsonl"])
@pytest.mark.parametrize("engine", ["reference", pytest.param("native", marks=pytest.mark.lasting)])
def test_every_vector_passes(engine: str, name: str) -> None:
    runner = Runner([make_engine(engine)], DEFAULT_LIMITS)
    failures = [verdict for verdict in map(runner.judge, vectors(name)) if not verdict.passed]
    assert not failures, failures[0]


def test_there_are_as_many_vectors_as_there_should_be() -> None:
    assert (len(vectors("language.jsonl")), len(vectors("portability.jsonl"))) == (809, 148)


def test_every_portability_remark_that_can_be_seen_has_a_row() -> None:
    rows = {vector.id.split(",")[0] for vector in vectors("portability.jsonl")}
    # P036 needs files and P111 many globals: test_include.py, test_diagnostics.py.
    assert {row.code for row in PORTABILITY if row.seen != "n"} - rows == {"P036", "P111"}
