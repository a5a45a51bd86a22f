"""The native engine: bytecode -> LLVM IR -> machine code, with the results of the reference engine in everything.

Programs that are too large to compile at once, or that could need more of the native stack than there is, run on the
reference engine: the answer is the same, only slower.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from vm import formatting, interpreter
from vm.engine import Loaded, RunResult, no_entries
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.host import Host
from vm.native.activation import Activation, Prepared, StoreView, Workspace
from vm.native.codegen import STEPS_THAT_PAY, program_code
from vm.native.stack_bound import fits_native
from vm.program import Program
from vm.script_memory import GlobalStore, Literals
from vm.sharing import Sharing
from vm.verifier import verify

if TYPE_CHECKING:
    from vm.interpreter import Interpreter


class NativeEngine:
    """The native engine (`vm.engine.Engine`). `callbacks` counts by name what runs have asked Python for.

    A program whose runs have used `steps_that_pay` units of fuel is compiled better than it was at first. `run` itself
    is for one thread at a time.
    """

    name = "native"

    def __init__(self, limits: Limits = DEFAULT_LIMITS, steps_that_pay: int = STEPS_THAT_PAY) -> None:
        self.limits = limits
        self.callbacks: Counter[str] = Counter()
        self._steps_that_pay = steps_that_pay
        self._sharing = Sharing()
        self._reference: Interpreter | None = None  # for what is too large
        self._stores: WeakKeyDictionary[GlobalStore, StoreView] = WeakKeyDictionary()
        self._workspaces: list[Workspace] = []

    @property
    def sharing(self) -> Sharing:
        """How runs in several threads get along; to be set before the first run."""
        return self._sharing

    @sharing.setter
    def sharing(self, sharing: Sharing) -> None:
        self._sharing = sharing
        if self._reference is not None:
            self._reference.sharing = sharing

    def _reference_engine(self) -> Interpreter:
        if self._reference is None:
            self._reference = interpreter.Interpreter(self.limits)
            self._reference.sharing = self._sharing
        return self._reference

    def load(self, program: Program, store: GlobalStore, *, counts_entries: bool = False) -> Loaded:
        """Verify, bind and compile. Raises VerificationError or GlobalConflict."""
        verify(program, self.limits)
        slots = store.bind(program.globals)
        view = self._stores.get(store)
        if view is None:
            view = self._stores[store] = StoreView(store)
        view.refresh(store)
        if not fits_native(program, self.limits):
            return self._reference_engine().load(program, store, counts_entries=counts_entries)
        code = program_code(program, self.limits.max_message, counts_entries)
        formats = [formatting.parse(text) for text in program.formats]
        prepared = Prepared(code, self._steps_that_pay, Literals(program.strings), formats, view, [])
        prepared.has_run(0)
        return Loaded(program, store, slots, prepared, no_entries(program) if counts_entries else None)

    def run(self, loaded: Loaded, host: Host) -> RunResult:
        """One run; every error of the script is in the result. Its messages are delivered when it ends."""
        try:
            return self.run_holding(loaded, host)
        finally:
            self.drain(host)

    def run_holding(self, loaded: Loaded, host: Host) -> RunResult:
        """As `run`, but messages may wait for `drain`: the way of `imm no`."""
        prepared = loaded.native
        if not isinstance(prepared, Prepared):
            return self._reference_engine().run(loaded, host)
        prepared.store.refresh(loaded.store)
        workspace = self._workspaces.pop() if self._workspaces else Workspace(self.limits)
        activation = self._idle_activation(loaded, prepared, workspace, host)
        try:
            return activation.outcome(prepared.code.run(activation.address))
        finally:
            prepared.has_run(activation.context.steps)
            prepared.idle.append(activation)
            self._workspaces.append(workspace)

    def activation(self, loaded: Loaded, prepared: Prepared, workspace: Workspace, host: Host) -> Activation:
        """A new one, with the settings of this engine."""
        return Activation(loaded, prepared, self.limits, self.sharing, self.callbacks, workspace, host)

    def _idle_activation(self, loaded: Loaded, prepared: Prepared, workspace: Workspace, host: Host) -> Activation:
        """One that is not running: a script may start while it runs, from a request of its own."""
        if not prepared.idle:
            return self.activation(loaded, prepared, workspace, host)
        activation = prepared.idle.pop()
        activation.attach(workspace, host)
        return activation

    def drain(self, host: Host) -> None:
        """Deliver the messages that wait."""
        for workspace in self._workspaces:
            workspace.ring.drain(host.message)
