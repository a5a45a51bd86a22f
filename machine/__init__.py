"""The emulated x86-64 computer, which raises events. Importing this package loads no emulator.

What it has by name is loaded on first use; every other module is imported by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machine.loaders import LoadError
    from machine.machine import Machine, RunSummary
    from machine.options import MachineOptions, Program

__all__ = ["LoadError", "Machine", "MachineOptions", "Program", "RunSummary"]

_HOMES = {
    "LoadError": "machine.loaders",
    "Machine": "machine.machine",
    "MachineOptions": "machine.options",
    "Program": "machine.options",
    "RunSummary": "machine.machine",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'machine' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
