"""`output create NAME namedpipe PATH`: a FIFO."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from hds.outputs.carriers import Carrier, OutputFailed, QueuedCarrier
from vm import reason

if TYPE_CHECKING:
    from hds.outputs.sources import Outputs


def acquire(outputs: Outputs, address: str) -> Carrier:
    """The writing end of a FIFO that exists and that somebody reads. Raises OutputFailed."""
    path = outputs.locate(address)
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            raise OutputFailed(f"{path} is no named pipe")
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise OutputFailed(f"cannot open the named pipe {path}: {reason(error)}") from None
    return QueuedCarrier(
        descriptor, lambda data: os.write(descriptor, data), lambda: os.close(descriptor), outputs.patience
    )
