"""LLVM IR text -> machine code in this process; the one module that imports llvmlite."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from llvmlite import binding

from vm.host_memory import require_memory


class Tier(msgspec.Struct, frozen=True):
    """How much work goes into the code: LLVM's level, and passes over the module before that."""

    level: int
    passes: tuple[str, ...]


# What scripts gain from: cells become SSA values, and checks that cannot fail go. It takes 0.2 ms for an instruction of
# a script, but more than proportional time for a hostile program; the other tier is proportional for all of them.
OPTIMISED = Tier(2, ("always_inliner", "global_dead_code_eliminate", "sroa", "instruction_combine", "simplify_cfg"))
BASELINE = Tier(0, ())

# What LLVM was seen to take, and a half more.
_LLVM_BYTES = 48 << 20
_LLVM_BYTES_A_CHARACTER = 20

# Half of a compilation went into these: the graph-based instruction selection, and the loop strength reduction, which
# gives every fuel check a counter of its own. Other users of llvmlite in this process would get the same setting.
_OPTIONS = ("-fast-isel", "-disable-lsr")


class MachineCode(msgspec.Struct, frozen=True, eq=False):
    """The machine code of a module; valid as long as this object lives."""

    engine: Any

    def address(self, symbol: str) -> int:
        """The address of a function."""
        address: int = self.engine.get_function_address(symbol)
        return address


def compile_text(text: str, tier: Tier = OPTIMISED) -> MachineCode:
    """The machine code of this module. The text is made by hds: a parse error is a defect of its maker.

    Raises HostMemoryError, where LLVM would end the process.
    """
    require_memory(_LLVM_BYTES + _LLVM_BYTES_A_CHARACTER * len(text), "the compiler of native code")
    machine = target_machine(tier)
    engine = binding.create_mcjit_compiler(optimised(text, machine, tier), machine)
    engine.finalize_object()
    return MachineCode(engine)


def add_symbol(name: str, address: int) -> None:
    """Let modules that are compiled from now on call the function at this address by name."""
    binding.add_symbol(name, address)


@cache
def _target() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    for option in _OPTIONS:
        binding.set_option("hds", option)
    return binding.Target.from_default_triple()


def target_machine(tier: Tier) -> Any:
    """LLVM's description of this processor."""
    return _target().create_target_machine(opt=tier.level, jit=True)


def optimised(text: str, machine: Any, tier: Tier) -> Any:
    """LLVM's module of this text after the passes of the tier."""
    module = binding.parse_assembly(text)
    module.verify()
    passes = binding.create_new_module_pass_manager()
    for add in tier.passes:
        getattr(passes, f"add_{add}_pass")()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options()))
    return module
