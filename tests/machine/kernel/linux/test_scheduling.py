"""Calls about scheduling and capabilities: results as Linux 6.18 gives them to a user without privileges."""

from __future__ import annotations

import struct

import pytest
from linux_world import SCRATCH, Guest

from machine.kernel.linux.errors import Errno

SELF, NOBODY = 0, 99999
ONE, NONE = struct.pack("<Q", 1), bytes(8)
BEST_EFFORT = 2 << 13
V1, V3 = 0x1998_0330, 0x2008_0522

CASES = [
    ("sched_setaffinity", (SELF, 8, ONE), 0), ("sched_setaffinity", (SELF, 1, ONE), 0),
    ("sched_setaffinity", (SELF, 8, NONE), -Errno.EINVAL), ("sched_setaffinity", (SELF, 0, ONE), -Errno.EINVAL),
    ("sched_setaffinity", (SELF, 8, 0), -Errno.EFAULT), ("sched_setaffinity", (NOBODY, 8, ONE), -Errno.ESRCH),
    ("sched_setscheduler", (SELF, 0, bytes(4)), 0), ("sched_setscheduler", (SELF, 0, ONE), -Errno.EINVAL),
    ("sched_setscheduler", (SELF, 1, bytes(4)), -Errno.EINVAL), ("sched_setscheduler", (SELF, 1, ONE), -Errno.EPERM),
    ("sched_setscheduler", (SELF, 6, bytes(4)), -Errno.EINVAL), ("sched_setscheduler", (SELF, 0, 0), -Errno.EINVAL),
    ("sched_setscheduler", (-1, 0, bytes(4)), -Errno.EINVAL),
    ("sched_setscheduler", (NOBODY, 0, bytes(4)), -Errno.ESRCH),
    ("sched_rr_get_interval", (SELF, SCRATCH), 0), ("sched_rr_get_interval", (-1, SCRATCH), -Errno.EINVAL),
    ("sched_rr_get_interval", (SELF, 0), -Errno.EFAULT),
    ("ioprio_get", (0, 0), -Errno.EINVAL), ("ioprio_get", (1, 0), 0), ("ioprio_get", (2, 0), BEST_EFFORT | 4),
    ("ioprio_get", (1, NOBODY), -Errno.ESRCH), ("ioprio_set", (1, 0, BEST_EFFORT | 5), 0),
    ("ioprio_set", (1, 0, 1 << 13 | 1), -Errno.EPERM), ("ioprio_set", (1, 0, 7 << 13), -Errno.EINVAL),
    ("ioprio_set", (1, 0, 5), -Errno.EINVAL), ("ioprio_set", (1, 0, 3 << 13), 0),
    ("membarrier", (1, 0, 0), 0), ("membarrier", (8, 0, 0), -Errno.EPERM), ("membarrier", (16, 0, 0), 0),
    ("membarrier", (0, 1, 0), -Errno.EINVAL), ("membarrier", (3, 0, 0), -Errno.EINVAL),
    ("capget", (struct.pack("<Ii", V3, 0), SCRATCH), 0), ("capget", (struct.pack("<Ii", V1, 0), SCRATCH), 0),
    ("capget", (struct.pack("<Ii", 0, 0), SCRATCH), -Errno.EINVAL), ("capget", (struct.pack("<Ii", 0, 0), 0), 0),
    ("capget", (struct.pack("<Ii", V3, -1), SCRATCH), -Errno.EINVAL),
    ("capget", (struct.pack("<Ii", V3, NOBODY), SCRATCH), -Errno.ESRCH),
    ("capset", (struct.pack("<Ii", V3, 0), bytes(24)), 0),
    ("capset", (struct.pack("<Ii", V3, 0), b"\1".ljust(24, b"\0")), -Errno.EPERM),
    ("capset", (struct.pack("<Ii", V3, 1), bytes(24)), -Errno.EPERM),
    ("capset", (struct.pack("<Ii", 0, 0), bytes(24)), -Errno.EINVAL),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "result"), CASES)
def test_a_call(name: str, arguments: tuple[int | bytes, ...], result: int) -> None:
    assert Guest().call(name, *arguments) == result


def test_what_was_set_is_kept() -> None:
    guest = Guest()
    assert guest.call("ioprio_set", 1, 0, BEST_EFFORT | 5) == 0
    assert guest.call("ioprio_get", 1, 0) == BEST_EFFORT | 5
    assert (guest.call("membarrier", 16), guest.call("membarrier", 8), guest.call("membarrier", 512)) == (0, 0, 16)


def test_nobody_has_a_capability() -> None:
    guest = Guest(user=0)
    guest.cpu.memory.write(SCRATCH, b"\xff" * 32)
    assert guest.call("capget", struct.pack("<Ii", V3, 0), SCRATCH) == 0
    assert guest.memory(SCRATCH, 32) == bytes(24) + b"\xff" * 8
