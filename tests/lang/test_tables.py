"""The tables of the grammars: data of the package, equal to what Lark makes of the grammars, and all that is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lang
from lang import lalr, tables
from lang.commands import parse_event, read_commands
from lang.compiler import Compiler
from lang.source import SourceFile

PACKAGE = Path(lang.__file__).parent
TABLES = (PACKAGE / "script.json", PACKAGE / "commands" / "commands.json")


@pytest.mark.parametrize("grammar", tables.GRAMMARS, ids=lambda path: path.stem)
def test_the_committed_tables_are_those_of_the_grammar(grammar: Path) -> None:
    assert grammar.with_suffix(".json").read_text(encoding="utf-8") == tables.made(grammar), "run `make tables`"


def test_a_rule_that_the_automaton_has_no_form_of_is_refused(tmp_path: Path) -> None:
    grammar = tmp_path / "wrong.lark"
    grammar.write_text("start: item\n?item: A B\n%declare A B\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs a name"):
        tables.made(grammar)


def test_a_compilation_opens_no_file_but_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(arguments[0]))

    for variable in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    source = SourceFile("commands.hds", "!syscall pid 1 script { print(1); }")
    lalr.load.cache_clear()
    sys.addaudithook(watch)
    commands, errors = read_commands(source)
    event, event_errors = parse_event(commands[0])
    made = Compiler(portability=False).compile(SourceFile("test.hds", "print(1);"))
    watching = False
    assert not errors
    assert not event_errors
    assert event is not None
    assert made.ok
    assert {Path(name) for name in opened if not name.endswith((".py", ".pyc"))} == set(TABLES)


@pytest.mark.slow
def test_the_tool_starts_without_lark_and_leaves_no_cache(tmp_path: Path) -> None:
    script = (
        "import sys; from hds.cli.main import main; code = main(['eval', '-e', 'print(1);']);"
        "assert code == 0; assert not {'lark', 'pickle'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert list(tmp_path.iterdir()) == []
