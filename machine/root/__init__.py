"""What lives on the hypervisor's side of the machine: its memory, and the tools that make code for vmx-root mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.root.assembler import (
        Assembly as Assembly,
        MissingAssemblerError as MissingAssemblerError,
        assemble as assemble,
    )
    from machine.root.assembly_expressions import AssemblerWarning as AssemblerWarning
    from machine.root.assembly_tokens import AssemblerError as AssemblerError, Source as Source
    from machine.root.block import GUEST_REGS as GUEST_REGS, RootCode as RootCode
    from machine.root.fault import RootFault as RootFault, RootResult as RootResult
    from machine.root.memory import RootMemory as RootMemory
    from machine.root.sandbox import Call as Call, RootSandbox as RootSandbox
    from machine.root.state import BlockRow as BlockRow, RootState as RootState
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "assembler": "Assembly MissingAssemblerError assemble",
            "assembly_expressions": "AssemblerWarning",
            "assembly_tokens": "AssemblerError Source",
            "block": "GUEST_REGS RootCode",
            "fault": "RootFault RootResult",
            "memory": "RootMemory",
            "sandbox": "Call RootSandbox",
            "state": "BlockRow RootState",
        },
        late="fault plain_code processor",
    )
