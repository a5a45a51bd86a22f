"""Standard streams for the tests: terminals, full disks, closed pipes, and a command line that has them."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from hds_guests import Ran

from hds.cli.main import main

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")


@contextlib.contextmanager
def full() -> Iterator[TextIO]:
    """A stream to a full disk."""
    yield from _closed_quietly(open("/dev/full", "w", encoding="utf-8"))  # noqa: SIM115 - closed there


@contextlib.contextmanager
def abandoned() -> Iterator[TextIO]:
    """A pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    yield from _closed_quietly(os.fdopen(writer, "w", encoding="utf-8"))


@contextlib.contextmanager
def absent() -> Iterator[None]:
    """No stream at all: the shell's `>&-`."""
    yield None


def _closed_quietly(file: TextIO) -> Iterator[TextIO]:
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


class Terminal:
    """A pseudo-terminal; `text` is what was written to it, without the line discipline's carriage returns."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.stream = os.fdopen(slave, "w", encoding=encoding)
        self._received = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(self._master, 65_536):
                self._received += data

    @property
    def text(self) -> str:
        """All of it; the terminal is closed."""
        self.stream.close()
        self._reader.join(10)
        with contextlib.suppress(OSError):
            os.close(self._master)
        return self._received.decode("utf-8")


class Pipe(io.TextIOWrapper):
    """What a pipe or a file gets, as bytes."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding=encoding)

    @property
    def data(self) -> bytes:
        self.flush()
        return self._bytes.getvalue()


def run_with(output: TextIO | None, errors: TextIO | None, *words: str) -> int:
    """A command line with these standard streams; its exit code."""
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        return main(words)


def on_terminal(*words: str, encoding: str = "utf-8") -> Ran:
    """A command line whose streams are two terminals."""
    output, errors = Terminal(encoding), Terminal(encoding)
    code = run_with(output.stream, errors.stream, *words)
    return Ran(code, output.text, errors.text)


def on_one_terminal(*words: str) -> str:
    """What a command line writes to the terminal that both streams are."""
    terminal = Terminal()
    with os.fdopen(os.dup(terminal.stream.fileno()), "w", encoding="utf-8") as errors:
        run_with(terminal.stream, errors, *words)
    return terminal.text


def through_pipes(*words: str, encoding: str = "utf-8") -> tuple[int, bytes, bytes]:
    """A command line whose streams are pipes: exit code, standard output, standard error."""
    output, errors = Pipe(encoding), Pipe(encoding)
    code = run_with(output, errors, *words)
    return code, output.data, errors.data
