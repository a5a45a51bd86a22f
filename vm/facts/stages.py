"""The calling stages that an event asks for (events-and-commands B.8, B.14)."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """When an event runs: before or after its operation. The numbers are the SDK's; PRE and POST are bits of ALL."""

    PRE = 1
    POST = 2
    ALL = 3

    @property
    def word(self) -> str:
        """As the option `stage` names it."""
        return self.name.lower()
