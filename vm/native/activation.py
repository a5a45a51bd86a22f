"""An activation: a loaded program, made ready to run natively on a host.

It owns the run context and everything that the context points to. A workspace (stack of frames, message ring) is
shared by activations that do not run at the same time.
"""

from __future__ import annotations

import ctypes
import itertools
from collections import Counter

import msgspec

from vm import formatting
from vm.engine import Fault, Loaded, RunResult
from vm.facts.limits import Limits
from vm.host import Host
from vm.host_memory import private_memory
from vm.memory import Memory
from vm.native import faults
from vm.native.access import direct_access
from vm.native.callbacks import ACTIVATIONS, CALLBACKS
from vm.native.codegen import Code
from vm.native.context import Context
from vm.native.records import MessageRing, number_formats
from vm.script_memory import GLOBALS_BASE, GlobalStore, Literals, ScriptMemory
from vm.semantics import Stop
from vm.sharing import Sharing

_LARGEST_LIMIT = 1 << 62  # the compiled code adds to limits without checking for overflow
_handles = itertools.count(1)


class Workspace:
    """What one run at a time needs: the stack of frames and the message ring."""

    def __init__(self, limits: Limits, ring: MessageRing | None = None) -> None:
        self.stack = private_memory(limits.max_stack_bytes)
        self.stack_anchor = ctypes.c_char.from_buffer(self.stack)
        self.ring = ring or MessageRing()


class StoreView:
    """The globals of a session as compiled code reaches them. It keeps their memory alive, but not the session."""

    def __init__(self, store: GlobalStore) -> None:
        self._anchor = ctypes.c_char.from_buffer(store.memory)
        self._used = ctypes.c_uint64()
        self.address = ctypes.addressof(self._anchor)
        self.used_address = ctypes.addressof(self._used)
        self.refresh(store)

    def refresh(self, store: GlobalStore) -> None:
        """Take in the globals of this session that were bound since."""
        self._used.value = store.used


class Prepared(msgspec.Struct, frozen=True, eq=False):
    """What `NativeEngine.load` keeps in `Loaded.native`."""

    code: Code
    steps_that_pay: int
    literals: Literals
    formats: list[formatting.Format]
    store: StoreView
    idle: list[Activation]

    def has_run(self, steps: int) -> bool:
        """Runs have used so much more fuel; whether `code` is as good as it gets."""
        return self.code.has_run(steps, self.steps_that_pay)


class Activation:
    """`context` is valid as long as this object lives; `code` runs it."""

    def __init__(
        self,
        loaded: Loaded,
        prepared: Prepared,
        limits: Limits,
        sharing: Sharing,
        calls: Counter[str],
        workspace: Workspace,
        host: Host,
    ) -> None:
        self.loaded = loaded
        self.prepared = prepared
        self.limits = limits
        self.calls = calls
        self.sharing = sharing
        self.pending: BaseException | None = None
        self.handle = next(_handles)
        ACTIVATIONS[self.handle] = self
        self._slots = (ctypes.c_uint64 * max(len(loaded.slots), 1))(*(slot - GLOBALS_BASE for slot in loaded.slots))
        self._literals = ctypes.c_char_p(prepared.literals.memory)
        self.context = self._new_context()
        self.address = ctypes.addressof(self.context)
        self.attach(workspace, host)

    def _new_context(self) -> Context:
        limits, prepared = self.limits, self.prepared
        named = ("max_steps", "max_call_depth", "max_stack_bytes", "max_bulk_bytes")
        return Context(
            **{name: min(getattr(limits, name), _LARGEST_LIMIT) for name in named},
            **CALLBACKS,
            lock_tries=min(self.sharing.lock_tries, _LARGEST_LIMIT),
            slots=ctypes.addressof(self._slots),
            globals=prepared.store.address,
            globals_used=prepared.store.used_address,
            literals=ctypes.cast(self._literals, ctypes.c_void_p).value or 0,
            literals_size=len(prepared.literals.memory),
            entries=0 if self.loaded.entries is None else self.loaded.entries.buffer_info()[0],
            format_base=number_formats(self.loaded.program),
            brake=self.sharing.brake.address,
            handle=self.handle,
        )

    def attach(self, workspace: Workspace, host: Host) -> None:
        """Run on this host from now on, with this workspace."""
        self.workspace = workspace
        self.host = host
        self.direct = direct_access(host)
        self.context.stack = ctypes.addressof(workspace.stack_anchor)
        self.context.ring = workspace.ring.address
        self.context.direct = ctypes.addressof(self.direct)
        script = ScriptMemory(self.loaded.store, self.prepared.literals, workspace.stack)
        self.memory = Memory(script, host, self.limits, self.sharing)

    def enter_python(self) -> None:
        """Show the state of the run to `memory`."""
        self.memory.script.top = self.context.top
        self.memory.bulk_left = self.context.bulk_left

    def leave_python(self) -> None:
        """Take over what `memory` has charged."""
        self.context.bulk_left = self.memory.bulk_left

    def drain(self) -> None:
        """Deliver the messages that wait in the ring."""
        self.workspace.ring.drain(self.host.message)

    def outcome(self, status: int) -> RunResult:
        """What the last run came to. Raises what a callback raised, unless that was an error of the script."""
        pending, self.pending = self.pending, None
        context = self.context
        if pending is None:
            return RunResult(context.steps, faults.fault(context, self.limits) if status else None)
        if not isinstance(pending, Stop):
            raise pending
        return RunResult(context.steps, Fault(pending.kind, faults.site_pc(context), pending.values, pending.detail))
