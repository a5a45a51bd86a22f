"""The documentation as a site, as a browser has it: it fits, complains of nothing, loads nothing; the search finds."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from source_trees import ROOT

pytestmark = pytest.mark.programs

PAGES = sorted(path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md"))
WIDTHS = (400, 1280)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site. It is built strictly: a link to nowhere, or a page that is in no menu, is an error."""
    pytest.importorskip("material", reason="mkdocs-material (extra docs) is not installed")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, on this machine."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def opened(address: str) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_complains_of_nothing_and_loads_from_here_only(opened: Browser, address: str, name: str) -> None:
    opened.open(f"{address}/{name}.html")
    for width in WIDTHS:
        opened.show(width, "light")
        assert opened.run("return document.documentElement.scrollWidth") <= width
    loaded = opened.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [each for each in loaded if not each.startswith(f"{address}/")] == []
    assert opened.complaints() == []


def test_scripts_have_the_colours_of_our_lexer(opened: Browser, address: str) -> None:
    opened.open(f"{address}/tutorial.html")
    query = "return [...document.querySelectorAll('.highlight .nd')].map(span => span.textContent)"
    assert "!syscall" in opened.run(query)
    opened.open(f"{address}/language.html")
    assert opened.run("return document.querySelectorAll('.highlight .err').length") < 20


def test_the_search_finds_a_recipe(opened: Browser, address: str) -> None:
    opened.open(f"{address}/index.html")
    opened.show(1280, "light")
    found = opened.run_later(
        """
        const done = arguments[0];
        const field = document.querySelector("[data-md-component=search-query]");
        document.querySelector("[data-md-toggle=search]").click();
        field.focus();
        field.value = "unpacked";
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
        const wait = setInterval(() => {
          const hits = [...document.querySelectorAll(".md-search-result__link")].map(link => link.getAttribute("href"));
          if (hits.length) { clearInterval(wait); done(hits); }
        }, 50);
        """
    )
    assert any("cookbook/memory.html" in link for link in found)
