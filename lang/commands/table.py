"""THE table of commands: every name that may begin a line, and what becomes of the command offline.

Names and aliases are those of events-and-commands.md A.10, C.1 and E. The list of event commands is derived from
event_table.py. Carrying commands out is the business of the session, not of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lang.commands.event_table import EVENT_BY_NAME


class Support(Enum):
    """What happens to a command that is read correctly."""

    RUNS = "runs"
    NO_EFFECT = "accepted without effect"  # part of files for the real product: connections, driver modules, pools
    UNAVAILABLE = "not available offline"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command. `raw_text` commands take the text behind their name as it is, instead of tokens (A.9)."""

    name: str
    doc: str
    aliases: tuple[str, ...] = ()
    raw_text: bool = False
    support: Support = Support.RUNS

    @property
    def is_event(self) -> bool:
        """Whether the command creates an event."""
        return self.name in EVENT_BY_NAME


_NO_EFFECT = Support.NO_EFFECT
_UNAVAILABLE = Support.UNAVAILABLE

COMMANDS: tuple[CommandRow, ...] = (
    # Events
    CommandRow("!syscall", "runs actions when SYSCALL is executed"),
    CommandRow("!syscall2", "like !syscall; HyperDbg recognises the instruction by its address"),
    CommandRow("!sysret", "runs actions when SYSRET is executed"),
    CommandRow("!sysret2", "like !sysret; HyperDbg recognises the instruction by its address"),
    CommandRow("!epthook", "runs actions when the instruction at an address is about to be executed"),
    CommandRow("!epthook2", "like !epthook, as a detour of a kernel function"),
    CommandRow("!monitor", "runs actions when a range of memory is read, written or executed"),
    CommandRow("!cpuid", "runs actions when CPUID is executed"),
    CommandRow("!msrread", "runs actions when RDMSR is executed", ("!msread",)),
    CommandRow("!msrwrite", "runs actions when WRMSR is executed"),
    CommandRow("!ioin", "runs actions when a port is read (IN, INS)"),
    CommandRow("!ioout", "runs actions when a port is written (OUT, OUTS)", ("!iout",)),
    CommandRow("!tsc", "runs actions when RDTSC or RDTSCP is executed"),
    CommandRow("!pmc", "runs actions when RDPMC is executed"),
    CommandRow("!vmcall", "runs actions when VMCALL is executed"),
    CommandRow("!exception", "runs actions when the processor raises an exception"),
    CommandRow("!interrupt", "runs actions when an external interrupt arrives"),
    CommandRow("!dr", "runs actions when a debug register is read or written"),
    CommandRow("!crwrite", "runs actions when CR0 or CR4 is written"),
    CommandRow("!mode", "runs actions when a process enters user or kernel mode"),
    CommandRow("!trace", "runs actions on the steps that event_trace_* functions ask for"),
    CommandRow("!xsetbv", "runs actions when XSETBV is executed"),
    CommandRow("events", "lists, enables, disables or clears events", ("event",)),
    CommandRow("output", "lists, creates, opens or closes output sources"),
    # Evaluating and printing
    CommandRow("?", "runs a script", ("eval", "evaluate"), raw_text=True),
    CommandRow("print", "prints the value of an expression", raw_text=True),
    CommandRow(".formats", "prints the value of an expression in several formats", (".format",), raw_text=True),
    # Registers
    CommandRow("r", "shows the registers, or shows or sets one", raw_text=True),
    CommandRow("rdmsr", "shows a model-specific register"),
    CommandRow("wrmsr", "sets a model-specific register"),
    CommandRow("cpu", "shows vendor, brand and features of the processor"),
    CommandRow("cpuid", "shows the results of the CPUID instruction", ("ucpuid",)),
    # Memory
    CommandRow("db", "shows memory as bytes"),
    CommandRow("dc", "shows memory as dwords with characters"),
    CommandRow("dd", "shows memory as dwords"),
    CommandRow("dq", "shows memory as qwords"),
    CommandRow("dl", "walks a linked list"),
    CommandRow("!db", "shows physical memory as bytes"),
    CommandRow("!dc", "shows physical memory as dwords with characters"),
    CommandRow("!dd", "shows physical memory as dwords"),
    CommandRow("!dq", "shows physical memory as qwords"),
    CommandRow("!dl", "walks a linked list in physical memory"),
    CommandRow("u", "disassembles 64-bit code", ("u64",)),
    CommandRow("u2", "disassembles 32-bit code", ("u32",)),
    CommandRow("!u", "disassembles 64-bit code in physical memory", ("!u64",)),
    CommandRow("!u2", "disassembles 32-bit code in physical memory", ("!u32",)),
    CommandRow("eb", "writes bytes"),
    CommandRow("ed", "writes dwords"),
    CommandRow("eq", "writes qwords"),
    CommandRow("!eb", "writes bytes to physical memory"),
    CommandRow("!ed", "writes dwords to physical memory"),
    CommandRow("!eq", "writes qwords to physical memory"),
    CommandRow("sb", "searches for bytes"),
    CommandRow("sd", "searches for dwords"),
    CommandRow("sq", "searches for qwords"),
    CommandRow("!sb", "searches physical memory for bytes"),
    CommandRow("!sd", "searches physical memory for dwords"),
    CommandRow("!sq", "searches physical memory for qwords"),
    CommandRow("a", "assembles into memory", ("asm", "assemble", "assembly")),
    CommandRow("!a", "assembles into physical memory", ("!asm", "!assemble", "!assembly")),
    CommandRow("!va2pa", "translates a virtual address"),
    CommandRow("!pa2va", "translates a physical address"),
    CommandRow("!pte", "shows the page-table entries of an address", support=_UNAVAILABLE),
    CommandRow(".dump", "saves memory to a file", ("dump",)),
    CommandRow("!dump", "saves physical memory to a file"),
    CommandRow(".pagein", "brings pages into memory", ("pagein",), support=_UNAVAILABLE),
    # Execution and breakpoints
    CommandRow("g", "continues"),
    CommandRow("continue", "continues", ("cont",)),
    CommandRow("pause", "stops the display of messages", (".pause",)),
    CommandRow("p", "steps over"),
    CommandRow("pr", "steps over and shows the registers"),
    CommandRow("t", "steps in"),
    CommandRow("tr", "steps in and shows the registers"),
    CommandRow("i", "steps exactly one instruction, also into the kernel"),
    CommandRow("ir", "like i, and shows the registers"),
    CommandRow("gu", "steps until a return has been executed"),
    CommandRow("~", "shows or switches the current core", ("core",)),
    CommandRow("bp", "sets a breakpoint"),
    CommandRow("bl", "lists the breakpoints"),
    CommandRow("be", "enables a breakpoint"),
    CommandRow("bd", "disables a breakpoint"),
    CommandRow("bc", "clears a breakpoint"),
    CommandRow("k", "shows the call stack"),
    CommandRow("kd", "shows the stack as dwords"),
    CommandRow("kq", "shows the stack as qwords"),
    # Processes, modules, symbols
    CommandRow(".process", "shows, lists or switches processes", ("process", ".process2", "process2")),
    CommandRow(".thread", "shows, lists or switches threads", ("thread", ".thread2", "thread2")),
    CommandRow(".start", "loads a program and stops at its entry point", ("start",)),
    CommandRow(".restart", "loads the last program again", ("restart",)),
    CommandRow(".kill", "ends the loaded program", ("kill",)),
    CommandRow(".attach", "attaches to a process", ("attach",), support=_UNAVAILABLE),
    CommandRow(".detach", "detaches from a process", ("detach",), support=_UNAVAILABLE),
    CommandRow(".switch", "lists or switches attached processes", ("switch",), support=_UNAVAILABLE),
    CommandRow("lm", "lists modules"),
    CommandRow("x", "looks symbols up"),
    CommandRow(".sym", "loads or adds symbols", ("sym",), support=_NO_EFFECT),
    CommandRow(".sympath", "sets the path of symbols", ("sympath",), raw_text=True, support=_NO_EFFECT),
    CommandRow("dt", "shows a structure", support=_UNAVAILABLE),
    CommandRow("!dt", "shows a structure in physical memory", support=_UNAVAILABLE),
    CommandRow("struct", "shows the declaration of a structure", ("structure",), support=_UNAVAILABLE),
    CommandRow(".pe", "shows headers and sections of a program file", ("pe",), support=_UNAVAILABLE),
    # Session
    CommandRow(".script", "runs a command file", ("script",)),
    CommandRow(".help", "shows help on a command", ("help", ".hh", "!help")),
    CommandRow(".cls", "clears the screen", ("cls", "clear")),
    CommandRow(".logopen", "copies all that is displayed into a file", ("logopen",)),
    CommandRow(".logclose", "ends the copy", ("logclose",)),
    CommandRow(".status", "shows what the debugger is connected to", ("status",)),
    CommandRow("settings", "shows or sets an option", ("setting", ".settings", ".setting")),
    CommandRow("flush", "drops messages that were not delivered yet"),
    CommandRow("sleep", "waits for some milliseconds"),
    CommandRow("exit", "ends the session", (".exit",)),
    CommandRow("unload", "ends the session", (".unload",)),
    CommandRow("load", "loads a driver module", (".load",), support=_NO_EFFECT),
    CommandRow(".connect", "connects to a debuggee", ("connect",), support=_NO_EFFECT),
    CommandRow(".disconnect", "ends a connection", ("disconnect",), support=_NO_EFFECT),
    CommandRow(".listen", "waits for a connection", ("listen",), support=_NO_EFFECT),
    CommandRow(".debug", "connects over a serial line", ("debug",), support=_NO_EFFECT),
    CommandRow("prealloc", "reserves memory pools", ("preallocate", "preallocation"), support=_NO_EFFECT),
    CommandRow("preactivate", "prepares a service", ("preactive", "preactivation"), support=_NO_EFFECT),
    CommandRow("!hide", "hides the debugger", support=_NO_EFFECT),
    CommandRow("!unhide", "stops hiding the debugger", support=_NO_EFFECT),
    CommandRow("!measure", "measures for !hide", ("measure",), support=_NO_EFFECT),
    CommandRow("test", "tests the debugger itself", (".test",), support=_UNAVAILABLE),
    CommandRow("gg", "continues, with a greeting", support=_UNAVAILABLE),
    # Hardware that is not emulated
    CommandRow("!track", "draws a tree of calls", ("track",), support=_UNAVAILABLE),
    CommandRow("!rev", "reverse-engineering machinery", ("rev",), support=_UNAVAILABLE),
    CommandRow("!lbr", "controls the recording of branches", support=_UNAVAILABLE),
    CommandRow("!lbrdump", "shows recorded branches", ("!lbrdmp", "!lbrprint"), support=_UNAVAILABLE),
    CommandRow("!pt", "controls processor tracing", support=_UNAVAILABLE),
    CommandRow("!idt", "shows the interrupt descriptor table", support=_UNAVAILABLE),
    CommandRow("!apic", "shows the local interrupt controller", ("!lapic", "!localapic"), support=_UNAVAILABLE),
    CommandRow("!ioapic", "shows the I/O interrupt controller", support=_UNAVAILABLE),
    CommandRow("!smi", "counts or triggers system-management interrupts", support=_UNAVAILABLE),
    CommandRow("!pcitree", "lists PCI devices", support=_UNAVAILABLE),
    CommandRow("!pcicam", "shows the configuration space of a PCI device", support=_UNAVAILABLE),
)

COMMAND_BY_NAME: Mapping[str, CommandRow] = {name: row for row in COMMANDS for name in (row.name, *row.aliases)}
