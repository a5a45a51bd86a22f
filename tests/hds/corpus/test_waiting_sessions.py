"""Sessions that wait for their programs, and rows that are made of many runs at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")

from corpus_world import program
from source_trees import ROOT

from hds.corpus import Budget, Settings, new_campaign
from hds.corpus.campaign import Campaign
from hds.corpus.single import kernel_of, run_program, waiting_session
from hds.corpus.worker import Gathered
from hds.session import load_engine
from lang import SourceFile

WHERE = '!syscall script { printf("%llx %llx %llx", virtual_to_physical(@rip), virtual_to_physical(@rsp), $proc); }'


def campaign_of(script: str) -> Campaign:
    return new_campaign(SourceFile("script.hds", script), None, Settings(), Budget())


@pytest.mark.parametrize("kernel", ["linux", None])
def test_a_session_that_waited_is_one_that_did_not(kernel: str | None) -> None:
    campaign = campaign_of(WHERE)
    engine = load_engine(None, campaign.settings.limits)
    data = program(3)
    said = run_program(campaign, engine, data, None)
    waiting = waiting_session(campaign, engine, kernel)
    assert b'"exit_code": 3' in said
    assert b'"text"' in said
    assert run_program(campaign, engine, data, None, waiting) == said


@pytest.mark.parametrize(
    ("data", "kind", "kernel"),
    [(program(0), None, "linux"), (b"MZ" + bytes(62), None, "nt"), (b"\x90", None, None), (program(0), "raw", None)],
)
def test_first_bytes_tell_the_kernel(data: bytes, kind: str | None, kernel: str | None) -> None:
    assert kernel_of(campaign_of("!syscall script { x = 1; }"), data, kind) == kernel


def test_what_is_no_run_is_a_row_of_its_own_and_harms_no_others() -> None:
    campaign = campaign_of(WHERE)
    engine = load_engine(None, campaign.settings.limits)
    said = run_program(campaign, engine, program(3), None)
    summary = next(line for line in said.splitlines() if b'"summary"' in line)
    wrong = json.dumps({**json.loads(summary), "triggers": -1}).encode()
    rows = Gathered()
    for key, lines in (("a", said), ("b", wrong), ("c", b"{"), ("d", said)):
        rows.add_said({"key": key}, lines)
    made = rows.tables()
    outcomes = {row["key"]: row["outcome"] for row in made["programs"].to_pylist()}
    assert outcomes == {"a": "ok", "b": "internal_error", "c": "internal_error", "d": "ok"}
    assert made["messages"]["key"].to_pylist() == ["a", "d"]


def test_what_children_may_use_is_loaded_before_they_are_forked() -> None:
    code = (
        "import sys\n"
        "from hds.corpus import Budget, Settings, new_campaign\n"
        "from hds.corpus.fork_server import _Warm\n"
        "from hds.session import load_engine\n"
        "from lang import SourceFile\n"
        "campaign = new_campaign(SourceFile('s.hds', '!syscall script { x = 1; }'), None, Settings(), Budget())\n"
        "_Warm(campaign, load_engine(None, campaign.settings.limits)).up()\n"
        "print(*sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    rarely_used = {"linux.signals", "linux.host_files", "linux.proc.nodes", "linux.calls.futexes"}
    wanted = {f"machine.kernel.{each}" for each in rarely_used} | {
        "machine.loaders.pe", "machine.native.accesses", "machine.processor.memory_operands", "machine.root.processor",
    }  # fmt: skip
    assert wanted <= set(ran.stdout.split())
