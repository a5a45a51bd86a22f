"""OUT and OUTS: `!ioout` (events-and-commands C.2; Intel SDM volume 2B, OUT, OUTS; volume 1, section 19.5)."""

from __future__ import annotations

from machine.events.exits import ioin
from machine.processor import Vector
from vm.facts.events import IOOUT

FORMS = ioin.forms(IOOUT, b"\xe6\xe7", b"\xee\xef", strings=b"\x6e\x6f", raises=Vector.GP)
