"""What subcommands read: files, standard input and `-e TEXT`; and the flags that they share.

Reading gives a SourceFile or raises InputError with a message for people; only the subcommands print. Whether a text is
a command file or a bare script (statements without `? { }`, as in files that `file:` names) is decided here, once.
"""

from __future__ import annotations

import argparse
import errno
import os
import select
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hds.exit_codes import ExitCode
from hds.report import Failure, FailureKind, Refusal, refuse as refuse
from lang import NotText, SourceFile, read_text
from vm import NO_DRIVES, Drives, FileRefused, is_compiled, read_drives, read_file, reason, too_large
from vm.facts.limits import DEFAULT_LIMITS, LIMITS, Limits
from vm.facts.numbers import DECIMAL, OPTION, number_in

if TYPE_CHECKING:
    from lang import Compiler, SymbolTable

STANDARD_INPUT = "<stdin>"
_CHUNK = 1 << 16  # bytes
COMMAND_LINE = "<command line>"
LONGEST_TIME = 1_000_000  # seconds


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


def require_source(arguments: argparse.Namespace, limits: Limits) -> SourceFile:
    """The one input of a subcommand: `-e TEXT` or a path. Exits with a message when there is none to read."""
    if arguments.execute is not None:
        return source_argument(arguments.execute)
    if arguments.file is None:
        refuse("give a file, `-` for standard input, or -e TEXT", ExitCode.USAGE)
    return read_source(arguments.file, limits, drives(arguments), getattr(arguments, "timeout", None))


def is_bare_script(source: SourceFile) -> bool:
    """Whether the first line that is neither blank nor a comment reads as a statement, and not as a command."""
    from lang.commands import begins_as_statement

    return begins_as_statement(source.text)


# --- shared flags -----------------------------------------------------------------------------------------------------


def add_input(parser: argparse.ArgumentParser, what: str) -> None:
    """FILE, `-` or `-e TEXT`."""
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"{what}; - for standard input")
    add_execute(parser, "TEXT", f"{what} as an argument")


class _Lines(argparse.Action):
    """An option that may stand several times: its texts are lines of one."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, str(values) if before is None else f"{before}\n{values}")


def add_execute(parser: argparse.ArgumentParser, what: str, meaning: str) -> None:
    """-e, which takes the text itself."""
    parser.add_argument("-e", "--execute", action=_Lines, metavar=what, help=f"{meaning}; each -e is a line of it")


def add_kind(parser: argparse.ArgumentParser) -> None:
    """--script and --commands: what the input is, where its first line should not decide."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--script", action="store_true", help="the input is a bare script, not a command file")
    group.add_argument("--commands", action="store_true", help="the input is a command file, not a bare script")


def is_script(arguments: argparse.Namespace, source: SourceFile) -> bool:
    """Whether to read the input as a bare script."""
    return bool(arguments.script) or (not arguments.commands and is_bare_script(source))


def add_compiling(parser: argparse.ArgumentParser) -> None:
    """--arg, -I and --symbol: what a script's text may refer to."""
    parser.add_argument(
        "--arg", action="append", default=[], metavar="VALUE", help="the text of $arg1, $arg2, ... in order"
    )
    parser.add_argument(
        "-I", "--include", action="append", default=[], metavar="DIR", help="a folder in which #include looks"
    )
    add_drives(parser)
    parser.add_argument(
        "--symbol", action="append", default=[], metavar="MODULE!NAME=ADDRESS", help="the address of a symbol"
    )


def add_drives(parser: argparse.ArgumentParser) -> None:
    """--drive: where the paths of Windows are looked up."""
    parser.add_argument(
        "--drive", action="append", default=[], metavar="C=DIR", help="the folder in which paths such as c:\\x are"
    )


def drives(arguments: argparse.Namespace) -> Drives:
    """The drives that --drive gives. Exits for a malformed one."""
    try:
        return read_drives(getattr(arguments, "drive", []))
    except ValueError as error:
        refuse(str(error), ExitCode.USAGE)


def located(path: str, arguments: argparse.Namespace) -> str:
    """As `locate`, with the drives that --drive gives; exits where there is none."""
    return locate(path, drives(arguments))


def located_folder(path: str, arguments: argparse.Namespace) -> Path:
    """A folder that is there, as `located`; exits where there is none."""
    found = Path(located(path, arguments))
    if not found.is_dir():
        why = "it is no folder" if found.exists() else os.strerror(errno.ENOENT)
        refuse(f"cannot read {path}: {why}", ExitCode.NO_INPUT)
    return found


def add_programs(parser: argparse.ArgumentParser) -> None:
    """--program: whose symbols the text may name."""
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="FILE",
        help="a guest program whose symbols are known, as they are when it runs; nothing of it is executed",
    )


def new_compiler(arguments: argparse.Namespace, limits: Limits) -> Compiler:
    """The compiler of one session, with what the flags give it; it makes no remarks."""
    from lang import Compiler

    return Compiler(
        limits,
        tuple(Path(located(folder, arguments)) for folder in arguments.include),
        drives(arguments),
        symbol_table(arguments, limits),
        portability=False,
    )


def symbol_table(arguments: argparse.Namespace, limits: Limits) -> SymbolTable:
    """What --symbol and --program give, and the kernel's names. Exits for a malformed symbol and a bad program."""
    from hds.symbols import add_kernel, add_program, new_table

    table = new_table(symbols(arguments), limits)
    for name in getattr(arguments, "program", ()):
        from machine.loaders import LoadError, UnreadableFile, read_program

        path = Path(located(name, arguments))
        try:
            image = read_program(path, limits)
        except LoadError as error:
            code = ExitCode.NO_INPUT if isinstance(error, UnreadableFile) else ExitCode.GUEST
            refuse(f"--program {name}: {error}", code, error.hint or None)
        add_kernel(table, image.kernel)
        add_program(table, path.name, image)
    return table


def symbols(arguments: argparse.Namespace) -> dict[str, int]:
    """The addresses that --symbol gives, by name. Exits for a malformed one."""
    table: dict[str, int] = {}
    for text in arguments.symbol:
        name, equals, address = text.partition("=")
        value = parse_number(address)
        if not equals or "!" not in name or value is None:
            refuse(f"--symbol {text}: expected MODULE!NAME=ADDRESS", ExitCode.USAGE)
        table[name] = value
    return table


def with_arguments(source: SourceFile, arguments: argparse.Namespace) -> SourceFile:
    """The text with $arg0 (its name), $arg1, ... in place."""
    from lang.commands import substitute_arguments

    return (
        substitute_arguments(source, [source.name, *map(utf8_argument, arguments.arg)])
        if "$arg" in source.text
        else source
    )


def number_of_seconds(text: str) -> float:
    """A time as an option gives it. Raises argparse.ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_TIME:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of seconds (0 to {LONGEST_TIME})")
    return seconds


def add_limits(parser: argparse.ArgumentParser) -> None:
    """One flag for every named limit; the help shows one line for all of them."""
    parser.add_argument(
        "--help-limits", action=_HelpLimits, nargs=0, help="show the flags of the limits, as `hds list limits` does"
    )
    _add_limit_flags(parser, shown=False)


def _add_limit_flags(parser: argparse.ArgumentParser, shown: bool) -> None:
    group = parser.add_argument_group("limits")
    for row in LIMITS:
        flag = "--" + row.name.replace("_", "-")
        text = f"{row.doc} (default {row.default} {row.unit})" if shown else argparse.SUPPRESS
        group.add_argument(
            flag, type=partial(_positive, least=row.least, most=row.most), metavar="N", dest=row.name, help=text
        )


class _HelpLimits(argparse.Action):
    """--help-limits: show the flags that --help leaves out, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        limits = argparse.ArgumentParser(prog=parser.prog, usage=argparse.SUPPRESS, add_help=False)
        _add_limit_flags(limits, shown=True)
        limits.print_help()
        parser.exit()


def chosen_limits(arguments: argparse.Namespace) -> Limits:
    """The limits with what the flags say."""
    given = {row.name: getattr(arguments, row.name) for row in LIMITS}
    return replace(DEFAULT_LIMITS, **{name: value for name, value in given.items() if value is not None})


def _positive(text: str, least: int, most: int) -> int:
    """A limit: decimal digits, as the help shows them."""
    value = number_in(text, DECIMAL, most)
    if value is None or value < least:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no decimal number from {least} to {most}")
    return value


def parse_number(text: str) -> int | None:
    """A number of the command line, as scripts write it; perhaps a `-`, which makes 64 bits; blanks around it."""
    return number_in(text.strip(), OPTION)
