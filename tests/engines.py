"""The two engines, for tests that choose one themselves; most take the fixture `engine`."""

from __future__ import annotations

import pytest

from vm.engine import Engine
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.interpreter import Interpreter

try:
    import llvmlite  # noqa: F401 - not vm.native.jit: where that is loaded machine code is used from the start
except ImportError:
    HAS_MACHINE_CODE = False
else:
    HAS_MACHINE_CODE = True


def need_machine_code() -> None:
    """Skip a test, or at its top a module of tests, where no machine code can be made."""
    if not HAS_MACHINE_CODE:
        pytest.skip("llvmlite is not installed", allow_module_level=True)


def make_engine(name: str, limits: Limits = DEFAULT_LIMITS) -> Engine:
    """The engine of that name; the test is skipped where it cannot exist."""
    if name == "reference":
        return Interpreter(limits)
    need_machine_code()
    from vm.native.engine import NativeEngine

    engine: Engine = NativeEngine(limits)
    return engine
