"""The two engines, for tests that choose one themselves; most take the fixture `engine`."""

from __future__ import annotations

import pytest

from vm.engine import Engine
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.interpreter import Interpreter


def make_engine(name: str, limits: Limits = DEFAULT_LIMITS) -> Engine:
    """The engine of that name; the test is skipped where it cannot exist."""
    if name == "reference":
        return Interpreter(limits)
    pytest.importorskip("vm.native.engine", reason="llvmlite is not installed", exc_type=ImportError)
    from vm.native.engine import NativeEngine

    engine: Engine = NativeEngine(limits)
    return engine
