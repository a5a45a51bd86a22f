"""Text -> Program: all passes in order (lexer, parser, placement, checker, portability, lowering).

`Compiler` keeps what the scripts of a session share: the names of its globals, symbols, include folders and limits.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from lang import syntax as s
from lang.checker import check
from lang.checking import Context
from lang.code import Code
from lang.decimal_looking import report_bounds, report_comparisons
from lang.diagnostics import Diagnostic, Diagnostics, in_order
from lang.names import ScriptNames, SessionNames
from lang.parser import SourceBudget, parse
from lang.placement import check_placement
from lang.references import NoReferences, Reference, References
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm import NO_DRIVES, Drives, Program
from vm.facts.limits import DEFAULT_LIMITS, Limits

# Every pass recurses over expressions and blocks; max_nesting levels take a few Python frames each.
FRAMES_PER_LEVEL = 12
# Memory that compiling takes for one byte of source, in bytes, at most; `benchmarks/compile.py` shows it.
MEMORY_PER_BYTE = 480


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


class Compilation(msgspec.Struct, frozen=True):
    """The outcome: the program, unless there are errors, and everything that was found, by place.

    `references` are what the names mean, if the compiler was asked for them and there are no errors of syntax.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    references: tuple[Reference, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a program to run."""
        return self.program is not None


def reserve_stack(limits: Limits = DEFAULT_LIMITS) -> None:
    """Let Python go as deep as a text may be nested. Each compilation does it; who minds when, does it before."""
    needed = limits.max_nesting * FRAMES_PER_LEVEL + 1000
    if sys.getrecursionlimit() < needed:
        sys.setrecursionlimit(needed)


class Compiler(msgspec.Struct):
    """Compiles the scripts of one session."""

    limits: Limits = DEFAULT_LIMITS
    include_paths: Sequence[Path] = ()
    drives: Drives = NO_DRIVES
    symbols: SymbolTable = msgspec.field(default_factory=SymbolTable)
    portability: bool = True  # whether portability and other remarks are wanted
    references: bool = False  # whether `Compilation.references` are wanted
    session: SessionNames = msgspec.field(default_factory=SessionNames)
    _counted: tuple[SourceFile | None, int] = (None, 0)  # the file whose scripts were compiled last, and their bytes
    compared: set[str] = msgspec.field(default_factory=set)  # the files that R001 was said of

    def compile(
        self,
        source: SourceFile,
        start: int = 0,
        end: int | None = None,
        *,
        expression: bool = False,
        whole: SourceFile | None = None,
    ) -> Compilation:
        """Compile [start, end) of a file: a script, or an expression to print. Never raises for what is in it.

        `whole` is the command file that the script is part of: its scripts count together (max_total_source_bytes).
        """
        reserve_stack(self.limits)
        counted, before = self._counted
        budget = SourceBudget(self.limits, total=before if counted is (whole or source) else 0)
        diagnostics = Diagnostics(self.limits)
        references = References() if self.references else NoReferences()
        read = partial(
            parse,
            source,
            diagnostics,
            start=start,
            end=end,
            expression=expression,
            include_paths=self.include_paths,
            limits=self.limits,
            drives=self.drives,
            budget=budget,
        )
        names = ScriptNames(self.session)
        context = Context(names, self.symbols, diagnostics, self.limits, references, in_command=expression)
        with _no_collection():
            program = self._compile(read, context)
            self._counted = whole or source, budget.total
            wanted = (item for item in diagnostics if self.portability or item.severity.is_for_everybody)
            return Compilation(program, tuple(in_order(wanted)), references.found())

    def _compile(self, read: Callable[[], s.Program | None], context: Context) -> Program | None:
        """All passes. What a pass has read is let go as soon as the next form is made: see MEMORY_PER_BYTE."""
        diagnostics = context.diagnostics
        tree = read()
        if tree is None:
            return None
        span = tree.span
        check_placement(tree, diagnostics)
        if diagnostics.has_errors:
            return None
        bounds = report_bounds(tree, diagnostics)
        checked = check(tree, context)
        if self.portability:
            from lang import portability

            portability.report(tree, checked, diagnostics)
            report_comparisons(tree, bounds, diagnostics, self.compared)
        if diagnostics.has_errors:
            return None
        from lang.lowering import TooLarge, lower

        typed, names = checked.program, checked.names
        checked.declared.clear()  # keyed by nodes of the syntax tree
        del tree, checked, bounds
        try:
            program = lower(typed)
        except TooLarge as error:
            diagnostics.add(Code.SCRIPT_TOO_LARGE, f"the script is too large: {error}", span)
            return None
        for name, variable in names.globals.items():
            self.session.types[name] = (variable.type, variable.typed)
        self.session.assigned |= names.written
        return program
