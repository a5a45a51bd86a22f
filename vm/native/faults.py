"""THE table of what stops a run in compiled code: its number there, and the Fault it becomes.

The values of a row are those that the code of its check hands over, in order; limits are filled in by name.
"""

from __future__ import annotations

import msgspec

from vm.engine import Fault, FaultKind
from vm.facts.limits import Limits
from vm.native.context import Context


class FaultRow(msgspec.Struct, frozen=True):
    """One way to stop. `limit` names the field of Limits that struck, if it was one."""

    kind: FaultKind
    values: tuple[str, ...] = ()
    limit: str = ""


FAULTS: dict[str, FaultRow] = {
    "division_by_zero": FaultRow(FaultKind.DIVISION_BY_ZERO, ("dividend",)),
    "division_overflow": FaultRow(FaultKind.DIVISION_OVERFLOW, ("dividend", "divisor")),
    "shift_out_of_range": FaultRow(FaultKind.SHIFT_OUT_OF_RANGE, ("count", "width")),
    "invalid_address": FaultRow(FaultKind.INVALID_ADDRESS, ("address", "size")),
    "index_out_of_range": FaultRow(FaultKind.INDEX_OUT_OF_RANGE, ("offset", "size")),
    "pointer_difference": FaultRow(FaultKind.POINTER_DIFFERENCE, ("distance", "size")),
    "float_overflow": FaultRow(FaultKind.FLOAT_OVERFLOW),
    "float_overflow_single": FaultRow(FaultKind.FLOAT_OVERFLOW, ("value",)),
    "float_invalid": FaultRow(FaultKind.FLOAT_INVALID),
    "float_to_int_range": FaultRow(FaultKind.FLOAT_TO_INT_RANGE, ("value",)),
    "step_limit": FaultRow(FaultKind.STEP_LIMIT, limit="max_steps"),
    "interrupted": FaultRow(FaultKind.INTERRUPTED),
    "bulk_limit": FaultRow(FaultKind.STEP_LIMIT, limit="max_bulk_bytes"),
    "call_depth": FaultRow(FaultKind.STACK_OVERFLOW, limit="max_call_depth"),
    "stack_bytes": FaultRow(FaultKind.STACK_OVERFLOW, limit="max_stack_bytes"),
    "deadlock": FaultRow(FaultKind.DEADLOCK, ("address",)),
    "raised": FaultRow(FaultKind.INVALID_ADDRESS),  # an exception of a callback, which says itself what it is
}
_NUMBER: dict[str, int] = {name: number for number, name in enumerate(FAULTS)}
_ROWS = tuple(FAULTS.values())

# A site is one number: the pc in the upper 32 bits, the number of the row in the lower ones.
_PC_SHIFT = 32


def site(pc: int, name: str | None = None) -> int:
    """The site of a check: this row of FAULTS (or none yet) at this instruction."""
    return pc << _PC_SHIFT | (0 if name is None else _NUMBER[name])


def site_pc(context: Context) -> int:
    """The instruction at which the last run stopped."""
    return context.site >> _PC_SHIFT


def fault(context: Context, limits: Limits) -> Fault:
    """The Fault that a failed run has left in its context."""
    row = _ROWS[context.site & ((1 << _PC_SHIFT) - 1)]
    if row.limit:
        return Fault(row.kind, site_pc(context), {"limit": getattr(limits, row.limit)}, f"limit {row.limit}")
    return Fault(row.kind, site_pc(context), dict(zip(row.values, context.fault_values, strict=False)))
