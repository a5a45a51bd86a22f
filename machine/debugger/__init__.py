"""What a session asks a halted machine for: breakpoints, steps, stack, disassembly, CPUID. What other rooms use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.debugger import stepping as stepping, unwinding as unwinding
    from machine.debugger.breakpoints import (
        Breakpoint as Breakpoint,
        BreakpointError as BreakpointError,
        Breakpoints as Breakpoints,
        revive as revive,
        seen_before_its_end as seen_before_its_end,
    )
    from machine.debugger.cpuid import (
        RESULTS as RESULTS,
        cpuid_results as cpuid_results,
    )
    from machine.debugger.disassembly import (
        Line as Line,
        a88 as a88,
        disassemble as disassemble,
        jump_note as jump_note,
    )
    from machine.debugger.modules import (
        Module as Module,
        modules_of as modules_of,
        planned_dlls as planned_dlls,
    )
    from machine.debugger.paging import (
        Entry as Entry,
        page_table_entries as page_table_entries,
    )
    from machine.debugger.stack import (
        CallStack as CallStack,
        Slot as Slot,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "breakpoints": "Breakpoint BreakpointError Breakpoints revive seen_before_its_end",
            "cpuid": "RESULTS cpuid_results",
            "disassembly": "Line a88 disassemble jump_note",
            "modules": "Module modules_of planned_dlls",
            "paging": "Entry page_table_entries",
            "stack": "CallStack Slot",
        },
        late="stepping unwinding",
    )
