"""`hds report` of a folder of `hds corpus`: one page with links, and a page for each run."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")
pytest.importorskip("jinja2", reason="Jinja2 (extra report) is not installed")

from corpus_world import CRASHING, program
from hds_guests import command_line

from hds.corpus import Budget, Outcome, Settings, new_campaign
from hds.corpus.single import run_program
from hds.corpus.store import Store
from hds.corpus.worker import Gathered, Item, failed_row
from hds.session import load_engine
from lang import SourceFile

SCRIPT = '!syscall script { printf("<b>%llx</b>\\n", $context); }'
HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, in one part each, of which one crashes, and a file that could not be read."""
    folder = tmp_path_factory.mktemp("campaign") / "results"
    campaign = new_campaign(SourceFile("calls.hds", SCRIPT), None, Settings(), Budget())
    engine = load_engine(None, campaign.settings.limits)
    with Store(folder, campaign.identity) as store:
        for number, content in ((3, program(3)), (4, program(4)), (6, CRASHING)):
            rows = Gathered()
            said = run_program(campaign, engine, content, None)
            rows.add_said({"key": f"{number:064x}", "path": f"sample {number}{HOSTILE}"}, said)
            store.add(rows.tables())
        rows = Gathered()
        rows.add(failed_row(Item(f"{5:064x}", b"gone", "", 0, None), Outcome.NO_INPUT, "there is no such file"))
        store.add(rows.tables())
    return folder


def test_the_page_leads_to_every_run(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line("report", str(results)).code == 0
    index = (tmp_path / "report" / "index.html").read_text()
    rows = re.findall(r'<a href="(runs/[0-9a-f]{64}\.html)">(.*?)</a></td><td class="word">(\w+)<', index)
    assert [(html.unescape(path), outcome) for _, path, outcome in rows] == [
        ("gone", "no_input"),
        (f"sample 6{HOSTILE}", "guest_crash"),
        (f"sample 3{HOSTILE}", "ok"),
        (f"sample 4{HOSTILE}", "ok"),
    ]
    assert HOSTILE not in index
    pages = [(tmp_path / "report" / page).read_text() for page, _, _ in rows]
    assert "there is no such file" in pages[0]
    assert "invalid instruction" in pages[1]
    assert "program exited with code 3" in pages[2]
    assert "exit" in pages[3]
    assert '"\\u003cb\\u003e3c\\u003c/b\\u003e"' in pages[2]
    assert all(HOSTILE not in page for page in pages)


def test_a_page_has_as_many_runs_as_the_limit_says(results: Path, tmp_path: Path) -> None:
    assert command_line("report", str(results), "-o", str(tmp_path / "few"), "--max-report-programs", "2").code == 0
    assert len(list((tmp_path / "few" / "runs").iterdir())) == 2
    assert "2 of 4 have pages" in (tmp_path / "few" / "index.html").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "perfetto"], "the results of hds corpus are shown alone, as a folder of pages"),
        (["-o", "-"], "the results of hds corpus are shown alone, as a folder of pages"),
        ([], "has no results of hds corpus"),
    ],
)
def test_other_wishes_are_refused(results: Path, tmp_path: Path, more: list[str], said: str) -> None:
    folder = str(results if more else tmp_path)
    ran = command_line("report", folder, *more)
    assert ran.code != 0
    assert said in ran.errors
