"""Portability remarks: where the language goes beyond HyperDbg v0.23 (P001 to P112)."""

from __future__ import annotations

from lang.codes.portability_expressions import EXPRESSION_REMARKS
from lang.codes.portability_objects import OBJECT_REMARKS
from lang.codes.portability_session import SESSION_REMARKS
from lang.codes.portability_source import SOURCE_REMARKS
from lang.codes.rows import Remark

PORTABILITY: tuple[Remark, ...] = SOURCE_REMARKS + EXPRESSION_REMARKS + OBJECT_REMARKS + SESSION_REMARKS
