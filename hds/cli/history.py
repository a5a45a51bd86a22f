"""What was typed at the prompt, kept for the next session: a file of the user's, a JSON string a line, oldest first.

`HDS_HISTORY` names the file; empty, nothing is kept. Without it, it is `history` in the folder hds of XDG_STATE_HOME or
~/.local/state. It is opened without following a link, must be a regular file that belongs to the user, and is readable
by nobody else. Where that cannot be had there is no history, and no error.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 1 << 20  # of the file; the older half goes when it is more
_LONGEST = 1 << 16  # characters of a text that is kept


def read() -> list[str]:
    """The texts, oldest first."""
    with suppress(OSError):
        descriptor = _open(os.O_RDONLY)
        with open(descriptor, "rb") as file:
            return _texts(file.read(2 * MOST_BYTES))
    return []


def add(text: str) -> None:
    """Keep one more text, if that can be done. Consoles at the same time do not mix theirs."""
    if len(text) > _LONGEST:
        return
    line = json.dumps(text).encode() + b"\n"
    with suppress(OSError):
        descriptor = _open(os.O_RDWR | os.O_APPEND | os.O_CREAT)
        with open(descriptor, "r+b", buffering=0) as file:
            if os.fstat(descriptor).st_size + len(line) > MOST_BYTES:
                texts = _texts(file.read(2 * MOST_BYTES))
                kept = b"".join(json.dumps(each).encode() + b"\n" for each in texts[len(texts) // 2 :])
                file.truncate(0)
                line = kept[-MOST_BYTES // 2 :] + line  # a line that is cut is passed over
            file.write(line)


def _texts(data: bytes) -> list[str]:
    texts = []
    for line in data.splitlines():
        with suppress(ValueError):  # a line of somebody else's, or one that was not written to its end
            text = json.loads(line)
            if isinstance(text, str):
                texts.append(text)
    return texts


def _open(flags: int) -> int:
    """The descriptor of the file. Raises OSError."""
    path = _path()
    if path is None:
        raise FileNotFoundError
    if flags & os.O_CREAT:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(path)
    if status.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)
    return descriptor


def _path() -> Path | None:
    named = os.environ.get("HDS_HISTORY")
    if named is not None:
        return Path(named) if named else None
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):  # the specification says that others are to be ignored
        home = os.path.expanduser("~/.local/state")
    return Path(home, "hds", "history") if os.path.isabs(home) else None
