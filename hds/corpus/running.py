"""A campaign from its inputs to its dataset: what is done is passed over, the rest goes out in batches and comes back.

Memory does not grow with the number of programs: inputs are read as workers ask for more, keys lie in a file, rows are
written every few seconds. Whatever interrupts it leaves what was written, and the same call does the rest.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from hds.corpus.campaign import Budget, Campaign, Settings, new_campaign
from hds.corpus.inputs import (
    Known,
    Place,
    can_be_read_once,
    check_named,
    digest,
    kind_by_name,
    listed_twice,
    path_of_row,
    paths_of,
    row_of_path,
    shown,
)
from hds.corpus.outcomes import RETRIED, Outcome
from hds.corpus.refusals import BadResults, NoPrograms
from hds.corpus.rows import MAIN, TABLES, table
from hds.corpus.store import Progress, Reading, Store, is_results
from hds.corpus.worker import Item, failed_row
from hds.script_tests import Choice
from lang import SourceFile
from vm import Bundle, FileRefused, read_file

if TYPE_CHECKING:
    from hds.corpus.cluster import Done, Workers

_BATCH_SECONDS = 1.0  # that a batch should take: one costs the scheduler as much as several short programs
_MOST_IN_BATCH = 256
_BATCH_BYTES = 32 << 20  # of programs that travel
_BATCHES_AHEAD = 2  # for each thread of a worker
_FLUSH_SECONDS = 1.0
_FLUSH_PROGRAMS = 1_000
_FLUSH_BYTES = 64 << 20
_BEFORE, _NOW = 0, 1  # when a key came to be known
_MOST_LISTED = 1_000_000  # files that are counted beforehand


class Order(msgspec.Struct, frozen=True):
    """What is to be done. `jobs` is None for one for each processor; `shared`: workers read the paths themselves."""

    programs: tuple[str, ...]
    results: str
    jobs: int | None = None
    scheduler: str | None = None
    shared: bool = False
    retry: bool = False  # what failed
    choice: Choice | None = None
    dry: bool = False


class Account(msgspec.Struct):
    """What a call did. `files` are those that were looked at; each is one of the others, and was run or never was."""

    files: int = 0
    run: int = 0
    done_before: int = 0
    duplicates: int = 0
    unreadable: int = 0
    total: int | None = None  # of files, where that is known
    seconds: float = 0.0
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)


Watch = Callable[[Account], None]


def carry_out(campaign: Campaign, order: Order, watch: Watch = lambda account: None) -> Account:
    """Run what is missing.

    Raises CampaignEnded, and OSError where the results cannot be written.
    """
    _check(order)
    with closing(Known()) as known:
        if order.dry:
            return _look(campaign, order, known, watch)
        with ExitStack() as stack:
            store = stack.enter_context(Store(order.results, campaign.identity))
            if order.retry:
                order = replace(order, programs=stack.enter_context(listed_twice(order.programs, sys.stdin.buffer)))
                _drop_failed(campaign, order, store)
            unreadable = _learn(known, store)
            with closing(_Run(campaign, order, store, known, watch)) as run:
                try:
                    run.carry_out()
                finally:
                    if store.is_whole:
                        run.buffer.flush()
                run.put_right(unreadable)
            store.compact(all_of_them=True)
            run.note(force=True)
            return run.account


def _check(order: Order) -> None:
    """Raises NoPrograms where something that is named is not there, or nothing of it is a program."""
    check_named(order.programs)
    if not any(map(can_be_read_once, order.programs)):
        _check_count(order, next(_paths(order), None) is not None)


def _check_count(order: Order, files: int) -> None:
    if not files:
        why = "there is no file in what is named" if order.choice is None else "--select takes no file"
        raise NoPrograms(f"no program is named: {why}", "folders are searched for files; links in them are passed over")


def _paths(order: Order) -> Iterator[str]:
    """The absolute paths of all files that are named."""
    return map(os.path.abspath, paths_of(order.programs, order.choice, sys.stdin.buffer))


def _look(campaign: Campaign, order: Order, known: Known, watch: Watch) -> Account:
    """What would be run; nothing is written."""
    if is_results(order.results):
        found = Reading(order.results)
        if found.identity != campaign.identity and found.identity is not None:
            raise BadResults(f"{order.results}: {found.identity.difference(campaign.identity)}", "name a new folder")
        _learn(known, found, but=RETRIED if order.retry else frozenset())
    account = Account()
    for path in _paths(order):
        account.files += 1
        try:
            key = campaign.key(digest(_read(path, campaign)), kind_by_name(path))
        except FileRefused:
            account.unreadable += 1
            continue
        since = known.since(key)
        account.done_before += since == _BEFORE
        account.duplicates += since == _NOW
        account.run += since is None
        known.add([key], _NOW)
        watch(account)
    _check_count(order, account.files)
    return account


def _learn(known: Known, results: Reading, but: frozenset[str] = frozenset()) -> bool:
    """Take in what there is; whether files are among it that could not be read."""
    outcomes = set[str]()

    def keys() -> Iterator[str]:
        for batch in results.rows(MAIN, ("key", "outcome")):
            for row in batch.to_pylist():
                outcomes.add(row["outcome"])
                if row["outcome"] not in but:
                    yield row["key"]

    known.add(keys())
    for batch in results.rows("files"):
        known.add_files((path_of_row(row), row["key"]) for row in batch.to_pylist())
    return Outcome.NO_INPUT.value in outcomes


def _drop_failed(campaign: Campaign, order: Order, store: Store) -> None:
    """Take away the rows of what failed and is named now; what is not named keeps them."""
    with closing(Known()) as failed, closing(Known()) as unreadable, closing(Known()) as found:
        count = 0
        for batch in store.rows(MAIN, ("key", "outcome", "size")):
            rows = [row for row in batch.to_pylist() if row["outcome"] in RETRIED]
            count += len(rows)
            failed.add(row["key"] for row in rows)
            failed.add(_of_size(row["size"]) for row in rows)  # whoever has another size need not be read
        for path in _paths(order) if count else ():
            if (key := _of_unreadable(path)) in failed:
                unreadable.add([key])
            with suppress(OSError, ValueError, FileRefused):
                if _of_size(os.stat(path).st_size) in failed:
                    key = campaign.key(digest(_read(path, campaign)), kind_by_name(path))
                    if key in failed:
                        found.add([key])
        if count:
            store.drop(lambda key: key in unreadable)
            store.drop(lambda key: key in found, but=("files",))  # where they lie stays known


def _of_size(size: int | None) -> str:
    return f"size {size}"


def _of_unreadable(path: str) -> str:
    """The key of a file that cannot be read."""
    return digest(b"unreadable\0" + os.fsencode(path))


def _read(path: str, campaign: Campaign) -> bytes:
    return read_file(path, campaign.settings.limits, "max_guest_memory")


class _Buffer:
    """Rows that came back and are not written yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._empty()

    def _empty(self) -> None:
        self._tables: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
        self._files: list[dict[str, Any]] = []
        self._programs = self._bytes = 0
        self._began: float | None = None

    def add(self, tables: Mapping[str, pa.Table], files: Iterable[tuple[str, str]]) -> None:
        """Rows of all tables, and files with the keys of their runs. Raises OSError."""
        self._began = self._began or time.monotonic()
        for name, rows in tables.items():
            self._tables[name].append(rows)
            self._bytes += rows.nbytes
        self._programs += tables[MAIN].num_rows if MAIN in tables else 0
        self._files += ({**row_of_path(path), "key": key} for path, key in files)
        late = time.monotonic() - self._began > _FLUSH_SECONDS
        if late or self._programs >= _FLUSH_PROGRAMS or self._bytes >= _FLUSH_BYTES:
            self.flush()
            self._store.compact()

    def flush(self) -> None:
        """Write them. Raises OSError; they are not written then, and not kept."""
        if self._began is None:
            return
        tables = {name: pa.concat_tables(parts) for name, parts in self._tables.items() if parts}
        if self._files:
            tables["files"] = table("files", self._files)
        self._empty()
        self._store.add(tables)


class _Run:
    """One call under way."""

    def __init__(self, campaign: Campaign, order: Order, store: Store, known: Known, watch: Watch) -> None:
        self._campaign = campaign
        self._order = order
        self._store = store
        self._known = known
        self._watch = watch
        self.account = Account()
        self.buffer = _Buffer(store)
        self._waiting: dict[str, list[str]] = {}  # the files of programs that are out, by key
        self._unreadable = Known()  # keys of files that could not be read; `since` says when
        self._has_moved = False  # a file has another content
        self._seconds = _BATCH_SECONDS  # that a program takes, of late
        self._began = time.monotonic()
        self._noted = 0.0

    def carry_out(self) -> None:
        """Everything."""
        self.account.total = self._count()
        missing = self._missing()
        first = next(missing, None)
        if first is not None:
            from hds.corpus.cluster import workers  # Dask takes a second to import

            jobs = self._order.jobs or os.cpu_count() or 1
            with workers(self._campaign, jobs, self._order.scheduler) as cluster:
                self._feed(cluster, _chain(first, missing))
        _check_count(self._order, self.account.files)

    def put_right(self, has_unreadable: bool) -> None:
        """Take away rows of files that could not be read and can be now, or are not there and not named; and old ones.

        A file that has another content than it had has one row of `files`.
        """
        if has_unreadable:
            gone = self._unreadable
            for batch in self._store.rows(MAIN, ("key", "outcome", "path", "path_bytes")):
                rows = [row for row in batch.to_pylist() if row["outcome"] == Outcome.NO_INPUT.value]
                paths = {row["key"]: path_of_row(row) for row in rows}
                away = (key for key, path in paths.items() if key == _of_unreadable(path) and not os.path.lexists(path))
                gone.add(away, _BEFORE)
            self._store.drop(lambda key: gone.since(key) == _BEFORE)
        if self._has_moved:
            self._store.keep_files(lambda row: self._known.keeps(path_of_row(row), row["key"]))

    def close(self) -> None:
        """Give room back."""
        self._unreadable.close()

    def _count(self) -> int | None:
        """How many files there are, unless that can be known only by reading them all."""
        if any(map(can_be_read_once, self._order.programs)):
            return None
        count = 0
        for count, _ in enumerate(_paths(self._order), 1):
            if count > _MOST_LISTED:
                return None
        return count

    def _feed(self, cluster: Workers, missing: Iterator[Item]) -> None:
        threads, looked = cluster.threads, time.monotonic()
        more = True
        while more or cluster.batches:
            while more and cluster.batches < _BATCHES_AHEAD * threads:
                batch = self._batch(missing)
                more = bool(batch)
                if batch:
                    cluster.submit(batch)
            if cluster.batches:
                self._take(cluster, cluster.next_done())
            if time.monotonic() - looked > 1.0:
                threads, looked = cluster.threads, time.monotonic()

    def _batch(self, missing: Iterator[Item]) -> list[Item]:
        """The next programs that go together: as many as take half a second, of late."""
        most = max(1, min(_MOST_IN_BATCH, int(_BATCH_SECONDS / max(self._seconds, 0.001))))
        batch: list[Item] = []
        size = 0
        while len(batch) < most and size < _BATCH_BYTES:
            item = next(missing, None)
            if item is None:
                break
            batch.append(item)
            size += len(item.data or b"")
        return batch

    def _missing(self) -> Iterator[Item]:
        """The programs that are to be run; what is done, double or cannot be read is dealt with on the way."""
        travels = self._order.scheduler is not None and not self._order.shared
        for path in _paths(self._order):
            self.account.files += 1
            self.note()
            unreadable = _of_unreadable(path)
            try:
                data = _read(path, self._campaign)
            except FileRefused as error:
                self.account.unreadable += 1
                self._unreadable.add([unreadable], _NOW)
                if unreadable not in self._known:
                    why = {"outcome": Outcome.NO_INPUT.value, "reason": shown(str(error))}
                    row = {"key": unreadable, **row_of_path(path), **why}
                    self.account.outcomes[Outcome.NO_INPUT.value] += 1
                    self._keep({MAIN: table(MAIN, [row])}, [(path, unreadable)])
                continue
            if unreadable in self._known:
                self._unreadable.add([unreadable], _BEFORE)
            sha256, kind = digest(data), kind_by_name(path)
            key = self._campaign.key(sha256, kind)
            if key in self._waiting:
                self.account.duplicates += 1
                self._waiting[key].append(path)
            elif (since := self._known.since(key)) is not None:
                self.account.done_before += since == _BEFORE
                self.account.duplicates += since == _NOW
                self._keep({}, [(path, key)])
            else:
                self._waiting[key] = [path]
                yield Item(key, os.fsencode(path), sha256, len(data), kind, data if travels else None)

    def _take(self, cluster: Workers, done: Done) -> None:
        """Rows came back, or workers ended."""
        if done.tables is None and len(done.items) > 1:
            for item in done.items:  # one of them may be why
                cluster.submit([item])
            return
        if done.tables is None:
            row = failed_row(done.items[0], Outcome.WORKER_LOST, "workers ended while they ran it")
            tables = {MAIN: table(MAIN, [row])}
        else:
            tables = {name: pa.ipc.open_stream(data).read_all() for name, data in done.tables.items()}
        outcomes = tables[MAIN]["outcome"].to_pylist()
        unreadable = outcomes.count(Outcome.NO_INPUT.value)  # by the worker
        self.account.run += len(outcomes) - unreadable
        self.account.unreadable += unreadable
        self.account.outcomes.update(outcomes)
        self._keep(tables, [(path, item.key) for item in done.items for path in self._waiting.pop(item.key)])
        seconds = [each or 0.0 for each in tables[MAIN]["seconds"].to_pylist()]
        self._seconds = 0.7 * self._seconds + 0.3 * sum(seconds) / len(seconds)
        self.note()

    def _keep(self, tables: Mapping[str, pa.Table], files: Sequence[tuple[str, str]]) -> None:
        if MAIN in tables:
            self._known.add(tables[MAIN]["key"].to_pylist(), _NOW)
        fresh = []
        for path, key in files:
            place = self._known.place(path, key)
            if place is not Place.SAME:  # a file can be named twice
                fresh.append((path, key))
            self._has_moved |= place is Place.OTHER
        if tables or fresh:
            self.buffer.add(tables, fresh)

    def note(self, *, force: bool = False) -> None:
        """Tell whoever watches how far this is."""
        now = time.monotonic()
        self.account.seconds = now - self._began
        self._watch(self.account)
        if force or now - self._noted > _FLUSH_SECONDS:
            self._noted = now
            account = self.account
            self._store.note(Progress(account.total, account.files, account.seconds, account.run))


def _chain(first: Item, rest: Iterator[Item]) -> Iterator[Item]:
    yield first
    yield from rest


def run(
    script: str | SourceFile,
    programs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    results: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    budget: Budget | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    shared: bool = False,
    retry: bool = False,
    select: str | None = None,
    dry_run: bool = False,
    watch: Watch = lambda account: None,
    compiled: Bundle | None = None,
) -> Account:
    """Run a script on many programs, as `hds corpus` does; what this call did.

    `programs` are paths of files and folders, "@LIST" and "-"; one of them can stand alone.

    Raises CampaignEnded, ValueError for a `select` that is none, no programs or no jobs, and OSError where the results
    cannot be written.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs={jobs}: at least 1")
    source = SourceFile("script.hds", script) if isinstance(script, str) else script
    campaign = new_campaign(source, compiled, settings or Settings(), budget or Budget())
    choice = None if select is None else Choice(select)
    given = [programs] if isinstance(programs, str | os.PathLike) else programs
    named = tuple(os.fspath(each) for each in given)
    if not named:
        raise ValueError("no program is named")
    order = Order(named, os.fspath(results), jobs, scheduler, shared, retry, choice, dry_run)
    return carry_out(campaign, order, watch)
