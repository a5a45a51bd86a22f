"""The LALR automaton: tables that `lang.tables` has made of a grammar with Lark, and the loop that drives them.

The tables are JSON in the package, so that no grammar is read at run time, nothing is cached, and a file of tables
cannot run code. A parser is given tokens one by one; which terminals could follow is known at any time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

END = "$END"


class Rule(msgspec.Struct, frozen=True):
    """A production: how many symbols it takes from the stack, and what becomes of their values.

    `action` names the builder's method; None: the values stay a list, which the production around it takes over.
    `spliced`: numbers of the symbols whose values are such lists. A `chain` passes its only value on.
    """

    origin: str
    size: int
    action: str | None
    spliced: tuple[int, ...]
    chain: bool


class Tables(msgspec.Struct, frozen=True):
    """The automaton. A row maps a symbol to the next state (0 or more), or to the rule to reduce by (-1 - number).

    The start state is 0; `end` is the one behind the whole text. `behind_chains` has what states came to by chains of
    rules that pass their value on: by the state below, the state and the symbol that follows.
    """

    rules: tuple[Rule, ...]
    rows: tuple[dict[str, int], ...]
    end: int
    behind_chains: dict[tuple[int, int, str], int] = msgspec.field(default_factory=dict)

    def behind_chain(self, below: int, state: int, following: str) -> int:
        """The state after all reductions by such rules that come one after the other."""
        known = self.behind_chains.get((below, state, following))
        if known is None:
            known = state
            while known != self.end and (entry := self.rows[known].get(following, 0)) < 0:
                rule = self.rules[-1 - entry]
                if not rule.chain:
                    break
                known = self.rows[below][rule.origin]
            self.behind_chains[below, state, following] = known
        return known


class Token(Protocol):
    """What is fed: `type` is the name of a terminal."""

    @property
    def type(self) -> str: ...


@functools.cache
def load(path: Path) -> Tables:
    """The tables in a file of the package."""
    data = msgspec.json.decode(path.read_bytes())
    rules = tuple(
        Rule(origin, size, action, tuple(spliced), chain) for origin, size, action, spliced, chain in data["rules"]
    )
    return Tables(rules, tuple(data["rows"]), data["end"])


_Reduction = tuple[Rule, Callable[[list[Any]], Any] | None]  # with the method for its action


class Parser:
    """One run of the automaton; `builder` has a method for every action, which gets the list of the values."""

    def __init__(self, tables: Tables, builder: object) -> None:
        self.tables = tables
        self.states = [0]
        self.values: list[Any] = []
        self._builder = builder
        self._rules: list[_Reduction | None] = [None] * len(tables.rules)  # those that were reduced by

    def _reduction(self, number: int) -> _Reduction:
        rule = self.tables.rules[number]
        found = self._rules[number] = rule, None if rule.action is None else getattr(self._builder, rule.action)
        return found

    def feed(self, token: Token) -> bool:
        """Take a token; False when it cannot stand here."""
        rows, states = self.tables.rows, self.states
        kind = token.type
        while True:
            entry = rows[states[-1]].get(kind)
            if entry is None:
                return False
            if entry >= 0:
                states.append(entry)
                self.values.append(token)
                return True
            self._reduce(-1 - entry, kind)

    def finish(self) -> Any:
        """The value of the whole text; None when it cannot end here."""
        rows, states = self.tables.rows, self.states
        while states[-1] != self.tables.end:
            entry = rows[states[-1]].get(END)
            if entry is None:
                return None
            self._reduce(-1 - entry, END)
        return self.values[-1]

    def _reduce(self, number: int, following: str) -> None:
        rule, make = self._rules[number] or self._reduction(number)
        states, values = self.states, self.values
        if rule.chain:
            states[-1] = self.tables.behind_chain(states[-2], states[-1], following)
            return
        size = rule.size
        children: list[Any] = []
        if size:
            children = values[-size:]
            del states[-size:], values[-size:]
            if rule.spliced:
                children = _splice(children, rule.spliced)
        values.append(children if make is None else make(children))
        states.append(self.tables.rows[states[-1]][rule.origin])

    def pop(self) -> None:
        """Forget the last symbol."""
        self.states.pop()
        self.values.pop()

    def accepts(self, terminal: str) -> bool:
        """Whether the parser can go on with this terminal; reductions are only simulated."""
        rows = self.tables.rows
        entry = rows[self.states[-1]].get(terminal)
        if entry is None or entry >= 0:
            return entry is not None
        # Reductions need the states below; a simulated one never looks deeper than it has popped.
        depth, above = len(self.states), list[int]()
        while True:
            entry = rows[above[-1] if above else self.states[depth - 1]].get(terminal)
            if entry is None or entry >= 0:
                return entry is not None
            rule = self.tables.rules[-1 - entry]
            kept = len(above) - rule.size
            if kept < 0:
                depth += kept
            del above[max(kept, 0) :]
            state = rows[above[-1] if above else self.states[depth - 1]][rule.origin]
            if terminal == END and state == self.tables.end:
                return True
            above.append(state)

    def acceptable(self) -> set[str]:
        """All terminals that could come next."""
        return {name for name in self.tables.rows[self.states[-1]] if _is_terminal(name) and self.accepts(name)}


def _is_terminal(name: str) -> bool:
    return name.isupper() or name == END


def _splice(children: list[Any], spliced: tuple[int, ...]) -> list[Any]:
    """The values with lists taken apart; a list in front grows in place, so that a repetition takes linear time."""
    result: list[Any] = children[0] if spliced[0] == 0 else [children[0]]
    for number in range(1, len(children)):
        if number in spliced:
            result += children[number]
        else:
            result.append(children[number])
    return result
