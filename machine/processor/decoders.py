"""Capstone's decoders of x86 code. Capstone is loaded when one first asks: most runs look at no instruction."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def decoder(bits: int = 64, *, detail: bool = False, syntax: str = "intel") -> Any:
    """The decoder of 64- or 32-bit code; `syntax` is intel, att or masm. `detail`: with operands and groups."""
    import capstone

    made = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)
    options = {"intel": capstone.CS_OPT_SYNTAX_INTEL, "att": capstone.CS_OPT_SYNTAX_ATT}
    made.syntax = options.get(syntax, capstone.CS_OPT_SYNTAX_MASM)
    made.detail = detail
    return made
