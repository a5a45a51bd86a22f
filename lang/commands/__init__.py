"""The command level of a file: text -> commands -> events, with errors as values.

`read_commands` splits a text into its commands, `parse_event` understands the options of an event command,
`substitute_arguments` replaces `$arg0` ... beforehand. Scripts, assembly text and expressions inside commands are
handed on with their place in the file and are not looked at.
"""

from lang.code import Code
from lang.commands.arguments import substitute_arguments
from lang.commands.events import parse_event
from lang.commands.parts import (
    Embedded,
    Language,
    choices_of,
    command_parts,
    embedded,
    is_script_command,
    row_of,
    without_escapes,
    words_of,
)
from lang.commands.reader import read_commands
from lang.commands.statements import begins_as_statement
from lang.commands.syntax import (
    ALL,
    AssemblyText,
    Command,
    EventCommand,
    HexCode,
    OutputName,
    Parameter,
    ScriptFile,
    ScriptText,
)
from lang.commands.tokenizer import Line, read_lines, tokenize
from lang.commands.tokens import Token, TokenKind
from vm.facts.commands import COMMAND_BY_NAME, COMMANDS, CommandRow, Support
from vm.facts.events import EVENTS, EventRow
from vm.facts.numbers import number_32, plain_number
from vm.facts.stages import Stage

__all__ = [
    "ALL",
    "COMMANDS",
    "COMMAND_BY_NAME",
    "EVENTS",
    "AssemblyText",
    "Code",
    "Command",
    "CommandRow",
    "Embedded",
    "EventCommand",
    "EventRow",
    "HexCode",
    "Language",
    "Line",
    "OutputName",
    "Parameter",
    "ScriptFile",
    "ScriptText",
    "Stage",
    "Support",
    "Token",
    "TokenKind",
    "begins_as_statement",
    "choices_of",
    "command_parts",
    "embedded",
    "is_script_command",
    "number_32",
    "parse_event",
    "plain_number",
    "read_commands",
    "read_lines",
    "row_of",
    "substitute_arguments",
    "tokenize",
    "without_escapes",
    "words_of",
]
