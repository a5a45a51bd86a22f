"""A system call as `hds list calls` and `hds doctor` show it."""

from __future__ import annotations

from dataclasses import dataclass

CARRIED_OUT = "carried out"


@dataclass(frozen=True)
class ListedCall:
    """A call of a kernel: its number as shown, its name, the error that is all it comes to (None: carried out)."""

    kernel: str
    number: str
    name: str
    error: str | None

    @property
    def answer(self) -> str:
        """What becomes of it."""
        return CARRIED_OUT if self.error is None else f"answered by default: {self.error}"
