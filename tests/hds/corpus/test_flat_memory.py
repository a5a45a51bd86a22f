"""The client and the scheduler have as much memory for many programs as for few, once everything has been done once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

from corpus_world import SCRIPT, end, free_port, program, samples, start

import hds.corpus
from hds.corpus import Budget, Settings, new_campaign
from hds.corpus.single import run_program
from hds.session import load_engine
from lang import SourceFile

pytestmark = [pytest.mark.programs, pytest.mark.nightly]
WARM = 8_000  # programs: everything is loaded, and parts have been merged
PROGRAMS = 20_000
MOST = 400  # bytes a program, which are what heaps that are used vary by; a row of each table has some 900

# What workers answer without running a program.
CANNED = """
import importlib.util
import sys


class Finder:
    def find_spec(self, name, path, target=None):
        if name != "hds.corpus.worker":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            said = open(__file__ + ".said", "rb").read()

            def run(server, campaign, found, item, rows):
                rows.add_said({**module._row(item, item.data), "seconds": 0.01}, said)
                return server

            module._run = run
            module._take = module._give_back = lambda *_: None

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def canned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that start from now on say of each program what a run of one says."""
    campaign = new_campaign(SourceFile("script.hds", SCRIPT), None, Settings(), Budget())
    folder = tmp_path / "canned"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CANNED)
    said = run_program(campaign, load_engine(None, campaign.settings.limits), program(1), None)
    (folder / "sitecustomize.py.said").write_bytes(said)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)


@pytest.fixture
def scheduler(tmp_path: Path, canned: None) -> Iterator[tuple[str, psutil.Process]]:
    """An external one with two workers: its address and its process."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet = ("--host", "127.0.0.1", "--no-dashboard")
    log = {**os.environ, "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "10"}  # as docs/corpus.md says
    more = ("--port", str(port), "--dashboard-address", "127.0.0.1:0")
    folder = ("--local-directory", str(tmp_path / "workers"))
    processes = [start("-m", "distributed.cli.dask_scheduler", *quiet, *more, environment=log)]
    try:
        for _ in range(2):
            words = ("-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", *quiet, *folder)
            processes.append(start(*words, environment=log))
        yield address, psutil.Process(processes[0].pid)
    finally:
        end(*processes)


def growth(folder: Path, process: psutil.Process, address: str | None) -> float:
    """Bytes a program by which a process grows, from `WARM` programs to all, in a campaign."""
    found = samples(
        folder / "samples", (program(number % 256, b"\x90" * (number // 256)) for number in range(PROGRAMS))
    )
    seen: list[tuple[int, int]] = []

    def watch(account: hds.corpus.Account) -> None:
        seen.append((account.run, process.memory_info().rss))

    account = hds.corpus.run(SCRIPT, [found], folder / "results", jobs=2, scheduler=address, watch=watch)
    assert account.outcomes == {"ok": PROGRAMS}
    early = max(size for run, size in seen if run <= WARM)
    late = max(size for run, size in seen if run > PROGRAMS - WARM // 4)
    assert len(list((folder / "results" / "programs").iterdir())) <= PROGRAMS // 1_000 + 1
    return (late - early) / (PROGRAMS - WARM)


def test_client_and_scheduler_of_one_machine_do_not_grow(tmp_path: Path, canned: None) -> None:
    assert growth(tmp_path, psutil.Process(), None) < MOST


def test_a_scheduler_does_not_grow(tmp_path: Path, scheduler: tuple[str, psutil.Process]) -> None:
    address, process = scheduler
    assert growth(tmp_path, process, address) < MOST
