"""Event forwarding: outputs by name, and what takes their bytes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.outputs.carriers import OutputFailed as OutputFailed
    from hds.outputs.file import FileCarrier as FileCarrier
    from hds.outputs.sources import Outputs as Outputs, OutputSource as OutputSource
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {"carriers": "OutputFailed", "file": "FileCarrier", "sources": "Outputs OutputSource"},
        late="file",
    )
