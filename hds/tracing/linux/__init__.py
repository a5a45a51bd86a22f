"""The types of Linux' arguments, a function each: how a word of a call is shown. The notation is that of strace.

`words` declares them, and has those that a word says all of; the others are by what they are of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.tracing.linux.structures import STRUCTURES as STRUCTURES, siginfo as siginfo, signal_name as signal_name
    from hds.tracing.linux.types import FILLED_BY as FILLED_BY, TYPES as TYPES
else:
    __getattr__, __dir__ = lazy(__name__, {"structures": "STRUCTURES siginfo signal_name", "types": "FILLED_BY TYPES"})
