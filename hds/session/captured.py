"""A host whose message is kept: what an expression prints is its value."""

from __future__ import annotations

from vm import Host


class Captured:
    """A host that keeps the message instead of delivering it."""

    def __init__(self, host: Host) -> None:
        self.text = b""
        self.read_register, self.write_register = host.read_register, host.write_register
        self.read_memory, self.write_memory = host.read_memory, host.write_memory
        self.read_physical, self.write_physical = host.read_physical, host.write_physical
        self.pseudo_register, self.request = host.pseudo_register, host.request

    def message(self, text: bytes) -> None:
        """Keep the text of print."""
        self.text = text
