"""How many instructions a CPU has executed, counted per basic block on entry, under a ceiling.

The counters and a table of known blocks stand in plain words of memory, so that a hook in machine code
(`machine.processor`) can do the common case; the dictionary here serves where Python counts. Lengths are those
of the code when a block was first entered: a guest that rewrites its own block to another count in the same bytes keeps
the first count.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import defaultdict

import capstone

from machine.memory import PAGE, AddressSpace

# The words of the state, and from the next page on the slots: each an address and, in one word, the size and the count
# << 32. A slot of size 0 is free.
EXECUTED, CEILING, SLOW, LEARN, UNTIL = 0, 1, 2, 3, 4
SLOTS_AT = PAGE // 8
SLOT_BYTES = 16

GRAIN = 4  # bytes of code that share a home: few enough for neighbours to differ, enough for hot slots to lie close
HOMES = 1 << 17  # a block's home is the slot of its grain, modulo this
PROBES = 16  # slots from its home on in which a block may stand
_SIZE_MASK = 0xFFFF_FFFF
_PAGE_SLOTS = PAGE // GRAIN
_FEW_PAGES = 8  # of changed code: beyond, all slots are freed

_WORD_MASK = (1 << 64) - 1
_MOST_BLOCKS = 24_576  # that are known to Python before all are forgotten
_NOT_OF_THIS_CPU = "v"  # first letter of what Capstone decodes and the CPU model does not: AVX, XOP
_Block = tuple[int, int]  # address and size in bytes


class BlockCounter:
    """The count of one CPU."""

    def __init__(self, memory: AddressSpace) -> None:
        self._memory = memory
        size = PAGE + SLOT_BYTES * (HOMES + PROBES)  # pages that are not used cost nothing
        self._buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._words = (ctypes.c_uint64 * (len(self._buffer) // 8)).from_buffer(self._buffer)
        self._held = 0
        self._lengths: dict[_Block, int] = {}
        self._by_page: defaultdict[int, set[_Block]] = defaultdict(set)
        self._doubtful: set[_Block] = set()
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

    def end_at(self, until: int) -> None:
        """The address at which the emulator ends a run: it counts what it puts there as an instruction."""
        self._words[UNTIL] = until

    def ends_at(self, address: int) -> bool:
        """Whether `end_at` has named this address."""
        return self._words[UNTIL] == address

    def hold(self) -> None:
        """Have the hook in Python asked about the next block."""
        self._held, self._words[CEILING] = self._words[CEILING], 0

    def release(self) -> None:
        """Go on behind `hold`."""
        self._words[CEILING] = self._held

    def close(self) -> None:
        """Let no block in any more. Safe in another thread."""
        self._words[CEILING] = 0

    def call(self, hook: object, learn: int = 0) -> None:
        """Give the machine code the C callback that answers in its place.

        `learn` is the address of uc_ctl, for machine code that is to learn new blocks, but for those that reach to the
        end of the run; 0: it asks about every new block.
        """
        self._words[SLOW] = ctypes.cast(hook, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
        self._words[LEARN] = learn

    def enter(self, address: int, size: int, listed: bool = True) -> bool:
        """Count a block that is about to be executed; False when it does not fit under the ceiling.

        One that is not `listed` when it is new is not shown to machine code, which asks each time.
        """
        length = self._lengths.get((address, size))
        if length is None:
            length = self._learn(address, size, listed)
        executed = self._words[EXECUTED] + length
        if executed > self._words[CEILING]:
            return False
        self._words[EXECUTED] = executed
        return True

    def is_certain(self, address: int, size: int) -> bool:
        """Whether Capstone decodes the block as the CPU does; else the count that it gives is a guess."""
        if (address, size) not in self._lengths:
            self._learn(address, size, listed=False)
        return (address, size) not in self._doubtful

    def instruction_across(self, start: int, page: int) -> int:
        """The address of the instruction that reaches into `page`, of those from `start` on in the page before it."""
        code = self._memory.read_up_to(start, page - start) if 0 < page - start < PAGE else b""
        reaching = start + sum(length for _, length, _, _ in self._decoder.disasm_lite(code, start))
        return reaching if reaching < page else start

    def forget(self, begin: int, end: int) -> None:
        """The code of [begin, end) was changed."""
        pages = range(begin // PAGE, (max(begin, end - 1)) // PAGE + 1)
        for page in pages if len(pages) < len(self._by_page) else [page for page in self._by_page if page in pages]:
            for block in self._by_page.pop(page, ()):
                self._lengths.pop(block, None)
                self._doubtful.discard(block)
        self._clear_slots(pages.start - 1, len(pages) + 1)  # a block may begin in the page before

    # --- lengths

    def _learn(self, address: int, size: int, listed: bool) -> int:
        """The instructions of a block, at least 1; remembered."""
        code = self._memory.read(address, size) or b""
        decoded, covered, foreign = 0, 0, False
        for _, length, mnemonic, _ in self._decoder.disasm_lite(code, address):
            decoded, covered = decoded + 1, covered + length
            foreign = foreign or mnemonic.startswith(_NOT_OF_THIS_CPU)
        count = max(1, decoded + (covered < size))  # what Capstone does not know ends a block
        if len(self._lengths) >= _MOST_BLOCKS:
            self.forget(0, 1 << 64)
        block = address, size
        self._lengths[block] = count
        if covered < size or foreign:
            self._doubtful.add(block)
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1):
            self._by_page[page].add(block)
        if listed:
            self._place(block, count)
        return count

    # --- slots

    def _place(self, block: _Block, count: int) -> None:
        """Put a block into the first free slot, or into its home."""
        address, size = block
        home = address // GRAIN % HOMES
        slots = [SLOTS_AT + 2 * slot for slot in range(home, home + PROBES)]
        word = next((word for word in slots if not self._words[word + 1] & _SIZE_MASK), slots[0])
        self._words[word], self._words[word + 1] = address, count << 32 | size

    def _clear_slots(self, page: int, pages: int) -> None:
        """Free every slot in which a block may stand that begins in these pages; others are learned again."""
        if pages > _FEW_PAGES:
            self._buffer.madvise(mmap.MADV_DONTNEED, PAGE)
            return
        first, count = page * _PAGE_SLOTS % HOMES, pages * _PAGE_SLOTS + PROBES
        self._clear(first, min(first + count, HOMES + PROBES))
        self._clear(0, first + count - HOMES)

    def _clear(self, first: int, end: int) -> None:
        if first < end:
            ctypes.memset(self.state + PAGE + SLOT_BYTES * first, 0, SLOT_BYTES * (end - first))
