"""LLVM modules to machine code. The support functions are compiled once per process, programs once per content.

Everything is compiled for the baseline of the host's architecture, so that results do not depend on the machine, and
without fast-math, vectors or unrolling: scripts are short, and compiling them must take milliseconds.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llvmlite import binding

from vm import formatting
from vm.native import records
from vm.native.linkage import SUPPORT, symbol
from vm.native.module import RUN, program_module
from vm.native.support import support_module
from vm.program import Program

OPTIMISED_INSTRUCTIONS = 768  # a program that is longer is compiled the fast way
_CACHED_PROGRAMS = 512
_lock = threading.RLock()

RunFunction = Callable[[int], int]
_RUN_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


@dataclass(frozen=True, eq=False)
class Code:
    """The machine code of a program. It stays valid as long as this object lives."""

    address: int  # of `int32 run(context)`
    run: RunFunction
    engine: Any = field(repr=False)


def program_code(program: Program, max_message: int) -> Code:
    """The machine code of a verified program; the same object for every program of the same content."""
    deferred = deferred_formats(program, max_message)
    tier = _tier(program)
    key = (
        tier,
        program.code,
        tuple((row.name, row.parameters, row.frame, row.start, row.end) for row in program.functions),
        program.constants,
        tuple(map(len, program.strings)),
        program.formats,
        deferred,
    )
    with _lock:
        code = _programs.get(key)
        if code is None:
            code = _programs[key] = _compile(str(program_module(program, deferred)), tier)
            if len(_programs) > _CACHED_PROGRAMS:
                _programs.popitem(last=False)
        _programs.move_to_end(key)
        return code


_programs: OrderedDict[Any, Code] = OrderedDict()


def deferred_formats(program: Program, max_message: int) -> tuple[bool, ...]:
    """For each printf format, whether its messages can be rendered after the run."""
    return tuple(records.can_wait(formatting.parse(text), max_message) for text in program.formats)


def llvm_text(program: Program, max_message: int) -> str:
    """The module of a program as the compiler makes it, with the bytecode in comments."""
    return str(program_module(program, deferred_formats(program, max_message)))


def assembly_text(program: Program, max_message: int) -> str:
    """The machine code of a program as assembly text of the host."""
    with _lock:
        tier = _tier(program)
        machine = _target_machine(tier)
        module = _optimised(llvm_text(program, max_message), machine, tier)
        assembly: str = machine.emit_assembly(module)
        return assembly


# --- LLVM -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tier:
    """How much work goes into the code: LLVM's level, and passes over the module before that."""

    level: int
    passes: tuple[str, ...]


# What scripts gain from: cells become SSA values, and checks that cannot fail go. It takes 0.2 ms for an instruction of
# a script, but more than proportional time for a hostile program; the other tier is proportional for all of them.
OPTIMISED = Tier(2, ("sroa", "instruction_combine", "simplify_cfg"))
BASELINE = Tier(0, ())


def _tier(program: Program) -> Tier:
    return OPTIMISED if len(program.code) <= OPTIMISED_INSTRUCTIONS else BASELINE


# Half of a compilation went into these: the graph-based instruction selection, and the loop strength reduction, which
# gives every fuel check a counter of its own. Other users of llvmlite in this process would get the same setting.
_OPTIONS = ("-fast-isel", "-disable-lsr")


@cache
def _target() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    for option in _OPTIONS:
        binding.set_option("hds", option)
    return binding.Target.from_default_triple()


def _target_machine(tier: Tier) -> Any:
    return _target().create_target_machine(opt=tier.level, jit=True)


def _optimised(text: str, machine: Any, tier: Tier) -> Any:
    """The module of this text after the passes. The text was made here: a parse error is a defect of this package."""
    module = binding.parse_assembly(text)
    module.verify()
    passes = binding.create_new_module_pass_manager()
    for add in tier.passes:
        getattr(passes, f"add_{add}_pass")()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options()))
    return module


def _linked(text: str, tier: Tier) -> Any:
    """An execution engine with the machine code of this module."""
    machine = _target_machine(tier)
    engine = binding.create_mcjit_compiler(_optimised(text, machine, tier), machine)
    engine.finalize_object()
    return engine


def _compile(text: str, tier: Tier) -> Code:
    _link_support()
    engine = _linked(text, tier)
    address: int = engine.get_function_address(RUN)
    return Code(address, _RUN_TYPE(address), engine)


@cache
def _link_support() -> Any:
    """Compile the support functions and give their addresses to the linker; the engine keeps them alive."""
    engine = _linked(str(support_module()), OPTIMISED)
    for name in SUPPORT:
        binding.add_symbol(symbol(name), engine.get_function_address(symbol(name)))
    return engine
