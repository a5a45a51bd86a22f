"""The sandbox as the dispatcher uses it: which arguments a condition and a code block get (events-and-commands B.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from machine.events.dispatch import BlockKind, Trigger
from machine.events.registry import Event
from machine.root import GUEST_REGS, Call, RootCode, RootSandbox

if TYPE_CHECKING:
    from machine.root import RootResult


class RootActions:
    """A `machine.events.dispatch.Sandbox`."""

    def __init__(self, sandboxes: Sequence[RootSandbox]) -> None:
        """One for each core; they may be the same."""
        self._sandboxes = sandboxes

    def run(self, kind: BlockKind, code: bytes, trigger: Trigger) -> RootResult:
        """rcx, rdx and r8 as the kind wants them."""
        if kind is BlockKind.CONDITION:
            call = Call(GUEST_REGS, trigger.context)
        else:
            call = Call(trigger.buffer, GUEST_REGS, trigger.context)
        process = trigger.process
        sandbox = self._sandboxes[trigger.core]
        return sandbox.run(block_of(trigger.event, code), call, process.cpu, process.processor_block)


def block_of(event: Event, code: bytes) -> RootCode:
    """A condition or a code block of an event."""
    return RootCode(event.definition.id, code, event.buffers)
