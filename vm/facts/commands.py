"""Commands: every name that may begin a line, how it is written, and what becomes of it offline.

Names and aliases are those of events-and-commands A.10, C.1 and E. Event commands are those of `vm.facts.events`. The
reader of command files, `.help`, the messages of incorrect use, `hds list commands` and docs/commands.md read it;
carrying commands out is the business of the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import msgspec
from msgspec.structs import replace

from vm.facts.events import EVENT_BY_NAME, EVENTS, EventRow
from vm.facts.outputs import OUTPUT_KINDS

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")  # of Markdown


class Support(Enum):
    """What happens to a command that is read correctly."""

    RUNS = "runs"
    NOT_EMULATED = "not emulated yet"  # an event command that creates no event here
    NO_EFFECT = "accepted without effect"  # part of files for the real product: connections, driver modules, pools
    UNAVAILABLE = "not available offline"


class CommandRow(msgspec.Struct, frozen=True):
    """A command.

    `usage` has one form on a line, with `{name}` for the name; `notes` say what hds does differently from HyperDbg, or
    what is worth knowing; of a command that is not available, why, and what to do instead. `raw_text` commands take the
    text behind their name as it is, instead of tokens (A.9). An empty line at the prompt `repeats` a command (A.1).
    """

    name: str
    doc: str
    aliases: tuple[str, ...] = ()
    usage: str = "{name}"
    notes: str = ""
    raw_text: bool = False
    repeats: bool = False
    support: Support = Support.RUNS
    section: str = ""

    @property
    def is_event(self) -> bool:
        """Whether the command creates an event."""
        return self.name in EVENT_BY_NAME

    @property
    def forms(self) -> tuple[str, ...]:
        """How the command is written, one text for each form."""
        return tuple(self.usage.replace("{name}", self.name).split("\n"))

    @property
    def plain_notes(self) -> str:
        """The notes where links of docs/ lead nowhere: their texts alone."""
        return _LINK.sub(r"\1", self.notes)


def _event(row: EventRow) -> CommandRow:
    support = Support.RUNS if row.emulated else Support.NOT_EMULATED
    return CommandRow(row.name, row.doc, row.spelling.aliases, f"{row.own_usage} [OPTIONS]", support=support)


def _alike(usage: str, notes: str, *rows: CommandRow) -> tuple[CommandRow, ...]:
    """Commands that are written alike and share their notes."""
    return tuple(replace(row, usage=usage, notes=notes) for row in rows)


def _section(title: str, *rows: CommandRow, support: Support | None = None) -> tuple[CommandRow, ...]:
    """Commands that stand together in lists."""
    return tuple(replace(row, section=title, support=support or row.support) for row in rows)


COMMANDS: tuple[CommandRow, ...] = (
    *_section(
        "Events",
        *map(_event, EVENTS),
        CommandRow(
            "events",
            "lists, enables, disables or clears events",
            ("event",),
            usage="{name}\n{name} e|d|c ID|all\n{name} sc on|off",
            notes="IDs are those of the list. `events sc` changes the trigger that holds the guest at this "
            "moment, and only that one.",
        ),
        CommandRow(
            "output",
            "lists, creates, opens or closes output sources",
            usage="{name}\n{name} create NAME "
            + "|".join(OUTPUT_KINDS)
            + " ADDRESS\n{name} open NAME\n{name} close NAME",
            notes="See [events.md](events.md#forwarding).",
        ),
    ),
    *_section(
        "Evaluating and printing",
        CommandRow(
            "?",
            "runs a script",
            ("eval", "evaluate"),
            usage="{name} STATEMENTS\n{name} { STATEMENTS }",
            notes="The state is that of the current core, or of the held event.",
            raw_text=True,
            repeats=True,
        ),
        CommandRow(
            "print", "prints the value of an expression", usage="{name} EXPRESSION", raw_text=True, repeats=True
        ),
        CommandRow(
            ".formats",
            "prints the value of an expression in several formats",
            (".format",),
            usage="{name} EXPRESSION",
            notes="Decimal and octal show all 64 bits. The time is that of the machine's clock.",
            raw_text=True,
            repeats=True,
        ),
    ),
    *_section(
        "Registers",
        CommandRow(
            "r",
            "shows the registers, or shows or sets one",
            usage="{name}\n{name} REGISTER\n{name} REGISTER = EXPRESSION",
            notes="Names are in lower case; sub-registers and flags are known.",
            raw_text=True,
            repeats=True,
        ),
        CommandRow(
            "rdmsr",
            "shows a model-specific register",
            usage="{name} MSR [core C]",
            notes="Without `core`: one line for every core.",
        ),
        CommandRow(
            "wrmsr",
            "sets a model-specific register",
            usage="{name} MSR VALUE [core C]",
            notes="Without `core`: on every core.",
        ),
        CommandRow(
            "cpu",
            "shows vendor, brand and features of the processor",
            notes="The emulated processor, not the one that hds runs on.",
        ),
        CommandRow(
            "cpuid",
            "shows the results of the CPUID instruction",
            ("ucpuid",),
            usage="{name} LEAF [SUBLEAF]",
            notes="On the emulated processor.",
        ),
    ),
    *_section(
        "Memory",
        *_alike(
            "{name} ADDRESS [l LENGTH] [pid P]",
            "Rows of sixteen bytes from exactly the address, 80 (hex) bytes unless a length is given."
            " Bytes that cannot be read, or lie behind the length, are shown as `??`.",
            CommandRow("db", "shows memory as bytes", repeats=True),
            CommandRow("dc", "shows memory as dwords with characters", repeats=True),
            CommandRow("dd", "shows memory as dwords", repeats=True),
            CommandRow("dq", "shows memory as qwords", repeats=True),
            CommandRow("!db", "shows physical memory as bytes", repeats=True),
            CommandRow("!dc", "shows physical memory as dwords with characters", repeats=True),
            CommandRow("!dd", "shows physical memory as dwords", repeats=True),
            CommandRow("!dq", "shows physical memory as qwords", repeats=True),
        ),
        *_alike(
            "{name} ADDRESS [l NODES] [o OFFSET] [pid P]",
            "Follows the pointer at OFFSET of every node, up to 100 (hex) nodes.",
            CommandRow("dl", "walks a linked list", repeats=True),
            CommandRow("!dl", "walks a linked list in physical memory", repeats=True),
        ),
        *_alike(
            "{name} ADDRESS [l LENGTH] [pid P]",
            "Unlike in HyperDbg, `lea` shows neither size nor segment, and an instruction set "
            "extension may have another of its names. `settings syntax` changes the style.",
            CommandRow("u", "disassembles 64-bit code", ("u64",), repeats=True),
            CommandRow("u2", "disassembles 32-bit code", ("u32",), repeats=True),
            CommandRow("!u", "disassembles 64-bit code in physical memory", ("!u64",), repeats=True),
            CommandRow("!u2", "disassembles 32-bit code in physical memory", ("!u32",), repeats=True),
        ),
        *_alike(
            "{name} ADDRESS VALUE [VALUE ...] [pid P]",
            "Writes to read-only pages too. Values are plain hexadecimal numbers.",
            CommandRow("eb", "writes bytes"),
            CommandRow("ed", "writes dwords"),
            CommandRow("eq", "writes qwords"),
            CommandRow("!eb", "writes bytes to physical memory"),
            CommandRow("!ed", "writes dwords to physical memory"),
            CommandRow("!eq", "writes qwords to physical memory"),
        ),
        *_alike(
            "{name} ADDRESS l LENGTH VALUE [VALUE ...] [pid P]",
            "All elements are compared (v0.23 skips some); at most 1000 (hex) results.",
            CommandRow("sb", "searches for bytes"),
            CommandRow("sd", "searches for dwords"),
            CommandRow("sq", "searches for qwords"),
            CommandRow("!sb", "searches physical memory for bytes"),
            CommandRow("!sd", "searches physical memory for dwords"),
            CommandRow("!sq", "searches physical memory for qwords"),
        ),
        *_alike(
            "{name} ADDRESS {STATEMENTS} [pid P]\n{name} {STATEMENTS} [START]",
            "The second form only shows the bytes. Statements are separated by `;` or line ends, "
            "numbers are hexadecimal, and `<EXPRESSION>` is replaced by its value.",
            CommandRow("a", "assembles into memory", ("asm", "assemble", "assembly")),
            CommandRow("!a", "assembles into physical memory", ("!asm", "!assemble", "!assembly")),
        ),
        *_alike(
            "{name} ADDRESS [pid P]",
            "By the page table of the process, in which a page gets memory by being asked for. Of the addresses at "
            "which a process has the same memory, `!pa2va` shows the lowest.",
            CommandRow("!va2pa", "translates a virtual address"),
            CommandRow("!pa2va", "translates a physical address"),
        ),
        CommandRow(
            "!pte",
            "shows the page-table entries of an address",
            usage="{name} ADDRESS [pid P]",
            notes="The addresses of the entries are those at which Windows shows its page tables, where guests find "
            "nothing here. All pages have 4 KiB; those with memory count as accessed.",
        ),
        *_alike(
            "{name} FROM TO [pid P] path FILE",
            "TO is not included. Pages that cannot be read are reported and left out.",
            CommandRow(".dump", "saves memory to a file", ("dump",)),
            CommandRow("!dump", "saves physical memory to a file"),
        ),
    ),
    *_section(
        "Running and stepping",
        *_alike(
            "{name}",
            "Lets the guest run until it ends or something halts it; at a held event, finishes its "
            "trigger first. The commands of a file behind it are carried out at the halt.",
            CommandRow("g", "continues", repeats=True),
            CommandRow("continue", "continues", ("cont",)),
        ),
        *_alike(
            "{name} [COUNT]",
            "`p` runs a call to its return, `t` a system call to its return, `i` goes into both. Each"
            " step shows the next instruction. At a held event the first step finishes its trigger.",
            CommandRow("p", "steps over", repeats=True),
            CommandRow("t", "steps in", repeats=True),
            CommandRow("i", "steps exactly one instruction, also into the kernel", repeats=True),
        ),
        *_alike(
            "{name} [COUNT]",
            "The registers are shown behind each step.",
            CommandRow("pr", "steps over and shows the registers", repeats=True),
            CommandRow("tr", "steps in and shows the registers", repeats=True),
            CommandRow("ir", "like i, and shows the registers", repeats=True),
        ),
        CommandRow(
            "gu",
            "steps until a return has been executed",
            usage="{name} [COUNT]",
            notes="Shows only the last instruction; COUNT is the largest number of steps.",
            repeats=True,
        ),
        *_alike(
            "{name} [COUNT]",
            "Needs `hds console --record`.",
            CommandRow("t-", "goes back by one instruction", repeats=True),
            CommandRow("p-", "goes back by one instruction, over the call that it returned from", repeats=True),
        ),
        CommandRow(
            "g-",
            "goes back to where an event triggered last, or a breakpoint was reached",
            notes="Else to the beginning of the record. Needs `hds console --record`.",
            repeats=True,
        ),
        CommandRow(
            "watch",
            "goes back to the instruction that wrote to an address last",
            usage="{name} back ADDRESS [l LENGTH]",
            notes="In the current process; 8 bytes unless a length is given. System calls and other processes "
            "are found, too. Needs `hds console --record`.",
            repeats=True,
        ),
        CommandRow(
            "!track",
            "draws a tree of calls",
            ("track",),
            usage="{name} [tree|reg] [COUNT]",
            notes="Goes on instruction by instruction, COUNT of them at most: a line for each call, with its target, "
            "and for each return. `reg` shows the registers behind each call.",
        ),
        CommandRow("~", "shows or switches the current core", ("core",), usage="{name}\n{name} CORE"),
        CommandRow(
            "bp",
            "sets a breakpoint",
            usage="{name} ADDRESS [pid P] [tid T] [core C]",
            notes="Nothing is written to memory, unlike in HyperDbg: everybody sees the original bytes.",
        ),
        CommandRow("bl", "lists the breakpoints"),
        *_alike(
            "{name} ID",
            "",
            CommandRow("be", "enables a breakpoint"),
            CommandRow("bd", "disables a breakpoint"),
        ),
        CommandRow("bc", "clears a breakpoint", usage="{name} ID\n{name} all"),
        CommandRow(
            "k",
            "shows the call stack",
            usage="{name} [base ADDRESS] [l LENGTH]",
            notes="By the tables of the code (DWARF's call frame information in ELF files, .pdata in PE files), or the "
            "chain of frame pointers from rbp, with lines of source where the program has them; with `base`, or "
            "without any of these, every slot that looks like a return address.",
        ),
        *_alike(
            "{name} [base ADDRESS] [l LENGTH]",
            "Every slot.",
            CommandRow("kd", "shows the stack as dwords"),
            CommandRow("kq", "shows the stack as qwords"),
        ),
        CommandRow(
            "!lbr",
            "controls the recording of the last branches",
            usage="{name} enable\n{name} disable\n{name} flush\n{name} filter [KIND ...|MASK]",
            notes="The filter says what is not recorded: kernel, user, jcc, rel_call, ind_call, ret, ind_jmp, rel_jmp, "
            "far, or their bits in this order; `call_stack` has calls only that have not returned yet. Without "
            "anything behind it all is recorded. Recording costs time, and nothing when it is off.",
        ),
        CommandRow(
            "!lbrdump",
            "shows the last branches",
            ("!lbrdmp", "!lbrprint"),
            usage="{name} [core C]",
            notes="Those that were taken, the last 32 of them; the last one first. A system call is one only "
            "where the code of the kernel stand-in is executed, which events there ask for. Cycles are instructions.",
        ),
        CommandRow(
            "sleep",
            "waits for some milliseconds",
            usage="{name} MILLISECONDS",
            notes="The guest runs for that much virtual time; the number is hexadecimal.",
        ),
        CommandRow(
            "pause",
            "stops the display of messages",
            (".pause",),
            notes="Messages are never held back offline, so there is nothing to stop.",
        ),
        CommandRow("flush", "drops messages that were not delivered yet"),
    ),
    *_section(
        "Processes, modules, symbols",
        CommandRow(
            ".process",
            "shows, lists or switches processes",
            ("process", ".process2", "process2"),
            usage="{name}\n{name} list\n{name} pid P\n{name} process EPROCESS",
            notes="Switches at once.",
        ),
        CommandRow(
            ".thread",
            "shows, lists or switches threads",
            ("thread", ".thread2", "thread2"),
            usage="{name}\n{name} list [process EPROCESS]\n{name} tid T\n{name} thread ETHREAD",
            notes="Switches at once.",
        ),
        CommandRow(
            ".start",
            "loads a program and stops at its entry point",
            ("start",),
            usage="{name} path FILE [ARGUMENT ...]",
            notes="The program waits at its entry point: go on with `g`. Scripts and events of the same "
            "file may name its symbols. An event without `pid` is one of this program, or of the "
            "program whose symbol it names; `pid all` is for all of them.",
        ),
        CommandRow(
            ".restart",
            "loads the last program again",
            ("restart",),
            notes="Events without `pid` are those of the new process.",
        ),
        CommandRow(".kill", "ends the loaded program", ("kill",)),
        CommandRow(
            ".attach",
            "attaches to a process",
            ("attach",),
            usage="{name} pid P",
            notes="To one that the machine has. It becomes the current one, and events without `pid` behind it are its "
            "own, as those of a program that `.start` has loaded.",
        ),
        CommandRow(
            ".detach",
            "detaches from the process that is debugged",
            ("detach",),
            notes="The process is not ended; events stay.",
        ),
        CommandRow(
            ".switch",
            "lists or switches the processes that are debugged",
            ("switch",),
            usage="{name} [list]\n{name} pid P\n{name} tid T",
            notes="Those that `.start` or `.attach` named; the current one has an asterisk.",
        ),
        CommandRow(
            "lm",
            "lists modules",
            usage="{name} [um|km] [m NAME] [pid P]",
            notes="Kernel modules are those that symbols are known of.",
        ),
        CommandRow(
            "x",
            "looks symbols up",
            usage="{name} [MODULE!]PATTERN",
            notes="With `*` and `?`, among those of --symbol, ELF symbol tables, PE exports and the kernel;"
            " mangled names, too, by their readable form. Without MODULE: those of the current "
            "program and of the kernel.",
        ),
    ),
    *_section(
        "Types and files of symbols",
        *_alike(
            "{name} [MODULE!]TYPE [ADDRESS] [pid P] [padding yes|no] [inline none|unnamed|all] [output FILE]",
            "With an ADDRESS: what is there. Windows' structures are known as far as the kernel stand-ins fill them, "
            "and those of `.sym add`. `offset`, `bitfield`, `native`, `decl`, `def`, `func`, `pragma`, `prefix` and "
            "`suffix` are accepted without effect.",
            CommandRow("dt", "shows the members of a structure", repeats=True),
            CommandRow("!dt", "shows the members of a structure in physical memory", repeats=True),
        ),
        CommandRow(
            "struct",
            "shows the declaration of a structure",
            ("structure",),
            usage="{name} [MODULE!]TYPE [offset yes|no] [padding yes|no] [prefix TEXT] [suffix TEXT] "
            "[inline none|unnamed|all] [output FILE]",
            notes="A script can read it. TYPE may have `*` and `?`. Members that are not known are shown as padding, "
            "unless `padding no`.",
        ),
        CommandRow(
            ".sym",
            "adds, lists or forgets files of symbols and types",
            ("sym",),
            usage="{name} add base ADDRESS path FILE\n{name} table\n{name} load\n{name} reload [pid P]\n{name} unload"
            "\n{name} download",
            notes="FILE is [JSON](symbols.md); PDB files are not read, and nothing is downloaded. Scripts and events "
            "of the same file may name its symbols.",
        ),
    ),
    *_section(
        "Files",
        CommandRow(
            ".pe",
            "shows headers and sections of a PE file",
            ("pe",),
            usage="{name} header FILE\n{name} section NAME FILE",
            notes="Of a file of the host, which is not loaded: programs and DLLs of any machine. At most 100000 (hex) "
            "bytes of a section are shown.",
        ),
    ),
    *_section(
        "Session",
        CommandRow(
            ".script",
            "runs a command file",
            ("script",),
            usage="{name} FILE [ARGUMENT ...]",
            notes="$arg0 is the file, $arg1 the first argument.",
        ),
        CommandRow(
            ".logopen",
            "copies all that is displayed into a file",
            ("logopen",),
            usage="{name} FILE",
            notes="The file is emptied first.",
        ),
        CommandRow(".logclose", "ends the copy", ("logclose",)),
        CommandRow(".status", "shows what the debugger is connected to", ("status",)),
        CommandRow(
            ".help",
            "lists the commands, or shows help on one",
            ("help", ".hh", "!help"),
            usage="{name}\n{name} COMMAND\n{name} WORD",
            notes="Of a WORD that is no command: the commands and functions that it is said of.",
        ),
        CommandRow(".cls", "clears the screen", ("cls", "clear")),
        CommandRow(
            "settings",
            "shows or sets an option",
            ("setting", ".settings", ".setting"),
            usage="{name} autounpause|autoflush|addressconversion|context [on|off]\n{name} syntax [intel|att|masm]",
            notes="Settings last as long as the session. With `context on` a stop shows registers, code, stack, calls.",
        ),
        *_alike(
            "{name}",
            "Clears all events and ends the session.",
            CommandRow("exit", "ends the session", (".exit",)),
            CommandRow("unload", "ends the session", (".unload",)),
        ),
    ),
    *_section(
        "Accepted without effect",
        CommandRow(".sympath", "sets the path of symbols", ("sympath",), raw_text=True),
        CommandRow("load", "loads a driver module", (".load",)),
        CommandRow(".connect", "connects to a debuggee", ("connect",)),
        CommandRow(".disconnect", "ends a connection", ("disconnect",)),
        CommandRow(".listen", "waits for a connection", ("listen",)),
        CommandRow(".debug", "connects over a serial line", ("debug",)),
        CommandRow("prealloc", "reserves memory pools", ("preallocate", "preallocation")),
        CommandRow("preactivate", "prepares a service", ("preactive", "preactivation")),
        CommandRow("!hide", "hides the debugger"),
        CommandRow("!unhide", "stops hiding the debugger"),
        CommandRow("!measure", "measures for !hide", ("measure",)),
        support=Support.NO_EFFECT,
    ),
    *_section(
        "Not available",
        CommandRow(
            ".pagein",
            "brings pages into memory",
            ("pagein",),
            notes="all pages of a guest are there: they get memory when they are first touched",
        ),
        CommandRow(
            "test",
            "tests the debugger itself",
            (".test",),
            notes="there is no driver to test; `hds conform` tests the script engine",
        ),
        CommandRow("gg", "continues, with a greeting", repeats=True, notes="it is for demonstrations; `g` continues"),
        CommandRow(
            "!rev",
            "reverse-engineering machinery",
            ("rev",),
            notes="HyperDbg has no documentation of it; `!monitor` and `!track` follow memory and calls",
        ),
        CommandRow(
            "!pt",
            "controls processor tracing",
            notes="the emulated processor has no Intel PT; `!lbr` records branches",
        ),
        CommandRow(
            "!idt",
            "shows the interrupt descriptor table",
            notes="the kernel stand-ins answer interrupts themselves; `!exception` and `!interrupt` watch them",
        ),
        CommandRow(
            "!apic",
            "shows the local interrupt controller",
            ("!lapic", "!localapic"),
            notes="the emulated machine has no interrupt controllers",
        ),
        CommandRow(
            "!ioapic",
            "shows the I/O interrupt controller",
            notes="the emulated machine has no interrupt controllers",
        ),
        CommandRow(
            "!smi",
            "counts or triggers system-management interrupts",
            notes="the emulated machine has no system-management mode",
        ),
        CommandRow("!pcitree", "lists PCI devices", notes="the emulated machine has no PCI bus"),
        CommandRow(
            "!pcicam",
            "shows the configuration space of a PCI device",
            notes="the emulated machine has no PCI bus",
        ),
        support=Support.UNAVAILABLE,
    ),
)
COMMAND_BY_NAME: Mapping[str, CommandRow] = {name: row for row in COMMANDS for name in (row.name, *row.aliases)}

# Besides the commands of events: what may change something that the guest or its scripts notice, and what writes files.
CHANGING_COMMANDS = frozenset(
    {
        *("events", "output", "?", "r", "wrmsr", "eb", "ed", "eq", "!eb", "!ed", "!eq", "a", "!a", "flush", "!lbr"),
        *(".process", ".thread", ".switch", "~", ".start", ".restart", ".kill", ".attach", ".detach", ".sym"),
    }
)
# Whether these have changed something is seen in registers, events and globals.
COMPARED_COMMANDS = frozenset({"?", ".script", "r", "events", ".process", ".thread", ".switch", ".attach", ".detach"})
WRITING_COMMANDS = frozenset({".dump", "!dump", "dt", "!dt", "struct"})
