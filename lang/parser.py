"""Text -> syntax tree: includes, the LALR run with its recovery from errors, and the tree (language.md 14, 17, 19).

Every kind of mistake that users make has its own message in `lang.mistakes`; after a mistake the parser goes on behind
the statement, up to `max_errors` times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lang import mistakes, syntax as s
from lang.builder import Builder
from lang.code import Code
from lang.diagnostics import Diagnostics, too_deep
from lang.lalr import END, Parser, load
from lang.lexer import ARGUMENT, NO_ARGUMENT_HINT, Token, tokenize
from lang.source import NotText, SourceFile, Span, read_text
from vm import NO_DRIVES, DriveRefused, Drives, FileRefused, is_compiled, read_file
from vm.facts.limits import DEFAULT_LIMITS, Limits

TABLES = Path(__file__).with_name("script.json")
OPEN, CLOSE = ("LPAR", "LBRACE", "LSQB"), ("RPAR", "RBRACE", "RSQB")
# Behind one of these a `{` opens a plain block: at the top level that does not end the top level.
BEFORE_PLAIN_BLOCK = ("SEMICOLON", "LBRACE", "RBRACE", "QUESTION", "INCLUDE")


class _Unit(msgspec.Struct):
    """One file of a program: its tokens, and the files that it includes, by token."""

    source: SourceFile
    tokens: list[Token]
    included: dict[int, _Unit] = msgspec.field(default_factory=dict)


class SourceBudget(msgspec.Struct):
    """How many bytes of source may still be read: for one script, and for all scripts of a command file together."""

    limits: Limits
    script: int = 0  # bytes, counted
    total: int = 0

    def take(self, size: int) -> str | None:
        """Count a text of `size` bytes; the name of the limit that it passes, which is not counted then."""
        for name, counted in (("max_source_bytes", self.script), ("max_total_source_bytes", self.total)):
            if counted + size > getattr(self.limits, name):
                return name
        self.script += size
        self.total += size
        return None


class _Loader(msgspec.Struct):
    """Reads a file and everything it includes, before anything is parsed: typedef names are needed for that."""

    include_paths: Sequence[Path]
    limits: Limits
    diagnostics: Diagnostics
    drives: Drives
    budget: SourceBudget
    exhausted: bool = False
    seen: set[Path] = msgspec.field(default_factory=set)
    active: list[Path] = msgspec.field(default_factory=list)
    type_names: set[str] = msgspec.field(default_factory=set)

    def load(self, source: SourceFile, start: int, end: int | None, mention: Span | None = None) -> _Unit:
        """The unit of a file, or of a part of it; an empty one where it is too large (E026)."""
        passed = self.budget.take(len(source.text[start:end].encode("utf-8", "surrogatepass")))
        if passed is not None:
            self.too_large(mention or Span(source, start, start), passed)
            return _Unit(source, [])
        tokens = tokenize(source, self.diagnostics, start, end)
        unit = _Unit(source, tokens)
        self.check_nesting(tokens)
        self.type_names.update(name.text for name in _typedef_names(tokens))
        for token in _top_level_includes(tokens):
            if token.value:
                included = self.include(token, str(token.value))
                if included is not None:
                    unit.included[id(token)] = included
        return unit

    def include(self, token: Token, path: str) -> _Unit | None:
        """The unit of an included file; None when it was before, or cannot be (E013, E020, E021, E024, E025)."""
        try:
            target = self.find(token, path)
        except DriveRefused as error:
            self.diagnostics.add(
                Code.WINDOWS_INCLUDE, f"cannot read the file `{path}`: {error}", token.span, error.hint
            )
            return None
        if target is None and (unset := ARGUMENT.search(token.span.text)):
            start = token.span.start
            place = Span(token.span.file, start + unset.start(), start + unset.end())
            self.diagnostics.add(Code.NO_ARGUMENT, f"`{unset[0]}` has no value", place, NO_ARGUMENT_HINT)
            return None
        if target is None:
            places = ", ".join(str(folder) for folder in self.folders(token))
            self.diagnostics.add(
                Code.UNREADABLE_INCLUDE, f"cannot read the file `{path}`", token.span, f"looked in {places}"
            )
            return None
        if target in self.active:
            self.diagnostics.add(Code.INCLUDE_CYCLE, f"`{path}` includes itself", token.span)
            return None
        if target in self.seen or self.exhausted:
            return None
        if len(self.active) >= self.limits.max_include_depth:
            limit = self.limits.max_include_depth
            self.diagnostics.add(Code.DEEP_INCLUDES, f"includes are nested more than {limit} deep", token.span)
            return None
        self.seen.add(target)
        self.active.append(target)
        try:
            data = read_file(target, self.limits, "max_source_bytes")
            if is_compiled(data):
                raise FileRefused(
                    f"{target} is a compiled file", "it is compiled", "name the file that it was made from"
                )
            return self.load(read_text(str(target), data), 0, None, token.span)
        except NotText as error:
            self.diagnostics.add(Code.BAD_CHARACTER, str(error), error.span)
            return None
        except FileRefused as error:
            self.diagnostics.add(Code.UNREADABLE_INCLUDE, str(error), token.span, error.hint)
            return None
        finally:
            self.active.pop()

    def too_large(self, span: Span, limit: str) -> None:
        """E026; nothing else is read."""
        self.exhausted = True
        most = getattr(self.limits, limit)
        what = "the script" if limit == "max_source_bytes" else "the scripts of this file"
        message = f"{what}, with all that is included, would be larger than {most} bytes (limit {limit})"
        self.diagnostics.add(Code.SCRIPT_TOO_LARGE, message, span, f"--{limit.replace('_', '-')} raises the limit")

    def folders(self, token: Token) -> list[Path]:
        """Where a relative path is looked up, in order."""
        return [Path(token.span.file.name).parent, *self.include_paths]

    def find(self, token: Token, path: str) -> Path | None:
        """The file that a path of an `#include` means, or what is no file there. Raises DriveRefused."""
        candidates = [self.drives.locate(path, folder) for folder in self.folders(token)]
        for exists in (os.path.isfile, os.path.exists):
            for candidate in candidates:
                if exists(candidate):
                    return candidate.resolve()
        return None

    def check_nesting(self, tokens: list[Token]) -> None:
        """E121 for brackets; prefix and postfix chains are bounded by the height of expressions."""
        depth = 0
        for token in tokens:
            if token.type in OPEN:
                depth += 1
                if depth > self.limits.max_nesting:
                    too_deep(self.diagnostics, token.span, self.limits)
                    return
            elif token.type in CLOSE:
                depth -= 1


def _top_level_includes(tokens: list[Token]) -> Iterator[Token]:
    """The includes in front of which only plain blocks are open."""
    open_blocks: list[bool] = []
    others = 0  # of the open blocks: those that are no plain ones
    before = "SEMICOLON"
    for token in tokens:
        if token.type == "LBRACE":
            open_blocks.append(before in BEFORE_PLAIN_BLOCK)
            others += not open_blocks[-1]
        elif token.type == "RBRACE" and open_blocks:
            others -= not open_blocks.pop()
        elif token.type == "INCLUDE" and not others:
            yield token
        before = token.type


def _typedef_names(tokens: list[Token]) -> Iterator[Token]:
    """The names that typedefs declare: their declarators stay names, every later mention is a type name."""
    inside, depth = False, 0
    for number, token in enumerate(tokens):
        if not inside:
            inside, depth = token.type == "TYPEDEF", 0
        elif token.type in ("LBRACE", "LSQB"):
            depth += 1
        elif token.type in ("RBRACE", "RSQB"):
            depth -= 1
        elif depth == 0 and token.type == "SEMICOLON":
            inside = False
        elif depth == 0 and token.type == "NAME":
            follows = tokens[number + 1].type if number + 1 < len(tokens) else "SEMICOLON"
            if follows in ("SEMICOLON", "COMMA", "LSQB"):
                yield token


def _mark_type_names(tokens: list[Token], names: set[str]) -> None:
    """The lexer feedback of C: a typedef name is another terminal, except where it is declared or names a tag."""
    if not names:
        return
    declared = {id(name) for name in _typedef_names(tokens)}
    previous = ""
    for number, token in enumerate(tokens):
        mentioned = token.type == "NAME" and token.text in names and id(token) not in declared
        if mentioned and previous not in ("ARROW", "DOT", "STRUCT"):
            tokens[number] = token._replace(type="TYPE_NAME")
        previous = tokens[number].type


class _Parse:
    """The LALR run over one unit."""

    def __init__(self, unit: _Unit, loader: _Loader) -> None:
        self.unit = unit
        self.loader = loader
        self.diagnostics = loader.diagnostics
        self.builder = Builder()
        self.parser = Parser(load(TABLES), self.builder)
        self.errors = 0

    def run(self) -> s.Program:
        """The tree; what could not be read is left out of it."""
        tokens = self.unit.tokens
        for number, token in enumerate(tokens):
            if token.type == "INCLUDE":
                included = self.unit.included.get(id(token))
                program = _Parse(included, self.loader).run() if included else None
                tokens[number] = token._replace(text=str(token.value or ""), value=program)
        at = 0
        while at < len(tokens) and self.errors < self.loader.limits.max_errors:
            at = at + 1 if self.parser.feed(tokens[at]) else self.recover(at)
        whole = Span(self.unit.source, tokens[0].span.start if tokens else 0, tokens[-1].span.end if tokens else 0)
        items: list[Any] = []
        if self.errors < self.loader.limits.max_errors:
            end = Token(END, "", Span(self.unit.source, whole.end, whole.end))
            if self.parser.accepts(END) or (self.repair(at, end) and self.parser.accepts(END)):
                items = self.parser.finish()
            elif not self.errors:
                self.mistake(at, end)
        self.report_late()
        question = bool(items) and isinstance(items[0], Token)
        return s.Program(whole, question, tuple(item for item in items if not isinstance(item, Token)))

    def mistake(self, at: int, token: Token) -> mistakes.Mistake:
        """Report what is wrong with `token`, which stands at index `at` of the unit's tokens."""
        found = mistakes.explain(self.unit.tokens, at, token, self.parser.acceptable())
        self.diagnostics.add(found.code, found.message, found.span, found.hint)
        self.errors += 1
        return found

    def repair(self, at: int, token: Token) -> bool:
        """A missing `;` is reported and put in."""
        previous = self.unit.tokens[at - 1] if at else None
        if (
            previous is None
            or not self.parser.accepts("SEMICOLON")
            or previous.type in ("SEMICOLON", "LBRACE", "RBRACE")
        ):
            return False
        new_line = token.type in (END, "RBRACE") or token.span.line > previous.span.line
        if not new_line:
            return False
        place = Span(previous.span.file, previous.span.end, previous.span.end)
        found = f"`{token.text}`" if token.text else "the end"
        self.diagnostics.add(Code.SYNTAX, f"expected `;` before {found}", place, "put a `;` here")
        self.errors += 1
        return self.parser.feed(Token("SEMICOLON", ";", place))

    def recover(self, at: int) -> int:
        """Report the mistake at token `at` and go on behind it; the index of the next token to feed."""
        tokens = self.unit.tokens
        token = tokens[at]
        if self.repair(at, token):
            return at
        found = self.mistake(at, token)
        if found.code == Code.WORD_AS_NAME and token.text != token.span.text:
            self.diagnostics.add(Code.V023_VOID, "HyperDbg v0.23 accepts a register as a declared name", token.span)
        if found.instead is not None and self.parser.accepts(found.instead):
            tokens[at] = token._replace(type=found.instead)
            return at
        if token.type == "RBRACE" and not self.open_blocks():
            return at + 1
        while not self.parser.accepts("ERROR"):
            self.parser.pop()
        self.parser.feed(Token("ERROR", "", token.span))
        if found.through_block:
            block = next((n for n in range(at, len(tokens)) if tokens[n].type in ("LBRACE", "RBRACE")), at)
            at = block if tokens[block].type == "LBRACE" else at
        return self.skip_statement(at)

    def open_blocks(self) -> bool:
        """Whether a `{` is waiting for its `}`."""
        return any(isinstance(value, Token) and value.type == "LBRACE" for value in self.parser.values)

    def skip_statement(self, at: int) -> int:
        """The index behind the statement that token `at` is part of: behind its `;` or block, or before a `}`."""
        tokens, depth = self.unit.tokens, 0
        while at < len(tokens):
            kind = tokens[at].type
            if kind == "LBRACE":
                depth += 1
            elif kind == "RBRACE":
                if depth == 0:
                    return at if self.open_blocks() else at + 1
                depth -= 1
                if depth == 0:
                    follows = tokens[at + 1].type if at + 1 < len(tokens) else ""
                    if follows not in ("ELSE", "ELSIF", "WHILE", "SEMICOLON"):
                        return at + 1
            elif kind == "SEMICOLON" and depth == 0:
                return at + 1
            at += 1
        return at

    def report_late(self) -> None:
        """What the grammar lets through and the tree has no place for."""
        for span in self.builder.prototypes:
            self.diagnostics.add(
                Code.NO_SUCH_CONSTRUCT,
                "there are no prototypes: functions may be used before their definition",
                span,
                "leave it out",
            )
        for span in self.builder.missing_names:
            self.diagnostics.add(Code.SYNTAX, "a name is expected behind the type", span)
        deepest = self.builder.deepest
        if deepest is not None and deepest.height > self.loader.limits.max_nesting:
            too_deep(self.diagnostics, deepest.span, self.loader.limits)


def parse(
    source: SourceFile,
    diagnostics: Diagnostics,
    *,
    start: int = 0,
    end: int | None = None,
    expression: bool = False,
    include_paths: Sequence[Path] = (),
    limits: Limits = DEFAULT_LIMITS,
    drives: Drives = NO_DRIVES,
    budget: SourceBudget | None = None,
) -> s.Program | None:
    """The syntax tree of [start, end) of a file, or None when a lexical or syntax error was reported. Never raises.

    With `expression` the text is one, and the tree is that of `print(text);`. `budget` counts what is read.
    Included files are parts of the tree, each once; what stands at a wrong place is still in it (`lang.placement`).
    """
    loader = _Loader(include_paths, limits, diagnostics, drives, budget or SourceBudget(limits))
    if source.text.find("#", start, end) >= 0:  # it may include itself
        own = Path(source.name)
        try:
            if own.is_file():
                loader.active.append(own.resolve())
        except (OSError, ValueError):
            pass
    unit = loader.load(source, start, end)
    if diagnostics.has_errors:
        return None
    if expression:
        _wrap_in_print(unit, Span(source, start, len(source.text) if end is None else end))
    _mark_all(unit, loader.type_names)
    program = _Parse(unit, loader).run()
    return None if diagnostics.has_errors else program


def _wrap_in_print(unit: _Unit, span: Span) -> None:
    """`e` -> `print(e);`, with tokens that take no room in the text."""
    before, behind = Span(span.file, span.start, span.start), Span(span.file, span.end, span.end)
    unit.tokens[:0] = [Token("BUILTIN", "print", before), Token("LPAR", "(", before)]
    unit.tokens += [Token("RPAR", ")", behind), Token("SEMICOLON", ";", behind)]


def _mark_all(unit: _Unit, names: set[str]) -> None:
    _mark_type_names(unit.tokens, names)
    for included in unit.included.values():
        _mark_all(included, names)
