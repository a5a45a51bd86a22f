"""Assembly listings (`.asm`): assembled at their base and loaded as raw code. Bare numbers are decimal.

An entry is a label or an address; without one the listing starts at the label `start`, else at its first byte.
"""

from __future__ import annotations

from machine.loaders import raw
from machine.loaders.image import Image, LoadError, Placement
from vm.facts.limits import DEFAULT_LIMITS, Limits

ENTRY_LABEL = "start"


def load(
    text: str,
    base: int = raw.DEFAULT_BASE,
    entry: int | str | None = None,
    ring: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Image:
    """The image of a listing. Raises LoadError; the message carries line and column of an assembler error."""
    from machine.root import AssemblerError, assemble

    try:
        assembly = assemble(text, address=base, radix=10, limits=limits)
    except AssemblerError as error:
        raise LoadError(f"line {error.line}, column {error.column}: {error.message}", error.hint) from None
    if isinstance(entry, str):
        if entry not in assembly.labels:
            raise LoadError(f"the listing has no label {entry!r}")
        entry = assembly.labels[entry]
    if entry is None:
        entry = assembly.labels.get(ENTRY_LABEL, base)
    return raw.load(assembly.code, base, entry, ring)


def of_file(data: bytes, placement: Placement) -> Image:
    """As `Loader`."""
    limits = placement.limits
    if len(data) > limits.max_source_bytes:
        raise LoadError(f"the listing is larger than max_source_bytes ({limits.max_source_bytes} bytes)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LoadError(f"the listing is not UTF-8 text (byte {error.start})") from None
    base = raw.DEFAULT_BASE if placement.base is None else placement.base
    return load(text, base, placement.entry, placement.ring, limits)
