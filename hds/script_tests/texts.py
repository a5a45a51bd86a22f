"""Lines of output as directives write them: as they are, or in quotes with escapes where that would not say them.

Lines are texts in UTF-8; a byte that is none is a surrogate, as `surrogateescape` makes it. `quoted` and `unquoted` are
each other's opposites.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_PLAIN = {"\\": "\\", '"': '"', "t": "\t", "r": "\r", "n": "\n"}
GAP = "..."  # any lines, none included
_LAST_OF_BYTES, _SURROGATE = 0x7F, 0xDC00


def lines_of(data: bytes) -> list[str]:
    """The lines of an output; the last one may have no end."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    return lines if lines[-1] else lines[:-1]


def written(line: str) -> str:
    """What a directive has for a line."""
    plain = line.isprintable() and line == line.rstrip() and not line.startswith('"') and line.strip() != GAP
    return line if plain else quoted(line)


def quoted(line: str) -> str:
    """A line in quotes."""
    return '"' + "".join(map(_escaped, line)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if character == "\t":
        return "\\t"
    if _SURROGATE + 0x80 <= code <= _SURROGATE + 0xFF:
        return f"\\x{code - _SURROGATE:02x}"
    if character.isprintable():
        return character
    if code <= _LAST_OF_BYTES:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def unquoted(text: str) -> str:
    """The line that a directive means. Raises ValueError for a quote without its partner, and unknown escapes."""
    if not text.startswith('"'):
        return text
    if len(text) < 2 or not text.endswith('"'):
        raise ValueError('the closing `"` is missing')
    inner, parts, at = text[1:-1], [], 0
    while at < len(inner):
        if inner[at] == '"':
            raise ValueError('a `"` within quotes is written `\\"`')
        if inner[at] != "\\":
            parts.append(inner[at])
            at += 1
            continue
        match = _ESCAPE.match(inner, at)
        if match is None:
            raise ValueError('the closing `"` is missing')
        parts.append(_meant(match))
        at = match.end()
    return "".join(parts)


def _meant(match: re.Match[str]) -> str:
    byte, short, long, plain = match.groups()
    if byte is not None:
        code = int(byte, 16)
        return chr(code if code <= _LAST_OF_BYTES else _SURROGATE + code)
    if plain is not None:
        if plain not in _PLAIN:
            raise ValueError(f"there is no escape `\\{plain}`")
        return _PLAIN[plain]
    code = int(short or long, 16)
    if code > 0x10FFFF:
        raise ValueError(f"there is no character {code:x}")
    return chr(code)
