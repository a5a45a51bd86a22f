"""Standard output and standard error: one rule for everything that hds writes, and for what cannot be written.

`standard_streams` puts a `Stream` in the place of each while a command line is carried out, so that `print`, argparse
and all subcommands obey the same rules. Text is escaped where the stream's encoding lacks it. On a terminal control
characters are escaped as well, whoever has written them: they could hide or forge what the user sees. A pipe or a file
gets the bytes as they are. Text from the guest and from scripts is bytes, which are read as UTF-8 on a terminal.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from typing import TextIO, cast

import msgspec

from hds.exit_codes import ExitCode
from lang import escaped

_ERASE = b"\r\x1b[K"  # the line that the cursor is in


class StreamFailed(Exception):  # noqa: N818 - it reads as what happened
    """Nothing more can be written to a standard stream; the text says why. `code` is what hds exits with."""

    def __init__(self, name: str, error: OSError) -> None:
        super().__init__(f"cannot write {name}: {error.strerror or error}")
        codes = ((BrokenPipeError, ExitCode.BROKEN_PIPE), (TimeoutError, ExitCode.LIMIT))
        self.code = next((code for kind, code in codes if isinstance(error, kind)), ExitCode.STREAM)


class _Line(msgspec.Struct):
    """The last line of what a stream leads to; streams that lead to the same place share it.

    Whether it has no end yet, and whether it only says how things are, until something else is written.
    """

    unfinished: bool = False
    is_status: bool = False


class Stream:
    """What stands in the place of sys.stdout or sys.stderr; `file` is None where the process was started without.

    A failure of standard output is raised as StreamFailed, and so is a closed pipe: at once, and by `check` and
    `finish`; what is written between is dropped. Other failures of standard error (`is_error`) only set `lost`: nothing
    can be said of them, and the command goes on.
    """

    errors = "backslashreplace"

    def __init__(self, name: str, file: TextIO | None, line: _Line | None = None, *, is_error: bool = False) -> None:
        self.name = name
        self.lost = False
        self.encoding: str = getattr(file, "encoding", None) or "utf-8"
        self._file = file
        self._line = line or _Line()
        self._is_error = is_error
        self._failure: StreamFailed | None = None
        self._patience: float | None = None  # seconds
        self._terminal = file is not None and not file.closed and file.isatty()
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""  # a carriage return on a terminal: what follows decides whether it ends a line

    # --- what writers use

    def write(self, text: str) -> int:
        """Text of hds itself. Raises StreamFailed."""
        if self._terminal:
            self._put(self._displayed(self._decoder.decode(b"", True) + text))
        else:
            self._put(self._encoded(text))
        if self._terminal or (self._is_error and text.endswith("\n")):
            self.flush()
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Text of a script or a guest, or a file. Raises StreamFailed."""
        self._put(self._displayed(self._decoder.decode(data)) if self._terminal else data)
        if self._terminal or self._is_error:
            self.flush()

    def start_line(self) -> None:
        """End the line that is unfinished, if there is one. Raises StreamFailed."""
        if self._line.unfinished:
            self.write("\n")

    def write_control(self, sequence: str) -> None:
        """A control sequence of hds itself, for the terminal to obey. Raises StreamFailed."""
        self._put(sequence.encode())
        self._line.unfinished = False
        self.flush()

    def show_status(self, text: str) -> None:
        """A line at the foot of a terminal, in place of the last such; it goes when anything else is written.

        Nothing is shown where the last line has no end yet: what stands in it would go with the status. `""` takes the
        line away. The text has no line feed, and may have control sequences. Raises StreamFailed.
        """
        if self._terminal and not self._line.unfinished and (text or self._line.is_status):
            self._line.is_status = False
            self._put(_ERASE + self._encoded(text))
            self._line.unfinished, self._line.is_status = False, bool(text)
            self.flush()

    def flush(self) -> None:
        """Hand on what waits in buffers. Raises StreamFailed."""
        if self._file is None:
            return
        while self._failure is None:
            try:
                self._file.flush()
                return
            except BlockingIOError:
                self._wait()
            except (OSError, ValueError) as error:
                self._fail(error)

    def finish(self) -> None:
        """The end: nothing is held back any more. Raises StreamFailed."""
        if self._terminal:
            self._put(self._displayed(self._decoder.decode(b"", True), last=True))
        self.flush()
        self.check()

    def check(self) -> None:
        """Raise StreamFailed again if it was raised before."""
        if self._failure is not None and not (self._is_error and self._failure.code is not ExitCode.BROKEN_PIPE):
            raise self._failure

    def wait_at_most(self, seconds: float) -> None:
        """From now on a reader that takes nothing for so long is a failure. Raises StreamFailed."""
        self.flush()
        with contextlib.suppress(OSError, ValueError):
            if self.buffer is not None and not stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                self._patience = seconds

    # --- what readers of sys.stdout may ask

    @property
    def buffer(self) -> object:
        """The buffer below, for libraries that draw on the terminal themselves."""
        return getattr(self._file, "buffer", None)

    @property
    def closed(self) -> bool:
        """Whether there is nothing to write to."""
        return self._file is None or self._file.closed

    def fileno(self) -> int:
        """The file descriptor. Raises OSError where there is none."""
        if self._file is None:
            raise _closed()
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._terminal

    def writable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is not."""
        return False

    # --- how it is done

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.encoding, self.errors)

    def _displayed(self, text: str, *, last: bool = False) -> bytes:
        text, self._held = self._held + text, ""
        if text.endswith("\r") and not last:
            text, self._held = text[:-1], "\r"
        return self._encoded(escaped(text))

    def _put(self, data: bytes) -> None:
        buffer = getattr(self._file, "buffer", None)
        if data:
            self._line.unfinished = not data.endswith(b"\n")
            if self._line.is_status and self._terminal:
                self._line.is_status, data = False, _ERASE + data
        while data and self._failure is None:
            try:
                if self._file is None:
                    raise _closed()
                if self._patience is not None:
                    data = self._put_patiently(data)
                    continue
                if buffer is None:
                    self._file.write(data.decode(self.encoding, "replace"))
                else:
                    buffer.write(data)
                return
            except BlockingIOError as error:
                data = data[error.characters_written :]
                self._wait()
            except (OSError, ValueError) as error:
                self._fail(error)

    def _put_patiently(self, data: bytes) -> bytes:
        """What is left of the data when the reader has taken some; what a pipe has room for does not block."""
        self._wait()
        try:
            return data[os.write(self.fileno(), data[: select.PIPE_BUF]) :]
        except BlockingIOError:
            return data

    def _wait(self) -> None:
        """Until a pipe takes more. Raises TimeoutError when it does not."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        if not poll.poll(None if self._patience is None else self._patience * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"nobody has read it for {self._patience:g} s (--timeout)")

    def _fail(self, error: OSError | ValueError) -> None:
        reason = error if isinstance(error, OSError) else _closed()  # a closed file raises ValueError
        self._failure = StreamFailed(self.name, reason)
        if self._is_error and not isinstance(reason, BrokenPipeError):
            self.lost = self._file is not None
        else:
            raise self._failure


class Nowhere(io.StringIO):
    """What stands in the place of a standard stream for a while, so that what is said there goes nowhere.

    `status` is the stream on which the user still sees how things are.
    """

    def __init__(self, status: Stream) -> None:
        super().__init__()
        self.status = status

    def write(self, text: str, /) -> int:
        """Take a text and forget it."""
        return len(text)


@contextlib.contextmanager
def standard_streams() -> Iterator[tuple[Stream, Stream]]:
    """Put a Stream in the place of sys.stdout and sys.stderr for a while."""
    before = sys.stdout, sys.stderr
    line = _Line()
    output = Stream("standard output", sys.stdout, line)
    error = Stream("standard error", sys.stderr, line if _same(*before) else None, is_error=True)
    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, error)
    try:
        yield output, error
    finally:
        sys.stdout, sys.stderr = before


def occupy_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed, lest a file that is opened later takes its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def output() -> Stream:
    """Standard output."""
    return _stream("standard output", sys.stdout)


def error() -> Stream:
    """Standard error."""
    return _stream("standard error", sys.stderr)


def status_stream() -> Stream:
    """Standard error, for a line that says how things are: also while what is said there goes nowhere."""
    found: object = sys.stderr
    return found.status if isinstance(found, Nowhere) else error()


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def wait_at_most(seconds: float) -> None:
    """For both of them, as `Stream.wait_at_most`."""
    output().wait_at_most(seconds)
    error().wait_at_most(seconds)


def say(text: str) -> None:
    """Lines to standard error: on lines of their own, and behind what standard output already has."""
    output().flush()
    stream = error()
    stream.start_line()
    stream.write(text + "\n")


def _closed() -> OSError:
    return OSError(errno.EBADF, "it is closed")


def _stream(name: str, file: TextIO | None) -> Stream:
    found: object = file
    return found if isinstance(found, Stream) else Stream(name, file, is_error=name == "standard error")


def _same(one: TextIO | None, other: TextIO | None) -> bool:
    """Whether two streams lead to the same file, pipe or terminal."""
    if one is None or other is None or one is other:
        return one is other
    try:
        first, second = os.fstat(one.fileno()), os.fstat(other.fileno())
    except (OSError, ValueError):
        return False
    return os.path.samestat(first, second)
