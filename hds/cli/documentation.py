"""Makes what is derived: pages of docs/ that are tables, the schema of records, and word lists for editors.

`python -m hds.cli.documentation --write docs`, or `--check docs`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from hds.cli.main import SUBCOMMANDS, Parser, Subcommand, build_parser
from hds.cli.measurements import benchmarks_page, readme_note, readme_table
from hds.cli.subcommands.explain import VISIBLE_RETURN, WIDTH
from hds.cli.tables import TABLES, Table
from hds.editor import textmate_grammar, vim_syntax
from hds.report import FailureKind, records_schema
from hds.session.commands import commands_page
from hds.version import VERSION
from lang import Code
from lang.codes import COMMAND_ERRORS, ERRORS, KINDS, PORTABILITY, REMARKS, SEEN, TEST_ERRORS, WARNINGS, Row
from machine.kernel.linux import linux_calls
from vm.facts.builtins import BUILTINS
from vm.facts.commands import COMMANDS, Support
from vm.facts.events import EVENTS
from vm.facts.limits import LIMITS

README = Path(__file__).parents[2] / "README.md"
NOTE = "<!-- Made by `python -m hds.cli.documentation --write docs`; do not edit. -->"

# Title, first and last code.
PORTABILITY_GROUPS: tuple[tuple[str, Code, Code], ...] = (
    ("Source text and tokens", Code.V023_OCTAL, Code.V023_SMALL_FLOAT),
    ("Program and statements", Code.V023_BLOCK, Code.V023_VOID),
    ("Expressions and functions", Code.V023_COMPARISON, Code.V023_DENORMAL),
    ("Arrays, pointers, structs", Code.V023_ARRAY_SIZE, Code.V023_ARRAY_AGAIN),
    ("Built-in functions, output, parameters", Code.V023_FORMAT, Code.V023_FLOAT_GLOBAL),
    ("Limits and session", Code.V023_LIMITS, Code.V023_GLOBAL_TYPE),
)

_DIAGNOSTICS = """\
# Diagnostics

Every diagnostic has a stable code and a place: file, line and column. Errors stop the compilation; lexical errors
come before syntax errors, and those before errors of names and types. Warnings stop nothing, unless `hds check
--warnings-as-errors` asks for it, and can be left out with `--disable CODE`. Remarks are made by `hds check` only.
Portability remarks are in [portability.md](portability.md). `hds explain CODE` shows the same texts.
"""
_PORTABILITY = """\
# Portability: where hds goes beyond HyperDbg v0.23

A script that touches none of these points gives the same result in both. `hds check` names every point that a
script touches; `--target hds` leaves them out, and `--disable CODE` leaves out one.

`hds explain CODE` shows the texts below. *v0.23* in the tables says what HyperDbg v0.23 does:
"""
_LIMITS = """\
# Limits

Every limit has a name, a default and a flag, and the message names it when it strikes. The defaults of the script
limits are HyperDbg v0.23's where it has one. Values of the flags are decimal.
"""
_LIMITS_2 = """\
A script that runs into a limit stops as with any run-time error: what it did before stays, and its next trigger
runs it again. There is no limit on the number of local variables, parameters, loops or initialisers.

`max_kernel_work` bounds what a guest has done for it, where one cheap instruction may ask for very much. Each byte
that a system call moves or clears counts, and each page that gets memory, loses it, is moved or copied counts its
4096 bytes. What else takes time has a weight: 32 KiB for a mapping that is made, removed, cut or looked at, 1 KiB for
each component of a path, buffer of several, directory entry or descriptor that a call goes through, 256 bytes for a
call. A page that is reserved only costs nothing. The call under way ends early, by a smaller count or an error, and
the run ends behind it; calls that move much also look at the clock, so that `--timeout` and Ctrl-C end them.
"""
_BYTECODE = """\
# Bytecode

A script becomes a *program*: 32-bit instructions, a pool of 64-bit constants, string literals, `printf` formats,
the globals that it names, and the source position of each instruction. `hds disasm` shows it, `hds compile` writes
it.

## Machine

* A frame has 256 registers of 64 bits, which start at 0. Variables whose address is never taken are registers.
* A register holds a value in canonical form: an integer extended to 64 bits as its type says, the bits of a double,
  or the bits of a float with zeros in front. So most instructions need no type.
* Variables whose address is taken, arrays and structs are in the frame's memory, in slots of eight bytes.
* *Fuel* is what an instruction costs of `max_steps`. It is charged per basic block, when the block is entered.
* A program runs only after the verifier has proved that every operand designates something, that jumps stay in
  their function, and that calls get exactly their arguments. Addresses and limits are checked while it runs.

## Encoding

The opcode is in bits 0-7 and A in bits 8-15. B is in 16-23 and C in 24-31, or one 16-bit operand is in 16-31. `JMP`
has one signed 24-bit operand in 8-31. Jump distances count from the next instruction.
"""
_BYTECODE_2 = """\
## Files

All numbers are little-endian. Texts (UTF-8) and byte strings have their length in bytes in front (32 bits), tables
the number of their rows. A bare script becomes a program file: magic `HDSC`, version (16 bits), 0 (16 bits), CRC-32
of the rest, and the tables code, functions, constants, strings, formats, globals, sources, positions. A command
file becomes a bundle: magic `HDSB`, version, 0, CRC-32, the name and text of the command file, and a table of
scripts: the offset in the text at which each begins, and its program file.
"""
_COMMAND_LINE = """\
# Command line

`hds SUBCOMMAND ...`; `hds SUBCOMMAND --help` or `hds help SUBCOMMAND` shows the same options, and `--help-limits` the
flags of the limits. `hds` alone lists the subcommands, `hds version` is `hds --version`, and `python -m hds` is `hds`.
Everywhere `-` stands for standard input and `-e` gives the text itself. What scripts print goes to standard output;
findings, summaries and errors go to standard error, except where they are what was asked for (`check`, `fmt --check`,
`conform`).

## Command files and bare scripts

A *command file* holds commands such as `!syscall ... script { }`, `? { }` or `print`, one on a line. A *bare
script* holds statements, as between the braces of `? { }`: the files that `file:` and `#include` name. `check`,
`compile`, `disasm` and `fmt` take both, and look at the first line that is neither blank nor a comment: if it reads
as a statement (a call, an assignment, a declaration, `if`, `for`, `{`, `#include`, ...), the file is a bare script,
and else a command file. `--script` and `--commands` say it where the first line misleads. `eval` takes bare
scripts, `run` command files.

## Order of words, and programs

Options of `run` and `console` stand before SCRIPT and PROGRAM: what follows PROGRAM are the guest's arguments, and a
note says so where one of them is a flag of hds. PROGRAM is an ELF or PE file by its content, an assembly listing if its
name ends in `.asm`, machine code if it ends in `.bin`, `.raw` or `.sc`; `--kind` says it for any other name. Everything
else (text, a shell script, an image, unknown bytes) is refused and not run. The same holds for `.start path` and for
`hds.Session(program=...)` in Python, where bytes have no name.

A file that is not there, or cannot be read, is exit code 3, whether it is a script, the program or its input; a program
that is read and cannot be loaded, one that a limit is too small for included, is exit code 5.

The prompt of `console` edits lines with the package prompt_toolkit where that is installed, which hds does not ask for,
and else with readline.
"""
_FAILURES = """\
When standard output is closed, full or its reader goes away, the subcommand ends there; `run` ends the guest, too. A
reader that takes nothing for the seconds of `--timeout` ends `run` and `console` with exit code 6. A
standard error that cannot be written stops nothing.

A guest has crashed where an exception has ended it that nobody handled: one of the processor, for which Linux kills
by a signal; of Windows programs also one that they raise themselves, and a fast fail. Every other end is none: an
exit with any code or NTSTATUS, a signal that somebody sends (`kill`, `abort()`, a timer). A Windows program whose
DLLs are missing is not loaded. With `--guest-exit-code` the code is the guest's own, where hds would say 0; and where
it crashes or is not loaded the one that its system gives it, 128 + the signal or the NTSTATUS (a shell sees the
lowest eight bits, and 1 where these are all 0 and the code is not).

## Failures in JSON

With `--format json` (`--json` in `eval`) standard output has one object on a line, in UTF-8; `run` writes nothing
elsewhere but what `--stats` asks for. Whatever ends with another exit code than 0 has a record with `kind`, `message`,
`hint` and `code` (that of the diagnostic, or null). Its `type` is `failure`, with `exit_code`; or `finding`, with the
place, for each error in a script or a command. `eval` has the same as `failure` in its one object. In SARIF, files that
cannot be read are notifications of the invocation.
"""
_LINUX_CALLS = """\
# System calls of Linux guests

What becomes of each call of x86-64 Linux, by its hexadecimal number as `$context` has it; `hds list calls` shows the
same. A call that is carried out checks its arguments as Linux does, and may refuse some of what Linux takes:
[linux.md](linux.md) names that. Those that are answered with an error do nothing else. The last line of a run names
the calls that a program tried in vain.
"""
_SHOWN = """\
## What is shown

On a terminal the control characters, marks of direction and line separators in what scripts, guests, files and
arguments say are shown as escape sequences (`\\x1b`, `\\u202e`); a carriage return counts as one unless a line feed
follows. Pipes and files get the bytes as they are. Characters that the encoding of a stream lacks are escaped
everywhere. A run-time error that an event repeats at one place is shown in full once; how many there were beyond that
is said when the run ends or halts.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads = list(columns)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(map(_cell, row)) + " |"


def _markdown(table: Table, code: tuple[int, ...]) -> Iterator[str]:
    """A table of hds; the columns with these numbers are shown as code."""
    for_people = (
        [f"`{text}`" if number in code and text != "-" else text for number, text in enumerate(row)]
        for row in table.rows
    )
    return _table(table.columns, for_people)


def _script(script: str) -> Iterator[str]:
    yield "```hds"
    script = script.replace("\r", VISIBLE_RETURN)
    yield from (line if len(line) <= WIDTH else line[:40] + " ... " + line[-20:] for line in script.split("\n"))
    yield "```"


def diagnostics_page() -> Iterator[str]:
    """docs/diagnostics.md."""
    yield from _DIAGNOSTICS.splitlines()
    parts = (
        ("Errors of scripts", ERRORS),
        ("Warnings", WARNINGS),
        ("Remarks", REMARKS),
        ("Errors and warnings of commands", COMMAND_ERRORS),
        ("Errors in the directives of tests", TEST_ERRORS),
    )
    for title, rows in parts:
        yield ""
        yield f"## {title}"
        for row in rows:
            yield from _example(f"### {row.code}: {row.title}", row, "Better:")


def _example(heading: str, row: Row, better: str) -> Iterator[str]:
    yield ""
    yield heading
    yield ""
    yield row.explanation
    yield ""
    yield from _script(row.bad)
    yield ""
    yield better
    yield ""
    yield from _script(row.good)
    for name, text in row.files.items():
        yield ""
        yield f"`{name}` holds `{text}`."


def portability_page() -> Iterator[str]:
    """docs/portability.md."""
    yield from _PORTABILITY.splitlines()
    yield ""
    yield from (f"* **{letter}**: {meaning}" for letter, meaning in KINDS.items())
    yield ""
    yield "*Seen* says what the checker can know:"
    yield ""
    yield from (f"* **{letter}**: {meaning}" for letter, meaning in SEEN.items())
    for title, first, last in PORTABILITY_GROUPS:
        rows = sorted((row for row in PORTABILITY if first <= row.code <= last), key=lambda row: row.code)
        yield ""
        yield f"## {title}"
        yield ""
        columns = ("id", "here", "HyperDbg v0.23", "kind", "seen")
        yield from _table(columns, ((row.code, row.title, row.v023, row.kinds, row.seen) for row in rows))
        for row in rows:
            yield from _example(f"### {row.code}", row, "Alike in both:")


def limits_page() -> Iterator[str]:
    """docs/limits.md."""
    yield from _LIMITS.splitlines()
    yield ""
    yield from _markdown(TABLES["limits"](), (0, 1))
    yield ""
    yield from _LIMITS_2.splitlines()


def bytecode_page() -> Iterator[str]:
    """docs/bytecode.md."""
    yield from _BYTECODE.splitlines()
    yield ""
    yield from _markdown(TABLES["instructions"](), (0, 1))
    yield ""
    yield from _BYTECODE_2.splitlines()


def command_line_page() -> Iterator[str]:
    """docs/command-line.md."""
    yield from _COMMAND_LINE.splitlines()
    for row in SUBCOMMANDS:
        yield ""
        yield f"## hds {row.name}"
        yield ""
        yield row.sentence
        yield ""
        yield from ("```sh", *row.examples, "```")
        yield ""
        yield from _options(row.name, row.module)
    yield ""
    yield "## Exit codes"
    yield ""
    yield from _markdown(TABLES["exit-codes"](), (0, 1))
    yield ""
    yield from _FAILURES.splitlines()
    yield ""
    rows = ((f"`{kind.value}`", f"`{int(kind.exit_code)}`", kind.doc) for kind in FailureKind)
    yield from _table(("kind", "exit code", "meaning"), rows)
    yield ""
    yield from _SHOWN.splitlines()


def _options(name: str, module: str) -> Iterator[str]:
    parser = argparse.ArgumentParser(prog=f"hds {name}", add_help=False)
    importlib.import_module(module).configure(parser)
    limits = {row.name for row in LIMITS}
    rows = []
    for action in parser._actions:
        if action.dest in limits:
            continue
        help_text = (action.help or "").replace("%%", "%")
        words = action.option_strings or [""]
        value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else None)
        shown = value if isinstance(value, str) else "" if action.nargs == 0 else action.dest.upper()
        rows.append((", ".join(f"`{f'{word} {shown}'.strip()}`" for word in words), help_text))
    yield from _table(("argument", "meaning"), rows)
    if any(action.dest in limits for action in parser._actions):
        yield ""
        yield "And a flag for every limit, see [limits.md](limits.md)."


def linux_calls_page() -> Iterator[str]:
    """docs/linux-calls.md."""
    yield from _LINUX_CALLS.splitlines()
    calls = list(linux_calls())
    yield ""
    yield f"{sum(call.error is None for call in calls)} of {len(calls)} are carried out."
    yield ""
    yield from _table(("number", "call", "here"), ((call.number, call.name, call.answer) for call in calls))


def readme_page() -> Iterator[str]:
    """README.md, with the tables between its marks as the code and the benchmarks have them."""
    text = README.read_text(encoding="utf-8")
    speed = (*_table(("what", "ratio"), readme_table()), *readme_note())
    for what, lines in (("what is emulated", _emulated()), ("speed", speed)):
        begin, end = f"<!-- {what}, made as the pages of docs/ are -->", "<!-- to here -->"
        before, _, rest = text.partition(begin + "\n")
        text = before + "\n".join((begin, *lines, end)) + rest.partition(end)[2]
    yield from text.splitlines()


def _emulated() -> Iterator[str]:
    kinds = {kind.name: kind for row in EVENTS for kind in row.kinds}
    supports = Counter(row.support for row in COMMANDS)
    answers = Counter((kernel, answer == "carried out") for kernel, _, _, answer in TABLES["calls"]().rows)
    parts = (
        ("kinds of events", len(kinds), sum(kind.emulated for kind in kinds.values()), "`hds list events`"),
        ("commands", len(COMMANDS), supports[Support.RUNS], "`hds list commands`"),
        ("built-in functions", len(BUILTINS), len(BUILTINS), "`hds list builtins`"),
        *(
            (
                f"system calls of {system}",
                answers[name, True] + answers[name, False],
                answers[name, True],
                "`hds list calls`",
            )
            for name, system in (("linux", "Linux"), ("nt", "Windows"))
        ),
    )
    return _table(("", "there are", "carried out here", "which"), (map(str, part) for part in parts))


def records_page() -> Iterator[str]:
    """docs/records.schema.json."""
    yield from json.dumps(records_schema(), indent=2).splitlines()


def textmate_file() -> Iterator[str]:
    """The grammar of the extension for Visual Studio Code."""
    yield from json.dumps(textmate_grammar(), indent=1).splitlines()


def vim_file() -> Iterator[str]:
    """The syntax file for Vim."""
    yield from vim_syntax().splitlines()


def manual_page(row: Subcommand | None) -> Iterator[str]:
    """The manual page of a subcommand, or of `hds` itself."""
    from argparse_manpage.manpage import Manpage

    parser = build_parser() if row is None else Parser(prog=f"hds {row.name}", add_help=False)
    if row is not None:
        importlib.import_module(row.module).configure(parser)
        parser.description = row.sentence
    manual = Manpage(parser)
    manual.prog = "hds" if row is None else f"hds-{row.name}"
    manual.description = "HyperDbg's scripting, offline" if row is None else row.doc
    manual.date, manual.source, manual.manual = "", f"hds {VERSION}", "User Commands"
    if row is None:
        also = ", ".join(f"hds\\-{each.name}(1)" for each in SUBCOMMANDS)
    else:
        lines = (example.replace("\\", "\\e").replace("-", "\\-") for example in row.examples)
        manual.add_section("examples", ">", "\n".join((".nf", *(f"\\&{line}" for line in lines), ".fi")))
        also = "hds(1)"
    manual.add_section("see also", ">", also)
    for line in str(manual).splitlines():
        yield rf"\&{line}" if line.startswith("'") else line  # a text, and no request


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "diagnostics.md": diagnostics_page,
    "portability.md": portability_page,
    "limits.md": limits_page,
    "bytecode.md": bytecode_page,
    "command-line.md": command_line_page,
    "linux-calls.md": linux_calls_page,
    "benchmarks.md": benchmarks_page,
    "commands.md": commands_page,
    "records.schema.json": records_page,
    "../README.md": readme_page,
    "../editors/vscode/syntaxes/hds.tmLanguage.json": textmate_file,
    "../editors/vim/syntax/hds.vim": vim_file,
    "man/hds.1": partial(manual_page, None),
    **{f"man/hds-{row.name}.1": partial(manual_page, row) for row in SUBCOMMANDS},
}


def page(name: str) -> str:
    """The text of one page."""
    note = f"{NOTE}\n\n" if name.endswith(".md") and not name.startswith("../") else ""
    return note + "".join(f"{line}\n" for line in PAGES[name]())


def main() -> int:
    """`--write FOLDER` or `--check FOLDER`; 1 when a page is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m hds.cli.documentation", description="Makes pages of docs/.")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", metavar="FOLDER", help="write the pages into this folder")
    group.add_argument("--check", metavar="FOLDER", help="say which pages of this folder are not up to date")
    arguments = parser.parse_args()
    stale = 0
    for name in PAGES:
        path = Path(arguments.write or arguments.check) / name
        text = page(name)
        if arguments.write:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not up to date", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
