"""Calls on languages: locales and the tables of code pages, which are files of System32."""

from __future__ import annotations

from machine.kernel.nt.abi import Address, NtThread, UInt, Word, call
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.space import PAGE_READONLY, PAGE_READWRITE
from machine.kernel.nt.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from machine.memory import page_ceil

_ENGLISH = 0x409
_SORTING, _CASES, _CODE_PAGE, _NORMALISATION = 9, 10, 11, 12
_FORMS = {1: "normnfc", 2: "normnfd", 5: "normnfkc", 6: "normnfkd", 13: "normidna"}
_LARGEST_TABLE = 1 << 26


@call("NtQueryDefaultLocale")
def default_locale(thread: NtThread, user: UInt, locale: Address) -> int:
    """en-US."""
    thread.put_half(locale, _ENGLISH)
    return STATUS_SUCCESS


@call("NtSetDefaultLocale", "NtSetDefaultUILanguage")
def set_default_locale(thread: NtThread) -> int:
    """Accepted, without effect."""
    return STATUS_SUCCESS


@call("NtQueryDefaultUILanguage", "NtQueryInstallUILanguage")
def default_language(thread: NtThread, language: Address) -> int:
    """en-US."""
    thread.put(language, _ENGLISH.to_bytes(2, "little"))
    return STATUS_SUCCESS


@call("NtInitializeNlsFiles")
def initialize(thread: NtThread, table: Address, locale: Address, size: Address) -> int:
    """Map the table of locales."""
    base, length = _map(thread, "locale.nls")
    thread.put_word(table, base)
    thread.put_half(locale, _ENGLISH)
    if size:
        thread.put_word(size, length)
    return STATUS_SUCCESS


@call("NtGetNlsSectionPtr")
def section(thread: NtThread, kind: UInt, number: UInt, context: Word, table: Address, size: Address) -> int:
    """Map a table: of sorting, of cases, of a code page, of a form of normalisation."""
    if kind == _SORTING and not number:
        name = "sortdefault"
    elif kind == _CASES and not number:
        name = "l_intl"
    elif kind == _CODE_PAGE:
        name = f"c_{number:03}"
    elif kind == _NORMALISATION and number in _FORMS:
        name = _FORMS[number]
    else:
        return STATUS_INVALID_PARAMETER
    base, length = _map(thread, f"{name}.nls")
    thread.put_word(table, base)
    if size:
        thread.put_half(size, length)
    return STATUS_SUCCESS


def _map(thread: NtThread, name: str) -> tuple[int, int]:
    """A read-only copy of a file of System32: address and size. Raises NtError."""
    volume, space = thread.state.volume, thread.state.space
    if volume is None:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    spot = volume.find(("windows", "system32", name))
    if not spot.exists or spot.is_directory:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    file = DriveFile(spot=spot, handle=spot.open(writable=False))
    size = file.size
    if not 0 < size <= _LARGEST_TABLE:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    thread.services.work.charge(size)
    data = file.read(0, size)
    made = space.reserve(0, len(data), PAGE_READWRITE, name, commit=True)
    if not space.memory.write(made.base, data):
        raise NtError(STATUS_NO_MEMORY)
    space.protect(made.base, made.base + page_ceil(len(data)), PAGE_READONLY)
    return made.base, size
