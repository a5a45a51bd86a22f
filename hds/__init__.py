"""hds: HyperDbg's scripting, offline.

`hds.Session` is the Python face of everything that `hds run` does (docs/python.md). What stands here is imported when
it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.version import VERSION
from vm.face import lazy

__version__ = VERSION

if TYPE_CHECKING:
    from hds import strategies as strategies, testing as testing
    from hds.session import (
        Memory as Memory,
        MissingExtra as MissingExtra,
        Registers as Registers,
        ScriptError as ScriptError,
        Session as Session,
        Subscription as Subscription,
        Trigger as Trigger,
        TriggerIsOver as TriggerIsOver,
        UnmappedMemory as UnmappedMemory,
    )
    from hds.values import (
        Limits as Limits,
        LoadError as LoadError,
        Message as Message,
        Program as Program,
        RunSummary as RunSummary,
        StopCause as StopCause,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "session": "Memory MissingExtra Registers ScriptError Session Subscription Trigger TriggerIsOver "
            "UnmappedMemory",
            "strategies": "",
            "testing": "",
            "values": "Limits LoadError Message Program RunSummary StopCause",
        },
    )
