"""The registry: keys in memory, seeded with what loaders and C libraries ask for, and .reg files of the user.

Names keep their case and are found in any. A .reg file is the text that regedit exports (version 5, UTF-16 or UTF-8).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import msgspec

from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.rights import KEY
from machine.kernel.nt.status import (
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NAME_TOO_LONG,
    STATUS_OBJECT_NAME_COLLISION,
    NtError,
)
from vm.facts.numbers import HEXADECIMAL, MAX_32, number_in

REG_NONE, REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD = 0, 1, 2, 3, 4, 7, 11
USER = "S-1-5-21-0-0-0-1000"
_ROOTS = {
    "HKEY_LOCAL_MACHINE": ("Machine",), "HKLM": ("Machine",), "HKEY_USERS": ("User",), "HKU": ("User",),
    "HKEY_CURRENT_USER": ("User", USER), "HKCU": ("User", USER),
    "HKEY_CLASSES_ROOT": ("Machine", "Software", "Classes"), "HKCR": ("Machine", "Software", "Classes"),
}  # fmt: skip


class Value(msgspec.Struct):
    """A value: its name as it was set, its type, its bytes."""

    name: str
    kind: int
    data: bytes


MOST_LEVELS = 512  # of keys (Microsoft's "Registry Element Size Limits")


class Key(msgspec.Struct, eq=False):
    """A key with its values and keys, by names in small letters."""

    name: str
    path: str
    written: int = 0  # units of 100 ns since 1601
    values: dict[str, Value] = msgspec.field(default_factory=dict)
    keys: dict[str, Key] = msgspec.field(default_factory=dict)
    parent: Key | None = None
    is_deleted: bool = False

    def child(self, name: str) -> Key | None:
        """The key of this name in it."""
        return self.keys.get(name.lower())


class KeyObject(KernelObject, eq=False):
    """An open key."""

    kind = "Key"
    rights = KEY
    widens = False
    key: Key


class Registry:
    """All keys, of at most `most` bytes of names and values."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.root = Key("REGISTRY", "\\REGISTRY")

    def find(self, start: Key, parts: list[str]) -> Key | None:
        """The key at the end of these names, if it is there."""
        key: Key | None = start
        for part in parts:
            key = None if key is None else key.child(part)
        return key

    def create(self, start: Key, parts: list[str], now: int = 0) -> tuple[Key, bool]:
        """The same, made where it is not there; whether it was. Raises NtError."""
        key, made = start, False
        if start.path.count("\\") + len(parts) > MOST_LEVELS:
            raise NtError(STATUS_NAME_TOO_LONG)
        for part in parts:
            found = key.child(part)
            if found is None:
                self._take(256 + 2 * len(part))
                found = key.keys[part.lower()] = Key(part, f"{key.path}\\{part}", now, parent=key)
                made = True
            key = found
        return key, made

    def rename(self, key: Key, name: str) -> None:
        """Another name for a key, and other paths for it and what is in it. Raises NtError."""
        parent = key.parent
        assert parent is not None
        there = parent.child(name)
        if there is not None and there is not key:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        self._take(2 * max(0, len(name) - len(key.name)))
        del parent.keys[key.name.lower()]
        key.name = name
        parent.keys[name.lower()] = key
        waiting = [key]
        while waiting:
            each = waiting.pop()
            assert each.parent is not None
            each.path = f"{each.parent.path}\\{each.name}"
            waiting += each.keys.values()

    def set(self, key: Key, name: str, kind: int, data: bytes) -> None:
        """Set a value. Raises NtError."""
        old = key.values.get(name.lower())
        self._take(128 + 2 * len(name) + len(data) - (0 if old is None else len(old.data)))
        key.values[name.lower()] = Value(name, kind, data)

    def _take(self, size: int) -> None:
        if size > self._left:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        self._left -= size

    def seed(self, path: str, **values: str | int) -> None:
        """Values of a key, which is made: texts and numbers of 32 bits. Underscores in names are blanks for none."""
        key, _ = self.create(self.root, path.split("\\"))
        for name, value in values.items():
            if isinstance(value, int):
                self.set(key, name, REG_DWORD, struct.pack("<I", value))
            else:
                self.set(key, name, REG_SZ, _text(value))


def _text(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le", "surrogatepass")


def seeded(build: int, most: int) -> Registry:
    """What a fresh system has, as far as programs ask for it."""
    made = Registry(most)
    windows = "Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion"
    made.seed(windows, CurrentVersion="6.3", CurrentBuild=str(build), CurrentBuildNumber=str(build), ReleaseId="1903")
    made.seed(windows, CurrentMajorVersionNumber=10, CurrentMinorVersionNumber=0, UBR=1, InstallationType="Client")
    made.seed(windows, ProductName="Windows 10 Pro", SystemRoot="C:\\windows", CSDVersion="")
    made.seed("Machine\\Software\\Microsoft\\Windows\\CurrentVersion", ProgramFilesDir="C:\\Program Files",
              CommonFilesDir="C:\\Program Files\\Common Files")  # fmt: skip
    control = "Machine\\System\\CurrentControlSet\\Control"
    made.seed(f"{control}\\ComputerName\\ActiveComputerName", ComputerName="HDS")
    made.seed(f"{control}\\ComputerName\\ComputerName", ComputerName="HDS")
    made.seed(f"{control}\\Session Manager")
    made.seed(f"{control}\\Session Manager\\Environment", OS="Windows_NT", PROCESSOR_ARCHITECTURE="AMD64")
    made.seed(f"{control}\\TimeZoneInformation", Bias=0, StandardName="UTC", DaylightName="UTC", TimeZoneKeyName="UTC")
    made.seed(f"{control}\\Windows", CSDVersion=0)
    made.seed(f"{control}\\Nls\\CodePage", ACP="1252", OEMCP="437", MACCP="10000")
    made.seed(f"{control}\\Nls\\Language", Default="0409", InstallLanguage="0409")
    made.seed(f"{control}\\Nls\\Locale")
    made.seed(f"{control}\\Nls\\Sorting\\Ids")
    made.seed(f"{control}\\Nls\\Sorting\\Versions")
    user = f"User\\{USER}"
    made.seed(f"{user}\\Control Panel\\International", **_INTERNATIONAL)
    made.seed(f"{user}\\Environment")
    made.seed(f"{user}\\Software")
    made.create(made.root, ["Machine", "Software", "Classes"])
    return made


# HKCU\Control Panel\International of en-US: a C library writes it itself where LocaleName is missing.
_INTERNATIONAL = {
    "Locale": "00000409", "LocaleName": "en-US", "sLanguage": "ENU", "sCountry": "United States", "iCountry": "1",
    "sDecimal": ".", "sThousand": ",", "sList": ",", "sDate": "/", "sTime": ":", "s1159": "AM", "s2359": "PM",
    "sShortDate": "M/d/yyyy", "sLongDate": "dddd, MMMM d, yyyy", "sTimeFormat": "h:mm:ss tt", "sShortTime": "h:mm tt",
    "sYearMonth": "MMMM yyyy", "sCurrency": "$", "sMonDecimalSep": ".", "sMonThousandSep": ",", "sNegativeSign": "-",
    "sPositiveSign": "", "sNativeDigits": "0123456789", "iMeasure": "1", "iDigits": "2", "iLZero": "1",
    "iNegNumber": "1", "iCurrDigits": "2", "iCurrency": "0", "iNegCurr": "0", "iDate": "0", "iTime": "0",
    "iFirstDayOfWeek": "6", "iFirstWeekOfYear": "0", "iCalendarType": "1", "sGrouping": "3;0", "sMonGrouping": "3;0",
    "iPaperSize": "1", "NumShape": "1",
}  # fmt: skip


# --- .reg files


class RegFileError(Exception):
    """A line of a .reg file cannot be read: its number from 1, and what is wrong."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")


_HEADERS = ("Windows Registry Editor Version 5.00", "REGEDIT4")
_VALUE = re.compile(r'(@|"(?:[^"\\]|\\.)*")\s*=\s*(.*)', re.DOTALL)
_HEX = re.compile(r"hex(?:\(([0-9a-fA-F]{1,8})\))?:(.*)", re.DOTALL)


def read_reg_file(registry: Registry, data: bytes) -> None:
    """Carry out a .reg file: set values, make keys, remove those with a minus. Raises RegFileError, NtError."""
    key: Key | None = None
    lines = _lines(data)
    number, first = next(lines, (1, ""))
    if first.strip("\ufeff \t") not in _HEADERS:
        raise RegFileError(number, f"a .reg file begins with `{_HEADERS[0]}`")
    for number, line in lines:
        if line.startswith("["):
            key = _key(registry, number, line)
        elif key is None:
            raise RegFileError(number, "a value before the first key")
        else:
            _set(registry, key, number, line)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; continued ones are one, comments and empty ones are left out."""
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    whole, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not whole and (not line or line.startswith(";")):
            continue
        start = start if whole else number
        whole += line
        if whole.endswith("\\") and "hex" in whole:
            whole = whole[:-1]
            continue
        yield start, whole
        whole = ""
    if whole:
        yield start, whole


def _key(registry: Registry, number: int, line: str) -> Key | None:
    removed = line.startswith("[-")
    root, _, rest = line.rstrip("]").lstrip("[-").partition("\\")
    if root.upper() not in _ROOTS or not line.endswith("]"):
        raise RegFileError(number, f"unknown key {line[:80]}")
    parts = [*_ROOTS[root.upper()], *filter(None, rest.split("\\"))]
    if len(parts) >= MOST_LEVELS:
        raise RegFileError(number, f"a key has at most {MOST_LEVELS} levels")
    if not removed:
        return registry.create(registry.root, parts)[0]
    parent = registry.find(registry.root, parts[:-1])
    if parent is not None:
        parent.keys.pop(parts[-1].lower(), None)
    return None


def _set(registry: Registry, key: Key, number: int, line: str) -> None:
    found = _VALUE.fullmatch(line)
    if found is None:
        raise RegFileError(number, "neither a key nor a value")
    name, text = "" if found[1] == "@" else _unquoted(found[1]), found[2].strip()
    if text == "-":
        key.values.pop(name.lower(), None)
    elif text.startswith('"') and text.endswith('"') and len(text) > 1:
        registry.set(key, name, REG_SZ, _text(_unquoted(text)))
    elif text.lower().startswith("dword:"):
        registry.set(key, name, REG_DWORD, _number(number, text[6:], MAX_32).to_bytes(4, "little"))
    elif (bytes_of := _HEX.fullmatch(text.lower())) is not None:
        data = bytes(_number(number, word, 0xFF) for word in bytes_of[2].split(",") if word.strip())
        registry.set(key, name, _number(number, bytes_of[1] or "3", MAX_32), data)
    else:
        raise RegFileError(number, f"unknown kind of value {text[:40]}")


def _number(line: int, text: str, most: int) -> int:
    found = number_in(text.strip(), HEXADECIMAL, most)
    if found is None:
        raise RegFileError(line, f"{text.strip()[:40]} is no hexadecimal number up to {most:x}")
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
