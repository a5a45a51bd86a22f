"""From a file or bytes to an `Image`, whatever kind of program it is."""

from __future__ import annotations

from pathlib import Path

from machine.loaders import Image, LoadError
from machine.symbols import Symbol
from vm.limits import Limits

KINDS = ("elf", "pe", "raw", "asm")
_KINDS_WITH_SYMBOLS = ("elf", "pe")


def read_image(program: Path | bytes, kind: str | None, base: int | None, entry: int | None, limits: Limits) -> Image:
    """The image of a file or of bytes. Raises LoadError."""
    from machine.loaders import asm, elf, pe, raw

    data = _read_file(program, limits.max_guest_memory) if isinstance(program, Path) else program
    if kind is None:
        kind = _kind_of(program, data)
    where = raw.DEFAULT_BASE if base is None else base
    if kind == "elf":
        return elf.load(data, limits.max_guest_memory)
    if kind == "pe":
        return pe.load(data, limits.max_guest_memory)
    if kind == "raw":
        return raw.load(data, where, entry)
    if kind == "asm":
        if len(data) > limits.max_source_bytes:
            raise LoadError(f"the listing is larger than max_source_bytes ({limits.max_source_bytes} bytes)")
        try:
            return asm.load(data.decode("utf-8"), where, entry)
        except UnicodeDecodeError as error:
            raise LoadError(f"the listing is not UTF-8 text (byte {error.start})") from None
    raise LoadError(f"unknown kind of program {kind!r}", "elf, pe, raw and asm are known")


def read_symbols(path: Path, limits: Limits) -> tuple[Symbol, ...]:
    """The symbols of a program in a file; none where there is no program that can be loaded."""
    try:
        data = _read_file(path, limits.max_guest_memory)
        kind = _kind_of(path, data)
        return read_image(data, kind, None, None, limits).symbols if kind in _KINDS_WITH_SYMBOLS else ()
    except LoadError:
        return ()


def _kind_of(program: Path | bytes, data: bytes) -> str:
    from machine.loaders import elf, pe

    suffix = program.suffix.lower() if isinstance(program, Path) else ""
    if suffix == ".asm":
        return "asm"
    if data.startswith(elf.MAGIC):
        return "elf"
    return "pe" if suffix == ".exe" or pe.looks_like(data) else "raw"


def _read_file(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise LoadError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > largest:
        raise LoadError(f"{path} is larger than max_guest_memory ({largest} bytes)")
    return data
