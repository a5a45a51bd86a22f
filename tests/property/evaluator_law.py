"""The law that only the tests know: the compiled path does what the independent evaluator does.

    python tests/property/evaluator_law.py --seconds 600 --seed 7 --save tests/regress

is `hds fuzz` with this law alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from evaluator import Unspecified, evaluate

from hds.fuzzing.choices import Choices
from hds.fuzzing.laws import Case, Law, compiled, reference
from hds.fuzzing.programs import program
from hds.fuzzing.world import Effects, difference, observe, world
from hds.subcommands import fuzz
from lang.diagnostics import Severity
from vm.limits import DEFAULT_LIMITS

OUTCOMES: Counter[str] = Counter()  # how the cases of this process ended
WITHOUT_COUNTERPART = ("step_limit", "stack_overflow")  # the evaluator has no instructions and no frames


def _program(choices: Choices) -> str:
    return program(choices)


def check(case: Case) -> str | None:
    """Compare code, output, stop, registers, memory and requests."""
    assert isinstance(case, str)
    made = compiled(case)
    if made.tree is None:
        return None
    host = world()
    try:
        result = evaluate(made.tree, host)
    except Unspecified as reason:
        OUTCOMES[f"unspecified: {reason}"] += 1
        return None
    if made.program is None:
        codes = {item.code for item in made.diagnostics if item.severity is Severity.ERROR}
        return None if result.rejected in codes else f"rejected: evaluator {result.rejected}, compiler {sorted(codes)}"
    if result.rejected:
        return f"rejected: evaluator {result.rejected}, compiler accepts"
    observed = observe(reference(), made.program, DEFAULT_LIMITS).effects
    OUTCOMES[observed.stop or "ok"] += 1
    if observed.stop in WITHOUT_COUNTERPART or result.stopped in WITHOUT_COUNTERPART:
        return None
    return difference(Effects.of(host, result.stopped), observed, ("evaluator", "compiled"))


LAW = Law("evaluator", "the compiled path does what the independent evaluator does", _program, check)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    fuzz.configure(parser)
    code = fuzz.fuzz((LAW,), parser.parse_args())
    for outcome, count in OUTCOMES.most_common():
        print(f"  {count:6} {outcome}", file=sys.stderr)
    sys.exit(code)
