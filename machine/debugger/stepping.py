"""Single steps of a halted process, and the instruction that it stands at (events-and-commands E.5)."""

from __future__ import annotations

from machine.debugger.breakpoints import revive
from machine.debugger.disassembly import Line, disassemble, jump_note
from machine.processor import LONGEST_INSTRUCTION, StopKind, run_one
from machine.schedule import Next, Process
from vm.facts.registers import RFLAGS, RIP

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
    if process.before_run() is Next.NOTHING:
        return
    ended = None if process.interruptions is None else process.interruptions.before(process, _ITERATIONS)
    if ended is not None and ended.kind not in _STOPPING:
        return
    reason = run_one(process.cpu, _ITERATIONS) if ended is None else ended
    if process.cpu.stop_requested:
        process.end_turn()
    if process.exit_code is None and reason.kind in _STOPPING and not process.handles(reason):
        process.ended = reason
        revive(process)
    if process.alive:
        process.before_run()  # of steps that scripts have asked for, this is the end
