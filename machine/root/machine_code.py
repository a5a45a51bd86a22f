"""Hexadecimal machine code as condition and code blocks carry it (events-and-commands B.5). Needs no assembler."""

from __future__ import annotations

import re

from vm import late_pattern

RETURN = b"\xc3"  # HyperDbg appends a near return to every condition and code block

_SPACE = late_pattern(r"\s+")
_LEADING_MARK = late_pattern(r"\A(?:0x|\\x|x)", re.IGNORECASE)
_NOT_HEX = late_pattern(r"[^0-9a-fA-F]")


class HexError(Exception):
    """The text is not hexadecimal; `offset` is the offending character's place in it."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def from_hex(text: str) -> bytes:
    """The bytes of `90 90`, `9090`, `0x9090` or `\\x90\\x90`; an odd number of digits gets a 0 in front.

    Raises HexError. The return that ends a block is not appended.
    """
    digits = _SPACE.sub("", text)
    digits = _LEADING_MARK.sub("", digits).replace("\\x", "")
    bad = _NOT_HEX.search(digits)
    if bad is not None:
        character = bad.group()
        raise HexError(f"{character!r} is not a hexadecimal digit", max(text.find(character), 0))
    return bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0"))
