"""Registers as section 10.1 lists them: which bits of which storage a name means."""

# ruff: noqa: SIM905  (names as they stand in the document, not one string literal each)
from __future__ import annotations


def _table() -> dict[str, tuple[str, int, int]]:
    """Name -> (storage, lowest bit, number of bits)."""
    table: dict[str, tuple[str, int, int]] = {}
    for name in "rax rbx rcx rdx rsi rdi rbp rsp".split():
        table |= {name: (name, 0, 64), "e" + name[1:]: (name, 0, 32), name[1:]: (name, 0, 16)}
    for letter in "abcd":
        table |= {letter + "h": (f"r{letter}x", 8, 8), letter + "l": (f"r{letter}x", 0, 8)}
    for name in "si di bp sp".split():
        table[name + "l"] = ("r" + name, 0, 8)
    for number in range(8, 16):
        name = f"r{number}"
        table |= {name: (name, 0, 64), name + "d": (name, 0, 32), name + "w": (name, 0, 16)}
        table |= {name + "h": (name, 8, 8), name + "l": (name, 0, 8)}
    table |= {"rip": ("rip", 0, 64), "eip": ("rip", 0, 32), "ip": ("rip", 0, 16)}
    table |= {"rflags": ("rflags", 0, 64), "eflags": ("rflags", 0, 32), "flags": ("rflags", 0, 16)}
    flags = "cf pf af zf sf tf if df of nt rf vm ac vif vip id".split()
    bits = (0, 2, 4, 6, 7, 8, 9, 10, 11, 14, 16, 17, 18, 19, 20, 21)
    table |= {name: ("rflags", bit, 1) for name, bit in zip(flags, bits, strict=True)}
    table["iopl"] = ("rflags", 12, 2)
    table |= {name: (name, 0, 16) for name in "cs ds es fs gs ss".split()}
    whole = "cr0 cr2 cr3 cr4 cr8 dr0 dr1 dr2 dr3 dr6 dr7 gdtr idtr ldtr tr"
    table |= {name: (name, 0, 64) for name in whole.split()}
    return table


REGISTERS = _table()
