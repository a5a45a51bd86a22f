"""The sandbox as the dispatcher uses it: which arguments a condition and a code block get (events-and-commands B.5)."""

from __future__ import annotations

from collections.abc import Sequence

from machine.events.dispatch import BlockKind, Trigger
from machine.root.sandbox import Call, RootResult, RootSandbox


class RootActions:
    """A `machine.events.dispatch.Sandbox`."""

    def __init__(self, sandboxes: Sequence[RootSandbox]) -> None:
        """One for each core; they may be the same."""
        self._sandboxes = sandboxes

    def run(self, kind: BlockKind, code: bytes, trigger: Trigger) -> RootResult:
        """rcx, rdx and r8 as the kind wants them."""
        sandbox = self._sandboxes[trigger.core]
        registers = sandbox.guest_regs.address
        if kind is BlockKind.CONDITION:
            call = Call(registers, trigger.context)
        else:
            call = Call(trigger.buffer, registers, trigger.context)
        process = trigger.process
        return sandbox.run(code, call, process.cpu, process.processor_block)
