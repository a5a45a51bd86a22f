"""The hook of every basic block as machine code: look the block up, add its instructions, go on.

    void on_block(engine, address, size, state)
    void on_own_block(engine, address, size, slot)
    void on_spared_block(engine, address, size, slot)
    void on_translated(engine, uc_tb*, uc_tb*, state)

works on the words that `machine.processor` lays out, and notes which block is under way. It asks Unicorn about a block
that is not in the table, where the state allows that and the block does not reach to the end of the run; else, and for
one that does not fit under the ceiling, it calls the hook in Python whose address stands in the state.

Slots of blocks that are executed by turns lie far apart, in lines of the cache that they share with nobody. So each
translation gets a slot of its own besides, beside those that were made before and after it: Unicorn translates what it
finds in its hook's `user_data` into the call, and once a slot is taken the next one stands there. What is in it is
compared all the same: two translations may have the same one, which is that of the first to be executed then.

A block is translated with the emulator's checks whether the run is to end (`exit_checks`), or without: then it calls
on_spared_block. A block with a hooked instruction, which may end the run, needs them. It is seen when such a block is
first entered, since no translation is in its slot yet: Python has it translated anew, with checks, and so are those
that follow until one is entered that needs none.

Unicorn knows how many instructions it has translated. It is asked for the block that it has just begun; where it knows
a larger one at this address, which happens behind a store into the code under way, that one was begun for a single
instruction, and what was counted is Python's to put right. (Python cannot ask: Unicorn translates the larger one then,
and may leave the call by a jump.) So may be one that is new and the last instruction of the block under way: Python
looks whether it has been executed.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from unicorn import unicorn_const as uc

from machine.processor.binding import control_word
from machine.processor.block_counter import (
    ALIGNMENT,
    CEILING,
    CURRENT,
    FIRST_SLOT,
    GRAIN,
    HOMES,
    IS_REST,
    LEARN,
    MARKED_GRAIN,
    MARKS,
    MARKS_SIZE,
    MAY_SPARE,
    OWN,
    OWN_SLOT,
    OWN_SLOTS_END,
    PROBES,
    ROOM,
    SILENT,
    SLOT_BYTES,
    SLOTS_AT,
    SLOW,
    SWITCH,
    UNCHECKED,
    UNDER_WAY,
    UNTIL,
    USER_DATA,
)
from machine.processor.machine_code import address_in, compiled_hooks

if TYPE_CHECKING:
    from vm.native import MachineCode

_ASK = control_word(uc.UC_CTL_TB_REQUEST_CACHE, uc.UC_CTL_IO_READ_WRITE, arguments=2)
_SLOTS = 8 * SLOTS_AT


def _own_block(name: str, other: str) -> str:
    """The hook of blocks that are looked for in the slot of their translation; `other` is called for one elsewhere."""
    return f"""
define void @{name}(ptr %engine, i64 %address, i32 %size, ptr %own) nounwind {{
  %key = load i64, ptr %own
  %same.address = icmp eq i64 %key, %address
  br i1 %same.address, label %compare, label %other, !prof !0
compare:
  %size.at = getelementptr %slot, ptr %own, i64 0, i32 1
  %its.size = load i32, ptr %size.at
  %same.size = icmp eq i32 %its.size, %size
  br i1 %same.size, label %found, label %other, !prof !0
found:
  %state = call ptr @state_of(ptr %own)
  %distance = call i64 @distance(ptr %own)
  call void @enter(ptr %engine, i64 %address, i32 %size, ptr %state, i64 %distance)
  ret void
other:
  tail call void @{other}(ptr %engine, i64 %address, i32 %size, ptr %own)
  ret void
}}"""


_SPARED = f"""
{_own_block("on_spared_block", "take_own_unless_marked")}

define internal void @take_own_unless_marked(ptr %engine, i64 %address, i32 %size, ptr %own) nounwind noinline {{
  %state = call ptr @state_of(ptr %own)
  %marked = call i1 @is_marked(ptr %state, i64 %address, i32 %size)
  br i1 %marked, label %refuse, label %take
refuse:
  %unchecked.at = getelementptr i64, ptr %state, i64 {UNCHECKED}
  store i64 1, ptr %unchecked.at
  call void @translate_so(ptr %state, i8 0, ptr @on_own_block)
  tail call void @ask(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
take:
  tail call void @take_own(ptr %engine, i64 %address, i32 %size, ptr %own)
  ret void
}}

define internal void @take_own_and_spare(ptr %engine, i64 %address, i32 %size, ptr %own) nounwind noinline {{
  %state = call ptr @state_of(ptr %own)
  %may.at = getelementptr i64, ptr %state, i64 {MAY_SPARE}
  %may = load i64, ptr %may.at
  %may.not = icmp eq i64 %may, 0
  br i1 %may.not, label %take, label %look
look:
  %marked = call i1 @is_marked(ptr %state, i64 %address, i32 %size)
  br i1 %marked, label %take, label %spare
spare:
  call void @translate_so(ptr %state, i8 1, ptr @on_spared_block)
  br label %take
take:
  tail call void @take_own(ptr %engine, i64 %address, i32 %size, ptr %own)
  ret void
}}

; What is translated from now on has the checks (0), or has none (1), and calls this hook.
define internal void @translate_so(ptr %state, i8 %spares, ptr %hook) nounwind {{
  %switch.at = getelementptr i64, ptr %state, i64 {SWITCH}
  %switch = load ptr, ptr %switch.at
  store i8 %spares, ptr %switch
  %data.at = getelementptr i64, ptr %state, i64 {USER_DATA}
  %data = load ptr, ptr %data.at
  %callback = getelementptr i64, ptr %data, i64 -1
  store ptr %hook, ptr %callback
  ret void
}}

define internal i1 @is_marked(ptr %state, i64 %address, i32 %size) nounwind {{
entry:
  %marks.at = getelementptr i64, ptr %state, i64 {MARKS}
  %marks = load ptr, ptr %marks.at
  %bytes = zext i32 %size to i64
  %end = add i64 %address, %bytes
  %before.end = add i64 %end, -1
  %first = udiv i64 %address, {MARKED_GRAIN}
  %last = udiv i64 %before.end, {MARKED_GRAIN}
  br label %look
look:
  %grain = phi i64 [ %first, %entry ], [ %next, %more ]
  %index = urem i64 %grain, {MARKS_SIZE}
  %mark.at = getelementptr i8, ptr %marks, i64 %index
  %mark = load i8, ptr %mark.at
  %is.marked = icmp ne i8 %mark, 0
  br i1 %is.marked, label %yes, label %more
more:
  %next = add i64 %grain, 1
  %over = icmp ugt i64 %next, %last
  br i1 %over, label %no, label %look
yes:
  ret i1 true
no:
  ret i1 false
}}"""


_TEXT = f"""
%slot = type {{ i64, i32, i32 }}
%translation = type {{ i64, i16, i16 }} ; uc_tb: address, instructions, size

; The first slot nearly always has the block.
define void @on_block(ptr %engine, i64 %address, i32 %size, ptr %state) nounwind {{
  %distance = call i64 @home(i64 %address)
  %home = call ptr @slot(ptr %state, i64 %distance)
  %key = load i64, ptr %home
  %same.address = icmp eq i64 %key, %address
  br i1 %same.address, label %compare, label %other, !prof !0
compare:
  %size.at = getelementptr %slot, ptr %home, i64 0, i32 1
  %its.size = load i32, ptr %size.at
  %same.size = icmp eq i32 %its.size, %size
  br i1 %same.size, label %found, label %other, !prof !0
found:
  call void @enter(ptr %engine, i64 %address, i32 %size, ptr %state, i64 %distance)
  ret void
other:
  tail call void @search(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
}}

define internal ptr @state_of(ptr %own) nounwind alwaysinline {{
  %place = ptrtoint ptr %own to i64
  %start = and i64 %place, {-ALIGNMENT}
  %state = inttoptr i64 %start to ptr
  ret ptr %state
}}

define internal i64 @distance(ptr %own) nounwind alwaysinline {{
  %place = ptrtoint ptr %own to i64
  %offset = and i64 %place, {ALIGNMENT - 1}
  %distance = sub i64 %offset, {_SLOTS}
  ret i64 %distance
}}

; Where a block stands among all; -1 for one that does not.
define internal i64 @known(ptr %state, i64 %address, i32 %size) nounwind {{
entry:
  %home = call i64 @home(i64 %address)
  %end = add i64 %home, {SLOT_BYTES * PROBES}
  br label %probe
probe:
  %distance = phi i64 [ %home, %entry ], [ %next, %other ]
  %here = call ptr @slot(ptr %state, i64 %distance)
  %size.at = getelementptr %slot, ptr %here, i64 0, i32 1
  %its.size = load i32, ptr %size.at
  %free = icmp eq i32 %its.size, 0
  br i1 %free, label %none, label %compare
compare:
  %key = load i64, ptr %here
  %same.address = icmp eq i64 %key, %address
  %same.size = icmp eq i32 %its.size, %size
  %same = and i1 %same.address, %same.size
  br i1 %same, label %found, label %other
other:
  %next = add i64 %distance, {SLOT_BYTES}
  %more = icmp ne i64 %next, %end
  br i1 %more, label %probe, label %none
found:
  ret i64 %distance
none:
  ret i64 -1
}}

; Enter a block that does not stand in its translation's slot; it does from then on, if that is free.
define internal void @take_own(ptr %engine, i64 %address, i32 %size, ptr %own) nounwind noinline {{
  %state = call ptr @state_of(ptr %own)
  call void @search(ptr %engine, i64 %address, i32 %size, ptr %state)
  %known = call i64 @known(ptr %state, i64 %address, i32 %size)
  %unknown = icmp eq i64 %known, -1
  %size.at = getelementptr %slot, ptr %own, i64 0, i32 1
  %its.size = load i32, ptr %size.at
  %taken = icmp ne i32 %its.size, 0
  %end = getelementptr i8, ptr %state, i64 {OWN_SLOTS_END}
  %none = icmp uge ptr %own, %end
  %stays = or i1 %unknown, %taken
  %is.left = or i1 %stays, %none
  br i1 %is.left, label %done, label %take
take:
  %here = call ptr @slot(ptr %state, i64 %known)
  %shape = load %slot, ptr %here
  store %slot %shape, ptr %own
  %current.at = getelementptr i64, ptr %state, i64 {CURRENT}
  %current = load ptr, ptr %current.at
  %is.current = icmp eq ptr %current, %own
  br i1 %is.current, label %go.on, label %done
go.on:
  %next = getelementptr %slot, ptr %own, i64 1
  store ptr %next, ptr %current.at
  %data.at = getelementptr i64, ptr %state, i64 {USER_DATA}
  %data = load ptr, ptr %data.at
  store ptr %next, ptr %data
  br label %done
done:
  ret void
}}

define internal i64 @home(i64 %address) nounwind alwaysinline {{
  %scaled = mul i64 %address, {SLOT_BYTES // GRAIN}
  %distance = and i64 %scaled, {SLOT_BYTES * (HOMES - 1)}
  ret i64 %distance
}}

define internal ptr @slot(ptr %state, i64 %distance) nounwind alwaysinline {{
  %slots = getelementptr i8, ptr %state, i64 %distance
  %slot = getelementptr i8, ptr %slots, i64 {_SLOTS}
  ret ptr %slot
}}

define internal void @enter(ptr %engine, i64 %address, i32 %size, ptr %state, i64 %distance) nounwind alwaysinline {{
  %slot = call ptr @slot(ptr %state, i64 %distance)
  %count.at = getelementptr %slot, ptr %slot, i64 0, i32 2
  %count = load i32, ptr %count.at
  %wide = zext i32 %count to i64
  %executed = load i64, ptr %state
  %sum = add i64 %executed, %wide
  %ceiling.at = getelementptr i64, ptr %state, i64 {CEILING}
  %ceiling = load volatile i64, ptr %ceiling.at
  %fits = icmp ule i64 %sum, %ceiling
  br i1 %fits, label %enter, label %closed, !prof !0
enter:
  store i64 %sum, ptr %state
  %under.way.at = getelementptr i64, ptr %state, i64 {UNDER_WAY}
  store i64 %distance, ptr %under.way.at
  ret void
closed:
  call void @ask(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
}}

define internal void @ask(ptr %engine, i64 %address, i32 %size, ptr %state) nounwind noinline {{
  %slow.at = getelementptr i64, ptr %state, i64 {SLOW}
  %hook = load ptr, ptr %slow.at
  tail call void %hook(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
}}

define internal void @search(ptr %engine, i64 %address, i32 %size, ptr %state) nounwind noinline {{
entry:
  %home = call i64 @home(i64 %address)
  %end = add i64 %home, {SLOT_BYTES * PROBES}
  br label %probe
probe:
  %distance = phi i64 [ %home, %entry ], [ %next, %other ]
  %here = call ptr @slot(ptr %state, i64 %distance)
  %size.at = getelementptr %slot, ptr %here, i64 0, i32 1
  %its.size = load i32, ptr %size.at
  %free = icmp eq i32 %its.size, 0
  br i1 %free, label %new, label %compare
compare:
  %key = load i64, ptr %here
  %same.address = icmp eq i64 %key, %address
  %same.size = icmp eq i32 %its.size, %size
  %same = and i1 %same.address, %same.size
  br i1 %same, label %known, label %other
other:
  %next = add i64 %distance, {SLOT_BYTES}
  %more = icmp ne i64 %next, %end
  br i1 %more, label %probe, label %new
known:
  call void @enter(ptr %engine, i64 %address, i32 %size, ptr %state, i64 %distance)
  ret void
new:
  %usual = phi i64 [ %distance, %probe ], [ %home, %other ]
  %first = call i1 @is_first(ptr %state)
  %free.distance = select i1 %first, i64 {FIRST_SLOT - (1 << 64)}, i64 %usual
  %place = call ptr @slot(ptr %state, i64 %free.distance)
  %learned = call i1 @learn(ptr %engine, i64 %address, i32 %size, ptr %state, ptr %place)
  br i1 %learned, label %listed, label %unknown
listed:
  call void @enter(ptr %engine, i64 %address, i32 %size, ptr %state, i64 %free.distance)
  ret void
unknown:
  call void @ask(ptr %engine, i64 %address, i32 %size, ptr %state)
  ret void
}}

; Whether no block was completed since all were forgotten.
define internal i1 @is_first(ptr %state) nounwind {{
  %silent.at = getelementptr i64, ptr %state, i64 {SILENT}
  %silent = load i64, ptr %silent.at
  %under.way.at = getelementptr i64, ptr %state, i64 {UNDER_WAY}
  %distance = load i64, ptr %under.way.at
  %slot = call ptr @slot(ptr %state, i64 %distance)
  %size.at = getelementptr %slot, ptr %slot, i64 0, i32 1
  %size = load i32, ptr %size.at
  %settled = icmp eq i32 %size, 0
  %still = select i1 %settled, i64 %silent, i64 0
  store i64 %still, ptr %silent.at
  %first = icmp ne i64 %still, 0
  ret i1 %first
}}

define internal i1 @learn(ptr %engine, i64 %address, i32 %size, ptr %state, ptr %slot) nounwind noinline {{
  %found = alloca %translation
  %ask.at = getelementptr i64, ptr %state, i64 {LEARN}
  %control = load ptr, ptr %ask.at
  %none = icmp eq ptr %control, null
  %until.at = getelementptr i64, ptr %state, i64 {UNTIL}
  %until = load i64, ptr %until.at
  %bytes = zext i32 %size to i64
  %behind = add i64 %address, %bytes
  %last = icmp eq i64 %behind, %until
  %room.at = getelementptr i64, ptr %state, i64 {ROOM}
  %room = load i64, ptr %room.at
  %full = icmp eq i64 %room, 0
  %ends = or i1 %last, %full
  %unable = or i1 %none, %ends
  br i1 %unable, label %unknown, label %ask
ask:
  %status = call i32 (ptr, i32, ...) %control(ptr %engine, i32 {_ASK}, i64 %address, ptr %found)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %unknown, label %answer
answer:
  %count.at = getelementptr %translation, ptr %found, i64 0, i32 1
  %count = load i16, ptr %count.at
  %found.size.at = getelementptr %translation, ptr %found, i64 0, i32 2
  %found.size = load i16, ptr %found.size.at
  %wide.size = zext i16 %found.size to i32
  %wide.count = zext i16 %count to i32
  %this = icmp eq i32 %wide.size, %size
  br i1 %this, label %same, label %unknown
same:
  %single = icmp eq i32 %wide.count, 1
  %is.tail = call i1 @ends_block_under_way(i64 %address, i64 %behind, ptr %state)
  %doubtful = and i1 %single, %is.tail
  br i1 %doubtful, label %unknown, label %store
store:
  %left = sub i64 %room, 1
  store i64 %left, ptr %room.at
  store i64 %address, ptr %slot
  %slot.size = getelementptr %slot, ptr %slot, i64 0, i32 1
  store i32 %size, ptr %slot.size
  %slot.count = getelementptr %slot, ptr %slot, i64 0, i32 2
  store i32 %wide.count, ptr %slot.count
  ret i1 true
unknown:
  ret i1 false
}}

define internal i1 @ends_block_under_way(i64 %address, i64 %behind, ptr %state) nounwind {{
  %under.way.at = getelementptr i64, ptr %state, i64 {UNDER_WAY}
  %distance = load i64, ptr %under.way.at
  %slot = call ptr @slot(ptr %state, i64 %distance)
  %start = load i64, ptr %slot
  %size.at = getelementptr %slot, ptr %slot, i64 0, i32 1
  %size = load i32, ptr %size.at
  %bytes = zext i32 %size to i64
  %end = add i64 %start, %bytes
  %same.end = icmp eq i64 %behind, %end
  %within = icmp uge i64 %address, %start
  %both = and i1 %same.end, %within
  ret i1 %both
}}

; A block has been translated, maybe anew: where it is listed, it may have another count now, or has to be looked at.
define void @on_translated(ptr %engine, ptr %block, ptr %before, ptr %state) nounwind {{
entry:
  %address = load i64, ptr %block
  %count.at = getelementptr %translation, ptr %block, i64 0, i32 1
  %count = load i16, ptr %count.at
  %size.at = getelementptr %translation, ptr %block, i64 0, i32 2
  %size = load i16, ptr %size.at
  %wide.count = zext i16 %count to i32
  %wide.size = zext i16 %size to i32
  %distance = call i64 @known(ptr %state, i64 %address, i32 %wide.size)
  %here = call ptr @slot(ptr %state, i64 %distance)
  %unknown = icmp eq i64 %distance, -1
  br i1 %unknown, label %done, label %listed
listed:
  %until.at = getelementptr i64, ptr %state, i64 {UNTIL}
  %until = load i64, ptr %until.at
  %bytes = zext i32 %wide.size to i64
  %behind = add i64 %address, %bytes
  %last = icmp eq i64 %behind, %until
  %single = icmp eq i16 %count, 1
  %ends = call i1 @ends_block_under_way(i64 %address, i64 %behind, ptr %state)
  %doubtful = and i1 %single, %ends
  %unsure = or i1 %last, %doubtful
  br i1 %unsure, label %forget, label %update
forget: ; of the last one Unicorn counts one too many; what stands behind the slot is still found
  call void @take_over(ptr %state, i64 %distance)
  store i64 -1, ptr %here
  ret void
update:
  %its.count.at = getelementptr %slot, ptr %here, i64 0, i32 2
  store i32 %wide.count, ptr %its.count.at
  ret void
done:
  ret void
}}

; The block under way is about to lose its slot, if it is this one.
define internal void @take_over(ptr %state, i64 %distance) nounwind {{
  %under.way.at = getelementptr i64, ptr %state, i64 {UNDER_WAY}
  %under.way = load i64, ptr %under.way.at
  %this = icmp eq i64 %under.way, %distance
  br i1 %this, label %copy, label %done
copy:
  %slot = call ptr @slot(ptr %state, i64 %distance)
  %own = getelementptr i64, ptr %state, i64 {OWN}
  %shape = load %slot, ptr %slot
  store %slot %shape, ptr %own
  %is.rest.at = getelementptr i64, ptr %state, i64 {IS_REST}
  store i64 0, ptr %is.rest.at
  store i64 {OWN_SLOT - (1 << 64)}, ptr %under.way.at
  br label %done
done:
  ret void
}}
!0 = !{{!"branch_weights", i32 999, i32 1}}
"""


def is_compiled() -> bool:
    """Whether `address` has an answer at little cost: the compiler is loaded, which takes far longer than its work."""
    return "vm.native.jit" in sys.modules


def address() -> int | None:
    """The address of `on_block`; None where llvmlite is missing. At first it takes 15 ms, or 0.1 s to load llvmlite."""
    return address_in(_compiled(), "on_block")


def own_address() -> int | None:
    """The address of `on_own_block`; None where llvmlite is missing."""
    return address_in(_compiled(), "on_own_block")


def spares_checks() -> bool:
    """Whether there is machine code that spares checks."""
    return _compiled() is not None


def translated_address() -> int | None:
    """The address of `on_translated`; None where llvmlite is missing."""
    return address_in(_compiled(), "on_translated")


@cache
def _compiled() -> MachineCode | None:
    return compiled_hooks(_TEXT + _own_block("on_own_block", "take_own_and_spare") + _SPARED)
