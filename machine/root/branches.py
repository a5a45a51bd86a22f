"""Branches to an address: their encodings, and which of them need the long one (Intel SDM volume 2).

Keystone is not asked: where a branch leads depends on the sizes of all others, and to ask it again in each round would
be slow.
"""

from __future__ import annotations

import msgspec

from machine.root.assembly_names import CONDITIONS, canonical

_SHORT_SIZE = 1  # bytes of a short distance
_NEAR_SIZE = 4


class Branch(msgspec.Struct, frozen=True):
    """The opcodes of a branch with an 8-bit and with a 32-bit distance, where it has these."""

    short: bytes | None
    near: bytes | None

    @property
    def short_size(self) -> int:
        """Bytes of the shortest encoding."""
        return len(self.short) + _SHORT_SIZE if self.short is not None else self.near_size

    @property
    def near_size(self) -> int:
        """Bytes of the longest encoding."""
        return len(self.near) + _NEAR_SIZE if self.near is not None else self.short_size

    def encode(self, distance: int, size: int) -> bytes | None:
        """The code for a target `distance` bytes behind it, in `size` bytes; None if it does not reach."""
        opcode, width = (self.short, _SHORT_SIZE) if size == self.short_size else (self.near, _NEAR_SIZE)
        if opcode is None:
            opcode, width = self.near or b"", _NEAR_SIZE
        if not -(1 << 8 * width - 1) <= distance < 1 << 8 * width - 1:
            return None
        return opcode + distance.to_bytes(width, "little", signed=True)


_BRANCHES: dict[str, Branch] = {
    "jmp": Branch(b"\xeb", b"\xe9"),
    "call": Branch(None, b"\xe8"),
    "loopne": Branch(b"\xe0", None),
    "loope": Branch(b"\xe1", None),
    "loop": Branch(b"\xe2", None),
    "jrcxz": Branch(b"\xe3", None),
    "jecxz": Branch(b"\x67\xe3", None),
    "xbegin": Branch(None, b"\xc7\xf8"),
    **{
        f"j{condition}": Branch(bytes([0x70 + number]), bytes([0x0F, 0x80 + number]))
        for number, condition in enumerate(CONDITIONS)
    },
}


def find_branch(mnemonic: str) -> Branch | None:
    """The branch of that name, if it is one."""
    return _BRANCHES.get(canonical(mnemonic))
