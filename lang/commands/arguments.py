"""`$arg0` ... `$argN` of a command file: plain text substitution before anything is read (events-and-commands.md A.5).

The whole index counts, so `$arg10` is never `$arg1` followed by a 0; an index without an argument stays as it is.
What is inserted is not searched again. Lines keep their numbers as long as no argument holds a line end; columns are
those of the text after substitution, which is also the text that diagnostics show.
"""

from __future__ import annotations

from collections.abc import Sequence

from lang.source import SourceFile
from vm import late_pattern

_ARGUMENT = late_pattern(r"\$arg(0|[1-9][0-9]*)")


def substitute_arguments(source: SourceFile, arguments: Sequence[str]) -> SourceFile:
    """The file with its arguments in place; `arguments[0]` is the path of the file itself."""
    by_index = {str(index): text for index, text in enumerate(arguments)}
    text = _ARGUMENT.sub(lambda match: by_index.get(match[1], match[0]), source.text)
    return source if text == source.text else SourceFile(source.name, text)
