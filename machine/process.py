"""Processes and the cores that run them.

A process has its own address space and its own emulated CPU; a core is a slot with a number. The machine decides which
process runs on which core, so `$core` is a property of the slot and the registers are one of the process.
"""

from __future__ import annotations

from dataclasses import dataclass

from machine.cpu import Cpu, StopReason
from vm.registers import RIP

NAME_BYTES = 15  # an image name as the kernel keeps it: 15 characters and a zero


@dataclass(eq=False)
class Process:
    """One process with one thread. `until` is the address at which its program ends."""

    pid: int
    tid: int
    name: str
    cpu: Cpu
    entry: int
    until: int
    name_address: int = 0
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
