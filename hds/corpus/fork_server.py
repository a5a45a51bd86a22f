"""A process that forks one for each program: `python -m hds.corpus.fork_server`, started by a worker (`worker`).

It has one thread, has imported hds, compiled the script and its machine code, and let a small program run under it, so
that a child begins with all of that. It reads requests from standard input and answers on standard output; where its
input ends it ends, and whatever it has forked before. What it hears of a child are bytes that it hands on unread.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial

import msgspec

from hds.corpus.campaign import Campaign
from hds.corpus.placing import code_of, fill_gaps, gather
from hds.corpus.sandbox import Limits, Sandbox, adopt_orphans, resident, said_by_system, use_huge_pages
from hds.corpus.single import MOST_BYTES, Waiting, conclusion, kernel_of, load, prepare, run_program, waiting_session
from hds.session import INCORRECT_USE, Prepared, Session, load_engine
from lang import render
from machine.memory import MapError
from machine.schedule import stop_watching
from vm import Engine, HostMemoryError
from vm.face import load_late

LENGTH = struct.Struct("<Q")
_ROOM = 1 << 20  # bytes, for the lines that end a run
_GRACE = 2.0  # seconds for a run to end itself behind its time
_LOOK_SECONDS = 0.1  # between looks at the memory of a process
_INPUT, _OUTPUT, _ERROR = 0, 1, 2
_WARM_CODE = bytes.fromhex("b83c00000031ff0f05")  # mov eax, 60; xor edi, edi; syscall
_WARM_PROGRAM = (  # as an ELF file with one segment
    b"\x7fELF\2\1\1".ljust(16, b"\0")
    + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x40_0078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40_0000, 0x40_0000, 0x78 + len(_WARM_CODE), 0x78 + len(_WARM_CODE), 0x1000)
    + _WARM_CODE
)
_WARM_SECONDS = 10.0
_WARM_RUNS = 12  # CPython makes a function fast in its eighth call
_MOST_WARM_SECONDS = 2.0  # of processor time, in which another one begins
_YOUNG = 10_000  # objects that are made, in a child, between two looks for garbage


class Request(msgspec.Struct, frozen=True):
    """A program to be run; its bytes follow."""

    kind: str | None
    size: int


class Ready(msgspec.Struct, frozen=True):
    """The first answer: what is in force for each program; what no program will run for, if there is such a thing."""

    sandbox: list[str]
    refused: str = ""


class Killed(Enum):
    """Why the process of a program was killed."""

    LATE = "late"
    SAYS_TOO_MUCH = "says"
    HAS_TOO_MUCH = "memory"


class Ended(msgspec.Struct, frozen=True):
    """How the process of a program ended; what it said follows. `memory`: the most that it had at a time, in bytes."""

    status: int  # as os.waitstatus_to_exitcode: negative for a signal
    killed: Killed | None
    seconds: float
    cpu_seconds: float
    memory: int
    size: int


def main() -> None:
    """Serve until standard input ends."""
    data = _read_message()
    if data is None:
        return
    campaign = msgspec.msgpack.decode(data, type=Campaign)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client
    output = os.dup(_OUTPUT)
    os.dup2(_ERROR, _OUTPUT)  # what anybody prints is no answer
    os.set_inheritable(output, False)
    adopt_orphans()
    use_huge_pages(False)
    engine = load_engine(campaign.settings.engine, campaign.settings.limits)
    warm = _Warm(campaign, engine)
    warm.up()
    root = campaign.settings.root
    sandbox = Sandbox((*campaign.settings.folders, *([root] if root is not None else [])))
    sandbox.share()
    stock = _Stock(campaign, engine, sandbox, warm)
    _send(output, msgspec.msgpack.encode(Ready(sandbox.describe(), _rehearsed(warm, sandbox, output))))
    while (head := _read_message()) is not None:
        request = msgspec.msgpack.decode(head, type=Request)
        program = _read(request.size)
        if program is None:
            return
        waiting = stock.session(program, request.kind)
        work = partial(run_program, campaign, engine, program, request.kind, waiting)
        ended, said = _run(campaign, sandbox, output, work)
        _send(output, msgspec.msgpack.encode(ended), said)


class _Warm:
    """A program of three instructions under the events of the script: what every session does once is done here.

    Other commands of the script are not carried out: they may write files.
    """

    def __init__(self, campaign: Campaign, engine: Engine) -> None:
        self.campaign = msgspec.structs.replace(
            campaign,
            settings=msgspec.structs.replace(campaign.settings, root=None),
            budget=msgspec.structs.replace(campaign.budget, timeout=_WARM_SECONDS),
        )
        self._engine = engine

    def up(self) -> None:
        """Run it often, and bring together what its runs use."""
        began = time.process_time()
        self.run(self.session())
        load_late()  # once, and not in each child
        session = self.session()
        gather(code_of(lambda: self.run(session)))
        for _ in range(_WARM_RUNS):
            if time.process_time() - began < _MOST_WARM_SECONDS:
                self.run(self.session())
                gc.collect()  # the next one has its place

    def session(self) -> Waiting | None:
        """A session that waits for the program."""
        with contextlib.suppress(Exception):  # whatever is wrong is said for each program
            return waiting_session(self.campaign, self._engine, "linux")
        return None

    def refusal(self) -> bytes:
        """What is said of a command that is used wrongly, whatever the program is; nothing where none is."""
        waiting = self.session()
        if waiting is None:
            return b""
        load(self.campaign, waiting.session, _WARM_PROGRAM, None)
        with waiting.session as session:
            prepared = waiting.prepared or prepare(session, self.campaign)
            if prepared.has_errors or all(command.row.is_event for command in prepared.file.commands):
                return b""
            problems = session.perform(prepared, keeps_going=False)
        found = next((render(each) for each in problems if each.message.startswith(INCORRECT_USE)), "")
        return found.partition("\n")[0].encode()

    def run(self, waiting: Waiting | None) -> None:
        """Run the program in a session."""
        with contextlib.suppress(Exception):
            if waiting is not None:
                load(self.campaign, waiting.session, _WARM_PROGRAM, None)
                with waiting.session as session:
                    _perform_events(session, waiting.prepared or prepare(session, self.campaign))
                    session.run(10)
                conclusion(session, waiting.lines)
        stop_watching()


def _perform_events(session: Session, prepared: Prepared) -> None:
    if not prepared.has_errors:
        file = prepared.file
        events = tuple(command for command in file.commands if command.row.is_event)
        session.perform(msgspec.structs.replace(prepared, file=msgspec.structs.replace(file, commands=events)))


def _fork() -> int:
    """As os.fork, without what Python does in the child about other threads: this process has none."""
    child: int = _WITHOUT_LETTING_GO.fork()
    if child < 0:
        raise OSError(ctypes.get_errno(), "no process for a program")
    return child


_WITHOUT_LETTING_GO = ctypes.PyDLL(None, use_errno=True)  # of Python's lock


class _Stock:
    """Sessions that wait for programs: a child uses the copy that it is born with, and no session is used here."""

    def __init__(self, campaign: Campaign, engine: Engine, sandbox: Sandbox, warm: _Warm) -> None:
        self._campaign, self._engine, self._sandbox, self._warm = campaign, engine, sandbox, warm
        self._sessions: dict[str | None, Waiting | None] = {}

    def session(self, program: bytes, kind: str | None) -> Waiting | None:
        """One for this program; None where none can be made, which the child finds out, too, and says."""
        kernel = kernel_of(self._campaign, program, kind)
        if kernel not in self._sessions:
            self._sessions[kernel] = None
            last = self._warm.session()
            with contextlib.suppress(MapError, HostMemoryError):
                self._sessions[kernel] = waiting_session(self._campaign, self._engine, kernel)
            load_late()
            self._warm.run(last)  # CPython remembers what was looked up of late
            del last
            fill_gaps()
            gc.freeze()  # what all have in common stays so: no child looks at it for garbage
            gc.set_threshold(_YOUNG)
            self._sandbox.measure()
        return self._sessions[kernel]


def _rehearsed(warm: _Warm, sandbox: Sandbox, output: int) -> str:
    """Carry out the script's commands for a small program, in a process of its own: which of them is used wrongly."""
    ended, said = _run(warm.campaign, sandbox, output, warm.refusal)
    return "" if ended.status or ended.killed else said.decode("utf-8", "replace")


def _run(campaign: Campaign, sandbox: Sandbox, output: int, work: Callable[[], bytes]) -> tuple[Ended, bytes]:
    """Have a process of its own do something, and wait for that; what it says is what came of it."""
    began = time.monotonic()
    reading, writing = os.pipe()
    child = _fork()
    if not child:
        _be_child(campaign, sandbox, (output, reading), writing, work)
    os.close(writing)
    said = bytearray()
    watched = _Watched(child, began + campaign.budget.timeout + _GRACE, sandbox.resident + campaign.budget.memory)
    try:
        # It may close its pipe and go on all the same.
        killed = watched.listen(reading, said) or watched.wait()
    finally:
        os.close(reading)
    if killed is not None:
        os.kill(child, signal.SIGKILL)
        said.clear()
    _, status, usage = os.wait4(child, 0)
    _end_children()
    ended = Ended(
        os.waitstatus_to_exitcode(status),
        killed,
        time.monotonic() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss << 10,
        len(said),
    )
    return ended, bytes(said)


def _be_child(
    campaign: Campaign, sandbox: Sandbox, others: tuple[int, ...], writing: int, work: Callable[[], bytes]
) -> None:
    """The child: do the work, say what came of it, end."""
    status = 1
    try:
        os.setsid()
        for descriptor in others:
            os.close(descriptor)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        use_huge_pages(True)
        limits = campaign.settings.limits
        sandbox.enter(Limits(campaign.budget.memory, campaign.budget.timeout), limits.max_guest_memory)
        said = memoryview(work())
        while said:
            said = said[os.write(writing, said) :]
        status = 0
    except MemoryError:
        status = NO_MEMORY
    except BaseException as error:
        if os.environ.get("HDS_TRACEBACK"):
            sys.excepthook(type(error), error, error.__traceback__)
        with contextlib.suppress(BaseException):
            os.write(writing, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace"))
    finally:
        os._exit(status)


NO_MEMORY = 9  # the status of a child that has got no more memory


class _Watched:
    """A child that has until `deadline` (of the monotonic clock), and `memory` bytes."""

    def __init__(self, child: int, deadline: float, memory: int) -> None:
        self._child = child
        self._deadline = deadline
        self._memory = memory

    def listen(self, reading: int, said: bytearray) -> Killed | None:
        """Take what it says, until it says no more; why it is to be killed."""
        while len(said) <= MOST_BYTES + _ROOM:
            killed, has_said = self._wait_for(reading)
            if killed is not None:
                return killed
            if has_said:
                part = os.read(reading, 1 << 20)
                if not part:
                    return None
                said += part
        return Killed.SAYS_TOO_MUCH

    def wait(self) -> Killed | None:
        """Wait for its end; why it is to be killed."""
        descriptor = os.pidfd_open(self._child)
        try:
            while True:
                killed, has_ended = self._wait_for(descriptor)
                if killed is not None or has_ended:
                    return killed
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> tuple[Killed | None, bool]:
        """A while, or until something is to be read. The end of this process's input ends it, and its children."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(_INPUT, select.POLLHUP)
        left = self._deadline - time.monotonic()
        if left <= 0:
            return Killed.LATE, False
        found = dict(poll.poll(min(left, _LOOK_SECONDS) * 1000))
        if found.get(_INPUT, 0) & (select.POLLHUP | select.POLLERR):
            os._exit(1)
        if not found and resident(self._child) > self._memory:
            return Killed.HAS_TOO_MUCH, False
        return None, descriptor in found


def _end_children() -> None:
    """End whatever a child has started: it belongs to this process now."""
    while _has_children() and (children := list(_children())):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> Iterator[int]:
    yield from map(int, said_by_system(f"/proc/self/task/{os.getpid()}/children").split())


# --- messages: a length, and as many bytes


def _read_message() -> bytes | None:
    """The next message; None at the end of the input."""
    head = _read(LENGTH.size)
    return None if head is None else _read(LENGTH.unpack(head)[0])


def _read(size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(_INPUT, min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _send(output: int, message: bytes, more: bytes = b"") -> None:
    for part in (LENGTH.pack(len(message)) + message, more):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(output, rest) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        main()
