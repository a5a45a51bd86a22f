"""Basic blocks of a program: where they start and what fuel each one costs.

Both engines charge a block's whole fuel on entry, so the step limit strikes at the same point in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vm.isa import decode
from vm.program import Function, Program


def block_fuel(program: Program, function: Function) -> dict[int, int]:
    """The first instruction of every basic block of a verified function, and the sum of the block's fuel."""
    rows = {pc: decode(program.code[pc]) for pc in range(function.start, function.end)}
    leaders = {function.start}
    for pc, (row, operands) in rows.items():
        if row.is_jump:
            leaders.add(pc + 1 + operands[-1])
        if row.ends_block and pc + 1 < function.end:
            leaders.add(pc + 1)
    fuel: dict[int, int] = {}
    leader = function.start
    for pc, (row, _) in rows.items():
        if pc in leaders:
            leader = pc
            fuel[leader] = 0
        fuel[leader] += row.fuel
    return fuel


def entries_of_instructions(program: Program, entries: Sequence[int]) -> Iterator[int]:
    """For each instruction how often its basic block was entered; `entries` are those of `vm.engine.Loaded`."""
    for function in program.functions:
        blocks = block_fuel(program, function)
        count = 0
        for pc in range(function.start, function.end):
            count = entries[pc] if pc in blocks else count
            yield count
