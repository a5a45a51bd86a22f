"""The command line as a process of its own: what it does before it imports anything of size."""

from __future__ import annotations

import gc
import os
import signal
from typing import NoReturn

from hds.cli.importing import absent, shorten

# Objects that are made before Python looks for unreachable ones; its own 700 cost a tenth of a short run's time.
_ALLOCATIONS = 100_000


def entry() -> NoReturn:
    """Run hds and leave at once: the interpreter's tidying takes 0.2 s behind a run."""
    gc.set_threshold(_ALLOCATIONS)
    shorten()
    takes_interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if takes_interrupts:  # and nothing has begun: Ctrl-C ends the process without a word
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with absent("typing_extensions"):  # all that msgspec takes from it is in `typing`, and it takes 5 ms
        import msgspec  # noqa: F401 (who needs it finds it imported)
    from hds.cli.main import lead

    if takes_interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os._exit(lead())
