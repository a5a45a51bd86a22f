"""What `hds compile --emit llvm` and `--emit asm` print: the code of a program, for readers."""

from __future__ import annotations

from typing import Literal

from vm.engine import Loaded
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.native.codegen import assembly_text, llvm_text


def emit(loaded: Loaded, form: Literal["llvm", "asm"], limits: Limits = DEFAULT_LIMITS) -> str:
    """The LLVM module as it is before optimisation, each bytecode instruction in a comment; or the machine code."""
    text = llvm_text if form == "llvm" else assembly_text
    return text(loaded.program, limits.max_message)
