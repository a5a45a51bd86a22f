"""What two sequences have in common, in order: which elements of one stand against which of the other.

Elements that occur once in each sequence are anchors (patience); between them the shortest script of insertions and
deletions is looked for (Myers, An O(ND) Difference Algorithm), as far as `MOST_CHANGES` of them. Where there are more,
the way that came farthest is taken and the search begins anew behind it. So the time grows with the lengths times
`MOST_CHANGES` at most, and the memory with the lengths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import msgspec

MOST_CHANGES = 64  # in one search

Pair = tuple[int, int]


class Step(msgspec.Struct, frozen=True):
    """A stretch of both sequences, [a_start, a_end) and [b_start, b_end): the same elements, or else replaced ones."""

    same: bool
    a_start: int
    a_end: int
    b_start: int
    b_end: int


def steps(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Step]:
    """Both sequences from begin to end, in alternating stretches."""
    same_from, x, y = (0, 0), 0, 0
    for i, j in [*align(a, b), (len(a), len(b))]:
        ends = i == len(a) and j == len(b)
        if (i, j) != (x, y) or ends:
            if same_from != (x, y):
                yield Step(True, same_from[0], x, same_from[1], y)
            if (i, j) != (x, y):
                yield Step(False, x, i, y, j)
            same_from = (i, j)
        x, y = i + 1, j + 1


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Pair]:
    """Indices of elements that are equal and stand against each other, rising in both."""
    in_b = set(b)
    of_a = [i for i, element in enumerate(a) if element in in_b]
    in_a = {a[i] for i in of_a}
    of_b = [j for j, element in enumerate(b) if element in in_a]
    pairs = _align_common([a[i] for i in of_a], [b[j] for j in of_b])
    return [(of_a[i], of_b[j]) for i, j in pairs]


def _align_common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Pair]:
    """`align` of sequences whose elements all occur in both."""
    found: list[Pair] = []
    waiting = [(0, len(a), 0, len(b))]  # stretches, the first one last
    while waiting:
        low_a, high_a, low_b, high_b = waiting.pop()
        while low_a < high_a and low_b < high_b and a[low_a] == b[low_b]:
            found.append((low_a, low_b))
            low_a, low_b = low_a + 1, low_b + 1
        end_a, end_b = high_a, high_b
        while low_a < high_a and low_b < high_b and a[high_a - 1] == b[high_b - 1]:
            high_a, high_b = high_a - 1, high_b - 1
        found += zip(range(high_a, end_a), range(high_b, end_b), strict=True)
        if low_a == high_a or low_b == high_b:
            continue
        anchors = _anchors(a, b, low_a, high_a, low_b, high_b)
        if not anchors:
            found += _shortest(a, b, low_a, high_a, low_b, high_b)
            continue
        x, y = low_a, low_b
        for i, j in anchors:
            waiting.append((x, i, y, j))
            x, y = i + 1, j + 1
        found += anchors
        waiting.append((x, high_a, y, high_b))
    found.sort()
    return found


def _anchors(
    a: Sequence[Hashable], b: Sequence[Hashable], low_a: int, high_a: int, low_b: int, high_b: int
) -> list[Pair]:
    """The longest rising chain of elements that occur once in each stretch."""
    counts_a = Counter(a[i] for i in range(low_a, high_a))
    places: dict[Hashable, int] = {}
    twice: set[Hashable] = set()
    for j in range(low_b, high_b):
        if b[j] in places:
            twice.add(b[j])
        places[b[j]] = j
    pairs = [
        (i, places[a[i]]) for i in range(low_a, high_a) if counts_a[a[i]] == 1 and a[i] in places and a[i] not in twice
    ]
    ends: list[int] = []  # the least place in b at which a chain of each length ends
    last: list[int] = []  # the pair that is there
    before: list[int] = []  # each pair's one in its chain
    for number, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(j)
            last.append(number)
        else:
            ends[length], last[length] = j, number
    chain: list[Pair] = []
    at = last[-1] if last else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _shortest(
    a: Sequence[Hashable], b: Sequence[Hashable], low_a: int, high_a: int, low_b: int, high_b: int
) -> Iterator[Pair]:
    """The pairs of a shortest script, in searches of at most `MOST_CHANGES` changes each."""
    x, y = low_a, low_b
    while x < high_a and y < high_b:
        pairs, x, y = _search(a, b, x, high_a, y, high_b)
        yield from pairs


def _search(
    a: Sequence[Hashable], b: Sequence[Hashable], low_a: int, high_a: int, low_b: int, high_b: int
) -> tuple[list[Pair], int, int]:
    """Pairs from the beginning of a stretch on, and where the way ends that they lie on."""
    length_a, length_b = high_a - low_a, high_b - low_b
    farthest: dict[int, int] = {1: 0}  # x by diagonal x - y
    history: list[dict[int, int]] = []
    best, best_diagonal = -1, 0
    for changes in range(MOST_CHANGES + 1):
        history.append(dict(farthest))
        best = -1
        for diagonal in range(-changes, changes + 1, 2):
            down = diagonal == -changes or (
                diagonal != changes and farthest.get(diagonal - 1, -1) < farthest.get(diagonal + 1, -1)
            )
            x = farthest[diagonal + 1] if down else farthest[diagonal - 1] + 1
            y = x - diagonal
            while x < length_a and y < length_b and a[low_a + x] == b[low_b + y]:
                x, y = x + 1, y + 1
            farthest[diagonal] = x
            inside = x <= length_a and y <= length_b
            if inside and x + y > best:
                best, best_diagonal = x + y, diagonal
            if x >= length_a and y >= length_b:
                return _way(history, changes, diagonal, x, low_a, low_b), high_a, high_b
        if best < 0:
            break
    if best <= 0:
        return [], high_a, high_b
    x = farthest[best_diagonal]
    pairs = _way(history, len(history) - 1, best_diagonal, x, low_a, low_b)
    return pairs, low_a + x, low_b + x - best_diagonal


def _way(history: Sequence[dict[int, int]], changes: int, diagonal: int, x: int, low_a: int, low_b: int) -> list[Pair]:
    """The pairs on the way that ends on a diagonal behind so many changes, found backwards."""
    pairs: list[Pair] = []
    for number in range(changes, -1, -1):
        before = history[number]
        down = diagonal == -number or (
            diagonal != number and before.get(diagonal - 1, -1) < before.get(diagonal + 1, -1)
        )
        from_diagonal = diagonal + 1 if down else diagonal - 1
        start = 0 if number == 0 else before[from_diagonal] + (0 if down else 1)
        while x > start:
            x -= 1
            pairs.append((low_a + x, low_b + x - diagonal))
        if number:
            x, diagonal = before[from_diagonal], from_diagonal
    return pairs[::-1]
