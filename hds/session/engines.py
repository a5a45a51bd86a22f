"""The engines by name, loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.exit_codes import ExitCode
from hds.inputs import refuse

if TYPE_CHECKING:
    from vm import Engine
    from vm.facts.limits import Limits

ENGINES = ("reference", "native")


def default_engine(limits: Limits) -> Engine:
    """The native engine, or the reference engine where llvmlite is missing or cannot be loaded."""
    try:
        from vm.native import NativeEngine
    except (ImportError, OSError):
        from vm import Interpreter

        return Interpreter(limits)
    return NativeEngine(limits)


def load_engine(name: str | None, limits: Limits) -> Engine:
    """The engine of that name. Exits with a message when what it needs is not installed."""
    if name is None:
        return default_engine(limits)
    if name == "reference":
        from vm import Interpreter

        return Interpreter(limits)
    try:
        from vm.native import NativeEngine
    except (ImportError, OSError) as error:
        refuse(f"the native engine is not available: {error}", ExitCode.USAGE)
    engine: Engine = NativeEngine(limits)
    return engine
