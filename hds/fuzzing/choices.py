"""Where random decisions come from: one method, `below(n)`, and what follows from it.

A generator that draws only 0 makes its simplest case, so a recorded list of decisions is shrunk by making it shorter
and its numbers smaller, whatever the generator is (as Hypothesis does it).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Source(Protocol):
    """Anything that can decide."""

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        ...


class Choices:
    """Decisions of every kind, made of the numbers of a source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        return self.source.below(limit) if limit > 1 else 0

    def between(self, low: int, high: int) -> int:
        """A number from low to high, both included; the simplest is low."""
        return low + self.below(high - low + 1)

    def pick(self, rows: Sequence[T]) -> T:
        """One of the rows; the first is the simplest."""
        return rows[self.below(len(rows))]

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases; False is simpler."""
        return self.below(100) >= 100 - percent

    def weighted(self, rows: Sequence[tuple[int, T]]) -> T:
        """One of the rows, each as often as its weight says."""
        at = self.below(sum(weight for weight, _ in rows))
        for weight, row in rows:
            at -= weight
            if at < 0:
                return row
        raise AssertionError("unreachable: the weights add up")

    def shuffled(self, rows: Sequence[T]) -> list[T]:
        """Some of the rows, in some order."""
        left, taken = list(rows), list[T]()
        for _ in range(self.below(len(left) + 1)):
            taken.append(left.pop(self.below(len(left))))
        return taken


class RandomSource:
    """Seeded random numbers; `taken` records them."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)
        self.taken: list[int] = []

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        number = int(self.random.random() * limit) if limit < 1 << 32 else self.random.randrange(limit)
        self.taken.append(number)
        return number


class RecordedSource:
    """Numbers of a list, as far as they fit, and 0 behind its end. `taken` records what was really used."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers
        self.taken: list[int] = []

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        at = len(self.taken)
        number = min(self.numbers[at], limit - 1) if at < len(self.numbers) else 0
        self.taken.append(number)
        return number
