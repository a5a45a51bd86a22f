"""What may stand where a cursor is: names of the tables, of the text itself, of symbols and files; calls under way.

The language server and the console ask here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from hds.editor.descriptions import (
    about_builtin,
    about_command,
    about_pseudo_register,
    about_register,
    declaration,
    signature,
)
from hds.editor.document import Document
from lang import KEYWORDS, TYPE_WORDS, DefinitionKind, Part, PartKind
from lang.commands import Line, choices_of, row_of, words_of
from vm.facts.builtins import ALIASES, BUILTIN_BY_NAME, BUILTINS
from vm.facts.commands import COMMANDS, CommandRow
from vm.facts.events import EVENT_OPTIONS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS
from vm.facts.stages import Stage

MOST_SYMBOLS = 500  # offered at once
MOST_FILES = 500
_MOST_ENTRIES = 10_000  # of a folder, that are looked at
_FILE_BEGUN = re.compile(r'(?:#include[ \t]*"|\bfile:[ \t]*)([^"{}\n]*)\Z')
_IN_SCRIPT = re.compile(r"(?:[A-Za-z_][\w`]*!)?[@$.]?[\w`]*\Z")
_IN_COMMAND = re.compile(r"[^\s{}\"]*\Z")
_VALUES = {
    "stage": tuple(stage.word for stage in Stage),
    "imm": ("yes", "no"),
    "sc": ("on", "off"),
    "pid": ("all",),
}
_NAMES = {
    DefinitionKind.VARIABLE: PartKind.NAME,
    DefinitionKind.PARAMETER: PartKind.NAME,
    DefinitionKind.GLOBAL: PartKind.GLOBAL,
    DefinitionKind.FUNCTION: PartKind.FUNCTION,
    DefinitionKind.STRUCT: PartKind.TYPE,
    DefinitionKind.TYPEDEF: PartKind.TYPE,
    DefinitionKind.MEMBER: PartKind.MEMBER,
}


class Suggestion(msgspec.Struct, frozen=True):
    """A word to put in the place of what was begun; `detail` is one line, `markdown` is more."""

    word: str
    kind: PartKind
    detail: str = ""
    markdown: str = ""


class Suggestions(msgspec.Struct, frozen=True):
    """What may stand in the place of the characters [start, end). `complete` unless some symbols were left out."""

    start: int
    end: int
    items: tuple[Suggestion, ...]
    complete: bool = True


def suggest(document: Document, offset: int) -> Suggestions | None:
    """What may stand in front of a cursor; None in comments and strings."""
    path = _path_begun(document, offset)
    if path is not None:
        folder = Path(document.source.name).parent if path.is_beside else Path()
        files = list(islice(_files(folder, document.text[path.start : offset]), MOST_FILES + 1))
        return Suggestions(path.start, offset, tuple(files[:MOST_FILES]), len(files) <= MOST_FILES)
    index = document.index_before(offset)
    if index >= 0 and _is_closed_to_names(document, document.parts[index], offset):
        return None
    in_script = document.script_at(offset) is not None
    begun = (_IN_SCRIPT if in_script else _IN_COMMAND).search(document.text, max(0, offset - 500), offset)
    start = begun.start() if begun else offset
    word = document.text[start:offset]
    line = document.line_at(start)
    row = row_of(line) if line is not None else None
    if in_script and line and row and "REGISTER" in row.usage and "=" not in document.text[line.span.start : start]:
        return Suggestions(start, offset, tuple(_registers("@" if word[:1] == "@" else "")))
    if in_script:
        member = re.search(r"(?:->\s*|[\w)\]`]\s*\.)\w*\Z", document.text[max(0, offset - 500) : offset])
        if member and not word.startswith(("@", "$")):
            return Suggestions(offset - len(word.lstrip(".")), offset, tuple(_members(document)))
        items = list(_in_script(document, word))
        with_symbols = word[:1] not in ("@", "$", ".")
    else:
        items = list(_registers("@") if word[:1] == "@" else _in_command(document, line, start))
        with_symbols = word[:1] != "@" and (
            any(item.kind is PartKind.OPTION for item in items) or _takes_place(row, line, start)
        )
    symbols = list(islice(_symbols(document, word), MOST_SYMBOLS + 1)) if with_symbols else []
    return Suggestions(start, offset, (*items, *symbols[:MOST_SYMBOLS]), len(symbols) <= MOST_SYMBOLS)


def _is_closed_to_names(document: Document, part: Part, offset: int) -> bool:
    """Whether a cursor is in a part that holds no names, or behind one that goes on there."""
    if part.kind not in (PartKind.COMMENT, PartKind.STRING, PartKind.ESCAPE, PartKind.PATH) or offset > part.end:
        return False
    word = document.text[part.start : part.end]
    ends = ("*/",) if word.startswith("/*") else ('"',) if part.kind is PartKind.STRING and len(word) > 1 else ()
    return offset < part.end or not word.endswith(ends)


def _in_script(document: Document, word: str) -> Iterator[Suggestion]:
    match word[:1]:
        case "@":
            yield from _registers()
        case "$":
            for row in PSEUDO_REGISTERS:
                yield Suggestion(
                    f"${row.name}", PartKind.PSEUDO_REGISTER, "pseudo-register", about_pseudo_register(row.name) or ""
                )
        case ".":
            yield from _defined(document, (DefinitionKind.GLOBAL,))
        case _:
            yield from _defined(document, set(DefinitionKind) - {DefinitionKind.MEMBER})
            for builtin in BUILTINS:
                yield Suggestion(builtin.name, PartKind.BUILTIN, signature(builtin), about_builtin(builtin))
            yield from (Suggestion(name, PartKind.KEYWORD) for name in sorted(KEYWORDS))
            yield from (Suggestion(name, PartKind.TYPE) for name in sorted(TYPE_WORDS))
            if word == "":
                yield from _registers()


def _registers(sigil: str = "@") -> Iterator[Suggestion]:
    for row in REGISTERS:
        yield Suggestion(f"{sigil}{row.name}", PartKind.REGISTER, "register", about_register(row.name) or "")


def _defined(document: Document, kinds: Iterable[DefinitionKind]) -> Iterator[Suggestion]:
    wanted = set(kinds)
    seen: set[str] = set()
    for item in document.definitions:
        word = f".{item.name}" if item.kind is DefinitionKind.GLOBAL else item.name
        if item.kind in wanted and word not in seen:
            seen.add(word)
            yield Suggestion(word, _NAMES[item.kind], declaration(item))


def _members(document: Document) -> Iterator[Suggestion]:
    yield from _defined(document, (DefinitionKind.MEMBER,))


def _in_command(document: Document, line: Line | None, start: int) -> Iterator[Suggestion]:
    first = line.tokens[0].span.start if line is not None and line.tokens else None
    if line is None or first is None or start <= first:
        yield from _commands()
        return
    command = row_of(line)
    if command is None:
        return
    before = [token.lower for token in line.tokens if token.span.end < start]
    if len(before) == 1 and "COMMAND" in command.usage.split():
        yield from _commands()
        return
    values = _VALUES.get(before[-1], ()) if command.is_event and len(before) > 1 else ()
    if values:
        yield from (Suggestion(word, PartKind.CONSTANT, f"{before[-1]} {word}") for word in values)
        return
    forms = {row.keyword: row.form for row in EVENT_OPTIONS} if command.is_event else {}
    for word in sorted(words_of(command.name)):
        yield Suggestion(word, PartKind.OPTION, forms.get(word, command.forms[0]))
    yield from (Suggestion(word, PartKind.CONSTANT, command.forms[0]) for word in sorted(choices_of(command.name)))


def _commands() -> Iterator[Suggestion]:
    for row in COMMANDS:
        kind = PartKind.EVENT if row.is_event else PartKind.COMMAND
        for name in (row.name, *row.aliases):
            yield Suggestion(name, kind, row.doc, about_command(row))


def _takes_place(row: CommandRow | None, line: Line | None, start: int) -> bool:
    """Whether a word behind the command's name may be the name of a place."""
    behind = line is not None and bool(line.tokens) and start > line.tokens[0].span.start
    return behind and row is not None and ("ADDRESS" in row.usage or "PATTERN" in row.usage)


def _symbols(document: Document, word: str) -> Iterator[Suggestion]:
    """Symbols that begin as the word does, by `module!name`, and modules; without a module, those of programs."""
    module, mark, name = word.partition("!")
    if not mark:
        for each in document.symbols.modules:
            yield Suggestion(f"{each}!", PartKind.SYMBOL, "module")
        programs, folded = set(document.symbols.programs), word.lower()
        for place in document.symbols if word else ():
            if place.module in programs and place.name.lower().startswith(folded):
                yield Suggestion(place.name, PartKind.SYMBOL, f"{place.module} {place.address:x}")
        return
    modules = set(document.symbols.modules_called(module))
    folded = name.lower()
    for place in document.symbols:
        if place.module in modules and place.name.lower().startswith(folded):
            yield Suggestion(str(place), PartKind.SYMBOL, f"{place.address:x}")


# --- files


class _Path(msgspec.Struct, frozen=True):
    """Where a path begins that a cursor is in; `is_beside`: it is meant from the folder of the text."""

    start: int
    is_beside: bool


def _path_begun(document: Document, offset: int) -> _Path | None:
    begun = _FILE_BEGUN.search(document.text, max(0, offset - 500), offset)
    if begun is not None:
        return _Path(begun.start(1), True)
    word = _IN_COMMAND.search(document.text, max(0, offset - 500), offset)
    line = None if word is None else document.line_at(word.start())
    row = None if line is None else row_of(line)
    if word is None or line is None or row is None:
        return None
    before = [token.lower for token in line.tokens if token.span.end < offset and token.span.start < word.start()]
    return _Path(word.start(), False) if _expects_file(row, before) else None


def _expects_file(row: CommandRow, before: Sequence[str]) -> bool:
    """Whether the usage of a command has FILE behind these words."""
    for form in row.forms:
        words = [word.strip("[]") for word in form.split()]
        for at in (number for number, word in enumerate(words) if word == "FILE" and before):
            by_keyword = at > 1 and words[at - 1].islower()
            if before[-1] == words[at - 1] if by_keyword else (len(before) == at and before[1:2] in ([], words[1:2])):
                return True
    return False


def _files(base: Path, begun: str) -> Iterator[Suggestion]:
    """What stands in the folder that a path begins with; folders with a slash behind them."""
    head, slash, name = begun.rpartition("/")
    entries: list[tuple[str, bool]] = []
    with suppress(OSError, ValueError), os.scandir(base / f"{head}{slash}") as folder:
        entries = sorted((entry.name, entry.is_dir()) for entry in islice(folder, _MOST_ENTRIES))
    for entry, is_folder in entries:
        if entry.startswith(name) and entry.isprintable() and (name or not entry.startswith(".")):
            yield Suggestion(f"{head}{slash}{entry}{'/' if is_folder else ''}", PartKind.PATH, "")


# --- calls under way


class CallUnderWay(msgspec.Struct, frozen=True):
    """How the function is called whose arguments a cursor is in: parameters are stretches of the label, and `active`
    is the number of the one under way."""

    label: str
    parameters: tuple[tuple[int, int], ...]
    active: int
    markdown: str = ""


def call_at(document: Document, offset: int) -> CallUnderWay | None:
    """The innermost call around a cursor."""
    script = document.script_at(offset)
    if script is None:
        return None
    depth = commas = 0
    for index in range(document.index_before(offset), -1, -1):
        part = document.parts[index]
        if part.start < script.start:
            return None
        if part.kind not in (PartKind.PUNCTUATION, PartKind.OPERATOR):
            continue
        match document.text[part.start : part.end]:
            case ")" | "]":
                depth += 1
            case "(" | "[" if depth:
                depth -= 1
            case "(":
                called = document.parts[index - 1] if index else None
                word = document.text[called.start : called.end] if called else ""
                return _call(document, word, commas) if word else None
            case "," if not depth:
                commas += 1
            case ";" | "{" | "}" if not depth:
                return None
    return None


def _call(document: Document, word: str, commas: int) -> CallUnderWay | None:
    row = BUILTIN_BY_NAME.get(ALIASES.get(word, word))
    if row is not None:
        label, markdown = signature(row), row.doc
        most = len(row.arguments) - 1 if row.name == "printf" else commas
        return CallUnderWay(label, _stretches(label), min(commas, most), markdown)
    for item in document.definitions:
        if item.kind is DefinitionKind.FUNCTION and item.name == word and item.header is not None:
            label = declaration(item)
            return CallUnderWay(label, _stretches(label), commas)
    return None


def _stretches(label: str) -> tuple[tuple[int, int], ...]:
    """Where the parameters stand in the label of a function."""
    start, end = label.index("(") + 1, label.rindex(")")
    return tuple(match.span() for match in re.compile(r"[^,\s][^,]*").finditer(label, start, end))
