"""What goes wrong in memory."""


class MapError(Exception):
    """Memory cannot be mapped: it overlaps other memory, leaves the address space or exceeds the limit of this name."""

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit
