"""Calls that are refused: each fails with the error of its row and is counted. Calls that nobody knows are ENOSYS.

There is no other user. A call that is carried out for some arguments only raises `Refused` for the rest
(`calls/cloning.py`: threads with CLONE_PIDFD).
"""

from __future__ import annotations

from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NUMBERS

_REFUSED_BY_ERROR: dict[Errno, str] = {
    Errno.EPERM: (
        "mount umount2 chroot pivot_root reboot sethostname setdomainname settimeofday setgroups "
        "bpf init_module delete_module iopl ioperm setns userfaultfd"
    ),
}
REFUSED: dict[int, Errno] = {
    NUMBERS[name]: error for error, names in _REFUSED_BY_ERROR.items() for name in names.split()
}
