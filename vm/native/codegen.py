"""Programs to machine code. The support functions are compiled once per process, programs once per content.

Everything is compiled for the baseline of the host's architecture, so that results do not depend on the machine, and
without fast-math, vectors or unrolling: scripts are short, and compiling them must take milliseconds.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from vm import formatting
from vm.native.emitter import Module
from vm.native.jit import BASELINE, OPTIMISED, Tier, add_symbol, compile_text, optimised, target_machine
from vm.native.linkage import symbol
from vm.native.module import RUN, program_module
from vm.native.object_code import MachineCode
from vm.native.records import Waiting, waiting
from vm.native.support import called, support_module
from vm.program import Program

OPTIMISED_INSTRUCTIONS = 768  # a program that is longer is compiled the fast way
_CACHED_PROGRAMS = 512
_lock = threading.RLock()

RunFunction = Callable[[int], int]
_RUN_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


class Code(msgspec.Struct, frozen=True, eq=False):
    """The machine code of a program. It stays valid as long as this object lives."""

    address: int  # of `int32 run(context)`
    run: RunFunction
    code: MachineCode


def program_code(program: Program, max_message: int, counts_entries: bool = False) -> Code:
    """The machine code of a verified program; the same object for every program of the same content.

    It `counts_entries` of basic blocks, or does not.
    """
    formats = _waiting(program, max_message)
    tier = _tier(program)
    key = (
        tier,
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
            code = _programs[key] = _compile(program_module(program, formats, counts_entries), tier)
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


def _compile(module: Module, tier: Tier) -> Code:
    _link_support([name for name in called(module) if name not in _support])
    code = compile_text(str(module), tier)
    address = code.address(RUN)
    return Code(address, _RUN_TYPE(address), code)


_support: dict[str, MachineCode] = {}  # by the function that it defines; code must stay alive


def _link_support(names: list[str]) -> None:
    """Compile these support functions and give their addresses to the linker."""
    if names:
        module, defined = support_module(names, _support)
        code = compile_text(str(module))
        for name in defined:
            add_symbol(symbol(name), code.address(symbol(name)))
            _support[name] = code
