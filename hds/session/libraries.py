"""Where the libraries of a dynamic program are going to be, before it has begun: an event may wait there already.

Every run is the same, so the dynamic linker maps them where it maps them in a machine that is made for this question.
That costs time, and is done when a name is asked for that nobody has. Libraries that the program loads itself
(dlopen) are known once they are there. DLLs of Windows programs have a plan, which grows by whatever modules are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from hds.session.engines import engine_named
from machine import Machine, MachineOptions, Program
from machine.debugger import Module, modules_of, planned_dlls
from machine.loaders import LoadError

if TYPE_CHECKING:
    from pathlib import Path

    from hds.session.symbols import Symbols
    from machine.schedule import Process

_MOST_INSTRUCTIONS = 200_000_000  # of the dynamic linker


def planned_modules(program: Program, options: MachineOptions) -> tuple[Module, ...]:
    """The libraries that a program has when its own code begins; none where it does not come to that."""
    world = options.world if options.world is None else replace(options.world, writable=False, standard_input=None)
    options = replace(options, cores=1, parallel=False, world=world)
    machine = Machine(engine_named("reference", options.limits), options)
    try:
        process = machine.load(program)
    except LoadError:
        return ()
    if process.image.windows is not None:
        return planned_dlls(process.image.windows)
    if process.image.interpreter is None:
        return ()
    process.until = process.image.entry
    machine.run(min(_MOST_INSTRUCTIONS, options.limits.max_instructions))
    return modules_of(process)


class Libraries:
    """The libraries of a session's programs, planned when a name is asked for that nobody has."""

    def __init__(self, symbols: Symbols, options: MachineOptions) -> None:
        self._symbols, self._options = symbols, options
        self._named: list[str] = []  # modules that were asked for, in order, on which places depend
        self._unplanned: list[tuple[Program, Process | None]] = []  # programs that nobody has planned yet
        self._plans: dict[object, tuple[Module, ...]] = {}
        self._with_dlls: list[Process] = []  # whose plans may grow
        self._announced: list[Program] = []  # programs with DLLs that are not loaded yet

    def with_named(self, program: Program) -> Program:
        """A program that is about to be loaded, with the modules that were named so far."""
        return replace(program, modules=(*program.modules, *self._named))

    def announce(self, path: Path, arguments: tuple[str, ...]) -> None:
        """A file of commands has a `.start` of this program: its libraries may be named before it is loaded."""
        self._unplanned.append((Program(path, arguments=arguments), None))

    def take(self, program: Program, process: Process) -> None:
        """A program was loaded."""
        if process.image.windows is not None or process.image.interpreter is not None:
            self._unplanned.append((program, process))
            if self._named or _identity(program) in self._plans:
                self._plan()

    def look_for(self, module: str) -> None:
        """Learn where the libraries of programs are going to be: a name of this module is asked for that nobody has."""
        is_new = module not in self._named
        if is_new:
            self._named.append(module)
        self._plan()
        if is_new:
            for program in self._announced:
                self._plan_announced(program)

    def _plan(self) -> None:
        unplanned, self._unplanned = self._unplanned, []
        for program, process in unplanned:
            key = _identity(program)
            if process is not None and process.image.windows is not None:
                self._with_dlls.append(process)
                continue
            if key not in self._plans:
                self._plan_announced(program)
                if process is None and any(module.dll is not None for module in self._plans[key]):
                    self._announced.append(program)
            if process is not None:
                process.planned = _ranges(self._plans[key])
        self._with_dlls = [process for process in self._with_dlls if process.alive]
        for process in self._with_dlls:
            self._grow(process)

    def _plan_announced(self, program: Program) -> None:
        found = self._plans[_identity(program)] = planned_modules(self.with_named(program), self._options)
        self._symbols.add_modules(program.process_name, found)

    def _grow(self, process: Process) -> None:
        plan = process.image.windows
        assert plan is not None
        for name in self._named:
            plan.include(name)
        found = planned_dlls(plan)
        fresh = [module for module in found if (module.start, module.end) not in process.planned]
        process.planned = _ranges(found)
        self._symbols.add_modules(process.name, fresh)


def _ranges(modules: tuple[Module, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((module.start, module.end) for module in modules)


def _identity(program: Program) -> object:
    """What tells programs apart whose libraries may lie elsewhere."""
    return program.content, tuple(program.arguments), tuple(program.environment)
