"""The instructions of x87 that the emulator computes with 53 bits: FSIN and its kin, FPREM, FSCALE under a precision.

Only where operands are finite numbers that are there, and what is pushed has room; all else the emulator has right. No
flags of exceptions are set, as by the emulator.

The instructions are looked for in a page that is executed for the first time; other code keeps its speed. Not seen:
what a guest writes into a page later, an instruction behind prefixes, and one across two pages.
"""

from __future__ import annotations

from functools import partial

from machine.processor import x87_instructions
from machine.processor.address_hooks import AddressHooks
from machine.processor.binding import Batch
from machine.processor.core import Core
from machine.processor.decoders import decoder
from vm import late_pattern
from vm.facts.registers import RIP

_CODE = late_pattern(rb"\xd9[\xf0-\xf3\xf5\xf8\xf9\xfb\xfd-\xff]")
_LENGTH = 2
_DISTANCES = (0x30, 0x2F, 0x2B, 0x11)  # readings from most places come to the same instructions soon


class X87Corrections:
    """Those of one CPU: hooks of the addresses at which such an instruction seems to stand."""

    def __init__(self, core: Core, hooks: AddressHooks) -> None:
        self._memory, self._registers, self._hooks = core.memory, core.registers, hooks
        self._engine = core.engine
        self._batch: Batch | None = None
        self._addresses: set[int] = set()

    def look_at(self, page: int, code: bytes) -> None:
        """A page with this code is about to be executed for the first time."""
        for match in _CODE.finditer(code):
            if is_instruction(code, match.start()):
                self._correct(page + match.start())

    def begin_with(self, parent: X87Corrections) -> None:
        """Correct what is corrected in another process, which has the same code."""
        for address in sorted(parent._addresses):
            self._correct(address)

    def _correct(self, address: int) -> None:
        if address not in self._addresses:
            self._addresses.add(address)
            self._hooks.add_before(address, partial(self._at, address))

    def _at(self, address: int) -> None:
        if self._batch is None:
            self._batch = x87_instructions.registers_of(self._engine)
        if x87_instructions.carry_out(self._memory.read(address, _LENGTH) or b"", self._batch):
            self._registers.write(RIP, address + _LENGTH)


def is_instruction(code: bytes, at: int) -> bool:
    """Whether an instruction may begin there: code that is read from somewhere before comes to it."""
    for start in {max(0, at - distance) for distance in _DISTANCES}:
        here = start
        for _, length, _, _ in decoder().disasm_lite(code[start : at + _LENGTH], start):
            if here >= at:
                break
            here += length
        if here == at:
            return True
    return False
