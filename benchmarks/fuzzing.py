"""How many cases `hds fuzz` tries in a second, against the bare generators and checks, in one run.

Usage: python benchmarks/fuzzing.py [CASES]. Both try cases of the same laws in turn; the ratio is that of the processor
times. Beside it: what a case costs when Hypothesis makes each decision, as the strategies of hds.strategies do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, Phase, given, settings

from hds.fuzzing import LAWS, Choices, Law, run, strategy_of
from hds.fuzzing.choices import RandomSource

LEFT_OUT = ("carriers", "isolation", "loaded")  # they run machines, whose time is hardly that of drawing
CASES = 200  # a round
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The processor time of a piece of work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def bare(laws: list[Law], seed: int, cases: int) -> None:
    """The cases of a campaign, drawn and checked."""
    rounds = [law for law in laws for _ in range(law.weight)]
    numbers = dict.fromkeys((law.name for law in laws), 0)
    for at in range(cases):
        law = rounds[at % len(rounds)]
        numbers[law.name] += 1
        law.check(law.make(Choices(RandomSource(f"{seed}/{law.name}/{numbers[law.name]}"))))


def as_test(law: Law) -> Callable[[str | bytes], None]:
    """A law as a test of Hypothesis."""

    def check(case: str | bytes) -> None:
        law.check(case)

    return check


def drawn(laws: list[Law], cases: int) -> None:
    """As many cases that Hypothesis draws, decision by decision."""
    total = sum(law.weight for law in laws)
    for law in laws:
        some = settings(
            max_examples=max(1, cases * law.weight // total), deadline=None, database=None, derandomize=True,
            phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        some(given(strategy_of(law.make))(as_test(law)))()


def main() -> None:
    """Print cases a second, and the ratios."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    laws = [law for law in LAWS if law.name not in LEFT_OUT]
    bare(laws, 0, 2 * len(laws))
    base = campaign = 0.0
    for seed in range(1, 2 * ROUNDS, 2):  # no case twice: what is compiled is kept
        base += seconds(partial(bare, laws, seed, cases)) / ROUNDS
        campaign += seconds(partial(run, laws, seed + 1, cases=cases, seconds=None, found=print)) / ROUNDS
    by_hypothesis = seconds(lambda: drawn(laws, cases))
    print(f"generators and checks   {cases / base:8.1f} cases a second")
    print(f"hds fuzz                {cases / campaign:8.1f}  {base / campaign:5.2f} x")
    print(f"drawn by Hypothesis     {cases / by_hypothesis:8.1f}  {base / by_hypothesis:5.2f} x")


if __name__ == "__main__":
    main()
