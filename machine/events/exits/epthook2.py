"""Call of a hooked address: `!epthook2`, which is raised like `!epthook` (events-and-commands C.2)."""

from __future__ import annotations

from dataclasses import replace

from machine.events.catalog import EPTHOOK2
from machine.events.exits import epthook

EXIT = replace(epthook.EXIT, kind=EPTHOOK2)
