"""The laws that only the tests know: the compiled path does what the independent evaluator does.

    python tests/hds/fuzzing/evaluator_law.py --seconds 600 --seed 7 --save build/fuzz

is `hds fuzz` with these laws alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter

from evaluator import Unspecified, evaluate, rejection

from hds.cli.subcommands import fuzz
from hds.fuzzing.choices import Choices
from hds.fuzzing.laws import Case, Law, compiled, parsed, reference
from hds.fuzzing.programs import program
from hds.fuzzing.world import Effects, difference, observe, world
from lang.diagnostics import Severity
from vm.facts.limits import DEFAULT_LIMITS

OUTCOMES: Counter[str] = Counter()  # how the cases of this process ended
WITHOUT_COUNTERPART = ("step_limit", "stack_overflow")  # the evaluator has no instructions and no frames


def _program(choices: Choices) -> str:
    return program(choices)


def check(case: Case) -> str | None:
    """Compare code, output, stop, registers, memory and requests."""
    assert isinstance(case, str)
    made = compiled(case)
    tree = parsed(case)
    if tree is None:
        return None
    host = world()
    try:
        result = evaluate(tree, host)
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


# Words of one kind: replacing one by another keeps most programs readable.
KINDS_OF_WORDS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"[@.$]?[A-Za-z_]\w*_\d+q|@\w+|\b0[xn]\w+"),
        ("@rax", "$pid", "1.5", '"text"', 'L"wide"', ".other", "(1)"),
    ),
    (
        re.compile(r"\b(?:int|double|float|char|short|long|unsigned|bool|void)\b"),
        ("void", "double", "unsigned", "struct S_1q"),
    ),
    (re.compile(r"(?<= )(?:[-+*/%&|^<>]|<<|>>|[=!]=|&&|\|\|)(?= )"), ("%", "&&", "==", "-", "<<")),
    (
        re.compile(r"(?<=[(\[ ])[-+*&~!](?=[(\w])|\(\w+\)"),
        ("*", "&", "(void)", "(double)", "(int *)", "sizeof ", ""),
    ),
    (
        re.compile(r"\b(?:poi|db|low|strlen|wcslen|memcpy|eq|print|break|return|continue)\b"),
        ("neg", "memcpy", "break", "strlen"),
    ),
)


def _changed_program(choices: Choices) -> str:
    """A program with a few words replaced by others of their kind: most of them parse, many of them mean nothing."""
    text = program(choices, 5)
    for _ in range(choices.between(1, 2)):
        pattern, others = choices.pick(KINDS_OF_WORDS)
        words = list(pattern.finditer(text))
        if words:
            start, end = choices.pick(words).span()
            other = choices.pick(words)[0] if choices.chance(60) else choices.pick(others)
            text = f"{text[:start]}{other}{text[end:]}"
    return text


def check_rejection(case: Case) -> str | None:
    """Both accept a program, or both reject it."""
    assert isinstance(case, str)
    made = compiled(case)
    codes = sorted({item.code for item in made.diagnostics if item.severity is Severity.ERROR})
    tree = parsed(case)
    if tree is None:
        return None
    try:
        code = rejection(tree, world())
    except Unspecified:
        return None
    OUTCOMES[f"rejected: {code}"] += 1
    # Of several errors each side may find another one first: only the examples of the document compare codes.
    return None if (code is None) == (not codes) else f"rejected: evaluator {code}, compiler {codes}"


LAW = Law("evaluator", "the compiled path does what the independent evaluator does", _program, check)
REJECTION = Law("rejection", "checker and evaluator reject the same programs", _changed_program, check_rejection)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    fuzz.configure(parser)
    code = fuzz.fuzz((LAW, REJECTION), fuzz.Options.of(parser.parse_args()))
    for outcome, count in OUTCOMES.most_common():
        print(f"  {count:6} {outcome}", file=sys.stderr)
    sys.exit(code)
