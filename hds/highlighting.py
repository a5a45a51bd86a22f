"""The lexer of the language for Pygments: the parts that `lang` tells apart, under Pygments' names.

Pygments finds it by the entry point `hds`: `pygmentize -l hds trace.hds`, and code blocks of documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pygments.lexer import Lexer
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
    _TokenType,
)

from lang import PartKind, SourceFile, script_parts
from lang.commands import begins_as_statement, command_parts

TOKEN_TYPES: Mapping[PartKind, _TokenType] = {
    PartKind.COMMENT: Comment,
    PartKind.COMMAND: Name.Builtin,
    PartKind.EVENT: Name.Decorator,
    PartKind.OPTION: Name.Attribute,
    PartKind.CONSTANT: Keyword.Constant,
    PartKind.WORD: Text,
    PartKind.KEYWORD: Keyword,
    PartKind.TYPE: Keyword.Type,
    PartKind.BUILTIN: Name.Builtin,
    PartKind.FUNCTION: Name.Function,
    PartKind.REGISTER: Name.Variable.Magic,
    PartKind.PSEUDO_REGISTER: Name.Builtin.Pseudo,
    PartKind.GLOBAL: Name.Variable.Global,
    PartKind.MEMBER: Name.Variable.Instance,
    PartKind.NAME: Name,
    PartKind.SYMBOL: Name.Label,
    PartKind.NUMBER: Number,
    PartKind.STRING: String,
    PartKind.ESCAPE: String.Escape,
    PartKind.OPERATOR: Operator,
    PartKind.PUNCTUATION: Punctuation,
    PartKind.DIRECTIVE: Comment.Preproc,
    PartKind.PATH: Comment.PreprocFile,
    PartKind.CODE: Number.Hex,
    PartKind.ASSEMBLY: Name.Other,
    PartKind.ERROR: Error,
}


class HdsLexer(Lexer):
    """Command files and bare scripts; which of the two, the first line says, as for `hds check`."""

    name = "HyperDbg script"
    aliases: ClassVar[list[str]] = ["hds", "hyperdbg", "dscript"]
    filenames: ClassVar[list[str]] = ["*.hds", "*.ds"]
    mimetypes: ClassVar[list[str]] = ["text/x-hds"]

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Offset, type and text of each token; together they are the text."""
        source = SourceFile("<text>", text)
        parts = script_parts(source) if begins_as_statement(text) else command_parts(source)
        at = 0
        for kind, start, end in parts:
            if at < start:
                yield at, Whitespace if text[at:start].isspace() else Text, text[at:start]
            yield start, TOKEN_TYPES[kind], text[start:end]
            at = end
        if at < len(text):
            yield at, Whitespace, text[at:]
