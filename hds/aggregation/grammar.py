"""Expressions of `--aggregate`, in words of bpftrace:

    [top N] [FUNCTION] [by NAME, NAME...]

with a function of `FUNCTIONS`; without one rows are counted. A name is a value of the trigger (`VALUES`), or a field
that a message has; `fields.NAME` is a field, whatever its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from lang import nearest_name
from vm.facts.limits import Limits
from vm.facts.numbers import PRINTED, number_in

CARRIED = ("event", "stage", "core", "tick", "pid", "tid", "pc")  # values that a message has of its trigger, too
VALUES = (*CARRIED, "context", "name", "process", "thread", "symbol")
FUNCTIONS = {
    "count": (),
    "sum": ("x",),
    "avg": ("x",),
    "min": ("x",),
    "max": ("x",),
    "hist": ("x",),
    "lhist": ("x", "min", "max", "step"),
}
FIELDS = "fields."
_TOKEN = re.compile(r"\s*(?:(?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9]+)\b)|(?P<word>\$?[A-Za-z_][\w.]*)|(?P<other>\S))")


class AggregateError(ValueError):
    """An expression is none; the message says where, `hint` what could be meant."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Aggregate(msgspec.Struct, frozen=True):
    """An expression: `value_of` is what the function computes with, `bounds` are min, max and step of `lhist`."""

    text: str
    function: str = "count"
    value_of: str | None = None
    bounds: tuple[int, int, int] | None = None
    by: tuple[str, ...] = ()
    top: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All that it reads."""
        return self.by if self.value_of is None else (self.value_of, *self.by)

    @property
    def reads_messages(self) -> bool:
        """Whether its rows are lines of messages that have all its fields, and not triggers."""
        return any(name not in VALUES for name in self.names)

    @property
    def needs_triggers(self) -> bool:
        """Whether something must be looked up at each trigger."""
        return not self.reads_messages or any(name in VALUES and name not in CARRIED for name in self.names)


class _Token(msgspec.Struct, frozen=True):
    kind: str  # number, word, other, end
    text: str
    column: int  # from 1


def parse(text: str, limits: Limits) -> Aggregate:
    """The expression of a text. Raises AggregateError."""
    return _Parser(text, limits).expression()


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "other"
        yield _Token(kind, found[kind], found.start(kind) + 1)
    yield _Token("end", "", len(text.rstrip()) + 1)


class _Parser:
    def __init__(self, text: str, limits: Limits) -> None:
        self._text, self._limits = text, limits
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def expression(self) -> Aggregate:
        if self._next.kind == "end":
            self._fail("there is nothing", "as in --aggregate 'count by context'")
        top = self._top()
        function, value_of, bounds = "count", None, None
        if self._next.kind == "word" and self._next.text != "by":
            function, value_of, bounds = self._function()
        by = self._names() if self._accepts("by") else ()
        if self._next.kind != "end":
            near = nearest_name(self._next.text, ("by",)) if not by else None
            expected = "',' or the end" if by else "'by' or the end"
            self._expected(expected, f"did you mean '{near}'?" if near else "as in 'top 5 count by context, pid'")
        return Aggregate(self._text.strip(), function, value_of, bounds, by, top)

    def _top(self) -> int | None:
        if not self._accepts("top"):
            return None
        token = self._next
        number = self._number()
        if number < 1:
            self._fail("'top' shows at least 1 group", "as in 'top 5 count by context'", token)
        return number

    def _function(self) -> tuple[str, str | None, tuple[int, int, int] | None]:
        token = self._take()
        parameters = FUNCTIONS.get(token.text)
        if parameters is None:
            near = nearest_name(token.text, (*FUNCTIONS, "top", "by"))
            there = f"there are {', '.join(FUNCTIONS)}"
            hint = f"did you mean {near}? {there}" if near else f"{there}; 'count by {token.text}' counts its values"
            self._fail(f"there is no function '{token.text}'", hint, token)
        form = f"{token.text}({', '.join(parameters)})"
        if not parameters:
            if self._accepts("("):
                self._require(")", f"as in '{token.text} by pid'")
            return token.text, None, None
        self._require("(", f"it is {form}")
        value_of, numbers = self._name(), []
        for _ in parameters[1:]:
            self._require(",", f"it is {form}")
            numbers.append(self._number())
        self._require(")", f"it is {form}")
        return token.text, value_of, self._bounds(token, *numbers) if numbers else None

    def _bounds(self, token: _Token, least: int, end: int, step: int) -> tuple[int, int, int]:
        if step < 1 or end <= least:
            self._fail("lhist has no buckets", "min is less than max, and step at least 1", token)
        most = self._limits.max_aggregate_buckets
        if -(-(end - least) // step) > most:
            self._fail(f"lhist has more than {most} buckets (limit max_aggregate_buckets)", "a larger step", token)
        return least, end, step

    def _names(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._accepts(","):
            token = self._next
            name = self._name()
            if name in names:
                self._fail(f"'{name}' stands there already", "each name once", token)
            names.append(name)
        return tuple(names)

    def _name(self) -> str:
        if self._next.kind != "word":
            self._expected("a name", f"a value of the trigger ({', '.join(VALUES)}), or a field that messages have")
        token = self._take()
        name = token.text.removeprefix("$")
        if name == FIELDS:
            self._fail("a field has a name", "as in fields.size", token)
        return name if name.removeprefix(FIELDS) in VALUES else name.removeprefix(FIELDS)

    def _number(self) -> int:
        if self._next.kind != "number":
            self._expected("a number", "decimal, or hexadecimal behind 0x")
        token = self._take()
        number = number_in(token.text.removeprefix("-"), PRINTED)
        if number is None:
            self._fail("the number has more than 64 bits", "a smaller one", token)
        return -number if token.text.startswith("-") else number

    def _accepts(self, text: str) -> bool:
        if self._next.text != text:
            return False
        self._take()
        return True

    def _require(self, text: str, hint: str) -> None:
        if not self._accepts(text):
            self._expected(f"'{text}'", hint)

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _expected(self, what: str, hint: str) -> NoReturn:
        found = "the end" if self._next.kind == "end" else f"'{self._next.text}'"
        self._fail(f"expected {what}, found {found}", hint)

    def _fail(self, message: str, hint: str, token: _Token | None = None) -> NoReturn:
        raise AggregateError(f"column {(token or self._next).column} of '{self._text}': {message}", hint)
