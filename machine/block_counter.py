"""How many instructions a CPU has executed, counted per basic block on entry, under a ceiling.

The counters and a table of known blocks stand in plain words of memory, so that a hook in machine code
(`machine.native.block_hook`) can do the common case; the dictionary here is what the table is filled from.
Lengths are those of the code when a block was first entered: a guest that rewrites its own block to another count in
the same bytes keeps the first count.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import defaultdict

import capstone

from machine.memory import PAGE, GuestMemory

# The words of the state, and the slots behind them: each an address and, in one word, the size and the count << 32.
EXECUTED, CEILING, SLOW, SLOTS_AT = 0, 1, 2, 4

HOMES = 1 << 16  # a block's home is the slot of its address, modulo this: blocks within 64 KB have different ones
PROBES = 16  # slots from its home on in which a block may stand
_SIZE_MASK = 0xFFFF_FFFF

_WORD_MASK = (1 << 64) - 1
_MOST_BLOCKS = 24_576  # known blocks before all are forgotten: few enough for short searches
_Block = tuple[int, int]  # address and size in bytes


class BlockCounter:
    """The count of one CPU."""

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory
        self._buffer = mmap.mmap(-1, 8 * (SLOTS_AT + 2 * (HOMES + PROBES)))  # pages that are not used cost nothing
        self._words = (ctypes.c_uint64 * (len(self._buffer) // 8)).from_buffer(self._buffer)
        self._lengths: dict[_Block, int] = {}
        self._by_page: defaultdict[int, set[_Block]] = defaultdict(set)
        self._decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)

    @property
    def state(self) -> int:
        """The address of the words; valid as long as this object lives."""
        return ctypes.addressof(self._words)

    @property
    def executed(self) -> int:
        """Instructions of all blocks that were entered."""
        return self._words[EXECUTED]

    def allow(self, budget: int) -> None:
        """Let `budget` more instructions in."""
        self._words[CEILING] = min(self._words[EXECUTED] + budget, _WORD_MASK)

    def close(self) -> None:
        """Let no block in any more. Safe in another thread."""
        self._words[CEILING] = 0

    def call(self, hook: object) -> None:
        """Give the machine code the C callback that answers in its place."""
        self._words[SLOW] = ctypes.cast(hook, ctypes.c_void_p).value or 0  # type: ignore[arg-type]

    def enter(self, address: int, size: int, listed: bool = True) -> bool:
        """Count a block that is about to be executed; False when it does not fit under the ceiling.

        One that is not `listed` when it is new comes here each time.
        """
        length = self._lengths.get((address, size))
        if length is None:
            length = self._learn(address, size, listed)
        executed = self._words[EXECUTED] + length
        if executed > self._words[CEILING]:
            return False
        self._words[EXECUTED] = executed
        return True

    def forget(self, begin: int, end: int) -> None:
        """The code of [begin, end) was changed."""
        pages = range(begin // PAGE, (max(begin, end - 1)) // PAGE + 1)
        for page in pages if len(pages) < len(self._by_page) else [page for page in self._by_page if page in pages]:
            for block in self._by_page.pop(page, ()):
                if self._lengths.pop(block, None) is not None:
                    self._drop(block)

    # --- lengths

    def _learn(self, address: int, size: int, listed: bool) -> int:
        """The instructions of a block, at least 1; remembered."""
        code = self._memory.read(address, size) or b""
        decoded, covered = 0, 0
        for _, length, _, _ in self._decoder.disasm_lite(code, address):
            decoded, covered = decoded + 1, covered + length
        count = max(1, decoded + (covered < size))  # what Capstone does not know ends a block
        if len(self._lengths) >= _MOST_BLOCKS:
            self.forget(0, 1 << 64)
        self._lengths[address, size] = count
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1):
            self._by_page[page].add((address, size))
        if listed:
            self._place((address, size), count)
        return count

    # --- slots

    def _slots(self, address: int) -> range:
        """The words of the slots in which a block may stand."""
        home = SLOTS_AT + 2 * (address % HOMES)
        return range(home, home + 2 * PROBES, 2)

    def _place(self, block: _Block, count: int) -> None:
        """Put a block into the first free slot; without one it takes the place of another, which Python then counts."""
        address, size = block
        slots = self._slots(address)
        word = next((word for word in slots if not self._words[word + 1]), slots[-1])
        self._words[word], self._words[word + 1] = address, count << 32 | size

    def _drop(self, block: _Block) -> None:
        address, size = block
        for word in self._slots(address):
            if self._words[word] == address and self._words[word + 1] & _SIZE_MASK == size:
                self._words[word + 1] = 0
