"""The own parameters of an event, taken from the words that its options left over, by their rows in `vm.facts.events`.

Values are checked as far as they are plain numbers; expressions are left to the user of the command.
"""

from __future__ import annotations

import msgspec

from lang.code import Code
from lang.commands.syntax import Parameter
from lang.commands.tokens import Token, TokenKind
from lang.diagnostics import Diagnostic
from lang.source import Span
from vm.facts.errors import ErrorNumber
from vm.facts.events import EventRow, ParameterKind, ParameterRow


class OwnParameters(msgspec.Struct):
    """The parameters by name, the words that are none, and what is wrong."""

    found: dict[str, Parameter] = msgspec.field(default_factory=dict)
    rest: list[Token] = msgspec.field(default_factory=list)
    errors: list[Diagnostic] = msgspec.field(default_factory=list)


def read_parameters(event: EventRow, name: Token, tokens: tuple[Token, ...]) -> OwnParameters:
    """Takes the event's parameters out of the tokens: those behind a keyword and choices first, then those in order."""
    own = OwnParameters(rest=list(tokens))
    named = {row.name: _take_behind_keyword(row, own) for row in event.parameters if not row.needs_keyword}
    for row in sorted(event.parameters, key=_in_order):
        token = named.get(row.name) or _take(row, own)
        if token is None:
            if row.required and not own.errors:
                message = f"incorrect use of the '{name.text}': {row.usage} is missing"
                own.errors.append(Diagnostic(Code.MISSING_PARAMETER, message, name.span, usage(event)))
            continue
        own.found[row.name] = Parameter(row.name, token.text, token.span, _value(row, token))
        _check(row, token, own.errors)
    if event.kind.takes_range and not own.errors:
        _check_range(name.span, own)
    return own


def _in_order(row: ParameterRow) -> bool:
    return row.kind is not ParameterKind.CHOICE and (row.keyword is None or not row.needs_keyword)


def usage(event: EventRow) -> str:
    """How the event's own parameters are written."""
    return f"usage: {event.own_usage} [options]"


def _take(row: ParameterRow, own: OwnParameters) -> Token | None:
    """Removes the token of a parameter from the words."""
    rest = own.rest
    if row.keyword is not None and row.needs_keyword:
        return _take_behind_keyword(row, own)
    if row.kind is ParameterKind.CHOICE:
        index = next((index for index, token in enumerate(rest) if token.lower in row.choices), None)
        if index is not None:
            return rest.pop(index)
        # A number is one of the other parameters; a word that is no choice is most likely a mistyped one.
        return rest.pop(0) if row.required and rest and rest[0].kind is TokenKind.STRING else None
    if rest and rest[0].kind is not TokenKind.BRACKET_STRING:
        return rest.pop(0)
    return None


def _take_behind_keyword(row: ParameterRow, own: OwnParameters) -> Token | None:
    index = next((index for index, token in enumerate(own.rest) if token.lower == row.keyword), None)
    if index is None:
        return None
    word, *value = own.rest[index : index + 2]
    del own.rest[index : index + 2]
    if not value:
        message = f"please specify a value for '{word.text}'"
        own.errors.append(Diagnostic(Code.MISSING_VALUE, message, word.span))
        return None
    return value[0]


def _value(row: ParameterRow, token: Token) -> int | None:
    return row.choices.get(token.lower) if row.kind is ParameterKind.CHOICE else token.value


def _check(row: ParameterRow, token: Token, errors: list[Diagnostic]) -> None:
    value = token.value
    if row.kind is ParameterKind.CHOICE:
        if token.lower not in row.choices:
            errors.append(Diagnostic(Code.BAD_PARAMETER, f"'{token.text}' is none of {row.usage}", token.span))
        return
    if value is None:
        if row.kind is ParameterKind.NUMBER:
            hint = "numbers are hexadecimal; decimal ones begin with 0n"
            errors.append(Diagnostic(Code.BAD_PARAMETER, f"'{token.text}' is not a number", token.span, hint))
        return
    too_high = row.high is not None and value > row.high
    if value < row.low or too_high or (row.only and value not in row.only):
        errors.append(Diagnostic(Code.OUT_OF_RANGE, row.range_error, token.span))


def _check_range(name: Span, own: OwnParameters) -> None:
    """FROM and TO, or FROM and a length: exactly one of the two forms, and not backwards."""
    first, last, length = (own.found.get(key) for key in ("from", "to", "length"))
    if (last is None) == (length is None):
        span = last.span if last else name
        own.errors.append(Diagnostic(Code.BAD_RANGE, "a range is FROM TO or FROM l LEN", span))
    elif first and last and isinstance(first.value, int) and isinstance(last.value, int) and first.value > last.value:
        message = ErrorNumber.INVALID_ADDRESS.said("the range ends before it begins")
        own.errors.append(Diagnostic(Code.BAD_RANGE, message, last.span))
