"""What tests of campaigns share: small ELF programs, a script, and a dataset as plain values."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hds.corpus import Reading
from hds.corpus.rows import MEASURED

SCRIPT = '!syscall script { .calls++; printf("call %x\\n", @rax); }'
EXIT = bytes.fromhex("0f05")  # syscall


def program(code: int, body: bytes = b"") -> bytes:
    """An ELF program that does `body` and exits with a code from 0 to 255."""
    text = body + b"\xb8\x3c\0\0\0" + b"\xbf" + struct.pack("<I", code) + EXIT
    size = 0x78 + len(text)
    return (
        b"\x7fELF\2\1\1".ljust(16, b"\0")
        + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x40_0078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40_0000, 0x40_0000, size, size, 0x1000)
        + text
    )


ENDLESS = program(0, b"\xeb\xfe")  # jmp $
CRASHING = program(0, b"\x0f\x0b")  # ud2


def counting(iterations: int) -> bytes:
    """A program that takes so many steps of two instructions."""
    return program(0, b"\xb9" + struct.pack("<I", iterations) + b"\xff\xc9\x75\xfc")


def samples(folder: Path, programs: Iterable[bytes]) -> Path:
    """A folder with these programs, by number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(programs):
        (folder / f"{number:04d}").write_bytes(data)
    return folder


def dataset(results: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows, in an order of their own, without what differs from run to run."""
    reading = Reading(results)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in ("programs", "messages", "triggers", "files"):
        rows = [row for batch in reading.rows(name) for row in batch.to_pylist()]
        for row in rows:
            for measured in MEASURED:
                row.pop(measured, None)
        found[name] = sorted(rows, key=lambda row: (row["key"], row.get("number", 0), row.get("path", "")))
    return found


SHORT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s", "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0"}


def start(*words: str, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """A process of Python in a group of its own, which hears nothing and says nothing."""
    return subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environment, **SHORT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,
    )


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End processes with their groups."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
