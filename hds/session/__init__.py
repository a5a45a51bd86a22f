"""A session: command files and the prompt, the handlers of commands, engines, what a run comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.session.availability import refused_commands as refused_commands
    from hds.session.command_scripts import read_command_file as read_command_file
    from hds.session.engines import ENGINES as ENGINES, load_engine as load_engine
    from hds.session.scripts import Scripts as Scripts
    from hds.session.session import PROMPT as PROMPT, ScriptError as ScriptError, Session as Session
    from hds.session.summary import (
        failure_of as failure_of,
        guest_exit_code as guest_exit_code,
        statistics as statistics,
        summarize as summarize,
        why_stopped as why_stopped,
    )
    from hds.session.symbols import announce_symbols as announce_symbols
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "availability": "refused_commands",
            "command_scripts": "read_command_file",
            "engines": "ENGINES load_engine",
            "scripts": "Scripts",
            "session": "PROMPT ScriptError Session",
            "summary": "failure_of guest_exit_code statistics summarize why_stopped",
            "symbols": "announce_symbols",
        },
    )
