"""An editor for tests: a client of pygls that starts `hds lsp` and talks to it over standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

PATIENCE = 60  # seconds


class Editor(LanguageClient):
    """Keeps the findings that the server has published last, by document."""

    def __init__(self) -> None:
        super().__init__("tests", "1")
        self.found: dict[str, list[lsp.Diagnostic]] = {}
        self.published = asyncio.Condition()

        async def publish(given: lsp.PublishDiagnosticsParams) -> None:
            async with self.published:
                self.found[given.uri] = list(given.diagnostics)
                self.published.notify_all()

        self.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)

    def open(self, path: Path, text: str) -> Text:
        """A document with this text, whether or not there is such a file."""
        item = lsp.TextDocumentItem(path.as_uri(), "hds", 1, text)
        self.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return Text(self, path, text)


class Text:
    """An open document."""

    def __init__(self, editor: Editor, path: Path, text: str) -> None:
        self.editor, self.path, self.text, self.version = editor, path, text, 1
        self.uri = path.as_uri()
        self.id = lsp.TextDocumentIdentifier(self.uri)

    def at(self, word: str, inside: int = 0) -> lsp.Position:
        """The position of the first `word`, or of a character inside, in UTF-16."""
        offset = self.text.index(word) + inside
        line = self.text.count("\n", 0, offset)
        begun = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return lsp.Position(line, len(begun.encode("utf-16-le")) // 2)

    def shown(self, where: lsp.Range) -> str:
        """The characters of a range."""
        lines = self.text.split("\n")
        assert where.start.line == where.end.line
        units = lines[where.start.line].encode("utf-16-le")
        return units[2 * where.start.character : 2 * where.end.character].decode("utf-16-le")

    def change(self, text: str) -> None:
        """Put another text in its place."""
        self.text = text
        self.version += 1
        self.editor.found.pop(self.uri, None)
        whole = lsp.TextDocumentContentChangeWholeDocument(text)
        document = lsp.VersionedTextDocumentIdentifier(self.version, self.uri)
        self.editor.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [whole]))

    async def findings(self) -> list[lsp.Diagnostic]:
        """What is published of the text as it is."""
        async with self.editor.published:
            await asyncio.wait_for(
                self.editor.published.wait_for(lambda: self.uri in self.editor.found), timeout=PATIENCE
            )
            return self.editor.found[self.uri]


@contextlib.asynccontextmanager
async def started(*options: str) -> AsyncIterator[Editor]:
    """An editor with its server, which ends in order."""
    editor = Editor()
    await editor.start_io(sys.executable, "-m", "hds", "lsp", *options)
    try:
        workspace = lsp.WorkspaceClientCapabilities(workspace_edit=lsp.WorkspaceEditClientCapabilities())
        capabilities = lsp.ClientCapabilities(workspace=workspace)
        await asyncio.wait_for(editor.initialize_async(lsp.InitializeParams(capabilities)), timeout=PATIENCE)
        editor.initialized(lsp.InitializedParams())
        yield editor
        await asyncio.wait_for(editor.shutdown_async(None), timeout=PATIENCE)
        editor.exit(None)
        server = editor._server
        assert server is not None
        assert await asyncio.wait_for(server.wait(), timeout=PATIENCE) == 0
    finally:
        if editor._server is not None and editor._server.returncode is None:
            editor._server.kill()
        await editor.stop()  # type: ignore[no-untyped-call]  # of pygls


class Desk:
    """An editor that several tests use, one after the other."""

    def __init__(self, runner: asyncio.Runner, editor: Editor) -> None:
        self._runner, self._editor = runner, editor

    def do(self, work: Callable[[Editor], Coroutine[Any, Any, None]]) -> None:
        """Carry something out with the editor."""
        self._runner.run(work(self._editor))


@contextlib.contextmanager
def desk(*options: str) -> Iterator[Desk]:
    """A desk whose server has these options."""
    with asyncio.Runner() as runner:
        editing = started(*options)
        try:
            yield Desk(runner, runner.run(editing.__aenter__()))
        finally:
            runner.run(editing.__aexit__(None, None, None))
