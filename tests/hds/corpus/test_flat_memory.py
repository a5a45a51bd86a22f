"""The client and the scheduler have as much memory for many programs as for few, once everything has been done once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

import psutil
from canned_runs import PROGRAMS, canned_workers, sizes
from corpus_world import end, free_port, start
from effort import often

pytestmark = [pytest.mark.programs, pytest.mark.nightly]
MANY = often(14_000, PROGRAMS)
MOST = 9 << 20  # bytes in all, by which heaps that are used vary: 1,600 a program, and 800 in `make fuzz`


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    """An external one with two workers: its address and its process."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet = ("--host", "127.0.0.1", "--no-dashboard")
    more = ("--port", str(port), "--dashboard-address", "127.0.0.1:0")
    folder = ("--local-directory", str(tmp_path / "workers"))
    with canned_workers(tmp_path / "canned"):
        log = {**os.environ, "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "10"}  # as docs/corpus.md says
        processes = [start("-m", "distributed.cli.dask_scheduler", *quiet, *more, environment=log)]
        try:
            for _ in range(2):
                words = ("-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", *quiet, *folder)
                processes.append(start(*words, environment=log))
            yield address, psutil.Process(processes[0].pid)
        finally:
            end(*processes)


def test_client_and_scheduler_of_one_machine_do_not_grow(tmp_path: Path) -> None:
    with canned_workers(tmp_path / "canned"):
        early, late = sizes(tmp_path, psutil.Process(), programs=MANY)
    assert late - early < MOST


def test_a_scheduler_does_not_grow(tmp_path: Path, scheduler: tuple[str, psutil.Process]) -> None:
    address, process = scheduler
    early, late = sizes(tmp_path, process, address, programs=MANY)
    assert late - early < MOST
