"""The NT calls that are carried out, one module per family; importing this package puts them into `CALLS`."""

from __future__ import annotations

from machine.kernel.nt.abi import CALLS
from machine.kernel.nt.calls import (
    atoms,
    ends,
    exceptions,
    file_information,
    files,
    information,
    mailslots,
    memory,
    nls,
    object_directories,
    pipes,
    registry,
    sections,
    security,
    synchronisation,
    threads,
    time,
)

__all__ = [
    "CALLS",
    "atoms",
    "ends",
    "exceptions",
    "file_information",
    "files",
    "information",
    "mailslots",
    "memory",
    "nls",
    "object_directories",
    "pipes",
    "registry",
    "sections",
    "security",
    "synchronisation",
    "threads",
    "time",
]
