"""PE32+ executables (`pe_file`): those without imports run by themselves, at their preferred base.

A program that imports anything needs the DLLs of a folder (`Placement.root`): then `modules` plans where they go, and
the guest's own ntdll loads them. Without a folder it is refused, since its first call would be a crash.
"""

from __future__ import annotations

from msgspec.structs import replace

from machine.loaders.image import Image, LoadError, Placement, check_size
from machine.loaders.modules import has_system, plan
from machine.loaders.pe_file import IMPORTS, PeFile
from machine.loaders.pe_symbols import symbols_of
from vm.facts.limits import DEFAULT_LIMITS


def load(data: bytes, largest: int = DEFAULT_LIMITS.max_guest_memory) -> Image:
    """The image of an executable without imports, of at most `largest` bytes in memory. Raises LoadError."""
    return _image(PeFile(data), largest, imports=False)


def _image(file: PeFile, largest: int, *, imports: bool) -> Image:
    if file.is_dll:
        raise LoadError("a DLL is not a program", "load the executable that uses it")
    if file.directory(IMPORTS)[1] and not imports:
        raise LoadError(
            "this PE file imports from DLLs; there are none here",
            "`--root DIR` names a folder that has them, laid out like C:\\, or link it without a run-time library",
        )
    check_size(file.areas, largest)
    entry = file.base + file.entry
    if not any(area.start <= entry < area.start + area.size for area in file.areas):
        raise LoadError(f"the entry point {entry:#x} lies in no section")
    extent = (file.base, file.base + file.size)
    return Image("nt", entry, None, file.areas, file.contents, symbols=symbols_of(file, file.base), extent=extent)


def of_file(data: bytes, placement: Placement) -> Image:
    """As `Loader`."""
    limits = placement.limits
    file = PeFile(data)
    if placement.root is None or not has_system(placement.root, limits):
        return _image(file, limits.max_guest_memory, imports=False)
    image = _image(file, limits.max_guest_memory, imports=True)
    return replace(image, windows=plan(file, placement))
