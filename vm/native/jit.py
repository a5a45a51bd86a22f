"""LLVM IR text -> machine code in this process; the one module that imports llvmlite.

LLVM makes an object file of a text, which `object_code` loads; files are kept by what they follow from (`code_cache`),
and LLVM is loaded when one is wanted that is not there.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import llvmlite
import msgspec

from vm.host_memory import require_memory
from vm.native import code_cache
from vm.native.object_code import BadObject, MachineCode, c_function, load


class Tier(msgspec.Struct, frozen=True):
    """How much work goes into the code: LLVM's level, passes over the module before that, and the code's model."""

    level: int
    passes: tuple[str, ...]
    relocation: str
    model: str


# What scripts gain from: cells become SSA values, and checks that cannot fail go. It takes 0.2 ms for an instruction of
# a script, but more than proportional time for a hostile program; the other tier is proportional for all of them.
# Its calls are of the large model, since -fast-isel makes those of the small one, a tenth slower.
_PASSES = ("always_inliner", "global_dead_code_eliminate", "sroa", "instruction_combine", "simplify_cfg")
OPTIMISED = Tier(2, _PASSES, "static", "large")
BASELINE = Tier(0, (), "pic", "small")

# What LLVM was seen to take, and a half more.
_LLVM_BYTES = 48 << 20
_LLVM_BYTES_A_CHARACTER = 20

# Half of a compilation went into these: the graph-based instruction selection, and the loop strength reduction, which
# gives every fuel check a counter of its own. Other users of llvmlite in this process would get the same setting.
_OPTIONS = ("-fast-isel", "-disable-lsr")

_MAKER = ("llvmlite", str(llvmlite.__version__), repr(_OPTIONS))

_symbols: dict[str, int] = {}


def compile_text(text: str, tier: Tier = OPTIMISED) -> MachineCode:
    """The machine code of this module. The text is made by hds: a parse error is a defect of its maker.

    Raises HostMemoryError, where LLVM would end the process.
    """
    code = kept(text, tier)
    if code is not None:
        return code
    require_memory(_LLVM_BYTES + _LLVM_BYTES_A_CHARACTER * len(text), "the compiler of native code")
    machine = target_machine(tier)
    data: bytes = machine.emit_object(optimised(text, machine, tier))
    code = load(data, _address_of)
    code_cache.keep(_key(text, tier), data)
    return code


def kept(text: str, tier: Tier) -> MachineCode | None:
    """The machine code of this module, if it was compiled before. Raises HostMemoryError."""
    data = code_cache.read(_key(text, tier))
    with contextlib.suppress(BadObject):  # it is made anew
        return None if data is None else load(data, _address_of)
    return None


def _key(text: str, tier: Tier) -> str:
    return code_cache.key_of(*_MAKER, repr(tier), text)


def add_symbol(name: str, address: int) -> None:
    """Let modules that are compiled from now on call the function at this address by name."""
    _symbols[name] = address


def _address_of(name: str) -> int:
    return _symbols.get(name) or c_function(name)


@cache
def _binding() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    for option in _OPTIONS:
        binding.set_option("hds", option)
    return binding


def target_machine(tier: Tier) -> Any:
    """LLVM's description of the processor that code is for: any x86-64, whichever finds the code kept."""
    target = _binding().Target.from_default_triple()
    return target.create_target_machine(opt=tier.level, reloc=tier.relocation, codemodel=tier.model)


def optimised(text: str, machine: Any, tier: Tier) -> Any:
    """LLVM's module of this text after the passes of the tier."""
    binding = _binding()
    module = binding.parse_assembly(text)
    module.verify()
    if tier.passes:
        passes = binding.create_new_module_pass_manager()
        for add in tier.passes:
            getattr(passes, f"add_{add}_pass")()
        passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options()))
    return module


def _require_llvm() -> None:
    """Raise what the import raises where LLVM cannot be loaded; it is enough to have loaded this version once."""
    key = code_cache.key_of(*_MAKER)
    if code_cache.read(key) is None:
        _binding()
        code_cache.keep(key, b"")


_require_llvm()
