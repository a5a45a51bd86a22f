"""The system calls, one module per family, which is loaded when one of its calls is first made.

A call is a function under `@call`: order and meaning of its arguments are those of its man page, the types of its
parameters say how they are read. The result is the call's; failure is `LinuxError`.

Importing a family puts its calls into `machine.kernel.linux.abi.CALLS`; `families` says which has which, and `whole`
has all of them, and those of INT 0x80.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.kernel.linux.calls.families import HOMES as HOMES, call_of as call_of
    from machine.kernel.linux.calls.threads import end_thread as end_thread
    from machine.kernel.linux.calls.whole import CALLS as CALLS, INTERRUPT_CALLS as INTERRUPT_CALLS
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "families": "HOMES call_of",
            "threads": "end_thread",
            "whole": "CALLS INTERRUPT_CALLS",
        },
    )
