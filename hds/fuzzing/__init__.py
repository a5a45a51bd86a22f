"""Fuzzing: generators of programs, command files, broken text and bytecode, and the laws that must hold for them.

Everything is drawn from a `Choices`, a source of small numbers: a seeded random one, a recorded one that can be shrunk,
or (in the tests) one of hypothesis. Equal choices give equal cases.
"""

from __future__ import annotations

from hds.fuzzing.campaign import Failure, run, saved
from hds.fuzzing.laws import LAWS, Law

__all__ = [
    "LAWS",
    "Failure",
    "Law",
    "run",
    "saved",
]
