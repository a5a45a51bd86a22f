"""What a row of the tables of diagnostics holds."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lang.code import Code


class Row(msgspec.Struct, frozen=True):
    """An error or a warning: its one-line meaning, its long explanation, and a script with it and one without.

    `files` are included files that the examples need, by name, `symbols` the addresses of symbols; `limits` are limits
    at which the bad one shows.
    """

    code: Code
    title: str
    explanation: str
    bad: str
    good: str
    files: Mapping[str, str] = msgspec.field(default_factory=dict)
    symbols: Mapping[str, int] = msgspec.field(default_factory=dict)
    limits: Mapping[str, int] = msgspec.field(default_factory=dict)


class Remark(Row, frozen=True, kw_only=True):
    """A portability remark: the title is what hds does, `v023` what HyperDbg v0.23 does; `good` is alike in both.

    `kinds`: R rejects, X its compiler crashes, D computes something else, E stops with a run-time error, A accepts what
    is an error here. `seen`: s always seen in the source, p the form that may be affected is seen, n depends on
    run-time values and is not reported.
    """

    v023: str
    kinds: str
    seen: str


KINDS: Mapping[str, str] = {
    "R": "rejects the script",
    "X": "its compiler crashes",
    "D": "computes something else",
    "E": "stops with a run-time error",
    "A": "accepts what is an error here",
}
SEEN: Mapping[str, str] = {
    "s": "the checker always sees it in the source",
    "p": "the checker sees the form of code that may be affected",
    "n": "it depends on values at run time and is not reported",
}
