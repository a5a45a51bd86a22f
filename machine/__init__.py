"""The emulated x86-64 computer, which raises events. Importing this package loads no emulator.

What it has by name is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.loaders import LoadError as LoadError
    from machine.machine import (
        Machine as Machine,
        MsrError as MsrError,
        RunSummary as RunSummary,
        StopCause as StopCause,
    )
    from machine.messages import Kept as Kept, Losses as Losses, Message as Message
    from machine.options import (
        Keywords as Keywords,
        MachineOptions as MachineOptions,
        Program as Program,
        ProgramStart as ProgramStart,
        with_names as with_names,
    )
    from machine.records import (
        BulkReporter as BulkReporter,
        CodeFault as CodeFault,
        GuestOutput as GuestOutput,
        Notice as Notice,
        Reporter as Reporter,
        ScriptFault as ScriptFault,
        Silent as Silent,
        takes_many as takes_many,
    )
    from machine.summary import ProcessEnd as ProcessEnd, told_code as told_code
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "loaders": "LoadError",
            "machine": "Machine MsrError RunSummary StopCause",
            "messages": "Kept Losses Message",
            "options": "Keywords MachineOptions Program ProgramStart with_names",
            "records": "BulkReporter CodeFault GuestOutput Notice Reporter ScriptFault Silent takes_many",
            "summary": "ProcessEnd told_code",
        },
    )
