"""Aligned sequences: pairs are equal and rise, stretches cover both, and large inputs take bounded time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from hds.alignment import align, steps

ROWS = st.lists(st.integers(0, 3), max_size=12)


def longest(a: list[int], b: list[int]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(b) + 1)
    for x in a:
        before, row = row, [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(row[j], before[j + 1]))
    return row[-1]


@given(ROWS, ROWS)
def test_pairs_are_equal_and_rise(a: list[int], b: list[int]) -> None:
    pairs = align(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))


@given(ROWS, ROWS)
def test_steps_cover_both_in_turns(a: list[int], b: list[int]) -> None:
    x = y = 0
    before = None
    for step in steps(a, b):
        assert (step.a_start, step.b_start) == (x, y)
        assert step.same is not before
        assert not step.same or a[x : step.a_end] == b[y : step.b_end]
        x, y, before = step.a_end, step.b_end, step.same
    assert (x, y) == (len(a), len(b))


@given(st.lists(st.integers(0, 1), max_size=12))
def test_what_is_repeated_and_shifted_is_aligned_as_far_as_possible(a: list[int]) -> None:
    assert len(align(a, [*a[1:], 2, 2])) == longest(a, a[1:])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (list(range(30_000)), list(range(30_000, 0, -1))),
        ([1] * 30_000, [2] * 30_000),
        ([n % 7 for n in range(6_000)], [n * n % 7 for n in range(6_000)]),
        ([n % 2 for n in range(20_000)], [1 for _ in range(20_000)]),
    ],
)
def test_large_sequences_without_a_good_alignment_take_no_quadratic_time(a: list[int], b: list[int]) -> None:
    assert all(a[i] == b[j] for i, j in align(a, b))


def test_a_change_in_the_middle_of_many_equal_lines_is_found() -> None:
    a = [n % 10 for n in range(50_000)]
    b = [*a[:25_000], 77, *a[25_001:]]
    assert next(step for step in steps(a, b) if not step.same).a_start == 25_000
    assert len(align(a, b)) == 49_999
