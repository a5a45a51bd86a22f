"""The language: text -> syntax tree -> typed tree -> bytecode, and the command level of .hds files.

Knows `vm` (the instruction set) and nothing of the machine or the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from lang import syntax as syntax, types as types
    from lang.characters import escaped as escaped
    from lang.code import Code as Code
    from lang.comments import find_comments as find_comments
    from lang.compiler import (
        MEMORY_PER_BYTE as MEMORY_PER_BYTE,
        Compilation as Compilation,
        Compiler as Compiler,
        reserve_stack as reserve_stack,
    )
    from lang.declared_types import Placed as Placed, types_of as types_of
    from lang.diagnostics import (
        Diagnostic as Diagnostic,
        Diagnostics as Diagnostics,
        Hint as Hint,
        Note as Note,
        Severity as Severity,
        excerpt as excerpt,
        render as render,
        severity_of as severity_of,
        sort_key as sort_key,
    )
    from lang.lexer import KEYWORDS as KEYWORDS, TYPE_WORDS as TYPE_WORDS, tokenize as tokenize
    from lang.nearest import nearest_name as nearest_name
    from lang.parser import parse as parse
    from lang.parts import Part as Part, PartKind as PartKind, script_parts as script_parts
    from lang.printer import WIDTH as WIDTH, Line as Line, print_program as print_program
    from lang.references import (
        Definition as Definition,
        DefinitionKind as DefinitionKind,
        Reference as Reference,
        reference_at as reference_at,
        references_to as references_to,
    )
    from lang.source import NotText as NotText, SourceFile as SourceFile, Span as Span, read_text as read_text
    from lang.symbols import (
        KERNEL_MODULE as KERNEL_MODULE,
        Place as Place,
        SymbolTable as SymbolTable,
        Unresolved as Unresolved,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "characters": "escaped",
            "code": "Code",
            "comments": "find_comments",
            "compiler": "Compilation Compiler MEMORY_PER_BYTE reserve_stack",
            "declared_types": "Placed types_of",
            "diagnostics": "Diagnostic Diagnostics Hint Note Severity excerpt render severity_of sort_key",
            "lexer": "KEYWORDS TYPE_WORDS tokenize",
            "nearest": "nearest_name",
            "parser": "parse",
            "parts": "Part PartKind script_parts",
            "printer": "Line WIDTH print_program",
            "references": "Definition DefinitionKind Reference reference_at references_to",
            "source": "NotText SourceFile Span read_text",
            "symbols": "KERNEL_MODULE Place SymbolTable Unresolved",
        },
        late="mistakes",
    )
