"""The command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.cli.main import entry as entry
else:
    __getattr__, __dir__ = lazy(__name__, {"main": "entry"})
