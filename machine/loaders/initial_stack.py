"""The stack of a new Linux process: strings, auxiliary vector, environment, arguments (psABI 3.4.1). Pure data.

AT_RANDOM points to sixteen bytes that are given: every run of a program sees the same stack.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from machine.loaders.image import Image, LoadError
from machine.memory import PAGE

STACK_TOP = 0x7FFF_FFFF_F000
STACK_SIZE = 0x10_0000  # of Windows, and where there is no system
LINUX_STACK_SIZE = 0x80_0000  # RLIMIT_STACK
MAPPINGS_TOP = STACK_TOP - 0x800_0000  # where Linux's first mapping ends: the way to the stack stays free

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = 0, 3, 4, 5, 6, 7, 8, 9
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK, AT_SECURE = 11, 12, 13, 14, 15, 16, 17, 23
AT_RANDOM, AT_HWCAP2, AT_EXECFN, AT_SYSINFO_EHDR, AT_MINSIGSTKSZ = 25, 26, 31, 33, 51

_PLATFORM = b"x86_64\0"
_FEATURES = 0x078B_FBFD  # AT_HWCAP: edx of CPUID leaf 1 (tests compare them)
_MORE_FEATURES = 1 << 1  # AT_HWCAP2: FSGSBASE in user mode
_LARGEST = LINUX_STACK_SIZE // 4  # of arguments and environment together, as Linux has it


class Facts(msgspec.Struct, frozen=True):
    """What the system tells a program of itself.

    Who it runs as, the sixteen bytes that its canaries and keys start from, the path that it was started by, the
    least size of a stack for signals in bytes, and the address of the vDSO (0: there is none).
    """

    path: str = "program"
    user: int = 1000
    group: int = 1000
    random: bytes = bytes(range(0xA0, 0xB0))
    signal_stack: int = 2048
    vdso: int = 0


DEFAULT_FACTS = Facts()


class InitialStack(msgspec.Struct, frozen=True):
    """The bytes from `pointer` (the first rsp, a multiple of 16) up to the top of the stack.

    `arguments` and `environment` are where their texts are, as [start, end); `auxiliary` is the vector's bytes.
    """

    pointer: int
    data: bytes
    arguments: tuple[int, int]
    environment: tuple[int, int]
    auxiliary: bytes


def build(
    image: Image, arguments: Sequence[str], environment: Sequence[str], facts: Facts = DEFAULT_FACTS
) -> InitialStack:
    """The stack for a program with these arguments and NAME=VALUE texts. Raises LoadError when they are too long."""
    texts = [_bytes(text) for text in (*arguments, *environment, facts.path)]
    if any(b"\0" in text[:-1] for text in texts):
        raise LoadError("an argument or environment text contains a zero byte")
    if sum(len(text) + 8 for text in texts) > _LARGEST:
        raise LoadError(f"arguments and environment exceed {_LARGEST:#x} bytes")
    strings = facts.random + _PLATFORM + b"".join(texts) + bytes(8)
    start = (STACK_TOP - len(strings)) & -16
    pointers, address = [], start + len(facts.random) + len(_PLATFORM)
    for text in texts:
        pointers.append(address)
        address += len(text)
    *pointers, path = pointers
    words = [len(arguments), *pointers[: len(arguments)], 0, *pointers[len(arguments) :], 0]
    vector = _auxiliary_vector(image, facts, start, path)
    words += vector
    pointer = (start - 8 * len(words)) & -16
    data = struct.pack(f"<{len(words)}Q", *words)
    begin, middle = (start + len(facts.random) + len(_PLATFORM), (*pointers, path)[len(arguments)])
    auxiliary = data[len(data) - 8 * len(vector) :]
    return InitialStack(
        pointer, data.ljust(start - pointer, b"\0") + strings, (begin, middle), (middle, path), auxiliary
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _auxiliary_vector(image: Image, facts: Facts, random: int, path: int) -> list[int]:
    """The rows in Linux's order (create_elf_tables)."""
    rows = [(AT_SYSINFO_EHDR, facts.vdso)] if facts.vdso else []
    rows += [(AT_MINSIGSTKSZ, facts.signal_stack), (AT_HWCAP, _FEATURES), (AT_PAGESZ, PAGE), (AT_CLKTCK, 100)]
    if image.program_headers is not None:
        headers = image.program_headers
        rows += [(AT_PHDR, headers.address), (AT_PHENT, headers.entry_size), (AT_PHNUM, headers.count)]
    base = image.interpreter.bias if image.interpreter is not None else 0
    rows += [(AT_BASE, base), (AT_FLAGS, 0), (AT_ENTRY, image.entry)]
    rows += [(kind, facts.user) for kind in (AT_UID, AT_EUID)]
    rows += [(kind, facts.group) for kind in (AT_GID, AT_EGID)]
    rows += [(AT_SECURE, 0), (AT_RANDOM, random), (AT_HWCAP2, _MORE_FEATURES), (AT_EXECFN, path)]
    rows += [(AT_PLATFORM, random + len(facts.random)), (AT_NULL, 0)]
    return [word for row in rows for word in row]
