"""The syntax file for Vim, as Vim reads it, against the language's own lexers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from example_texts import EXAMPLES, ROOT
from test_textmate import TEXTS

from hds.editor.vim import GROUPS, vim_syntax
from lang import PartKind, SourceFile, script_parts
from lang.commands import begins_as_statement, command_parts

VIM = ROOT / "editors" / "vim"
# What Vim is not told: words of commands that mean something for one command only, and what has the colour of text.
NOT_TOLD = {PartKind.WORD, PartKind.CONSTANT, PartKind.OPTION, PartKind.NAME, PartKind.PUNCTUATION, PartKind.OPERATOR}
DUMP = """
set nocompatible
exe 'set runtimepath^=' . $PLUGIN
syntax on
filetype plugin on
let all = []
for name in readfile($NAMES)
  exe 'edit! ' . fnameescape(name)
  let rows = []
  for number in range(1, line('$'))
    let row = []
    let last = ''
    for column in range(1, col([number, '$']) - 1)
      let group = synIDattr(synID(number, column, 1), 'name')
      if group !=# last
        call add(row, [column, group])
        let last = group
      endif
    endfor
    call add(rows, row)
  endfor
  call add(all, json_encode([&filetype, &commentstring, rows]))
endfor
call writefile(all, $RESULT)
qall!
"""


def test_groups_are_linked_once() -> None:
    assert len({group for group, _ in GROUPS.values()}) == len(GROUPS)
    for group, _ in GROUPS.values():
        assert f"hi def link {group} " in vim_syntax()


@pytest.mark.programs
def test_vim_sees_in_all_examples_what_the_lexers_see(tmp_path: Path) -> None:
    vim = shutil.which("vim")
    if vim is None:
        pytest.skip("needs vim")
    texts = TEXTS | {name: text for name, text in EXAMPLES.items() if "call_names" not in name}
    files = []
    for number, text in enumerate(texts.values()):
        files.append(tmp_path / f"{number}.hds")
        files[-1].write_text(text)
    (tmp_path / "names").write_text("\n".join(map(str, files)))
    (tmp_path / "dump.vim").write_text(DUMP)
    environment = {
        "PLUGIN": str(VIM),
        "NAMES": str(tmp_path / "names"),
        "RESULT": str(tmp_path / "result"),
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
    }
    command = [vim, "-N", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", str(tmp_path / "dump.vim")]
    subprocess.run(command, env=environment, timeout=300, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    wrong = []
    for (name, text), line in zip(
        texts.items(), (tmp_path / "result").read_text(encoding="utf-8").splitlines(), strict=True
    ):
        kind, comment, rows = json.loads(line)
        assert (kind, comment) == ("hds", "// %s")
        wrong += differences(name, text, rows)
    assert "\n".join(wrong) == ""


def differences(name: str, text: str, rows: list[list[tuple[int, str]]]) -> list[str]:
    """Where Vim sees something else than the lexers do; columns are bytes, from 1."""
    source = SourceFile(name, text)
    found = []
    for kind, start, end in script_parts(source) if begins_as_statement(text) else command_parts(source):
        line, column = source.position(start)
        byte = len(text[start - column + 1 : start].encode()) + 1
        group = next((group for first, group in reversed(rows[line - 1]) if first <= byte), "")
        expected = GROUPS[kind][0] if kind in GROUPS else ""
        if kind not in NOT_TOLD and group.removesuffix("2") != expected:
            found.append(f"{name}:{line}:{column}: {text[start:end][:40]!r} is {kind.value}, and {group!r} there")
    return found
