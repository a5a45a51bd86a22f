"""Hooks as machine code, where llvmlite is there to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machine.processor.binding import function_address

if TYPE_CHECKING:
    from vm.native import MachineCode


def compiled_hooks(text: str, *called: str) -> MachineCode | None:
    """Functions in LLVM's language, which call these of Unicorn; None where llvmlite is missing."""
    try:
        from vm.native import add_symbol, compile_text
    except ImportError:
        return None
    for name in called:
        add_symbol(name, function_address(name))
    return compile_text(text)


def address_in(code: MachineCode | None, name: str) -> int | None:
    """The address of one of these functions."""
    return None if code is None else code.address(name)
