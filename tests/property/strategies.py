"""The cases of every law as hypothesis strategies: the generators of `hds.fuzzing`, drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from hds.fuzzing.choices import Choices
from hds.fuzzing.laws import LAWS, Case, Law

BY_NAME: dict[str, Law] = {law.name: law for law in LAWS}


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
