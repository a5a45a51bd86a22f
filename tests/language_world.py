"""The world of the documentation's examples (docs/language.md 1.2), and what came of a script that ran in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vm.host import MemoryHost
from vm.program import Program

REGISTERS = {
    "rax": 0x11, "rcx": 0x22, "rdx": 0x33, "rbx": 0x44, "rsp": 0x10000800, "rbp": 0x10000900, "rsi": 0x55, "rdi": 0x66,
    **{f"r{number}": number for number in range(8, 16)},
}  # fmt: skip
PAGE = (
    b"Hello, world".ljust(0x20, b"\0")
    + b"hyper".ljust(0x20, b"\0")
    + "Wide text".encode("utf-16-le").ljust(0x20, b"\0")
    + "zebra".encode("utf-16-le").ljust(0x20, b"\0")
    + b"".join(
        n.to_bytes(8, "little") for n in (0x1122334455667788, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001, 0x10000000)
    )
)


@dataclass(frozen=True)
class Outcome:
    """What a script did: the codes found, its output, the kind of its run-time error, and the host afterwards."""

    codes: tuple[str, ...]
    program: Program | None
    output: str
    fault: str | None
    host: MemoryHost
    steps: int = 0


def example_host() -> MemoryHost:
    """The world before every example."""
    return MemoryHost.with_memory(REGISTERS, [(0x10000000, 0x1000, PAGE)])


Run = Callable[..., Outcome]
