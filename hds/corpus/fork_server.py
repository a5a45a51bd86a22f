"""A process that forks one for each program: `python -m hds.corpus.fork_server`, started by a worker (`worker`).

It has one thread, has imported hds, compiled the script and its machine code, and let a small program run under it, so
that a child begins with all of that. It reads requests from standard input and answers on standard output; where its
input ends it ends, and whatever it has forked before. What it hears of a child are bytes that it hands on unread.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator

import msgspec

from hds.corpus.campaign import Campaign
from hds.corpus.sandbox import Limits, Sandbox, adopt_orphans
from hds.corpus.single import MOST_BYTES, Lines, new_session, prepare, run_program
from hds.session import Prepared, Session, load_engine
from machine.schedule import stop_watching
from vm import Engine

LENGTH = struct.Struct("<Q")
_ROOM = 1 << 20  # bytes, for the lines that end a run
_GRACE = 2.0  # seconds for a run to end itself behind its time
_INPUT, _OUTPUT = 0, 1
_WARM_CODE = bytes.fromhex("b83c00000031ff0f05")  # mov eax, 60; xor edi, edi; syscall
_WARM_PROGRAM = (  # as an ELF file with one segment
    b"\x7fELF\2\1\1".ljust(16, b"\0")
    + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x40_0078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40_0000, 0x40_0000, 0x78 + len(_WARM_CODE), 0x78 + len(_WARM_CODE), 0x1000)
    + _WARM_CODE
)
_WARM_SECONDS = 10.0


class Request(msgspec.Struct, frozen=True):
    """A program to be run; its bytes follow."""

    kind: str | None
    size: int


class Ready(msgspec.Struct, frozen=True):
    """The first answer: what is in force for each program."""

    sandbox: list[str]


class Ended(msgspec.Struct, frozen=True):
    """How the process of a program ended; what it said follows. `memory`: the most that it had at a time, in bytes."""

    status: int  # as os.waitstatus_to_exitcode: negative for a signal
    is_late: bool  # it was killed, because its time was up
    is_too_much: bool  # it was killed, because it said more than a run may
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
    os.dup2(2, _OUTPUT)  # what anybody prints is no answer
    os.set_inheritable(output, False)
    adopt_orphans()
    engine = load_engine(campaign.settings.engine, campaign.settings.limits)
    _warm(campaign, engine)
    root = campaign.settings.root
    sandbox = Sandbox((*campaign.settings.folders, *([root] if root is not None else [])))
    _send(output, msgspec.msgpack.encode(Ready(sandbox.describe())))
    while (head := _read_message()) is not None:
        request = msgspec.msgpack.decode(head, type=Request)
        program = _read(request.size)
        if program is None:
            return
        ended, said = _run(campaign, engine, sandbox, output, program, request.kind)
        _send(output, msgspec.msgpack.encode(ended), said)


def _warm(campaign: Campaign, engine: Engine) -> None:
    """Do once what every session does: a program of three instructions under the events of the script.

    Other commands of the script are not carried out: they may write files.
    """
    with contextlib.suppress(Exception):  # whatever is wrong is said for each program
        lines = Lines(0)
        warm = msgspec.structs.replace(
            campaign,
            settings=msgspec.structs.replace(campaign.settings, root=None),
            budget=msgspec.structs.replace(campaign.budget, timeout=_WARM_SECONDS),
        )
        with new_session(warm, engine, _WARM_PROGRAM, None, lines) as session:
            _perform_events(session, prepare(session, warm))
            session.run(10)
    stop_watching()
    gc.collect()
    gc.freeze()


def _perform_events(session: Session, prepared: Prepared) -> None:
    if not prepared.has_errors:
        file = prepared.file
        events = tuple(command for command in file.commands if command.row.is_event)
        session.perform(msgspec.structs.replace(prepared, file=msgspec.structs.replace(file, commands=events)))


def _run(
    campaign: Campaign, engine: Engine, sandbox: Sandbox, output: int, program: bytes, kind: str | None
) -> tuple[Ended, bytes]:
    """Run a program in a process of its own, and wait for that."""
    began = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _be_child(campaign, engine, sandbox, (output, reading), writing, program, kind)
    os.close(writing)
    patience = campaign.budget.timeout + _GRACE
    said, is_late = bytearray(), False
    try:
        is_late = _listen(reading, said, began + patience)
        if is_late or len(said) > MOST_BYTES + _ROOM:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reading)
    if not is_late and not _ends_by(child, began + patience):  # it may have closed its pipe and go on all the same
        is_late = True
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    _end_children()
    is_too_much = len(said) > MOST_BYTES + _ROOM
    ended = Ended(
        os.waitstatus_to_exitcode(status),
        is_late,
        is_too_much,
        time.monotonic() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss << 10,
        0 if is_too_much else len(said),
    )
    return ended, b"" if is_too_much else bytes(said)


def _be_child(
    campaign: Campaign,
    engine: Engine,
    sandbox: Sandbox,
    others: tuple[int, ...],
    writing: int,
    program: bytes,
    kind: str | None,
) -> None:
    """The child: run the program, say what came of it, end."""
    status = 1
    try:
        os.setsid()
        for descriptor in others:
            os.close(descriptor)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        limits = campaign.settings.limits
        sandbox.enter(Limits(campaign.budget.memory, campaign.budget.timeout), limits.max_guest_memory)
        said = memoryview(run_program(campaign, engine, program, kind))
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


def _listen(reading: int, said: bytearray, deadline: float) -> bool:
    """Take what a child says, until it says no more; whether it is late. The end of the input ends this process."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    poll.register(_INPUT, select.POLLHUP)
    while len(said) <= MOST_BYTES + _ROOM:
        left = deadline - time.monotonic()
        if left <= 0:
            return True
        for descriptor, what in poll.poll(left * 1000):
            if descriptor == _INPUT and what & (select.POLLHUP | select.POLLERR):
                os._exit(1)  # children end with it
            if descriptor == reading:
                part = os.read(reading, 1 << 20)
                if not part:
                    return False
                said += part
    return False


def _ends_by(child: int, deadline: float) -> bool:
    """Wait for the end of a process; whether it comes in time."""
    descriptor = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
    finally:
        os.close(descriptor)


def _end_children() -> None:
    """End whatever a child has started: it belongs to this process now."""
    while children := list(_children()):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> Iterator[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        yield from map(int, file.read().split())


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
    main()
