"""What is wrong when the parser cannot go on: the commonest mistakes by name, and E030 for the rest.

Given the tokens, the one that does not fit, and the terminals that would have, `explain` finds code, text, place and
hint. Where one other terminal would repair the text, the Mistake names it, and the parser goes on with that.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lang import foreign
from lang.code import Code
from lang.lexer import KEYWORDS, OPERATORS, Token
from lang.nearest import NearestName
from lang.source import Span
from vm.facts.numbers import SCRIPT, number_in

_NAMES = {
    "NAME": "a name", "TYPE_NAME": "a type name", "TYPE_WORD": "a type", "NUMBER": "a number", "FLOAT": "a number",
    "STRING": "a string", "SYMBOL": "a symbol", "REGISTER": "a register", "PSEUDO": "a pseudo-register",
    "DOTTED": "a global", "BUILTIN": "a built-in function", "INCLUDE": "`#include`", "$END": "the end of the script",
    "COMPARE": "a comparison", "OP_ASSIGN": "an assignment", "SHIFT": "a shift", "STEP": "`++` or `--`",
    "SLASH": "`/`", "TILDE": "`~`",
}  # fmt: skip
_KEYWORD = NearestName(sorted(KEYWORDS))
_SPELLING = {kind: text for text, kind in OPERATORS.items() if kind not in _NAMES}
_EXPRESSION = {"NUMBER", "NAME", "STRING", "LPAR"}
_TYPES = ("TYPE_WORD", "TYPE_NAME", "STRUCT")
# What may follow a word that begins a statement of another language; behind a variable it cannot stand.
_BEHIND_WORD = (
    "NAME", "NUMBER", "FLOAT", "STRING", "DOTTED", "REGISTER", "PSEUDO", "BUILTIN", "SYMBOL", "LBRACE", "TILDE",
    *_TYPES, *(word.upper() for word in KEYWORDS),
)  # fmt: skip
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "AMP", "PIPE", "CARET", "SHIFT", "AND_AND", "OR_OR", "COMPARE"}


class Mistake(msgspec.Struct, frozen=True):
    """A syntax error, and the terminal with which the parser could go on in place of the faulty token.

    With `through_block` it goes on behind the next block, and else behind the statement.
    """

    code: Code
    message: str
    span: Span
    hint: str | None = None
    instead: str | None = None
    through_block: bool = False


class _Place(msgspec.Struct, frozen=True):
    """Where the parser stopped."""

    tokens: list[Token]
    at: int
    token: Token
    accepts: set[str]

    @property
    def previous(self) -> Token | None:
        """The last token that fitted."""
        return self.tokens[self.at - 1] if self.at else None

    @property
    def first_index(self) -> int:
        """Where the statement begins."""
        number = self.at
        while number and self.tokens[number - 1].type not in ("SEMICOLON", "LBRACE", "RBRACE"):
            number -= 1
        return number

    @property
    def first(self) -> Token:
        """The first token of the statement."""
        number = self.first_index
        return self.tokens[number] if number < len(self.tokens) else self.token

    def before(self, count: int) -> Token | None:
        """The token that stands `count` tokens in front of the faulty one."""
        return self.tokens[self.at - count] if self.at >= count else None


def explain(tokens: list[Token], at: int, token: Token, accepts: set[str]) -> Mistake:
    """The mistake at `token`, which stands at index `at` (behind the last one: the end of the script)."""
    place = _Place(tokens, at, token, accepts)
    for rule in _RULES:
        found = rule(place)
        if found is not None:
            return found
    return _unexpected(place)


def _braces(place: _Place) -> Mistake | None:
    if place.token.type == "RBRACE" and not _open_braces(place):
        return Mistake(Code.UNMATCHED_BRACE, "there is no `{` for this `}`", place.token.span)
    if place.token.type == "$END" and (opened := _open_braces(place)):
        return Mistake(Code.UNMATCHED_BRACE, "this `{` is never closed", opened[-1].span, "put its `}`")
    return None


def _open_braces(place: _Place) -> list[Token]:
    opened: list[Token] = []
    for token in place.tokens[: place.at]:
        if token.type == "LBRACE":
            opened.append(token)
        elif token.type == "RBRACE" and opened:
            opened.pop()
    return opened


def _conditional_operator(place: _Place) -> Mistake | None:
    if place.token.type == "QUESTION":
        return Mistake(Code.NO_SUCH_CONSTRUCT, "the language has no `?:` operator", place.token.span, "use if / else")
    if place.token.type == "COLON":
        hint = None
        if place.first.text in KEYWORDS:
            hint = "a body stands in braces: { ... }"
        elif place.at == place.first_index + 1:
            hint = "there are no labels: use a loop or a function"
        return Mistake(Code.NO_SUCH_CONSTRUCT, "`:` has no meaning in the language", place.token.span, hint)
    return None


def _foreign_word(place: _Place) -> Mistake | None:
    """A word that begins a statement in other languages, before what could not follow a variable."""
    index = place.first_index
    first = place.first
    if first.type not in ("NAME", "NUMBER") or first.text not in foreign.WORDS or index >= place.at:
        return None
    follows = place.tokens[index + 1].type if index + 1 < len(place.tokens) else ""
    block = place.token.type in ("LBRACE", "COLON") or place.token.text == "in"
    if follows in _BEHIND_WORD or (follows == "LPAR" and block) or (follows == "COLON" and first.text == "default"):
        return _lacks(first, foreign.WORDS[first.text])
    return None


def _lacks(token: Token, hint: str, what: str = "", instead: str | None = None) -> Mistake:
    return Mistake(Code.NO_SUCH_CONSTRUCT, f"the language has no {what}`{token.text}`", token.span, hint, instead)


def _foreign_type(place: _Place) -> Mistake | None:
    """The name of a type that is none here: in front of a name, in a cast, or where a type is needed."""
    token, previous = place.token, place.previous
    candidate, opening = place.before(2), place.before(3)  # of `(name) value`
    if "TYPE_WORD" in place.accepts and "NUMBER" not in place.accepts:
        candidate = token
    elif previous is None or token.type not in ("NAME", "NUMBER", "DOTTED", "BUILTIN", "REGISTER"):
        return None
    elif previous.type != "RPAR" or opening is None or opening.type != "LPAR":
        candidate = previous
    if candidate is None or candidate.type != "NAME":
        return None
    instead = "TYPE_WORD" if candidate is token else None
    if candidate.text in foreign.TEXT_TYPES:
        return _lacks(candidate, foreign.TEXT_HINT, "type ", instead)
    if candidate.text in foreign.TYPES:
        return _lacks(candidate, f"write `{foreign.TYPES[candidate.text]}`", "type ", instead)
    return None


def _foreign_operator(place: _Place) -> Mistake | None:
    """A word, or signs that stand together, where an operator is meant."""
    token, previous = place.token, place.previous
    if token.type == "NAME" and token.text in foreign.WORD_OPERATORS and place.accepts >= {"PLUS", "STAR"}:
        return _lacks(token, f"write `{foreign.WORD_OPERATORS[token.text]}`")
    joined = previous is not None and previous.span.end == token.span.start
    start = previous.span.start if joined and previous is not None else token.span.start
    for length in (3, 2):
        span = Span(token.span.file, start, min(start + length, len(token.span.file.text)))
        if span.text in foreign.SIGNS and span.end > token.span.start:
            return Mistake(
                Code.NO_SUCH_CONSTRUCT, f"the language has no `{span.text}`", span, f"write {foreign.SIGNS[span.text]}"
            )
    return None


def _parentheses(place: _Place) -> Mistake | None:
    """`if`, `while` or `for` without parentheses, and `for ... in`."""
    previous, token = place.previous, place.token
    if place.first.type == "FOR" and (token.text == "in" or token.type == "COLON"):
        hint = "for (i = 0; i < 0n10; i++) { ... }"
        return Mistake(
            Code.NO_SUCH_CONSTRUCT, "the language has no `for` over what something holds", token.span, hint, None, True
        )
    if previous is None or place.accepts != {"LPAR"}:
        return None
    if previous.type == "FOR":
        hint = "for (i = 0; i < 0n10; i++) { ... }"
        return Mistake(Code.SYNTAX, "the three parts of `for` stand in parentheses", token.span, hint, None, True)
    if previous.type in ("IF", "ELSIF", "WHILE"):
        word = previous.text
        message = f"the condition of `{word}` stands in parentheses"
        return Mistake(Code.SYNTAX, message, token.span, f"{word} (...) {{ ... }}", None, True)
    return None


def _foreign_form(place: _Place) -> Mistake | None:
    """Arrays, results and strings in the form of other languages."""
    previous, token = place.previous, place.token
    if previous is None:
        return None
    if token.type == "LSQB" and previous.type in ("TYPE_WORD", "TYPE_NAME"):
        return Mistake(
            Code.SYNTAX, "the size of an array stands behind its name", token.span, f"{previous.text} name[0n3]"
        )
    if token.type in ("LSQB", "LBRACE") and previous.type == "ASSIGN":
        follows = place.tokens[place.at + 1] if place.at + 1 < len(place.tokens) else None
        if follows is not None and follows.type == "REGISTER":
            return Mistake(
                Code.SYNTAX, "brackets do not read memory", token.span, f"poi(@{follows.text}), dd, dw or db"
            )
        return Mistake(Code.SYNTAX, "a list needs a declared array", token.span, "int name[0n3] = {1, 2, 3};")
    opens = place.at + 1 < len(place.tokens) and place.tokens[place.at + 1].type in ("LPAR", "LSQB")
    if token.text == "!" and opens and previous.type in ("NAME", "BUILTIN"):
        text = "print" in previous.text
        hint = 'printf("...\\n") prints' if text else "a function is called by its name: name(value, ...)"
        return Mistake(Code.NO_SUCH_CONSTRUCT, "the language has no macros", previous.span.to(token.span), hint)
    if token.type == "ARROW" and previous.type == "RPAR":
        hint = "int name(int n) { ... }"
        return Mistake(Code.NO_SUCH_CONSTRUCT, "the type of a result stands in front of the function", token.span, hint)
    owner = place.before(2)
    member = previous.type == "DOTTED" and owner is not None and owner.span.end == previous.span.start
    if token.type == "LPAR" and member:
        return Mistake(
            Code.NO_SUCH_CONSTRUCT,
            "the language has no methods",
            previous.span,
            "functions take values: name(value, ...)",
        )
    if token.type == "IF" and place.accepts >= {"PLUS", "STAR"}:
        return Mistake(Code.NO_SUCH_CONSTRUCT, "`if` gives no value", token.span, "if (...) { x = 1; } else { x = 2; }")
    if token.type in _TYPES and previous.text == "new":
        return _lacks(previous, foreign.WORDS["new"])
    if token.type == "STRING" and previous.type in ("NAME", "NUMBER") and previous.span.end == token.span.start:
        hint = 'printf("...", ...) inserts values'
        return Mistake(Code.NO_SUCH_CONSTRUCT, f"strings have no prefix `{previous.text}`", previous.span, hint)
    if token.type == previous.type == "STRING":
        return Mistake(Code.SYNTAX, "strings are not joined", token.span, "write one string")
    return None


def _step_value(place: _Place) -> Mistake | None:
    previous = place.previous
    if previous is not None and previous.type == "STEP":
        hint = "the longest token wins: write `- -` with a blank for two signs"
        return Mistake(Code.ASSIGNMENT_AS_VALUE, f"`{previous.text}` has no value", previous.span, hint)
    return None


def _name_needed(place: _Place) -> Mistake | None:
    """A name, and nothing else that an expression could start with, is needed."""
    if "NAME" not in place.accepts or "NUMBER" in place.accepts:
        return None
    token = place.token
    if token.type == "NUMBER" and not token.text[0].isdigit():
        previous = place.previous
        suffix = "p" if previous is not None and _in_parameters(place) else "v"
        follows = place.tokens[place.at + 1].type if place.at + 1 < len(place.tokens) else ""
        return number_as_name(token, "fn" if follows == "LPAR" else suffix)
    if token.type in ("BUILTIN", "REGISTER") or token.text in KEYWORDS or token.type in ("TYPE_WORD", "TYPE_NAME"):
        return Mistake(Code.WORD_AS_NAME, f"{reserved(token)}, not a name", token.span, instead="NAME")
    return None


def _in_parameters(place: _Place) -> bool:
    depth = 0
    for token in reversed(place.tokens[: place.at]):
        if token.type == "RPAR":
            depth += 1
        elif token.type == "LPAR":
            depth -= 1
            if depth < 0:
                return True
        elif token.type in ("SEMICOLON", "LBRACE", "RBRACE"):
            return False
    return False


USES = {"v": "a variable name", "fn": "a function name", "p": "a parameter name", "m": "a member name"}


def number_as_name(token: Token, suffix: str) -> Mistake:
    """E031 (language.md 3.2): the word is a number here; `suffix` says what it was to name: v, fn, p, m."""
    word = token.text.replace("`", "")
    message = f"'{word}' cannot be {USES[suffix]}: it is the number 0x{number_in(word, SCRIPT) or 0:x} here"
    return Mistake(Code.NUMBER_AS_NAME, message, token.span, f"use for example '{word}_{suffix}'", "NAME")


def reserved(token: Token) -> str:
    """What a reserved word is."""
    if token.type == "BUILTIN":
        return f"`{token.text}` is a built-in function"
    if token.type == "REGISTER":
        return f"`{token.text}` is a register"
    if token.type in ("TYPE_WORD", "TYPE_NAME"):
        return f"`{token.text}` is a type"
    return f"`{token.text}` is a keyword"


def _body(place: _Place) -> Mistake | None:
    if "LBRACE" in place.accepts and place.accepts <= {"LBRACE", "IF", "SEMICOLON"}:
        if place.token.text in ("then", "begin"):
            return _lacks(place.token, "a body stands in braces: { ... }")
        return Mistake(Code.NO_BRACES, "the body needs braces", place.token.span, "put it in `{ }`")
    return None


def _builtin_name(place: _Place) -> Mistake | None:
    previous = place.previous
    if previous is None or previous.type != "BUILTIN":
        return None
    if place.token.type in ("ASSIGN", "OP_ASSIGN", "STEP"):
        hint = f"to write the number, use 0x{previous.text}" if _is_hex(previous.text) else "use another name"
        return Mistake(Code.WORD_AS_NAME, f"{reserved(previous)}, not a variable", previous.span, hint)
    message = f"`{previous.text}` is a built-in function: its arguments stand in parentheses"
    hint = f"{previous.text}(...)"
    if previous.text == "not":
        hint = "not(...) inverts every bit; the logical one is `!`"
    elif previous.text in ("print", "printf") and place.token.type == "STRING":
        hint = 'printf("...", ...)'
    elif _is_hex(previous.text):
        hint += f"; the number is written 0x{previous.text}"
    return Mistake(Code.SYNTAX, message, place.token.span, hint)


def _is_hex(word: str) -> bool:
    return all(char in "0123456789abcdef" for char in word)


def _number_call(place: _Place) -> Mistake | None:
    previous = place.previous
    if (
        place.token.type == "LPAR"
        and previous is not None
        and previous.type == "NUMBER"
        and not previous.text[0].isdigit()
    ):
        found = number_as_name(previous, "fn")
        return Mistake(found.code, found.message, found.span, found.hint)
    return None


def _misspelt_keyword(place: _Place) -> Mistake | None:
    first = place.first
    meant = _KEYWORD.find(first.text) if first.type == "NAME" and place.token.type == "LBRACE" else None
    if meant is None:
        return None
    return Mistake(Code.SYNTAX, f"`{first.text}` is no keyword", first.span, f"did you mean `{meant}`?")


def _function_without_type(place: _Place) -> Mistake | None:
    first, previous = place.first, place.previous
    if first.type != "NAME" or previous is None:
        return None
    body = place.token.type == "LBRACE" and previous.type == "RPAR"
    typed = place.token.type in ("TYPE_WORD", "TYPE_NAME", "STRUCT") and previous.type in ("LPAR", "COMMA")
    if body or typed:
        hint = f"write `int {first.text}(...)` or `void {first.text}(...)`"
        return Mistake(
            Code.MISPLACED_FUNCTION, f"the definition of `{first.text}` has no return type", first.span, hint
        )
    return None


def _lonely_else(place: _Place) -> Mistake | None:
    if place.token.type in ("ELSE", "ELSIF"):
        return Mistake(Code.SYNTAX, f"`{place.token.text}` without `if`", place.token.span)
    return None


def _include(place: _Place) -> Mistake | None:
    if place.token.type == "INCLUDE":
        return Mistake(Code.MISPLACED_INCLUDE, "`#include` stands at the top level only", place.token.span)
    return None


def _command(place: _Place) -> Mistake | None:
    first = place.first
    index = next((i for i, token in enumerate(place.tokens) if token is first), 0)
    follows = place.tokens[index + 1] if index + 1 < len(place.tokens) else None
    if follows is None:
        return None
    marked = first.text == "!" and follows.span.start == first.span.end
    name = "!" + follows.text if marked else first.text
    behind = follows is place.token and follows.type in _BEHIND_WORD
    if not marked and not (behind and first.type in ("NAME", "DOTTED", "REGISTER")):
        return None
    from vm.facts.commands import COMMAND_BY_NAME

    if not marked and ("." if first.type == "DOTTED" else "") + name not in COMMAND_BY_NAME:
        return None
    hint = "commands stand on a line of their own, outside `script { }` and `? { }`"
    return Mistake(Code.SYNTAX, f"`{name}` is a command, not a part of the script language", first.span, hint)


_RULES: tuple[Callable[[_Place], Mistake | None], ...] = (
    _braces, _include, _foreign_word, _parentheses, _foreign_operator, _foreign_type, _foreign_form,
    _conditional_operator, _step_value, _name_needed, _body, _builtin_name, _number_call, _misspelt_keyword,
    _function_without_type, _lonely_else, _command,
)  # fmt: skip


def _unexpected(place: _Place) -> Mistake:
    token, previous = place.token, place.previous
    found = "the end of the script" if token.type == "$END" else f"`{token.text}`" if token.span.text else "the end"
    expected = expectation(place.accepts)
    span = token.span
    if token.type == "$END" and previous is not None:
        span = Span(previous.span.file, previous.span.end, previous.span.end)
    return Mistake(Code.SYNTAX, f"found {found}" + (f", expected {expected}" if expected else ""), span)


def expectation(accepts: set[str]) -> str:
    """A set of terminals in words."""
    words: list[str] = []
    rest = set(accepts)
    if rest >= _EXPRESSION:
        if "IF" in rest:
            return "a statement"
        words.append("an expression")
        rest &= {"RPAR", "SEMICOLON", "COMMA", "RSQB"}
    if rest >= {"PLUS", "STAR"}:
        words.append("an operator")
        rest -= _OPERATORS | {"ASSIGN", "OP_ASSIGN", "STEP", "LSQB", "DOTTED", "DOT", "ARROW", "LPAR"}
    order = sorted(rest, key=lambda kind: (kind not in ("SEMICOLON", "RPAR"), kind))
    words += dict.fromkeys(
        _NAMES.get(kind, f"`{_SPELLING.get(kind, kind.lower())}`") for kind in order if kind != "ERROR"
    )
    words = words[:6]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1] if words else ""
