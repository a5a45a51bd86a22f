"""`output create NAME module PATH`: a function of a Python file or a shared library, called with every message."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hds.outputs.carriers import Carrier, OutputFailed, Rest

if TYPE_CHECKING:
    from hds.outputs.sources import Outputs

ENTRY_POINT = "hyperdbg_event_forwarding"  # of a module: (text, length)


def acquire(outputs: Outputs, address: str) -> Carrier:
    """A module runs code in this process, so somebody must have allowed it."""
    if not outputs.allow_modules:
        raise OutputFailed("modules run code of their own: they need --allow-modules")
    return ModuleCarrier(outputs.locate(address))


class ModuleCarrier:
    """A function that is called with every message: of a Python file, or of a shared library."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise OutputFailed(f"cannot load the module {path}: there is no such file")
        self._call = _python_function(path) if path.suffix == ".py" else _library_function(path)

    def send(self, data: bytes) -> None:
        try:
            self._call(data, len(data))
        except Exception as error:  # the user's own code may raise anything; it ends this output only
            raise OutputFailed(f"{ENTRY_POINT} raised {type(error).__name__}: {error}") from None

    def close(self) -> Rest:
        return Rest()


def _python_function(path: Path) -> Callable[[bytes, int], object]:
    specification = importlib.util.spec_from_file_location(f"hds_output_{path.stem}", path)
    assert specification is not None  # a .py suffix always has a loader
    assert specification.loader is not None
    module: ModuleType = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # as in ModuleCarrier.send
        raise OutputFailed(f"cannot load the module {path}: {type(error).__name__}: {error}") from None
    function: object = getattr(module, ENTRY_POINT, None)
    if not callable(function):
        raise OutputFailed(f"the module {path} has no function {ENTRY_POINT}(text, length)")
    return function


def _library_function(path: Path) -> Callable[[bytes, int], object]:
    try:
        library = ctypes.CDLL(str(path.absolute()))
    except OSError as error:
        raise OutputFailed(f"cannot load the module {path}: {error}") from None
    try:
        function = getattr(library, ENTRY_POINT)
    except AttributeError:
        raise OutputFailed(f"the module {path} has no function {ENTRY_POINT}(text, length)") from None
    function.argtypes, function.restype = (ctypes.c_char_p, ctypes.c_uint), None
    call: Callable[[bytes, int], object] = function
    return call
