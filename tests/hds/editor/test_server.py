"""`hds lsp` as an editor meets it: a client of pygls over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from editor_client import Desk, Editor, Text, desk
from effort import often
from example_texts import EXAMPLES, damaged
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from hds.cli.main import main
from hds.exit_codes import ExitCode

pytestmark = pytest.mark.lasting

SCRIPT = """\
!syscall script {
    // 😀 places behind it count two units
    long count;
    printf("😀 %d %d", @rxa, .total);
    .total = twice(count) + 0x10;
    int twice(int number) { return number + number; }
}
? print(.total);
"""


@pytest.fixture(scope="module")
def usual() -> Iterator[Desk]:
    with desk("--symbol", "hello!check=401000") as made:
        yield made


@pytest.fixture(scope="module")
def small() -> Iterator[Desk]:
    with desk("--max-source-bytes", "1000", "--target", "hds") as made:
        yield made


def whole(text: Text) -> lsp.Range:
    return lsp.Range(lsp.Position(0, 0), lsp.Position(len(text.text.split("\n")), 0))


def test_findings_while_typing(usual: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", SCRIPT)
        (unknown,) = [item for item in await text.findings() if item.code == "E009"]
        assert text.shown(unknown.range) == "@rxa"
        assert unknown.message == "`@rxa` is no register\nhint: did you mean `@rax`?"
        assert unknown.severity is lsp.DiagnosticSeverity.Error
        assert unknown.source == "hds"
        text.change(SCRIPT.replace("@rxa", "@rax"))
        codes = {str(item.code)[0] for item in await text.findings()}
        assert "E" not in codes
        text.change(SCRIPT.replace("@rxa", "@rax").replace("}\n?", "?"))
        assert [item.code for item in await text.findings() if str(item.code)[0] == "E"] != []

    usual.do(work)


def test_hover_definition_references_and_rename(usual: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", SCRIPT.replace("@rxa", "@rax"))

        async def hover(word: str, inside: int = 0) -> str:
            found = await editor.text_document_hover_async(lsp.HoverParams(text.id, text.at(word, inside)))
            assert found is not None
            assert isinstance(found.contents, lsp.MarkupContent)
            return found.contents.value

        assert "SYSCALL is executed" in await hover("!syscall", 3)
        assert "printf(format, arguments...)" in await hover("printf")
        assert "64 bits" in await hover("@rax")
        assert "decimal `0n16`" in await hover("0x10")
        assert "int twice(int number)" in await hover("twice(count)")
        assert "int number" in await hover("number +")
        assert "U64 .total" in await hover(".total", 1) or "long" in await hover(".total", 1)

        where = await editor.text_document_definition_async(lsp.DefinitionParams(text.id, text.at("twice(count)")))
        assert isinstance(where, lsp.Location)
        assert (where.uri, where.range.start) == (text.uri, text.at("twice(int"))

        context = lsp.ReferenceContext(include_declaration=True)
        total = lsp.ReferenceParams(context, text.id, text.at(".total);", 1))
        found = await editor.text_document_references_async(total)
        assert found is not None
        assert [text.shown(item.range) for item in found] == [".total"] * 3  # those of both scripts

        edit = await editor.text_document_rename_async(lsp.RenameParams(text.id, text.at("number)"), "value"))
        assert edit is not None
        assert edit.changes is not None
        assert [text.shown(item.range) for item in edit.changes[text.uri]] == ["number"] * 3
        for name in ("rax", "0x", "count+", "if", ""):
            with pytest.raises(JsonRpcException, match="is no name"):
                await editor.text_document_rename_async(lsp.RenameParams(text.id, text.at("number)"), name))
        with pytest.raises(JsonRpcException, match="not defined by a script"):
            await editor.text_document_rename_async(lsp.RenameParams(text.id, text.at("printf"), "value"))

    usual.do(work)


def test_completion_and_signatures(usual: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        async def offered(before: str, behind: str = "") -> set[str]:
            text.change(before + behind)
            text.text = before
            found = await editor.text_document_completion_async(lsp.CompletionParams(text.id, end(before)))
            return set() if found is None else {item.label for item in found.items}  # type: ignore[union-attr]  # a list

        def end(before: str) -> lsp.Position:
            lines = before.split("\n")
            return lsp.Position(len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2)

        text = editor.open(tmp_path / "trace.hds", "")
        assert {"!syscall", ".start", "bp"} <= await offered("!sy")
        assert {"stage", "script", "pid"} <= await offered("!syscall ")
        assert await offered("!syscall stage ") == {"pre", "post", "all"}
        assert {"rw", "va"} <= await offered("!monitor ")
        assert {"hello!check"} <= await offered("!epthook hello!ch")
        assert {"@rax", "@eflags"} <= await offered("!syscall script { printf(@", ");\n}")
        assert {"$pid", "$context"} <= await offered("!syscall script { 😀; printf($")  # never closed
        assert {"printf", "while", "long"} <= await offered("? pri")
        assert {"local", "twice", "printf"} <= await offered(
            "? { int twice(int n) { return n + n; } long local = 1; ", " print(local); }"
        )
        assert await offered("? { struct Pair { long left; long right; }; struct Pair pair; pair.", "left = 1; }") == {
            "left",
            "right",
        }
        assert await offered("? { // pri") == set()
        assert await offered('? { printf("pri') == set()

        text.change("? { event_inject(3, 0e); strlen( }")
        params = lsp.SignatureHelpParams(text.id, text.at("0e"))
        found = await editor.text_document_signature_help_async(params)
        assert found is not None
        assert (found.signatures[0].label, found.active_parameter) == ("event_inject(number, number)", 1)
        found = await editor.text_document_signature_help_async(
            lsp.SignatureHelpParams(text.id, text.at("strlen(", len("strlen(")))
        )
        assert found is not None
        assert found.signatures[0].label == "strlen(string) -> number"

    usual.do(work)


def test_layout_actions_symbols_and_tokens(usual: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", "?   print( 0n16 );\n!syscal script { .😀total = 1; }\n")
        actions = await editor.text_document_code_action_async(
            lsp.CodeActionParams(text.id, whole(text), lsp.CodeActionContext([]))
        )
        assert actions is not None
        assert [item.title for item in actions] == ["Write !syscall"]
        options = lsp.FormattingOptions(tab_size=4, insert_spaces=True)
        text.change("?   print( 10 );\n\n\n\n!syscall   pid  4 script {.total=10;}\n")
        (edit,) = await editor.text_document_formatting_async(lsp.DocumentFormattingParams(text.id, options)) or []
        assert edit.new_text == "? print(10);\n\n!syscall pid 4 script { .total = 10; }\n"
        text.change(edit.new_text)
        assert not await editor.text_document_formatting_async(lsp.DocumentFormattingParams(text.id, options))
        actions = await editor.text_document_code_action_async(
            lsp.CodeActionParams(text.id, lsp.Range(text.at("10"), text.at("10")), lsp.CodeActionContext([]))
        )
        assert [item.title for item in actions or []] == ["Write 0n16, which is the same"]
        symbols = await editor.text_document_document_symbol_async(lsp.DocumentSymbolParams(text.id))
        assert [(item.name, [child.name for child in item.children]) for item in symbols or []] == [  # type: ignore[union-attr]  # symbols of documents
            ("? print(10);", []),
            ("!syscall pid 4 script", [".total"]),
        ]
        tokens = await editor.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(text.id))
        assert tokens is not None
        rows = [tuple(tokens.data[at : at + 3]) for at in range(0, len(tokens.data), 5)]
        assert rows[:3] == [(0, 0, 1), (0, 2, 5), (0, 6, 2)]  # `?`, `print`, `10`
        text.change("? {")
        with pytest.raises(JsonRpcException, match="never closed"):
            await editor.text_document_formatting_async(lsp.DocumentFormattingParams(text.id, options))

    usual.do(work)


def test_what_a_text_includes(usual: Desk, tmp_path: Path) -> None:
    (tmp_path / "names.ds").write_text("int twice(int number) { return number + number; }\n")
    (tmp_path / "wrong.ds").write_text("print(@rxa);\n")

    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", '? { #include "names.ds"\nprint(twice(2)); }\n')
        assert [item for item in await text.findings() if str(item.code)[0] == "E"] == []
        where = await editor.text_document_definition_async(lsp.DefinitionParams(text.id, text.at("twice")))
        assert isinstance(where, lsp.Location)
        assert (where.uri, where.range.start) == ((tmp_path / "names.ds").as_uri(), lsp.Position(0, 4))
        edit = await editor.text_document_rename_async(lsp.RenameParams(text.id, text.at("twice"), "double_v"))
        assert edit is not None
        assert {uri: len(edits) for uri, edits in (edit.changes or {}).items()} == {where.uri: 1, text.uri: 1}
        where = await editor.text_document_definition_async(lsp.DefinitionParams(text.id, text.at("names.ds")))
        assert isinstance(where, lsp.Location)
        assert where.uri == (tmp_path / "names.ds").as_uri()
        text.change('? { #include "wrong.ds"\n}\n')
        (wrong,) = [item for item in await text.findings() if item.code == "E009"]
        assert text.shown(wrong.range) == '"wrong.ds"'
        assert "wrong.ds:1:7: `@rxa` is no register" in wrong.message

    usual.do(work)


def test_texts_that_are_too_large(small: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", "? print(1);\n" * 100)
        (only,) = await text.findings()
        assert "limit max_source_bytes" in only.message
        with pytest.raises(JsonRpcException, match="max_source_bytes"):
            await editor.text_document_hover_async(lsp.HoverParams(text.id, text.at("print")))
        text.change("? print(@rxa);\n")
        assert [item.code for item in await text.findings()] == ["E009"]

    small.do(work)


def test_selection_is_that_of_check(small: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", "? for (i = 0; i < 10; i++) { print(i); }\n")
        assert [item.code for item in await text.findings()] == ["W020"]

    small.do(work)


def test_a_saved_file_is_seen_by_those_that_include_it(usual: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "with blanks é"
    folder.mkdir()
    (folder / "names.ds").write_text("print(@rax);\n")

    async def work(editor: Editor) -> None:
        text = editor.open(folder / "trace.hds", '? { #include "names.ds"\n}\n')
        assert "E009" not in [item.code for item in await text.findings()]
        (folder / "names.ds").write_text("print(@rxa);\n")
        editor.found.pop(text.uri)
        editor.text_document_did_save(lsp.DidSaveTextDocumentParams(text.id))
        assert "E009" in [item.code for item in await text.findings()]

    usual.do(work)


def test_broken_texts_do_not_end_it(usual: Desk, tmp_path: Path) -> None:
    async def work(editor: Editor) -> None:
        text = editor.open(tmp_path / "trace.hds", "")
        for broken in damaged(EXAMPLES["examples/linux/strace.hds"], 5, often(6, 200)):
            text.change(broken)
            place = lsp.Position(broken.count("\n") // 2, 10)
            await editor.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(text.id))
            await editor.text_document_completion_async(lsp.CompletionParams(text.id, place))
            await editor.text_document_hover_async(lsp.HoverParams(text.id, place))
        text.change("? print(@rxa);\n")
        assert [item.code for item in await text.findings()] == ["E009"]
        closed = lsp.TextDocumentIdentifier((tmp_path / "closed.hds").as_uri())
        with pytest.raises(JsonRpcException, match="is not open"):
            await editor.text_document_hover_async(lsp.HoverParams(closed, lsp.Position(0, 0)))

    usual.do(work)


def test_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("hds.cli.subcommands.lsp.find_spec", lambda name: None)
    assert main(["lsp"]) == ExitCode.USAGE
    assert "pygls is not installed" in (said := capsys.readouterr().err)
    assert "[lsp]" in said


def message(content: object) -> bytes:
    data = json.dumps(content).encode() if not isinstance(content, bytes) else content
    return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)


def test_what_is_no_message_or_no_request_ends_nothing_but_the_end_of_the_input_does() -> None:
    place = {"textDocument": {"uri": "file:///closed.hds"}, "position": {"line": 0, "character": 0}}
    sent = (
        b"{broken}",
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "processId": None}},
        {"jsonrpc": "2.0", "id": 2, "method": "no/such", "params": {}},
        {"jsonrpc": "2.0", "id": 3, "method": "textDocument/hover", "params": place},
        {"jsonrpc": "2.0", "id": 4, "method": "shutdown"},
    )
    command = [sys.executable, "-m", "hds", "lsp"]
    done = subprocess.run(command, input=b"".join(map(message, sent)), capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    assert b"is not open" in done.stdout
    assert b'"id": 4' in done.stdout
