"""Code of one function while it is made: instructions with labels, which become words with jump distances.

Conditional jumps reach 32,767 instructions; in a longer function each becomes a pair with an unconditional jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lang.source import Span
from vm.isa import encode


@dataclass(eq=False)
class Label:
    """A place in the code; `at` is known once it was placed (index into the function's items)."""

    at: int = -1


@dataclass(frozen=True)
class _Item:
    mnemonic: str
    operands: tuple[int, ...]
    label: Label | None
    span: Span


@dataclass
class Assembly:
    """The instructions of a function in order."""

    items: list[_Item] = field(default_factory=list)
    span: Span | None = None  # of what is being lowered

    def emit(self, mnemonic: str, *operands: int, to: Label | None = None) -> None:
        """Append an instruction; `to` is the target of a jump."""
        assert self.span is not None
        self.items.append(_Item(mnemonic, operands, to, self.span))

    def place(self, label: Label) -> None:
        """The next instruction stands at the label."""
        label.at = len(self.items)

    def words(self) -> tuple[list[int], list[Span]]:
        """The encoded instructions and where each comes from."""
        try:
            return self._words(long=False)
        except ValueError:
            return self._words(long=True)

    def _words(self, long: bool) -> tuple[list[int], list[Span]]:
        """`long`: every conditional jump hops over an unconditional one."""
        conditional = ("JZ", "JNZ")
        starts = [0]
        for item in self.items:
            starts.append(starts[-1] + (2 if long and item.mnemonic in conditional else 1))
        words: list[int] = []
        spans: list[Span] = []
        for number, item in enumerate(self.items):
            if item.label is None:
                words.append(encode(item.mnemonic, *item.operands))
            else:
                target = starts[item.label.at]
                if long and item.mnemonic in conditional:
                    words.append(encode("JNZ" if item.mnemonic == "JZ" else "JZ", *item.operands, 1))
                    words.append(encode("JMP", target - starts[number] - 2))
                    spans.append(item.span)
                else:
                    words.append(encode(item.mnemonic, *item.operands, target - starts[number] - 1))
            spans.append(item.span)
        return words, spans
