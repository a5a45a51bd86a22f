"""Memory as a run sees it: script memory by its addresses, everything else through the host.

Bulk work (copies, fills, searches) is charged to `max_bulk_bytes`, so that no built-in function can keep a run busy
for longer than its step limit promises.
"""

from __future__ import annotations

from collections.abc import Iterator

from vm.engine import FaultKind
from vm.facts.limits import Limits
from vm.host import PAGE, WORD_MASK, Host
from vm.script_memory import ScriptMemory
from vm.semantics import Stop
from vm.sharing import Sharing


class Memory:
    """Reads and writes for one run."""

    def __init__(self, script: ScriptMemory, host: Host, limits: Limits, sharing: Sharing) -> None:
        self.script = script
        self.host = host
        self.bulk_left = limits.max_bulk_bytes
        self.limits = limits
        self.waits = sharing.waits
        self._brake = sharing.brake

    def read(self, address: int, size: int) -> bytes | None:
        """`size` (1 or more) bytes, or None when any of them is not readable or the range wraps around."""
        if address + size - 1 > WORD_MASK:
            return None
        return self.script.read(address, size) if self.script.owns(address) else self.host.read_memory(address, size)

    def write(self, address: int, data: bytes) -> bool:
        """Write all of data, or nothing and return False."""
        if address + len(data) - 1 > WORD_MASK:
            return False
        return self.script.write(address, data) if self.script.owns(address) else self.host.write_memory(address, data)

    def load(self, address: int, size: int) -> int:
        """The little-endian number at address. Raises Stop(INVALID_ADDRESS)."""
        data = self.read(address, size)
        if data is None:
            raise Stop(FaultKind.INVALID_ADDRESS, address=address, size=size)
        return int.from_bytes(data, "little")

    def store(self, address: int, value: int, size: int) -> None:
        """Write the low `size` bytes of value. Raises Stop(INVALID_ADDRESS)."""
        if not self.write(address, (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")):
            raise Stop(FaultKind.INVALID_ADDRESS, address=address, size=size)

    def charge(self, size: int) -> None:
        """Account for `size` bytes of bulk work.

        Raises Stop(STEP_LIMIT) when the run has used its share, and Stop(INTERRUPTED).
        """
        if self._brake.is_pulled:
            raise Stop(FaultKind.INTERRUPTED)
        self.bulk_left -= size
        if self.bulk_left < 0:
            raise Stop(FaultKind.STEP_LIMIT, "limit max_bulk_bytes", limit=self.limits.max_bulk_bytes)

    def chunks(self, address: int, unit: int) -> Iterator[bytes | None]:
        """The bytes from address on, page by page, in pieces that are whole units; None where they end."""
        while True:
            size = PAGE - address % PAGE
            size = size - size % unit or unit
            data = self.read(address, size)
            if data is None:
                # Script memory is not paged: what is left of a region may be shorter than a page.
                data = self.read(address, unit)
                size = unit
            self.charge(size)
            yield data
            if data is None:
                return
            address = (address + size) & WORD_MASK

    def text(self, address: int, unit: int, most: int) -> bytes | None:
        """The units (1 or 2 bytes each) before the terminating zero, at most `most`; None when one is unreadable."""
        found = bytearray()
        zero = bytes(unit)
        if most == 0:
            return b""
        for chunk in self.chunks(address, unit):
            if chunk is None:
                return None
            end = find_unit(chunk, zero)
            found += chunk if end < 0 else chunk[:end]
            if len(found) >= most * unit:
                return bytes(found[: most * unit])
            if end >= 0:
                return bytes(found)
        return None

    def message_text(self, address: int, wide: bool, most: int) -> bytes:
        """The text that `%s` or `%ws` prints. Raises Stop(INVALID_ADDRESS)."""
        text = self.text(address, 2 if wide else 1, most)
        if text is None:
            raise Stop(FaultKind.INVALID_ADDRESS, address=address)
        return text

    def copy(self, target: int, source: int, size: int) -> None:
        """COPY: a struct assignment."""
        if size > self.limits.max_bulk_bytes:
            raise Stop(FaultKind.INVALID_ADDRESS, address=source, size=size)
        self.charge(size)
        data = self.read(source, size) if size else b""
        if data is None:
            raise Stop(FaultKind.INVALID_ADDRESS, address=source, size=size)
        if size and not self.write(target, data):
            raise Stop(FaultKind.INVALID_ADDRESS, address=target, size=size)

    def zero(self, target: int, size: int) -> None:
        """ZERO: a declaration without initialiser."""
        if size > self.limits.max_bulk_bytes:
            raise Stop(FaultKind.INVALID_ADDRESS, address=target, size=size)
        self.charge(size)
        if size and not self.write(target, bytes(size)):
            raise Stop(FaultKind.INVALID_ADDRESS, address=target, size=size)


def find_unit(data: bytes, unit: bytes) -> int:
    """Offset of a unit in data, at a multiple of its size, or -1."""
    at = data.find(unit)
    while at >= 0 and at % len(unit):
        at = data.find(unit, at + 1)
    return at
