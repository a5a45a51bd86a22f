"""The server of gdb's remote protocol: `hds run --gdb`. What other rooms use."""

from __future__ import annotations

from hds.gdb.server import Server

__all__ = ["Server"]
