"""Every case that once broke a law keeps it; these run before the generated ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluator_law import LAW, REJECTION

from hds.fuzzing.campaign import broken_by, saved_case
from hds.fuzzing.laws import LAWS, NativeMissing

FOLDER = Path(__file__).parents[2] / "regress"
ALL_LAWS = {law.name: law for law in (*LAWS, LAW, REJECTION)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.hds")), ids=lambda path: path.stem)
def test_the_case_keeps_the_law(path: Path) -> None:
    name, case = saved_case(path)
    try:
        assert broken_by(ALL_LAWS[name], case) is None
    except NativeMissing:
        pytest.skip("llvmlite is not installed")
