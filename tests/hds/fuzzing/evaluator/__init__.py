"""A third evaluator of the language, independent of the compiler and of both engines.

It walks the syntax tree and knows nothing else of `lang`: its types, conversions, arithmetic, memory, `printf` and
built-in functions were written from docs/language.md alone. Small, slow and obvious: integers are mathematical
integers, floating point is exact fractions that are rounded once, and every variable is an object in memory.

Where the document leaves something open (reading beyond the end of an object, say) it raises `Unspecified`, and the
caller compares nothing.
"""

from .errors import Rejected, Stopped, Unspecified
from .machine import Result, evaluate, rejection

__all__ = ["Rejected", "Result", "Stopped", "Unspecified", "evaluate", "rejection"]
