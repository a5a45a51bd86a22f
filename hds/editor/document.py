"""One text as an editor has it, broken or not: its parts at once, and what the checker says once it was asked."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from hds.session import Checked, check_text
from lang import (
    Compiler,
    Definition,
    DefinitionKind,
    Part,
    Reference,
    SourceFile,
    SymbolTable,
    reference_at,
    script_parts,
)
from lang.commands import (
    Embedded,
    Language,
    Line,
    begins_as_statement,
    command_parts,
    embedded,
    read_lines,
)
from vm import DriveRefused, Drives
from vm.facts.limits import Limits

# A number of the same length stands in the place of each: what it will be is not known.
_ARGUMENT = re.compile(r"\$arg[0-9]+")


class Document(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A text, and what was found out about it. `known` are definitions of an earlier state, if this one has none."""

    source: SourceFile
    is_script: bool
    checked: Checked
    symbols: SymbolTable
    known: tuple[Definition, ...] = ()

    @property
    def text(self) -> str:
        """The characters that offsets count."""
        return self.source.text

    @cached_property
    def parts(self) -> list[Part]:
        """All parts of the text, in order."""
        return list(script_parts(self.source) if self.is_script else command_parts(self.source))

    @cached_property
    def lines(self) -> list[Line]:
        """The commands of a command file."""
        return [] if self.is_script else list(read_lines(self.source))

    @cached_property
    def scripts(self) -> list[Embedded]:
        """Where scripts stand in the text."""
        if self.is_script:
            return [Embedded(Language.SCRIPT, 0, len(self.text))]
        return [part for line in self.lines for part in embedded(line) if part.language is Language.SCRIPT]

    def script_at(self, offset: int) -> Embedded | None:
        """The script that a cursor at this offset is in."""
        return next((script for script in self.scripts if script.start <= offset <= script.end), None)

    def line_at(self, offset: int) -> Line | None:
        """The command that a cursor at this offset is in or behind."""
        at = bisect_right(self.lines, offset, key=lambda line: line.span.start)
        return self.lines[at - 1] if at and offset <= self.lines[at - 1].span.end else None

    def index_before(self, offset: int) -> int:
        """The number of the last part that begins in front of this offset; -1 if none does."""
        return bisect_right(self.parts, offset - 1, key=lambda part: part.start) - 1

    def part_at(self, offset: int) -> Part | None:
        """The part that the character at this offset belongs to, or that ends there."""
        for index in (self.index_before(offset + 1), self.index_before(offset)):
            if index >= 0 and self.parts[index].start <= offset <= self.parts[index].end:
                return self.parts[index]
        return None

    # --- names

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the names mean; nothing in scripts with errors of syntax."""
        return self.checked.references

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Everything that is defined in the text and in what it includes, or was when it could be read last."""
        found = {same(item.definition): item.definition for item in self.references if item.definition is not None}
        old = {same(item): item for item in self.known} if self.is_unreadable else {}
        return tuple((old | found).values())

    @property
    def is_unreadable(self) -> bool:
        """Whether errors hide what some names mean."""
        return any(item.code.startswith("E") for item in self.checked.diagnostics)

    def reference_at(self, offset: int) -> Reference | None:
        """The name that the character at this offset is part of, or that ends there."""
        of_text = [item for item in self.references if item.span.file.name == self.source.name]
        return reference_at(of_text, of_text[0].span.file, offset) if of_text else None

    def mentions(self, definition: Definition) -> list[Reference]:
        """Every mention of what is defined there, in all scripts and included files."""
        wanted = same(definition)
        return [item for item in self.references if item.definition is not None and same(item.definition) == wanted]


def same(definition: Definition) -> tuple[object, ...]:
    """Equal for definitions of one thing: a global is the same in all scripts, and a file is read anew for each."""
    if definition.kind is DefinitionKind.GLOBAL:
        return definition.kind, definition.name
    return definition.kind, definition.name, definition.span.file.name, definition.span.start


class Analyser:
    """Makes documents. What texts may refer to is that of `compiler`, of which each text gets a copy of its own."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    @property
    def limits(self) -> Limits:
        """Those that texts are held to."""
        return self._compiler.limits

    @property
    def drives(self) -> Drives:
        """Where the paths of Windows are looked up."""
        return self._compiler.drives

    def file(self, document: Document, path: str) -> str | None:
        """The file that a text names by this path, as `#include` looks for it; None if there is none."""
        for folder in (Path(document.source.name).parent, *self._compiler.include_paths):
            try:
                found = self.drives.locate(path, folder)
            except DriveRefused:
                return None
            if found.is_file():
                return str(found.resolve())
        return None

    def analyse(self, name: str, text: str, known: Iterable[Definition] = ()) -> Document:
        """The document with this text; `name` is its path. Never raises for what is in it."""
        source = SourceFile(name, text)
        is_script = begins_as_statement(text)
        given = self._compiler
        compiler = Compiler(
            given.limits,
            given.include_paths,
            given.drives,
            given.symbols.copy(),
            references=True,
        )
        checked = check_text(_with_arguments(source), compiler, script=is_script)
        return Document(source, is_script, checked, compiler.symbols, tuple(known))


def _with_arguments(source: SourceFile) -> SourceFile:
    if "$arg" not in source.text:
        return source
    return SourceFile(source.name, _ARGUMENT.sub(lambda match: "1".ljust(len(match[0])), source.text))
