"""What a word may point to in any call: texts, bytes, structures, arrays."""

from __future__ import annotations

import struct

from hds.tracing.linux.structures import STRUCTURES, signal_set
from hds.tracing.linux.words import LOW, TYPES, descriptor, length, plain, typed
from hds.tracing.views import (
    LONGEST_PATH,
    MOST_ITEMS,
    View,
    address,
    listed,
    members,
    quoted,
)


@plain("path")
def path(view: View, word: int) -> str:
    """A path is shown whole."""
    return text_at(view, word, LONGEST_PATH)


@plain("string")
def _string(view: View, word: int) -> str:
    return text_at(view, word, view.longest)


def text_at(view: View, word: int, longest: int) -> str:
    """A text that ends with a zero."""
    if not word:
        return "NULL"
    found = view.until_zero(word, longest)
    return address(word) if found is None else quoted(found[0], longest, is_whole=found[1])


@typed("data", "hexdata")
def _data(view: View, word: int, place: str) -> str:
    return bytes_at(view, word, length(view, place))


def bytes_at(view: View, word: int, size: int, *, all_in_hexadecimal: bool = False) -> str:
    """So many bytes."""
    if not word:
        return "NULL"
    if size == 0:
        return '""'
    data = view.exactly(word, min(size, view.longest))
    if data is None:
        return address(word)
    return quoted(data, view.longest, is_whole=size <= view.longest, all_in_hexadecimal=all_in_hexadecimal)


TYPES["hexdata"] = lambda view, word, place: bytes_at(view, word, length(view, place), all_in_hexadecimal=True)


def _pointers(view: View, word: int, width: int, most: int) -> list[int] | None:
    """A table of pointers of so many bytes, up to the 0 at its end or to the `most`; None where it is not mapped."""
    found: list[int] = []
    while len(found) < most:
        pointer = view.integer(word + width * len(found), width)
        if pointer is None:
            return None
        if not pointer:
            break
        found.append(pointer)
    return found


def strings(view: View, word: int, width: int) -> str:
    """The texts of a table of pointers of so many bytes."""
    if not word:
        return "NULL"
    found = _pointers(view, word, width, MOST_ITEMS + 1)
    if found is None:
        return address(word)
    shown = [text_at(view, pointer, view.longest) for pointer in found[:MOST_ITEMS]]
    return listed(shown, more=len(found) > MOST_ITEMS)


def environment(view: View, word: int, width: int) -> str:
    """How many variables there are in a table of pointers of so many bytes."""
    if not word:
        return "NULL"
    found = _pointers(view, word, width, LONGEST_PATH)
    if found is None:
        return address(word)
    return f"{address(word)} /* {len(found)} var{'' if len(found) == 1 else 's'} */"


TYPES["strings"] = lambda view, word, _: strings(view, word, 8)
TYPES["environment"] = lambda view, word, _: environment(view, word, 8)


@typed("struct")
def structure(view: View, word: int, name: str) -> str:
    """A structure, by its row in `structures`."""
    size, show = STRUCTURES[name]
    data = view.exactly(word, size)
    return address(word) if data is None else show(view, data)


def numbers(view: View, word: int, count: int, form: str) -> list[int] | None:
    """So many numbers of a form of `struct`; None where they are not mapped."""
    data = view.exactly(word, struct.calcsize(f"<{form}") * count)
    return None if data is None else list(struct.unpack(f"<{count}{form}", data))


def boxed(view: View, word: int, form: str) -> str:
    """One number in memory."""
    found = numbers(view, word, 1, form)
    return address(word) if found is None else f"[{found[0]}]"


TYPES["fds"] = lambda view, word, _: _pair(view, word)
TYPES["word"] = lambda view, word, _: boxed(view, word, "q")
TYPES["uint_at"] = lambda view, word, _: boxed(view, word, "I")
TYPES["int_at"] = TYPES["length"] = TYPES["sched_parameter"] = lambda view, word, _: boxed(view, word, "i")


def _pair(view: View, word: int) -> str:
    found = numbers(view, word, 2, "i")
    return address(word) if found is None else listed(descriptor(view, number & LOW) for number in found)


@typed("groups")
def _groups(view: View, word: int, place: str) -> str:
    count = length(view, place)
    found = numbers(view, word, min(count, MOST_ITEMS), "I") if count else []
    return address(word) if found is None else listed(map(str, found), more=count > MOST_ITEMS)


@typed("iovec")
def _iovec(view: View, word: int, place: str) -> str:
    return vectors(view, word, length(view, place))


def vectors(view: View, word: int, count: int, form: str = "Q") -> str:
    """An array of struct iovec of such words; of what a call has read, as much as it did."""
    if not word:
        return "NULL"
    rows, left = [], view.result
    for at in range(min(count, MOST_ITEMS)):
        found = numbers(view, word + 2 * struct.calcsize(form) * at, 2, form)
        if found is None:
            return address(word)
        base, size = found
        there = size if left is None else min(size, max(left, 0))
        left = None if left is None else left - there
        shown = bytes_at(view, base, there) if left is None or there or not view.failed else address(base)
        rows.append(members((("iov_base", shown), ("iov_len", str(size)))))
    return listed(rows, more=count > MOST_ITEMS)


@plain("sigset")
def signal_set_at(view: View, word: int) -> str:
    """A set of signals in memory."""
    found = view.integer(word, 8)
    return address(word) if found is None else signal_set(found)
