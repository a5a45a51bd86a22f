"""Dask distributed, behind a small face: batches go out, tables come back, in no order.

A cluster of this machine listens on 127.0.0.1 only and ends with the block; one that runs already is used as it is.
What is sent to workers is the name of a function and bytes, and what comes back are bytes; the cluster itself is
trusted, since it unpickles what its members send (SECURITY.md).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from typing import Any

import dask.config
import msgspec
from distributed import Client, Future, KilledWorker, LocalCluster

from hds.corpus.campaign import Campaign
from hds.corpus.refusals import ClusterLost
from hds.corpus.worker import Item, run_batch

LOOPBACK = "127.0.0.1"
_CONNECT_SECONDS = 15
_WORKER_SECONDS = 60  # for the first worker to come
_LOOK_SECONDS = 1.0
_QUIET = {  # what schedulers and workers watch themselves by, many times a second, and what they remember of it
    "distributed.admin.log-length": 100,
    "distributed.admin.low-level-log-length": 10,  # messages of each connection, with the programs in them
    "distributed.admin.system-monitor.log-length": 100,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
}
_SCRATCH = "hds-corpus-"  # the names of folders for workers
_NEW_SECONDS = 60.0


class Done(msgspec.Struct, frozen=True):
    """A batch that came back: its tables as Arrow streams, or None where workers ended while they ran it."""

    items: tuple[Item, ...]
    tables: dict[str, bytes] | None


class Workers:
    """The workers of a cluster. Raises ClusterLost."""

    def __init__(self, client: Client, campaign: Campaign) -> None:
        self._client = client
        self._campaign = msgspec.msgpack.encode(campaign)
        self._name = campaign.identity.digest[:12]
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._batches: dict[object, tuple[Future[Any], tuple[Item, ...]]] = {}
        self._number = 0
        self._wait_for_the_first()

    @property
    def threads(self) -> int:
        """How many programs run at a time; at least 1."""
        self._check()
        threads: dict[str, int] = _untyped(self._client).nthreads()
        return max(1, sum(threads.values()))

    @property
    def batches(self) -> int:
        """How many have not come back."""
        return len(self._batches)

    def submit(self, items: Sequence[Item]) -> None:
        """Have a batch run."""
        self._check()
        self._number += 1
        future = self._client.submit(
            run_batch,
            self._campaign,
            msgspec.msgpack.encode(items),
            key=f"hds-{self._name}-{id(self):x}-{self._number}",
            pure=False,
        )
        self._batches[future.key] = future, tuple(items)
        _untyped(future).add_done_callback(self._done.put)

    def next_done(self) -> Done:
        """Wait for the next batch. Raises CommandRefused."""
        while True:
            try:
                future = self._done.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._check()
                continue
            _, items = self._batches.pop(future.key)
            if future.status in ("cancelled", "lost"):
                raise self._lost()
            try:
                found: dict[str, bytes] = future.result(timeout=_CONNECT_SECONDS)
            except KilledWorker:
                return Done(items, None)
            except (OSError, TimeoutError, CancelledError) as error:
                raise self._lost() from error
            except (ImportError, RuntimeError, msgspec.MsgspecError) as error:
                raise ClusterLost(
                    f"the cluster cannot run hds: {str(error).partition(chr(10))[0][:200]}",
                    "the scheduler and all workers need this version of hds, with the extra corpus",
                ) from error
            return Done(items, found)

    def _wait_for_the_first(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        except TimeoutError:
            raise ClusterLost(
                f"no worker has come to the scheduler in {_WORKER_SECONDS} s", "start some: `dask worker ADDRESS`"
            ) from None

    def _check(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _lost(self) -> ClusterLost:
        return ClusterLost(
            "the scheduler is gone: what was finished is kept", "the same command goes on where this one has ended"
        )


@contextlib.contextmanager
def workers(campaign: Campaign, jobs: int, address: str | None) -> Iterator[Workers]:
    """The workers of a running cluster, or `jobs` processes of this machine. Raises ClusterLost."""
    _hush()
    with contextlib.ExitStack() as stack:
        dask.config.set(_QUIET)
        if address is None:
            stack.enter_context(_safe_path())
            folder = stack.enter_context(scratch())
            with _quiet_tracker(), _no_interrupts():
                started = _local(jobs, folder)
            cluster = stack.enter_context(started)
            client = stack.enter_context(_untyped(Client)(cluster, set_as_default=False))
        else:
            client = stack.enter_context(_connected(address))
        yield Workers(client, campaign)


def _hush() -> None:
    """Have Dask log nothing here: its loggers have levels of their own, and what happens is said by whoever calls."""
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """A folder for the files of workers. It goes with the block, or, where its owner is killed, with the next one."""
    root = tempfile.gettempdir()
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(root)):
            if entry.name.startswith(_SCRATCH):
                _sweep(entry.path)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as folder, held(folder):
        yield folder


def _sweep(folder: str) -> None:
    """Remove a folder of this user that nobody holds; one that is new may be held in a moment."""
    with contextlib.suppress(OSError), held(folder) as status:
        if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _NEW_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def held(folder: str) -> Iterator[os.stat_result]:
    """A stretch in which no other holds the folder. The system lets go of it however this process ends.

    Raises OSError where another does.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _safe_path() -> contextlib.AbstractContextManager[None]:
    """A stretch in which processes that are started import nothing of the current folder: samples may lie there."""
    return _environment("PYTHONSAFEPATH", "1")


@contextlib.contextmanager
def _quiet_tracker() -> Iterator[None]:
    """A stretch that starts Python's resource tracker, which says nothing of what a client that is killed leaves."""
    with _environment("PYTHONWARNINGS", "ignore:resource_tracker"):
        resource_tracker.ensure_running()
    yield


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A stretch in which processes that are started have this variable."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """A stretch whose threads, and the processes that these start at any time, hear nothing of Ctrl-C.

    Python's resource tracker would undo that, unless it is there already.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _untyped(each: Any) -> Any:
    """What Dask has without types, for the checker."""
    return each


def _local(jobs: int, folder: str) -> Any:
    try:
        return _started(jobs, folder)
    except RuntimeError as error:
        raise ClusterLost(
            f"no workers can be started: {error}",
            'a program that calls hds.corpus.run does so behind `if __name__ == "__main__":`: workers import it',
        ) from None


def _started(jobs: int, folder: str) -> Any:
    return _untyped(LocalCluster)(
        n_workers=jobs,
        threads_per_worker=1,
        processes=True,
        host=LOOPBACK,
        scheduler_port=0,
        dashboard_address=f"{LOOPBACK}:0",
        worker_dashboard_address=f"{LOOPBACK}:0",
        memory_limit=None,
        silence_logs=logging.CRITICAL,
        local_directory=folder,
    )


def _connected(address: str) -> Any:
    try:
        return _untyped(Client)(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:  # the last two of TLS
        why = str(error).partition("\n")[0][:200]
        raise ClusterLost(
            f"there is no scheduler at {address}: {why}",
            "`dask scheduler` starts one and says its address; tls:// needs certificates",
        ) from None
