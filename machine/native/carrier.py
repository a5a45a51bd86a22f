"""The native carrier of events: the hooks of each process, desks, and the messages that machine code has kept.

The hooks in machine code do the whole of a trigger (`process_hook`), and call back for what has no native form:
requests, errors and immediate messages of scripts, breaks, blocks that do more than compute, scripts that are too large
to compile, system calls that the kernel's model carries out (`callbacks`). Each is dealt with before the guest goes on.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Sequence

from machine.events import Dispatcher, Surroundings
from machine.host import DebuggerState
from machine.kernel import KeptOutput, Kernel
from machine.messages import Message
from machine.native.desk import Desk
from machine.native.marks import Maker
from machine.native.process_hook import ProcessHook
from machine.native.tables import address_of
from machine.processor import WORD_MASK
from machine.root import RootSandbox
from machine.schedule import Process
from vm.native import NativeEngine


class Carrier:
    """The hooks of one machine.

    `sandboxes` has one for each core; cores that take turns have the same, and with it their desk. `outside` are the
    cores that are in machine code at the moment, in threads of their own.
    """

    def __init__(
        self,
        engine: NativeEngine,
        state: DebuggerState,
        owner: Surroundings,
        dispatcher: Dispatcher,
        sandboxes: Sequence[RootSandbox],
        outside: Collection[int],
        defers: bool,
        measures: bool,
    ) -> None:
        self.engine = engine
        self.read_clock = address_of(ctypes.CDLL(None).clock_gettime) if measures else 0
        self.state = state
        self.owner = owner
        self.dispatcher = dispatcher
        self._outside = outside
        self._sandboxes = sandboxes
        self.takes_turns = len(set(sandboxes)) == 1
        self._defers = defers = defers and self.takes_turns
        self._output = KeptOutput()
        self._desks = {sandbox: Desk(sandbox, engine.limits, defers) for sandbox in sandboxes}
        for desk in self._desks.values():
            desk.sent.maker, desk.sent.deliver = self._maker, state.messages.send_kept
            desk.collected.collect = state.messages.hold_all
        self._hooks: dict[Process, ProcessHook] = {}
        self._states: dict[int, ProcessHook] = {}  # by the addresses of their HookStates
        self._serves_blocks = False
        self._next_token = 0
        state.messages.source = self._hand_over

    def keep(self, output: KeptOutput) -> None:
        """Have what guests print kept as messages are, where these are."""
        self._output = output
        if self._defers:
            (desk,) = self._desks.values()
            output.begin(desk.collected.address, desk.sent.address)

    def hook_of(self, process: Process) -> ProcessHook:
        """The hooks of a process."""
        if process not in self._hooks:
            self._hooks[process] = hook = ProcessHook(self, process)
            self._states[ctypes.addressof(hook.state)] = hook
        return self._hooks[process]

    def make_ready(self, kernel: Kernel) -> None:
        """Make what the first process of a kernel needs."""
        for desk in self._desks.values():
            desk.answers(kernel)

    def forget(self, process: Process) -> None:
        """A process is gone, with its CPU."""
        if process in self._hooks:
            self.state.messages.catch_up()  # with what it has said
            hook = self._hooks.pop(process)
            del self._states[ctypes.addressof(hook.state)]
            hook.close()

    def serve_blocks(self) -> None:
        """Have the sandboxes run blocks for machine code from now on."""
        if not self._serves_blocks:
            self._serves_blocks = True
            for sandbox in self._desks:
                sandbox.serve_machine_code()

    def desk_of(self, process: Process) -> Desk:
        """That of the core that the process is on."""
        return self._desks[self._sandboxes[process.core]]

    def begin_turn(self, process: Process) -> None:
        """A process is about to run; no trigger is under way in it."""
        if process in self._hooks:
            self._hooks[process].begin_turn()

    def count_answers(self) -> None:
        """Bring the kernels' counts up to date."""
        for desk in self._desks.values():
            desk.count_answers()

    def new_token(self) -> int:
        """A name for what the sandbox translates."""
        self._next_token += 1
        return self._next_token

    def _hand_over(self) -> None:
        """Give what waits to the reader, but for messages of cores that may be adding to them."""
        self._output.hand_over()  # nothing is kept behind messages
        for core, desk in enumerate(self._desks.values()):
            if core not in self._outside:
                desk.sent.hand_over()  # there is nothing where the others have something
                self.state.messages.hold_all(desk.collected.take())

    def _maker(self) -> Maker:
        """What makes the messages that machine code has kept, as they were when they were sent: in this turn."""
        now = self.state.clock.elapsed()
        places = {state: (hook.process.core, hook.process.pid, hook.ticks()) for state, hook in self._states.items()}

        def message(text: bytes, mark: Sequence[int]) -> Message:
            _, event, stage, pointer, thread, then, state = mark
            core, process, ticks = places[state]
            return Message(text, event, core, stage, process, thread, pointer, now - ((ticks - then) & WORD_MASK))

        return message
