"""README.md tells the truth: its commands print what it shows, its Python example gives what its comments say."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from hds.cli.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def console_examples() -> list[tuple[str, str]]:
    """Every command of a console block with the output that is shown below it."""
    examples = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            examples.append((command, output))
    return examples


@pytest.mark.parametrize(("command", "output"), console_examples(), ids=lambda value: value[:50])
def test_a_command_prints_what_the_readme_shows(
    command: str, output: str, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)
    assert words[0] == "hds"
    main(words[1:])
    assert capsysbinary.readouterr().out.decode() == output


def test_the_python_example_gives_what_its_comment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    expected = re.findall(r"print\(.*\)\s*# (.*)", code)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {})
    assert output.getvalue().splitlines() == expected


def test_the_example_script_is_the_file_in_the_repository() -> None:
    [script] = re.findall(r"```c\n(.*?)```", README, re.DOTALL)
    assert script == (ROOT / "examples" / "count_writes.hds").read_text(encoding="utf-8").partition("\n// test:")[0]


def test_every_page_that_the_readme_names_exists() -> None:
    for page in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (ROOT / page).is_file(), page
