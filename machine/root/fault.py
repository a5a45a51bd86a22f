"""What comes of a run of a block: what it returned, or why it stopped and where."""

from __future__ import annotations

import msgspec
from unicorn import unicorn_const as uc

from machine.processor import LONGEST_INSTRUCTION, decoder
from machine.root.block import BEGIN, CODE_BASE, HLT, Block

_SYSCALL, _INT3, _INT = b"\x0f\x05", b"\xcc", b"\xcd"

SYSCALL_HERE = "SYSCALL in vmx-root mode"


class RootFault(msgspec.Struct, frozen=True):
    """Why a block stopped: what happened, at which address, how far into the block, and the instruction there."""

    what: str
    address: int
    offset: int
    instruction: str

    def describe(self) -> str:
        """One line for the user; the offset is hexadecimal."""
        place = f"at {self.address:x}"
        if self.offset >= 0:
            place += f" (+{self.offset:x})"
        return f"{self.what} {place}: {self.instruction}"


class RootResult(msgspec.Struct, frozen=True):
    """What a block returned in rax, or its fault."""

    value: int
    fault: RootFault | None = None


def fault_at(block: Block, rip: int, status: int, what: str) -> RootFault:
    """Why a block stopped with this RIP and status of the emulator; `what` is what a callback has said, or empty."""

    def bytes_at(address: int, size: int) -> bytes:
        offset = address - CODE_BASE
        return block.content[offset : offset + size] if 0 <= offset < block.size else b""

    if not what and status == uc.UC_ERR_INSN_INVALID:
        what = "invalid instruction"
    before = bytes_at(rip - 2, 2)
    if not what and before.endswith(HLT):
        what, rip = "HLT", rip - 1
    rip -= _length_of_trap(what, before)
    if what == "HLT" and not BEGIN <= rip < block.end:
        what = "fetch of what is not code of the block"
    code = bytes_at(rip, LONGEST_INSTRUCTION)
    text = next((f"{m} {o}".rstrip() for _, _, m, o in decoder().disasm_lite(code, rip, 1)), "no instruction")
    offset = rip - BEGIN if BEGIN <= rip < block.end else -1
    return RootFault(what or f"emulator error {status}", rip, offset, text)


def _length_of_trap(what: str, before: bytes) -> int:
    """How far RIP is behind the instruction that ended the block, by the two bytes before RIP."""
    if what == SYSCALL_HERE:
        return len(_SYSCALL)
    if what == "exception 3" and before.endswith(_INT3):
        return 1
    vector = what.removeprefix("exception ")
    return 2 if before.startswith(_INT) and vector == f"{before[1]:x}" else 0
