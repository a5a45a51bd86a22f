"""What stands behind the colon of a directive: lines, patterns, numbers, places. All raise `BadValue`."""

from __future__ import annotations

import re
import shlex

from hds.script_tests.cases import OPERATORS, Bound, Bytes, Claim, Item, Place, RegisterValue, ValueOf
from hds.script_tests.texts import GAP, unquoted
from lang import Span, nearest_name
from vm.facts.numbers import DECIMAL, OPTION, number_in
from vm.facts.registers import REGISTER_INDEX

LONGEST_PATTERN = 1000  # characters
_MOST_COUNTED = (1 << 63) - 1
_COMPARISON = "|".join(sorted(map(re.escape, OPERATORS), key=len, reverse=True))
_COUNTER = re.compile(rf"(?P<name>[a-z_]+)(?P<comparison>{_COMPARISON})(?P<value>[0-9]+)")
_VALUE = re.compile(rf"(?P<expression>.*\S)\s*(?<![<>=!])(?P<comparison>{_COMPARISON})\s*(?P<value>-?[\w`]+)")
_PLACE = re.compile(
    r"(?P<code>[A-Za-z]\w*)(?:\s+(?P<file>(?![0-9]+:)[^\s:]+(?=:[0-9])):)?(?:\s*(?P<line>[0-9]{1,9})(?::(?P<column>[0-9]{1,9}))?)?"
)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[0-9A-Fa-f]+')


class BadValue(ValueError):  # noqa: N818 - it names what it reports
    """A directive's value is none; the text says why."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def text_in(span: Span) -> str:
    """A line of output, perhaps in quotes."""
    try:
        return unquoted(span.text)
    except ValueError as error:
        raise BadValue(f"{error}", 'lines that begin with a quote are written in quotes: "\\"a\\""') from None


def exact_item(span: Span) -> Item:
    """A mark's line, which has no quotes."""
    return Item(span.text, span)


def item(span: Span) -> Item:
    """`out:` a line, or `...`."""
    return Item("", span, gap=True) if span.text.strip() == GAP else Item(text_in(span), span)


def pattern_item(span: Span) -> Item:
    """`re:` a line by a regular expression."""
    return Item(span.text, span, pattern_in(span.text))


def pattern_in(text: str) -> re.Pattern[str]:
    """A regular expression of Python."""
    if len(text) > LONGEST_PATTERN:
        raise BadValue(f"the regular expression has more than {LONGEST_PATTERN} characters")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadValue(
            f"this is no regular expression: {error}", "a `\\` makes the next character stand for itself"
        ) from None


def claim(span: Span, stream: str, *, regular: bool, counted: bool, wanted: bool = True) -> Claim:
    """`has:`, `not:`, `count:` and their kin."""
    text, least, most = span.text, 1 if wanted else 0, None if wanted else 0
    if counted:
        number, _, text = text.lstrip().partition(" ")
        least = most = decimal(number, "expected a number of lines and what they have in them: 3 TEXT")
    if not text.strip():
        raise BadValue("what is to be looked for is missing")
    if regular:
        return Claim(stream, text, pattern_in(text), least, most, span)
    try:
        return Claim(stream, unquoted(text), None, least, most, span)
    except ValueError as error:
        raise BadValue(str(error)) from None


def decimal(text: str, otherwise: str) -> int:
    """A count, a code, a line."""
    value = number_in(text.strip(), DECIMAL, _MOST_COUNTED)
    if value is None:
        raise BadValue(otherwise, "counts, codes and lines are decimal")
    return value


def number(text: str) -> int:
    """A number as scripts write it, modulo 2 ** 64."""
    value = number_in(text.strip(), OPTION)
    if value is None:
        raise BadValue(f"`{text.strip()[:40]}` is no number", "hexadecimal as in scripts, or 0n and decimal digits")
    return value & 0xFFFF_FFFF_FFFF_FFFF


def words(span: Span) -> tuple[str, ...]:
    """A command line, with the quoting of a shell."""
    try:
        return tuple(shlex.split(span.text))
    except ValueError as error:
        raise BadValue(f"this is no command line: {str(error).lower()}") from None


def bounds(span: Span, event: int | None, text: str, names: tuple[str, ...]) -> tuple[Bound, ...]:
    """`triggers=5 errors=0`."""
    found = []
    for word in text.split():
        match = _COUNTER.fullmatch(word)
        if match is None:
            raise BadValue(f"`{word[:40]}` is no condition", f"such as {names[0]}=5 or {names[0]}>=1, without blanks")
        if match["name"] not in names:
            near = nearest_name(match["name"], names)
            raise BadValue(
                f"there is no counter `{match['name']}`", f"did you mean {near}?" if near else f"{', '.join(names)}"
            )
        value = decimal(match["value"], "this number is too large")
        found.append(Bound(event, match["name"], match["comparison"], value, span))
    if not found:
        raise BadValue("a condition is missing", f"such as {names[0]}=5")
    return tuple(found)


def registers(span: Span) -> tuple[RegisterValue, ...]:
    """`rax=5 rbx=0n10`."""
    found = []
    for word in span.text.split():
        name, equals, value = word.partition("=")
        name = name.removeprefix("@").lower()
        if not equals:
            raise BadValue(f"`{word[:40]}` is no register and its value", "such as rax=5, without blanks")
        if name not in REGISTER_INDEX:
            near = nearest_name(name, REGISTER_INDEX)
            raise BadValue(f"there is no register `{name[:40]}`", f"did you mean {near}?" if near else None)
        found.append(RegisterValue(name, number(value), span))
    if not found:
        raise BadValue("a register and its value are missing", "such as rax=5")
    return tuple(found)


def memory(span: Span) -> Bytes:
    """`401000 = 48 65 "llo"`."""
    place, equals, content = span.text.partition("=")
    if not equals:
        raise BadValue("expected ADDRESS = BYTES", 'such as 401000 = 48 65 6c, or 401000 = "Hel"')
    data, at = b"", 0
    content = content.strip()
    while at < len(content):
        match = _PIECE.match(content, at)
        if match is None:
            raise BadValue(f"`{content[at : at + 20]}` is neither hexadecimal bytes nor a quoted text")
        data += _piece(match[0])
        at = match.end()
        at += len(content[at:]) - len(content[at:].lstrip())
    if not data:
        raise BadValue("the bytes are missing")
    return Bytes(number(place), data, span)


def _piece(text: str) -> bytes:
    try:
        if text.startswith('"'):
            return unquoted(text).encode("utf-8", "surrogateescape")
        return bytes.fromhex(text)
    except ValueError as error:
        what = str(error) if text.startswith('"') else f"`{text[:20]}` has half a byte"
        raise BadValue(what) from None


def value_of(span: Span) -> ValueOf:
    """`.calls = 5`: an expression, a comparison and a number."""
    match = _VALUE.fullmatch(span.text.strip())
    if match is None:
        raise BadValue("expected EXPRESSION = NUMBER", "such as .calls = 5; comparisons are " + " ".join(OPERATORS))
    return ValueOf(match["expression"], match["comparison"], number(match["value"]), span)


def place(span: Span) -> Place:
    """`E011`, `E011 12`, `E011 12:5` or `E011 other.ds:3`."""
    match = _PLACE.fullmatch(span.text.strip())
    if match is None:
        raise BadValue("expected CODE [[FILE:]LINE[:COLUMN]]", "such as E011 12:5")
    line, column = (int(match[part]) if match[part] else None for part in ("line", "column"))
    return Place(match["code"], line, column, span, match["file"])
