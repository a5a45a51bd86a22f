"""Whatever ends a part of a campaign, at whatever moment: the same command goes on, and the dataset is the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

import psutil
from corpus_world import SCRIPT, counting, dataset, end, free_port, program, samples, start
from effort import often

import hds.corpus
from hds.corpus import Budget, ClusterLost
from lang import SourceFile

pytestmark = pytest.mark.programs


class Cluster:
    """A scheduler and two workers without nannies on 127.0.0.1, whose parts can be killed and come again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._folder = str(folder)
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def mend(self) -> None:
        """Start what is not there."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            words = (
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--no-dashboard",
                "--dashboard-address",
                "127.0.0.1:0",
            )
            self.scheduler = start("-m", "distributed.cli.dask_scheduler", *words)
            end(*self.workers)  # those of the old one
            self.workers = []
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < 2:
            flags = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
            limits = ("--local-directory", self._folder, "--death-timeout", "30")
            self.workers.append(start("-m", "distributed.cli.dask_worker", self.address, *flags, *limits))

    def close(self) -> None:
        """End all of it."""
        end(*self.workers, *([] if self.scheduler is None else [self.scheduler]))


@pytest.fixture(scope="module")
def only_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("workers"))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def cluster(only_cluster: Cluster) -> Cluster:
    """A cluster that is whole."""
    only_cluster.mend()
    return only_cluster


def client(folder: Path, results: str, *words: str) -> subprocess.Popen[bytes]:
    """`hds corpus` on the samples of a folder."""
    line = ("corpus", "-e", SCRIPT, "-o", str(folder / results), str(folder / "samples"), "--quiet", *words)
    return start("-m", "hds", *line)


def wait_for_rows(results: Path, count: int) -> None:
    """Until the dataset has so many programs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(hds.corpus.BadResults, OSError):
            if sum(batch.num_rows for batch in hds.corpus.Reading(results).rows("programs", ["key"])) >= count:
                return
        time.sleep(0.05)
    raise AssertionError("no rows came")


MOMENTS = often(3, 21)
SAMPLES = often(60, 150)


@pytest.mark.nightly
def test_a_campaign_that_is_killed_at_random_comes_to_the_same_dataset(tmp_path: Path, cluster: Cluster) -> None:
    samples(
        tmp_path / "samples", [*(program(code) for code in range(20)), *map(counting, range(40_000, 40_000 + SAMPLES))]
    )
    flags = ("--scheduler", cluster.address)
    chance = random.Random(19)
    results = tmp_path / "killed"
    codes: list[int] = []
    for moment in range(MOMENTS):
        victim = ("client", "worker", "scheduler")[moment % 3]
        cluster.mend()
        running = client(tmp_path, "killed", *flags)
        try:
            time.sleep(chance.uniform(0.5, 5.0))
            match victim:
                case "client":
                    end(running)
                case "worker":
                    end(cluster.workers[0])
                    cluster.mend()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        running.wait(chance.uniform(0.0, 3.0))
                case _:
                    assert cluster.scheduler is not None
                    end(cluster.scheduler)
                    codes.append(running.wait(60))
        finally:
            end(running)
    assert set(codes) <= {0, 3}  # it said that the scheduler is gone, or was done
    cluster.mend()
    assert client(tmp_path, "killed", *flags).wait(120) == 0
    hds.corpus.run(commands(), [tmp_path / "samples"], tmp_path / "whole", scheduler=cluster.address)
    assert dataset(results) == dataset(tmp_path / "whole")
    assert len(dataset(results)["programs"]) == 20 + SAMPLES


def commands() -> SourceFile:
    """The script as the command line names it."""
    return SourceFile("<command line>", SCRIPT)


def test_a_scheduler_that_goes_is_an_error_and_the_same_call_goes_on(tmp_path: Path, cluster: Cluster) -> None:
    folder = samples(tmp_path / "samples", map(counting, range(200_000, 200_040)))

    def watch(account: hds.corpus.Account) -> None:
        if account.run > 5 and cluster.scheduler is not None:
            end(cluster.scheduler)

    with pytest.raises(ClusterLost, match="the scheduler is gone"):
        hds.corpus.run(SCRIPT, [folder], tmp_path / "results", scheduler=cluster.address, watch=watch)
    kept = len(dataset(tmp_path / "results")["programs"])
    assert 5 < kept < 40
    cluster.mend()
    account = hds.corpus.run(SCRIPT, [folder], tmp_path / "results", scheduler=cluster.address, shared=True)
    assert (account.run, account.done_before) == (40 - kept, kept)


def test_a_full_disk_ends_it_and_it_goes_on_when_there_is_room(tmp_path: Path, cluster: Cluster) -> None:
    samples(tmp_path / "samples", map(program, range(8)))
    line = ["-m", "hds", "corpus", "-e", SCRIPT, "-o", str(tmp_path / "results"), str(tmp_path / "samples"), "--quiet"]
    line += ["--scheduler", cluster.address]
    # Python 3.11 would keep modules that it could not write wholly.
    limited = ["bash", "-c", 'ulimit -f 3; PYTHONDONTWRITEBYTECODE=1 exec "$@"', "-", sys.executable, *line]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stderr
    assert "the results cannot be written: " in done.stderr
    assert "File too large" in done.stderr
    assert dataset(tmp_path / "results")["programs"] == []
    assert not list((tmp_path / "results").glob("*/*"))
    assert subprocess.run([sys.executable, *line], capture_output=True, timeout=120, check=False).returncode == 0
    assert len(dataset(tmp_path / "results")["programs"]) == 8


def test_an_interrupt_at_the_terminal_is_the_clients_alone(tmp_path: Path) -> None:
    samples(tmp_path / "samples", map(counting, range(3_000_000, 3_000_400)))
    words = ["corpus", "-e", SCRIPT, "-o", str(tmp_path / "results"), str(tmp_path / "samples"), "--jobs", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "hds", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_for_rows(tmp_path / "results", 1)
        os.killpg(running.pid, signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    finally:
        end(running)
    assert (running.returncode, output, errors) == (130, b"", b"")


def test_nothing_is_left_of_a_client_that_is_killed(tmp_path: Path) -> None:
    samples(tmp_path / "samples", map(counting, range(3_000_000, 3_000_030)))
    running = client(tmp_path, "results", "--jobs", "1")
    try:
        wait_for_rows(tmp_path / "results", 1)
        children = psutil.Process(running.pid).children(recursive=True)
        assert len([child for child in children if "fork_server" in " ".join(child.cmdline())]) >= 1
        addresses = {
            found.laddr.ip
            for each in (*children, psutil.Process(running.pid))
            for found in connections(each)
            if found.status == "LISTEN"
        }
        assert addresses == {"127.0.0.1"}
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
        kept = len(dataset(tmp_path / "results")["programs"])
        (tmp_path / "samples" / "0029").unlink()
        account = hds.corpus.run(commands(), [tmp_path / "samples"], tmp_path / "results", jobs=1, dry_run=True)
        assert (account.run, account.done_before) == (29 - kept, kept)
    finally:
        end(running)


def connections(process: psutil.Process) -> list[Any]:
    """The sockets of a process that may have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(process.net_connections())
    return []


POISON = """
import ctypes, os, signal, time
import hds.corpus.single as single

run_program = single.run_program


def poisoned(campaign, engine, data, kind, waiting):
    word = data[-8:].strip(b"_").decode()
    match word:
        case "SEGV":
            ctypes.string_at(0)
        case "SPIN":
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
            while True:
                pass
        case "HOG":
            kept = [bytearray(1 << 26) for _ in range(8)]
            time.sleep(100)
        case "GREED":
            kept = bytearray(1 << 40)
        case "SILENT":
            os.closerange(3, 256)
            time.sleep(100)
        case "LIES":
            return b'{"type": "summary", "triggers": -1}\\n'
        case "MANY":
            os.close(0)
            if not os.fork():
                os.setsid()
                os.closerange(3, 256)
                time.sleep(1000)
    return run_program(campaign, engine, data, kind, waiting)


single.run_program = poisoned
"""
POISONED = {
    "SEGV": ("killed", "its process ended by signal 11"),
    "SPIN": ("timeout", "killed: it did not end itself within 0.5 s"),
    "HOG": ("memory", "killed: it had more than 268435456 bytes (--max-memory)"),
    "GREED": ("memory", "the system gave it no more than 268435456 bytes (--max-memory)"),
    "SILENT": ("timeout", "killed: it did not end itself within 0.5 s"),
    "LIES": ("internal_error", "its process said what no run says: "),
    "MANY": ("ok", "program exited with code 7"),
}


def test_a_program_that_takes_its_process_with_it_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    monkeypatch.syspath_prepend(tmp_path / "poison")
    words = ["GOOD", *POISONED, "FINE"]
    folder = samples(
        tmp_path / "samples", (program(code) + word.encode().rjust(8, b"_") for code, word in enumerate(words))
    )
    budget = Budget(timeout=0.5, memory=1 << 28)
    hds.corpus.run(SCRIPT, [folder], tmp_path / "results", jobs=1, budget=budget)
    rows = {words[int(Path(row["path"]).name)]: row for row in dataset(tmp_path / "results")["programs"]}
    for word, (outcome, reason) in POISONED.items():
        assert (word, rows[word]["outcome"]) == (word, outcome)
        assert rows[word]["reason"].startswith(reason)
    assert rows["GOOD"]["outcome"] == rows["FINE"]["outcome"] == "ok"
    assert rows["MANY"]["messages"] == 1
