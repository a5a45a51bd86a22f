"""THE table of how commands are written: `.help`, the messages of incorrect use and docs/commands.md read it.

What a command does in one line, its other names and whether it runs offline stand in lang/commands/table.py; what hds
does differently from HyperDbg, or what is worth knowing, stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lang.commands import COMMAND_BY_NAME, COMMANDS, CommandRow, Support
from machine.events.catalog import KINDS_BY_COMMAND

_OPTIONS = (
    "[pid P|all] [core C] [imm yes|no] [sc on|off] [stage pre|post|all] [buffer N] "
    "[[asm] condition {...}] [[asm] code {...}] [script {...}] [output {NAME, ...}]"
)


@dataclass(frozen=True)
class Usage:
    """How a command is written, one form on a line, with `{name}` for its name; notes; its `section` of the page."""

    section: str
    syntax: str
    notes: str = ""


def _event(own: str = "") -> Usage:
    return Usage("Events", f"{{name}}{' ' + own if own else ''} [OPTIONS]")


def _usages(section: str, rows: Mapping[str, tuple[str, str]]) -> dict[str, Usage]:
    return {name: Usage(section, syntax, notes) for names, (syntax, notes) in rows.items() for name in names.split()}


USAGE_BY_NAME: dict[str, Usage] = {
    "!syscall": _event("[NUMBER]"),
    "!syscall2": _event("[NUMBER]"),
    "!sysret": _event(),
    "!sysret2": _event(),
    "!epthook": _event("ADDRESS"),
    "!epthook2": _event("ADDRESS"),
    "!monitor": _event("[va|pa] r|w|x|rw|rx|wx|rwx FROM TO|l LENGTH"),
    "!cpuid": _event("[LEAF]"),
    "!msrread": _event("[MSR]"),
    "!msrwrite": _event("[MSR]"),
    "!ioin": _event("[PORT]"),
    "!ioout": _event("[PORT]"),
    "!tsc": _event(),
    "!pmc": _event(),
    "!vmcall": _event(),
    "!exception": _event("[VECTOR]"),
    "!interrupt": _event("VECTOR"),
    "!dr": _event(),
    "!crwrite": _event("0|4 [MASK]"),
    "!mode": _event("u|k|ku pid P"),
    "!trace": _event("step-in|step-out|instrument-step"),
    "!xsetbv": _event("[XCR]"),
    **_usages("Events", {
        "events": (
            "events\nevents e|d|c ID|all\nevents sc on|off",
            "IDs are those of the list. `events sc` changes the trigger "
            "that holds the guest at this moment, and only that one.",
        ),
        "output": (
            "output\noutput create NAME file|namedpipe|tcp|module ADDRESS\noutput open NAME\noutput close NAME",
            "See [events.md](events.md#forwarding).",
        ),
    }),
    **_usages("Evaluating and printing", {
        "?": ("? STATEMENTS\n? { STATEMENTS }", "The state is that of the current core, or of the held event."),
        "print": ("print EXPRESSION", ""),
        ".formats": (
            ".formats EXPRESSION",
            "Decimal and octal show all 64 bits. The time is that of the machine's clock.",
        ),
    }),
    **_usages("Registers", {
        "r": ("r\nr REGISTER\nr REGISTER = EXPRESSION", "Names are in lower case; sub-registers and flags are known."),
        "rdmsr": ("rdmsr MSR [core C]", "Without `core`: one line for every core."),
        "wrmsr": ("wrmsr MSR VALUE [core C]", "Without `core`: on every core."),
        "cpu": ("cpu", "The emulated processor, not the one that hds runs on."),
        "cpuid": ("cpuid LEAF [SUBLEAF]", "On the emulated processor."),
    }),
    **_usages("Memory", {
        "db dc dd dq !db !dc !dd !dq": (
            "{name} ADDRESS [l LENGTH] [pid P]",
            "Rows of sixteen bytes from exactly the address, 80 (hex) bytes unless a length is given. Bytes that "
            "cannot be read, or lie behind the length, are shown as `??`.",
        ),
        "dl !dl": (
            "{name} ADDRESS [l NODES] [o OFFSET] [pid P]",
            "Follows the pointer at OFFSET of every node, up to 100 (hex) nodes.",
        ),
        "u !u u2 !u2": (
            "{name} ADDRESS [l LENGTH] [pid P]",
            "Unlike in HyperDbg, `lea` shows neither size nor segment, and an instruction set extension may have "
            "another of its names. `settings syntax` changes the style.",
        ),
        "eb ed eq !eb !ed !eq": (
            "{name} ADDRESS VALUE [VALUE ...] [pid P]",
            "Writes to read-only pages too. Values are plain hexadecimal numbers.",
        ),
        "sb sd sq !sb !sd !sq": (
            "{name} ADDRESS l LENGTH VALUE [VALUE ...] [pid P]",
            "All elements are compared (v0.23 skips some); at most 1000 (hex) results.",
        ),
        "a !a": (
            "{name} ADDRESS {STATEMENTS} [pid P]\n{name} {STATEMENTS} [START]",
            "The second form only shows the bytes. Statements are separated by `;` or line ends, numbers are "
            "hexadecimal, and `<EXPRESSION>` is replaced by its value.",
        ),
        "!va2pa !pa2va": (
            "{name} ADDRESS [pid P]",
            "The emulated machine runs without paging: both addresses are equal where something is mapped.",
        ),
        ".dump !dump": (
            "{name} FROM TO [pid P] path FILE",
            "TO is not included. Pages that cannot be read are reported and left out.",
        ),
    }),
    **_usages("Running and stepping", {
        "g continue": (
            "{name}",
            "Lets the guest run until it ends or something halts it; at a held event, finishes its trigger first. The "
            "commands of a file behind it are carried out at the halt.",
        ),
        "p t i": (
            "{name} [COUNT]",
            "`p` runs a call to its return, `t` a system call to its return, `i` goes into both. Each step shows the "
            "next instruction. At a held event the first step finishes its trigger.",
        ),
        "pr tr ir": ("{name} [COUNT]", "The registers are shown behind each step."),
        "gu": ("gu [COUNT]", "Shows only the last instruction; COUNT is the largest number of steps."),
        "~": ("~\n~ CORE", ""),
        "bp": (
            "bp ADDRESS [pid P] [tid T] [core C]",
            "Nothing is written to memory, unlike in HyperDbg: everybody sees the original bytes.",
        ),
        "bl": ("bl", ""),
        "be bd": ("{name} ID", ""),
        "bc": ("bc ID\nbc all", ""),
        "k": (
            "k [base ADDRESS] [l LENGTH]",
            "The chain of frame pointers from rbp; with `base`, or without a plausible chain, "
            "every slot that looks like a return address.",
        ),
        "kd kq": ("{name} [base ADDRESS] [l LENGTH]", "Every slot."),
        "sleep": ("sleep MILLISECONDS", "The guest runs for that much virtual time; the number is hexadecimal."),
        "pause": ("pause", "Messages are never held back offline, so there is nothing to stop."),
        "flush": ("flush", ""),
    }),
    **_usages("Processes, modules, symbols", {
        ".process": (".process\n.process list\n.process pid P\n.process process EPROCESS", "Switches at once."),
        ".thread": (
            ".thread\n.thread list [process EPROCESS]\n.thread tid T\n.thread thread ETHREAD",
            "Switches at once.",
        ),
        ".start": (
            ".start path FILE [ARGUMENT ...]",
            "The program waits at its entry point: go on with `g`. Scripts and events of the same file may name its "
            "symbols. An event without `pid` is one of this program, or of the program whose symbol it names; "
            "`pid all` is for all of them.",
        ),
        ".restart": (".restart", "Events without `pid` are those of the new process."),
        ".kill": (".kill", ""),
        "lm": ("lm [um|km] [m NAME] [pid P]", "Kernel modules are those that symbols are known of."),
        "x": (
            "x [MODULE!]PATTERN",
            "With `*` and `?`, among those of --symbol, ELF symbol tables, PE exports and the kernel; mangled names, "
            "too, by their readable form. Without MODULE: those of the current program and of the kernel.",
        ),
    }),
    **_usages("Session", {
        ".script": (".script FILE [ARGUMENT ...]", "$arg0 is the file, $arg1 the first argument."),
        ".logopen": (".logopen FILE", "The file is emptied first."),
        ".logclose": (".logclose", ""),
        ".status": (".status", ""),
        ".help": (".help COMMAND", ""),
        ".cls": (".cls", ""),
        "settings": (
            "settings autounpause|autoflush|addressconversion [on|off]\nsettings syntax [intel|att|masm]",
            "Settings last as long as the session.",
        ),
        "exit unload": ("{name}", "Clears all events and ends the session."),
    }),
}  # fmt: skip


def syntax_of(row: CommandRow) -> tuple[str, ...]:
    """How a command is written, one form per line."""
    usage = USAGE_BY_NAME.get(row.name)
    return (row.name,) if usage is None else tuple(usage.syntax.replace("{name}", row.name).split("\n"))


def help_text(row: CommandRow) -> str:
    """What `.help` shows."""
    usage = USAGE_BY_NAME.get(row.name)
    lines = [f"{row.name} : {row.doc}", "", *(f"\t{form}" for form in syntax_of(row))]
    if row.is_event:
        lines += [f"\tOPTIONS: {_OPTIONS}"]
    if row.aliases:
        lines += ["", f"other names : {', '.join(row.aliases)}"]
    if usage is not None and usage.notes:
        lines += ["", usage.notes]
    return "\n".join(lines) + "\n"


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
    for section in dict.fromkeys(usage.section for usage in USAGE_BY_NAME.values()):
        rows = [COMMAND_BY_NAME[name] for name, usage in USAGE_BY_NAME.items() if usage.section == section]
        yield from ("", f"## {section}", "")
        if any(row.is_event for row in rows):
            yield from (
                "OPTIONS are those of every event ([events.md](events.md#options)):",
                "",
                "```",
                _OPTIONS,
                "```",
            )
            yield ""
        yield from ("| command | what it does |", "|---|---|")
        yield from (_line(row) for row in rows if row.support is Support.RUNS)
    for support, title in ((Support.NO_EFFECT, "Accepted without effect"), (Support.UNAVAILABLE, "Not available")):
        yield from ("", f"## {title}", "", "| command | what HyperDbg does |", "|---|---|")
        yield from (f"| `{row.name}` | {row.doc} |" for row in COMMANDS if row.support is support)


def _line(row: CommandRow) -> str:
    """One row of a table: the forms of a command, and what there is to say about it."""
    forms = "<br>".join(f"`{form}`" for form in syntax_of(row)).replace("|", "\\|")
    parts = [row.doc + "."]
    if row.aliases:
        parts.append(f"Also {', '.join(f'`{alias}`' for alias in row.aliases)}.")
    if row.is_event and not any(kind.implemented for kind in KINDS_BY_COMMAND[row.name]):
        parts.append("Not emulated: creating it is refused (c0000003).")
    parts.append(USAGE_BY_NAME[row.name].notes)
    return f"| {forms} | {' '.join(filter(None, parts))} |"
