"""Going back in a recorded session: `t- p- g-` and `watch back` (docs/console.md).

A run is deterministic, so that a state of the past is the state of a snapshot from before it (`hds.session.snapshots`)
and all that was done since, once more: the commands as they were typed, muted, up to an exact count of instructions.
The copy that has come there goes on as the console. Nothing has to be saved or put back, whatever it is: what a command
changed since then is undone, as if it had never been typed. Breakpoints and settings, of which the guest knows nothing,
are carried over.

A *count* is how many instructions were executed before the one that is next, or that an event holds the guest at. A
command *crosses* a count if the count lies between its beginning and its end.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hds.session.changes import Entry, Watch
from hds.session.commands import load_all
from hds.session.execution import Arrived
from hds.session.refused import CommandFailed
from hds.session.searching import Lineages, Lookout, Place, Written
from hds.session.snapshots import CopyLost, Snapshot, Snapshots, Woken, end_with_launcher, listen_to_ctrl_c
from machine import Silent, StopCause
from machine.events import CallAction, Trigger
from machine.kernel import Given, HostInput
from vm.face import load_late
from vm.facts.commands import COMMAND_BY_NAME, WRITING_COMMANDS
from vm.facts.registers import RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session.session import Session
    from machine.schedule import Process, Thread

INTERVAL = 5_000_000  # instructions between two snapshots of a run, at least
COMMANDS_BETWEEN = 50  # commands that are done again rather than having a snapshot of their own
_MUCH = 200_000  # instructions in front of a command that gets a snapshot
NEAR = 100_000  # instructions
STEP = "i"  # the command that lets a held event finish, and no more
_RSP = STORAGE_INDEX["rsp"]
_KERNEL = 1 << 63


class Point(msgspec.Struct, frozen=True):
    """The machine in front of an instruction: where its current thread is, and what the instruction is."""

    count: int
    process_id: int
    thread_id: int
    address: int
    stack: int
    is_return: bool
    returns_to: int

    @property
    def in_kernel(self) -> bool:
        """Whether the address is the kernel's."""
        return self.address >= _KERNEL


class BreakpointRow(msgspec.Struct, frozen=True):
    """A breakpoint as a message."""

    number: int
    owner: int
    address: int
    enabled: bool
    process_id: int | None
    thread_id: int | None
    core: int | None


class Request(msgspec.Struct, frozen=True):
    """What a woken copy is to do: carry out `feed`, then `crossing` up to the goal; `within`: it is in that already.

    `heard` is the standard input that guests have read since. So many instructions before the goal it is `near`: there
    a search begins, and a snapshot is made; 0: at once.
    """

    goal: int
    feed: list[str]
    crossing: str | None
    within: bool
    near: int
    heard: list[Given]


class Go(Request, frozen=True, tag=True):
    """Go on there as the console."""

    typed: str
    note: str
    undone: list[str]
    breakpoints: list[BreakpointRow]
    settings: dict[str, bool | str]


class Look(Request, frozen=True, tag=True):
    """Say where that is."""


class Search(Request, frozen=True, tag=True):
    """Say which was the last count at which one of these places was reached, an event triggered, memory was written."""

    places: list[Place] = []
    triggers: bool = False
    written: Written | None = None


class Found(msgspec.Struct, frozen=True):
    """The answer to a search."""

    count: int | None
    waiter: int | None = None  # the id of the thread for which the kernel wrote behind that instruction, and not in it


_REQUESTS = msgspec.json.Decoder(Go | Look | Search)


class Timeline:
    """What was typed in a session, the snapshots in between, and the replay that is under way, if any.

    `ask` gives what the user types next. `fronted` is called with the command that led back, in the copy that goes on.
    """

    def __init__(
        self, session: Session, ask: Callable[[], str | None], fronted: Callable[[str], None] = lambda typed: None
    ) -> None:
        self._session = session
        self._ask = ask
        self._fronted = fronted
        self._snapshots = Snapshots(session.limits.max_snapshots)
        self._entries: list[Entry] = []
        self._watch: Watch | None = None  # of the last one
        self._must_keep = True  # what came before the next command cannot be done again
        self._request: Go | Look | Search | None = None
        self._woken: Woken | None = None
        self._feed: deque[str] = deque()
        self._crossing: str | None = None
        self._arriving = False
        self._hit = Found(None)  # the last one in front of the goal
        self._lookout: Lookout | None = None
        self.lineages = Lineages(session.machine)
        self._reporter, self._muted = session.reporter, Silent()
        world = session.machine.options.world
        source = None if world is None else world.standard_input
        self._input = source if isinstance(source, HostInput) else None
        if self._input is not None:
            self._input.keep(session.limits.max_file_bytes)
        load_all()  # once, and not in each copy
        load_late()
        session.timeline = self
        session.machine.run_loop.between_turns = self._between_turns
        session.machine.taken_in = self._taken_in
        session.execution.checkpoint = self._checkpoint

    @property
    def count(self) -> int:
        """The instructions before the one that is next, or at hand."""
        session = self._session
        return session.machine.executed - (session.execution.held is not None)

    # --- commands, as they come

    def next_commands(self) -> str | None:
        """What is to be carried out next: by the user, or in a replay."""
        while True:
            if self._arriving:
                return None
            if self._request is not None:
                if self._feed:
                    return self._begin(self._feed.popleft())
                if self._crossing is not None:
                    text, self._crossing = self._crossing, None
                    return self._begin(self._up_to(self._request.goal, text))
                self.arrive()
            typed = self._ask()
            if typed is None or not self._snapshot_before():
                return None if typed is None else self._begin(typed)

    def _up_to(self, goal: int, text: str) -> str:
        """A command that is to come to a count and not beyond, or what takes its place within the block under way."""
        session = self._session
        held = session.execution.held
        if held is not None and goal - self.count <= held.process.cpu.entered - held.process.cpu.executed + 1:
            return STEP  # and what is left when that is done
        assert self._request is not None
        self._run_up_to(self._request)
        return text

    def _begin(self, text: str) -> str:
        self._end_entry()
        entry = Entry(text, self.count)
        self._entries.append(entry)
        self._watch = Watch(self._session, entry)
        name = text.split(maxsplit=1)[0].lower()
        row = COMMAND_BY_NAME.get(name)
        self._must_keep = row is not None and row.name in WRITING_COMMANDS
        return text

    def _end_entry(self) -> None:
        """The last command is over, or has come to a halt of its own."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end(self._session)

    def interrupted(self) -> None:
        """The last command was ended by Ctrl-C: it would not end there again."""
        self._must_keep = True

    def _snapshot_before(self) -> bool:
        """Make a snapshot before a command if it is time; whether this is a copy that was woken."""
        last, rows = self._session.totals.last, self._snapshots.rows
        kept = self._must_keep or (last is not None and last.cause is StopCause.TIMEOUT)
        count, newest = self.count, rows[-1] if rows else None
        if newest is not None and not kept:
            commands = len(self._entries) - newest.index
            if count - newest.count < _MUCH and commands < COMMANDS_BETWEEN:
                return False
        return self._take(count, in_run=False, kept=kept)

    def _between_turns(self) -> None:
        rows, count = self._snapshots.rows, self.count
        if self._request is None and not self._arriving and rows and count - rows[-1].count >= INTERVAL:
            self._take(count, in_run=True, kept=False)

    def _take(self, count: int, *, in_run: bool, kept: bool) -> bool:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # also in a copy, until it is the front
        with self._session.machine.run_loop.suspended():
            heard = 0 if self._input is None else self._input.position
            woken = self._snapshots.take(count, len(self._entries), heard, in_run=in_run, kept=kept)
        if woken is None and in_run:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # what came ends the run
        elif woken is None:
            listen_to_ctrl_c()
        if woken is not None:
            self._wake(woken)
        return woken is not None

    # --- in a copy that was woken

    def _wake(self, woken: Woken) -> None:
        session = self._session
        self._woken = woken
        self._request = request = _REQUESTS.decode(woken.request)
        self._feed, self._crossing = deque(request.feed), request.crossing
        if self._input is not None:
            self._input.given[self._input.position :] = request.heard
            self._input.is_replaying = True
        if session.reporter is not self._muted:
            self._reporter, session.reporter = session.reporter, self._muted
        if request.within:
            self._run_up_to(request)
        elif isinstance(request, Search) and not request.near:
            self._begin_search(request)

    def _checkpoint(self) -> bool:
        """Behind a run, and in front of each step: whether to run on."""
        loop, request = self._session.machine.run_loop, self._request
        if loop.pause_at is None or not (loop.paused or self._session.machine.executed >= loop.pause_at):
            return False
        if request is None or loop.pause_at >= request.goal:
            raise Arrived
        self._come_near(request)
        return True

    def _run_up_to(self, request: Request) -> None:
        """Pause at the goal, and before that where it comes near."""
        near = request.goal - request.near
        if request.near and self.count < near:
            self._session.machine.run_loop.pause_at = near
        else:
            self._come_near(request)

    def _come_near(self, request: Request) -> None:
        """The goal is near: look out, or make a snapshot from which one can go on back in no time."""
        self._session.machine.run_loop.pause_at = request.goal
        if isinstance(request, Search):
            self._begin_search(request)
        elif isinstance(request, Go) and request.goal - self._snapshots.rows[-1].count > 2 * request.near:
            self._take(self.count, in_run=True, kept=False)

    def arrive(self) -> None:
        """The goal is reached, or its last block: answer. Returns only where the session is to go on from here."""
        request, woken, loop = self._request, self._woken, self._session.machine.run_loop
        assert request is not None
        assert woken is not None
        loop.pause_at = None
        self._arriving = True
        if self.count < request.goal and self._session.execution.held is None:
            self._step_to(request.goal)
        self._arriving = False
        match request:
            case Look():
                woken.answer(msgspec.json.encode(self.point()))
                os._exit(0)
            case Search():
                woken.answer(msgspec.json.encode(self._hit))
                os._exit(0)
            case Go():
                self._become_front(request, woken)

    def _step_to(self, goal: int) -> None:
        """Execute instructions of the current thread up to a count, but none that would lead beyond it."""
        process, machine, execution = self._session.process, self._session.machine, self._session.execution
        if process is None:
            return

        def step() -> int:
            execution.execute_one(process)
            return machine.executed

        last = _scouted(lambda: _boundaries(machine.executed, goal, step))
        while machine.executed < last:
            step()

    def _become_front(self, request: Go, woken: Woken) -> None:
        session = self._session
        self._request = self._woken = None
        if self._input is not None:
            self._input.is_replaying = False
        session.reporter = self._reporter
        for name, value in request.settings.items():
            setattr(session.settings, name, value)
        execution, processes = session.execution, {each.pid: each for each in session.machine.processes}
        rows = [row for row in request.breakpoints if row.owner in processes]
        execution.breakpoints.replace(
            (row.number, processes[row.owner], row.address, row.enabled, row.process_id, row.thread_id, row.core)
            for row in rows
        )
        self._must_keep = True
        end_with_launcher()
        woken.answer(b"here")
        listen_to_ctrl_c()
        self._fronted(request.typed)
        if request.undone:
            session.notice(f"undone: {'; '.join(request.undone)}")
        if len(rows) < len(request.breakpoints):
            session.notice("breakpoints of processes that there are not yet are gone")
        if self.count != request.goal:
            session.notice(f"the replay went another way: {request.goal:x} was meant, this is {self.count:x}")
        if request.note:
            session.notice(request.note)
        process = session.process
        if process is not None:
            execution.stand(process)
            session.show(execution.instruction_line(process) + "\n")

    # --- searching

    def action(self) -> CallAction:
        """The first action of each event: searches hear of it."""
        return CallAction(self._heard, looks_on=True)

    def _heard(self, trigger: Trigger) -> None:
        request = self._request
        if isinstance(request, Search) and request.triggers:
            self._take_hit(request)

    def _take_hit(self, request: Request, waiter: Thread | None = None) -> None:
        count = self._session.machine.executed - 1  # it counts the instruction at hand
        if count < request.goal:
            self._hit = Found(count, None if waiter is None else waiter.tid)

    def _begin_search(self, request: Search) -> None:
        if self._lookout is None:
            machine, hit = self._session.machine, partial(self._take_hit, request)
            self._lookout = Lookout(machine, self.lineages, request.places, request.written, hit)

    def _taken_in(self, process: Process) -> None:
        self.lineages.add(process)
        if self._lookout is not None:
            self._lookout.add(process)

    # --- in the front: where to go

    def point(self) -> Point:
        """Where the machine is now. Raises CommandFailed without a program."""
        session = self._session
        process = session.process
        if process is None:
            raise CommandFailed("err, there is no program")
        read = process.cpu.registers.read
        line = session.execution.instruction(process)
        word = process.cpu.memory.read(read(_RSP), 8) or b""
        return Point(
            self.count,
            process.pid,
            process.tid,
            read(RIP),
            read(_RSP),
            line is not None and line.is_return,
            int.from_bytes(word, "little"),
        )

    def drop_command(self) -> str:
        """Forget the command that is carried out, which is about going back; its text."""
        return self._entries.pop().text if self._entries else ""

    @property
    def beginning(self) -> int:
        """The earliest count that can be gone back to."""
        return self._snapshots.rows[0].count if self._snapshots.rows else self.count

    def before(self, point: Point) -> Point | None:
        """The point in front of the instruction that was executed last; a system call counts as one from outside."""
        goal = point.count - 1
        while goal >= self.beginning:
            found = msgspec.json.decode(self._wake_for(goal, Look), type=Point)
            if not found.in_kernel or point.in_kernel:
                return found
            goal = found.count - 1
        return None

    def before_call(self, point: Point) -> Point | None:
        """The same, but in front of the call where the instruction was the return from one."""
        found = self.before(point)
        if found is None or not found.is_return:
            return found
        sites = [
            Place(found.process_id, found.returns_to - length, found.stack + 8, found.thread_id)
            for length in range(2, 8)
        ]
        count = self.last(found.count, places=sites).count
        return found if count is None else msgspec.json.decode(self._wake_for(count, Look), type=Point)

    def last(
        self,
        before: int,
        *,
        places: Iterable[Place] = (),
        triggers: bool = False,
        written: Written | None = None,
    ) -> Found:
        """The last count before this one at which that happened."""
        wanted = {"places": list(places), "triggers": triggers, "written": written}
        rows = [row for row in self._snapshots.rows if row.count < before]
        upper = before
        # Most often it was a moment ago: that is looked at first.
        for snapshot, near in [*((row, NEAR) for row in rows[-1:]), *((row, 0) for row in reversed(rows))]:
            try:
                found = self._searched_from(snapshot, upper, near, wanted)
            except CopyLost:
                if snapshot in self._snapshots.rows:
                    self._snapshots.give_up([snapshot])
                continue
            if found.count is not None:
                return found
            upper = upper if near else snapshot.count
        return Found(None)

    def _searched_from(self, snapshot: Snapshot, upper: int, near: int, wanted: dict[str, object]) -> Found:
        if near and upper - snapshot.count < 2 * near:
            return Found(None)
        request = self._request_for(Search, snapshot, upper, near, **wanted)
        return msgspec.json.decode(self._snapshots.ask(snapshot, request), type=Found)

    def go_to_beginning(self, typed: str) -> None:
        """Go on where the record begins."""
        self._session.notice("the record begins here")
        self.go(self.beginning, typed)

    def go(self, goal: int, typed: str, note: str = "") -> None:
        """Let the session go on from there: does not return. Raises CommandFailed where that cannot be."""
        session = self._session
        crossing = self._crossing_of(goal)
        undone = [entry.text for entry in self._entries[crossing:] if entry.begin >= goal and entry.changed]
        rows = [
            BreakpointRow(
                row.number, row.process.pid, row.address, row.enabled, row.process_id, row.thread_id, row.core
            )
            for row in session.execution.breakpoints.rows
            if row.number is not None
        ]
        settings = msgspec.structs.asdict(session.settings)
        self._wake_for(goal, Go, near=NEAR, typed=typed, note=note, undone=undone, breakpoints=rows, settings=settings)
        os._exit(0)

    def _wake_for(self, goal: int, kind: type[Go] | type[Look], near: int = 0, **more: object) -> bytes:
        """The answer of the newest copy from which a count can be reached. Raises CommandFailed."""
        while True:
            rows = [row for row in self._snapshots.rows if row.count <= goal]
            if not rows:
                raise CommandFailed("err, the record begins here")
            snapshot = rows[-1]
            try:
                answer = self._snapshots.ask(snapshot, self._request_for(kind, snapshot, goal, near, **more))
            except CopyLost:
                self._snapshots.give_up([snapshot])
                continue
            if kind is Go:
                self._snapshots.give_up(self._snapshots.rows[self._snapshots.rows.index(snapshot) + 1 :])
            return answer

    def _crossing_of(self, goal: int) -> int:
        """The number of the command that goes beyond a count, or of the last one that comes to it."""
        ends = [*(entry.begin for entry in self._entries[1:]), self.count]
        pairs = zip(self._entries, ends, strict=False)  # with no entry there is an end all the same
        crossing = [number for number, (entry, end) in enumerate(pairs) if entry.begin <= goal < end]
        if crossing:
            return crossing[-1]
        return max((number for number, entry in enumerate(self._entries) if entry.begin < goal), default=0)

    def _request_for(
        self, kind: type[Go] | type[Look] | type[Search], snapshot: Snapshot, goal: int, near: int = 0, **more: object
    ) -> bytes:
        crossing = self._crossing_of(goal)
        within = snapshot.in_run and snapshot.index == crossing + 1
        crossed = (
            [] if within else [entry.text for entry in self._entries[crossing : crossing + 1] if entry.begin < goal]
        )
        feed = [each.text for each in self._entries[snapshot.index : crossing]]
        heard = [] if self._input is None else self._input.given[snapshot.heard :]
        crossed_text = crossed[0] if crossed else None
        return msgspec.json.encode(kind(goal, feed, crossed_text, within, near, heard, **more))  # type: ignore[arg-type]


def _boundaries(count: int, goal: int, step: Callable[[], int]) -> int:
    """The last count up to the goal that steps come to."""
    last = count
    while last < goal:
        count = step()
        if count > goal or count == last:
            break
        last = count
    return last


def _scouted(find: Callable[[], int]) -> int:
    """What is found in a copy of this process, in which nothing that happens counts."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, find().to_bytes(8, "little"))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb", buffering=0) as file:
        data = file.read(8)
    os.waitpid(child, 0)
    return int.from_bytes(data, "little")
