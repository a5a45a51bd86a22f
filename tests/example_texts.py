"""The texts of all examples, for laws that hold for every text; and what is left of them when somebody types."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES: dict[str, str] = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("examples/**/*.hds", "examples/**/*.ds")
    for path in sorted(ROOT.glob(pattern))
}
_ODD = (
    *'{}()"\\/*#;\n\r!@$.,',
    "/*",
    "*/",
    "//",
    "\\{",
    "script {",
    "#include",
    "asm code {",
    "😀",
    "\u2028",
    "\f",
    "0n",
)


def damaged(text: str, seed: int, count: int) -> Iterator[str]:
    """Texts that begin like this one and end in the middle, or have something odd in them."""
    chance = random.Random(seed)
    for number in range(count):
        if number % 2:
            yield text[: chance.randrange(len(text) + 1)]
            continue
        pieces = list(text)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(pieces))
            pieces[at : at + chance.choice((0, 1, 1, 40))] = chance.choice(_ODD)
        yield "".join(pieces)
