"""The hexadecimal form of `code` and `condition` blocks -> bytes (events-and-commands.md B.5).

A leading 0x, \\x or x and every inner \\x are dropped, an odd number of digits gets a 0 in front. Beyond HyperDbg,
white space is ignored. The near return that ends such code is not added here.
"""

from __future__ import annotations

import re

from lang.code import Code
from lang.commands.syntax import HexCode
from lang.commands.tokens import Token
from lang.diagnostics import Diagnostic
from vm import late_pattern
from vm.facts.errors import ErrorNumber

_PREFIX = late_pattern(r"\s*(?:0x|\\x|x)?", re.IGNORECASE)
_PIECE = late_pattern(r"\s+|\\x|(?P<digits>[0-9a-f]+)", re.IGNORECASE | re.ASCII)


def parse_hex(token: Token) -> HexCode | Diagnostic:
    """The bytes of a block, or what is wrong with it at the first character that does not belong."""
    prefix = _PREFIX.match(token.text)
    at = prefix.end() if prefix else 0
    pieces: list[str] = []
    while at < len(token.text):
        piece = _PIECE.match(token.text, at)
        if piece is None:
            hint = "write bytes as `90 90` or `\\x90\\x90`, or put `asm` before the keyword for assembly text"
            span = token.span_of(at, at + 1)
            return Diagnostic(Code.BAD_HEX, f"'{token.text[at]}' is not a hexadecimal digit", span, hint)
        pieces.append(piece["digits"] or "")
        at = piece.end()
    digits = "".join(pieces)
    if not digits:
        return Diagnostic(
            Code.EMPTY_CODE, ErrorNumber.ACTION_BUFFER_SIZE_IS_ZERO.said("this block holds no bytes"), token.span
        )
    return HexCode(bytes.fromhex("0" * (len(digits) % 2) + digits), token)
