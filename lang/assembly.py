"""Code of one function while it is made: instructions with labels, which become words with jump distances.

Conditional jumps reach 32,767 instructions; in a longer function each becomes a pair with an unconditional jump.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

import msgspec

from lang.source import Span
from vm import encode

_OPPOSITE = {"JZ": "JNZ", "JNZ": "JZ"}


class Label(msgspec.Struct, eq=False):
    """A place in the code; `at` is known once it was placed (the instructions of the function in front of it)."""

    at: int = -1


class _Jump(msgspec.Struct, frozen=True):
    """A jump that waits for its distance, at an index of the function's instructions."""

    at: int
    mnemonic: str
    operands: tuple[int, ...]
    label: Label

    def word(self, distance: int) -> int:
        """The encoded jump. Raises ValueError when it does not reach."""
        return encode(self.mnemonic, *self.operands, distance)


class Assembly(msgspec.Struct):
    """The instructions of a function in order, encoded but for the distances of its jumps."""

    code: array[int] = msgspec.field(default_factory=lambda: array("I"))
    spans: list[Span] = msgspec.field(default_factory=list)  # where each instruction comes from
    jumps: list[_Jump] = msgspec.field(default_factory=list)
    span: Span | None = None  # of what is being lowered

    def emit(self, mnemonic: str, *operands: int, to: Label | None = None) -> None:
        """Append an instruction; `to` is the target of a jump."""
        assert self.span is not None
        if to is not None:
            self.jumps.append(_Jump(len(self.code), mnemonic, operands, to))
        self.code.append(encode(mnemonic, *operands) if to is None else 0)
        self.spans.append(self.span)

    def place(self, label: Label) -> None:
        """The next instruction stands at the label."""
        label.at = len(self.code)

    def words(self) -> tuple[array[int], list[Span]]:
        """The encoded instructions and where each comes from. Raises ValueError for a jump too far for any form."""
        try:
            for jump in self.jumps:
                self.code[jump.at] = jump.word(jump.label.at - jump.at - 1)
        except ValueError:
            return self._long_words()
        return self.code, self.spans

    def _long_words(self) -> tuple[array[int], list[Span]]:
        """The same where every conditional jump hops over an unconditional one."""
        hops = array("I", (jump.at for jump in self.jumps if jump.mnemonic in _OPPOSITE))
        code, spans = array("I"), list[Span]()
        start = 0
        for jump in self.jumps:
            code += self.code[start : jump.at]
            spans += self.spans[start : jump.at]
            if jump.mnemonic in _OPPOSITE:
                code.append(encode(_OPPOSITE[jump.mnemonic], *jump.operands, 1))
                spans.append(self.spans[jump.at])
                jump = _Jump(jump.at, "JMP", (), jump.label)
            target = jump.label.at + bisect_left(hops, jump.label.at)
            code.append(jump.word(target - len(code) - 1))
            spans.append(self.spans[jump.at])
            start = jump.at + 1
        return code + self.code[start:], spans + self.spans[start:]
