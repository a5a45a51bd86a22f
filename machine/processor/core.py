"""What the parts of one CPU share: the emulator, and all that reads and writes its state."""

from __future__ import annotations

import msgspec

from machine.memory import AddressSpace
from machine.processor.binding import Engine
from machine.processor.block_counter import BlockCounter
from machine.processor.hidden_state import HiddenState
from machine.processor.register_file import RegisterFile
from machine.processor.run_state import RunState
from machine.processor.window import Window


class Core(msgspec.Struct, frozen=True):
    """One emulator with its memory; each part of `Cpu` takes of it what it needs."""

    engine: Engine
    window: Window | None
    memory: AddressSpace
    registers: RegisterFile
    blocks: BlockCounter
    hidden: HiddenState
    run: RunState
