"""`printf` (section 12.2): one specifier after another, as C prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Stopped
from .memory import Memory

SPECIFIER = re.compile(
    rb"(?P<flags>[-+ #0]*)(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]*))?"
    rb"(?P<what>(?:hh?|ll?)?[diuxXo]|l?c|p|[wl]?s|l?[feg])"
)
MAX_MESSAGE = 4095


@dataclass(frozen=True)
class Specifier:
    flags: str
    width: int
    precision: int | None
    size: str
    letter: str

    @property
    def argument(self) -> str:
        """What it takes: `float`, `narrow` text, `wide` text or `integer`."""
        if self.letter in "feg":
            return "float"
        if self.letter == "s":
            return "wide" if self.size else "narrow"
        return "integer"


def split(text: bytes) -> list[bytes | Specifier]:
    """Ordinary characters and specifiers, in order."""
    parts: list[bytes | Specifier] = []
    at = 0
    while at < len(text):
        if text[at : at + 1] != b"%":
            parts.append(text[at : at + 1])
            at += 1
            continue
        if text[at + 1 : at + 2] == b"%":
            parts.append(b"%")
            at += 2
            continue
        match = SPECIFIER.match(text, at + 1)
        if match is None or match["what"].startswith(b"hh"):
            parts.append(b"%")
            at += 1
            continue
        precision = match["precision"]
        what = match["what"].decode()
        parts.append(
            Specifier(
                match["flags"].decode(),
                int(match["width"] or 0),
                None if precision is None else int(precision or 0),
                what[:-1],
                what[-1],
            )
        )
        at = match.end()
    return parts


def message(parts: list[bytes | Specifier], values: list[int | float], memory: Memory) -> bytes:
    """The text of a printf, up to its first zero byte. Stops with message_too_long or invalid_address."""
    left = iter(values)
    text = b"".join(part if isinstance(part, bytes) else shown(part, next(left), memory) for part in parts)
    text = text.split(b"\0")[0]
    if len(text) + 1 > MAX_MESSAGE:
        raise Stopped("message_too_long")
    return text


def shown(part: Specifier, value: int | float, memory: Memory) -> bytes:
    """One argument, padded to the width."""
    if max(part.width, part.precision or 0) >= MAX_MESSAGE:
        raise Stopped("message_too_long")
    sign, body, zeros_allowed = converted(part, value, memory)
    missing = part.width - len(sign) - len(body)
    if missing <= 0:
        return sign + body
    if "-" in part.flags:
        return sign + body + b" " * missing
    if "0" in part.flags and zeros_allowed:
        return sign + b"0" * missing + body
    return b" " * missing + sign + body


def converted(part: Specifier, value: int | float, memory: Memory) -> tuple[bytes, bytes, bool]:
    """Sign or prefix, the rest, and whether zeros may come between them."""
    bits = {"h": 16, "ll": 64}.get(part.size, 32)
    positive = b"+" if "+" in part.flags else b" " if " " in part.flags else b""
    match part.letter:
        case "d" | "i":
            number = int(value) % (1 << bits)
            negative = number >= 1 << (bits - 1)
            digits = str((1 << bits) - number if negative else number)
            return b"-" if negative else positive, with_precision(part, digits), part.precision is None
        case "u" | "x" | "X" | "o":
            number = int(value) % (1 << bits)
            text = with_precision(part, format(number, {"u": "d"}.get(part.letter, part.letter)))
            if "#" in part.flags and part.letter == "o" and not text.startswith(b"0"):
                text = b"0" + text
            prefix = b"0" + part.letter.encode() if "#" in part.flags and part.letter in "xX" and number else b""
            return prefix, text, part.precision is None
        case "c":
            return (
                b"",
                wide_text((int(value) % 65536).to_bytes(2, "little")) if part.size else bytes([int(value) % 256]),
                False,
            )
        case "p":
            return b"", b"%016X" % (int(value) % (1 << 64)), False
        case "s":
            most = MAX_MESSAGE if part.precision is None else min(part.precision, MAX_MESSAGE)
            units = memory.units(int(value), 2 if part.size else 1, most)
            if units is None:
                raise Stopped("invalid_address")
            return b"", wide_text(units) if part.size else units, False
    alternate = "#" if "#" in part.flags else ""
    precision = 6 if part.precision is None else part.precision
    text = format(abs(float(value)), f"{alternate}.{precision}{part.letter}").encode()
    return b"-" if str(value).startswith("-") else positive, text, True


def with_precision(part: Specifier, digits: str) -> bytes:
    if part.precision == 0 and digits == "0":
        return b""
    return digits.rjust(part.precision or 0, "0").encode()


def wide_text(units: bytes) -> bytes:
    """UTF-16 as UTF-8; unpaired surrogates as `?`."""
    return units.decode("utf-16-le", "surrogatepass").encode("utf-8", "replace")
