"""How pages of a guest are found in the host's memory, by Python and by machine code: the layout of a page table.

Four levels of 512 words, indexed by bits 47:39, 38:30, 29:21 and 20:12 of an address, as on the processor (Intel SDM
4.5.4); only canonical addresses are looked up. A word of the upper levels is the host address of the next table, or 0.
A word of the last level has the place of the page in physical memory in bits 51:12, and these bits:
"""

from __future__ import annotations

READ, WRITE, EXECUTE = 1, 2, 4  # what the guest may do now; an access without its bit asks the address space
PRESENT = 8  # the page has memory: the debugger may read it
OPEN = 16  # and may write it, which nobody need be told
SUPERVISOR = 32  # code of level 3 may do nothing with it, whatever the bits above say
WATCHED_SHIFT = 8  # READ, WRITE and EXECUTE once more: what the guest may do, and somebody wants to be told of
FRAME_MASK = (1 << 52) - 0x1000
INDEX_BITS = 9
LEVELS = 4
PAGE_BITS = 12
