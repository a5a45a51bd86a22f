"""The command line."""

from __future__ import annotations

from hds.cli.main import entry

__all__ = [
    "entry",
]
