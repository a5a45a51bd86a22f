"""Carries out system calls on this machine, in the current folder: a list of them on standard input, results on output.

A call is [number, [argument, ...]]; an argument is a number, or ["at", offset] for an address in a buffer, whose first
bytes are given and which has no neighbours. A program of its own for test_random_calls.py: calls close descriptors.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

_BUFFER_BYTES = 1 << 18
_MMAP, _MPROTECT, _MAP_PRIVATE, _MAP_ANONYMOUS = 9, 10, 2, 0x20
_MOST_FILES = 1024
_RESULTS = 900  # the descriptor that results go to


def main() -> None:
    """Read, carry out, print. SIGALRM ends it when a call waits."""
    signal.alarm(20)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    request = json.load(sys.stdin)
    data = bytes.fromhex(request["data"])
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long

    def call(number: int, *values: int) -> int:
        return int(library.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value & (1 << 64) - 1) for value in values)))

    address = call(_MMAP, 0, 3 * _BUFFER_BYTES, 0, _MAP_PRIVATE | _MAP_ANONYMOUS, -1, 0) + _BUFFER_BYTES
    call(_MPROTECT, address, _BUFFER_BYTES, 3)
    os.dup2(1, _RESULTS)
    null, (_, writing) = os.open("/dev/null", os.O_RDONLY), os.pipe()
    os.dup2(null, 0)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.closerange(3, 800)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o22)
    results = []
    for number, arguments in request["calls"]:
        ctypes.memmove(address, data, len(data))
        values = [address + value[1] if isinstance(value, list) else value for value in arguments]
        ctypes.set_errno(0)
        result = call(number, *values)
        results.append(-ctypes.get_errno() if result == -1 and ctypes.get_errno() else result)
    os.write(_RESULTS, json.dumps(results).encode())


main()
