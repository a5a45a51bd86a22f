"""What single system calls on files do: results, error numbers, and limits."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from linux_world import (
    AT_FDCWD,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    SCRATCH,
    Guest,
)
from msgspec.structs import replace

from machine.kernel.linux.errors import Errno
from vm.facts.limits import DEFAULT_LIMITS

UNMAPPED = 0x5000_0000


def test_nothing_of_the_host_is_there_by_default() -> None:
    guest = Guest()
    assert guest.contents("/etc/passwd") == -Errno.ENOENT
    directory = guest.open("/", O_DIRECTORY)
    size = guest.call("getdents64", directory, SCRATCH, 4096)
    data = guest.memory(SCRATCH, size)
    names, at = set(), 0
    while at < size:
        length = struct.unpack_from("<H", data, at + 16)[0]
        names.add(data[at + 19 : at + length].split(b"\0")[0])
        at += length
    assert names == {b".", b"..", b"dev", b"proc", b"sys", b"tmp"}


def test_a_file_is_written_read_and_positioned() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT)
    assert (descriptor, guest.call("write", descriptor, b"0123456789", 10)) == (3, 10)
    assert guest.call("lseek", descriptor, -4, 2) == 6
    assert guest.read(descriptor) == b"6789"
    assert guest.read(descriptor) == b""
    assert guest.call("lseek", descriptor, 5, 0) == 5
    assert guest.call("lseek", descriptor, -6, 1) == -Errno.EINVAL


def test_append_writes_behind_the_end_and_truncate_empties() -> None:
    guest = Guest()
    guest.call("write", guest.open("/tmp/file", O_WRONLY | O_CREAT), b"one", 3)
    guest.call("write", guest.open("/tmp/file", O_WRONLY | O_APPEND), b"two", 3)
    assert guest.contents("/tmp/file") == b"onetwo"
    guest.open("/tmp/file", O_WRONLY | O_TRUNC)
    assert guest.contents("/tmp/file") == b""


def test_an_unlinked_file_lives_as_long_as_it_is_open() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT)
    guest.call("write", descriptor, b"data", 4)
    assert guest.call("unlink", "/tmp/file") == 0
    guest.call("lseek", descriptor, 0, 0)
    assert guest.read(descriptor) == b"data"
    assert guest.open("/tmp/file") == -Errno.ENOENT


@pytest.mark.parametrize(
    ("path", "flags", "error"),
    [("/none", 0, Errno.ENOENT), ("", 0, Errno.ENOENT), ("/tmp", O_WRONLY, Errno.EISDIR),
     ("/dev/null/x", 0, Errno.ENOTDIR), ("/dev/null", O_DIRECTORY, Errno.ENOTDIR),
     ("/tmp", O_CREAT | O_EXCL, Errno.EEXIST), ("/proc/self/exe", O_NOFOLLOW, Errno.ELOOP),
     ("/" + "x" * 256, 0, Errno.ENAMETOOLONG),
     ("/x" * 2100, 0, Errno.ENAMETOOLONG), ("/dev/new", O_CREAT, Errno.EACCES)],
)  # fmt: skip
def test_opening_fails_as_on_linux(path: str, flags: int, error: Errno) -> None:
    assert Guest().open(path, flags) == -error


def test_devices_give_what_they_are_named_for() -> None:
    guest, other = Guest(), Guest()
    assert guest.contents("/dev/null") == b""
    assert guest.read(guest.open("/dev/zero"), 4) == bytes(4)
    assert guest.call("write", guest.open("/dev/full", O_WRONLY), b"x", 1) == -Errno.ENOSPC
    noise = guest.read(guest.open("/dev/urandom"), 16)
    assert noise == other.read(other.open("/dev/urandom"), 16) != bytes(16)


def test_rename_replaces_and_directories_do_not_move_into_themselves() -> None:
    guest = Guest()
    guest.call("write", guest.open("/tmp/a", O_WRONLY | O_CREAT), b"a", 1)
    guest.open("/tmp/b", O_WRONLY | O_CREAT)
    assert guest.call("rename", "/tmp/a", "/tmp/b") == 0
    assert (guest.contents("/tmp/b"), guest.open("/tmp/a")) == (b"a", -Errno.ENOENT)
    guest.call("mkdir", "/tmp/d", 0o755)
    assert guest.call("rename", "/tmp/d", "/tmp/d/e") == -Errno.EINVAL
    assert guest.call("rename", "/tmp", "/other") == -Errno.EBUSY
    assert guest.call("rename", "/tmp/b", "/b") == -Errno.EXDEV


def test_links_are_followed_and_loops_are_found() -> None:
    guest = Guest()
    guest.call("write", guest.open("/tmp/a", O_WRONLY | O_CREAT), b"a", 1)
    guest.call("symlink", "a", "/tmp/b")
    guest.call("symlink", "/tmp/c", "/tmp/c")
    assert guest.contents("/tmp/b") == b"a"
    assert guest.open("/tmp/c") == -Errno.ELOOP
    assert guest.call("readlink", "/tmp/b", SCRATCH, 100) == 1
    assert guest.call("readlink", "/tmp/a", SCRATCH, 100) == -Errno.EINVAL


def test_a_hard_link_is_the_same_file() -> None:
    guest = Guest()
    guest.call("write", guest.open("/tmp/a", O_WRONLY | O_CREAT), b"a", 1)
    assert guest.call("link", "/tmp/a", "/tmp/b") == 0
    guest.call("unlink", "/tmp/a")
    assert guest.contents("/tmp/b") == b"a"


def test_output_goes_to_the_sink_and_nothing_is_a_terminal() -> None:
    guest = Guest()
    assert guest.call("write", 2, b"oops", 4) == 4
    assert guest.output == [(2, b"oops")]
    assert guest.call("ioctl", 1, 0x5401, SCRATCH) == -Errno.ENOTTY
    assert guest.call("lseek", 1, 0, 1) == -Errno.ESPIPE


def test_standard_input_is_empty_unless_given() -> None:
    assert Guest().read(0) == b""
    assert Guest(stdin=b"text").read(0) == b"text"


def test_a_pipe_carries_bytes_and_ends() -> None:
    guest = Guest()
    assert guest.call("pipe", SCRATCH) == 0
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    guest.call("write", writing, b"abc", 3)
    assert guest.read(reading, 2) == b"ab"
    guest.call("close", writing)
    assert (guest.read(reading), guest.read(reading)) == (b"c", b"")


def test_duplicates_share_a_position() -> None:
    guest = Guest(stdin=b"abcd")
    assert guest.call("dup2", 0, 9) == 9
    assert (guest.read(0, 2), guest.read(9, 2)) == (b"ab", b"cd")
    assert guest.call("dup", 7) == -Errno.EBADF


def test_positioned_writes_append_where_the_file_does() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT | O_APPEND)
    guest.call("write", descriptor, b"abc", 3)
    assert guest.call("pwrite64", descriptor, b"X", 1, 0) == 1
    assert guest.contents("/tmp/file") == b"abcX"


def test_reading_at_the_end_into_a_bad_address_is_no_error() -> None:
    guest = Guest(stdin=b"ab")
    assert guest.call("read", 0, UNMAPPED, 4) == -Errno.EFAULT
    assert guest.read(0) == b"ab"
    assert guest.call("read", 0, UNMAPPED, 4) == 0
    assert guest.call("read", 0, 1 << 63, 4) == -Errno.EFAULT


def test_what_a_device_swallows_takes_no_memory() -> None:
    guest = Guest()
    descriptor = guest.open("/dev/null", O_WRONLY)
    tracemalloc.start()
    assert guest.call("write", descriptor, UNMAPPED, 1 << 40) == 0x7FFF_F000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_pipe_tells_what_it_holds_and_what_it_takes() -> None:
    guest = Guest()
    guest.call("pipe2", SCRATCH, 0)
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    guest.call("write", writing, b"abc", 3)
    guest.call("write", writing, b"de", 2)
    assert guest.call("ioctl", reading, 0x541B, SCRATCH) == 0
    assert guest.memory(SCRATCH, 4) == b"\5\0\0\0"
    assert guest.call("fcntl", reading, 1032) == 65536
    assert guest.call("fcntl", reading, 1031, 5000) == 8192
    assert guest.read(reading, 100) == b"abcde"


def test_a_write_that_nobody_reads_ends_the_guest_by_a_signal() -> None:
    guest = Guest()
    guest.call("pipe2", SCRATCH, 0)
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    guest.call("close", reading)
    assert guest.call("write", writing, b"x", 1) == -Errno.EPIPE
    assert guest.process.exit_code == 128 + 13


def test_bytes_go_between_pipes_and_files() -> None:
    guest = Guest()
    guest.call("pipe2", SCRATCH, 0)
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT)
    guest.call("write", writing, b"spliced", 7)
    assert guest.call("splice", reading, 0, descriptor, 0, 100, 0) == 7
    assert guest.contents("/tmp/file") == b"spliced"
    assert guest.call("splice", descriptor, 0, descriptor, 0, 1, 0) == -Errno.EINVAL


def test_an_event_counter_counts() -> None:
    guest = Guest()
    descriptor = guest.call("eventfd2", 3, 0)
    guest.call("write", descriptor, struct.pack("<Q", 4), 8)
    assert guest.read(descriptor, 8) == struct.pack("<Q", 7)
    guest.call("fcntl", descriptor, 4, 0o4000)
    assert guest.read(descriptor, 8) == -Errno.EAGAIN


def test_files_of_memory_have_no_name_and_can_be_sealed() -> None:
    guest = Guest()
    descriptor = guest.call("memfd_create", "name", 2)
    assert guest.call("write", descriptor, b"abc", 3) == 3
    assert guest.call("fcntl", descriptor, 1033, 2 | 8) == 0
    assert guest.call("fcntl", descriptor, 1034) == 2 | 8
    assert guest.call("write", descriptor, b"abc", 3) == -Errno.EPERM
    assert guest.call("ftruncate", descriptor, 0) == -Errno.EPERM


def test_a_file_without_a_name_is_made_in_a_directory_and_frees_its_bytes() -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_file_bytes=100_000))
    for _ in range(3):
        descriptor = guest.open("/tmp", O_RDWR | O_DIRECTORY | 0o20000000)
        assert guest.call("ftruncate", descriptor, 90_000) == 0
        guest.call("close", descriptor)
    assert guest.open("/dev", O_RDWR | O_DIRECTORY | 0o20000000) == -Errno.EACCES


def test_holes_are_punched_within_the_size() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT)
    guest.call("write", descriptor, b"012345", 6)
    assert guest.call("fallocate", descriptor, 3, 4, 100) == 0
    assert guest.call("fallocate", descriptor, 1, 0, 100) == 0
    assert guest.contents("/tmp/file") == b"0123\0\0"
    assert guest.call("fallocate", descriptor, 2, 0, 1) == -Errno.EOPNOTSUPP


@pytest.mark.parametrize(
    ("call", "error"),
    [(("rmdir", "/tmp/d/.."), Errno.ENOTEMPTY), (("rmdir", "/tmp/d/."), Errno.EINVAL), (("rmdir", "/"), Errno.EBUSY),
     (("rename", "/tmp/d/.", "/tmp/x"), Errno.EBUSY), (("unlink", "/tmp/d/.."), Errno.EISDIR),
     (("mkdir", "/tmp/d/..", 0), Errno.EEXIST), (("open", "/tmp/x", 0o200100, 0), Errno.EINVAL),
     (("open", "/tmp/x/", 0o100, 0), Errno.EISDIR), (("open", "/tmp/x", 0), Errno.ENOENT)],
)  # fmt: skip
def test_the_end_of_a_path_is_looked_at_as_on_linux(call: tuple[str | int, ...], error: Errno) -> None:
    guest = Guest()
    guest.call("mkdir", "/tmp/d", 0o755)
    assert guest.call(*call) == -error  # type: ignore[arg-type]


def test_a_removed_directory_has_no_path() -> None:
    guest = Guest()
    guest.call("mkdir", "/tmp/d", 0o755)
    guest.call("chdir", "/tmp/d")
    assert guest.call("getcwd", SCRATCH, 100) == 7
    guest.call("rmdir", "/tmp/d")
    assert guest.call("getcwd", SCRATCH, 100) == guest.open("x", O_CREAT) == -Errno.ENOENT


@pytest.mark.parametrize(
    ("call", "result"),
    [(("pkey_alloc", 0, 0), -Errno.EINVAL), (("pkey_free", 0), -Errno.EINVAL),
     (("pkey_mprotect", SCRATCH, 0x1000, 3, 0), -Errno.EINVAL), (("pkey_mprotect", SCRATCH, 0x1000, 3, -1), 0)],
)  # fmt: skip
def test_a_processor_without_protection_keys_has_not_even_key_0(call: tuple[str | int, ...], result: int) -> None:
    assert Guest().call(*call) == result  # type: ignore[arg-type]


def test_a_directory_deeper_than_a_path_can_say_has_none() -> None:
    guest = Guest()
    guest.call("chdir", "/tmp")
    for _ in range(2045):
        guest.call("mkdir", "d", 0o755)
        guest.call("chdir", "d")
    assert guest.call("getcwd", SCRATCH, 0x4000) == 4095
    guest.call("mkdir", "d", 0o755)
    guest.call("chdir", "d")
    assert [guest.call("getcwd", SCRATCH, size) for size in (0x4000, 1)] == 2 * [-Errno.ENAMETOOLONG]


def test_a_reference_to_a_file_does_not_open_it() -> None:
    guest = Guest()
    guest.call("symlink", "target", "/tmp/link")
    guest.open("/tmp/file", O_CREAT)
    link, file = guest.open("/tmp/link", O_PATH | O_NOFOLLOW), guest.open("/tmp/file", O_PATH)
    assert guest.call("readlinkat", link, "", SCRATCH, 100) == 6
    assert guest.memory(SCRATCH, 6) == b"target"
    assert guest.call("readlinkat", file, "", SCRATCH, 100) == -Errno.ENOENT
    assert guest.call("fchmod", file, 0o600) == guest.read(file) == -Errno.EBADF


def how(flags: int, resolve: int) -> bytes:
    return struct.pack("<3Q", flags, 0, resolve)


@pytest.mark.parametrize(
    ("path", "resolve", "result"),
    [("file", 8, 5), ("../file", 8, -Errno.EXDEV), ("/file", 8, -Errno.EXDEV), ("/file", 16, 5), ("../file", 16, 5),
     ("link", 0, 5), ("link", 4, -Errno.ELOOP), ("file", 64, -Errno.EINVAL), ("file", 24, -Errno.EINVAL)],
)  # fmt: skip
def test_a_walk_can_be_confined(path: str, resolve: int, result: int) -> None:
    guest = Guest()
    guest.call("mkdir", "/tmp/d", 0o755)
    guest.open("/tmp/d/file", O_CREAT)
    guest.call("symlink", "file", "/tmp/d/link")
    directory = guest.open("/tmp/d", O_DIRECTORY)
    assert guest.call("openat2", directory, path, how(0, resolve), 24) == result


def test_a_walk_can_be_kept_on_its_file_system() -> None:
    guest = Guest()
    guest.open("/tmp/file", O_CREAT)
    directory = guest.open("/tmp", O_DIRECTORY)
    assert guest.call("openat2", AT_FDCWD, "/tmp/file", how(0, 1), 24) == -Errno.EXDEV
    assert guest.call("openat2", directory, "file", how(0, 1), 24) == 5


def test_entries_move_between_the_root_and_its_directories(tmp_path: Path) -> None:
    for guest in (Guest(), Guest(tmp_path, writable=True)):
        assert guest.call("mkdir", "/folder", 0o777) == 0
        assert guest.open("/file", O_WRONLY | O_CREAT) >= 0
        for call, old, new in (("rename", "/file", "/folder/file"), ("rename", "/folder/file", "/again"),
                               ("link", "/again", "/folder/linked"), ("link", "/folder/linked", "/third")):  # fmt: skip
            assert guest.call(call, old, new) == 0
        assert guest.contents("/third") == b""
        assert guest.call("rename", "/folder/linked", "/proc") == -Errno.EBUSY


def test_files_of_memory_belong_to_the_guests_user() -> None:
    """git refuses a repository of another user, for one."""
    guest = Guest(user=7)
    assert guest.call("mkdir", "/tmp/made", 0o700) == 0
    assert guest.call("stat", "/tmp/made", SCRATCH) == 0
    assert int.from_bytes(guest.memory(SCRATCH + 28, 4), "little") == 7  # st_uid


def test_times_of_a_path_behind_a_directory_are_set() -> None:
    guest = Guest()
    assert guest.open("/tmp/dated", O_WRONLY | O_CREAT) >= 0
    directory = guest.open("/tmp", O_DIRECTORY)
    assert guest.call("futimesat", directory, "dated", struct.pack("<4q", 7, 0, 9, 0)) == 0
    assert guest.call("stat", "/tmp/dated", SCRATCH) == 0
    assert struct.unpack("<q8xq", guest.memory(SCRATCH + 72, 24)) == (7, 9)


# --- limits


def test_open_files_are_limited() -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_open_files=5))
    assert [guest.open("/dev/null") for _ in range(3)] == [3, 4, -Errno.EMFILE]


def test_bytes_in_memory_are_limited_and_come_back() -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_file_bytes=100_000))
    descriptor = guest.open("/tmp/file", O_RDWR | O_CREAT)
    assert guest.call("ftruncate", descriptor, 1 << 40) == -Errno.ENOSPC
    assert guest.call("ftruncate", descriptor, 90_000) == 0
    assert guest.call("ftruncate", descriptor, 0) == 0
    assert guest.call("ftruncate", descriptor, 90_000) == 0


def test_names_are_charged_too() -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_file_bytes=20_000))
    results = {guest.call("mkdir", f"/tmp/{number}", 0o777) for number in range(100)}
    assert results == {0, -Errno.ENOSPC}


def test_files_of_a_writable_folder_are_limited(tmp_path: Path) -> None:
    guest = Guest(tmp_path, writable=True, limits=replace(DEFAULT_LIMITS, max_file_bytes=100_000))
    descriptor = guest.open("/file", O_RDWR | O_CREAT)
    assert guest.call("ftruncate", descriptor, 100_001) == -Errno.EFBIG
    assert guest.call("pwrite64", descriptor, b"x", 1, 100_000) == -Errno.EFBIG
