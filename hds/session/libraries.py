"""Where the libraries of a dynamic program are going to be, before it has begun: an event may wait there already.

Every run is the same, so the dynamic linker maps them where it maps them in a machine that is made for this question.
That costs time, and is done when a name is asked for that nobody has. Libraries that the program loads itself
(dlopen) are known once they are there.
"""

from __future__ import annotations

from dataclasses import replace

from machine import Machine, MachineOptions, Program
from machine.debugger import Module, modules_of, planned_dlls
from machine.loaders import LoadError
from vm import Interpreter

_MOST_INSTRUCTIONS = 200_000_000  # of the dynamic linker


def planned_modules(program: Program, options: MachineOptions) -> tuple[Module, ...]:
    """The libraries that a program has when its own code begins; none where it does not come to that."""
    world = options.world if options.world is None else replace(options.world, writable=False, standard_input=None)
    options = replace(options, cores=1, parallel=False, world=world)
    machine = Machine(Interpreter(options.limits), options)
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
