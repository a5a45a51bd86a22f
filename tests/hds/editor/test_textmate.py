"""The grammar for editors, as the engine of Visual Studio Code reads it, against the language's own lexers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from example_texts import EXAMPLES, ROOT

from hds.editor.positions import Positions
from hds.editor.textmate import SCOPES, textmate_grammar
from lang import PartKind, SourceFile, script_parts
from lang.commands import begins_as_statement, command_parts

PACKAGES = ROOT / "build" / "vscode" / "node_modules"
TEXTS = {
    "blocks.hds": "!syscall asm condition { cld } code { 90 c3 } output {a, b} script { x = 1; } // end\n"
    "!epthook hello!check+4 pid all stage post core 0n1 script {file: a b.ds}\n"
    "!monitor rw 401000 l 8 script {\n    if (1) \\{ .x = 'c'; \\}\n}\nbp main\nr rax = 0x10 + ff\n"
    'print @eax + .x\n.logopen "a \\" b" /* over\nlines */\n# remark\ndt nt!_EPROCESS\n',
    "bare.ds": '#include "a.ds"\nstruct Pair { long left; };\n'
    "long twice(long n_v) { return n_v.left->right[1].up + rax; }\n"
    'p = &p;\n.total += enable_event(1.5, $pid, $context) + L"x\\x41\\n";\n'
    'printf("%d\\n", twice(nt!ExAllocatePool));\n',
}


def test_every_kind_has_a_scope() -> None:
    assert set(SCOPES) == set(PartKind)
    assert len(set(SCOPES.values())) == len(SCOPES)


def test_the_grammar_names_no_rule_that_it_lacks() -> None:
    grammar = textmate_grammar()
    included = set(json.dumps(grammar).split('{"include": "#'))
    names = {text.partition('"')[0] for text in included if text.partition('"')[0].isalpha()}
    assert names <= set(grammar["repository"])


@pytest.mark.programs
def test_it_says_of_all_examples_what_the_lexers_say(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (PACKAGES / "vscode-textmate").is_dir() or not (PACKAGES / "vscode-oniguruma").is_dir():
        pytest.skip("needs node, and vscode-textmate and vscode-oniguruma in build/vscode")
    (tmp_path / "grammar.json").write_text(json.dumps(textmate_grammar()))
    texts = TEXTS | EXAMPLES
    files = [tmp_path / str(number) for number in range(len(texts))]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text)
    command = [node, str(Path(__file__).parent / "tokenise.cjs"), str(PACKAGES), str(tmp_path / "grammar.json")]
    done = subprocess.run(
        command, input="\n".join(map(str, files)), text=True, capture_output=True, timeout=120, check=True
    )
    wrong = []
    for (name, text), line in zip(texts.items(), done.stdout.splitlines(), strict=True):
        wrong += differences(name, text, json.loads(line))
    assert "\n".join(wrong) == ""


def differences(name: str, text: str, rows: list[tuple[int, int, int, str]]) -> list[str]:
    """Where the engine sees something else than the lexers do."""
    source = SourceFile(name, text)
    positions = Positions(source)
    scopes = [""] * len(text)
    for line, start, end, scope in rows:
        first, last = positions.offset(line, start), positions.offset(line, end)
        scopes[first:last] = [scope] * (last - first)
    found = []
    for kind, start, end in script_parts(source) if begins_as_statement(text) else command_parts(source):
        for at in range(start, end):
            if not text[at].isspace() and not scopes[at].startswith(SCOPES[kind]):
                place = source.position(at)
                found.append(f"{name}:{place}: {text[start:end][:40]!r} is {kind.value}, and {scopes[at]} there")
                break
    return found
