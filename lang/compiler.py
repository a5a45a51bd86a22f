"""Text -> Program: all passes in order (lexer, parser, placement, checker, portability, lowering).

`Compiler` keeps what the scripts of a session share: the names of its globals, symbols, include folders and limits.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lang import syntax
from lang.checker import Checked, Checker
from lang.decimal_looking import report_bounds, report_comparisons
from lang.diagnostics import Diagnostic, Diagnostics, sort_key, too_deep
from lang.names import SessionNames
from lang.parser import parse
from lang.placement import check_placement
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm.drives import NO_DRIVES, Drives
from vm.limits import DEFAULT_LIMITS, Limits
from vm.program import Program

# Every pass recurses over expressions and blocks; max_nesting levels take a few Python frames each.
FRAMES_PER_LEVEL = 12


@contextmanager
def _no_collection() -> Iterator[None]:
    """Trees grow and nothing of them is garbage: looking for cycles again and again would make compiling quadratic."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class Compilation:
    """The outcome: the program, unless there are errors, and everything that was found, by place."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    tree: syntax.Program | None = None
    checked: Checked | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a program to run."""
        return self.program is not None


@dataclass
class Compiler:
    """Compiles the scripts of one session."""

    limits: Limits = DEFAULT_LIMITS
    include_paths: Sequence[Path] = ()
    drives: Drives = NO_DRIVES
    symbols: SymbolTable = field(default_factory=SymbolTable)
    portability: bool = True  # whether portability and other remarks are wanted
    session: SessionNames = field(default_factory=SessionNames)
    compared: set[str] = field(default_factory=set)  # the files that R001 was said of

    def compile(
        self, source: SourceFile, start: int = 0, end: int | None = None, *, expression: bool = False
    ) -> Compilation:
        """Compile [start, end) of a file: a script, or an expression to print. Never raises for what is in it."""
        needed = self.limits.max_nesting * FRAMES_PER_LEVEL + 1000
        if sys.getrecursionlimit() < needed:
            sys.setrecursionlimit(needed)
        with _no_collection():
            return self._compile(source, start, end, expression)

    def _compile(self, source: SourceFile, start: int, end: int | None, expression: bool) -> Compilation:
        diagnostics = Diagnostics(self.limits.max_errors)
        tree = parse(
            source,
            diagnostics,
            start=start,
            end=end,
            expression=expression,
            include_paths=self.include_paths,
            limits=self.limits,
            drives=self.drives,
        )
        if tree is None:
            return self._done(None, diagnostics)
        check_placement(tree, diagnostics)
        if diagnostics.has_errors:
            return self._done(None, diagnostics, tree)
        report_bounds(tree, diagnostics)
        checked = Checker(self.session, self.symbols, diagnostics, self.limits, in_command=expression).check(tree)
        if self.portability:
            from lang import portability

            portability.report(tree, checked, diagnostics)
            report_comparisons(tree, diagnostics, self.compared)
        if diagnostics.has_errors:
            return self._done(None, diagnostics, tree, checked)
        from lang.lowering import TooLarge, lower

        try:
            program = lower(checked.program)
        except TooLarge:
            too_deep(diagnostics, tree.span, self.limits)
            return self._done(None, diagnostics, tree, checked)
        for name, variable in checked.names.globals.items():
            self.session.types[name] = (variable.type, variable.typed)
        self.session.assigned |= checked.names.written
        return self._done(program, diagnostics, tree, checked)

    def _done(
        self,
        program: Program | None,
        diagnostics: Diagnostics,
        tree: syntax.Program | None = None,
        checked: Checked | None = None,
    ) -> Compilation:
        wanted = (item for item in diagnostics if self.portability or item.severity.is_for_everybody)
        found = sorted(wanted, key=sort_key)
        return Compilation(program, tuple(found), tree, checked)
