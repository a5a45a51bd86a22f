"""What an emulator's TLB is answered: by machine code from the page table, by the address space where that has none.

    bool fill(engine, page, access, out, state)

is what Unicorn calls for a page that its TLB does not have (UC_HOOK_TLB_FILL). It walks the table of vm.facts.paging
whose root stands in `state`; a page that may not be accessed so, yet, or not on every privilege level, is for the hook
in Python beside it, and so is all once the guest has changed its paging: the emulator forgets its TLB at such a write.
An access that is watched is refused, and noted in the state, unless watched pages are open.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

from unicorn import unicorn_const as uc

from machine.processor.binding import control_word
from machine.processor.machine_code import address_in, compiled_hooks
from vm.facts.paging import EXECUTE, FRAME_MASK, INDEX_BITS, LEVELS, PAGE_BITS, READ, SUPERVISOR, WATCHED_SHIFT, WRITE

if TYPE_CHECKING:
    from vm.native import MachineCode

# The right that an access needs.
RIGHTS = {uc.UC_MEM_READ: READ, uc.UC_MEM_WRITE: WRITE, uc.UC_MEM_FETCH: EXECUTE}
# The words of the state. FILLS counts answers. WATCHING has the rights that are refused where they are watched: all, or
# none while watched pages are open. WATCHED_PAGE and WATCHED_RIGHT name the access that was refused first, if the right
# is not 0. CR2 is the host address of that register, between CR0 and CR4, DIRECTORY what CR3 is to have
# in the bits of FRAME_MASK.
ROOT, SLOW, FILLS, WATCHING, WATCHED_PAGE, WATCHED_RIGHT, CR2, DIRECTORY, _WORDS = range(9)
_CR0, _CR3, _CR4 = -2, 1, 2  # words from CR2 on
_PG, _PAE = 1 << 31, 1 << 5

_CANONICAL_SHIFT = 64 - INDEX_BITS * LEVELS - PAGE_BITS


def _walk() -> str:
    """From %table, or to %slow where there is none, to the word of the page."""
    lines = []
    for level in range(LEVELS):
        shift = PAGE_BITS + INDEX_BITS * (LEVELS - 1 - level)
        lines += [
            f"  %shifted.{level} = lshr i64 %page, {shift}",
            f"  %index.{level} = and i64 %shifted.{level}, {(1 << INDEX_BITS) - 1}",
            f"  %at.{level} = getelementptr i64, ptr %table.{level}, i64 %index.{level}",
        ]
        if level < LEVELS - 1:
            lines += [
                f"  %table.{level + 1} = load ptr, ptr %at.{level}",
                f"  %none.{level} = icmp eq ptr %table.{level + 1}, null",
                f"  br i1 %none.{level}, label %slow, label %walk.{level + 1}",
                f"walk.{level + 1}:",
            ]
    return "\n".join(lines)


# A list of exits is set by the next start, where there is one (Engine.end_at_exits); else this does nothing.
SET_EXITS = control_word(uc.UC_CTL_UC_EXITS, uc.UC_CTL_IO_WRITE, 2)
FLUSH_TLB = control_word(uc.UC_CTL_TLB_FLUSH, uc.UC_CTL_IO_WRITE, 0)

_TEXT = f"""
%entry = type {{ i64, i32 }} ; uc_tlb_entry: place in physical memory, rights

define zeroext i1 @fill(ptr %engine, i64 %page, i32 %access, ptr %out, ptr %state) nounwind {{
  %table.0 = load ptr, ptr %state
  %up = shl i64 %page, {_CANONICAL_SHIFT}
  %extended = ashr i64 %up, {_CANONICAL_SHIFT}
  %canonical = icmp eq i64 %extended, %page
  %changed = call i1 @has_changed(ptr %state)
  %never = xor i1 %changed, true
  %can.walk = and i1 %canonical, %never
  br i1 %can.walk, label %walk.0, label %slow
walk.0:
{_walk()}
  %word = load i64, ptr %at.{LEVELS - 1}
  %which = sub i32 %access, {uc.UC_MEM_READ}
  %right = shl i32 1, %which
  %wide = zext i32 %right to i64
  %mask = or i64 %wide, {SUPERVISOR}
  %granted = and i64 %word, %mask
  %refused = icmp ne i64 %granted, %wide
  br i1 %refused, label %slow, label %answer
answer:
  %watching.at = getelementptr i64, ptr %state, i64 {WATCHING}
  %watching = load i64, ptr %watching.at
  %bits = lshr i64 %word, {WATCHED_SHIFT}
  %watched = and i64 %bits, %watching
  %it.is = and i64 %watched, %wide
  %open = icmp eq i64 %it.is, 0
  br i1 %open, label %give, label %note
note: ; the first one counts
  %right.at = getelementptr i64, ptr %state, i64 {WATCHED_RIGHT}
  %noted = load i64, ptr %right.at
  %first = icmp eq i64 %noted, 0
  br i1 %first, label %keep, label %refuse
keep:
  %page.at = getelementptr i64, ptr %state, i64 {WATCHED_PAGE}
  store i64 %page, ptr %page.at
  store i64 %wide, ptr %right.at
  %is.data = icmp ne i64 %wide, {EXECUTE}
  br i1 %is.data, label %drop, label %refuse
drop: ; an end of the run that is told to Unicorn is dear: it would be looked for in the cache at every refusal
  %dropped = call i32 (ptr, i32, ...) @uc_ctl(ptr %engine, i32 {SET_EXITS}, ptr null, i64 0)
  br label %refuse
refuse:
  ret i1 false
give:
  %place = and i64 %word, {FRAME_MASK}
  store i64 %place, ptr %out
  %kept = xor i64 %watched, -1
  %all = and i64 %word, %kept
  %low = trunc i64 %all to i32
  %rights = and i32 %low, {READ | WRITE | EXECUTE}
  %rights.at = getelementptr %entry, ptr %out, i64 0, i32 1
  store i32 %rights, ptr %rights.at
  %fills.at = getelementptr i64, ptr %state, i64 {FILLS}
  %fills = load i64, ptr %fills.at
  %more = add i64 %fills, 1
  store i64 %more, ptr %fills.at
  ret i1 true
slow:
  %slow.at = getelementptr i64, ptr %state, i64 {SLOW}
  %hook = load ptr, ptr %slow.at
  %answered = tail call zeroext i1 %hook(ptr %engine, i64 %page, i32 %access, ptr %out, ptr %state)
  ret i1 %answered
}}

declare i32 @uc_ctl(ptr, i32, ...)

define internal i1 @has_changed(ptr %state) nounwind alwaysinline {{
  %cr2.at = getelementptr i64, ptr %state, i64 {CR2}
  %cr2 = load ptr, ptr %cr2.at
  %cr0.at = getelementptr i64, ptr %cr2, i64 {_CR0}
  %cr0 = load i64, ptr %cr0.at
  %cr3.at = getelementptr i64, ptr %cr2, i64 {_CR3}
  %cr3 = load i64, ptr %cr3.at
  %cr4.at = getelementptr i64, ptr %cr2, i64 {_CR4}
  %cr4 = load i64, ptr %cr4.at
  %directory.at = getelementptr i64, ptr %state, i64 {DIRECTORY}
  %directory = load i64, ptr %directory.at
  %difference = xor i64 %cr3, %directory
  %moved = and i64 %difference, {FRAME_MASK}
  %pg = and i64 %cr0, {_PG}
  %pae = and i64 %cr4, {_PAE}
  %both = or i64 %pg, %pae
  %kept = icmp eq i64 %both, {_PG | _PAE}
  %same = icmp eq i64 %moved, 0
  %fine = and i1 %kept, %same
  %changed = xor i1 %fine, true
  ret i1 %changed
}}
"""
assert [1 << access - uc.UC_MEM_READ for access in RIGHTS] == list(RIGHTS.values())


def new_state(root: int, directory: int, slow: int, cr2: int) -> ctypes.Array[ctypes.c_uint64]:
    """The words of a hook: the host address of a page table's root and its physical one, which CR3 has; the hook in
    Python that has the rest; and the host address of CR2.
    """
    return (ctypes.c_uint64 * _WORDS)(root, slow, 0, READ | WRITE | EXECUTE, 0, 0, cr2, directory)


def has_other_paging(directory: int, cr0: int, cr3: int, cr4: int) -> bool:
    """Whether these registers ask for other page tables than those at `directory`, or for none (SDM volume 3, 4.5)."""
    return bool((cr3 ^ directory) & FRAME_MASK) or not cr0 & _PG or not cr4 & _PAE


def address() -> int | None:
    """The address of the hook; None where llvmlite is missing."""
    return address_in(_compiled(), "fill")


@cache
def _compiled() -> MachineCode | None:
    return compiled_hooks(_TEXT, "uc_ctl")
