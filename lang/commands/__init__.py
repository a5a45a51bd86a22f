"""The command level of a file: text -> commands -> events, with errors as values.

`read_commands` splits a text into its commands, `parse_event` understands the options of an event command,
`substitute_arguments` replaces `$arg0` ... beforehand. Scripts, assembly text and expressions inside commands are
handed on with their place in the file and are not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from lang.commands import parts as parts
    from lang.commands.arguments import substitute_arguments as substitute_arguments
    from lang.commands.events import parse_event as parse_event
    from lang.commands.parts import (
        Embedded as Embedded,
        Language as Language,
        choices_of as choices_of,
        command_parts as command_parts,
        embedded as embedded,
        is_script_command as is_script_command,
        row_of as row_of,
        words_of as words_of,
    )
    from lang.commands.reader import read_commands as read_commands
    from lang.commands.statements import begins_as_statement as begins_as_statement
    from lang.commands.syntax import (
        ALL as ALL,
        AssemblyText as AssemblyText,
        Command as Command,
        EventCommand as EventCommand,
        HexCode as HexCode,
        OutputName as OutputName,
        Parameter as Parameter,
        ScriptFile as ScriptFile,
        ScriptText as ScriptText,
    )
    from lang.commands.tokenizer import Line as Line, read_lines as read_lines, tokenize as tokenize
    from lang.commands.tokens import Token as Token, TokenKind as TokenKind
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "arguments": "substitute_arguments",
            "events": "parse_event",
            "parts": ("Embedded Language choices_of command_parts embedded is_script_command row_of words_of"),
            "reader": "read_commands",
            "statements": "begins_as_statement",
            "syntax": "ALL AssemblyText Command EventCommand HexCode OutputName Parameter ScriptFile ScriptText",
            "tokenizer": "Line read_lines tokenize",
            "tokens": "Token TokenKind",
        },
        late="parts",
    )
