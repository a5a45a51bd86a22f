"""Snapshots of this whole process, each a copy of it (fork) that waits to be woken: emulator, kernel objects and all.

A copy that is woken makes one more copy of itself, which goes on from there, and waits again; so it can be woken any
number of times. Pages are shared until somebody writes them. What goes on is the *front*: it alone has the terminal.
When another copy becomes the front, the old one is done with. The process that was started (`launch`) waits for the
last front's exit code, and the front ends when somebody kills that process.

Nothing here knows what is asked of a copy: requests are bytes. A copy ends when nobody is left who could wake it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from hds.report import output
from machine.schedule import ending_signals, stop_watching
from vm import memory_of_all_copies

_LENGTH, _ID = struct.Struct("<Q"), struct.Struct("<I")
_REPLY, _OWN = 0, 1  # descriptors that come with a request


class Snapshot(msgspec.Struct, eq=False):
    """A copy that waits. `in_run` is one that was made during a run.

    `count` is of instructions, `index` of commands, `heard` of pieces of standard input.

    One that is `kept` is not given up for others: what came behind it cannot be done again from an earlier one.
    """

    wire: socket.socket
    count: int
    index: int
    heard: int
    in_run: bool
    kept: bool
    child: int = 0  # its process id, if it is a child of this process


class Woken(msgspec.Struct):
    """What a copy finds that was woken: the request, and where to answer."""

    request: bytes
    reply: int

    def answer(self, data: bytes) -> None:
        """Answer, once."""
        with suppress(OSError), open(self.reply, "wb", buffering=0) as file:
            file.write(data)


class CopyLost(Exception):  # noqa: N818 - it reads as what happened
    """A copy ended without an answer."""


class Snapshots:
    """The snapshots that this process knows, oldest first; at most `most`."""

    def __init__(self, most: int) -> None:
        self.rows: list[Snapshot] = []
        self._most = most

    def take(self, count: int, index: int, heard: int = 0, *, in_run: bool, kept: bool) -> Woken | None:
        """Make one. None in this process; in a copy that was woken, what is asked of it."""
        output().flush()
        sys.stderr.flush()
        stop_watching()  # the thread would not come along
        front, back = socket.socketpair()
        child = os.fork()
        if child:
            back.close()
            self.rows.append(Snapshot(front, count, index, heard, in_run, kept, child))
            self._make_room()
            return None
        front.close()
        with _nobody_survives():
            woken, own = _sleep(back)
        self.rows.append(Snapshot(own, count, index, heard, in_run, kept))
        return woken

    def _make_room(self) -> None:
        """Give up every second one but the newest, as long as there are too many; the oldest where all are kept."""
        if len(self.rows) <= self._most:
            return
        given_up = [row for row in self.rows[1:-1] if not row.kept][::2] or [self.rows[0]]
        self.give_up(given_up)

    def give_up(self, rows: list[Snapshot]) -> None:
        """End these."""
        for row in rows:
            with suppress(OSError):
                row.wire.shutdown(socket.SHUT_RDWR)
            row.wire.close()
            self.rows.remove(row)
            if row.child:
                with suppress(ChildProcessError):
                    os.waitpid(row.child, 0)

    def ask(self, snapshot: Snapshot, request: bytes) -> bytes:
        """Wake a copy and wait for its answer. Raises CopyLost, and KeyboardInterrupt, which ends the copy."""
        output().flush()
        sys.stderr.flush()
        reader, writer = os.pipe()
        try:
            try:
                _send(snapshot.wire, request, [writer, snapshot.wire.fileno()])
            except OSError:
                raise CopyLost from None
            finally:
                os.close(writer)
            with open(reader, "rb", buffering=0, closefd=False) as file:
                return _answer(file.fileno())
        finally:
            os.close(reader)


def _answer(reader: int) -> bytes:
    pid = int.from_bytes(_read(reader, 4) or b"", "little")
    if not pid:
        raise CopyLost
    try:
        data = b""
        while part := os.read(reader, 1 << 16):
            data += part
    except KeyboardInterrupt:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise
    if not data:
        raise CopyLost
    return data


def _sleep(wire: socket.socket) -> tuple[Woken, socket.socket]:
    """Wait; return in a copy for each request."""
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in ending_signals()}
    handlers[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    while True:
        received = _receive(wire)
        if received is None:
            os._exit(0)
        request, descriptors = received
        if os.fork() == 0:
            wire.close()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until `listen_to_ctrl_c`
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.signal(signal.SIGCHLD, children)
            try:
                os.write(descriptors[_REPLY], os.getpid().to_bytes(4, "little"))
            except BrokenPipeError:
                os._exit(0)  # Ctrl-C: nobody waits for it any more
            return Woken(request, descriptors[_REPLY]), socket.socket(fileno=descriptors[_OWN])
        for descriptor in descriptors:
            os.close(descriptor)


def listen_to_ctrl_c() -> None:
    """A copy that was woken is the front now: what Ctrl-C was for the one before is not for it."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which drops one that waits
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, handler)


def _send(wire: socket.socket, data: bytes, descriptors: list[int]) -> None:
    socket.send_fds(wire, [_LENGTH.pack(len(data))], descriptors)
    wire.sendall(data)


def _receive(wire: socket.socket) -> tuple[bytes, list[int]] | None:
    """A request and its descriptors; None when nobody is left to ask."""
    try:
        head, descriptors, _, _ = socket.recv_fds(wire, _LENGTH.size, 2)
        data = b"" if len(head) < _LENGTH.size else _read(wire.fileno(), _LENGTH.unpack(head)[0])
    except OSError:
        return None
    return (data, descriptors) if data and len(descriptors) > _OWN else None


def _read(descriptor: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = os.read(descriptor, size - len(data))
        if not part:
            return None
        data += part
    return data


@contextmanager
def _nobody_survives() -> Iterator[None]:
    """A copy that fails while it sleeps does not go on as if it were the front."""
    try:
        yield
    except BaseException:
        traceback.print_exc()
        os._exit(1)


# --- the process that was started

_SENT = 0  # the greatest si_code of signals that processes send; Ctrl-C is sent to all copies by the terminal
_to_launcher: list[tuple[int, mmap.mmap]] = []  # in its copies: where the exit code goes, and the front's process id


def end_with_launcher() -> None:
    """In what is to be the front: SIGIO ends it when the process that was started does, which nobody waits for then."""
    for pipe, front in _to_launcher:
        front[: _ID.size] = _ID.pack(os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())  # one for all copies: the signal is that of the last
        fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_WRONLY | os.O_ASYNC)
        poll = select.poll()
        poll.register(pipe, 0)
        if poll.poll(0):  # it has ended before
            os._exit(1)


def launch(run: Callable[[], int]) -> int:
    """Carry `run` out in a copy of this process, and wait until it, or what has taken its place, has ended.

    What `run` raises is the copy's; this process has its exit code then, or 1 where another copy failed.
    """
    output().flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    front = memory_of_all_copies(mmap.PAGESIZE)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _passed_on())
    child = os.fork()
    if not child:
        os.close(reader)
        _to_launcher.append((writer, front))
        end_with_launcher()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = run()
        output().flush()
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_WRONLY)
        os.write(writer, bytes([code & 0xFF]))
        return code
    os.close(writer)
    codes = b""
    with _passing_signals_on(front, mask):
        while part := os.read(reader, 64):
            codes += part
    os.close(reader)
    _, status = os.waitpid(child, 0)
    return codes[-1] if codes else os.waitstatus_to_exitcode(status) & 0xFF or 1


def _passed_on() -> set[int]:
    """The signals of the process that was started that are for the front."""
    return {signal.SIGINT, *ending_signals()}


@contextmanager
def _passing_signals_on(front: mmap.mmap, mask: Iterable[int]) -> Iterator[None]:
    """While this process waits with signals blocked: the front gets what somebody sends (`kill -INT`)."""
    is_over = threading.Event()

    def pass_on() -> None:
        while True:
            found = signal.sigwaitinfo(_passed_on())
            if is_over.is_set():
                return
            (process_id,) = _ID.unpack_from(front)
            if found.si_code <= _SENT and process_id:
                with suppress(ProcessLookupError):
                    os.kill(process_id, found.si_signo)

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        assert thread.ident is not None
        signal.pthread_kill(thread.ident, signal.SIGINT)
        thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
