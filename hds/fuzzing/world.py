"""The world in which generated programs run, and everything that can be seen of a run."""

from __future__ import annotations

import msgspec

from vm import Engine, GlobalStore, MemoryHost, Program
from vm.facts.limits import Limits

PAGE_ADDRESS = 0x1000_0000
REGISTERS = {
    "rax": 0x11, "rcx": 0x22, "rdx": 0x33, "rbx": 0x44, "rsp": 0x10000800, "rbp": 0x10000900, "rsi": 0x55, "rdi": 0x66,
    **{f"r{number}": number for number in range(8, 16)}, "rip": 0xFFFF_F800_1122_3344, "rflags": 0x202,
}  # fmt: skip
PSEUDO = {
    "pid": 0x1234,
    "tid": 0x77,
    "core": 1,
    "context": 0xFFFF_FFFF_0000_0055,
    "event_id": 3,
    "ip": 0x7FF6_0000_1000,
}
NUMBERS = (0x1122334455667788, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001, 0x10000000)
PAGE = b"".join(
    (
        b"Hello, world".ljust(0x20, b"\0"),
        b"hyper".ljust(0x20, b"\0"),
        "Wide text".encode("utf-16-le").ljust(0x20, b"\0"),
        "zebra".encode("utf-16-le").ljust(0x20, b"\0"),
        *(number.to_bytes(8, "little") for number in NUMBERS),
    )
)


def world() -> MemoryHost:
    """Registers and one mapped page, the same before every run."""
    return MemoryHost.with_memory(REGISTERS, [(PAGE_ADDRESS, 0x1000, PAGE)], **PSEUDO)


class Effects(msgspec.Struct, frozen=True):
    """What a run did to the world: whoever runs the program, these must be the same."""

    messages: tuple[bytes, ...]
    stop: str | None
    registers: tuple[tuple[str, int], ...]
    memory: bytes
    requests: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, host: MemoryHost, stop: str | None) -> Effects:
        """The effects that a host shows after a run."""
        registers = tuple(sorted(item for item in host.registers.items() if item[1]))
        memory = b"".join(bytes(page) for _, page in sorted(host.pages.items()))
        return cls(tuple(host.messages), stop, registers, memory, tuple(host.requests))


class Observation(msgspec.Struct, frozen=True):
    """What two engines must agree on besides: steps, the place and values of the fault, the bytes of the globals.

    `entries` of basic blocks, where they are counted.
    """

    effects: Effects
    steps: int
    pc: int | None
    values: tuple[tuple[str, int], ...]
    globals: bytes
    entries: tuple[int, ...] = ()


def observe(engine: Engine, program: Program, limits: Limits, *, counts_entries: bool = False) -> Observation:
    """Load and run with fresh globals in a fresh world. Raises what `Engine.load` raises."""
    store, host = GlobalStore(limits), world()
    loaded = engine.load(program, store, counts_entries=counts_entries)
    result = engine.run(loaded, host)
    fault = result.fault
    return Observation(
        Effects.of(host, fault.kind.value if fault else None),
        result.steps,
        fault.pc if fault else None,
        tuple(sorted(fault.values.items())) if fault else (),
        bytes(store.memory[: store.used]),
        tuple(loaded.entries or ()),
    )


def difference(expected: object, got: object, names: tuple[str, str]) -> str | None:
    """Where two observations differ, field by field; None where they are equal."""
    if expected == got:
        return None
    lines = []
    for field in getattr(expected, "__struct_fields__", ()):
        one, other = getattr(expected, field), getattr(got, field)
        if one != other:
            nested = difference(one, other, names) if isinstance(one, msgspec.Struct) else None
            lines.append(nested or f"{field}: {names[0]} {_shown(one, other)}, {names[1]} {_shown(other, one)}")
    return "; ".join(lines) or f"{names[0]} {expected!r}, {names[1]} {got!r}"


def _shown(value: object, other: object) -> str:
    """A value, or its first part that differs from the other one's."""
    if isinstance(value, bytes | tuple) and isinstance(other, bytes | tuple):
        at = next(
            (i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), min(len(value), len(other))
        )
        return f"{value[at : at + 4]!r} at {at} of {len(value)}"
    return repr(value)
