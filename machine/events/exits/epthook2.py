"""Call of a hooked address: `!epthook2`, which is raised like `!epthook` (events-and-commands C.2)."""

from __future__ import annotations

from msgspec.structs import replace

from machine.events.exits import epthook
from vm.facts.events import EPTHOOK2

EXIT = replace(epthook.EXIT, kind=EPTHOOK2)
