"""Hooks of RDTSC, RDTSCP, CPUID, IN and OUT as machine code: a hundredth of the time of those in Python.

    i32 on_rdtsc(engine, Reading*), i32 on_rdtscp(engine, Reading*)
    i32 on_cpuid(engine, CpuidAccess*)
    i32 on_port_read(engine, port, size, PortAccess*), void on_port_write(engine, port, size, value, PortAccess*)

The first two read a virtual clock that lies in memory, where general registers have a window; their result 1 says that
the instruction is done. That of CPUID asks Python about leaf 1, the others about code above level 0.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

from machine.processor import block_hook
from machine.processor.block_counter import SLOTS_AT, UNDER_WAY
from machine.processor.machine_code import compiled_hooks
from machine.processor.registers import MSR_ID
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from vm.native import MachineCode

_FEW_CALLS, _MANY_CALLS = 32, 20_000  # of hooks in Python before machine code pays, with and without its compiler
_RAX, _RCX, _RDX = (8 * STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx"))


class Calls:
    """How often the hooks in Python of one CPU were called."""

    def __init__(self) -> None:
        self._count = 0

    def are_many(self) -> bool:
        """Whether they were called so often that machine code pays; this call counts, too."""
        self._count += 1
        return self._count > (_FEW_CALLS if block_hook.is_compiled() else _MANY_CALLS)


class Place(ctypes.Structure):
    """An instruction that has read the clock in a block: `rest` is how many instructions stand behind it there."""

    _fields_ = (
        ("rip", ctypes.c_uint64),
        ("block", ctypes.c_uint64),  # the two words of the block's slot
        ("shape", ctypes.c_uint64),
        ("changes", ctypes.c_uint64),  # of code, at that time
        ("rest", ctypes.c_uint64),
    )


PLACES = 64


class Reading(ctypes.Structure):
    """What a reading of the clock needs. Where its place is not known, the hook in Python reads, and notes it."""

    _fields_ = (
        ("counter", ctypes.c_uint64),  # host addresses
        ("clock", ctypes.c_uint64),  # the words of machine.schedule.clock
        ("general", ctypes.c_uint64),
        ("rip", ctypes.c_uint64),
        ("changes", ctypes.c_uint64),
        ("read_one", ctypes.c_uint64),
        ("in_python", ctypes.c_uint64),
        ("elsewhere", ctypes.c_uint64),  # instructions that other processes have executed
        ("msr", ctypes.c_uint64),
        ("msr_value", ctypes.c_uint64),
        ("places", Place * PLACES),
    )

    def place_of(self, rip: int) -> Place:
        """Where the instruction at an address is noted."""
        place: Place = self.places[rip >> 1 & PLACES - 1]
        return place


class PortAccess(ctypes.Structure):
    """What an access to a port needs: host addresses of the level (two bits of 32) and of the hooks in Python."""

    _fields_ = (("level", ctypes.c_uint64), ("read", ctypes.c_uint64), ("write", ctypes.c_uint64))


class CpuidAccess(ctypes.Structure):
    """What CPUID needs: host addresses of the general registers, and of the hook in Python that knows leaf 1."""

    _fields_ = (("general", ctypes.c_uint64), ("in_python", ctypes.c_uint64))


def _field(kind: str, name: str) -> str:
    """Load a field of a Reading as %NAME.KIND."""
    offset: int = getattr(Reading, name).offset
    at = f"%{name}.at"
    return f"{at} = getelementptr i8, ptr %state, i64 {offset}\n  %{name}.{kind} = load {kind}, ptr {at}"


NO_DEVICE = 0xFFFF_FFFF  # what a port reads at which there is none

_TEXT = f"""
%access = type {{ ptr, ptr, ptr }}

define internal i1 @is_user(ptr %state) nounwind alwaysinline {{
  %level.at = load ptr, ptr %state
  %word = load i32, ptr %level.at
  %level = and i32 %word, 3
  %user = icmp ne i32 %level, 0
  ret i1 %user
}}

define i32 @on_port_read(ptr %engine, i32 %port, i32 %size, ptr %state) nounwind {{
  %user = call i1 @is_user(ptr %state)
  br i1 %user, label %python, label %pass
python:
  %place = getelementptr %access, ptr %state, i64 0, i32 1
  %hook = load ptr, ptr %place
  %value = call i32 %hook(ptr %engine, i32 %port, i32 %size, ptr null)
  ret i32 %value
pass:
  ret i32 {NO_DEVICE - (1 << 32)}
}}

define void @on_port_write(ptr %engine, i32 %port, i32 %size, i32 %value, ptr %state) nounwind {{
  %user = call i1 @is_user(ptr %state)
  br i1 %user, label %python, label %pass
python:
  %place = getelementptr %access, ptr %state, i64 0, i32 2
  %hook = load ptr, ptr %place
  call void %hook(ptr %engine, i32 %port, i32 %size, i32 %value, ptr null)
  ret void
pass:
  ret void
}}

define i32 @on_cpuid(ptr %engine, ptr %state) nounwind {{
  %general = load ptr, ptr %state
  %rax = getelementptr i8, ptr %general, i64 {_RAX}
  %leaf = load i32, ptr %rax
  %ours = icmp eq i32 %leaf, 1
  br i1 %ours, label %python, label %pass
python:
  %place = getelementptr i64, ptr %state, i64 1
  %hook = load ptr, ptr %place
  %done = call i32 %hook(ptr %engine, ptr null)
  ret i32 %done
pass:
  ret i32 0
}}

define i32 @on_rdtsc(ptr %engine, ptr %state) nounwind {{
  {_field("ptr", "rip")}
  {_field("ptr", "counter")}
  {_field("ptr", "changes")}
  %rip = load i64, ptr %rip.ptr
  %half = lshr i64 %rip, 1
  %number = and i64 %half, {PLACES - 1}
  %distance = mul i64 %number, {ctypes.sizeof(Place)}
  %places = getelementptr i8, ptr %state, i64 {Reading.places.offset}
  %place = getelementptr i8, ptr %places, i64 %distance
  %slots = getelementptr i64, ptr %counter.ptr, i64 {SLOTS_AT}
  %slot.at = getelementptr i64, ptr %counter.ptr, i64 {UNDER_WAY}
  %slot.distance = load i64, ptr %slot.at
  %slot = getelementptr i8, ptr %slots, i64 %slot.distance
  %block = load i64, ptr %slot
  %shape.at = getelementptr i64, ptr %slot, i64 1
  %shape = load i64, ptr %shape.at
  %changes = load i64, ptr %changes.ptr
  %known.rip = load i64, ptr %place
  %known.block.at = getelementptr i64, ptr %place, i64 1
  %known.block = load i64, ptr %known.block.at
  %known.shape.at = getelementptr i64, ptr %place, i64 2
  %known.shape = load i64, ptr %known.shape.at
  %known.changes.at = getelementptr i64, ptr %place, i64 3
  %known.changes = load i64, ptr %known.changes.at
  %same.rip = icmp eq i64 %rip, %known.rip
  %same.block = icmp eq i64 %block, %known.block
  %same.shape = icmp eq i64 %shape, %known.shape
  %same.changes = icmp eq i64 %changes, %known.changes
  %same.place = and i1 %same.rip, %same.block
  %same.code = and i1 %same.shape, %same.changes
  %known = and i1 %same.place, %same.code
  br i1 %known, label %read, label %python
python:
  {_field("ptr", "in_python")}
  %answer = call i32 %in_python.ptr(ptr %engine, ptr null)
  ret i32 %answer
read:
  %rest.at = getelementptr i64, ptr %place, i64 4
  %rest = load i64, ptr %rest.at
  %entered = load i64, ptr %counter.ptr
  %executed = sub i64 %entered, %rest
  {_field("ptr", "clock")}
  %readings.before = load i64, ptr %clock.ptr
  %readings = add i64 %readings.before, 1
  %slept.at = getelementptr i64, ptr %clock.ptr, i64 1
  %slept = load i64, ptr %slept.at
  {_field("i64", "elsewhere")}
  %guest = add i64 %executed, %elsewhere.i64
  %added = add i64 %readings, %slept
  %now = add i64 %guest, %added
  %last.at = getelementptr i64, ptr %clock.ptr, i64 2
  %last = load i64, ptr %last.at
  %next = add i64 %last, 1
  %ahead = sub i64 %next, %now
  %is.ahead = icmp sge i64 %ahead, 0
  %more = select i1 %is.ahead, i64 %ahead, i64 0
  %all.readings = add i64 %readings, %more
  store i64 %all.readings, ptr %clock.ptr
  %ticks = add i64 %now, %more
  store i64 %ticks, ptr %last.at
  %low = and i64 %ticks, 4294967295
  %high = lshr i64 %ticks, 32
  {_field("ptr", "general")}
  %rax = getelementptr i8, ptr %general.ptr, i64 {_RAX}
  store i64 %low, ptr %rax
  %rdx = getelementptr i8, ptr %general.ptr, i64 {_RDX}
  store i64 %high, ptr %rdx
  ret i32 1
}}

define i32 @on_rdtscp(ptr %engine, ptr %state) nounwind {{
  {_field("ptr", "read_one")}
  %msr = getelementptr i8, ptr %state, i64 {Reading.msr.offset}
  %status = call i32 %read_one.ptr(ptr %engine, i32 {MSR_ID}, ptr %msr)
  {_field("i64", "msr_value")}
  %processor = and i64 %msr_value.i64, 4294967295
  {_field("ptr", "general")}
  %rcx = getelementptr i8, ptr %general.ptr, i64 {_RCX}
  store i64 %processor, ptr %rcx
  %done = call i32 @on_rdtsc(ptr %engine, ptr %state)
  ret i32 %done
}}
"""


@cache
def compiled() -> MachineCode | None:
    """The hooks; None where llvmlite is missing. It takes some milliseconds, once in a process."""
    return compiled_hooks(_TEXT)
