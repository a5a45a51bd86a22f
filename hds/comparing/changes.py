"""What became of each record: the same, changed, missing, or added.

Records that are equal stand against each other first; between them those of one trigger that say the same (whatever the
clock and the registers are); then those that are most alike, by event, place and words, in small stretches, and those
of one trigger in large ones. What is left is missing or added.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import msgspec

from hds.alignment import steps
from hds.comparing.runs import LEAST_ADDRESS, Run, hexadecimal_words

_Pair = tuple[int | None, int | None]
Flat = dict[str, object]  # a record's plain values, by path: `tick`, `registers.rax`, `events[0].triggers`

_TRIGGER = ("type", "event", "stage", "breakpoint", "symbol", "name", "kind", "code", "descriptor", "file", "line")
_SAYING = ("text", "message", "context", "pid")
_LAST = ("trigger",)  # the last key
MOST_COMPARISONS = 2500  # of records of a stretch with each other
_LONGEST = 400  # characters of a text that are looked at for likeness
_LEAST_LIKENESS = 0.3
_WORDS = re.compile(r"\w+")
_PROGRAM = "program"  # in the place of the module's name where the programs of two runs have different ones
_TWIN = "_hex"  # behind the name of a number: the same in hexadecimal


class Kind(Enum):
    """What became of a record."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"


class Change(msgspec.Struct, frozen=True):
    """A record of the one run, of the other, or both; `fields` are those that differ, None for what one has not."""

    kind: Kind
    a: int | None
    b: int | None
    fields: Mapping[str, tuple[object, object]]


class Rules(msgspec.Struct, frozen=True):
    """What counts: paths of fields that do not (`tick`, `registers.rax`), and whether addresses are named.

    `renamed` says that the programs have other names, so that the module of each is called `program` in symbols.
    """

    ignored: tuple[str, ...] = ()
    symbols: bool = False
    renamed: bool = False

    def flat(self, run: Run, number: int) -> Flat:
        """A record with what counts of it."""
        record = run.record(number)
        found: Flat = {}
        for name, value in record.items():
            if name.endswith(_TWIN) and name.removesuffix(_TWIN) in record:
                continue
            for path, leaf in _leaves(value, name) if value and isinstance(value, dict | list) else ((name, value),):
                if not (self.ignored and self._is_ignored(path)):
                    found[path] = self._named(leaf, run) if self.symbols else leaf
        if self.symbols and isinstance(record.get("symbol"), str):
            found.pop("pc", None)  # the symbol says it
            if isinstance(found.get("symbol"), str):
                found["symbol"] = self._place(str(found["symbol"]), run)
        return found

    def _place(self, symbol: str, run: Run) -> str:
        module = symbol.partition("!" if "!" in symbol else "+")[0]
        return f"{_PROGRAM}{symbol[len(module) :]}" if self.renamed and run.is_of_program(module) else symbol

    def _is_ignored(self, path: str) -> bool:
        plain = path.partition("[")[0] if "." not in path else _without_indices(path)
        return any(plain == each or plain.startswith(f"{each}.") for each in self.ignored)

    def _named(self, value: object, run: Run) -> object:
        places = run.places
        if type(value) is int and value >= LEAST_ADDRESS:
            return self._place(places[value], run) if value in places else value
        if isinstance(value, str):
            parts, at = [], 0
            for start, end, address in hexadecimal_words(value):
                if address in places:
                    parts += [value[at:start], self._place(places[address], run)]
                    at = end
            return "".join((*parts, value[at:])) if parts else value
        return value

    def unknown(self, runs: Sequence[Run]) -> list[str]:
        """The ignored fields that no record has."""
        left = set(self.ignored)
        for run in runs:
            for number in range(len(run.texts)):
                if not left:
                    return []
                for path, _ in _leaves(run.record(number)):
                    plain = _without_indices(path)
                    left -= {each for each in left if plain == each or plain.startswith(f"{each}.")}
        return [each for each in self.ignored if each in left]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The plain values of a record; empty objects and arrays are some, too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def _without_indices(path: str) -> str:
    return ".".join(part.partition("[")[0] for part in path.split("."))


class _Keys:
    """Numbers for records, so that runs are compared by numbers."""

    def __init__(self) -> None:
        self._numbers: dict[bytes | str, int] = {}

    def number(self, flat: Flat, names: Sequence[str] | None = None) -> int:
        """That of a record, or of some of its fields."""
        fields = sorted(flat.items()) if names is None else [(name, flat.get(name)) for name in names]
        return self._numbers.setdefault(_packed(fields), len(self._numbers))


def _packed(fields: list[tuple[str, object]]) -> bytes | str:
    """What only equal fields have: 1, 1.0 and true are not equal."""
    try:
        return msgspec.msgpack.encode(fields)
    except (OverflowError, UnicodeEncodeError):  # more than 64 bits, lone surrogates
        return json.dumps(fields)


class _Outline(msgspec.Struct, frozen=True):
    """What is looked at where records are only like each other."""

    kind: tuple[object, ...]
    trigger: int
    words: frozenset[str]

    @classmethod
    def of(cls, flat: Flat, trigger: int) -> _Outline:
        said = next((flat[name] for name in ("text", "message", "name") if isinstance(flat.get(name), str)), "")
        return cls(tuple(flat.get(name) for name in ("type", "event", "stage")), trigger, _words(str(said)[:_LONGEST]))

    def likeness(self, other: _Outline) -> float:
        """From 0, which is not alike, to 1."""
        if self.kind != other.kind:
            return 0.0
        most = max(len(self.words), len(other.words))
        words = len(self.words & other.words) / most if most else 1.0
        found = 0.7 * words + 0.3 * (self.trigger == other.trigger)
        return found if found >= _LEAST_LIKENESS else 0.0


def _words(text: str) -> frozenset[str]:
    """The words of a text, each with how often it stood before."""
    counts: Counter[str] = Counter()
    found = []
    for word in _WORDS.findall(text):
        counts[word] += 1
        found.append(f"{word} {counts[word]}")
    return frozenset(found)


class _Side(msgspec.Struct):
    """The keys of one run's records: all that counts, what a trigger says, the trigger."""

    run: Run
    rules: Rules
    whole: list[int] = msgspec.field(default_factory=list)
    saying: list[int] = msgspec.field(default_factory=list)
    trigger: list[int] = msgspec.field(default_factory=list)

    @classmethod
    def of(cls, run: Run, rules: Rules, keys: _Keys) -> _Side:
        side = cls(run, rules)
        for number in range(len(run.texts)):
            flat = rules.flat(run, number)
            place = _TRIGGER if isinstance(flat.get("symbol"), str) else (*_TRIGGER, "pc")
            side.whole.append(keys.number(flat))
            side.saying.append(keys.number(flat, (*place, *_SAYING)))
            side.trigger.append(keys.number(flat, place))
        return side

    def outline(self, number: int) -> _Outline:
        """That of a record."""
        return _Outline.of(self.rules.flat(self.run, number), self.trigger[number])


def compare(a: Run, b: Run, rules: Rules) -> Iterator[Change]:
    """Every record of both runs once, in order."""
    if rules.symbols and a.program and b.program and a.program != b.program:
        rules = msgspec.structs.replace(rules, renamed=True)
    keys = _Keys()
    sides = _Side.of(a, rules, keys), _Side.of(b, rules, keys)
    everything = _Stretch(0, len(sides[0].whole), 0, len(sides[1].whole))
    for i, j in _pairs(*sides, everything, ("whole", "saying", *_LAST)):
        if i is None or j is None:
            yield Change(Kind.MISSING if j is None else Kind.ADDED, i, j, {})
        elif sides[0].whole[i] == sides[1].whole[j]:
            yield Change(Kind.SAME, i, j, {})
        else:
            yield Change(Kind.CHANGED, i, j, _fields(rules.flat(a, i), rules.flat(b, j)))


class _Stretch(msgspec.Struct, frozen=True):
    """Records of both runs that stand between others which are aligned."""

    low_a: int
    high_a: int
    low_b: int
    high_b: int

    @property
    def is_small(self) -> bool:
        """Whether each record of the one can be compared with each of the other."""
        return (self.high_a - self.low_a) * (self.high_b - self.low_b) <= MOST_COMPARISONS


def _pairs(a: _Side, b: _Side, stretch: _Stretch, keys: tuple[str, ...]) -> Iterator[_Pair]:
    """What stands against what: by the first of the keys and, between, by the others, or by likeness."""
    if keys == _LAST and stretch.is_small:
        yield from _likest(a, b, stretch)
        return
    if not keys:
        yield from ((i, None) for i in range(stretch.low_a, stretch.high_a))
        yield from ((None, j) for j in range(stretch.low_b, stretch.high_b))
        return
    key, *others = keys
    low_a, low_b = stretch.low_a, stretch.low_b
    for step in steps(getattr(a, key)[low_a : stretch.high_a], getattr(b, key)[low_b : stretch.high_b]):
        inner = _Stretch(low_a + step.a_start, low_a + step.a_end, low_b + step.b_start, low_b + step.b_end)
        if step.same:
            yield from zip(range(inner.low_a, inner.high_a), range(inner.low_b, inner.high_b), strict=True)
        else:
            yield from _pairs(a, b, inner, tuple(others) or (_LAST if inner.is_small else ()))


def _likest(a: _Side, b: _Side, stretch: _Stretch) -> Iterator[_Pair]:
    """The alignment of a small stretch whose pairs are most like each other in all."""
    rows, columns = range(stretch.low_a, stretch.high_a), range(stretch.low_b, stretch.high_b)
    outlines = [b.outline(j) for j in columns]
    likeness = [[one.likeness(other) for other in outlines] for one in (a.outline(i) for i in rows)]
    best = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]  # of what stands behind, from each place on
    for x in range(len(rows) - 1, -1, -1):
        for y in range(len(columns) - 1, -1, -1):
            best[x][y] = max(best[x + 1][y], best[x][y + 1], best[x + 1][y + 1] + likeness[x][y])
    x = y = 0
    while x < len(rows) or y < len(columns):
        both = x < len(rows) and y < len(columns)
        if both and likeness[x][y] and best[x][y] == best[x + 1][y + 1] + likeness[x][y]:
            yield rows[x], columns[y]
            x, y = x + 1, y + 1
        elif x < len(rows) and (y == len(columns) or best[x][y] == best[x + 1][y]):
            yield rows[x], None
            x += 1
        else:
            yield None, columns[y]
            y += 1


def _fields(a: Flat, b: Flat) -> dict[str, tuple[object, object]]:
    names = dict.fromkeys((*a, *b))
    return {name: (a.get(name), b.get(name)) for name in names if name not in a or name not in b or a[name] != b[name]}
