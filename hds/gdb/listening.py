"""The connection to a debugger: one client, packets in both directions, and an interrupt at any moment."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable

from hds.exit_codes import ExitCode
from hds.gdb.packets import Reader, framed
from hds.inputs import refuse
from vm import reason
from vm.facts.numbers import DECIMAL, number_in

LOCALHOST = "127.0.0.1"
_CHUNK = 0x1000
_MOST_WAITING = 4096  # packets
_LET_RUN = (b"c", b"C", b"s", b"S", b"vCont;")


def listen(address: str) -> socket.socket:
    """A listening socket at `[HOST:]PORT`, on 127.0.0.1 by default; port 0 is any free one. Exits without one."""
    host, _, port = address.rpartition(":")
    number = number_in(port, DECIMAL, 0xFFFF)
    if number is None:
        refuse(f"--gdb {address}: no port, such as 1234 or {LOCALHOST}:1234", ExitCode.USAGE)
    host = host.strip("[]") or LOCALHOST
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, number), family=family, backlog=1)
    except OSError as error:
        refuse(f"--gdb {address}: cannot listen there: {reason(error)}", ExitCode.FAILED)


class Gone(Exception):  # noqa: N818 - it reads as what happened
    """The debugger has closed the connection."""


class Link:
    """A connection. `interrupted` is called in another thread when the debugger wants the guest to stop."""

    def __init__(self, connection: socket.socket, interrupted: Callable[[], None]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.acknowledges = True
        self._connection = connection
        self._interrupted = interrupted
        self._last = b""
        self._packets: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._lets_run = False  # a packet has come that lets the guest run, and no stop was told since
        self._thread = threading.Thread(target=self._receive, name="gdb", daemon=True)
        self._thread.start()

    def receive(self) -> bytes:
        """The data of the next packet. Raises Gone."""
        data = self._packets.get()
        if data is None:
            self._packets.put(None)
            raise Gone
        return data

    def send(self, data: bytes) -> None:
        """Send a packet. Raises Gone."""
        self._last = framed(data)
        self._write(self._last)

    def send_stop(self, data: bytes) -> None:
        """Say that the guest has stopped. Raises Gone."""
        self._lets_run = False  # an interrupt that comes now has crossed this
        self.send(data)

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        self._thread.join()

    def _write(self, data: bytes) -> None:
        try:
            with self._writing:
                self._connection.sendall(data)
        except OSError:
            raise Gone from None

    def _receive(self) -> None:
        reader = Reader()
        with contextlib.suppress(OSError, Gone):
            while data := self._connection.recv(_CHUNK):
                for kind, packet in reader.feed(data):
                    if kind == "interrupt":
                        if self._lets_run:
                            self._interrupted()
                    elif kind == "again":
                        self._write(self._last)
                    elif kind == "damaged":
                        self._acknowledge(b"-")
                    else:
                        self._acknowledge(b"+")
                        self._lets_run |= packet.startswith(_LET_RUN)
                        if self._packets.qsize() >= _MOST_WAITING:
                            raise Gone  # no debugger asks so much at once
                        self._packets.put(packet)
        self._packets.put(None)
        self._interrupted()

    def _acknowledge(self, sign: bytes) -> None:
        if self.acknowledges:
            self._write(sign)
