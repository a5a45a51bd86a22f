"""Programs to machine code. The support functions are compiled once per process, programs once per content.

A program is compiled the fast way, and once more, well, when its runs have done so much that this pays: what was
compiled well before is kept (`code_cache`), and used from the start.

Everything is compiled for the baseline of the host's architecture, so that results do not depend on the machine, and
without fast-math, vectors or unrolling: scripts are short, and compiling them must take milliseconds.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from vm import formatting
from vm.native.emitter import Module
from vm.native.jit import BASELINE, OPTIMISED, Tier, add_symbol, compile_text, kept, optimised, target_machine
from vm.native.linkage import symbol
from vm.native.module import RUN, program_module
from vm.native.object_code import MachineCode
from vm.native.records import Waiting, waiting
from vm.native.support import called, support_module
from vm.program import Program

OPTIMISED_INSTRUCTIONS = 768  # a program that is longer is compiled the fast way only
# Fuel behind which a program is compiled well: the fast way is some 2 ns a unit slower, and compiling well takes 15 ms
# for 20 lines, so at most a fifth of that is lost by waiting, and nothing by scripts that do less.
STEPS_THAT_PAY = 1_000_000
_CACHED_PROGRAMS = 512
_lock = threading.RLock()

RunFunction = Callable[[int], int]
_RUN_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


class Code:
    """The machine code of a program. All that it ever had stays valid as long as this object lives."""

    address: int  # of `int32 run(context)`
    run: RunFunction

    def __init__(self, make_module: Callable[[], Module], can_be_better: bool) -> None:
        self._make_module: Callable[[], Module] | None = make_module if can_be_better else None
        self._made: list[MachineCode] = []
        self._steps = 0
        module = make_module()
        _link_support([name for name in called(module) if name not in _support])
        text = str(module)
        well = kept(text, OPTIMISED) if can_be_better else None
        self._take(well or compile_text(text, BASELINE))
        if well:
            self._make_module = None

    def has_run(self, steps: int, steps_that_pay: int) -> bool:
        """Runs have used so much more fuel: compile it well, if that pays. Whether it is as good as it gets."""
        self._steps += steps
        if self._steps < steps_that_pay or self._make_module is None:
            return self._make_module is None
        with _lock:
            if self._make_module is not None:
                self._take(compile_text(str(self._make_module()), OPTIMISED))
                self._make_module = None
        return True

    def _take(self, code: MachineCode) -> None:
        self._made.append(code)
        self.address = code.address(RUN)
        self.run = _RUN_TYPE(self.address)


def program_code(program: Program, max_message: int, counts_entries: bool = False) -> Code:
    """The machine code of a verified program; the same object for every program of the same content.

    It `counts_entries` of basic blocks, or does not.
    """
    formats = _waiting(program, max_message)
    can_be_better = _tier(program) is OPTIMISED
    key = (
        can_be_better,
        program.code,
        tuple((row.name, row.parameters, row.frame, row.start, row.end) for row in program.functions),
        program.constants,
        tuple(map(len, program.strings)),
        program.formats,
        formats,
        counts_entries,
    )
    with _lock:
        code = _programs.get(key)
        if code is None:
            code = _programs[key] = Code(lambda: program_module(program, formats, counts_entries), can_be_better)
            if len(_programs) > _CACHED_PROGRAMS:
                _programs.popitem(last=False)
        _programs.move_to_end(key)
        return code


_programs: OrderedDict[Any, Code] = OrderedDict()


def _waiting(program: Program, max_message: int) -> tuple[Waiting | None, ...]:
    return tuple(waiting(formatting.parse(text), max_message) for text in program.formats)


def llvm_text(program: Program, max_message: int) -> str:
    """The module of a program as the compiler makes it, with the bytecode in comments."""
    return str(program_module(program, _waiting(program, max_message)))


def assembly_text(program: Program, max_message: int) -> str:
    """The machine code of a program as assembly text of the host."""
    with _lock:
        tier = _tier(program)
        machine = target_machine(tier)
        module = optimised(llvm_text(program, max_message), machine, tier)
        assembly: str = machine.emit_assembly(module)
        return assembly


def _tier(program: Program) -> Tier:
    return OPTIMISED if len(program.code) <= OPTIMISED_INSTRUCTIONS else BASELINE


_support: dict[str, MachineCode] = {}  # by the function that it defines; code must stay alive


def _link_support(names: list[str]) -> None:
    """Compile these support functions and give their addresses to the linker."""
    if names:
        module, defined = support_module(names, _support)
        code = compile_text(str(module))
        for name in defined:
            add_symbol(symbol(name), code.address(symbol(name)))
            _support[name] = code
