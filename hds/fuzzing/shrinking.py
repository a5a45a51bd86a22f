"""Hypothesis as the source of decisions: it makes failing cases small, and keeps them for the next campaign.

A number that a generator asks for is one choice of Hypothesis, so that the numbers of a seeded case are Hypothesis's
own record of it: the case is replayed from its database, and shrunk from there. Nothing else imports Hypothesis, which
is an extra, but `hds.strategies`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from unittest import SkipTest

from hds.fuzzing.choices import Choices
from hds.version import install_command
from lang import reserve_stack

if TYPE_CHECKING:
    from hypothesis import strategies as st
    from hypothesis.database import ExampleDatabase

MOST_CHECKS = 400  # that one failure may cost
MOST_ATTEMPTS = 2000  # to make a case that is worth one
T = TypeVar("T")


class HypothesisMissing(ImportError):  # noqa: N818 - it reads as what happened
    """Hypothesis, which belongs to the extra `fuzz`, is not installed."""

    def __init__(self) -> None:
        super().__init__(f"Hypothesis is not installed: {install_command('fuzz')}")


def require_hypothesis() -> None:
    """Raises HypothesisMissing."""
    try:
        import hypothesis  # noqa: F401
    except ImportError:
        raise HypothesisMissing from None


class _Draw(Protocol):
    def __call__(self, strategy: st.SearchStrategy[T], /) -> T: ...


@cache
def _numbers(limit: int) -> st.SearchStrategy[int]:
    from hypothesis import strategies as st

    return st.integers(0, limit - 1)


class HypothesisSource:
    """Decisions that Hypothesis makes, so that it can shrink them; `taken` records them."""

    def __init__(self, draw: _Draw) -> None:
        self._draw = draw
        self.taken: list[int] = []

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        number = self._draw(_numbers(limit))
        self.taken.append(number)
        return number


def strategy_of(make: Callable[[Choices], T]) -> st.SearchStrategy[T]:
    """What a generator makes, as a strategy. Raises HypothesisMissing.

    Hypothesis warns of tests that change how deep Python may go, so that is done before one begins.
    """
    require_hypothesis()
    reserve_stack()
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: st.DrawFn) -> T:
        return make(Choices(HypothesisSource(draw)))

    return drawn()


def shrunk(
    make: Callable[[Choices], T], why: Callable[[T], str | None], numbers: Sequence[int], case: T, reason: str
) -> tuple[T, str, list[int]]:
    """The smallest case found that fails in the same way, told by the first word of the reason; why, and its numbers.

    `numbers` are the decisions that made `case`, which fails for `reason`. What Hypothesis cannot replay stays as it
    is. Whatever `why` raises but an Exception is let through.
    """
    from hypothesis import HealthCheck, Phase, find, reject, settings, strategies as st
    from hypothesis.errors import HypothesisException

    word, checks, attempts = reason.split()[0], 0, 0
    best = case, reason, list(numbers)
    known: dict[tuple[int, ...], bool] = {tuple(numbers): True}

    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[T, list[int]]:
        nonlocal attempts
        attempts += 1
        if attempts > MOST_ATTEMPTS:
            raise _Enough
        source = HypothesisSource(draw)
        try:
            return make(Choices(source)), source.taken
        except HypothesisException:
            raise
        except Exception:  # numbers that the generator has no use for
            reject()

    def still_fails(found: tuple[T, list[int]]) -> bool:
        nonlocal best, checks
        smaller, taken = found
        if tuple(taken) not in known:
            checks += 1
            if checks > MOST_CHECKS:
                raise _Enough
            said = why(smaller)
            known[tuple(taken)] = said is not None and said.split()[0] == word
            if said is not None and known[tuple(taken)] and (len(taken), taken) < (len(best[2]), best[2]):
                best = smaller, said, taken
        return known[tuple(taken)]

    replaying = settings(
        database=_replaying(numbers),
        phases=(Phase.reuse, Phase.shrink),
        max_examples=MOST_CHECKS,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    # What cannot be replayed, because it is too large, stays as it is.
    with _one_seed(), suppress(_Enough, HypothesisException, SkipTest):
        find(drawn(), still_fails, settings=replaying, database_key=b"case")
    return best


class _Enough(BaseException):
    """Nothing more is tried. Hypothesis takes other exceptions for failures."""


@contextmanager
def _one_seed() -> Iterator[None]:
    """Shrinking takes the same steps every time. `seed` and `find(random=)` would do without the database."""
    from hypothesis import core

    before = core.global_force_seed
    setattr(core, "global_force_seed", 0)  # noqa: B010 - its type says None
    try:
        yield
    finally:
        core.global_force_seed = before


def _replaying(numbers: Sequence[int]) -> ExampleDatabase:
    """A database with one case, which has not been shrunk yet."""
    from hypothesis.database import ExampleDatabase, choices_to_bytes

    class Replaying(ExampleDatabase):
        def fetch(self, key: bytes) -> Iterable[bytes]:
            return (choices_to_bytes(tuple(numbers)),) if key.endswith(b".secondary") else ()

        def save(self, key: bytes, value: bytes) -> None:
            pass

        def delete(self, key: bytes, value: bytes) -> None:
            pass

    return Replaying()


class Kept:
    """The failures of earlier campaigns, in a folder that is a database of Hypothesis."""

    def __init__(self, folder: Path) -> None:
        from hypothesis.database import DirectoryBasedExampleDatabase

        self._database = DirectoryBasedExampleDatabase(folder)

    def of(self, law: str) -> list[list[int]]:
        """The decisions of the cases that broke a law, smallest first."""
        from hypothesis.database import choices_from_bytes

        found = (choices_from_bytes(value) for value in self._database.fetch(_key(law)))
        cases = [[int(each) for each in choices if isinstance(each, int)] for choices in found if choices is not None]
        return sorted(cases, key=lambda numbers: (len(numbers), numbers))

    def save(self, law: str, numbers: Sequence[int]) -> None:
        """Keep a case."""
        from hypothesis.database import choices_to_bytes

        self._database.save(_key(law), choices_to_bytes(tuple(numbers)))

    def delete(self, law: str, numbers: Sequence[int]) -> None:
        """A case that keeps the law by now."""
        from hypothesis.database import choices_to_bytes

        self._database.delete(_key(law), choices_to_bytes(tuple(numbers)))


def _key(law: str) -> bytes:
    return f"hds fuzz {law}".encode()
