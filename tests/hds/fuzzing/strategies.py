"""The cases of every law as hypothesis strategies: the generators of `hds.fuzzing`, drawn by hypothesis.

In `make test` they are few and the same every time; in `make fuzz` they are many and new.
"""

from __future__ import annotations

from effort import NIGHTLY, often
from hypothesis import HealthCheck, settings, strategies as st

from hds.fuzzing.laws import LAWS, Case, Law
from hds.fuzzing.shrinking import strategy_of

BY_NAME: dict[str, Law] = {law.name: law for law in LAWS}

QUICK = settings(
    max_examples=often(60, 400),
    derandomize=not NIGHTLY,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SLOW = settings(QUICK, max_examples=often(15, 100))  # for laws that compile and run whole programs
SLOWEST = settings(QUICK, max_examples=often(5, 40))  # for laws that run guests on two machines


def cases_of(law: Law) -> st.SearchStrategy[Case]:
    """The cases of a law."""
    return strategy_of(law.make)


def cases(name: str) -> st.SearchStrategy[Case]:
    """The cases of the law of that name."""
    return cases_of(BY_NAME[name])
