"""The hook of every basic block as machine code: look the block up, add its instructions, go on.

    void on_block(engine, address, size, state)

works on the words that `machine.block_counter` lays out. What it cannot answer - a block that is not in the table, one
that does not fit under the ceiling - it hands to the hook in Python whose address stands in the state.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from machine.block_counter import CEILING, HOMES, PROBES, SLOTS_AT, SLOW

if TYPE_CHECKING:
    from vm.native.jit import MachineCode

# The first probe nearly always finds the block. Slots are reached from the state: their place in it costs nothing.
_SIZE_AT, _COUNT_AT = 2 * SLOTS_AT + 2, 2 * SLOTS_AT + 3  # half words behind an address
_TEXT = f"""
%slot = type {{ i64, i32, i32 }}

define void @on_block(ptr %engine, i64 %address, i32 %size, ptr %state) nounwind {{
entry:
  %number = urem i64 %address, {HOMES}
  %home = getelementptr %slot, ptr %state, i64 %number
  br label %probe
probe:
  %here = phi ptr [ %home, %entry ], [ %next, %other ]
  %key.at = getelementptr i64, ptr %here, i64 {SLOTS_AT}
  %key = load i64, ptr %key.at
  %same.address = icmp eq i64 %key, %address
  br i1 %same.address, label %compare, label %other, !prof !0
compare:
  %size.at = getelementptr i32, ptr %here, i64 {_SIZE_AT}
  %its.size = load i32, ptr %size.at
  %same.size = icmp eq i32 %its.size, %size
  br i1 %same.size, label %found, label %other, !prof !0
other:
  %next = getelementptr %slot, ptr %here, i64 1
  %end = getelementptr %slot, ptr %home, i64 {PROBES}
  %more = icmp ne ptr %next, %end
  br i1 %more, label %probe, label %slow
found:
  %count.at = getelementptr i32, ptr %here, i64 {_COUNT_AT}
  %count = load i32, ptr %count.at
  %wide = zext i32 %count to i64
  %executed = load i64, ptr %state
  %sum = add i64 %executed, %wide
  %ceiling.at = getelementptr i64, ptr %state, i64 {CEILING}
  %ceiling = load volatile i64, ptr %ceiling.at
  %fits = icmp ule i64 %sum, %ceiling
  br i1 %fits, label %enter, label %slow, !prof !0
enter:
  store i64 %sum, ptr %state
  ret void
slow:
  %slow.at = getelementptr i64, ptr %state, i64 {SLOW}
  %hook = load ptr, ptr %slow.at
  tail call void %hook(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
}}
!0 = !{{!"branch_weights", i32 999, i32 1}}
"""


def is_compiled() -> bool:
    """Whether `address` has an answer at little cost: the compiler is loaded, which takes far longer than its work."""
    return "vm.native.jit" in sys.modules


def address() -> int | None:
    """The address of the hook; None where llvmlite is missing. The first call takes 5 ms, or 0.1 s to load llvmlite."""
    code = _compiled()
    return None if code is None else code.address("on_block")


@cache
def _compiled() -> MachineCode | None:
    try:
        from vm.native.jit import compile_text
    except ImportError:
        return None
    return compile_text(_TEXT)
