"""Code that is brought together is the code that it was."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import CodeType

import pytest

from hds.corpus.placing import code_of, fill_gaps, gather

pytestmark = pytest.mark.lasting


@pytest.fixture(autouse=True)
def nothing_is_frozen() -> Iterator[None]:
    """As in the process that forks."""
    gc.unfreeze()
    yield
    gc.freeze()


def used(number: int) -> Callable[[int], int]:
    """A function with a closure, a comprehension and a default."""

    def inner(other: int, factor: int = 3) -> int:
        return sum([number * factor + other for _ in range(2)])

    return inner


def unused() -> int:
    """Not executed."""
    return 1


def test_code_that_was_moved_does_what_it_did() -> None:
    before, others = used.__code__, unused.__code__
    made = used(5)
    gather(code_of(lambda: used(5)(1)))
    assert used.__code__ is not before
    assert unused.__code__ is others
    assert used.__code__ == before
    assert made(1) == used(5)(1) == 32
    assert used.__code__.co_qualname == before.co_qualname


def test_what_code_makes_is_moved_with_it() -> None:
    gather(code_of(lambda: used(1)))
    inner = next(each for each in used.__code__.co_consts if isinstance(each, CodeType))
    assert used(1).__code__ is inner


def test_gaps_are_filled_once() -> None:
    fill_gaps()
    before = len(gc.get_objects())
    fill_gaps()
    assert len(gc.get_objects()) - before < 1000
