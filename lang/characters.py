"""Characters that do not show what they do: controls, and marks that change the direction of text.

They are escaped wherever a person looks at text of unknown origin: in the excerpts of diagnostics, and in all that is
written to a terminal.
"""

from __future__ import annotations

from vm import late_pattern

# C0 except tab and line feed, DEL and C1; the marks, embeddings, overrides and isolates of bidirectional text; the
# separators of lines and paragraphs. A carriage return is harmless where a line feed follows.
_HIDDEN = late_pattern("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """The text with an escape sequence in the place of each such character."""
    return _HIDDEN.sub(lambda match: escape(match[0]), text)


def escape(character: str) -> str:
    r"""`\r`, `\x1b` or `\u202e`: the character as a literal of Python has it."""
    return character.encode("unicode_escape").decode("ascii")
