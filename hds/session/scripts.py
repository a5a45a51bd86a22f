"""The scripts of a command file, compiled in order and loaded into a session's engine.

Scripts of one file share the session's globals, so they are compiled in the order in which they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hds.session.command_scripts import CommandFile, CommandScript, compile_parameter, read_command_file
from hds.session.symbols import announce_symbols
from lang import Code, Diagnostic, Reference, Severity, SourceFile, Span, sort_key
from vm import Engine, GlobalConflict, GlobalStore, Loaded, Program

if TYPE_CHECKING:
    from lang import Compiler
    from vm.facts.limits import Limits


class Prepared(msgspec.Struct):
    """A command file, read and compiled; loaded scripts by their key (the offset in the file).

    `references` of all scripts, if the compiler was asked for them.
    """

    file: CommandFile
    diagnostics: list[Diagnostic] = msgspec.field(default_factory=list)
    references: list[Reference] = msgspec.field(default_factory=list)
    loaded: dict[int, Loaded] = msgspec.field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        """Whether anything in it does not compile."""
        return any(item.severity is Severity.ERROR for item in self.diagnostics)


class Counted:
    """The loaded scripts whose runs count what they enter, as many as `max_counted_instructions` allows."""

    def __init__(self, limits: Limits) -> None:
        self.loaded: list[Loaded] = []
        self.is_complete = True
        self._left = limits.max_counted_instructions

    def load(self, engine: Engine, program: Program, store: GlobalStore) -> Loaded:
        """As Engine.load, and counting while there is room. Raises what that raises."""
        made = engine.load(program, store, counts_entries=len(program.code) <= self._left)
        if made.entries is None:
            self.is_complete = False
        else:
            self._left -= len(made.entries)
            self.loaded.append(made)
        return made


class Scripts:
    """Compiles and loads for one session."""

    def __init__(
        self,
        compiler: Compiler,
        engine: Engine,
        store: GlobalStore,
        kernel: str | None = None,
        started: Callable[[Path, tuple[str, ...]], None] = lambda path, arguments: None,
        root: Path | None = None,
    ) -> None:
        self.compiler = compiler
        self.kernel = kernel  # the stand-in of all programs, if it was chosen
        self.started = started  # is told of the programs that `.start` is going to load, and their arguments
        self.root = root  # the folder with the DLLs of Windows programs
        self.engine = engine
        self.store = store
        self.counted: Counted | None = None  # where --record lines asks for it

    def prepare(self, source: SourceFile, compiled: Mapping[int, Program] | None = None) -> Prepared:
        """Read a command file and compile all its scripts, but those that are compiled already (by their key).

        Never raises for what is in the file. Raises VerificationError for a compiled program that is not well-formed.
        """
        file = read_command_file(source, self.compiler.limits, self.compiler.drives)
        announce_symbols(file.commands, self.compiler, self.kernel, self.started, self.root)
        prepared = Prepared(file, list(file.findings))
        for script in file.scripts:
            program = compiled.get(script.key) if compiled else None
            loaded = self.load(script, prepared) if program is None else self.bind(program, script, prepared)
            if loaded is not None:
                prepared.loaded[script.key] = loaded
        prepared.diagnostics.sort(key=sort_key)
        return prepared

    def bind(self, program: Program, script: CommandScript, prepared: Prepared) -> Loaded | None:
        """Load a compiled program; None when its globals do not fit the session's."""
        try:
            return self._load(program)
        except GlobalConflict as conflict:
            prepared.diagnostics.append(Diagnostic(Code.TOO_MANY_GLOBALS, str(conflict), script.command.span))
            return None

    def load_expression(self, span: Span) -> Loaded | Diagnostic:
        """Compile and load an expression that a command turns out to have; what is wrong when it does not compile."""
        made = compile_parameter(self.compiler, span)
        if made.program is None:
            return next(item for item in made.diagnostics if item.severity is Severity.ERROR)
        return self._load(made.program)

    def _load(self, program: Program) -> Loaded:
        """Raises VerificationError or GlobalConflict."""
        if self.counted is None:
            return self.engine.load(program, self.store)
        return self.counted.load(self.engine, program, self.store)

    def load(self, script: CommandScript, prepared: Prepared) -> Loaded | None:
        """Compile and load one script; None when there are errors, which are in the diagnostics then."""
        result = script.compile(self.compiler)
        prepared.diagnostics += result.diagnostics
        prepared.references += result.references
        return None if result.program is None else self.bind(result.program, script, prepared)
