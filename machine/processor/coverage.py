"""Which basic blocks a CPU enters, by the module that they lie in: recorded in Python, block by block, where asked."""

from __future__ import annotations

import msgspec
from unicorn import unicorn_const as uc

from machine.memory import AddressSpace
from machine.processor.binding import BLOCK_HOOK, Engine


class CodeModule(msgspec.Struct, frozen=True):
    """Neighbouring areas of one name, [start, end): a file's path, `program`, `code`, or what else has code."""

    name: str
    start: int
    end: int


class Coverage:
    """The blocks of one process, each once: where it begins and its size in bytes, with the module of that time.

    A block that a hook or a limit cuts counts whole. `is_complete` is False once there were more than `most`.
    """

    def __init__(self, most: int) -> None:
        self.blocks: dict[tuple[int, int], CodeModule] = {}
        self.is_complete = True
        self._most = most
        self._modules: dict[tuple[str, int], CodeModule] = {}  # by area

    def record(self, engine: Engine, memory: AddressSpace) -> None:
        """Have the blocks recorded that this engine enters from now on."""

        def on_block(_engine: int, address: int, size: int, _data: int) -> None:
            if (address, size) not in self.blocks:
                self._add(memory, address, size)

        engine.add_hook(uc.UC_HOOK_BLOCK, BLOCK_HOOK(on_block))

    def _add(self, memory: AddressSpace, address: int, size: int) -> None:
        if len(self.blocks) >= self._most:
            self.is_complete = False
            return
        area = memory.area_at(address)
        if area is None:
            return
        place = area.name, area.start
        if place not in self._modules:
            self._modules[place] = _module(memory, area.name, address)
        self.blocks[address, size] = self._modules[place]


def _module(memory: AddressSpace, name: str, address: int) -> CodeModule:
    """The neighbouring areas of this name around an address."""
    start = end = address
    for area in memory.areas:
        if area.name != name:
            continue
        if area.start != end:
            if start <= address < end:
                break
            start = area.start
        end = area.end
    return CodeModule(name, start, end)
