"""A session: command files and the prompt, the handlers of commands, engines, what a run comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.session.access import Memory as Memory, Registers as Registers, UnmappedMemory as UnmappedMemory
    from hds.session.availability import kind_of as kind_of, refused_commands as refused_commands
    from hds.session.callbacks import (
        Subscription as Subscription,
        Trigger as Trigger,
        TriggerIsOver as TriggerIsOver,
        register as register,
    )
    from hds.session.captured import Captured as Captured
    from hds.session.checking import Checked as Checked, check_text as check_text
    from hds.session.command_scripts import read_command_file as read_command_file
    from hds.session.coverage import coverage_of as coverage_of
    from hds.session.engines import ENGINES as ENGINES, load_engine as load_engine
    from hds.session.execution import Arrived as Arrived
    from hds.session.line_hits import line_hits_of as line_hits_of
    from hds.session.recording import GENERAL_AND_STATE as GENERAL_AND_STATE, arguments_at as arguments_at
    from hds.session.refused import INCORRECT_USE as INCORRECT_USE, ScriptError as ScriptError
    from hds.session.scripts import Prepared as Prepared, Scripts as Scripts
    from hds.session.session import PROMPT as PROMPT, Session as Session
    from hds.session.snapshots import launch as launch
    from hds.session.summary import (
        failure_of as failure_of,
        statistics as statistics,
        stopped_early as stopped_early,
        summarize as summarize,
        why_stopped as why_stopped,
    )
    from hds.session.symbols import announce_symbols as announce_symbols
    from hds.session.tables import MissingExtra as MissingExtra
    from hds.session.timeline import Timeline as Timeline
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "access": "Memory Registers UnmappedMemory",
            "availability": "kind_of refused_commands",
            "callbacks": "Subscription Trigger TriggerIsOver register",
            "captured": "Captured",
            "checking": "Checked check_text",
            "command_scripts": "read_command_file",
            "engines": "ENGINES load_engine",
            "refused": "INCORRECT_USE ScriptError",
            "coverage": "coverage_of",
            "execution": "Arrived",
            "line_hits": "line_hits_of",
            "recording": "GENERAL_AND_STATE arguments_at",
            "scripts": "Prepared Scripts",
            "session": "PROMPT Session",
            "snapshots": "launch",
            "timeline": "Timeline",
            "summary": "failure_of statistics stopped_early summarize why_stopped",
            "symbols": "announce_symbols",
            "tables": "MissingExtra",
        },
        late="access callbacks captured tables",
    )
