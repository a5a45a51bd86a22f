"""The cases of every law as hypothesis strategies: the generators of `hds.fuzzing`, drawn by hypothesis.

Two profiles: a short one that is the same every time, and a longer one with new cases (HYPOTHESIS_PROFILE=nightly).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings, strategies as st

from hds.fuzzing.choices import Choices
from hds.fuzzing.laws import LAWS, Case, Law

BY_NAME: dict[str, Law] = {law.name: law for law in LAWS}

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
QUICK = settings(
    max_examples=400 if NIGHTLY else 100,
    derandomize=not NIGHTLY,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SLOW = settings(QUICK, max_examples=QUICK.max_examples // 4)  # for laws that compile and run whole programs
SLOWEST = settings(QUICK, max_examples=QUICK.max_examples // 10)  # for laws that run guests on two machines


class HypothesisSource:
    """Decisions that hypothesis makes, so that it can shrink them."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def below(self, limit: int) -> int:
        return self.draw(st.integers(0, limit - 1))


def cases_of(law: Law) -> st.SearchStrategy[Case]:
    """The cases of a law."""

    @st.composite
    def draw_case(draw: st.DrawFn) -> Case:
        return law.make(Choices(HypothesisSource(draw)))

    return draw_case()


def cases(name: str) -> st.SearchStrategy[Case]:
    """The cases of the law of that name."""
    return cases_of(BY_NAME[name])
