"""hds: HyperDbg's scripting, offline.

`hds.Session` is the Python face of everything that `hds run` does; it is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.version import VERSION
from vm.face import lazy

__version__ = VERSION

__all__ = ["Session", "__version__"]

if TYPE_CHECKING:
    from hds.session import Session
else:
    __getattr__, __dir__ = lazy(__name__, {"session": "Session"})
