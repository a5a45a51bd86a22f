"""Event forwarding: outputs by name, and what takes their bytes away."""

from __future__ import annotations

from hds.outputs.carriers import OutputFailed
from hds.outputs.file import FileCarrier
from hds.outputs.sources import Outputs, OutputSource

__all__ = [
    "FileCarrier",
    "OutputFailed",
    "OutputSource",
    "Outputs",
]
