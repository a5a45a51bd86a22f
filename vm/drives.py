"""Paths as commands and scripts write them: those of Windows, whose drives are folders here, and those of the host.

`c:\\...` (any letter, either slash; `c:x` is `c:\\x`) and `\\\\server\\share\\...` are looked up in the folder that
`--drive` gives for them: upper and lower case are one where no name is spelled exactly so, and neither `..` nor a link
leads out of it. In every other path a backslash separates folders, as a slash does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vm.files import FileRefused, reason
from vm.patterns import late_pattern

# `\\?\` in front of a drive, and `\\?\UNC` in front of a server, only switch the parsing of paths off. Scripts write
# every backslash twice, if they like.
_DRIVE = late_pattern(r"(?:\\{2,}\?\\+)?([A-Za-z]:)")
_SHARE = late_pattern(r"\\{2,}(?:\?\\+[Uu][Nn][Cc]\\+)?([^\\/]+)[\\/]+([^\\/]+)")
_SEPARATOR = late_pattern(r"[\\/]+")


class DriveRefused(FileRefused):
    """A path of Windows for which no folder stands, or that leads out of it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, message, hint)


class Drives(msgspec.Struct, frozen=True):
    """The folders that stand for drives, by `c:` or `\\\\server\\share` in lower case."""

    folders: Mapping[str, Path] = msgspec.field(default_factory=dict)

    def locate(self, text: str, folder: Path = Path()) -> Path:
        """The file that a path means; a relative one is meant from `folder`. It need not exist. Raises DriveRefused."""
        drive, rest = _split(text)
        if drive is None:
            if text.startswith("\\"):
                raise DriveRefused(
                    f"'{text}' is a path of Windows without a drive", "write the drive: c:\\..., and give --drive c=DIR"
                )
            return folder / text.replace("\\", "/")
        base = self.folders.get(drive)
        if base is None:
            raise DriveRefused(
                f"'{text}' is a path of Windows", f"--drive {drive.removesuffix(':')}=DIR says where it is"
            )
        try:
            root = os.path.realpath(base)
            found = os.path.realpath(_look_up(root, _plain_names(text, rest)))
        except (OSError, ValueError) as error:
            raise DriveRefused(f"cannot look up '{text}' in {base}: {reason(error)}") from None
        if os.path.commonpath((root, found)) != root:
            raise DriveRefused(f"'{text}' leads out of the folder {base} by a link")
        return Path(found)


NO_DRIVES = Drives()


def read_drives(texts: list[str]) -> Drives:
    """The drives that `--drive c=DIR` gives. Raises ValueError that says what is wrong with one."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        drive, rest = _split(name if len(name) != 1 else f"{name}:")
        if drive is None or rest or not equals or not folder:
            raise ValueError(f"--drive {text}: expected c=DIR or \\\\server\\share=DIR")
        if not os.path.isdir(folder):
            raise ValueError(f"--drive {text}: {folder} is no folder")
        folders[drive] = Path(folder)
    return Drives(folders)


def _split(text: str) -> tuple[str | None, str]:
    """The drive of a path of Windows, as in `Drives.folders`, and what follows it; None for any other path."""
    match = _DRIVE.match(text)
    if match is not None:
        return match[1].lower(), text[match.end() :]
    match = _SHARE.match(text)
    if match is not None:
        return f"\\\\{match[1]}\\{match[2]}".lower(), text[match.end() :]
    return None, text


def _plain_names(text: str, rest: str) -> list[str]:
    """The names behind the drive without `.` and `..`. Raises DriveRefused when they lead above it."""
    names: list[str] = []
    for name in _SEPARATOR.split(rest):
        if name == ".." and not names:
            raise DriveRefused(f"'{text}' leads out of its drive by '..'")
        if name == "..":
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return names


def _look_up(folder: str, names: list[str]) -> str:
    """The path of these names, each as it is spelled on the host. Raises OSError when several differ in case only."""
    for name in names:
        if not os.path.lexists(os.path.join(folder, name)) and os.path.isdir(folder):
            alike = sorted(row for row in os.listdir(folder) if row.lower() == name.lower())
            if len(alike) > 1:
                raise OSError(f"'{name}' may be any of {', '.join(alike)}")
            name = alike[0] if alike else name
        folder = os.path.join(folder, name)
    return folder
