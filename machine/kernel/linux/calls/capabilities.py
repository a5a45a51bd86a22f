"""capget and capset: nobody has a capability here, whoever the user is."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import Task

_PREFERRED = 0x2008_0522
_ROWS = {0x1998_0330: 1, 0x2007_1026: 2, _PREFERRED: 2}  # of three words, by version
_ROW_WORDS = 3


def _header(task: Task, address: int) -> tuple[int, int]:
    """How many rows there are, and the process. Raises EINVAL; the version that is understood is told then."""
    version, process = task.space.load_words(address, "Ii")
    if version not in _ROWS:
        task.space.store_words(address, "I", _PREFERRED)
        raise LinuxError(Errno.EINVAL)
    return _ROWS[version], process


@call("capget")
def capget(task: Task, header: Address, data: Address) -> int:
    """capget(2)"""
    try:
        rows, process = _header(task, header)
    except LinuxError as error:
        if error.number is Errno.EINVAL and not data:
            return 0
        raise
    if not data:
        return 0
    if process < 0:
        raise LinuxError(Errno.EINVAL)
    if process not in (0, task.process.pid) and process not in task.threads.tasks:
        raise LinuxError(Errno.ESRCH)
    task.space.store(data, bytes(4 * _ROW_WORDS * rows))
    return 0


@call("capset")
def capset(task: Task, header: Address, data: Address) -> int:
    """capset(2): none can be added."""
    rows, process = _header(task, header)
    if process not in (0, task.tid):
        raise LinuxError(Errno.EPERM)
    if any(task.space.load(data, 4 * _ROW_WORDS * rows)):
        raise LinuxError(Errno.EPERM)
    return 0
