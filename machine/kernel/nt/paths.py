"""Names of files as NT has them: \\??\\C:\\folder\\name, relative to an open directory, devices."""

from __future__ import annotations

from machine.kernel.nt.status import STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_PATH_NOT_FOUND, NtError

_PREFIXES = ("\\??\\", "\\dosdevices\\", "\\global??\\")
_WITH_NAMES = ("pipe\\", "mailslot\\", "nul\\")  # devices that are asked for what stands behind their own name


def components(name: str, start: tuple[str, ...] | None) -> tuple[str, ...] | str:
    """The names from the drive's root on, or the name of a device in small letters. Raises NtError."""
    if start is not None:
        return (*start, *filter(None, name.split("\\")))
    rest = name
    for prefix in _PREFIXES:
        if name.lower().startswith(prefix):
            rest = name[len(prefix) :]
            break
    else:
        if name.lower().startswith("\\systemroot"):
            return ("windows", *filter(None, name[len("\\systemroot") :].split("\\")))
        if name.lower().startswith("\\device\\harddiskvolume1"):
            return tuple(filter(None, name[len("\\device\\harddiskvolume1") :].split("\\")))
        if name.lower().startswith("\\device\\"):
            return name[len("\\device\\") :].lower()
        raise NtError(STATUS_OBJECT_NAME_INVALID if not name.startswith("\\") else STATUS_OBJECT_PATH_NOT_FOUND)
    if rest[1:2] == ":":
        if rest[:1].lower() != "c" or (len(rest) > 2 and rest[2] != "\\"):
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        return tuple(filter(None, rest[2:].split("\\")))
    device, _, below = rest.lower().partition("\\")
    if below and not f"{device}\\".startswith(_WITH_NAMES):
        raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
    return rest.lower()
