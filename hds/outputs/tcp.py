"""`output create NAME tcp HOST:PORT`: a connection."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from hds.outputs.carriers import Carrier, OutputFailed, QueuedCarrier
from vm import reason
from vm.facts.numbers import DECIMAL, number_in

if TYPE_CHECKING:
    from hds.outputs.sources import Outputs

_CONNECT_SECONDS = 5.0


def acquire(outputs: Outputs, address: str) -> Carrier:
    """A connection to `host:port`. Raises OutputFailed."""
    host, colon, port = address.rpartition(":")
    number = number_in(port, DECIMAL, 0xFFFF)
    if not colon or not host or not number:
        raise OutputFailed(f"'{address}' is no address and port, such as 127.0.0.1:8080")
    try:
        connection = socket.create_connection((host.strip("[]"), number), timeout=_CONNECT_SECONDS)
    except OSError as error:
        raise OutputFailed(f"cannot connect to {address}: {reason(error)}") from None
    connection.setblocking(False)
    return QueuedCarrier(connection.fileno(), connection.send, connection.close, outputs.patience)
