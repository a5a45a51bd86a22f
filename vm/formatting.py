"""printf: formats are parsed once, and rendered the same by every engine (language.md 12.2).

`parse` splits the bytes of a format into literal text and conversions; `render` builds the message. The compiler uses
`parse` too, to check the arguments.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

import msgspec

from vm.engine import FaultKind
from vm.facts.numbers import DECIMAL, read
from vm.patterns import late_pattern
from vm.semantics import Stop, sign_extend, signed, to_double

_CONVERSION = late_pattern(
    rb"%(?:(?P<percent>%)"
    rb"|(?P<flags>[-+ #0]*+)(?P<width>\d*+)(?P<precision>\.\d*+)?"
    rb"(?:(?P<size>h|ll|l|)(?P<integer>[diuxXo])|(?P<wchar>l?)(?P<char>c)|(?P<pointer>p)|(?P<wide>[wl]?)(?P<string>s)"
    rb"|l?(?P<float>[feg])))"
)
_LARGEST = 10**18  # what a width or precision of more digits counts as; max_message strikes long before
_CACHED = 4096  # bytes of the longest format that is kept in its parsed form
_BITS = {b"": 32, b"l": 32, b"h": 16, b"ll": 64}


class Conversion(msgspec.Struct, frozen=True):
    """One specifier: the conversion letter (`s` = narrow, `S` = wide text), bits of an integer, flags and sizes.

    `start` and `end` are its place in the format's bytes; `extended` tells that HyperDbg v0.23 does not know it (P090).
    """

    letter: str
    bits: int
    flags: str
    width: int
    precision: int | None
    start: int
    end: int
    extended: bool

    @property
    def is_float(self) -> bool:
        """Whether it takes a floating-point argument."""
        return self.letter in "feg"


class Format(msgspec.Struct, frozen=True):
    """A parsed format: pieces in order, the places of stray percent signs and of `%%`."""

    pieces: tuple[bytes | Conversion, ...]
    stray: tuple[int, ...]
    escaped: tuple[int, ...]

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """The specifiers, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Conversion))


def parse(text: bytes) -> Format:
    """Split a format. Never fails: a percent sign that begins no specifier is an ordinary character."""
    return _parse_cached(text) if len(text) <= _CACHED else _parse(text)


def _parse(text: bytes) -> Format:
    pieces: list[bytes | Conversion] = []
    stray: list[int] = []
    escaped: list[int] = []
    literal = bytearray()
    at = 0
    while at < len(text):
        percent = text.find(b"%", at)
        if percent < 0:
            break
        literal += text[at:percent]
        match = _CONVERSION.match(text, percent)
        if match is None:
            stray.append(percent)
            literal += b"%"
            at = percent + 1
            continue
        at = match.end()
        if match["percent"]:
            escaped.append(percent)
            literal += b"%"
            continue
        if literal:
            pieces.append(bytes(literal))
            literal.clear()
        pieces.append(_conversion(match))
    literal += text[at:]
    if literal:
        pieces.append(bytes(literal))
    return Format(tuple(pieces), tuple(stray), tuple(escaped))


_parse_cached = functools.lru_cache(maxsize=1024)(_parse)


def _number(digits: bytes) -> int:
    """A decimal width or precision of any length, saturated."""
    return min(read(digits.decode(), DECIMAL).value, _LARGEST)


def _conversion(match: re.Match[bytes]) -> Conversion:
    flags, width, precision = match["flags"].decode(), _number(match["width"]), match["precision"]
    letter, bits = "c", 8
    if match["integer"]:
        letter, bits = match["integer"].decode(), _BITS[match["size"]]
    elif match["char"]:
        letter = "C" if match["wchar"] else "c"
    elif match["pointer"]:
        letter, bits = "p", 64
    elif match["string"]:
        letter, bits = "S" if match["wide"] else "s", 64
    elif match["float"]:
        letter, bits = match["float"].decode(), 64
    text = match[0]
    extended = bool(flags or match["width"] or precision) or letter in "XegC" or (letter == "f" and b"l" in text)
    digits = None if precision is None else _number(precision[1:])
    return Conversion(letter, bits, flags, width, digits, match.start(), match.end(), extended)


def render(
    form: Format, arguments: Sequence[int], text_at: Callable[[int, bool, int], bytes], max_message: int
) -> bytes:
    """The message of a printf: `arguments` are 64-bit patterns (doubles for floating-point conversions).

    `text_at(address, wide, most)` gives the units before the terminating zero, at most `most` of them, as bytes.
    Raises Stop(MESSAGE_TOO_LONG) when the text and its terminating zero need more than max_message bytes.
    """
    out = bytearray()
    values = iter(arguments)
    for piece in form.pieces:
        if isinstance(piece, bytes):
            out += piece
        elif max(piece.width, piece.precision or 0) >= max_message:
            raise Stop(FaultKind.MESSAGE_TOO_LONG, width=max(piece.width, piece.precision or 0), limit=max_message)
        else:
            out += _pad(piece, _convert(piece, next(values), text_at, max_message))
    message = bytes(out).split(b"\0", 1)[0]
    if len(message) + 1 > max_message:
        raise Stop(FaultKind.MESSAGE_TOO_LONG, bytes=len(message) + 1, limit=max_message)
    return message


def _convert(
    piece: Conversion, value: int, text_at: Callable[[int, bool, int], bytes], max_message: int
) -> tuple[bytes, bytes, bytes]:
    """Sign or prefix, leading zeros that the precision asks for, and body of one conversion."""
    if piece.letter in "di":
        number = signed(sign_extend(value, piece.bits))
        sign = b"-" if number < 0 else b"+" if "+" in piece.flags else b" " if " " in piece.flags else b""
        return sign, *_digits(piece, b"%d" % abs(number))
    if piece.letter in "uxXo":
        number = value & ((1 << piece.bits) - 1)
        body = {"u": b"%d", "x": b"%x", "X": b"%X", "o": b"%o"}[piece.letter] % number
        alternate = "#" in piece.flags
        if alternate and piece.letter == "o":
            zeros, body = _digits(piece, body)
            # The first digit is a zero, also where the precision 0 leaves nothing of the value 0.
            return b"", zeros, body if (zeros + body).startswith(b"0") else b"0" + body
        prefix = {"x": b"0x", "X": b"0X"}.get(piece.letter, b"") if alternate and number else b""
        return prefix, *_digits(piece, body)
    if piece.letter == "c":
        return b"", b"", bytes((value & 0xFF,))
    if piece.letter == "C":
        return b"", b"", decode_wide((value & 0xFFFF).to_bytes(2, "little"))
    if piece.letter == "p":
        return b"", b"", b"%016X" % value
    if piece.letter in "sS":
        wide = piece.letter == "S"
        most = max_message if piece.precision is None else min(piece.precision, max_message)
        text = text_at(value, wide, most)
        return b"", b"", decode_wide(text) if wide else text
    text_form = ("%" + piece.flags.replace("-", "").replace("0", "") + f".{_precision(piece)}" + piece.letter).encode()
    body = text_form % to_double(value)
    sign = body[:1] if body[:1] in (b"-", b"+", b" ") else b""
    return sign, b"", body[len(sign) :]


def _precision(piece: Conversion) -> int:
    return 6 if piece.precision is None else piece.precision


def _digits(piece: Conversion, body: bytes) -> tuple[bytes, bytes]:
    if piece.precision is None:
        return b"", body
    if piece.precision == 0 and body == b"0":
        return b"", b""
    return b"0" * (piece.precision - len(body)), body


def _pad(piece: Conversion, parts: tuple[bytes, bytes, bytes]) -> bytes:
    prefix, zeros, body = parts
    missing = piece.width - len(prefix) - len(zeros) - len(body)
    if missing <= 0:
        return prefix + zeros + body
    if "-" in piece.flags:
        return prefix + zeros + body + b" " * missing
    number = piece.letter in "diuxXo" and piece.precision is None
    if "0" in piece.flags and (number or (piece.is_float and body[:1].isdigit())):
        return prefix + b"0" * missing + zeros + body
    return b" " * missing + prefix + zeros + body


def decode_wide(units: bytes) -> bytes:
    """UTF-16 little-endian text as UTF-8; an unpaired surrogate becomes `?`."""
    text = units.decode("utf-16-le", "surrogatepass")
    return text.encode("utf-8", "replace")


def print_message(value: int) -> bytes:
    """The message of print: the 64-bit pattern in lower-case hexadecimal and a line feed (language.md 12.1)."""
    return b"%x\n" % value
