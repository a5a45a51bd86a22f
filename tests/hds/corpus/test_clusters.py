"""The clusters that docs/corpus.md shows: its lines of TLS, and its docker-compose file, are carried out here."""

from __future__ import annotations

import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")
import msgspec
import yaml
from corpus_world import SCRIPT, dataset, end, free_port, program, samples, start
from msgspec.structs import replace

from hds.corpus import Budget, ClusterLost, Settings, new_campaign
from hds.corpus.cluster import held, scratch, workers
from hds.corpus.worker import run_batch
from lang import SourceFile

pytestmark = pytest.mark.programs
PAGE = (Path(__file__).parents[3] / "docs" / "corpus.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUIET = ("--no-dashboard", "--host", "127.0.0.1")


@contextmanager
def cluster(
    folder: Path, scheduler: list[str], worker: list[str], port: int, environment: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """The processes of these two command lines, of `dask`."""
    assert scheduler[0] == worker[0] == "dask"
    more = ("--port", str(port), "--dashboard-address", "127.0.0.1:0")
    local = ("--local-directory", str(folder))
    processes = [
        start("-m", *scheduler, *QUIET, *more, environment=environment),
        start("-m", *worker, *QUIET, *local, environment=environment),
    ]
    try:
        yield
    finally:
        end(*processes)


def client(folder: Path, address: str, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    line = ["corpus", "-e", SCRIPT, "-o", str(folder / "results"), str(folder / "samples"), "--scheduler", address]
    words = [sys.executable, "-m", "hds", *line]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_dask_says_nothing_beside_what_the_command_says() -> None:
    campaign = new_campaign(SourceFile("s.hds", SCRIPT), None, Settings(), Budget())
    with pytest.raises(ClusterLost, match="there is no scheduler at x://y"), workers(campaign, 1, "x://y"):
        pass
    for name in ("distributed", "distributed.client", "distributed.scheduler"):  # with tracebacks, once it is gone
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)


def test_what_clients_that_were_killed_have_left_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("hds-corpus-left", "hds-corpus-held", "hds-corpus-new", "others"):
        (tmp_path / name / "dask-scratch-space").mkdir(parents=True)
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / "hds-corpus-new")
    (tmp_path / "hds-corpus-link").symlink_to("others")
    with held(str(tmp_path / "hds-corpus-held")), scratch() as folder:
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"hds-corpus-held", "hds-corpus-new", "hds-corpus-link", "others", os.path.basename(folder)}
    assert not os.path.exists(folder)


def test_a_cluster_by_tls_takes_who_has_a_certificate(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    lines = next(text for _, text in BLOCKS if "--protocol tls" in text).splitlines()
    assert lines[-1] == "dask scheduler --protocol tls"
    made = "\n".join([*lines[:-1], "env -0"])
    given = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    shell = subprocess.run(["bash", "-ec", made], cwd=tmp_path, env=given, capture_output=True, check=True)
    environment = dict(entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if "=" in entry)
    for name in [name for name, value in environment.items() if name not in given and value.endswith(".pem")]:
        environment[name] = str(tmp_path / environment[name])
    samples(tmp_path / "samples", map(program, range(4)))
    port = free_port()
    address = f"tls://127.0.0.1:{port}"
    worker = ["dask", "worker", address, "--nthreads", "1", "--no-nanny"]
    with cluster(tmp_path / "workers", lines[-1].split(), worker, port, environment):
        done = client(tmp_path, address, environment)
        assert done.returncode == 0, done.stderr
        assert len(dataset(tmp_path / "results")["programs"]) == 4
        samples(tmp_path / "samples", map(program, range(5)))
        stranger = client(tmp_path, address, given)
        assert stranger.returncode == 3
        assert f"there is no scheduler at {address}" in stranger.stderr
        plain = client(tmp_path, address.replace("tls", "tcp"), given)
        assert plain.returncode == 3
    assert len(dataset(tmp_path / "results")["programs"]) == 4


def test_a_cluster_that_has_no_hds_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none" / "hds").mkdir(parents=True)
    (tmp_path / "none" / "hds" / "__init__.py").write_text("raise ModuleNotFoundError('No module named hds')")
    samples(tmp_path / "samples", map(program, range(2)))
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    worker = ["dask", "worker", address, "--nthreads", "1", "--no-nanny"]
    monkeypatch.syspath_prepend(tmp_path / "none")
    others = {**os.environ, "PYTHONSAFEPATH": "1"}  # they find nothing in the current folder
    with cluster(tmp_path / "workers", ["dask", "scheduler"], worker, port, others):
        done = client(tmp_path, address)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("hds: the cluster cannot run hds: ")
    assert dataset(tmp_path / "results")["programs"] == []


def test_a_worker_of_another_version_says_so() -> None:
    campaign = new_campaign(SourceFile("s.hds", SCRIPT), None, Settings(), Budget())
    other = replace(campaign, identity=replace(campaign.identity, version="0"))
    with pytest.raises(ClusterLost, match="and this is 0") as found:
        run_batch(msgspec.msgpack.encode(other), msgspec.msgpack.encode([]))
    assert pickle.loads(pickle.dumps(found.value)).hint == found.value.hint


def test_the_compose_file_is_a_cluster(tmp_path: Path) -> None:
    services = yaml.safe_load(next(text for kind, text in BLOCKS if kind == "yaml"))["services"]
    assert services.keys() == {"scheduler", "worker"}
    assert services["worker"]["depends_on"] == ["scheduler"]
    assert services["worker"]["deploy"] == {"replicas": 3}
    assert services["scheduler"]["ports"] == ["127.0.0.1:8786:8786"]
    port = free_port()
    scheduler, worker = (services[name]["command"].split() for name in ("scheduler", "worker"))
    worker = [word.replace("scheduler:8786", f"127.0.0.1:{port}") for word in worker]
    samples(tmp_path / "samples", map(program, range(4)))
    with cluster(tmp_path / "workers", scheduler, worker, port):
        done = client(tmp_path, f"tcp://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    assert {row["exit_code"] for row in dataset(tmp_path / "results")["programs"]} == {0, 1, 2, 3}
