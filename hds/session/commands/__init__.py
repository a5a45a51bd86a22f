"""What each command does: one module per family, which has a table of handlers by canonical name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.session.commands.events import create_event as create_event
    from hds.session.commands.families import handler_of as handler_of, load_all as load_all
    from hds.session.commands.handler import Handler as Handler
    from hds.session.commands.usage import commands_page as commands_page
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "events": "create_event",
            "families": "handler_of load_all",
            "handler": "Handler",
            "usage": "commands_page",
        },
    )
