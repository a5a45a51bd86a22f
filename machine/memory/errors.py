"""What goes wrong in memory."""


class MapError(Exception):
    """Memory cannot be mapped: it overlaps other memory, leaves the address space or exceeds a limit."""
