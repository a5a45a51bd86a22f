"""The options that subcommands share: their flags, and the frozen classes that a command line becomes, once.

Each class has its flags beside it (`add_...`) and `of`, which takes what the parser found. Malformed options end hds
there; files and folders are looked at when they are asked for.
"""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from hds.exit_codes import ExitCode
from hds.inputs import (
    InputError,
    is_bare_script,
    locate,
    parse_number,
    read_source,
    refuse,
    source_argument,
    utf8_argument,
)
from hds.session import ENGINES
from vm import Drives, read_drives
from vm.facts.limits import DEFAULT_LIMITS, LIMITS, Limits
from vm.facts.numbers import DECIMAL, number_in

if TYPE_CHECKING:
    from lang import Compiler, Diagnostic, SourceFile, SymbolTable
    from machine.loaders import WindowsPlan

LONGEST_TIME = 1_000_000  # seconds
T = TypeVar("T", bound=msgspec.Struct)


def options_of(kind: type[T], found: argparse.Namespace, /, **made: object) -> T:
    """An options class: `made` are fields, the others are what the parser found under their names (lists as tuples)."""
    values: dict[str, Any] = made
    for name in kind.__struct_fields__:
        if name not in values:
            value = getattr(found, name)
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


# --- which files, within which limits ---------------------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True):
    """How files are looked up and read: the drives of Windows' paths, and the limits of the whole session."""

    drives: Drives
    limits: Limits

    @classmethod
    def of(cls, found: argparse.Namespace) -> Reading:
        """The flags of `add_drives` and `add_limits`, where the subcommand has them. Exits for a malformed drive."""
        given = {row.name: getattr(found, row.name, None) for row in LIMITS}
        try:
            drives = read_drives(getattr(found, "drive", []))
        except ValueError as error:
            refuse(str(error), ExitCode.USAGE)
        limits = replace(DEFAULT_LIMITS, **{name: value for name, value in given.items() if value is not None})
        return cls(drives, limits)

    def locate(self, path: str) -> str:
        """The path on the host of one that was given; `-` stays what it is. Exits where there is none."""
        return locate(path, self.drives)

    def folder(self, path: str) -> Path:
        """A folder that is there, as `locate`; exits where there is none."""
        found = Path(self.locate(path))
        if not found.is_dir():
            why = "it is no folder" if found.exists() else os.strerror(errno.ENOENT)
            refuse(f"cannot read {path}: {why}", ExitCode.NO_INPUT)
        return found


def add_drives(parser: argparse.ArgumentParser) -> None:
    """--drive: where the paths of Windows are looked up."""
    parser.add_argument(
        "--drive", action="append", default=[], metavar="C=DIR", help="the folder in which paths such as c:\\x are"
    )


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
            flag, type=partial(decimal, least=row.least, most=row.most), metavar="N", dest=row.name, help=text
        )


class _HelpLimits(argparse.Action):
    """--help-limits: show the flags that --help leaves out, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        limits = argparse.ArgumentParser(prog=parser.prog, usage=argparse.SUPPRESS, add_help=False)
        _add_limit_flags(limits, shown=True)
        limits.print_help()
        parser.exit()


def decimal(text: str, least: int, most: int) -> int:
    """A number in decimal digits, as the help shows them. Raises argparse.ArgumentTypeError."""
    value = number_in(text, DECIMAL, most)
    if value is None or value < least:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no decimal number from {least} to {most}")
    return value


# --- texts ------------------------------------------------------------------------------------------------------------


class Input(msgspec.Struct, frozen=True):
    """The one text of a subcommand: a path (`-` for standard input), or that of `-e`, which comes first."""

    file: str | None
    execute: str | None
    reading: Reading
    timeout: float | None = None  # seconds until standard input has to end

    @classmethod
    def of(cls, found: argparse.Namespace) -> Input:
        """The flags of `add_input`."""
        return cls(found.file, found.execute, Reading.of(found))

    def source(self) -> SourceFile:
        """The text. Exits with a message when there is none to read."""
        if self.execute is not None:
            return source_argument(self.execute)
        if self.file is None:
            refuse("give a file, `-` for standard input, or -e TEXT", ExitCode.USAGE)
        return read_source(self.file, self.reading.limits, self.reading.drives, self.timeout)


class Inputs(msgspec.Struct, frozen=True):
    """The texts of a subcommand that takes several: files, and that of `-e` behind them."""

    files: tuple[str, ...]
    execute: str | None
    reading: Reading

    @classmethod
    def of(cls, found: argparse.Namespace) -> Inputs:
        """The flags of `add_inputs`."""
        return cls(tuple(found.files), found.execute, Reading.of(found))

    def __len__(self) -> int:
        return len(self.files) + (self.execute is not None)

    def sources(self) -> Iterator[SourceFile | InputError]:
        """The texts in order, and why one cannot be read. Exits when none is given."""
        if not self:
            refuse("give at least one file, `-` for standard input, or -e TEXT", ExitCode.USAGE)
        for name in self.files:
            try:
                yield read_source(name, self.reading.limits, self.reading.drives)
            except InputError as error:
                yield error
        if self.execute is not None:
            yield source_argument(self.execute)


def add_input(parser: argparse.ArgumentParser, what: str) -> None:
    """FILE, `-` or `-e TEXT`."""
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"{what}; - for standard input")
    add_execute(parser, "TEXT", f"{what} as an argument")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """FILE..., `-` and `-e TEXT`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="command files or bare scripts; - for standard input")
    add_execute(parser, "TEXT", "a command file or a bare script as an argument")


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


class TextKind(Enum):
    """What a text is read as."""

    BY_FIRST_LINE = None
    SCRIPT = "script"
    COMMANDS = "commands"

    @classmethod
    def of(cls, found: argparse.Namespace) -> TextKind:
        """The flags of `add_kind`."""
        return cls.SCRIPT if found.script else cls.COMMANDS if found.commands else cls.BY_FIRST_LINE

    def is_script(self, source: SourceFile) -> bool:
        """Whether to read the text as a bare script."""
        return self is TextKind.SCRIPT or (self is TextKind.BY_FIRST_LINE and is_bare_script(source))


def add_kind(parser: argparse.ArgumentParser) -> None:
    """--script and --commands: what the input is, where its first line should not decide."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--script", action="store_true", help="the input is a bare script, not a command file")
    group.add_argument("--commands", action="store_true", help="the input is a command file, not a bare script")


# --- compiling --------------------------------------------------------------------------------------------------------


class Compiling(msgspec.Struct, frozen=True):
    """What the text of a script may refer to: `$arg1` and the others, folders of includes, symbols by address."""

    reading: Reading
    arguments: tuple[str, ...]
    folders: tuple[str, ...]
    symbols: Mapping[str, int]
    programs: tuple[str, ...]
    dlls: str | None

    @classmethod
    def of(cls, found: argparse.Namespace) -> Compiling:
        """The flags of `add_compiling` and `add_programs`. Exits for a malformed symbol."""
        symbols: dict[str, int] = {}
        for text in found.symbol:
            name, equals, address = text.partition("=")
            value = parse_number(address)
            if not equals or "!" not in name or value is None:
                refuse(f"--symbol {text}: expected MODULE!NAME=ADDRESS", ExitCode.USAGE)
            symbols[name] = value
        programs = tuple(getattr(found, "program", ()))
        dlls = getattr(found, "dlls", None)
        return cls(Reading.of(found), tuple(found.arg), tuple(found.include), symbols, programs, dlls)

    @property
    def limits(self) -> Limits:
        """Those of the session."""
        return self.reading.limits

    def with_arguments(self, source: SourceFile) -> SourceFile:
        """The text with $arg0 (its name), $arg1, ... in place."""
        if "$arg" not in source.text:
            return source
        from lang.commands import substitute_arguments

        return substitute_arguments(source, [source.name, *map(utf8_argument, self.arguments)])

    def compiler(self, limits: Limits | None = None) -> Compiler:
        """A compiler for one session, with these limits or its own; it makes no remarks. Exits for a bad program."""
        from lang import Compiler

        return Compiler(
            limits or self.limits,
            tuple(Path(self.reading.locate(folder)) for folder in self.folders),
            self.reading.drives,
            self._symbol_table(limits or self.limits),
            portability=False,
        )

    def _symbol_table(self, limits: Limits) -> SymbolTable:
        from hds.symbols import add_kernel, add_program, new_table

        table = new_table(self.symbols, limits)
        root = None if self.dlls is None else self.reading.folder(self.dlls)
        plans: list[WindowsPlan] = []
        for name in self.programs:
            from machine.loaders import Placement, read_program

            path = Path(self.reading.locate(name))
            with _refusing(f"--program {name}"):
                image = read_program(path, Placement(limits=limits, root=root, path=path))
            add_kernel(table, image.kernel)
            add_program(table, path.name, image)
            plans += () if image.windows is None else (image.windows,)
        if root is not None:
            from hds.symbols import add_dlls
            from machine.loaders import plan_without_program

            if not self.programs:
                with _refusing(f"--root {self.dlls}"):
                    plans = [plan_without_program(root, limits)]
            table.more = lambda asking, module: add_dlls(asking, plans, module)
        return table


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Exits for a LoadError, as the option `what` is to blame."""
    from machine import LoadError
    from machine.loaders import UnreadableFile

    try:
        yield
    except LoadError as error:
        code = ExitCode.NO_INPUT if isinstance(error, UnreadableFile) else ExitCode.GUEST
        refuse(f"{what}: {error}", code, error.hint or None)


def add_compiling(parser: argparse.ArgumentParser, arguments: bool = True) -> None:
    """--arg, -I and --symbol: what a script's text may refer to."""
    parser.set_defaults(arg=[])
    if arguments:
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


def add_programs(parser: argparse.ArgumentParser) -> None:
    """--program and --root: whose symbols the text may name."""
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="FILE",
        help="a guest program whose symbols are known, as they are when it runs; nothing of it is executed",
    )
    parser.add_argument(
        "--root",
        dest="dlls",
        metavar="DIR",
        help="a folder laid out like C:, as in `hds run --root`: the symbols of its DLLs are known, too",
    )


# --- findings ---------------------------------------------------------------------------------------------------------


class Selection(msgspec.Struct, frozen=True):
    """Which warnings and remarks are wanted; `disable` and `enable` are codes."""

    target: str
    disable: tuple[str, ...]
    enable: tuple[str, ...]

    @classmethod
    def of(cls, found: argparse.Namespace) -> Selection:
        """The flags of `add_selection`. Exits for unknown codes, and for errors, which cannot be switched."""
        for code in (*found.disable, *found.enable):
            from hds.report import code_titles

            if code not in code_titles():
                refuse(f"{code} is no diagnostic code; `hds list diagnostics` shows them", ExitCode.USAGE)
            if code.startswith("E"):
                refuse(f"{code} is an error: it cannot be switched off or on", ExitCode.USAGE)
        return cls(found.target, tuple(found.disable), tuple(found.enable))

    def of_all(self, findings: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Without what the user switched off, and without portability remarks where hds itself is the target."""
        from lang import Severity

        off = set(self.disable) - set(self.enable)
        no_portability = self.target == "hds"
        return [
            item
            for item in findings
            if item.code not in off and not (no_portability and item.severity is Severity.PORTABILITY)
        ]


def add_selection(parser: argparse.ArgumentParser) -> None:
    """--target, --disable and --enable: which warnings and remarks are wanted."""
    parser.add_argument(
        "--target",
        choices=("hyperdbg", "hds"),
        default="hyperdbg",
        help="hyperdbg (default): also say where HyperDbg v0.23 behaves differently; hds: leave that out",
    )
    parser.add_argument("--disable", action="append", default=[], metavar="CODE", help="leave a warning or remark out")
    parser.add_argument(
        "--enable", action="append", default=[], metavar="CODE", help="give what --disable leaves out after all"
    )


# --- engines and time -------------------------------------------------------------------------------------------------


def add_engine(parser: argparse.ArgumentParser, *more: str, default: str | None = "reference") -> None:
    """--engine; `more` are further choices of a subcommand. Without a default it is native where llvmlite imports."""
    usual = default or "native where llvmlite is installed"
    parser.add_argument(
        "--engine", choices=(*ENGINES, *more), default=default, help=f"what runs the bytecode (default {usual})"
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
