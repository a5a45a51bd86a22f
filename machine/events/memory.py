"""Accesses to memory as events: `!monitor` (events-and-commands C.2).

The pages of a range are watched in the page tables (machine.memory, machine.processor), so that only instructions that
access them come here, before they are executed. Here their accesses are compared with the ranges: by the address of
their first byte (or of all: `any_byte`), once for an event, an instruction and a page. A range is one of frames:
physical addresses are those, virtual ones mean the frames that they have in the process of the event, which other names
reach as well. The debugger's own accesses are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, groupby
from typing import NamedTuple, Protocol

import msgspec

from machine.events.definition import Action, EventDefinition
from machine.events.dispatch import Carrier, Dispatcher, StageHook, Stages
from machine.events.exit import Accessing, Exit
from machine.events.exits import exit_of
from machine.events.registry import Event, Registry
from machine.memory import PAGE, AddressSpace
from machine.processor import Due, WatchedInstruction
from machine.schedule import Process
from vm.facts.events import MONITORS, EventKind
from vm.facts.paging import EXECUTE, PAGE_BITS, READ, WRITE
from vm.facts.registers import RIP
from vm.facts.stages import Stage

_OFFSET = PAGE - 1
# The kinds in the order in which HyperDbg looks for events of an access (C.2): first those of fewer accesses.
_FIRST_LOOKOUT = 1 << 32  # an id: no command's event comes to it
_IN_ORDER = sorted((exit_of(kind) for kind in MONITORS), key=lambda exit_: len(exit_.kind.name))


class ProcessHook(StageHook, Protocol):
    """Machine code for the accesses of one process (machine.native.process_hook)."""

    def learn_access(self, rip: int, ranges: Sequence[tuple[int, int, Event]]) -> None:
        """Deal with an instruction from now on: its access is compared with these ranges (first and last byte)."""
        ...

    def forget_accesses(self) -> None:
        """What was learned is not so any more."""
        ...


class _Monitored(msgspec.Struct, frozen=True, eq=False):
    """The range of an event, first and last byte included; `space` is None where it is one of physical addresses."""

    event: Event
    exit: Exit
    rights: int
    first: int
    last: int
    space: AddressSpace | None

    def has_page(self, number: int) -> bool:
        """Whether a byte of this page (or frame) is in the range."""
        return self.first >> PAGE_BITS <= number <= self.last >> PAGE_BITS

    @property
    def any_byte(self) -> bool:
        """Whether an access is in the range if any of its bytes is."""
        return self.event.definition.any_byte

    def context_of(self, space: AddressSpace, address: int, size: int = 1) -> int | None:
        """What `$context` is for an access of so many bytes; None where it is not in the range."""
        end = address + (size if self.any_byte else 1)
        if self.space is space and address <= self.last and self.first < end:
            return address
        while address < end:
            following = min(end, (address | _OFFSET) + 1)
            place = self._place(space.frame_at(address), address)
            if place is not None and place <= self.last and self.first < place + following - address:
                return place
            address = following
        return None

    def _place(self, frame: int | None, address: int) -> int | None:
        """The address that a byte of a frame has among those of the range."""
        page = frame if frame is None or self.space is None else self.names().get(frame)
        return None if page is None else page << PAGE_BITS | address & _OFFSET

    def first_from(self, space: AddressSpace, low: int, high: int) -> int | None:
        """The first address of [low, high), which is in one page, that is in the range."""
        context = self.context_of(space, low)
        if context is not None:
            return low
        first = low & -PAGE | self.first & _OFFSET
        return first if low < first < high and self.context_of(space, first) is not None else None

    def names(self) -> dict[int, int]:
        """The pages of a virtual range that have memory, by their frames."""
        assert self.space is not None
        return {frame: page for page, frame in self.space.pages_within(self.first & -PAGE, (self.last | _OFFSET) + 1)}


class _Hit(NamedTuple):
    """Events of one kind that an access is meant for, newest first."""

    exit: Exit
    context: int
    events: tuple[Event, ...]


class Monitors:
    """The `!monitor` events of one machine."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, carrier: Carrier[ProcessHook] | None = None) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._carrier = carrier
        self._stages = Stages(dispatcher, carrier)
        self._processes: list[Process] = []
        self._owners: dict[int, Process] = {}  # by event id: the process whose addresses the range is of
        # One that is gone stays: its range is nobody's.
        self._by_right: dict[int, list[_Monitored]] = {}
        self._all: list[_Monitored] = []
        self._lookout_ids = count(_FIRST_LOOKOUT)
        self._lookouts: dict[Event, Process] = {}  # whose addresses the range is of
        self._has_aliases = False  # whether memory of a range has other names
        self._frames: dict[int, int] = {}  # of virtual ranges: the rights that are watched

    def attach(self, process: Process) -> None:
        """Serve a new process."""
        self._processes.append(process)
        process.cpu.watched.on_watched = partial(self._before, process)
        if self._all:
            self._watch(process.cpu.memory)

    def detach(self, process: Process) -> None:
        """A process is gone, with its CPU; ranges of its addresses mean nothing any more if nobody else has them."""
        self._processes.remove(process)
        self._lookouts = {event: owner for event, owner in self._lookouts.items() if owner is not process}
        space = process.cpu.memory
        if all(other.cpu.memory is not space for other in self._processes):
            self._all = [monitored for monitored in self._all if monitored.space is not space]
            self._by_right = {
                right: [each for each in rows if each.space is not space] for right, rows in self._by_right.items()
            }

    def events_changed(self, current: Process | None) -> None:
        """Events were registered or cleared; `current` is the process that a command without pid means."""
        before = self._all
        self._all = [
            monitored
            for exit_ in _IN_ORDER
            for event in self._registry.newest_first(exit_.kind)
            if (monitored := self._monitored(event, exit_, current)) is not None
        ]
        self._all += [self._looked_out(event, owner) for event, owner in self._lookouts.items()]
        if not self._all and not before:
            return
        self._by_right = {
            right: [monitored for monitored in self._all if monitored.rights & right]
            for right in (READ, WRITE, EXECUTE)
        }
        self._frames = {}
        for monitored in self._all:
            if monitored.space is not None:
                monitored.space.take_shared(monitored.first, monitored.last + 1)
                for frame in monitored.names():
                    self._frames[frame] = self._frames.get(frame, 0) | monitored.rights
        self._has_aliases = False
        for process in self._processes:
            self._watch(process.cpu.memory)
            self._forget(process)

    # --- ranges that the debugger itself is told of, which are no events of commands

    def look_out(
        self, process: Process, kind: EventKind, first: int, last: int, stage: Stage, actions: tuple[Action, ...]
    ) -> Event:
        """Trigger a new event at accesses with any byte in a range of a process's addresses, mapped or not."""
        number = next(self._lookout_ids)
        parameters = {"from": first, "to": last}
        definition = EventDefinition(
            number, kind, f"!{kind.name}", parameters, stage=stage, actions=actions, any_byte=True
        )
        event = Event(definition, (0,) * len(actions))
        self._lookouts[event] = process
        self.events_changed(None)
        return event

    def end_lookout(self, event: Event) -> None:
        """Do not trigger it any more."""
        event.enabled = False
        if self._lookouts.pop(event, None) is not None:
            self.events_changed(None)

    def _looked_out(self, event: Event, owner: Process) -> _Monitored:
        exit_ = exit_of(event.definition.kind)
        source = exit_.source
        assert isinstance(source, Accessing)
        return _Monitored(event, exit_, source.rights, *source.range_of(event.definition.parameters), owner.cpu.memory)

    def _forget(self, process: Process) -> None:
        if self._carrier is not None:
            self._carrier.hook_of(process).forget_accesses()

    def _watch(self, space: AddressSpace) -> None:
        space.watches = self
        space.watch_anew()
        if not self._all:
            space.watches = None

    def _monitored(self, event: Event, exit_: Exit, current: Process | None) -> _Monitored | None:
        """The range of an event; None where nobody has the addresses that it means."""
        definition, source = event.definition, exit_.source
        assert isinstance(source, Accessing)
        first, last = source.range_of(definition.parameters)
        if source.is_physical(definition.parameters):
            return _Monitored(event, exit_, source.rights, first, last, None)
        if definition.process_id:
            current = next((process for process in self._processes if process.pid == definition.process_id), None)
        owner = self._owners.setdefault(definition.id, current) if current else self._owners.get(definition.id)
        return (
            None
            if owner is None or owner not in self._processes
            else _Monitored(event, exit_, source.rights, first, last, owner.cpu.memory)
        )

    def rights_of(self, space: AddressSpace, page: int, frame: int) -> int:
        """The accesses to a page that are watched (machine.memory.Watches)."""
        rights = self._frames.get(frame, 0)
        is_known = False
        for monitored in self._all:
            if monitored.space is None:
                rights |= monitored.rights * monitored.has_page(frame)
            elif monitored.space is space and monitored.has_page(page):
                rights |= monitored.rights
                is_known = True
                if self._frames.get(frame, 0) & monitored.rights != monitored.rights:
                    self._found(frame, monitored.rights)
        if rights and not is_known and not self._has_aliases:
            self._has_aliases = True
            for process in self._processes:
                self._forget(process)
        return rights

    def _found(self, frame: int, rights: int) -> None:
        """A page of a range has got another frame, which may have other names."""
        self._frames[frame] = self._frames.get(frame, 0) | rights
        spaces = [process.cpu.memory for process in self._processes]
        if spaces and spaces[0].physical.is_shared(frame):
            for space in spaces:
                space.watch_anew()

    # --- triggers

    def around(self, space: AddressSpace, start: int, end: int, right: int, act: Callable[[], None]) -> None:
        """Events of an access that a kernel makes on the guest's behalf (machine.memory.Watches).

        It is one of single bytes in a row: the first of them that is in a range counts, once for a page.
        """
        process = next(process for process in reversed(self._processes) if process.cpu.memory is space)
        if right == WRITE:
            for page in range(start & -PAGE, end, PAGE):
                space.fault_in(page, WRITE)  # a copy of the page comes before the exit
        seen: set[tuple[Event, int]] = set()
        hits = [
            hit
            for address in self._starts(space, start, end, right)
            for hit in self._hits(space, right, address, 1, seen)
        ]
        said = [self._run_in_python(process, hit, Stage.PRE) for hit in hits]
        if not any(said):
            act()
            for hit in hits:
                self._run_in_python(process, hit, Stage.POST)

    def _starts(self, space: AddressSpace, start: int, end: int, right: int) -> list[int]:
        """The addresses in [start, end) at which a range begins to be accessed in a page."""
        found: set[int] = set()
        for page in range(start & -PAGE, end, PAGE):
            low, high = max(page, start), min(page + PAGE, end)
            for monitored in self._by_right[right]:
                first = monitored.first_from(space, low, high)
                if first is not None:
                    found.add(first)
        return sorted(found)

    def _before(self, process: Process, watched: WatchedInstruction) -> Due | None:
        """Events of an instruction that is about to access a watched page."""
        if not self._all:
            return Due(watched.rip)  # of a hardware breakpoint
        cpu, registers = process.cpu, process.cpu.registers
        due: list[_Hit] = []
        seen: set[tuple[Event, int]] = set()
        for access in watched.accesses:
            if access.is_write:  # a page fault that the kernel mends, by a copy of the page, comes before the exit
                cpu.memory.fault_in(access.address, WRITE)
        for rights, address, size in _touched(watched):
            short_circuited = False
            for right in rights:
                for hit in self._hits(cpu.memory, right, address, size, seen):
                    due.append(hit)
                    short_circuited |= self._stage(process, hit, Stage.PRE)
            if registers.read(RIP) != watched.rip:
                return None
            if short_circuited:
                if rights != (EXECUTE,):
                    registers.write(RIP, watched.rip + cpu.length_at(watched.rip))
                return None
        if any(event.definition.stage & Stage.POST for hit in due for event in hit.events):
            return Due(watched.rip, partial(self._behind, process, due))
        if self._carrier is not None:
            self._learn(process, watched, self._carrier)
        return Due(watched.rip)

    def _learn(self, process: Process, watched: WatchedInstruction, carrier: Carrier[ProcessHook]) -> None:
        """Have machine code deal with an instruction that accesses one place, while that is a matter of addresses."""
        space, places = process.cpu.memory, {access.address for access in watched.accesses}
        is_plain = all(
            monitored.space is space and monitored.event.definition.stage is Stage.PRE for monitored in self._all
        )
        if len(places) != 1 or self._has_aliases or not is_plain:
            return
        ranges: dict[Event, tuple[int, int, Event]] = {}
        for access in watched.accesses:
            for monitored in self._by_right[WRITE if access.is_write else READ]:
                first = monitored.first - (access.size - 1 if monitored.any_byte else 0)
                ranges.setdefault(monitored.event, (max(0, first), monitored.last, monitored.event))
        carrier.hook_of(process).learn_access(watched.rip, tuple(ranges.values()))

    def _behind(self, process: Process, due: list[_Hit]) -> None:
        """The post stage of an instruction that was executed."""
        for hit in due:
            self._stage(process, hit, Stage.POST)

    def _hits(
        self, space: AddressSpace, right: int, address: int, size: int, seen: set[tuple[Event, int]]
    ) -> Iterator[_Hit]:
        """The events that an access is meant for, but for those that have had their turn at this page."""
        page, found = address >> PAGE_BITS, []
        for monitored in self._by_right[right]:
            context = monitored.context_of(space, address, size)
            if context is not None and (monitored.event, page) not in seen:
                seen.add((monitored.event, page))
                found.append((monitored.exit, context, monitored.event))
        for (exit_, context), group in groupby(found, key=lambda each: each[:2]):
            yield _Hit(exit_, context, tuple(event for _, _, event in group))

    def _run_in_python(self, process: Process, hit: _Hit, stage: Stage) -> bool:
        """Within a hook, whose state machine code has."""
        events = tuple(event for event in hit.events if event.definition.stage & stage)
        return bool(events) and self._dispatcher.run_stage(hit.exit, events, stage, process, hit.context)

    def _stage(self, process: Process, hit: _Hit, stage: Stage) -> bool:
        events = tuple(event for event in hit.events if event.definition.stage & stage)
        return bool(events) and self._stages.run(hit.exit, events, stage, process, hit.context)


def _touched(watched: WatchedInstruction) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """What an instruction does to memory, in order: rights, addresses and sizes. What it modifies is one access."""
    yield (EXECUTE,), watched.rip, 1
    for access in watched.accesses:
        if not access.modifies:
            yield (WRITE if access.is_write else READ,), access.address, access.size
        elif access.is_write:
            yield (READ, WRITE), access.address, access.size
