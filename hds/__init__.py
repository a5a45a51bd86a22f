"""hds: HyperDbg's scripting, offline.

`hds.Session` is the Python face of everything that `hds run` does; it is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.version import VERSION

if TYPE_CHECKING:
    from hds.session.session import Session

__version__ = VERSION

__all__ = ["Session", "__version__"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name == "Session":
        from hds.session.session import Session

        return Session
    raise AttributeError(f"module 'hds' has no attribute {name!r}")
