"""The sandbox as the dispatcher uses it: which arguments a condition and a code block get (events-and-commands B.5)."""

from __future__ import annotations

from machine.events.dispatch import Trigger
from machine.root.sandbox import Call, RootResult, RootSandbox


class RootActions:
    """A `machine.events.dispatch.Sandbox`."""

    def __init__(self, sandbox: RootSandbox) -> None:
        self._sandbox = sandbox

    def condition(self, code: bytes, trigger: Trigger) -> RootResult:
        """rcx = GUEST_REGS, rdx = context."""
        return self._run(code, Call(self._sandbox.guest_regs.address, trigger.context), trigger)

    def code(self, code: bytes, trigger: Trigger) -> RootResult:
        """rcx = buffer, rdx = GUEST_REGS, r8 = context."""
        return self._run(code, Call(trigger.buffer, self._sandbox.guest_regs.address, trigger.context), trigger)

    def _run(self, code: bytes, call: Call, trigger: Trigger) -> RootResult:
        return self._sandbox.run(code, call, trigger.process.cpu, trigger.process.processor_block)
