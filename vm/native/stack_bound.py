"""Whether a program can run natively: is it small enough to compile, and deep enough calls fit the native stack?

Compiled functions use the stack of the thread they run in. LLVM keeps there what does not fit the machine's registers:
at most the values that an instruction's lowering makes, so a bound on a function's frame follows from its length.
"""

from __future__ import annotations

from vm.facts.limits import Limits
from vm.isa import decode
from vm.program import Program

MAX_INSTRUCTIONS = 8192
_STACK_BYTES = 4 << 20  # half of what a thread has on Linux, where nobody asked for more
_FRAME_BASE = 512
_BYTES_PER_INSTRUCTION = 64


def fits_native(program: Program, limits: Limits) -> bool:
    """Whether the program may be compiled."""
    return len(program.code) <= MAX_INSTRUCTIONS and native_stack_bound(program, limits) <= _STACK_BYTES


def native_stack_bound(program: Program, limits: Limits) -> int:
    """The most bytes of native stack that any run can use."""
    frames = [_FRAME_BASE + _BYTES_PER_INSTRUCTION * (row.end - row.start) for row in program.functions]
    calls = [_called(program, index) for index in range(len(frames))]
    order = _innermost_first(calls)
    if order is None:
        return frames[0] + limits.max_call_depth * max(frames)
    deepest: dict[int, int] = {}
    for index in order:
        deepest[index] = frames[index] + max((deepest[callee] for callee in calls[index]), default=0)
    return deepest[0]


def _called(program: Program, index: int) -> frozenset[int]:
    function = program.functions[index]
    rows = (decode(program.code[pc]) for pc in range(function.start, function.end))
    return frozenset(operands[1] for row, operands in rows if row.mnemonic == "CALL")


def _innermost_first(calls: list[frozenset[int]]) -> list[int] | None:
    """An order in which callees come before their callers, or None when there is none: the program is recursive."""
    order: list[int] = []
    left = {index: set(callees) for index, callees in enumerate(calls)}
    while left:
        leaves = [index for index, callees in left.items() if not callees]
        if not leaves:
            return None
        order += leaves
        for index in leaves:
            del left[index]
        for callees in left.values():
            callees.difference_update(leaves)
    return order
