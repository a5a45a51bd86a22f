"""Single steps of a halted process, and the instruction that it stands at (events-and-commands E.5)."""

from __future__ import annotations

from machine.debugger.breakpoints import revive
from machine.debugger.disassembly import Line, disassemble, jump_note
from machine.processor import LONGEST_INSTRUCTION, StopKind
from machine.schedule import Process
from vm.facts.registers import RFLAGS, RIP

_NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
_ITERATIONS = 1 << 32  # instructions that one REP instruction may count for
_STOPPING = (StopKind.HALT, StopKind.FAULT, StopKind.INVALID, StopKind.UNMAPPED, StopKind.PAGING, StopKind.MEMORY)


def instruction_at(process: Process, syntax: str = "intel") -> Line | None:
    """The instruction at RIP; None where there is none."""
    address = process.cpu.registers.read(RIP)
    code = process.cpu.memory.read_up_to(address, LONGEST_INSTRUCTION)
    return next(disassemble(code, address, syntax=syntax), None)


def instruction_line(process: Process, syntax: str = "intel") -> str:
    """The instruction at RIP as breaks and steps show it."""
    line = instruction_at(process, syntax)
    if line is None:
        return f"{process.cpu.registers.read(RIP):016x}   the memory here holds no instruction"
    return f"{line}{jump_note(line, process.cpu.registers.read(RFLAGS))}"


def execute_instruction(process: Process) -> None:
    """Execute the instruction at RIP, with its events; the process ends or lives on as in a run."""
    cpu, line = process.cpu, instruction_at(process)
    start = cpu.registers.read(RIP)
    until, budget = _NOWHERE, 1
    if line is not None:
        cpu.memory.write(start, line.code)  # translated anew, so that the block can end behind the instruction
        if not line.branches and line.mnemonic != "hlt":
            until, budget = line.end, _ITERATIONS
    reason = cpu.run(start, until, budget)
    if process.exit_code is None and reason.kind in _STOPPING and not process.handles(reason):
        process.ended = reason
        revive(process)
