"""The process that Keystone runs in: instructions come by standard input, their code goes to standard output.

It is started as a script of its own and imports nothing of hds. Before it reads anything it gives up what Keystone does
not need: files (not one more descriptor can be opened), other processes, core dumps, and memory beyond a limit. Usage:
`assembler_child.py LIBRARY MEMORY_BYTES`.

A request is a count, and for each instruction its length and its text. An answer is a count of instructions, a status,
the length of what follows, and that: the code of these instructions at address 0, or the reason why there is none. What
assembles as a whole is answered as a whole, since a call of Keystone costs more than ten instructions. A request that
begins with SINGLY is answered one by one; where the process ends, the answers before say which instruction ended it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from typing import BinaryIO

COUNT = struct.Struct("<BI")  # of a request: SINGLY or TOGETHER, and the number of instructions
TEXT = struct.Struct("<I")
ANSWER = struct.Struct("<IBI")  # instructions, OK or REFUSED, bytes that follow
READY = b"ready"  # comes before the first answer
SINGLY, TOGETHER = 0, 1
OK, REFUSED = 0, 1

_KS_ARCH_X86, _KS_MODE_64 = 4, 8


class Keystone:
    """The few functions of the library that are needed; its package takes twice as long to import as to use."""

    def __init__(self, path: str) -> None:
        self._library = library = ctypes.CDLL(path)
        library.ks_strerror.restype = ctypes.c_char_p
        library.ks_asm.argtypes = (
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64,
            ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte)), ctypes.POINTER(ctypes.c_size_t),
            ctypes.POINTER(ctypes.c_size_t),
        )  # fmt: skip
        self._engine = ctypes.c_void_p()
        status = library.ks_open(_KS_ARCH_X86, _KS_MODE_64, ctypes.byref(self._engine))
        if status:
            raise SystemExit(f"Keystone cannot be opened: {library.ks_strerror(status).decode()}")

    def encode(self, text: bytes) -> tuple[int, bytes]:
        """OK and the code of the statements at address 0, or REFUSED and the reason."""
        code, size, count = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_size_t(), ctypes.c_size_t()
        if self._library.ks_asm(self._engine, text, 0, ctypes.byref(code), ctypes.byref(size), ctypes.byref(count)):
            reason: bytes = self._library.ks_strerror(self._library.ks_errno(self._engine))
            return REFUSED, reason
        found = ctypes.string_at(code, size.value)
        self._library.ks_free(code)
        return OK, found


def main() -> None:
    """Answer requests until there are no more."""
    keystone = Keystone(sys.argv[1])
    _give_up_everything_else(int(sys.argv[2]))
    keystone.encode(b"nop")
    requests, answers = sys.stdin.buffer, sys.stdout.fileno()
    os.write(answers, READY)
    while header := requests.read(COUNT.size):
        together, count = COUNT.unpack(header)
        texts = [_read_text(requests) for _ in range(count)]
        if together:
            status, found = keystone.encode(b"\n".join(texts))
            if status == OK:
                os.write(answers, ANSWER.pack(count, OK, len(found)) + found)
                continue
        for text in texts:
            status, found = keystone.encode(text)
            os.write(answers, ANSWER.pack(1, status, len(found)) + found)


def _read_text(requests: BinaryIO) -> bytes:
    (length,) = TEXT.unpack(requests.read(TEXT.size))
    return requests.read(length)


def _give_up_everything_else(memory: int) -> None:
    """No new descriptors, so no files; no file that grows; no children; no core; memory up to `memory` bytes."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
