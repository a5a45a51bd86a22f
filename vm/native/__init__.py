"""The native engine: bytecode -> LLVM (llvmlite) -> machine code. Same results as the reference engine, only faster.

Nothing outside this package imports llvmlite, and importing `vm` does not import this package: whoever wants it imports
`NativeEngine`, and gets ImportError where llvmlite is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from vm.native import code_cache as code_cache
    from vm.native.access import DirectAccess as DirectAccess
    from vm.native.activation import Activation as Activation, Workspace as Workspace
    from vm.native.context import Context as Context
    from vm.native.emitter import (
        I1 as I1,
        I32 as I32,
        I64 as I64,
        NO as NO,
        NULL as NULL,
        POINTER as POINTER,
        VOID as VOID,
        Block as Block,
        Emitter as Emitter,
        Module as Module,
        Signature as Signature,
        Value as Value,
        number as number,
    )
    from vm.native.engine import NativeEngine as NativeEngine
    from vm.native.jit import add_symbol as add_symbol, compile_text as compile_text
    from vm.native.layout import (
        CELL as CELL,
        U64 as U64,
        Address as Address,
        Cells as Cells,
        cells as cells,
        table as table,
    )
    from vm.native.listing import emit as emit
    from vm.native.object_code import MachineCode as MachineCode
    from vm.native.records import MessageRing as MessageRing
    from vm.native.trigger import (
        entry_point as entry_point,
        has_run as has_run,
        keeps_to_itself as keeps_to_itself,
        prepare as prepare,
        registers_used as registers_used,
        sends_messages as sends_messages,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "access": "DirectAccess",
            "activation": "Activation Workspace",
            "code_cache": "",
            "context": "Context",
            "emitter": "Block Emitter I1 I32 I64 Module NO NULL POINTER Signature VOID Value number",
            "engine": "NativeEngine",
            "jit": "add_symbol compile_text",
            "layout": "Address CELL Cells U64 cells table",
            "listing": "emit",
            "records": "MessageRing",
            "object_code": "MachineCode",
            "trigger": "entry_point has_run keeps_to_itself prepare registers_used sends_messages",
        },
    )
