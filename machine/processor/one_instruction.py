"""One instruction of a CPU executed alone, as steps want it: with its hooks, and all iterations of a repeated one."""

from __future__ import annotations

from machine.processor import memory_operands
from machine.processor.cpu import Cpu
from machine.processor.instruction_finder import LONGEST_INSTRUCTION
from machine.processor.run_state import StopReason
from vm.facts.registers import RIP

_NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
_HLT = b"\xf4"


def run_one(cpu: Cpu, budget: int) -> StopReason:
    """Execute the instruction at RIP; a repeated one counts for many of the `budget`.

    Why the run ended: REACHED or BUDGET where nothing else came of it.
    """
    start = cpu.registers.read(RIP)
    code = cpu.memory.read_up_to(start, LONGEST_INSTRUCTION)
    cpu.code.changed(start, start + 1)  # translated anew, so that the block can end behind the instruction
    until = _NOWHERE if code.startswith(_HLT) else start + cpu.length_at(start)
    return cpu.run(start, until, budget if memory_operands.counter_of(code) else 1)
