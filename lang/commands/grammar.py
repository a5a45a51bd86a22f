"""Tokens of an event command -> its options, by the grammar in commands.lark.

Before the grammar sees them, tokens are classified and every block is put behind the keyword that claims it, which
need not stand next to it (A.7, B.3). Values are not checked, and a repeated option is listed as often as it is
written.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lang.commands.tokens import Token, TokenKind
from lang.lalr import Parser, load
from vm.facts.events import ASSEMBLED_OPTIONS, BLOCK_OPTIONS, SCALAR_OPTIONS

_TABLES = Path(__file__).with_name("commands.json")


class ScalarOption(msgspec.Struct, frozen=True):
    """A keyword and its value."""

    keyword: Token
    value: Token


class BlockOption(msgspec.Struct, frozen=True):
    """A keyword and its block, with the `asm` words that belong to it."""

    keyword: Token
    block: Token
    asm: tuple[Token, ...] = ()


class Options(msgspec.Struct, frozen=True):
    """The options in the order of the text, and the words that belong to none."""

    scalars: tuple[ScalarOption, ...]
    blocks: tuple[BlockOption, ...]
    rest: tuple[Token, ...]


class MissingValue(msgspec.Struct, frozen=True):
    """The command ends behind this keyword."""

    keyword: Token


class _Terminal(msgspec.Struct, frozen=True):
    """A token as the grammar sees it."""

    type: str
    token: Token


class _Builder:
    """The actions of commands.lark."""

    def option(self, parts: list[_Terminal]) -> ScalarOption:
        return ScalarOption(parts[0].token, parts[1].token)

    def block(self, parts: list[_Terminal]) -> BlockOption:
        tokens = [part.token for part in parts]
        return BlockOption(tokens[-2], tokens[-1], tuple(tokens[:-2]))

    def start(self, parts: list[ScalarOption | BlockOption | _Terminal]) -> Options:
        return Options(
            tuple(part for part in parts if isinstance(part, ScalarOption)),
            tuple(part for part in parts if isinstance(part, BlockOption)),
            tuple(part.token for part in parts if isinstance(part, _Terminal)),
        )


def parse_options(tokens: Sequence[Token]) -> Options | MissingValue:
    """The options among the tokens behind the name of an event command."""
    parser = Parser(load(_TABLES), _Builder())
    stream = _arrange(tokens)
    for terminal in stream:
        taken = parser.feed(terminal)
        assert taken
    options: Options | None = parser.finish()
    # The grammar takes every arranged stream except one that ends behind the keyword of a scalar option.
    return MissingValue(stream[-1].token) if options is None else options


def _arrange(tokens: Sequence[Token]) -> list[_Terminal]:
    """The tokens with their terminals: keywords with blocks first, then all others in the order of the text."""
    claims = _claims(tokens)
    asm = _asm_words(tokens, claims)
    taken = {*claims, *claims.values(), *(index for words in asm.values() for index in words)}
    stream: list[_Terminal] = []
    for keyword, block in sorted(claims.items()):
        stream += [_Terminal("ASM", tokens[index]) for index in asm.get(keyword, ())]
        terminal = "CODE_KEYWORD" if tokens[keyword].lower in ASSEMBLED_OPTIONS else "TEXT_KEYWORD"
        stream += [_Terminal(terminal, tokens[keyword]), _Terminal("BLOCK", tokens[block])]
    stream += [_Terminal(_terminal(token), token) for index, token in enumerate(tokens) if index not in taken]
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
