"""What a program asks for and does not get here, though Linux has it, is named in the last line of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_guests import build, busybox

from hds.cli.main import main

pytestmark = pytest.mark.programs

ASKED = {
    "renameat2": 'close(creat("/tmp/a", 0600)); syscall(SYS_renameat2, -100, "/tmp/a", -100, "/tmp/b", 4);',
    "futex": "static int word; syscall(SYS_futex, &word, 6, 0, 0, 0, 0);",
    "memfd_create": 'syscall(SYS_memfd_create, "m", 4);',
    "socket": "socket(AF_PACKET, SOCK_RAW, 0);",
    "unshare": "syscall(SYS_unshare, 0x10000000);",
    "io_uring_setup": "syscall(SYS_io_uring_setup, 1, 0);",
    "ioctl": "char row[40] = {0}; ioctl(socket(AF_INET, SOCK_STREAM, 0), 0x8946, row);",
    "setsockopt": 'setsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, 25, "lo", 3);',
    "fsetxattr": 'fsetxattr(creat("/tmp/a", 0600), "user.a", "x", 1, 0);',
    "3e7": "syscall(999);",
}
PROGRAM = """
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(void) { %s return 0; }
"""


@pytest.mark.parametrize("name", ASKED)
def test_what_is_refused_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = build(PROGRAM % ASKED[name], "glibc", tmp_path)
    assert main(["run", "-e", "!syscall fff script { .n++; }", str(program)]) == 0
    assert f"system calls that failed as unknown or refused: {name} x 1;" in capsys.readouterr().err


def test_what_linux_refuses_as_well_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = 'syscall(SYS_renameat2, -100, "/a", -100, "/b", 64); syscall(SYS_futex, 0, 99, 0, 0, 0, 0);'
    program = build(PROGRAM % wrong, "glibc", tmp_path)
    assert main(["run", "-e", "!syscall fff script { .n++; }", str(program)]) == 0
    assert "refused" not in capsys.readouterr().err


def test_files_of_the_system_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looks = """const char *names[] = {"/proc/net/snmp", "/proc/self/pagemap", "/proc/1/io", "/proc/sys/kernel/tainted",
        "/sys/class/dmi/id/product_name", "/sys/kernel/debug", "/proc/self/status", "/proc/xen",
        "/proc/self/nothing", "/sys/nothing"};
        for (int i = 0; i < 10; i++) open(names[i], O_RDONLY);"""
    program = build(PROGRAM % looks, "glibc", tmp_path)
    assert main(["run", "-e", "!syscall fff script { .n++; }", str(program)]) == 0
    named = "/proc/PID/pagemap, /proc/net/snmp, /proc/sys/kernel/tainted, /sys/class, /sys/kernel/debug;"
    assert f"not emulated: {named}" in capsys.readouterr().err


def test_ordinary_programs_look_for_nothing_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-e", "!syscall fff script { .n++; }", str(busybox()), "ps"]) == 0
    assert "not emulated" not in capsys.readouterr().err
