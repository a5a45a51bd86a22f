"""What single system calls do, but for those on files: results and error numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from linux_world import (
    O_CREAT,
    O_RDWR,
    SCRATCH,
    Guest,
)
from msgspec.structs import replace

from machine.kernel.linux.calls import CALLS, HOMES
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NAMES, NUMBERS
from machine.kernel.linux.refused import REFUSED
from machine.loaders.initial_stack import STACK_TOP
from machine.memory import PAGE
from vm.facts.limits import DEFAULT_LIMITS

UNMAPPED = 0x5000_0000


# --- the table


def test_numbers_are_those_of_linux() -> None:
    known = {
        "read": 0,
        "mmap": 9,
        "exit": 60,
        "openat": 257,
        "statx": 332,
        "rseq": 334,
        "clone3": 435,
        "faccessat2": 439,
    }
    assert {name: NUMBERS[name] for name in known} == known
    assert len(NAMES) == len(NUMBERS)


@pytest.mark.parametrize("family", sorted({*HOMES.values()}))
def test_the_table_of_families_names_the_calls_of_each(family: str) -> None:
    carried_out = {call.number for call in CALLS.values() if call.answer.__module__.rpartition(".")[2] == family}
    assert carried_out == {number for number, home in HOMES.items() if home == family}


def test_every_call_has_a_family() -> None:
    assert CALLS.keys() == HOMES.keys()


def test_every_call_stands_once_in_the_table() -> None:
    assert {number: call.name for number, call in CALLS.items()}.items() <= NAMES.items()
    with pytest.raises(ValueError, match="openat is carried out twice"):
        CALLS.call("openat")(lambda task: 0)
    assert not CALLS.keys() & REFUSED.keys()


def test_the_signature_of_a_call_is_its_argument_table() -> None:
    kinds = [argument.doc for argument in CALLS[NUMBERS["openat"]].arguments]
    assert kinds == [
        "a signed integer of 32 bits", "the address of a text that ends with a zero",
        "an unsigned integer of 32 bits", "an unsigned integer of 32 bits",
    ]  # fmt: skip
    assert all(len(call.arguments) <= 6 for call in CALLS.values())


def test_an_unknown_call_is_enosys_and_counted() -> None:
    guest = Guest()
    assert guest.call("io_uring_setup") == -Errno.ENOSYS
    assert guest.kernel.unknown_calls == {NUMBERS["io_uring_setup"]: 1}


@pytest.mark.parametrize(
    ("name", "error"),
    [("socket", Errno.EAFNOSUPPORT),
     ("mount", Errno.EPERM), ("chroot", Errno.EPERM)],
)  # fmt: skip
def test_what_is_refused_fails_as_on_linux_and_is_counted(name: str, error: Errno) -> None:
    guest = Guest()
    assert guest.call(name) == -error
    assert guest.kernel.unknown_calls == {NUMBERS[name]: 1}


# --- memory


def test_only_pages_of_one_mapping_grow_or_move() -> None:
    guest = Guest()
    address = guest.call("mmap", 0, 2 * PAGE, 3, 0x22, -1, 0)
    guest.cpu.memory.write(address + PAGE, b"two")
    guest.call("mprotect", address, PAGE, 1)
    assert guest.call("mremap", address, 2 * PAGE, 64 * PAGE, 1) == -Errno.EFAULT
    guest.call("mprotect", address, PAGE, 3)
    moved = guest.call("mremap", address, 2 * PAGE, 64 * PAGE, 1)
    assert guest.memory(moved + PAGE, 3) == b"two"
    assert guest.call("mremap", moved, PAGE, PAGE, 3, moved) == -Errno.EINVAL


def test_mappings_are_placed_cut_and_removed() -> None:
    guest = Guest(stdin=b"text")
    address = guest.call("mmap", 0, 4 * PAGE, 3, 0x22, -1, 0)
    guest.cpu.memory.write(address, b"first")
    guest.cpu.memory.write(address + 3 * PAGE, b"last")
    assert guest.call("munmap", address + PAGE, PAGE) == 0
    assert guest.cpu.memory.read(address + PAGE, 1) is None
    assert (guest.memory(address, 5), guest.memory(address + 3 * PAGE, 4)) == (b"first", b"last")
    assert guest.call("mprotect", address + 3 * PAGE, PAGE, 1) == 0
    assert guest.call("read", 0, address + 3 * PAGE, 1) == -Errno.EFAULT
    assert guest.call("mprotect", address, 4 * PAGE, 1) == -Errno.ENOMEM
    assert guest.call("mmap", 0, 0, 3, 0x22, -1, 0) == -Errno.EINVAL


def test_the_heap_grows_and_shrinks() -> None:
    guest = Guest()
    start = guest.call("brk", 0)
    assert guest.call("brk", start + 100) == start + 100
    guest.cpu.memory.write(start, b"x" * 100)
    assert guest.call("brk", start + 0x10_0000) == start + 0x10_0000
    assert guest.memory(start, 3) == b"xxx"
    assert guest.call("brk", start) == start
    assert guest.cpu.memory.read(start, 1) is None


def test_a_moved_mapping_keeps_its_content() -> None:
    guest = Guest()
    _above, address = (guest.call("mmap", 0, PAGE, 3, 0x22, -1, 0) for _ in range(2))
    guest.cpu.memory.write(address, b"content")
    moved = guest.call("mremap", address, PAGE, 16 * PAGE, 1)
    assert (moved != address, guest.memory(moved, 7)) == (True, b"content")


def test_a_file_that_is_mapped_private_is_a_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes of the file")
    guest = Guest(tmp_path)
    descriptor = guest.open("/file")
    address = guest.call("mmap", 0, 100, 3, 2, descriptor, 0)
    assert guest.memory(address, 5) == b"bytes"
    assert guest.call("mmap", 0, 100, 3, 1, descriptor, 0) == -Errno.EACCES


def test_a_file_that_is_mapped_shared_is_read_and_written_by_its_mappings() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/new", O_RDWR | O_CREAT)
    guest.call("write", descriptor, b"bytes of the file", 17)
    first, second = (guest.call("mmap", 0, 100, 3, 1, descriptor, 0) for _ in range(2))
    guest.cpu.memory.write(first, b"BYTES")
    assert guest.memory(second, 8) == guest.contents("/tmp/new")[:8] == b"BYTES of"  # type: ignore[index]
    guest.call("pwrite64", descriptor, b"that", 4, 6)
    assert guest.memory(first, 10) == b"BYTES that"
    guest.call("munmap", first, 100)
    guest.call("munmap", second, 100)
    assert guest.contents("/tmp/new") == b"BYTES thathe file"


def test_pages_behind_the_end_of_a_mapped_file_are_not_there() -> None:
    guest = Guest()
    descriptor = guest.open("/tmp/new", O_RDWR | O_CREAT)
    guest.call("ftruncate", descriptor, PAGE + 1)
    address = guest.call("mmap", 0, 3 * PAGE, 3, 1, descriptor, 0)
    assert guest.memory(address, 2 * PAGE) == bytes(2 * PAGE)
    assert guest.call("write", 1, address + 2 * PAGE, 1) == -Errno.EFAULT
    guest.call("ftruncate", descriptor, PAGE)
    assert guest.cpu.memory.read(address + PAGE, 1) is None


def test_memory_beyond_the_quota_is_enomem() -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_guest_memory=1 << 22))
    assert guest.call("mmap", 0, 1 << 23, 3, 0x22, -1, 0) == -Errno.ENOMEM
    start = guest.call("brk", 0)
    assert guest.call("brk", start + (1 << 23)) == start


@pytest.mark.parametrize("address", [0, UNMAPPED, 1 << 63, STACK_TOP])
def test_a_bad_address_is_efault(address: int) -> None:
    guest = Guest(stdin=b"text")
    for call in (("read", 0, address, 4), ("write", 1, address, 4), ("uname", address), ("open", address, 0)):
        assert guest.call(*call) == -Errno.EFAULT, call


# --- the process, time, signals


def test_time_is_virtual_and_sleeping_lets_it_pass() -> None:
    guest = Guest()
    guest.ticks = 5_000_000_000
    guest.call("clock_gettime", 1, SCRATCH)
    assert struct.unpack("<qq", guest.memory(SCRATCH, 16)) == (5, 0)
    assert guest.call("nanosleep", struct.pack("<qq", 3, 0), 0) == 0
    guest.call("clock_gettime", 1, SCRATCH)
    assert struct.unpack("<qq", guest.memory(SCRATCH, 16)) == (8, 0)


def test_random_numbers_are_those_of_the_seed() -> None:
    guests = Guest(), Guest()
    assert [guest.call("getrandom", SCRATCH, 16, 0) for guest in guests] == [16, 16]
    assert guests[0].memory(SCRATCH, 16) == guests[1].memory(SCRATCH, 16) != bytes(16)


def test_exit_codes_are_eight_bits_and_signals_add_128() -> None:
    guest, other = Guest(), Guest()
    guest.call("exit_group", 0x1FF)
    other.call("kill", 0x1000, 6)
    assert (guest.process.exit_code, other.process.exit_code) == (0xFF, 128 + 6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("futex", (bytes(4), 0, 0, 0)), ("pause", ()), ("poll", (0, 0, -1)), ("select", (0, 0, 0, 0, 0)),
     ("rt_sigtimedwait", (bytes(8), 0, 0, 8)), ("rt_sigsuspend", (bytes(8), 8))],
)  # fmt: skip
def test_a_wait_that_nobody_ends_suspends_the_thread(name: str, arguments: tuple[int | bytes, ...]) -> None:
    guest = Guest()
    guest.call(name, *arguments)
    waiting = guest.process.thread.waiting
    assert waiting is not None
    assert (waiting.deadline, waiting.until()) == (None, False)


def test_a_read_that_waits_is_made_again_when_there_is_something() -> None:
    guest = Guest()
    guest.call("pipe", SCRATCH)
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    guest.call("read", reading, SCRATCH, 8)
    waiting, guest.process.thread.waiting = guest.process.thread.waiting, None
    assert waiting is not None
    guest.files.file(writing).write(b"abc")
    assert waiting.is_over(0)
    waiting.go_on(False)
    assert (guest.result, guest.memory(SCRATCH, 3)) == (3, b"abc")


def test_a_large_write_waits_until_all_of_it_is_taken() -> None:
    guest = Guest()
    guest.call("pipe", SCRATCH)
    reading, writing = struct.unpack("<ii", guest.memory(SCRATCH, 8))
    guest.call("write", writing, SCRATCH, 70_000)
    waiting, guest.process.thread.waiting = guest.process.thread.waiting, None
    assert waiting is not None
    assert not waiting.until()
    assert len(guest.files.file(reading).read(100_000)) == 65_536
    waiting.go_on(False)
    assert (guest.result, len(guest.files.file(reading).read(100_000))) == (70_000, 70_000 - 65_536)


def test_a_wait_with_a_deadline_lets_time_pass_at_once_where_nobody_else_is() -> None:
    guest = Guest()
    began = guest.clock.elapsed()
    assert guest.call("nanosleep", struct.pack("<qq", 1, 5), 0) == 0
    assert guest.clock.elapsed() - began == 1_000_000_005
    assert guest.call("futex", bytes(4), 0, 0, struct.pack("<qq", 0, 7)) == -Errno.ETIMEDOUT
    assert guest.call("poll", 0, 0, 2) == 0
    assert guest.clock.elapsed() - began == 1_002_000_012


def test_what_does_not_wait_says_so() -> None:
    guest = Guest()
    word = bytes(4)
    assert guest.call("futex", word, 0, 1, 0) == -Errno.EAGAIN
    assert guest.call("futex", word, 1, 1) == 0
    assert guest.call("wait4", -1, 0, 0, 0) == -Errno.ECHILD


def test_a_blocked_signal_is_pending_until_it_is_let_through() -> None:
    guest = Guest()
    usr1 = struct.pack("<Q", 1 << 9)
    guest.call("rt_sigprocmask", 0, usr1, 0, 8)
    assert guest.call("kill", 0x1000, 10) == 0
    guest.call("rt_sigpending", SCRATCH, 8)
    assert (guest.memory(SCRATCH, 8), guest.process.exit_code) == (usr1, None)
    guest.call("rt_sigprocmask", 1, usr1, 0, 8)
    assert guest.process.exit_code == 128 + 10


def test_a_pending_signal_can_be_waited_for() -> None:
    guest = Guest()
    usr1 = struct.pack("<Q", 1 << 9)
    guest.call("rt_sigprocmask", 0, usr1, 0, 8)
    guest.call("kill", 0x1000, 10)
    assert guest.call("rt_sigtimedwait", usr1, SCRATCH, 0, 8) == 10
    assert struct.unpack("<iii4xi", guest.memory(SCRATCH, 20)) == (10, 0, 0, 0x1000)
    assert guest.call("rt_sigtimedwait", usr1, 0, struct.pack("<qq", 0, 5), 8) == -Errno.EAGAIN


@pytest.mark.parametrize(("address", "operation"), [(SCRATCH + 1, 0), (SCRATCH + 2, 1), (SCRATCH, 9), (SCRATCH, 10)])
def test_a_futex_is_an_aligned_word_and_a_set_of_waiters_is_not_empty(address: int, operation: int) -> None:
    assert Guest().call("futex", address, operation, 0, 0, 0, 0) == -Errno.EINVAL


def test_the_nice_value_is_kept() -> None:
    guest = Guest()
    assert guest.call("setpriority", 0, 0, 7) == 0
    assert guest.call("getpriority", 0, 0) == 13
    assert guest.call("setpriority", 0, 0, 0) == -Errno.EACCES


# --- anything at all

_WORDS = st.one_of(
    st.integers(0, 12),
    st.sampled_from([SCRATCH, SCRATCH + 0xFFF, UNMAPPED, 1 << 63, (1 << 64) - 1, (1 << 64) - 100, 0x1000]),
    st.integers(0, (1 << 64) - 1),
    st.sampled_from([b"/tmp/x\0", b"/proc/self/exe\0", b"..\0", bytes(64), b"\xff" * 64]),
)


@settings(max_examples=60)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(list(CALLS.values())), st.lists(_WORDS, min_size=6, max_size=6)), max_size=40
    )
)
def test_no_arguments_break_a_call(calls: list[tuple[object, list[int | bytes]]]) -> None:
    guest = Guest(limits=replace(DEFAULT_LIMITS, max_guest_memory=1 << 24, max_file_bytes=1 << 20), stdin=b"input")
    for row, arguments in calls:
        if guest.process.thread.ended:
            break
        if guest.cpu.memory.area_at(SCRATCH) is not None:
            guest.call(row.name, *arguments)  # type: ignore[attr-defined]


def test_the_memory_policy_is_the_default() -> None:
    guest = Guest()
    assert guest.call("get_mempolicy", SCRATCH, SCRATCH + 8, 64, 0, 4) == 0
    assert guest.memory(SCRATCH, 16) == bytes(8) + b"\1" + bytes(7)
    assert guest.call("get_mempolicy", 0, 0, 0, 0, 8) == -Errno.EINVAL


def test_nobody_has_capabilities_to_drop_or_memory_to_watch() -> None:
    guest = Guest()
    for option, value in ((24, 1), (28, 0), (47, 2)):  # PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_CAP_AMBIENT_RAISE
        assert guest.call("prctl", option, value, 0, 0, 0) == -Errno.EPERM
    assert guest.call("userfaultfd", 0) == -Errno.EPERM
    assert guest.call("mbind", SCRATCH & -4096, 4096, 0, 0, 0, 4) == -Errno.EPERM  # MPOL_MF_MOVE_ALL
