"""The registers of x86-64 as gdb knows them: its standard features, and where each value comes from.

The order of a `g` packet is that of `org.gnu.gdb.i386.core`, `.sse`, `.linux` and `.segments` (GDB manual, appendix
G.5 "Standard Target Features"). Values of x87 and SSE stand in an image of FXSAVE (Intel SDM volume 1, section 10.5).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vm.facts.registers import STORAGE_INDEX

_X87_AT, _SSE_AT, _ROW = 32, 160, 16


class Row(msgspec.Struct, frozen=True):
    """A register: gdb's name, its bytes, the type of gdb's description.

    It is a storage, a field of the FXSAVE image (`at` and how many bytes there) or a model-specific register.
    """

    name: str
    size: int
    type: str
    storage: int | None = None
    at: int | None = None
    width: int = 0
    msr: int | None = None


def _general() -> tuple[Row, ...]:
    names = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)), "rip")
    types = {"rbp": "data_ptr", "rsp": "data_ptr", "rip": "code_ptr"}
    return tuple(Row(name, 8, types.get(name, "int64"), STORAGE_INDEX[name]) for name in names)


CORE: tuple[Row, ...] = (
    *_general(),
    Row("eflags", 4, "i386_eflags", STORAGE_INDEX["rflags"]),
    *(Row(name, 4, "int32", STORAGE_INDEX[name]) for name in ("cs", "ss", "ds", "es", "fs", "gs")),
    *(Row(f"st{number}", 10, "i387_ext", at=_X87_AT + _ROW * number, width=10) for number in range(8)),
    Row("fctrl", 4, "int", at=0, width=2),
    Row("fstat", 4, "int", at=2, width=2),
    Row("ftag", 4, "int", at=4, width=1),
    Row("fiseg", 4, "int", at=12, width=2),
    Row("fioff", 4, "int", at=8, width=4),
    Row("foseg", 4, "int", at=20, width=2),
    Row("fooff", 4, "int", at=16, width=4),
    Row("fop", 4, "int", at=6, width=2),
)
SSE: tuple[Row, ...] = (
    *(Row(f"xmm{number}", 16, "vec128", at=_SSE_AT + _ROW * number, width=16) for number in range(16)),
    Row("mxcsr", 4, "i386_mxcsr", at=24, width=4),
)
SEGMENTS: tuple[Row, ...] = (
    Row("fs_base", 8, "int64", msr=0xC000_0100),
    Row("gs_base", 8, "int64", msr=0xC000_0101),
)
REGISTERS: tuple[Row, ...] = (*CORE, *SSE, *SEGMENTS)


def _feature(name: str, rows: tuple[Row, ...], types: str = "") -> str:
    lines = "".join(f'<reg name="{row.name}" bitsize="{8 * row.size}" type="{row.type}"/>' for row in rows)
    return f'<feature name="org.gnu.gdb.i386.{name}">{types}{lines}</feature>'


def _flags(name: str, size: int, fields: dict[str, int]) -> str:
    bits = "".join(f'<field name="{field}" start="{bit}" end="{bit}"/>' for field, bit in fields.items())
    return f'<flags id="{name}" size="{size}">{bits}</flags>'


_EFLAGS = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11, "NT": 14, "RF": 16}
_MXCSR = {"IE": 0, "DE": 1, "ZE": 2, "OE": 3, "UE": 4, "PE": 5, "DAZ": 6, "FZ": 15}
_VECTORS = "".join(
    f'<vector id="{name}" type="{kind}" count="{count}"/>'
    for name, kind, count in (
        ("v4f", "ieee_single", 4),
        ("v2d", "ieee_double", 2),
        ("v16i8", "int8", 16),
        ("v8i16", "int16", 8),
        ("v4i32", "int32", 4),
        ("v2i64", "int64", 2),
    )
)
_VEC128 = "".join(
    f'<field name="{name}" type="{kind}"/>'
    for name, kind in (
        ("v4_float", "v4f"),
        ("v2_double", "v2d"),
        ("v16_int8", "v16i8"),
        ("v8_int16", "v8i16"),
        ("v4_int32", "v4i32"),
        ("v2_int64", "v2i64"),
        ("uint128", "uint128"),
    )
)


def description(system: str | None) -> str:
    """The target description; `system` is gdb's name of the guest's, None where there is none."""
    parts = (
        _feature("core", CORE, _flags("i386_eflags", 4, _EFLAGS)),
        _feature("sse", SSE, f'{_VECTORS}<union id="vec128">{_VEC128}</union>{_flags("i386_mxcsr", 4, _MXCSR)}'),
        _feature("segments", SEGMENTS),
    )
    abi = "" if system is None else f"<osabi>{system}</osabi>"
    return (
        '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">'
        f"<architecture>i386:x86-64</architecture>{abi}{''.join(parts)}</target>"
    )


class State(msgspec.Struct, frozen=True):
    """Where the values of one thread are read and written."""

    read: Callable[[int], int]  # of a storage
    write: Callable[[int, int], None]
    fxsave: Callable[[], bytes]
    set_fxsave: Callable[[bytes], None]
    read_msr: Callable[[int], int]
    write_msr: Callable[[int, int], None]


def value(row: Row, state: State, image: bytes) -> bytes:
    """The bytes of a register as gdb wants them; `image` is that of FXSAVE."""
    if row.storage is not None:
        number = state.read(row.storage)
    elif row.msr is not None:
        number = state.read_msr(row.msr)
    else:
        assert row.at is not None
        number = int.from_bytes(image[row.at : row.at + row.width], "little")
        if row.name == "ftag":
            number = _full_tags(number)
    return (number & (1 << 8 * row.size) - 1).to_bytes(row.size, "little")


def set_value(row: Row, state: State, data: bytes) -> None:
    """Give a register these bytes."""
    number = int.from_bytes(data, "little")
    if row.storage is not None:
        state.write(row.storage, number)
    elif row.msr is not None:
        state.write_msr(row.msr, number)
    else:
        assert row.at is not None
        image = bytearray(state.fxsave())
        if row.name == "ftag":
            number = sum(1 << place for place in range(8) if number >> 2 * place & 3 != 3)
        image[row.at : row.at + row.width] = (number & (1 << 8 * row.width) - 1).to_bytes(row.width, "little")
        state.set_fxsave(bytes(image))


def _full_tags(used: int) -> int:
    """Two bits of each x87 register, as FSAVE has them: valid or empty."""
    return sum(3 << 2 * place for place in range(8) if not used >> place & 1)
