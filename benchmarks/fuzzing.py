"""How many cases `hds fuzz` tries in a second, against the bare generators and checks, in one run.

Usage: python benchmarks/fuzzing.py [CASES [TREE]]. Both try cases of the same laws in turn; the ratio is that of the
processor times. Beside it: what a case costs when Hypothesis makes each decision, as hds.strategies does.

The bare generators are those from before Hypothesis: a seeded source of numbers, and no record of failures. What
`hds fuzz` itself was then can be measured as well, since the laws have kept their names. TREE is a worktree of the last
commit before, made ready like this one (`git worktree add ../before 4d6a38e`); both are run alternately, in processes
of their own, with the laws that both have. The two differ in more than Hypothesis: generators, laws and engines have
grown since. In November 2026, on a machine with two cores that were busy otherwise, today's `hds fuzz` tried 0.91 of
the cases a second in rounds of 500, and 0.89 in rounds of 300; 0.7 is what it must not fall below.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from rows import Row, keep

from hds.fuzzing import LAWS, Choices, Law, run, strategy_of
from hds.fuzzing.choices import RandomSource

HERE = Path(__file__).parents[1]
RATE = """
import sys, time
from hds.fuzzing import LAWS, run
seed, cases, *names = sys.argv[1:]
laws = [law for law in LAWS if law.name in names]
run(laws, 0, cases=2 * len(laws), seconds=None, found=print)
began = time.process_time()
run(laws, int(seed), cases=int(cases), seconds=None, found=print)
print(time.process_time() - began)
"""  # of whatever tree is in front of the path
LEFT_OUT = ("carriers", "isolation", "loaded", "crowd")  # they run machines, whose time is hardly that of drawing
COMMON = (  # laws that there were before
    "engines", "session", "verified", "repeatable", "limits", "printed", "text", "commands", "assembly", "bytecode",
)  # fmt: skip
CASES = 100  # a round
ROUNDS = 2


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


def seconds_of(tree: Path, seed: int, cases: int) -> float:
    """The processor time of a campaign of a tree, with its own Python where it has one."""
    python = tree / ".venv" / "bin" / "python"
    words = [str(python) if python.exists() else sys.executable, "-c", RATE, str(seed), str(cases), *COMMON]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    ran = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


def compare(tree: Path, cases: int) -> None:
    """Print what `hds fuzz` was before, and what it is."""
    before = now = 0.0
    for seed in range(1, ROUNDS + 1):
        before += seconds_of(tree, seed, cases) / ROUNDS
        now += seconds_of(HERE, seed, cases) / ROUNDS
    print(f"hds fuzz before         {cases / before:8.1f} cases a second")
    print(f"hds fuzz                {cases / now:8.1f}  {before / now:5.2f} x")


def main() -> None:
    """Print cases a second, and the ratios."""
    if len(sys.argv) > 2:
        compare(Path(sys.argv[2]).resolve(), int(sys.argv[1]))
        return
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
    alone, fuzzed, drawing = (total / cases * 1e3 for total in (base, campaign, by_hypothesis))
    rows = [
        Row("a case of hds fuzz, against its generator and check alone", fuzzed, alone, "ms"),
        Row("the same drawn by Hypothesis", drawing, alone, "ms"),
    ]
    keep("fuzzing", rows)


if __name__ == "__main__":
    main()
