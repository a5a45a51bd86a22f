"""An event command -> its options and own parameters (events-and-commands.md A.7, B.2, B.3).

Options stand in any order and the last one wins. Everything that can be said from the text alone is checked; that a
process, core, address or output source exists is not, scripts are not compiled and assembly text is not assembled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from lang.code import Code
from lang.commands.machine_code import parse_hex
from lang.commands.parameters import OwnParameters, read_parameters, usage
from lang.commands.syntax import (
    ALL,
    AssemblyText,
    Command,
    EventCommand,
    HexCode,
    OutputName,
    ScriptFile,
    ScriptText,
)
from lang.commands.tokens import Token, TokenKind
from lang.diagnostics import Diagnostic
from lang.nearest import NearestName
from lang.source import Span
from vm import late_pattern
from vm.facts.errors import ErrorNumber
from vm.facts.events import BLOCK_OPTIONS, EVENT_BY_NAME, SCALAR_OPTIONS, EventRow
from vm.facts.numbers import number_32
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from lang.commands.grammar import BlockOption, Options

MAX_OUTPUTS = 5

_T = TypeVar("_T")
_INVALID: Mapping[str, tuple[Code, str, str]] = {
    "pid": (Code.BAD_PID, "pid is invalid", "a number (hexadecimal; decimal with 0n) or `all`"),
    "core": (Code.BAD_CORE, "core id is invalid", "a number (hexadecimal; decimal with 0n)"),
    "imm": (Code.BAD_IMMEDIATE, "immediate messaging token is invalid", "`yes` or `no`"),
    "sc": (Code.BAD_SHORT_CIRCUIT, "the short-circuiting state is invalid", "`on` or `off`"),
    "stage": (Code.BAD_STAGE, "the specified execution mode is invalid", "`pre`, `post` or `all`"),
    "buffer": (Code.BAD_BUFFER, "buffer size is invalid", "a number of bytes (hexadecimal; decimal with 0n)"),
}
_NEAREST = NearestName((*SCALAR_OPTIONS, *BLOCK_OPTIONS, "asm"))
_FILE = "file:"
_NAME_IN_LIST = late_pattern(r"[^,\s](?:[^,]*[^,\s])?")


def parse_event(command: Command) -> tuple[EventCommand | None, list[Diagnostic]]:
    """The event of an event command, or None and all that is wrong with it, at least one error.

    Raises KeyError for a command that does not create events.
    """
    # Lark takes a tenth of a second to import, which files without events need not pay.
    from lang.commands.grammar import MissingValue, parse_options

    event = EVENT_BY_NAME[command.canonical_name]
    options = parse_options(command.tokens)
    if isinstance(options, MissingValue):
        word = options.keyword
        hint = f"expected {_INVALID[word.lower][2]}"
        message = f"please specify a value for '{word.text}'"
        return None, [Diagnostic(Code.MISSING_VALUE, message, word.span, hint)]
    return _EventReader(command, event, options).read()


class _EventReader:
    """Reads the options of one command and collects the errors on the way."""

    def __init__(self, command: Command, event: EventRow, options: Options) -> None:
        self._command = command
        self._event = event
        self._options = options
        self._given = _given_spans(options)
        self._errors: list[Diagnostic] = []

    def read(self) -> tuple[EventCommand | None, list[Diagnostic]]:
        pid = self._number("pid", ALL, {"all": ALL})
        core = self._number("core", ALL)
        immediate = self._word("imm", {"yes": True, "no": False}, True)
        short_circuit = self._word("sc", {"on": True, "off": False}, False)
        stage = self._word("stage", {stage.word: stage for stage in Stage}, Stage.PRE)
        buffer_size = self._number("buffer", 0)
        condition, code = self._machine_code("condition"), self._machine_code("code")
        script, outputs = self._script(), self._outputs()
        own = self._own_parameters()
        if self._errors:
            return None, self._errors
        result = EventCommand(
            self._command,
            self._event,
            parameters=own.found,
            given=self._given,
            pid=pid,
            core=core,
            immediate=immediate,
            short_circuit=short_circuit,
            stage=stage,
            buffer_size=buffer_size,
            script=script,
            condition=condition,
            code=code,
            outputs=outputs,
            ignored=tuple(own.rest),
        )
        errors = _contradictions(result)
        return (None if errors else result), errors

    def _own_parameters(self) -> OwnParameters:
        rest = self._options.rest
        own = read_parameters(self._event, self._command.name, rest)
        # A keyword that got no block is never meant as a parameter, although it could be read as a symbol.
        stray = [token for token in rest if token.kind is TokenKind.STRING and token.lower in (*BLOCK_OPTIONS, "asm")]
        if self._event.kind.ignores_unknown:
            return own
        unknown = stray or ([] if own.errors else own.rest)
        # As HyperDbg does, only the first word is reported: the others are mostly its consequence.
        self._errors += [
            _unknown_parameter(self._event, self._command.name.text, token) for token in unknown[:1]
        ] or own.errors
        return own

    def _number(self, keyword: str, default: int, words: Mapping[str, int] | None = None) -> int:
        value = default
        for token in self._values(keyword):
            number = (words or {}).get(token.lower, number_32(token.text) if token.kind is TokenKind.NUM else None)
            if number is None:
                self._invalid(keyword, token)
            else:
                value = number
        return value

    def _word(self, keyword: str, words: Mapping[str, _T], default: _T) -> _T:
        value = default
        for token in self._values(keyword):
            if token.lower in words:
                value = words[token.lower]
            else:
                self._invalid(keyword, token)
        return value

    def _values(self, keyword: str) -> list[Token]:
        return [option.value for option in self._options.scalars if option.keyword.lower == keyword]

    def _blocks(self, keyword: str) -> list[BlockOption]:
        return [option for option in self._options.blocks if option.keyword.lower == keyword]

    def _invalid(self, keyword: str, token: Token) -> None:
        code, message, expected = _INVALID[keyword]
        self._errors.append(Diagnostic(code, message, token.span, f"expected {expected}"))

    def _machine_code(self, keyword: str) -> HexCode | AssemblyText | None:
        value: HexCode | AssemblyText | None = None
        for option in self._blocks(keyword):
            if option.asm:
                value = AssemblyText(option.block)
                continue
            code = parse_hex(option.block)
            if isinstance(code, Diagnostic):
                self._errors.append(code)
            else:
                value = code
        return value

    def _script(self) -> ScriptText | ScriptFile | None:
        blocks = self._blocks("script")
        if not blocks:
            return None
        token = blocks[-1].block
        if not token.text.startswith(_FILE):
            return ScriptText(token)
        path = token.text[len(_FILE) :].strip().strip('"')
        start = token.text.find(path, len(_FILE))
        span = token.span_of(start, start + len(path)) if path else token.span
        if not path:
            self._errors.append(Diagnostic(Code.NO_SCRIPT_FILE, "`file:` needs a path", span))
        return ScriptFile(path, span)

    def _outputs(self) -> tuple[OutputName, ...]:
        blocks = self._blocks("output")
        if not blocks:
            return ()
        token = blocks[-1].block
        names = tuple(
            OutputName("".join(match[0].split()), token.span_of(*match.span()))
            for match in _NAME_IN_LIST.finditer(token.text)
        )
        if not names:
            self._errors.append(Diagnostic(Code.NO_OUTPUT_NAME, "no output source is named here", token.span))
        elif len(names) > MAX_OUTPUTS:
            message = f"an event has at most {MAX_OUTPUTS} output sources"
            self._errors.append(Diagnostic(Code.TOO_MANY_OUTPUTS, message, names[MAX_OUTPUTS].span))
        return names


def _given_spans(options: Options) -> dict[str, Span]:
    """Keyword -> from it (or its `asm`) to the end of its value or block; the last one of a keyword."""
    spans = {option.keyword.lower: option.keyword.span.to(option.value.span) for option in options.scalars}
    for block in options.blocks:
        first = block.asm[0] if block.asm else block.keyword
        inside = block.block.span
        spans[block.keyword.lower] = Span(inside.file, first.span.start, inside.end + 1)
    return spans


def _contradictions(event: EventCommand) -> list[Diagnostic]:
    """Options that are valid by themselves and do not go with each other or with the event."""
    errors: list[Diagnostic] = []
    if event.short_circuit and event.stage is not Stage.PRE:
        message = ErrorNumber.SHORT_CIRCUITING_WITH_POST.said()
        errors.append(Diagnostic(Code.SHORT_CIRCUIT_WITH_POST, message, event.given["sc"]))
    if event.outputs and not event.immediate:
        message = "non-immediate messages (`imm no`) cannot be forwarded to an output"
        errors.append(Diagnostic(Code.OUTPUT_WITHOUT_IMMEDIATE, message, event.given["imm"]))
    if event.stage is not Stage.PRE and not event.event.kind.stages:
        message = f"{event.event.name} has the `pre` stage only"
        errors.append(Diagnostic(Code.STAGE_NOT_SUPPORTED, message, event.given["stage"]))
    if event.event.kind.needs_pid and event.pid == ALL:
        message = f"incorrect use of the '{event.command.name.text}': pid is missing"
        span = event.given.get("pid", event.command.name.span)
        errors.append(Diagnostic(Code.MISSING_PARAMETER, message, span, "add `pid P`"))
    return errors


def _unknown_parameter(event: EventRow, name: str, token: Token) -> Diagnostic:
    if token.kind is TokenKind.BRACKET_STRING:
        hint = "a block follows `script`, `code`, `condition` or `output`"
        return Diagnostic(Code.UNKNOWN_PARAMETER, "this block belongs to no keyword", token.span, hint)
    if token.lower in BLOCK_OPTIONS:
        hint = f"`{token.lower}` needs a block behind it that is not empty"
    elif token.lower == "asm":
        hint = "`asm` stands before `code` or `condition`"
    else:
        nearest = _NEAREST.find(token.lower)
        hint = f"did you mean `{nearest}`?" if nearest else usage(event)
    what = f"incorrect use of the '{name}': " if event.kind.is_strict else ""
    return Diagnostic(Code.UNKNOWN_PARAMETER, f"{what}unknown parameter '{token.text}'", token.span, hint)
