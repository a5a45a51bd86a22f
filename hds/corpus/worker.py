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
from typing import Any

import msgspec
import pyarrow as pa

from hds.corpus.campaign import Campaign
from hds.corpus.fork_server import LENGTH, NO_MEMORY, Ended, Killed, Ready, Request
from hds.corpus.outcomes import Outcome
from hds.corpus.rows import MAIN, TABLES, Row, rows_of, table
from hds.version import VERSION
from machine.loaders import describe
from vm import FileRefused, read_file

_START_SECONDS = 120.0  # for a fork server to be ready
_LONGEST_REASON = 1000  # characters


class Item(msgspec.Struct, frozen=True):
    """A program to be run. Without `data` it is read from `path`, and must still be what it was."""

    key: str
    path: str
    sha256: str
    size: int
    kind: str | None
    data: bytes | None = None


class OtherVersion(RuntimeError):  # noqa: N818 - it reads as what happened
    """The worker has another version of hds than the client."""


def run_batch(campaign: bytes, items: bytes) -> dict[str, bytes]:
    """Run programs, one after the other; the rows of each table as an Arrow stream.

    Raises OtherVersion. What goes wrong with a program is its row.
    """
    found = msgspec.msgpack.decode(campaign, type=Campaign)
    if found.identity.version != VERSION:
        raise OtherVersion(f"a worker has hds {VERSION}, the client {found.identity.version}")
    tables: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    server = _take(campaign, found)
    try:
        for item in msgspec.msgpack.decode(items, type=list[Item]):
            server = _run(server, campaign, found, item, tables)
    finally:
        _give_back(campaign, server)
    return {name: _stream(pa.concat_tables(parts)) for name, parts in tables.items() if parts}


def _run(server: _Server, campaign: bytes, found: Campaign, item: Item, tables: dict[str, list[pa.Table]]) -> _Server:
    """Add the rows of one program; the server for the next one, which is a new one where this has ended."""
    try:
        data = item.data if item.data is not None else _read(item, found)
    except FileRefused as error:
        _add(tables, failed_row(item, Outcome.NO_INPUT, str(error)))
        return server
    if hashlib.sha256(data).hexdigest() != item.sha256:
        _add(tables, failed_row(item, Outcome.NO_INPUT, f"{item.path} has changed meanwhile"))
        return server
    try:
        ended, said = server.ask(item, data)
    except _ServerEnded as error:
        server.end()
        _add(tables, failed_row(item, Outcome.KILLED, str(error), data))
        return _Server(campaign, found)
    measured = {"seconds": ended.seconds, "cpu_seconds": ended.cpu_seconds, "memory": ended.memory}
    wrong = _went_wrong(ended, said, found)
    if wrong is None:
        try:
            records = [msgspec.json.decode(line, type=dict[str, Any]) for line in said.splitlines()]
            program, messages, triggers = rows_of(item.key, records)
            row = {**_row(item, data), **measured, **program}
            made = table(MAIN, [row]), table("messages", messages), table("triggers", triggers)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            wrong = Outcome.INTERNAL_ERROR, f"its process said what no run says: {type(error).__name__}: {error}"
        else:
            for name, part in zip((MAIN, "messages", "triggers"), made, strict=True):
                if part.num_rows:
                    tables[name].append(part)
            return server
    _add(tables, {**failed_row(item, *wrong, data), **measured})
    return server


def _read(item: Item, found: Campaign) -> bytes:
    return read_file(item.path, found.settings.limits, "max_guest_memory")


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
    return {"key": item.key, "path": item.path, "sha256": item.sha256, "size": item.size, "kind": kind}


def failed_row(item: Item, outcome: Outcome, reason: str, data: bytes | None = None) -> Row:
    """The row of a program of which there is nothing else to say."""
    return {**_row(item, data), "outcome": outcome.value, "reason": reason[:_LONGEST_REASON]}


def _add(tables: dict[str, list[pa.Table]], row: Row) -> None:
    tables[MAIN].append(table(MAIN, [row]))


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
            [sys.executable, "-m", "hds.corpus.fork_server"],
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
            raise RuntimeError(f"a process for programs could not be started: {error}") from None
        self.sandbox = msgspec.msgpack.decode(head, type=Ready).sandbox

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
