"""Conditions and code blocks in vmx-root mode (events-and-commands B.5), in emulators of their own.

A block sees the memory of the process that triggered, kernel memory (GS is the processor block of the core), its
event's buffers and the scripts' globals. It runs on its own stack, all zero, from a clean state, for at most
`max_root_instructions`; only its own code can be executed, and it is not writable. Registers of the guest are reached
through GUEST_REGS, except the XMM registers, which are the guest's own. A fault ends the block, leaves the guest's
registers as they were, and is returned as a value. rax is 0 on entry.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any

import msgspec

from machine.memory import Frames, MapError
from machine.processor import Cpu, block_hook
from machine.root import fault, processor as processors
from machine.root.block import Block, RootCode, place
from machine.root.memory import RootMemory
from machine.root.state import BlockRow
from vm import Brake, GlobalStore

MOST_PROCESSORS = 32  # of 2 MB each; what has one to itself runs without a look at its pages and translations


class Call(msgspec.Struct, frozen=True):
    """The three arguments of a block, in rcx, rdx and r8."""

    first: int
    second: int
    third: int = 0


class Surroundings(msgspec.Struct, frozen=True):
    """What all processors of a sandbox work with.

    `gate` is entered for what callbacks look at beyond the processor and its guest. `budget`: instructions of one run.
    `time_stamp` serves RDTSC. `brake` says whether the run that a block belongs to is to end.
    """

    root: RootMemory
    globals: GlobalStore | None
    source: Frames
    budget: int
    time_stamp: Callable[[], int]
    gate: AbstractContextManager[Any]
    brake: Brake


class RootSandbox:
    """Runs blocks for all processes of a machine. Blocks have a processor each; of more than there are, some share."""

    def __init__(
        self,
        root: RootMemory,
        source: Frames,
        budget: int,
        time_stamp: Callable[[], int],
        store: GlobalStore | None = None,
        gate: AbstractContextManager[Any] | None = None,
        brake: Brake | None = None,
    ) -> None:
        """See `Surroundings`."""
        gate = RLock() if gate is None else gate
        self._surroundings = Surroundings(root, store, source, budget, time_stamp, gate, brake or Brake())
        self._processors: list[processors.RootProcessor] = []
        self._blocks: dict[RootCode, Block] = {}
        self._serves_machine_code = False

    def run(self, code: RootCode, call: Call, guest: Cpu, gs_base: int) -> fault.RootResult:
        """One run of a block. The guest's registers follow GUEST_REGS afterwards."""
        try:
            block = self._block(code)
            processor = self._processor(block)
        except MapError as error:
            return fault.RootResult(0, fault.RootFault(str(error), 0, -1, "not run"))
        if not processor.is_ready(block, guest):
            processor.enter(block, guest)
        return processor.run(call, gs_base)

    def _block(self, code: RootCode) -> Block:
        block = self._blocks.get(code)
        if block is None:
            block = place(len(self._blocks) + 1, code, self._surroundings.source)
            self._blocks[code] = block
        return block

    def _processor(self, block: Block) -> processors.RootProcessor:
        index = (block.number - 1) % MOST_PROCESSORS
        while len(self._processors) <= index:
            processor = processors.RootProcessor(self._surroundings)
            if self._serves_machine_code:
                processor.serve_machine_code()
            self._processors.append(processor)
        return self._processors[index]

    def interrupt(self) -> None:
        """End the run that is under way, if any: the brake is pulled. Safe in another thread."""
        for processor in tuple(self._processors):
            processor.interrupt()

    # --- what machine code asks for

    def serve_machine_code(self) -> None:
        """Let the states of the processors say where everything is, and count instructions by machine code."""
        self._serves_machine_code = True
        block_hook.address()
        for processor in self._processors:
            processor.serve_machine_code()

    def show(self, code: RootCode, row: BlockRow) -> None:
        """Say in the row how machine code runs a plain block; 0 for one that `run` must run.

        Raises machine.memory.MapError.
        """
        row.number = 0
        block = self._block(code)
        if block.is_plain:
            row.number, row.root = block.number, ctypes.addressof(self._processor(block).state)

    def enter(self, code: RootCode, guest: Cpu, token: int) -> None:
        """Have the block's processor run it in this process from now on.

        `token` names the process in the state, where machine code can run the block.
        """
        block = self._block(code)
        processor = self._processor(block)
        processor.enter(block, guest)
        if processor.state.general:
            processor.state.token = token

    def finish(self, code: RootCode, status: int) -> fault.RootFault | None:
        """What follows a run by machine code that did more than return. The guest's registers do not follow yet."""
        return self._processor(self._block(code)).finish(status)
