"""The hook of every basic block as machine code: look the block up, add its instructions, go on.

    void on_block(engine, address, size, state)

works on the words that `machine.block_counter` lays out. What it cannot answer - a block that is not in the table, one
that does not fit under the ceiling - it hands to the hook in Python whose address stands in the state.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from machine.block_counter import CEILING, FAR_SHIFT, NEAR_SHIFT, PROBES, SIZE_MASK, SLOT_MASK, SLOTS_AT, SLOW

if TYPE_CHECKING:
    from vm.native.jit import MachineCode

_TEXT = f"""
define void @on_block(ptr %engine, i64 %address, i32 %size, ptr %state) nounwind {{
entry:
  %near = lshr i64 %address, {NEAR_SHIFT}
  %far = lshr i64 %address, {FAR_SHIFT}
  %mixed = xor i64 %near, %far
  %home = and i64 %mixed, {SLOT_MASK}
  %slots = getelementptr i64, ptr %state, i64 {SLOTS_AT}
  %wide = zext i32 %size to i64
  br label %probe
probe:
  %slot = phi i64 [ %home, %entry ], [ %next, %other ]
  %key.at = getelementptr {{ i64, i64 }}, ptr %slots, i64 %slot
  %key = load i64, ptr %key.at
  %row.at = getelementptr i64, ptr %key.at, i64 1
  %row = load i64, ptr %row.at
  %row.size = and i64 %row, {SIZE_MASK}
  %wrong.address = xor i64 %key, %address
  %wrong.size = xor i64 %row.size, %wide
  %wrong = or i64 %wrong.address, %wrong.size
  %same = icmp eq i64 %wrong, 0
  br i1 %same, label %found, label %other, !prof !0
other:
  %following = add i64 %slot, 1
  %next = and i64 %following, {SLOT_MASK}
  %distance = sub i64 %next, %home
  %positive = and i64 %distance, {SLOT_MASK}
  %more = icmp ult i64 %positive, {PROBES}
  br i1 %more, label %probe, label %slow
found:
  %count = lshr i64 %row, 32
  %executed = load i64, ptr %state
  %sum = add i64 %executed, %count
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
    """Whether `address` has an answer at no cost."""
    return _compiled.cache_info().currsize > 0


def address() -> int | None:
    """The address of the hook; None where llvmlite is missing. The first call takes some 0.1 s."""
    code = _compiled()
    return None if code is None else code.address("on_block")


@cache
def _compiled() -> MachineCode | None:
    try:
        from vm.native.jit import compile_text
    except ImportError:
        return None
    return compile_text(_TEXT)
