"""The page of `hds report`, as a browser has it: no complaint, no overflow, readable, and text stays text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from hds_guests import command_line
from source_trees import ROOT

pytestmark = pytest.mark.programs

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\x1b[31mred\x1b]0;title\x07",
    "a\u2028b\u2029c\u202ed",
    "=cmd|'/C calc'!A0",
    "{{ 7 * 7 }}",
    "x" * 3000,
    "\ud800",
)
GUEST = """
start:
    mov ecx, 60
again:
    push rcx
    mov [rsp+rcx*8-512], rcx
    mov eax, 39
    syscall
    pop rcx
    dec ecx
    jnz again
    lea rsi, [rip + text]
    mov edx, 6
    mov edi, 1
    mov eax, 1
    syscall
    mov eax, 60
    xor edi, edi
    syscall
text: db "hello", 10
"""
SCRIPT = """\
!syscall script {
    if (@rax == 1)
        { printf("write of size=%d bytes\\n", @rdx); }
    else
        { printf("other\\n"); }
    if (@rax == 5555)
        { printf("never\\n"); }
}
!monitor rw @rsp-200 @rsp script { printf("access to %llx by LONG\\n", $context); }
""".replace("LONG", "w" * 200)
RECORDED = (
    "--record", "triggers", "--record", "lines", "--record", "times",
    "--fields", "--aggregate", "count by context", "--aggregate", "hist(size) by process",
)  # fmt: skip
PICTURES = ROOT / "build" / "report"


def run_lines(tmp_path: Path, name: str, *words: str) -> Path:
    """The file of a run that is made now."""
    path = tmp_path / name
    path.write_text(command_line("run", "--format", "json", *words).output, encoding="utf-8")
    return path


def hostile_run(path: Path, real: Path) -> Path:
    """A run all of whose texts are hostile ones."""

    def poisoned(value: object, text: str) -> object:
        if isinstance(value, dict):
            kept = ("type", "stage", "kind", "severity", "cause", "schema")
            return {name: inner if name in kept else poisoned(inner, text) for name, inner in value.items()}
        if isinstance(value, list):
            return [poisoned(inner, text) for inner in value]
        return text if isinstance(value, str) else value

    records = [json.loads(line) for line in real.read_text().splitlines()]
    lines = [json.dumps(poisoned(record, HOSTILE[at % len(HOSTILE)])) for at, record in enumerate(records)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("runs")
    script = place / "calls.hds"
    script.write_text(SCRIPT)
    guest = place / "guest.asm"
    guest.write_text(GUEST)
    real = run_lines(place, "a.jsonl", *RECORDED, str(script), str(guest))
    return [real, hostile_run(place / "hostile.jsonl", real)]


@pytest.fixture(scope="module")
def page(runs: list[Path]) -> Path:
    made = runs[0].parent / "report.html"
    ran = command_line("report", *map(str, runs), "-o", str(made))
    assert (ran.code, ran.output) == (0, ""), ran.errors
    return made


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Browser]:
    with browser() as found:
        found.open(page)
        yield found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_fits_and_can_be_read(opened: Browser, width: int, theme: str) -> None:
    opened.show(width, theme)
    opened.picture(PICTURES / f"{theme}-{width}.png")
    assert opened.run("return document.documentElement.scrollWidth") <= width
    contrasts = opened.contrasts()
    assert len(contrasts) > 50
    assert {text: value for text, value in contrasts.items() if value < 4.5} == {}


def test_a_browser_complains_of_nothing_and_loads_nothing(opened: Browser) -> None:
    assert opened.complaints() == []
    assert opened.run("return performance.getEntriesByType('resource').length") == 0
    assert opened.run("return document.querySelectorAll('.chart canvas').length") == 2


def test_texts_of_runs_are_texts(opened: Browser) -> None:
    """No element comes of them; what does not print is shown as an escape sequence."""
    assert opened.run("return document.scripts.length") == 2
    assert opened.run("return document.title").startswith("hds report: ")
    text = opened.run("return document.body.innerText")
    assert "</script><script>alert(1)</script>" in text
    assert "<!--<script>" in text
    assert "\\x1b[31mred\\x1b]0;title\\x07" in text
    assert "a\\u2028b\\u2029c\\u202ed" in text
    assert "=cmd|'/C calc'!A0" in text
    assert "{{ 7 * 7 }}" in text


def test_scripts_have_hits(opened: Browser) -> None:
    cells = "row => [...row.cells].map(cell => cell.innerText)"
    rows = opened.run(f"return [...document.querySelectorAll('.script tbody tr')].map({cells})")
    assert ["3", "1", '        { printf("write of size=%d bytes\\n", @rdx); }'] in rows
    assert opened.run("return document.querySelectorAll('.script .missed').length") == 2  # one of each run


def test_the_policy_lets_no_other_script_run(opened: Browser) -> None:
    opened.run(
        "const added = document.createElement('script'); added.textContent = 'window.ran = 1';"
        "document.body.append(added); return null"
    )
    assert opened.run("return window.ran === undefined")
    assert any("Content Security Policy" in each for each in opened.complaints())


def test_messages_are_filtered_and_searched(opened: Browser) -> None:
    search = """
        const section = document.querySelector('.messages');
        section.querySelector('input').value = arguments_0;
        section.querySelector('form').dispatchEvent(new Event('input'));
        return [...section.querySelectorAll('tbody tr')].map(row => row.lastChild.textContent);
    """
    everything = opened.run(search.replace("arguments_0", "''"))
    found = opened.run(search.replace("arguments_0", "'WRITE of'"))
    assert set(found) == {"write of size=6 bytes"}
    assert 0 < len(found) < len(everything)


def test_a_theme_can_be_chosen(opened: Browser) -> None:
    opened.show(1280, "light")
    ask = "document.getElementById('theme').click(); return getComputedStyle(document.body).backgroundColor"
    colours = [opened.run(ask) for _ in range(3)]
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 28)", "rgb(255, 255, 255)"]
