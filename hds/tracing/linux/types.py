"""All types of Linux' arguments, by name: each module of this package puts its own into the table."""

from __future__ import annotations

from hds.tracing.linux import memory, privileges, processes, short_types, sockets, times, waits
from hds.tracing.linux.files import FILLED_BY
from hds.tracing.linux.words import TYPES

__all__ = ["FILLED_BY", "TYPES", "memory", "privileges", "processes", "short_types", "sockets", "times", "waits"]
