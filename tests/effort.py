"""How much a law is tried: few times in `make test`, and many in `make fuzz` (HYPOTHESIS_PROFILE=nightly)."""

from __future__ import annotations

import os
from typing import TypeVar

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
T = TypeVar("T")


def often(few: T, many: T) -> T:
    """A number of cases, or the cases themselves."""
    return many if NIGHTLY else few
