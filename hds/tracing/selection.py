"""Which calls and signals are traced: the expressions of `-e`, in the words of strace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from lang import nearest_name

_STATUSES = ("all", "successful", "failed")
_KINDS = ("trace", "signal", "status")


class SelectionError(ValueError):
    """An expression says nothing that can be traced; `hint` says what could be meant."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Selection:
    """What the expressions of `-e` say: of names of calls (`wants`), of signals (`wants_signal`) and of results."""

    def __init__(
        self,
        expressions: Iterable[str],
        names: Iterable[str],
        classes: Mapping[str, frozenset[str]],
        signals: Iterable[str],
    ) -> None:
        self._calls: Callable[[str], bool] = lambda name: True
        self._signals: Callable[[str], bool] = lambda name: True
        self.status = "all"
        names, signals = frozenset(names), frozenset(signals)
        for expression in expressions:
            kind, equals, value = expression.partition("=")
            if not equals:
                kind, value = "trace", expression
            if kind in ("trace", "t"):
                self._calls = _chosen(value, names, classes, "call")
            elif kind in ("signal", "signals", "s"):
                short = {name.removeprefix("SIG"): name for name in signals}
                words = [short.get(word.upper(), word.upper()) for word in value.lstrip("!").split(",")]
                spelt = "!" * value.startswith("!") + ",".join(words)
                self._signals = _chosen(spelt.replace("NONE", "none").replace("ALL", "all"), signals, {}, "signal")
            elif kind == "status":
                if value not in _STATUSES:
                    raise SelectionError(
                        f"-e {expression}: a status is all, successful or failed",
                        _meant(value, _STATUSES, "as in -e status=failed"),
                    )
                self.status = value
            else:
                raise SelectionError(
                    f"-e {expression}: hds knows trace=, signal= and status=all, successful or failed",
                    _meant(kind, _KINDS),
                )

    def wants(self, name: str) -> bool:
        """Whether a call is traced."""
        return self._calls(name)

    def wants_signal(self, name: str) -> bool:
        """Whether a signal is."""
        return self._signals(name)


def _meant(word: str, names: Iterable[str], example: str = "as in -e trace=openat,read or -e trace=%file") -> str:
    near = nearest_name(word, names)
    return f"did you mean {near}?" if near else example


def _chosen(
    value: str, names: frozenset[str], classes: Mapping[str, frozenset[str]], what: str
) -> Callable[[str], bool]:
    inverted, value = value.startswith("!"), value.removeprefix("!")
    exact: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for word in value.split(","):
        optional, word = word.startswith("?"), word.removeprefix("?")
        if word == "all":
            patterns.append(re.compile(""))
        elif word.startswith("%") and word[1:] in classes:
            exact |= classes[word[1:]]
        elif word.startswith("/"):
            try:
                patterns.append(re.compile(word[1:]))
            except re.error as error:
                raise SelectionError(f"-e: {word!r} is no regular expression: {error}", "as in /^open") from None
        elif word in names:
            exact.add(word)
        elif word != "none" and not optional:
            known = [f"%{name}" for name in classes] if word.startswith("%") else names
            raise SelectionError(f"-e: there is no {what} {word!r}", _meant(word, known))
    return lambda name: (name in exact or any(each.search(name) for each in patterns)) != inverted
