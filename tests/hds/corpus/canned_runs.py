"""Campaigns of many programs in which no program runs: what the client and the scheduler need for them.

Workers that start in `canned_workers` say of each program what was said of one. All else is as it always is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from corpus_world import SCRIPT, program, samples

import hds.corpus
from hds.corpus import Budget, Settings, new_campaign
from hds.corpus.single import run_program
from hds.session import load_engine
from lang import SourceFile

WARM = 8_000  # programs: everything is loaded, and parts have been merged
PROGRAMS = 20_000
NEAR = 1_500  # programs

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


@contextmanager
def canned_workers(folder: Path) -> Iterator[None]:
    """A stretch in which workers that start run nothing; the folder is a new one."""
    campaign = new_campaign(SourceFile("script.hds", SCRIPT), None, Settings(), Budget())
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CANNED)
    said = run_program(campaign, load_engine(None, campaign.settings.limits), program(1), None)
    (folder / "sitecustomize.py.said").write_bytes(said)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([before] if before else [])])
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def sizes(
    folder: Path, process: psutil.Process, address: str | None = None, *, programs: int = PROGRAMS
) -> tuple[float, float]:
    """The memory of a process, in bytes, around `WARM` programs and near the end, in a campaign: medians."""
    found = samples(
        folder / "samples", (program(number % 256, b"\x90" * (number // 256)) for number in range(programs))
    )
    seen: list[tuple[int, int]] = []

    def watch(account: hds.corpus.Account) -> None:
        if not seen or account.run > seen[-1][0]:  # what is seen is to be small itself
            seen.append((account.run, process.memory_info().rss))

    account = hds.corpus.run(SCRIPT, [found], folder / "results", jobs=2, scheduler=address, watch=watch)
    assert account.outcomes == {"ok": programs}
    assert len(list((folder / "results" / "programs").iterdir())) <= programs // 1_000 + 1
    early = median(size for run, size in seen if abs(run - WARM) < NEAR)
    late = median(size for run, size in seen if run > programs - 2 * NEAR)
    return early, late
