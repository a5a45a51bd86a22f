"""How many instructions a CPU has executed: counted per basic block on entry, under a ceiling, and read to the
instruction.

The counters and a table of known blocks stand in plain words of memory, so that a hook in machine code
(`machine.processor`) can do the common case; the dictionary here serves where Python counts. A length is that of the
code when the block was last translated: the emulator says when that is, but for the first one after all were forgotten.

One word says which block is *under way*, the one entered last. Who reads the count while a hook runs takes off what
stands behind the instruction at hand (`executed_at`). A block that is left in its middle is put right at once: `settle`
where the instruction is begun anew or was not completed, `leave` where a hook has taken its place. So nothing is
counted twice, and a budget gets back what was not executed.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import defaultdict
from collections.abc import Callable

from machine.memory import PAGE, AddressSpace
from machine.processor.block_decoder import BlockDecoder
from vm import private_memory

# The words of the state, and from the next page on the slots: each an address and, in one word, the size and the count
# << 32. A slot of size 0 is free. UNDER_WAY says where the slot of the block under way stands, in bytes from the
# first slot on; OWN_SLOT is one beside the table, at the words from OWN on, which is free when no block is under way.
# IS_REST is 1 where the block in OWN is one instruction that was begun anew behind its store into the block before.
# SILENT is 1 until a block is complete after all were forgotten: of the first, and of its last instruction begun anew,
# the emulator does not say that it has translated them. It gets the slot at FIRST_SLOT, where it is not found again.
# ROOM says how many new blocks are let in yet. Behind the table are slots of translations: the one at CURRENT, an
# address, is the next one's, as it stands in the emulator's hook, in the word at USER_DATA, behind its callback.
# SWITCH is the address of the emulator's switch of checks (exit_checks), or 0; where MAY_SPARE is 1 they are spared,
# but for blocks with a grain of MARKED_GRAIN bytes that is marked: MARKS has the address of a byte for each, modulo
# MARKS_SIZE. UNCHECKED is 1 where the block that Python is asked about lacks them.
EXECUTED, CEILING, SLOW, LEARN, UNTIL, UNDER_WAY, OWN = range(7)
IS_REST = OWN + 2
SILENT = OWN + 3
ROOM = OWN + 6
USER_DATA, CURRENT = OWN + 7, OWN + 8
SWITCH, MAY_SPARE, MARKS, UNCHECKED = range(OWN + 9, OWN + 13)
_FIRST = OWN + 4
SLOTS_AT = PAGE // 8
OWN_SLOT, FIRST_SLOT = (8 * (word - SLOTS_AT) & (1 << 64) - 1 for word in (OWN, _FIRST))
SLOT_BYTES = 16

GRAIN = 4  # bytes of code that share a home: few enough for neighbours to differ, enough for hot slots to lie close
HOMES = 1 << 17  # a block's home is the slot of its grain, modulo this
PROBES = 16  # slots from its home on in which a block may stand
ALIGNMENT = 1 << 22  # of the state, which has so many bytes: a slot's address says where it begins
OWN_SLOTS = 8 * SLOTS_AT + SLOT_BYTES * (HOMES + PROBES)
OWN_SLOTS_END = OWN_SLOTS + SLOT_BYTES * (1 << 16)
MARKED_GRAIN, MARKS_SIZE = 16, 1 << 16
_SYSCALL = b"\x0f\x05"  # always the last of its block
_SIZE_MASK = 0xFFFF_FFFF
_PAGE_SLOTS = PAGE // GRAIN
_FEW_PAGES = 8  # of changed code: beyond, all slots are freed

EVERYTHING = (0, 1 << 64)
_WORD_MASK = (1 << 64) - 1
_MOST_BLOCKS = 24_576  # that are known to Python before all are forgotten
_Block = tuple[int, int]  # address and size in bytes


class BlockCounter:
    """The count of one CPU."""

    def __init__(self, memory: AddressSpace, stores_into: Callable[[int, int, int], bool] | None = None) -> None:
        """`stores_into` says whether the instruction at an address would store into [begin, end) next; None: none can
        store into code.
        """
        self._memory = memory
        self._stores_into = stores_into
        self._buffer = private_memory(2 * ALIGNMENT)  # pages that are not used cost nothing
        self._offset = -ctypes.addressof(ctypes.c_char.from_buffer(self._buffer)) % ALIGNMENT
        self._words = (ctypes.c_uint64 * (ALIGNMENT // 8)).from_buffer(self._buffer, self._offset)
        self._words[UNDER_WAY], self._words[SILENT] = OWN_SLOT, stores_into is not None
        self.make_room(_WORD_MASK)
        self._marks = (ctypes.c_uint8 * MARKS_SIZE)()
        self._words[MARKS] = ctypes.addressof(self._marks)
        self._with_checks = 0
        self._held = 0
        self.refused = 0  # instructions of the block that was refused last
        self._lengths: dict[_Block, int] = {}
        self._by_page: defaultdict[int, set[_Block]] = defaultdict(set)
        self._doubtful: set[_Block] = set()
        self._decoder = BlockDecoder()
        self._left = (0, 0, 0, 0)
        self._here, self._rest_here = (-1, 0, 0, 0), 0  # where `_rest` was asked for last, and its answer
        self._translated: _Block | None = None  # a moment ago, while Python counts
        self._code: bytes | None = None  # of the block in OWN, if it was changed since that was entered

    @property
    def state(self) -> int:
        """The address of the words; valid as long as this object lives."""
        return ctypes.addressof(self._words)

    @property
    def executed(self) -> int:
        """Instructions of all blocks that were entered, less those that are known not to be executed."""
        return self._words[EXECUTED]

    def allow(self, budget: int) -> None:
        """Let `budget` more instructions in."""
        self._words[CEILING] = min(self._words[EXECUTED] + budget, _WORD_MASK)

    def shorten(self, budget: int) -> None:
        """Let at most so many more in, also when what has closed it lets go."""
        ceiling = self._words[EXECUTED] + budget
        self._held = min(self._held, ceiling)
        self._words[CEILING] = min(self._words[CEILING], ceiling)

    def make_room(self, blocks: int) -> None:
        """Let so many new blocks in, at least 2, until `has_room` is false: one may be refused and come again."""
        self._words[ROOM] = blocks

    @property
    def has_room(self) -> bool:
        """Whether another new block may come; one that is forgotten is new again."""
        return bool(self._words[ROOM])

    def end_at(self, until: int) -> None:
        """The address at which the emulator ends a run: it counts what it puts there as an instruction.

        Blocks that ended at the last one are forgotten by machine code: a single instruction among them would be taken
        for one that is begun anew.
        """
        if until != self._words[UNTIL]:
            self._clear_slots(self._words[UNTIL] // PAGE - 1, 2)
            self._words[UNTIL] = until

    def allow_one(self) -> int:
        """Let one more instruction in, whatever the ceiling, which is the result, until `allow_others`."""
        ceiling, self._words[CEILING] = self._words[CEILING], self._words[EXECUTED] + 1
        return ceiling

    def allow_others(self, ceiling: int) -> None:
        """Go on under the ceiling from before `allow_one`, unless somebody has closed it."""
        if self._words[CEILING]:
            self._words[CEILING] = ceiling

    @property
    def is_full(self) -> bool:
        """Whether no instruction fits under the ceiling any more."""
        return self._words[EXECUTED] >= self._words[CEILING]

    def count_one(self) -> None:
        """Count an instruction whose place somebody has taken."""
        self._words[EXECUTED] += 1

    def discount_one(self) -> None:
        """Take `count_one` back."""
        self._words[EXECUTED] -= 1

    def translated(self, address: int, size: int) -> None:
        """A block was translated, maybe anew, while Python counts."""
        self._lengths.pop((address, size), None)
        self._doubtful.discard((address, size))
        self._translated = address, size

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

    @property
    def own_slots(self) -> int:
        """The address of the first slot of a translation."""
        return self.state + OWN_SLOTS

    def give_own_slots(self, user_data: int, with_checks: int) -> None:
        """The emulator's hook has `own_slots` there, behind its callback; it has translated nothing with them yet."""
        self._words[USER_DATA], self._words[CURRENT] = user_data, self.own_slots
        self._with_checks = with_checks

    @property
    def has_own_slots(self) -> bool:
        """Whether the emulator's hook has some."""
        return bool(self._words[USER_DATA])

    def take_own_slots(self) -> None:
        """The emulator is to have another hook."""
        self.spare_checks(0, wanted=False)
        self._words[USER_DATA] = 0

    def spare_checks(self, switch: int, *, wanted: bool) -> None:
        """Have machine code spare the emulator's checks in what it translates from now on, but for marked code; or not.

        `switch` is its address, or 0. No other hook of blocks may be called beside machine code that spares them.
        """
        words = self._words
        if words[SWITCH] and words[USER_DATA]:
            ctypes.c_uint8.from_address(words[SWITCH]).value = 0
            ctypes.c_uint64.from_address(words[USER_DATA] - 8).value = self._with_checks
        words[SWITCH], words[MAY_SPARE] = switch, bool(switch and wanted)

    def mark(self, address: int) -> None:
        """The instruction at an address has a hook, which may end the run: blocks with it are to have checks."""
        self._marks[address // MARKED_GRAIN % MARKS_SIZE] = 1

    def take_unchecked(self) -> bool:
        """Whether the block that is asked about lacks checks, and is not to be executed so."""
        unchecked, self._words[UNCHECKED] = self._words[UNCHECKED], 0
        return bool(unchecked)

    def enter(self, address: int, size: int, listed: bool = True) -> bool:
        """Count a block that is about to be executed; False when it does not fit under the ceiling.

        One that is not `listed` when it is new is not shown to machine code, which asks each time; nor is one in which
        a store into the block under way is begun anew, alone.
        """
        length = self._learned(address, size) if self._words[LEARN] else self._lengths.get((address, size))
        is_new = length is None or bool(self._words[SILENT]) or self._translated == (address, size)
        self._translated = None
        if not self.is_settled:
            self._words[SILENT] = 0
        is_rest = self._goes_on(address, size, is_new)
        if length is None:
            length = self._learn(address, size, listed and not is_rest and not self._words[SILENT])
        executed = self._words[EXECUTED] + length
        if executed > self._words[CEILING]:
            self.refused = length
            return False
        self._words[EXECUTED] = executed
        self._set_under_way(address, length << 32 | size)
        self._words[IS_REST] = is_rest
        return True

    @property
    def has_begun_anew(self) -> bool:
        """Whether the block entered last is one instruction, begun anew for its store into the block before."""
        return bool(self._words[IS_REST]) and self._words[UNDER_WAY] == OWN_SLOT

    def is_certain(self, address: int, size: int) -> bool:
        """Whether Capstone decodes the block as the CPU does; else the count that it gives is a guess."""
        if (address, size) not in self._lengths:
            self._learn(address, size, listed=False)
        return (address, size) not in self._doubtful

    def length_of(self, code: bytes) -> int:
        """The bytes of the first instruction; 1 where none is known."""
        return self._decoder.first(code)

    def length_before(self, rip: int) -> int:
        """The bytes of the instruction that ends at RIP, in the block under way; 1 where none is known."""
        address, shape = self._under_way()
        code = self._memory.read(address, shape & _SIZE_MASK) or b""
        return self._decoder.last(code[: max(0, rip - address)])

    def ends_with(self, code: bytes) -> bool:
        """Whether the block under way ends with these bytes."""
        address, shape = self._under_way()
        return (self._memory.read(address, shape & _SIZE_MASK) or b"").endswith(code)

    def first_port_access(self, rip: int) -> int:
        """The address of the first instruction from RIP on, in the block under way, that accesses a port; or RIP.

        In its hook the emulator may still have RIP at the beginning of the block.
        """
        address, shape = self._under_way()
        end = address + (shape & _SIZE_MASK)
        code = self._memory.read(rip, end - rip) if address <= rip < end else None
        return rip + self._decoder.first_port_access(code or b"")

    def instruction_across(self, start: int, page: int) -> int:
        """The address of the instruction that reaches into `page`, of those from `start` on in the page before it."""
        code = self._memory.read_up_to(start, page - start) if 0 < page - start < PAGE else b""
        reaching = start + self._decoder.length(code)
        return reaching if reaching < page else start

    def forget(self, begin: int, end: int) -> None:
        """The code of [begin, end) is about to be changed by somebody else than the guest, maybe in a hook."""
        self._take_over()
        if (begin, end) == EVERYTHING:
            self._words[SILENT] = self._stores_into is not None
        address, shape = self._under_way()
        if self._code is None and begin < address + (shape & _SIZE_MASK) and end > address:
            self._code = self._memory.read(address, shape & _SIZE_MASK)
        pages = range(begin // PAGE, (max(begin, end - 1)) // PAGE + 1)
        for page in pages if len(pages) < len(self._by_page) else [page for page in self._by_page if page in pages]:
            for block in self._by_page.pop(page, ()):
                self._lengths.pop(block, None)
                self._doubtful.discard(block)
        self._clear_slots(pages.start - 1, len(pages) + 1)  # a block may begin in the page before

    def refuse(self, address: int, size: int) -> None:
        """A block that was about to be executed is not."""
        self._goes_on(address, size, is_new=True)

    # --- the block under way

    @property
    def is_settled(self) -> bool:
        """Whether no block is under way: none was entered, or the last one is complete or given up."""
        return not self._under_way()[1] & _SIZE_MASK

    def executed_at(self, rip: int) -> int:
        """The count while a hook runs before the instruction at RIP: with it, and without what stands behind it."""
        return self._words[EXECUTED] - max(0, self._rest(rip) - 1)

    def behind(self, rip: int) -> tuple[int, int, int]:
        """The two words of the slot of the block under way, and how many of its instructions stand behind RIP's."""
        return *self._under_way(), max(0, self._rest(rip) - 1)

    def left_at(self, rip: int) -> tuple[int, int, int] | None:
        """The words of the block that was left at RIP last, and how many of its instructions stood at or behind it."""
        return None if self._left[0] != rip else self._left[1:]

    def settle(self, rip: int) -> None:
        """The block under way was left before the instruction at RIP, which is begun anew or not at all.

        Where RIP is no instruction of it, the block was completed. To be called at each end of uc_emu_start, and
        whenever a hook has it begun anew.
        """
        rest = self._rest(rip)
        self._left = rip, *self._under_way(), rest
        self._words[EXECUTED] -= rest
        self.finish()

    def leave(self, rip: int) -> tuple[int, int, int]:
        """The block under way was left at the instruction at RIP, whose place a hook has taken: it counts.

        The two words of its slot, and how many instructions stand behind that one.
        """
        left = self.behind(rip)
        self._words[EXECUTED] -= left[2]
        self.finish()
        return left

    def finish(self) -> None:
        """The block under way was executed to its end, or will be."""
        self._set_under_way(0, 0)

    def _under_way(self) -> tuple[int, int]:
        """The two words of its slot."""
        word = (self._words[UNDER_WAY] + 8 * SLOTS_AT & _WORD_MASK) // 8
        return self._words[word], self._words[word + 1]

    def _set_under_way(self, address: int, shape: int) -> None:
        self._words[OWN], self._words[OWN + 1], self._words[UNDER_WAY] = address, shape, OWN_SLOT
        self._words[IS_REST] = 0
        self._code = None

    def _take_over(self) -> None:
        """Copy it from the table, whose slots may be freed."""
        if self._words[UNDER_WAY] != OWN_SLOT:
            self._set_under_way(*self._under_way())

    def _rest(self, rip: int) -> int:
        """How many of its instructions stand at or behind RIP; 0 where it is complete."""
        here = (self._words[EXECUTED], *self._under_way(), rip)
        if here != self._here:  # something was executed since it was asked last
            self._here, self._rest_here = here, self._rest_of_block(rip)
        return self._rest_here

    def _rest_of_block(self, rip: int) -> int:
        address, shape = self._under_way()
        size, count = shape & _SIZE_MASK, shape >> 32
        at = rip - address
        if not 0 <= at < size:
            return 0
        kept = self._code if self._words[UNDER_WAY] == OWN_SLOT else None
        code = kept or self._memory.read(address, size) or b""
        if code[at:] == _SYSCALL:
            return 1  # needs no Capstone
        before = self._decoder.before(code, at)
        return count - before if before is not None and before < count else min(count, self._decoder.count(code[at:]))

    def _goes_on(self, address: int, size: int, is_new: bool) -> bool:
        """Deal with the block under way, where another is about to be entered.

        Whether that is a single instruction of the same one, which was left there: the emulator does so at a store into
        the block's own code, once. Entered by a jump, a block within another one ends where that ends; so does one that
        is begun anew at its last instruction, which tells itself by its store, still to come.
        """
        start, shape = self._under_way()
        end = start + (shape & _SIZE_MASK)
        is_rest = False
        if start <= address < address + size <= end and not self.has_begun_anew:
            code = self._memory.read(start, end - start) or b""
            if address + size < end:
                is_rest = self._decoder.before(code, address - start) is not None or not self._decoder.is_certain(code)
            elif is_new and self._stores_into is not None and self._decoder.count(code[address - start :]) == 1:
                is_rest = self._stores_into(address, start, end)
        if is_rest:
            self.settle(address)
        else:
            self.finish()
        return is_rest

    # --- lengths

    def _learn(self, address: int, size: int, listed: bool) -> int:
        """The instructions of a block, at least 1; remembered."""
        code = self._memory.read(address, size) or b""
        count = self._decoder.count(code)
        if len(self._lengths) >= _MOST_BLOCKS:
            self.forget(*EVERYTHING)
        block = address, size
        self._lengths[block] = count
        self._words[ROOM] = max(0, self._words[ROOM] - 1)
        if not self._decoder.is_certain(code):
            self._doubtful.add(block)
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1):
            self._by_page[page].add(block)
        if listed:
            self._place(block, count)
        return count

    # --- slots

    def _learned(self, address: int, size: int) -> int | None:
        """The instructions of a block that machine code knows."""
        home = SLOTS_AT + 2 * (address // GRAIN % HOMES)
        for word in range(home, home + 2 * PROBES, 2):
            shape = self._words[word + 1]
            if not shape & _SIZE_MASK:
                return None
            if self._words[word] == address and shape & _SIZE_MASK == size:
                return shape >> 32
        return None

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
            self._buffer.madvise(mmap.MADV_DONTNEED, self._offset + PAGE, ALIGNMENT - PAGE)
            return
        used = self._words[CURRENT] - self.own_slots if self._words[CURRENT] else 0
        ctypes.memset(self.own_slots, 0, min(used + SLOT_BYTES, OWN_SLOTS_END - OWN_SLOTS))
        first, count = page * _PAGE_SLOTS % HOMES, pages * _PAGE_SLOTS + PROBES
        self._clear(first, min(first + count, HOMES + PROBES))
        self._clear(0, first + count - HOMES)

    def _clear(self, first: int, end: int) -> None:
        if first < end:
            ctypes.memset(self.state + PAGE + SLOT_BYTES * first, 0, SLOT_BYTES * (end - first))
