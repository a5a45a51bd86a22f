"""A system call as `hds list calls` and `hds doctor` show it."""

from __future__ import annotations

import msgspec

CARRIED_OUT, BY_DEFAULT, UNKNOWN = "carried out", "answered by default", "unknown"


class ListedCall(msgspec.Struct, frozen=True):
    """A call of a kernel: its number as shown, its name, the error that is all it comes to (None: carried out).

    Calls of which the modelled system knows nothing are not `known`.
    """

    kernel: str
    number: str
    name: str
    error: str | None
    known: bool = True

    @property
    def state(self) -> str:
        """What becomes of it, in general."""
        return CARRIED_OUT if self.error is None else BY_DEFAULT if self.known else UNKNOWN

    @property
    def answer(self) -> str:
        """What becomes of it."""
        return self.state if self.error is None else f"{self.state}: {self.error}"
