"""Whether a machine has a native carrier. Loads llvmlite for those that have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machine.events import Dispatcher, Surroundings
    from machine.host import DebuggerState
    from machine.native.carrier import Carrier
    from machine.root import RootSandbox
    from vm import Engine


def carrier_for(
    engine: Engine,
    state: DebuggerState,
    owner: Surroundings,
    dispatcher: Dispatcher,
    sandboxes: Sequence[RootSandbox],
    outside: Collection[int],
    defers: bool,
    measures: bool,
) -> Carrier | None:
    """The native carrier of a machine whose scripts are machine code; None for another engine's.

    With `defers` messages that scripts send at once wait until somebody could notice. With `measures` events know
    their time.
    """
    if engine.name != "native":
        return None
    from machine.native.carrier import Carrier
    from vm.native import NativeEngine

    if not isinstance(engine, NativeEngine):
        return None
    return Carrier(engine, state, owner, dispatcher, sandboxes, outside, defers, measures)
