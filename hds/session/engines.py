"""The engines by name, loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.exit_codes import ExitCode
from hds.inputs import refuse
from vm import Engine

if TYPE_CHECKING:
    from vm.facts.limits import Limits

ENGINES = ("reference", "native")


def engine_named(name: str | None, limits: Limits) -> Engine:
    """The engine of that name; for None the native one, or the reference engine where llvmlite cannot be loaded.

    Raises ValueError for another name, and ImportError or OSError where what it needs cannot be loaded.
    """
    if name not in (None, *ENGINES):
        raise ValueError(f"there is no engine {name!r}; there are {', '.join(ENGINES)}")
    if name != "reference":
        try:
            from vm.native import NativeEngine

            native: Engine = NativeEngine(limits)
            return native
        except (ImportError, OSError):
            if name is not None:
                raise
    from vm import Interpreter

    return Interpreter(limits)


def engine_of(given: Engine | str | None, limits: Limits) -> Engine:
    """An engine as it is, or the one of a name. Raises as `engine_named`, and TypeError for what is neither."""
    if given is None or isinstance(given, str):
        return engine_named(given, limits)
    if not isinstance(given, Engine):
        raise TypeError(f"an engine is a name or an Engine, not {given!r}")
    return given


def load_engine(name: str | None, limits: Limits) -> Engine:
    """The engine of that name. Exits with a message when what it needs is not installed."""
    try:
        return engine_named(name, limits)
    except (ImportError, OSError) as error:
        refuse(f"the native engine is not available: {error}", ExitCode.USAGE)
