"""Fuzzing: generators of programs, command files, broken text and bytecode, and the laws that must hold for them.

Everything is drawn from a `Choices`, a source of small numbers: a seeded random one, a recorded one, or Hypothesis's.
Equal choices give equal cases.
"""

from __future__ import annotations

from hds.fuzzing.bytecode import hostile_file
from hds.fuzzing.campaign import Failure, run, saved
from hds.fuzzing.choices import Choices
from hds.fuzzing.commands import command_file
from hds.fuzzing.expressions import expression
from hds.fuzzing.laws import LAWS, Law
from hds.fuzzing.programs import program
from hds.fuzzing.shrinking import HypothesisMissing, Kept, require_hypothesis, strategy_of

__all__ = [
    "LAWS",
    "Choices",
    "Failure",
    "HypothesisMissing",
    "Kept",
    "Law",
    "command_file",
    "expression",
    "hostile_file",
    "program",
    "require_hypothesis",
    "run",
    "saved",
    "strategy_of",
]
