"""What subcommands read: files, standard input and `-e TEXT`.

Reading gives a SourceFile or raises InputError with a message for people; only the subcommands print. Whether a text is
a command file or a bare script (statements without `? { }`, as in files that `file:` names) is decided here, once.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

from hds.exit_codes import ExitCode
from hds.report import Failure, FailureKind, Refusal, refuse as refuse
from lang import NotText, SourceFile, read_text
from vm import NO_DRIVES, Drives, FileRefused, is_compiled, lines_of, read_file, read_lines, reason, too_large
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.numbers import OPTION, number_in

STANDARD_INPUT = "<stdin>"
_CHUNK = 1 << 16  # bytes
COMMAND_LINE = "<command line>"


class InputError(Refusal):
    """An input cannot be read; the text says why, `code` is what hds exits with."""

    def __init__(self, message: str, code: ExitCode = ExitCode.NO_INPUT, hint: str | None = None) -> None:
        super().__init__(Failure(FailureKind.of(code), message, hint))
        self.code = code


def read_bytes(path: str, limits: Limits, limit: str = "max_source_bytes", timeout: float | None = None) -> bytes:
    """The content of a file of the host, or of standard input for `-`, as `vm.files.read_file`. Raises InputError.

    Standard input may be a terminal or a pipe: whoever is at its other end has `timeout` seconds to end it.
    """
    try:
        return read_file(path, limits, limit) if path != "-" else _read_standard_input(limits, limit, timeout)
    except FileRefused as error:
        hint = f"{error.hint}; - stands for standard input" if error.hint else None
        raise InputError(str(error), hint=hint) from None


def input_lines(path: str, limits: Limits, limit: str) -> Iterator[bytes]:
    """The lines of such a file, with their line feeds, one after another. Raises InputError; `limit` is a line's."""
    try:
        if path != "-":
            yield from read_lines(path, limits, limit)
        elif sys.stdin is not None:
            yield from lines_of(sys.stdin.buffer, "standard input", limits, limit)
        else:
            raise InputError("cannot read standard input: it is closed")
    except FileRefused as error:
        raise InputError(str(error), hint=error.hint) from None
    except OSError as error:
        raise InputError(f"cannot read standard input: {reason(error)}") from None


def _read_standard_input(limits: Limits, limit: str, timeout: float | None) -> bytes:
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed")
    largest: int = getattr(limits, limit)
    data = bytearray()
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        descriptor = _descriptor_of_standard_input()
        if descriptor is None:
            data += sys.stdin.buffer.read(largest + 1)
        else:
            while len(data) <= largest:
                _wait_for(descriptor, deadline, timeout)
                part = os.read(descriptor, min(_CHUNK, largest + 1 - len(data)))
                if not part:
                    break
                data += part
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read standard input: {reason(error)}") from None
    if len(data) > largest:
        raise too_large("standard input", limits, limit)
    return bytes(data)


def _descriptor_of_standard_input() -> int | None:
    """None where a Python program has put an object of its own in its place."""
    try:
        return sys.stdin.fileno()
    except (OSError, AttributeError):
        return None


def _wait_for(descriptor: int, deadline: float | None, timeout: float | None) -> None:
    """Come back when something can be read, or raise InputError at the deadline."""
    if deadline is None:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise InputError(f"standard input did not end within {timeout:g} s (--timeout)", ExitCode.LIMIT)


def decode_text(name: str, data: bytes) -> str:
    """The text of a file in UTF-8. Raises InputError that says where the first byte stands that is none."""
    if is_compiled(data):
        raise InputError(f"{name} is a compiled file; hds run executes it, hds disasm shows it", ExitCode.FAILED)
    try:
        text = read_text(name, data).text
    except NotText as error:
        _refuse_known(name, data)
        raise InputError(f"{error.span}: {error}", ExitCode.FAILED) from None
    if "\0" in text:
        _refuse_known(name, data)
    return text


def _refuse_known(name: str, data: bytes) -> None:
    """Raises InputError where the bytes are a program, an image or the like."""
    from machine.loaders import describe, is_known

    if is_known(data):
        raise InputError(f"{name} is {describe(data)}, and no script", ExitCode.FAILED)


def locate(path: str, drives: Drives) -> str:
    """The path on the host of one that was given; `-` stays what it is. Raises InputError."""
    try:
        if not path:
            raise InputError("the path of a file is empty")
        return path if path == "-" else str(drives.locate(path))
    except FileRefused as error:
        raise InputError(str(error), hint=error.hint) from None


def spare(written: str, *read: str) -> None:
    """What is read is not written over: refuses an output that is one of the inputs, under whatever name."""
    if written == "-" or not os.path.isfile(written):
        return
    for path in read:
        with suppress(OSError, ValueError):
            if os.path.samefile(path, written):
                refuse(f"{written} is read: it would be written over", ExitCode.USAGE, "give -o another name")


def read_source(
    path: str, limits: Limits = DEFAULT_LIMITS, drives: Drives = NO_DRIVES, timeout: float | None = None
) -> SourceFile:
    """The text of a file, or of standard input for `-`. Raises InputError."""
    path = locate(path, drives)
    name = STANDARD_INPUT if path == "-" else path
    return SourceFile(name, decode_text(name, read_bytes(path, limits, timeout=timeout)))


def source_argument(text: str) -> SourceFile:
    """The text of `-e`. Exits when its bytes were no UTF-8."""
    text = utf8_argument(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        refuse("the text behind -e is not UTF-8", ExitCode.FAILED)
    return SourceFile(COMMAND_LINE, text)


def utf8_argument(text: str) -> str:
    """An argument of the command line as UTF-8, with surrogates for other bytes, whatever encoding the locale has."""
    try:
        return os.fsencode(text).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no argument of the process, but of a Python program
        return text


def is_bare_script(source: SourceFile) -> bool:
    """Whether the first line that is neither blank nor a comment reads as a statement, and not as a command."""
    from lang.commands import begins_as_statement

    return begins_as_statement(source.text)


def parse_number(text: str) -> int | None:
    """A number of the command line, as scripts write it; perhaps a `-`, which makes 64 bits; blanks around it."""
    return number_in(text.strip(), OPTION)
