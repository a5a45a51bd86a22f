"""The system calls of Windows, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator

from machine.kernel.listed import ListedCall
from machine.kernel.nt.calls import CALLS
from machine.kernel.nt.names import FIRST_PRIVATE, numbers_of
from machine.kernel.nt.numbering import numbering_of
from machine.loaders import Module


def nt_calls(build: int, ntdll: Module | None = None) -> Iterator[ListedCall]:
    """The calls of this ntdll in the order of their numbers, or those of the build; private ones are marked."""
    known = numbers_of(build)
    for number, name in sorted(numbering_of(ntdll, build).names.items()):
        if ntdll is None or name in ntdll.exports:
            yield _row(_shown(number), name, name in known)
    if ntdll is None:  # of which only an ntdll says the numbers
        private = sorted(CALLS.keys() - known.keys())
        yield from (_row(f"{FIRST_PRIVATE:x} up, private", name, known=False) for name in private)


def _shown(number: int) -> str:
    return f"{number:x}" if number < FIRST_PRIVATE else f"{number:x}, private"


def _row(number: str, name: str, known: bool) -> ListedCall:
    return ListedCall("nt", number, name, None if name in CALLS else "STATUS_NOT_IMPLEMENTED", known)
