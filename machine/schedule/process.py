"""Processes and the cores that run them.

A process has its own address space and its own emulated CPU; a core is a slot with a number. The machine decides which
process runs on which core, so `$core` is a property of the slot and the registers are one of the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine.processor import Cpu, StopReason
from vm.facts.registers import RIP

if TYPE_CHECKING:
    from machine.kernel import ProcessObjects
    from machine.loaders import Image


@dataclass(eq=False)
class Process:
    """One process with one thread. `until` is the address at which its program ends.

    `objects` are its objects in kernel memory; `peb` and `teb` are 0 where the kernel has none. `core` is the slot that
    runs it or ran it last, and `processor_block` that core's KPCR.
    """

    pid: int
    tid: int
    name: str
    cpu: Cpu
    image: Image
    until: int
    objects: ProcessObjects
    peb: int = 0
    teb: int = 0
    core: int = 0
    processor_block: int = 0
    exit_code: int | None = None
    ended: StopReason | None = None

    @property
    def alive(self) -> bool:
        """Whether the process can run on."""
        return self.exit_code is None and self.ended is None

    def exit(self, code: int) -> None:
        """The process ends with this exit code; its CPU stops before the next block."""
        self.exit_code = code
        self.cpu.stop()

    def run(self, budget: int) -> StopReason:
        """Go on from the current RIP for at most `budget` instructions."""
        return self.cpu.run(self.cpu.registers.read(RIP), self.until, budget)


@dataclass
class Core:
    """A slot that runs at most one process at a time."""

    index: int
    process: Process | None = None
