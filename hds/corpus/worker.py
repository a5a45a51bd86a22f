"""What a worker of the cluster does: programs in, tables out, by fork servers of its own.

`run_batch` is the one function that the cluster calls, by its name; what it takes and gives are bytes and plain values.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa

from hds.corpus.campaign import Campaign
from hds.corpus.fork_server import LENGTH, NO_MEMORY, Ended, Killed, Ready, Request
from hds.corpus.inputs import row_of_path, shown
from hds.corpus.outcomes import Outcome
from hds.corpus.refusals import ClusterLost, CommandRefused
from hds.corpus.rows import MAIN, TABLES, Row, rows_of, table
from hds.version import VERSION
from machine.loaders import describe
from vm import FileRefused, read_file

_START_SECONDS = 120.0  # for a fork server to be ready
_LONGEST_REASON = 1000  # characters
_ROWS_AT_ONCE = 1000
_NO_RUN = (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, AttributeError)  # what nonsense raises


class Item(msgspec.Struct, frozen=True):
    """A program to be run. Without `data` it is read from `path`, and must still be what it was."""

    key: str
    path: bytes
    sha256: str
    size: int
    kind: str | None
    data: bytes | None = None


def run_batch(campaign: bytes, items: bytes) -> dict[str, bytes]:
    """Run programs, one after the other; the rows of each table as an Arrow stream.

    Raises CampaignEnded. What goes wrong with a program is its row.
    """
    found = msgspec.msgpack.decode(campaign, type=Campaign)
    if found.identity.version != VERSION:
        raise ClusterLost(
            f"a worker has hds {VERSION}, and this is {found.identity.version}", "all machines need the same version"
        )
    rows = Gathered()
    server = _take(campaign, found)
    try:
        for item in msgspec.msgpack.decode(items, type=list[Item]):
            server = _run(server, campaign, found, item, rows)
    finally:
        _give_back(campaign, server)
    return {name: _stream(each) for name, each in rows.tables().items()}


def _run(server: _Server, campaign: bytes, found: Campaign, item: Item, rows: Gathered) -> _Server:
    """Add the rows of one program; the server for the next one, which is a new one where this has ended."""
    try:
        data = item.data if item.data is not None else _read(item, found)
    except FileRefused as error:
        rows.add(failed_row(item, Outcome.NO_INPUT, shown(str(error))))
        return server
    if hashlib.sha256(data).hexdigest() != item.sha256:
        rows.add(failed_row(item, Outcome.NO_INPUT, f"{_shown(item)} has changed meanwhile"))
        return server
    try:
        ended, said = server.ask(item, data)
    except _ServerEnded as error:
        server.end()
        rows.add(failed_row(item, Outcome.KILLED, str(error), data))
        return _Server(campaign, found)
    measured = {"seconds": ended.seconds, "cpu_seconds": ended.cpu_seconds, "memory": ended.memory}
    wrong = _went_wrong(ended, said, found)
    if wrong is None:
        rows.add_said({**_row(item, data), **measured}, said)
    else:
        rows.add({**failed_row(item, *wrong, data), **measured})
    return server


def _shown(item: Item) -> str:
    return shown(os.fsdecode(item.path))


def _read(item: Item, found: Campaign) -> bytes:
    return read_file(os.fsdecode(item.path), found.settings.limits, "max_guest_memory")


def _went_wrong(ended: Ended, said: bytes, found: Campaign) -> tuple[Outcome, str] | None:
    """What is to be said of a process that has not come to its end."""
    match ended.killed:
        case Killed.SAYS_TOO_MUCH:
            return Outcome.INTERNAL_ERROR, "its process said more than a run may"
        case Killed.LATE:
            return Outcome.TIMEOUT, f"killed: it did not end itself within {found.budget.timeout:g} s"
        case Killed.HAS_TOO_MUCH:
            return Outcome.MEMORY, f"killed: it had more than {found.budget.memory} bytes (--max-memory)"
        case None:
            pass
    if ended.status == -24:
        return Outcome.TIMEOUT, f"killed: it took more than {found.budget.timeout:g} s of processor time"
    if ended.status == NO_MEMORY:
        return Outcome.MEMORY, f"the system gave it no more than {found.budget.memory} bytes (--max-memory)"
    if ended.status < 0:
        return Outcome.KILLED, f"its process ended by signal {-ended.status}{_SIGNS.get(-ended.status, '')}"
    if ended.status:
        text = said.decode("utf-8", "replace") or "it said nothing"
        return Outcome.INTERNAL_ERROR, f"its process ended with status {ended.status}: {text}"
    return None


_SIGNS = {6: " (it gave up, as it does without memory)", 9: " (the system's out-of-memory killer, as a rule)"}


def _row(item: Item, data: bytes | None) -> Row:
    kind = None if data is None else describe(data).removeprefix("a ").removeprefix("an ")
    return {
        "key": item.key,
        **row_of_path(os.fsdecode(item.path)),
        "sha256": item.sha256,
        "size": item.size,
        "kind": kind,
    }


def failed_row(item: Item, outcome: Outcome, reason: str, data: bytes | None = None) -> Row:
    """The row of a program of which there is nothing else to say."""
    return {**_row(item, data), **_failed(outcome, reason)}


def _failed(outcome: Outcome, reason: str) -> Row:
    return {"outcome": outcome.value, "reason": reason[:_LONGEST_REASON]}


class Gathered:
    """The rows of a batch. They are made tables some at a time: a table of one row takes as long as one of fifty."""

    def __init__(self) -> None:
        self._made: list[dict[str, pa.Table]] = []
        self._programs: list[tuple[Row, dict[str, list[Row]]]] = []  # what is known of each, and all that it said
        self._waiting = 0  # rows

    def add(self, row: Row) -> None:
        """A program that said nothing."""
        self._add(row, {MAIN: [row]})

    def add_said(self, known: Row, said: bytes) -> None:
        """A program whose process said this: lines that nobody vouches for."""
        try:
            records = [msgspec.json.decode(line, type=dict[str, Any]) for line in said.splitlines()]
            program, messages, triggers = rows_of(known["key"], records)
        except _NO_RUN as error:
            self.add({**known, **_says_nonsense(error)})
        else:
            self._add(known, {MAIN: [{**known, **program}], "messages": messages, "triggers": triggers})

    def tables(self) -> dict[str, pa.Table]:
        """Those that have rows."""
        self._make()
        parts = {name: [made[name] for made in self._made if name in made] for name in TABLES}
        return {name: pa.concat_tables(each).combine_chunks() for name, each in parts.items() if each}

    def _add(self, known: Row, rows: dict[str, list[Row]]) -> None:
        self._programs.append((known, rows))
        self._waiting += sum(map(len, rows.values()))
        if self._waiting >= _ROWS_AT_ONCE:
            self._make()

    def _make(self) -> None:
        """Make tables of what is there; where that cannot be done, of each program's alone."""
        programs, self._programs, self._waiting = self._programs, [], 0
        try:
            self._made.append(_tables_of(rows for _, rows in programs))
        except _NO_RUN:
            for known, rows in programs:
                try:
                    self._made.append(_tables_of([rows]))
                except _NO_RUN as error:
                    self._made.append({MAIN: table(MAIN, [{**known, **_says_nonsense(error)}])})


def _tables_of(programs: Iterable[dict[str, list[Row]]]) -> dict[str, pa.Table]:
    rows: dict[str, list[Row]] = {}
    for program in programs:
        for name, each in program.items():
            rows.setdefault(name, []).extend(each)
    return {name: table(name, each) for name, each in rows.items() if each}


def _says_nonsense(error: Exception) -> Row:
    reason = f"its process said what no run says: {type(error).__name__}: {error}"
    return _failed(Outcome.INTERNAL_ERROR, reason)


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(rows)
    made: bytes = sink.getvalue().to_pybytes()
    return made


# --- fork servers


class _ServerEnded(Exception):  # noqa: N818 - it reads as what happened
    """A fork server does not answer any more."""


class _Server:
    """A fork server for one campaign, used by one thread at a time. Raises _ServerEnded."""

    def __init__(self, data: bytes, campaign: Campaign) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hds.corpus.fork_server"],  # -P: not what lies in the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        self.campaign = data
        try:
            self._send(data)
            head = self._read_message()
        except _ServerEnded as error:
            self.end()
            raise ClusterLost(f"a worker cannot start a process for programs: {error}") from None
        ready = msgspec.msgpack.decode(head, type=Ready)
        self.sandbox = ready.sandbox
        if ready.refused:
            self.end()
            raise CommandRefused(f"a command of the script is refused for all programs: {ready.refused}")

    def ask(self, item: Item, program: bytes) -> tuple[Ended, bytes]:
        """Have a program run."""
        self._send(msgspec.msgpack.encode(Request(item.kind, len(program))), program)
        ended = msgspec.msgpack.decode(self._read_message(), type=Ended)
        return ended, self._read(ended.size)

    def end(self) -> None:
        """End it, and what it runs."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: bytes, more: bytes = b"") -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(LENGTH.pack(len(message)) + message)
            pipe.write(more)
            pipe.flush()
        except OSError:
            raise _ServerEnded(self._why()) from None

    def _read_message(self) -> bytes:
        return self._read(LENGTH.unpack(self._read(LENGTH.size))[0])

    def _read(self, size: int) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None
        data = pipe.read(size)
        if len(data) < size:
            raise _ServerEnded(self._why())
        return data

    def _why(self) -> str:
        return f"the process that forks programs ended (status {self._process.wait()})"


_free: list[_Server] = []
_lock = threading.Lock()


def _take(data: bytes, campaign: Campaign) -> _Server:
    """A server of this campaign; those of others end."""
    with _lock:
        old = [server for server in _free if server.campaign != data]
        mine = next((server for server in _free if server.campaign == data), None)
        _free[:] = [server for server in _free if server.campaign == data and server is not mine]
    for server in old:
        server.end()
    return mine or _Server(data, campaign)


def _give_back(data: bytes, server: _Server) -> None:
    with _lock:
        _free.append(server)


@atexit.register
def _end_all() -> None:
    with _lock:
        while _free:
            _free.pop().end()
