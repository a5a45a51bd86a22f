"""What runs between the emulator and Python as machine code, compiled with llvmlite.

Nothing here is needed for a right answer: who asks gets None where llvmlite is missing, and does the same in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.native.choosing import carrier_for as carrier_for
else:
    __getattr__, __dir__ = lazy(__name__, {"choosing": "carrier_for"}, late="accesses")
