"""THE tables of diagnostic codes: errors E, warnings W, remarks R, portability remarks P.

Codes are stable, texts are not. `hds explain CODE`, `hds list diagnostics`, docs/diagnostics.md and docs/portability.md
are made from these tables. The errors of the command level (E2xx) stand in `lang.commands.errors`.
"""

from __future__ import annotations

from lang.codes.meaning_errors import MEANING_ERRORS
from lang.codes.portability import PORTABILITY
from lang.codes.rows import KINDS, SEEN, Remark, Row
from lang.codes.source_errors import SOURCE_ERRORS
from lang.codes.warnings import REMARKS, WARNINGS

ERRORS: tuple[Row, ...] = SOURCE_ERRORS + MEANING_ERRORS

__all__ = ["ERRORS", "KINDS", "PORTABILITY", "REMARKS", "SEEN", "WARNINGS", "Remark", "Row"]
