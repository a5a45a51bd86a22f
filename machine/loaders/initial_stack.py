"""The stack of a new Linux process: strings, auxiliary vector, environment, arguments (psABI 3.4.1). Pure data.

AT_RANDOM points to sixteen bytes that are given, and there is no vDSO (no AT_SYSINFO_EHDR, so time is asked for by
system calls, where scripts see it): every run of a program sees the same stack.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from machine.loaders.image import Image, LoadError
from machine.memory import PAGE

STACK_TOP = 0x7FFF_FFFF_F000
STACK_SIZE = 0x10_0000

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = 0, 3, 4, 5, 6, 7, 8, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK, AT_SECURE = 11, 12, 13, 14, 15, 16, 17, 23
AT_RANDOM, AT_HWCAP2, AT_EXECFN = 25, 26, 31

_PLATFORM = b"x86_64\0"
_FEATURES = 0x178B_FBFF  # AT_HWCAP: edx of CPUID leaf 1, as any CPU of this architecture with SSE2 has it
_LARGEST = STACK_SIZE // 4  # of arguments and environment together, as Linux has it


@dataclass(frozen=True)
class Identity:
    """Who the program runs as, and the sixteen bytes that its canaries and keys start from."""

    user: int = 1000
    group: int = 1000
    random: bytes = bytes(range(0xA0, 0xB0))


DEFAULT_IDENTITY = Identity()


@dataclass(frozen=True)
class InitialStack:
    """The bytes from `pointer` (the first rsp, a multiple of 16) up to the top of the stack."""

    pointer: int
    data: bytes


def build(
    image: Image,
    arguments: Sequence[str],
    environment: Sequence[str],
    top: int = STACK_TOP,
    identity: Identity = DEFAULT_IDENTITY,
) -> InitialStack:
    """The stack for a program with these arguments and NAME=VALUE texts. Raises LoadError when they are too long."""
    texts = [text.encode("utf-8", "surrogateescape") + b"\0" for text in (*arguments, *environment)]
    if any(b"\0" in text[:-1] for text in texts):
        raise LoadError("an argument or environment text contains a zero byte")
    if sum(len(text) + 8 for text in texts) > _LARGEST:
        raise LoadError(f"arguments and environment exceed {_LARGEST:#x} bytes")
    strings = identity.random + _PLATFORM + b"".join(texts)
    start = (top - len(strings)) & -16
    platform = start + len(identity.random)
    pointers, address = [], platform + len(_PLATFORM)
    for text in texts:
        pointers.append(address)
        address += len(text)
    words = [len(arguments), *pointers[: len(arguments)], 0, *pointers[len(arguments) :], 0]
    words += _auxiliary_vector(image, identity, start, platform, pointers[0] if arguments else 0)
    pointer = (start - 8 * len(words)) & -16
    data = struct.pack(f"<{len(words)}Q", *words)
    return InitialStack(pointer, data.ljust(start - pointer, b"\0") + strings)


def _auxiliary_vector(image: Image, identity: Identity, random: int, platform: int, file_name: int) -> list[int]:
    rows = [(AT_PAGESZ, PAGE), (AT_CLKTCK, 100), (AT_BASE, 0), (AT_FLAGS, 0), (AT_ENTRY, image.entry)]
    if image.program_headers is not None:
        headers = image.program_headers
        rows += [(AT_PHDR, headers.address), (AT_PHENT, headers.entry_size), (AT_PHNUM, headers.count)]
    rows += [(kind, identity.user) for kind in (AT_UID, AT_EUID)]
    rows += [(kind, identity.group) for kind in (AT_GID, AT_EGID)]
    rows += [(AT_HWCAP, _FEATURES), (AT_HWCAP2, 0), (AT_PLATFORM, platform)]
    rows += [(AT_SECURE, 0), (AT_RANDOM, random), (AT_EXECFN, file_name), (AT_NULL, 0)]
    return [word for row in rows for word in row]
