"""THE tables of diagnostic codes: errors E, warnings W, remarks R, portability remarks P.

Codes are stable, texts are not. `hds explain CODE`, `hds list diagnostics`, docs/diagnostics.md and docs/portability.md
are made from these tables; `ROWS` has all of them. Their names, for those who report them, stand in `lang.code`.
"""

from __future__ import annotations

from lang.codes.command_errors import COMMAND_ERRORS
from lang.codes.directive_errors import TEST_ERRORS
from lang.codes.meaning_errors import MEANING_ERRORS
from lang.codes.portability import PORTABILITY
from lang.codes.rows import KINDS, SEEN, Remark, Row
from lang.codes.source_errors import SOURCE_ERRORS
from lang.codes.warnings import REMARKS, WARNINGS

ERRORS: tuple[Row, ...] = SOURCE_ERRORS + MEANING_ERRORS
ROWS: tuple[Row, ...] = (*ERRORS, *COMMAND_ERRORS, *TEST_ERRORS, *WARNINGS, *REMARKS, *PORTABILITY)

__all__ = [
    "COMMAND_ERRORS",
    "ERRORS",
    "KINDS",
    "PORTABILITY",
    "REMARKS",
    "ROWS",
    "SEEN",
    "TEST_ERRORS",
    "WARNINGS",
    "Remark",
    "Row",
]
