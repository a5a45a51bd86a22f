"""The language server: what the other files of this room find out, in the words of the protocol (LSP 3.17).

Texts are kept whole, and looked at anew when they are asked about or `QUIET` has gone by since the last change. An
exception in an answer is an error of that answer: the server goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO
from urllib.parse import unquote

import msgspec
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from hds.editor.completion import Suggestion, call_at, suggest
from hds.editor.descriptions import describe
from hds.editor.document import Analyser, Document
from hds.editor.outline import Entry, outline
from hds.editor.positions import Encoding, Positions
from hds.editor.renaming import CannotRename, nameable, rename
from hds.editor.repairs import Repair, repairs
from hds.layout import CannotLayOut, lay_out_commands, lay_out_script
from hds.version import VERSION
from lang import Definition, DefinitionKind, Diagnostic, PartKind, Severity, SourceFile, Span
from vm.facts.limits import Limits

QUIET = 0.2  # seconds without a change, behind which findings are shown
SOURCE = "hds"
Wanted = Callable[[Iterable[Diagnostic]], Iterable[Diagnostic]]  # those findings of some that are to be shown

_SEVERITIES: Mapping[Severity, lsp.DiagnosticSeverity] = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.REMARK: lsp.DiagnosticSeverity.Information,
    Severity.PORTABILITY: lsp.DiagnosticSeverity.Information,
}
_COMPLETIONS: Mapping[PartKind, lsp.CompletionItemKind] = {
    PartKind.COMMAND: lsp.CompletionItemKind.Function,
    PartKind.EVENT: lsp.CompletionItemKind.Event,
    PartKind.OPTION: lsp.CompletionItemKind.Property,
    PartKind.CONSTANT: lsp.CompletionItemKind.EnumMember,
    PartKind.KEYWORD: lsp.CompletionItemKind.Keyword,
    PartKind.PATH: lsp.CompletionItemKind.File,
    PartKind.TYPE: lsp.CompletionItemKind.Struct,
    PartKind.BUILTIN: lsp.CompletionItemKind.Function,
    PartKind.FUNCTION: lsp.CompletionItemKind.Function,
    PartKind.REGISTER: lsp.CompletionItemKind.Constant,
    PartKind.PSEUDO_REGISTER: lsp.CompletionItemKind.Constant,
    PartKind.GLOBAL: lsp.CompletionItemKind.Variable,
    PartKind.MEMBER: lsp.CompletionItemKind.Field,
    PartKind.NAME: lsp.CompletionItemKind.Variable,
    PartKind.SYMBOL: lsp.CompletionItemKind.Reference,
}
_SYMBOLS: Mapping[PartKind | DefinitionKind, lsp.SymbolKind] = {
    PartKind.COMMAND: lsp.SymbolKind.Method,
    PartKind.EVENT: lsp.SymbolKind.Event,
    DefinitionKind.FUNCTION: lsp.SymbolKind.Function,
    DefinitionKind.STRUCT: lsp.SymbolKind.Struct,
    DefinitionKind.TYPEDEF: lsp.SymbolKind.Class,
    DefinitionKind.GLOBAL: lsp.SymbolKind.Variable,
    DefinitionKind.MEMBER: lsp.SymbolKind.Field,
}

# --- semantic tokens: the protocol's own types, which editors have colours for

_READ_ONLY = lsp.SemanticTokenModifiers.Readonly
_LIBRARY = lsp.SemanticTokenModifiers.DefaultLibrary
_TOKENS: Mapping[PartKind, tuple[lsp.SemanticTokenTypes, tuple[lsp.SemanticTokenModifiers, ...]]] = {
    PartKind.COMMENT: (lsp.SemanticTokenTypes.Comment, ()),
    PartKind.COMMAND: (lsp.SemanticTokenTypes.Macro, ()),
    PartKind.EVENT: (lsp.SemanticTokenTypes.Event, ()),
    PartKind.OPTION: (lsp.SemanticTokenTypes.Keyword, ()),
    PartKind.CONSTANT: (lsp.SemanticTokenTypes.EnumMember, ()),
    PartKind.KEYWORD: (lsp.SemanticTokenTypes.Keyword, ()),
    PartKind.TYPE: (lsp.SemanticTokenTypes.Type, (_LIBRARY,)),
    PartKind.BUILTIN: (lsp.SemanticTokenTypes.Function, (_LIBRARY,)),
    PartKind.FUNCTION: (lsp.SemanticTokenTypes.Function, ()),
    PartKind.REGISTER: (lsp.SemanticTokenTypes.Variable, (_LIBRARY,)),
    PartKind.PSEUDO_REGISTER: (lsp.SemanticTokenTypes.Variable, (_READ_ONLY, _LIBRARY)),
    PartKind.GLOBAL: (lsp.SemanticTokenTypes.Variable, (lsp.SemanticTokenModifiers.Static,)),
    PartKind.MEMBER: (lsp.SemanticTokenTypes.Property, ()),
    PartKind.NAME: (lsp.SemanticTokenTypes.Variable, ()),
    PartKind.SYMBOL: (lsp.SemanticTokenTypes.Namespace, ()),
    PartKind.NUMBER: (lsp.SemanticTokenTypes.Number, ()),
    PartKind.CODE: (lsp.SemanticTokenTypes.Number, ()),
    PartKind.STRING: (lsp.SemanticTokenTypes.String, ()),
    PartKind.ESCAPE: (lsp.SemanticTokenTypes.Regexp, ()),
    PartKind.PATH: (lsp.SemanticTokenTypes.String, ()),
    PartKind.OPERATOR: (lsp.SemanticTokenTypes.Operator, ()),
    PartKind.DIRECTIVE: (lsp.SemanticTokenTypes.Macro, ()),
}
_DEFINED: Mapping[DefinitionKind, lsp.SemanticTokenTypes] = {
    DefinitionKind.PARAMETER: lsp.SemanticTokenTypes.Parameter,
    DefinitionKind.FUNCTION: lsp.SemanticTokenTypes.Function,
    DefinitionKind.STRUCT: lsp.SemanticTokenTypes.Struct,
    DefinitionKind.TYPEDEF: lsp.SemanticTokenTypes.Type,
    DefinitionKind.MEMBER: lsp.SemanticTokenTypes.Property,
}
_TYPES = tuple(dict.fromkeys((*(kind for kind, _ in _TOKENS.values()), *_DEFINED.values())))
_MODIFIERS = tuple(dict.fromkeys(modifier for _, modifiers in _TOKENS.values() for modifier in modifiers))
LEGEND = lsp.SemanticTokensLegend([kind.value for kind in _TYPES], [each.value for each in _MODIFIERS])


class View(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A document as one client sees it: with places in its units."""

    uri: str
    document: Document
    positions: Positions
    version: int | None

    def offset(self, position: lsp.Position) -> int:
        """Where a position of the client is in the text."""
        return self.positions.offset(position.line, position.character)

    def range(self, start: int, end: int) -> lsp.Range:
        """The characters [start, end) as the client counts them."""
        return _range(self.positions, start, end)


def _range(positions: Positions, start: int, end: int) -> lsp.Range:
    return lsp.Range(lsp.Position(*positions.position(start)), lsp.Position(*positions.position(end)))


class Refused(JsonRpcException):
    """A request that is right, and cannot be answered; the client shows why."""

    CODE = lsp.LSPErrorCodes.RequestFailed


class HdsServer(LanguageServer):
    """Open documents, and what was found out about their latest state."""

    def __init__(self, analyser: Analyser, wanted: Wanted) -> None:
        super().__init__("hds", VERSION, text_document_sync_kind=lsp.TextDocumentSyncKind.Full)
        self.analyser = analyser
        self.wanted = wanted
        self._views: dict[str, View] = {}
        self._known: dict[str, tuple[Definition, ...]] = {}
        self._changes: dict[str, int] = {}  # how often each document changed

    # --- documents

    def view(self, uri: str) -> View:
        """The latest state of an open document. Raises Refused for one that is too large."""
        text = self.workspace.text_documents.get(unquote(uri))  # the workspace's own keys
        if text is None:
            raise Refused(f"{uri} is not open")
        view = self._views.get(uri)
        if view is not None and view.document.text == text.source:
            return view
        limits = self.analyser.limits
        if _is_too_large(text.source, limits):
            raise Refused(_too_large(limits))
        document = self.analyser.analyse(to_fs_path(uri) or uri, text.source, self._known.get(uri, ()))
        self._known[uri] = document.definitions
        encoding = Encoding(self.workspace.position_encoding or Encoding.UTF_16.value)
        made = self._views[uri] = View(uri, document, Positions(document.source, encoding), text.version)
        return made

    def forget(self, uri: str | None = None) -> None:
        """A document was closed; without one: files of other documents may have changed."""
        if uri is None:
            self._views.clear()
            return
        for rows in (self._views, self._known, self._changes):
            rows.pop(uri, None)

    async def show_findings(self, uri: str) -> None:
        """Publish the findings of a document, unless it changes in the meantime."""
        number = self._changes[uri] = self._changes.get(uri, 0) + 1
        await asyncio.sleep(QUIET)
        if self._changes.get(uri) == number:
            self.publish(uri)

    def publish(self, uri: str) -> None:
        """Publish the findings of a document at once."""
        try:
            view = self.view(uri)
        except Refused as error:
            nowhere = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
            found = [lsp.Diagnostic(nowhere, str(error.message), lsp.DiagnosticSeverity.Error, source=SOURCE)]
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found))
            return
        found = [_diagnostic(view, item) for item in self.wanted(view.document.checked.diagnostics)]
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, view.version))


def serve(analyser: Analyser, wanted: Wanted, reader: BinaryIO, writer: BinaryIO) -> None:
    """Serve one client until it says `exit`, or goes away."""
    new_server(analyser, wanted).start_io(reader, writer)


def _is_too_large(text: str, limits: Limits) -> bool:
    return len(text) > limits.max_source_bytes or len(text.encode("utf-8", "surrogatepass")) > limits.max_source_bytes


def _too_large(limits: Limits) -> str:
    return f"the text is larger than {limits.max_source_bytes} bytes (limit max_source_bytes): hds does not look at it"


# --- findings


def _diagnostic(view: View, item: Diagnostic) -> lsp.Diagnostic:
    """A finding. One in a file that the text names stands where it is named, and says where it is."""
    message = f"{item.message}\nhint: {item.hint}" if item.hint else item.message
    span = item.span
    if span.file.name != view.document.source.name:
        message = f"{span}: {message}"
        span = _naming(view.document, span)
    related = [
        lsp.DiagnosticRelatedInformation(_location(view, note.span), note.message)
        for note in item.notes
        if note.span is not None
    ]
    message += "".join(f"\nnote: {note.message}" for note in item.notes if note.span is None)
    return lsp.Diagnostic(
        view.range(span.start, span.end),
        message,
        _SEVERITIES[item.severity],
        str(item.code),
        source=SOURCE,
        related_information=related or None,
    )


def _naming(document: Document, span: Span) -> Span:
    """Where a text names the file that a span is in; its beginning if that is not to be found."""
    name = span.file.name.replace("\\", "/").rpartition("/")[2]
    for part in document.parts:
        if part.kind is PartKind.PATH and document.text[part.start : part.end].strip('"').endswith(name):
            return Span(document.source, part.start, part.end)
    first = next((part for part in document.parts if part.kind is PartKind.PATH), None)
    return Span(document.source, first.start, first.end) if first else Span(document.source, 0, 0)


def _location(view: View, span: Span) -> lsp.Location:
    if span.file.name == view.document.source.name:
        return lsp.Location(view.uri, view.range(span.start, span.end))
    uri = from_fs_path(span.file.name) or span.file.name
    return lsp.Location(uri, _range(view.positions.of(span.file), span.start, span.end))


# --- answers


def new_server(analyser: Analyser, wanted: Wanted) -> HdsServer:
    """A server that knows everything below."""
    server = HdsServer(analyser, wanted)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(server: HdsServer, given: lsp.DidOpenTextDocumentParams) -> None:
        await server.show_findings(given.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(server: HdsServer, given: lsp.DidChangeTextDocumentParams) -> None:
        await server.show_findings(given.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(server: HdsServer, given: lsp.DidSaveTextDocumentParams) -> None:
        server.forget()  # others may include it
        open_documents = [document.uri for document in server.workspace.text_documents.values()]
        await asyncio.gather(*map(server.show_findings, open_documents))

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(server: HdsServer, given: lsp.DidCloseTextDocumentParams) -> None:
        server.forget(given.text_document.uri)
        server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(given.text_document.uri, []))

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(server: HdsServer, given: lsp.HoverParams) -> lsp.Hover | None:
        view = server.view(given.text_document.uri)
        found = describe(view.document, view.offset(given.position))
        if found is None:
            return None
        return lsp.Hover(_markdown(found.markdown), view.range(found.start, found.end))

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["@", "$", ".", "!", ">"]))
    def completion(server: HdsServer, given: lsp.CompletionParams) -> lsp.CompletionList | None:
        view = server.view(given.text_document.uri)
        found = suggest(view.document, view.offset(given.position))
        if found is None:
            return None
        where = view.range(found.start, found.end)
        return lsp.CompletionList(not found.complete, [_completion(item, where) for item in found.items])

    @server.feature(lsp.TEXT_DOCUMENT_SIGNATURE_HELP, lsp.SignatureHelpOptions(trigger_characters=["(", ","]))
    def signature_help(server: HdsServer, given: lsp.SignatureHelpParams) -> lsp.SignatureHelp | None:
        view = server.view(given.text_document.uri)
        found = call_at(view.document, view.offset(given.position))
        if found is None:
            return None
        units = view.positions.of(SourceFile("<label>", found.label)).units
        parameters = [lsp.ParameterInformation((units(0, start), units(0, end))) for start, end in found.parameters]
        shown = lsp.SignatureInformation(found.label, _markdown(found.markdown), parameters, found.active)
        return lsp.SignatureHelp([shown], 0, found.active)

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def definition(server: HdsServer, given: lsp.DefinitionParams) -> lsp.Location | None:
        view = server.view(given.text_document.uri)
        found = view.document.reference_at(view.offset(given.position))
        if found is not None and found.definition is not None:
            return _location(view, found.definition.span)
        return _included(server, view, view.offset(given.position))

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def references(server: HdsServer, given: lsp.ReferenceParams) -> list[lsp.Location]:
        view = server.view(given.text_document.uri)
        return [_location(view, span) for span in _mentions(view, given.position, given.context.include_declaration)]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def highlights(server: HdsServer, given: lsp.DocumentHighlightParams) -> list[lsp.DocumentHighlight]:
        view = server.view(given.text_document.uri)
        here = (span for span in _mentions(view, given.position) if span.file.name == view.document.source.name)
        return [lsp.DocumentHighlight(view.range(span.start, span.end)) for span in here]

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepare_rename(server: HdsServer, given: lsp.PrepareRenameParams) -> lsp.Range:
        view = server.view(given.text_document.uri)
        try:
            found = nameable(view.document, view.offset(given.position))
        except CannotRename as error:
            raise Refused(str(error)) from None
        return view.range(found.span.start, found.span.end)

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def renaming(server: HdsServer, given: lsp.RenameParams) -> lsp.WorkspaceEdit:
        view = server.view(given.text_document.uri)
        try:
            changes = rename(server.analyser, view.document, view.offset(given.position), given.new_name)
        except CannotRename as error:
            raise Refused(str(error)) from None
        files = {item.span.file.name: item.span.file for item in view.document.references}
        made: dict[str, list[lsp.TextEdit]] = {}
        for name, rows in changes.items():
            uri, positions = view.uri, view.positions
            if name != view.document.source.name:
                uri, positions = from_fs_path(name) or name, view.positions.of(files[name])
            made[uri] = [lsp.TextEdit(_range(positions, start, end), new) for start, end, new in rows]
        return lsp.WorkspaceEdit(changes=made)

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatting(server: HdsServer, given: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        view = server.view(given.text_document.uri)
        document = view.document
        lay_out = lay_out_script if document.is_script else lay_out_commands
        try:
            text = lay_out(document.source, server.analyser.limits)
        except CannotLayOut as error:
            first = error.diagnostics[0]
            raise Refused(f"cannot lay this text out: {first.message} ({first.span})") from None
        return [] if text == document.text else [lsp.TextEdit(view.range(0, len(document.text)), text)]

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.RefactorRewrite]),
    )
    def code_actions(server: HdsServer, given: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        view = server.view(given.text_document.uri)
        found = repairs(view.document, view.offset(given.range.start), view.offset(given.range.end))
        return [_action(view, item) for item in found]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(server: HdsServer, given: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        view = server.view(given.text_document.uri)
        return [_symbol(view, entry) for entry in outline(view.document)]

    @server.feature(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)
    def semantic_tokens(server: HdsServer, given: lsp.SemanticTokensParams) -> lsp.SemanticTokens:
        return lsp.SemanticTokens(list(semantic_numbers(server.view(given.text_document.uri))))

    return server


def _markdown(text: str) -> lsp.MarkupContent:
    return lsp.MarkupContent(lsp.MarkupKind.Markdown, text)


def _completion(item: Suggestion, where: lsp.Range) -> lsp.CompletionItem:
    return lsp.CompletionItem(
        item.word,
        kind=_COMPLETIONS[item.kind],
        detail=item.detail or None,
        documentation=_markdown(item.markdown) if item.markdown else None,
        filter_text=item.word,
        text_edit=lsp.TextEdit(where, item.word),
    )


def _mentions(view: View, position: lsp.Position, with_definition: bool = True) -> Iterator[Span]:
    found = view.document.reference_at(view.offset(position))
    if found is None or found.definition is None:
        return
    for item in view.document.mentions(found.definition):
        if with_definition or item.span != found.definition.span:
            yield item.span


def _included(server: HdsServer, view: View, offset: int) -> lsp.Location | None:
    """The file that a path in the text names."""
    document = view.document
    part = document.part_at(offset)
    if part is None or part.kind is not PartKind.PATH:
        return None
    written = document.text[part.start : part.end].strip('"')
    path = server.analyser.file(document, written)
    nowhere = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    return None if path is None else lsp.Location(from_fs_path(path) or path, nowhere)


def _action(view: View, item: Repair) -> lsp.CodeAction:
    edit = lsp.WorkspaceEdit(changes={view.uri: [lsp.TextEdit(view.range(item.start, item.end), item.new)]})
    if item.finding is None:
        return lsp.CodeAction(item.title, lsp.CodeActionKind.RefactorRewrite, edit=edit)
    return lsp.CodeAction(item.title, lsp.CodeActionKind.QuickFix, [_diagnostic(view, item.finding)], edit=edit)


def _symbol(view: View, entry: Entry) -> lsp.DocumentSymbol:
    return lsp.DocumentSymbol(
        entry.name,
        _SYMBOLS[entry.kind],
        view.range(entry.start, entry.end),
        view.range(entry.name_start, entry.name_end),
        detail=entry.detail,
        children=[_symbol(view, child) for child in entry.children],
    )


def semantic_numbers(view: View) -> Iterator[int]:
    """Five numbers for each token, places as distances from the one before (LSP 3.17, Semantic Tokens)."""
    document = view.document
    meant = {
        item.span.start: _DEFINED[item.definition.kind]
        for item in document.references
        if item.definition is not None
        and item.definition.kind in _DEFINED
        and item.span.file.name == document.source.name
    }
    last_line = last_unit = 0
    for part in document.parts:
        if part.kind not in _TOKENS:
            continue
        kind, modifiers = _TOKENS[part.kind]
        if part.start in meant and part.kind in (PartKind.NAME, PartKind.FUNCTION, PartKind.MEMBER):
            kind, modifiers = meant[part.start], ()
        bits = sum(1 << _MODIFIERS.index(modifier) for modifier in modifiers)
        for start, end in _by_line(document.source, part.start, part.end):
            line, unit = view.positions.position(start)
            yield line - last_line
            yield unit - last_unit if line == last_line else unit
            yield view.positions.units(start, end)
            yield _TYPES.index(kind)
            yield bits
            last_line, last_unit = line, unit


def _by_line(source: SourceFile, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A stretch without the line ends in it."""
    for number in range(source.position(start)[0], source.position(end)[0] + 1):
        first, last = source.line_range(number)
        if max(first, start) < min(last, end):
            yield max(first, start), min(last, end)
