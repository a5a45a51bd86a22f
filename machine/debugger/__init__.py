"""What a session asks a halted machine for: breakpoints, steps, stack, disassembly, CPUID. What other rooms use."""

from __future__ import annotations

from machine.debugger.breakpoints import Breakpoint, BreakpointError, Breakpoints, revive, seen_before_its_end
from machine.debugger.cpuid import RESULTS, cpuid
from machine.debugger.disassembly import Line, a88, disassemble, jump_note
from machine.debugger.modules import Module, modules_of, planned_dlls
from machine.debugger.paging import Entry, page_table_entries
from machine.debugger.stack import CallStack, Slot
from machine.debugger.stepping import execute_instruction, instruction_at, instruction_line

__all__ = [
    "RESULTS",
    "Breakpoint",
    "BreakpointError",
    "Breakpoints",
    "CallStack",
    "Entry",
    "Line",
    "Module",
    "Slot",
    "a88",
    "cpuid",
    "disassemble",
    "execute_instruction",
    "instruction_at",
    "instruction_line",
    "jump_note",
    "modules_of",
    "page_table_entries",
    "planned_dlls",
    "revive",
    "seen_before_its_end",
]
