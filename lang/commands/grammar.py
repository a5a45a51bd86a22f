"""Tokens of an event command -> its options, by the grammar in commands.lark. The only module here that imports Lark.

Before the grammar sees them, tokens are classified and every block is put behind the keyword that claims it, which
need not stand next to it (A.7, B.3). Values are not checked, and a repeated option is listed as often as it is
written.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Tree, UnexpectedToken
from lark import Token as Terminal
from lark.lexer import Lexer

from lang.commands.event_table import ASSEMBLED_OPTIONS, BLOCK_OPTIONS, SCALAR_OPTIONS
from lang.commands.tokens import Token, TokenKind


@dataclass(frozen=True, slots=True)
class ScalarOption:
    """A keyword and its value."""

    keyword: Token
    value: Token


@dataclass(frozen=True, slots=True)
class BlockOption:
    """A keyword and its block, with the `asm` words that belong to it."""

    keyword: Token
    block: Token
    asm: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """The options in the order of the text, and the words that belong to none."""

    scalars: tuple[ScalarOption, ...]
    blocks: tuple[BlockOption, ...]
    rest: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class MissingValue:
    """The command ends behind this keyword."""

    keyword: Token


def parse_options(tokens: Sequence[Token]) -> Options | MissingValue:
    """The options among the tokens behind the name of an event command."""
    stream = _arrange(tokens)
    try:
        tree = _parser().parse(stream)
    except UnexpectedToken:
        # The grammar takes every arranged stream except one that ends behind the keyword of a scalar option.
        return MissingValue(stream[-1][1])
    return _options(tree)


def _options(tree: Tree[Any]) -> Options:
    scalars: list[ScalarOption] = []
    blocks: list[BlockOption] = []
    rest: list[Token] = []
    for child in tree.children:
        if not isinstance(child, Tree):
            rest.append(_token(child))
            continue
        parts = [_token(terminal) for terminal in child.children]
        if child.data == "option":
            scalars.append(ScalarOption(parts[0], parts[1]))
        else:
            blocks.append(BlockOption(parts[-2], parts[-1], tuple(parts[:-2])))
    return Options(tuple(scalars), tuple(blocks), tuple(rest))


def _token(terminal: Any) -> Token:
    """The token that a terminal of the tree stands for."""
    token: Token = terminal.value
    return token


def _arrange(tokens: Sequence[Token]) -> list[tuple[str, Token]]:
    """The tokens with their terminals: keywords with blocks first, then all others in the order of the text."""
    claims = _claims(tokens)
    asm = _asm_words(tokens, claims)
    taken = {*claims, *claims.values(), *(index for words in asm.values() for index in words)}
    stream: list[tuple[str, Token]] = []
    for keyword, block in sorted(claims.items()):
        stream += [("ASM", tokens[index]) for index in asm.get(keyword, ())]
        terminal = "CODE_KEYWORD" if tokens[keyword].lower in ASSEMBLED_OPTIONS else "TEXT_KEYWORD"
        stream += [(terminal, tokens[keyword]), ("BLOCK", tokens[block])]
    stream += [(_terminal(token), token) for index, token in enumerate(tokens) if index not in taken]
    return stream


def _terminal(token: Token) -> str:
    return "SCALAR_KEYWORD" if _is_word(token) and token.lower in SCALAR_OPTIONS else "WORD"


def _is_word(token: Token) -> bool:
    return token.kind is TokenKind.STRING


def _claims(tokens: Sequence[Token]) -> dict[int, int]:
    """Index of keyword -> index of its block: the next one that is still free. An empty block counts as none."""
    free = [index for index, token in enumerate(tokens) if token.kind is TokenKind.BRACKET_STRING]
    claims: dict[int, int] = {}
    for keyword in BLOCK_OPTIONS:
        for index, token in enumerate(tokens):
            if not _is_word(token) or token.lower != keyword:
                continue
            nearest = bisect(free, index)
            if nearest < len(free) and tokens[free[nearest]].text:
                claims[index] = free.pop(nearest)
    return claims


def _asm_words(tokens: Sequence[Token], claims: dict[int, int]) -> dict[int, list[int]]:
    """Index of a `condition` or `code` keyword -> indices of the `asm` words since the one before it."""
    result: dict[int, list[int]] = {}
    pending: list[int] = []
    for index, token in enumerate(tokens):
        if _is_word(token) and token.lower == "asm":
            pending.append(index)
        elif index in claims and token.lower in ASSEMBLED_OPTIONS and pending:
            result[index], pending = pending, []
    return result


class _Arranged(Lexer):
    """Hands the arranged tokens to Lark; there is no text left to be lexed."""

    def __init__(self, _configuration: object) -> None:
        pass

    def lex(self, stream: Any) -> Iterator[Terminal]:  # type: ignore[override]  # Lark calls a custom lexer like this
        return (Terminal(terminal, token) for terminal, token in stream)


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("commands.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=_Arranged, start="event")
