"""The registry: keys in memory, seeded with what loaders and C libraries ask for, and .reg files of the user.

Names keep their case and are found in any. A .reg file is the text that regedit exports (version 5, UTF-16 or UTF-8).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

import msgspec

from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.rights import KEY
from machine.kernel.nt.status import (
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NAME_TOO_LONG,
    STATUS_NOTIFY_CLEANUP,
    STATUS_NOTIFY_ENUM_DIR,
    STATUS_OBJECT_NAME_COLLISION,
    NtError,
)
from vm.facts.numbers import HEXADECIMAL, MAX_32, number_in

REG_NONE, REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD = 0, 1, 2, 3, 4, 7, 11
USER = "S-1-5-21-0-0-0-1000"
_CURRENT_CONFIG = ("Machine", "System", "CurrentControlSet", "Hardware Profiles", "Current")
_ROOTS = {
    "HKEY_LOCAL_MACHINE": ("Machine",), "HKLM": ("Machine",), "HKEY_USERS": ("User",), "HKU": ("User",),
    "HKEY_CURRENT_USER": ("User", USER), "HKCU": ("User", USER),
    "HKEY_CLASSES_ROOT": ("Machine", "Software", "Classes"), "HKCR": ("Machine", "Software", "Classes"),
    "HKEY_CURRENT_CONFIG": _CURRENT_CONFIG, "HKCC": _CURRENT_CONFIG,
}  # fmt: skip


class Value(msgspec.Struct):
    """A value: its name as it was set, its type, its bytes."""

    name: str
    kind: int
    data: bytes

    @property
    def cost(self) -> int:
        """The bytes that it counts for."""
        return 128 + 2 * len(self.name) + len(self.data)


_SYSTEM, _CONTROL_SET, _CURRENT_CONTROL_SET = "\\registry\\machine\\system", "controlset001", "currentcontrolset"
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
    is_volatile: bool = False

    @property
    def cost(self) -> int:
        """The bytes that it counts for, without what is in it."""
        return 256 + 2 * len(self.name)

    def child(self, name: str) -> Key | None:
        """The key of this name in it. ControlSet001 is CurrentControlSet."""
        folded = name.lower()
        if folded == _CONTROL_SET and self.path.lower() == _SYSTEM:
            folded = _CURRENT_CONTROL_SET
        return self.keys.get(folded)

    def listed(self) -> list[Key]:
        """The keys in it, by name, as they are enumerated."""
        found = dict(self.keys)
        current = found.get(_CURRENT_CONTROL_SET)
        if current is not None and self.path.lower() == _SYSTEM:
            name = "ControlSet001"
            found[_CONTROL_SET] = Key(name, f"{self.path}\\{name}", current.written, current.values, current.keys, self)
        return [found[name] for name in sorted(found)]


CHANGES_NAME, CHANGES_VALUE = 1, 4  # REG_NOTIFY_CHANGE_NAME, REG_NOTIFY_CHANGE_LAST_SET
_MOST_WATCHES = 1024


class KeyWatch(msgspec.Struct, eq=False):
    """Somebody waits for a change of one of some keys, or below if it `is_deep`; `over` is told the NTSTATUS, once."""

    keys: tuple[Key, ...]
    kinds: int
    is_deep: bool
    over: Callable[[int], object]
    is_over: bool = False

    def sees(self, key: Key, kind: int) -> bool:
        """Whether a change of this key is one that it waits for."""
        each: Key | None = key
        while self.is_deep and each is not None and each not in self.keys:
            each = each.parent
        return bool(kind & self.kinds) and each in self.keys


class KeyObject(KernelObject, eq=False):
    """An open key. `watches` end when it is closed."""

    kind = "Key"
    rights = KEY
    widens = False
    key: Key
    watches: list[KeyWatch] = msgspec.field(default_factory=list)
    end_watch: Callable[[KeyWatch], object] = lambda watch: None

    def closed(self) -> None:
        """As `KernelObject`."""
        for watch in self.watches:
            self.end_watch(watch)


class Registry:
    """All keys, of at most `most` bytes of names and values."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._watches: list[KeyWatch] = []
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
                found = Key(part, f"{key.path}\\{part}", now, parent=key)
                self._take(found.cost)
                key.keys[part.lower()] = found
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
        old, made = key.values.get(name.lower()), Value(name, kind, data)
        self._take(made.cost - (0 if old is None else old.cost))
        key.values[name.lower()] = made

    def unset(self, key: Key, name: str) -> bool:
        """Remove a value: whether it was there."""
        gone = key.values.pop(name.lower(), None)
        self._left += 0 if gone is None else gone.cost
        return gone is not None

    def remove(self, key: Key) -> None:
        """Remove a key, which has a parent, with all that is in it."""
        assert key.parent is not None
        del key.parent.keys[key.name.lower()]
        waiting = [key]
        while waiting:
            each = waiting.pop()
            each.is_deleted = True
            self._left += each.cost + sum(value.cost for value in each.values.values())
            waiting += each.keys.values()

    # --- who waits for changes

    def watch(self, watch: KeyWatch) -> None:
        """Let somebody wait. Raises NtError where too many do."""
        if len(self._watches) >= _MOST_WATCHES:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        self._watches.append(watch)

    def end_watch(self, watch: KeyWatch, status: int = STATUS_NOTIFY_CLEANUP) -> None:
        """Tell who waits that it is over."""
        if not watch.is_over:
            watch.is_over = True
            self._watches.remove(watch)
            watch.over(status)

    def changed(self, key: Key, kind: int) -> None:
        """A guest has changed a key."""
        for watch in [each for each in self._watches if each.sees(key, kind)]:
            self.end_watch(watch, STATUS_NOTIFY_ENUM_DIR)

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
    made.seed(f"{control[:-8]}\\Services\\Tcpip\\Parameters", Hostname="HDS")
    made.seed("Machine\\System\\Select", Current=1, Default=1, Failed=0, LastKnownGood=1)
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


_HEADER, _OLD_HEADER = "Windows Registry Editor Version 5.00", "REGEDIT4"
_VALUE = re.compile(r'(@|"(?:[^"\\]|\\.)*")\s*=\s*(.*)', re.DOTALL)
_HEX = re.compile(r"hex(?:\(([0-9a-fA-F]{1,8})\))?:([^;]*)(?:;.*)?", re.DOTALL | re.IGNORECASE)
_DWORD = re.compile(r"dword:([^;]*)(?:;.*)?", re.DOTALL | re.IGNORECASE)
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")\s*(?:;.*)?', re.DOTALL)
_NOTHING = re.compile(r"-\s*(?:;.*)?", re.DOTALL)
_OPEN = re.compile(r'(?:@|"(?:[^"\\]|\\.)*")\s*=\s*"(?:[^"\\]|\\.)*', re.DOTALL)  # a text that goes on
_ANSI = "cp1252"


def read_reg_file(registry: Registry, data: bytes) -> None:
    """Carry out a .reg file: set values, make keys, remove those with a minus. Raises RegFileError, NtError.

    What follows a removed key, before the next one, means nothing. Files of REGEDIT4 are in the code page of programs.
    """
    key: Key | None = None
    is_below_key = False
    lines = _lines(data)
    number, header = next(lines, (1, ""))
    if header not in (_HEADER, _OLD_HEADER):
        raise RegFileError(number, f"a .reg file begins with `{_HEADER}`")
    for number, line in lines:
        if line.startswith("["):
            key, is_below_key = _key(registry, number, line), True
        elif not is_below_key:
            raise RegFileError(number, "a value before the first key")
        elif key is not None:
            _set(registry, key, number, line, is_old=header == _OLD_HEADER)


def _decoded(data: bytes) -> str:
    """A .reg file as text: UTF-16 by its mark or by the second byte, UTF-8, or the code page of REGEDIT4."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", "replace")
    return data.decode(_ANSI if data.lstrip().startswith(_OLD_HEADER.encode()) else "utf-8-sig", "replace")


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; continued ones are one, comments and empty ones are left out."""
    waiting: list[str] = []
    start, is_text = 0, False
    for number, line in enumerate(re.split(r"\r\n|\n|\r", _decoded(data)), 1):
        if is_text:  # one of several lines goes on up to its quotation mark
            waiting.append(line)
            if not _STRING.fullmatch('"' + line.rstrip()):
                continue
            yield start, "\r\n".join(waiting).rstrip()
            waiting, is_text = [], False
            continue
        whole, line = line.lstrip(), line.strip()
        if not waiting and (not line or line.startswith(";")):
            continue
        start = start if waiting else number
        if line.endswith("\\") and (waiting or "hex" in line.lower()):
            waiting.append(line[:-1])
        elif not waiting and _OPEN.fullmatch(whole):
            waiting, is_text = [whole], True
        else:
            yield start, "".join((*waiting, line))
            waiting = []
    if waiting:
        yield start, "".join(waiting)


def _key(registry: Registry, number: int, line: str) -> Key | None:
    """The key of a line, made if it is not there; None for one that the line removes."""
    written, _, behind = line.rpartition("]")
    removed = line.startswith("[-")
    root, _, rest = written[1 + removed :].partition("\\")
    if root.upper() not in _ROOTS or (behind.strip() and not behind.strip().startswith(";")):
        raise RegFileError(number, f"unknown key {line[:80]}")
    names = list(filter(None, rest.split("\\")))
    parts = [*_ROOTS[root.upper()], *names]
    if len(parts) >= MOST_LEVELS:
        raise RegFileError(number, f"a key has at most {MOST_LEVELS} levels")
    if not removed:
        return registry.create(registry.root, parts)[0]
    if not names:
        raise RegFileError(number, f"{root} cannot be removed")
    found = registry.find(registry.root, parts)
    if found is not None:
        registry.remove(found)
    return None


def _set(registry: Registry, key: Key, number: int, line: str, *, is_old: bool) -> None:
    found = _VALUE.fullmatch(line)
    if found is None:
        raise RegFileError(number, "neither a key nor a value")
    name, text = "" if found[1] == "@" else _unquoted(found[1]), found[2].strip()
    if _NOTHING.fullmatch(text):
        registry.unset(key, name)
    elif (quoted := _STRING.fullmatch(text)) is not None:
        registry.set(key, name, REG_SZ, _text(_unquoted(quoted[1])))
    elif (digits := _DWORD.fullmatch(text)) is not None:
        registry.set(key, name, REG_DWORD, _number(number, digits[1], MAX_32).to_bytes(4, "little"))
    elif (bytes_of := _HEX.fullmatch(text)) is not None:
        data = bytes(_number(number, word, 0xFF) for word in bytes_of[2].split(",") if word.strip())
        kind = _number(number, bytes_of[1] or "3", MAX_32)
        if is_old and kind in (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ):
            data = data.decode(_ANSI, "replace").encode("utf-16-le")
        registry.set(key, name, kind, data)
    else:
        raise RegFileError(number, f"unknown kind of value {text[:40]}")


def _number(line: int, text: str, most: int) -> int:
    found = number_in(text.strip(), HEXADECIMAL, most)
    if found is None:
        raise RegFileError(line, f"{text.strip()[:40]} is no hexadecimal number up to {most:x}")
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
