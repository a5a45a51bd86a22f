"""What each command does: THE table of handlers by canonical name, put together from one module per family."""

from __future__ import annotations

from hds.commands import control, evaluation, events
from hds.commands.handler import Handler

HANDLERS: dict[str, Handler] = {**events.HANDLERS, **evaluation.HANDLERS, **control.HANDLERS}

__all__ = ["HANDLERS", "Handler"]
