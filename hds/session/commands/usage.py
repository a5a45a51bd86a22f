"""How commands are written, for people: what `.help` shows, and docs/commands.md. The table is `vm.facts.commands`."""

from __future__ import annotations

from collections.abc import Iterator

from vm.facts.builtins import BUILTINS
from vm.facts.commands import COMMANDS, CommandRow, Support
from vm.facts.errors import ErrorNumber
from vm.facts.events import OPTIONS_USAGE


def help_text(row: CommandRow) -> str:
    """What `.help` shows."""
    from vm.facts.command_examples import COMMAND_EXAMPLES

    lines = [f"{row.name} : {row.doc}", "", *(f"\t{form}" for form in row.forms)]
    if row.is_event:
        lines += [f"\tOPTIONS: {OPTIONS_USAGE}"]
    examples = COMMAND_EXAMPLES.get(row.name, ())
    if examples:
        lines += ["", "examples :", *(f"\t{example}" for example in examples)]
    if row.aliases:
        lines += ["", f"other names : {', '.join(row.aliases)}"]
    if row.notes:
        lines += ["", row.plain_notes]
    if row.support is not Support.RUNS:
        lines += ["", row.support.value]
    return "\n".join(lines) + "\n"


def help_list() -> str:
    """What `.help` alone shows: all commands, by section."""
    lines = []
    for section in dict.fromkeys(row.section for row in COMMANDS if row.support is not Support.UNAVAILABLE):
        rows = [(row.name, row.doc) for row in COMMANDS if row.section == section]
        lines += ["", section, *_columns(rows)]
    lines += [
        "",
        "help COMMAND : how one is written, with examples",
        "help WORD : commands and functions by what they do",
    ]
    return "\n".join(lines[1:]) + "\n"


def help_search(word: str) -> str:
    """The commands and built-in functions that a word is said of; nothing where there are none."""
    wanted = word.lower()
    commands = [
        (row.name, row.doc)
        for row in COMMANDS
        if any(wanted in text.lower() for text in (row.name, row.doc, row.notes, row.section, *row.aliases))
    ]
    functions = [(row.name, row.doc) for row in BUILTINS if wanted in row.name or wanted in row.doc.lower()]
    parts = (("commands", commands), ("functions of scripts", functions))
    return "".join("\n".join([title, *_columns(rows)]) + "\n" for title, rows in parts if rows)


def _columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in rows)
    return (f"  {name:<{width}}  {doc}"[:_WIDEST] for name, doc in rows)


_WIDEST = 120  # characters of a line
_PAGE_HEAD = """\
# Commands

What may begin a line of a command file, or be typed at the `HyperDbg> ` prompt. Names are in upper or lower case.
Numbers are hexadecimal; `0n` marks decimal ones. An ADDRESS is a number, a symbol or an expression of the script
language without blanks, such as `@rsp+8` or `poi(@rcx+10)`, evaluated on the current state. A symbol without a module
(`bp check`) is one of the current program, or else of the kernel; names of C++ and Rust may be written in their
readable form, in quotes where there are blanks in it (`bp "tool!Foo::bar(int, char)"`). `l`, `pid`, `core` and
their like are followed by their value and may stand anywhere behind the name.

A command that is refused prints its message and is counted in the summary. `hds run` ends there: before the guest has
started it is not started, and a guest that a `g` or an event holds is not let go. With `--keep-going` the file goes on
with the next command, as in HyperDbg; so do the console, and `Session` in Python, which raises behind the last one.

A FILE is a regular file: FIFOs, terminals and other devices, directories and sockets are refused (`/dev/null` is
not). Its path is relative to the current folder, that of `file:` to the folder of the command file. A backslash
separates folders, as a slash does. `c:\\...`, in any case and with either slash (`c:x` is `c:\\x`), and
`\\\\server\\share\\...` are looked up in the folder that `--drive c=DIR` (`--drive \\\\server\\share=DIR`) gives: an
exactly spelled name first, else the only one that differs in case only. Neither `..` nor a link leads out of that
folder. Without the flag, or with `\\x` alone, it is an error (E226; in an `#include` E025), and no file is read or
made. The same holds for the files that a command line names.
"""


def commands_page() -> Iterator[str]:
    """docs/commands.md, line by line."""
    yield from _PAGE_HEAD.splitlines()
    for section in dict.fromkeys(row.section for row in COMMANDS):
        rows = [row for row in COMMANDS if row.section == section]
        yield from ("", f"## {section}", "")
        if any(row.is_event for row in rows):
            yield from (
                "OPTIONS are those of every event ([events.md](events.md#options)):",
                "",
                "```text",
                OPTIONS_USAGE,
                "```",
            )
            yield ""
        if any(row.support is Support.RUNS for row in rows):
            yield from ("| command | what it does |", "|---|---|", *map(_line, rows))
        else:
            yield from ("| command | what HyperDbg does |", "|---|---|")
            yield from (f"| `{row.name}` | {row.doc}{f'; {row.notes}' if row.notes else ''} |" for row in rows)


def _line(row: CommandRow) -> str:
    """One row of a table: the forms of a command, and what there is to say about it."""
    forms = "<br>".join(f"`{form}`" for form in row.forms).replace("|", "\\|")
    parts = [row.doc + "."]
    if row.aliases:
        parts.append(f"Also {', '.join(f'`{alias}`' for alias in row.aliases)}.")
    if row.support is Support.NOT_EMULATED:
        parts.append(f"{ErrorNumber.EVENT_TYPE_INVALID.said('Not emulated: creating it is refused')}.")
    parts.append(row.notes)
    return f"| {forms} | {' '.join(filter(None, parts))} |"
