"""Keystone in a process of its own, so that where it ends, hangs or grows, one instruction is refused and hds goes on.

Keystone calls exit() for some operands (AH together with R8, for one) instead of returning an error. The process is
started by the first instruction that is encoded, serves all threads, one after the other, and is started again when it
has ended. It ends with hds. It is not one of the terminal's foreground group: Ctrl-C is for hds alone.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import msgspec

from machine.root.assembler_child import ANSWER, COUNT, OK, READY, SINGLY, TEXT, TOGETHER
from vm.facts.limits import Limits

_BATCH = 256  # instructions of one request
_LONGEST_REASON = 4096  # bytes of what the process wrote before it ended
_SIGNS_OF_TOO_LITTLE_MEMORY = ("bad_alloc", "MemoryError", "out of memory")
_ENVIRONMENT = ("LD_LIBRARY_PATH",)  # what the interpreter may need to start; Keystone sees nothing else


class KeystoneMissingError(Exception):
    """The package keystone-engine is not installed."""


class KeystoneUnavailableError(Exception):
    """Its process cannot be started; the text says why."""


class Refusal(msgspec.Struct, frozen=True):
    """Why an instruction has no code."""

    reason: str


Encoding = bytes | Refusal
"""The code of instructions at address 0, or why there is none."""


class _EndedError(Exception):
    """The process has ended, and why. It has answered what came before."""


def start(limits: Limits) -> None:
    """Start the process if it is not running; its start goes on while the caller does other things.

    Raises KeystoneMissingError, KeystoneUnavailableError.
    """
    with _lock:
        _running(limits)


def running() -> int | None:
    """The identifier of the process, if one was started and not ended."""
    return None if _current is None else _current.number


def encode(texts: Sequence[str], limits: Limits) -> Iterator[tuple[int, Encoding]]:
    """Pairs of a count and the code of that many of the instructions, in their order, to the first one that is refused.

    Raises KeystoneMissingError, KeystoneUnavailableError.
    """
    for start in range(0, len(texts), _BATCH):
        for count, encoding in _encode_batch(texts[start : start + _BATCH], limits, TOGETHER):
            yield count, encoding
            if isinstance(encoding, Refusal):
                return


def encode_singly(texts: Sequence[str], limits: Limits) -> list[Encoding]:
    """The code of each instruction, to the first one that ends the process.

    Raises KeystoneMissingError, KeystoneUnavailableError.
    """
    found: list[Encoding] = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        found += (encoding for _, encoding in _encode_batch(batch, limits, SINGLY))
        if len(found) < start + len(batch):
            break
    return found


def _encode_batch(texts: Sequence[str], limits: Limits, mode: int) -> list[tuple[int, Encoding]]:
    """Answers for the texts, to the first one that ends the process."""
    answers: list[tuple[int, Encoding]] = []
    done = 0
    with _lock:
        while done < len(texts):
            try:
                for count, encoding in _running(limits).ask(texts[done:], mode):
                    answers.append((count, encoding))
                    done += count
            except _EndedError as ended:
                stop()
                if mode == SINGLY or len(texts) - done == 1:
                    return [*answers, (1, Refusal(str(ended)))]
                mode = SINGLY  # which instruction it was is seen when they are sent one by one
            except BaseException:
                stop()  # an interrupted exchange leaves answers behind
                raise
    return answers


class _Process:
    """One running assembler."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ready = False
        script = str(Path(__file__).with_name("assembler_child.py"))
        command = [sys.executable, "-I", "-S", script, _library(), str(limits.max_assembler_bytes)]
        try:
            self._start(command)
        except OSError as error:
            raise KeystoneUnavailableError(f"its process cannot be started: {error.strerror}") from None
        self._answers: BinaryIO = self._socket.makefile("rb")

    def _start(self, command: Sequence[str]) -> None:
        """Raises OSError, with nothing left open."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with ExitStack() as ours, ExitStack() as theirs:
            mine, its = (
                stack.enter_context(end) for stack, end in zip((ours, theirs), socket.socketpair(), strict=True)
            )
            reading, writing = os.pipe()
            ours.callback(os.close, reading)
            theirs.callback(os.close, writing)
            os.set_blocking(reading, False)
            os.set_blocking(writing, False)  # words that nobody reads must not stop it
            self._process = subprocess.Popen(
                command,
                stdin=its.fileno(),
                stdout=its.fileno(),
                stderr=writing,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
            self._socket, self._last_words = mine, reading
            ours.pop_all()

    def ask(self, texts: Sequence[str], mode: int) -> Iterator[tuple[int, Encoding]]:
        """Answers as they come. Raises _EndedError, KeystoneUnavailableError."""
        self._socket.settimeout(self.limits.max_assembler_seconds)
        self._words()  # those about other instructions, which it accepted
        encoded = [text.encode("ascii") for text in texts]
        parts = [COUNT.pack(mode, len(texts)), *(TEXT.pack(len(text)) + text for text in encoded)]
        try:
            self._socket.sendall(b"".join(parts))
            if not self._ready:
                self._ready = self._read(len(READY)) == READY
            done = 0
            while done < len(texts):
                count, status, length = ANSWER.unpack(self._read(ANSWER.size))
                found = self._read(length)
                yield (
                    count,
                    found
                    if status == OK
                    else Refusal(f"Keystone refuses it ({found.decode().partition(' (')[0].lower()})"),
                )
                done += count
        except TimeoutError:
            why = f"the assembler took longer than {self.limits.max_assembler_seconds} s (max_assembler_seconds)"
        except OSError:
            why = self._why_it_ended()
        else:
            return
        if not self._ready:
            raise KeystoneUnavailableError(f"{why}; max_assembler_bytes is {self.limits.max_assembler_bytes}")
        raise _EndedError(why)

    @property
    def ended(self) -> bool:
        """Whether it has ended between two requests."""
        return self._process.poll() is not None

    @property
    def number(self) -> int:
        """Its process identifier."""
        return self._process.pid

    def _read(self, length: int) -> bytes:
        data = self._answers.read(length)
        if len(data) < length:
            raise ConnectionResetError
        return data

    def _why_it_ended(self) -> str:
        """What it wrote last, else the signal or the exit code."""
        code = self._process.wait()
        lines = self._words().decode("utf-8", "replace").split("\n")
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "").removeprefix("LLVM ERROR: ")
        if any(sign in reason for sign in _SIGNS_OF_TOO_LITTLE_MEMORY):
            limit = self.limits.max_assembler_bytes
            return f"the assembler needs more than {limit} bytes of memory (max_assembler_bytes)"
        if reason:
            return reason[:1].lower() + reason[1:]
        return (
            f"the assembler was ended by {signal.Signals(-code).name}" if code < 0 else f"the assembler ended ({code})"
        )

    def _words(self) -> bytes:
        """The end of what it wrote since it was asked last."""
        words = b""
        with suppress(BlockingIOError):
            while part := os.read(self._last_words, _LONGEST_REASON):
                words = words[-_LONGEST_REASON:] + part
        return words

    def end(self) -> None:
        """End it, and wait until it has."""
        self.disown()
        self._process.kill()
        self._process.wait()

    def disown(self) -> None:
        """Close our ends."""
        self._answers.close()
        self._socket.close()
        os.close(self._last_words)


def _library() -> str:
    """The path of Keystone's library. Raises KeystoneMissingError."""
    package = find_spec("keystone")
    if package is None or package.origin is None:
        raise KeystoneMissingError
    beside = Path(package.origin).with_name("libkeystone.so")
    return str(beside) if beside.exists() else "libkeystone.so.0"


_lock = threading.RLock()
_current: _Process | None = None


def _running(limits: Limits) -> _Process:
    """The process, started when there is none with this memory limit, or when somebody has ended it."""
    global _current
    if _current is None or _current.ended or _current.limits.max_assembler_bytes != limits.max_assembler_bytes:
        stop()
        _current = _Process(limits)
    _current.limits = limits
    return _current


def stop() -> None:
    """End the process, if it is running; the next instruction starts it again."""
    global _current
    ended, _current = _current, None
    if ended is not None:
        ended.end()


def _after_fork() -> None:
    """In a fork of hds: the process belongs to the other one, and so may the lock."""
    global _current, _lock
    _lock = threading.RLock()
    lost, _current = _current, None
    if lost is not None:
        lost.disown()


atexit.register(stop)
os.register_at_fork(after_in_child=_after_fork)
