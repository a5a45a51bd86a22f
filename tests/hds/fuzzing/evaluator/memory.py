"""Memory: script objects at addresses of their own, and the guest's memory behind the host (section 15)."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from vm.host import Host

from .arithmetic import Value, from_bits, pattern
from .errors import Stopped, Unspecified
from .types import Array, Struct, Type

SCRIPT = 0x4000_0000_0000_0000  # non-canonical: never the guest's
SCRIPT_END = 0x5000_0000_0000_0000
LAST = (1 << 64) - 1


@dataclass
class Object:
    address: int
    data: bytearray
    writable: bool = True


class Memory:
    """Every object has a gap of 4096 bytes behind it, so that no access can reach another one by accident."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.objects: list[Object] = []  # in ascending order
        self.top = SCRIPT

    def allocate(self, size: int, data: bytes = b"", writable: bool = True) -> int:
        address = self.top
        self.objects.append(Object(address, bytearray(data.ljust(size, b"\0")), writable))
        self.top += (size + 0x1000 + 7) // 8 * 8
        return address

    def release(self, address: int) -> None:
        """Forget every object from this address on: a function returned."""
        while self.objects and self.objects[-1].address >= address:
            self.objects.pop()
        # `top` never goes back: an address that a script kept never means another object.

    def _object(self, address: int) -> Object:
        index = bisect.bisect_right(self.objects, address, key=lambda thing: thing.address) - 1
        if index < 0 or address >= self.objects[index].address + len(self.objects[index].data):
            raise Unspecified("an address in script memory that belongs to no object")
        return self.objects[index]

    def read(self, address: int, size: int) -> bytes | None:
        """The bytes, or None where one of them is not readable."""
        address %= 1 << 64
        if SCRIPT <= address < SCRIPT_END:
            thing = self._object(address)
            start = address - thing.address
            if start + size > len(thing.data):
                raise Unspecified("reading across the end of an object")
            return bytes(thing.data[start : start + size])
        return None if address + size - 1 > LAST else self.host.read_memory(address, size)

    def write(self, address: int, data: bytes) -> bool:
        """Write all the bytes, or none and False."""
        address %= 1 << 64
        if SCRIPT <= address < SCRIPT_END:
            thing = self._object(address)
            start = address - thing.address
            if not thing.writable:
                return False
            if start + len(data) > len(thing.data):
                raise Unspecified("writing across the end of an object")
            thing.data[start : start + len(data)] = data
            return True
        return address + len(data) - 1 <= LAST and self.host.write_memory(address, data)

    def load_bytes(self, address: int, size: int) -> bytes:
        data = self.read(address, size)
        if data is None:
            raise Stopped("invalid_address")
        return data

    def store_bytes(self, address: int, data: bytes) -> None:
        if not self.write(address, data):
            raise Stopped("invalid_address")

    def number(self, address: int, size: int) -> int:
        return int.from_bytes(self.load_bytes(address, size), "little")

    def load(self, address: int, kind: Type) -> Value:
        """The scalar of a type at an address."""
        return from_bits(self.number(address, kind.size), kind)

    def store(self, address: int, value: Value, kind: Type, slot: bool) -> None:
        """A variable's slot is written whole (8 bytes), everything else with exactly its size."""
        size = 8 if slot else kind.size
        self.store_bytes(address, (pattern(value, kind) % (1 << (8 * size))).to_bytes(size, "little"))

    def units(self, address: int, unit: int, most: int) -> bytes | None:
        """The text before its zero unit, at most `most` units; None where a unit is not readable."""
        text = b""
        for number in range(most):
            data = self.read(address + number * unit, unit)
            if data is None or not any(data):
                return None if data is None else text
            text += data
        return text


def object_size(kind: Type) -> int:
    """Bytes that a variable occupies: scalars have a slot."""
    return kind.size if isinstance(kind, Array | Struct) else 8
