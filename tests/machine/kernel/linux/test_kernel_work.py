"""What system calls move and change is charged to `max_kernel_work`, and a call that moves much is done in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line, listing_file, session
from linux_guests import busybox

from hds.exit_codes import ExitCode
from hds.report.records import GuestOutput, Record
from hds.session.session import Session
from machine.kernel.linux import World
from machine.kernel.linux.names import NUMBERS
from machine.machine import StopCause
from machine.memory import PIECE
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGE_INDEX

MIB = 1 << 20
SMALL = Limits(max_kernel_work=4 * MIB, max_instructions=3_000_000, max_mappings=200)
_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_WRITABLE, _PRIVATE = 3, 0x22  # PROT_READ and PROT_WRITE; MAP_PRIVATE and MAP_ANONYMOUS


def call(name: str, *arguments: int | str) -> str:
    """The statements of a system call; an argument is a number or a register."""
    moves = [
        f"mov {register}, {value:#x}" if isinstance(value, int) else f"mov {register}, {value}"
        for register, value in zip(_REGISTERS, arguments, strict=False)
    ]
    return "; ".join((*moves, f"mov eax, {NUMBERS[name]:#x}", "syscall")) + "; "


def mapped(size: int, into: str = "rbx") -> str:
    """A mapping of so many bytes, whose address is in a register."""
    return call("mmap", 0, size, _WRITABLE, _PRIVATE, -1 & (1 << 64) - 1, 0) + f"mov {into}, rax; "


def touched(size: int) -> str:
    """Write to every page of what rbx points to."""
    return f"xor ecx, ecx; touch: mov byte ptr [rbx + rcx], 1; add rcx, 0x1000; cmp rcx, {size:#x}; jb touch; "


def opened(name: str, flags: int = 0o102, into: str = "r12") -> str:
    """A file by its path of less than eight bytes, made where it is missing."""
    text = int.from_bytes(name.encode(), "little")
    return f"mov rax, {text:#x}; push 0; push rax; " + call("open", "rsp", flags, 0o600) + f"mov {into}, rax; "


def forever(body: str) -> str:
    return f"again: {body}jmp again"


def filled(size: int) -> str:
    """An open file of so many bytes in r12."""
    return opened("/tmp/x") + call("ftruncate", "r12", size)


ENDLESS = {
    "mappings that alternate": "mov r15d, 1; "
    + forever(call("mmap", 0, 0x1000, "r15", _PRIVATE, -1 & (1 << 64) - 1, 0) + "xor r15d, 2; "),
    "mprotect of single pages": mapped(64 * MIB)
    + "mov r15, rbx; "
    + forever(call("mprotect", "r15", 0x1000, 1) + "add r15, 0x2000; "),
    "mprotect of much": mapped(8 * MIB)
    + touched(8 * MIB)
    + "mov r15d, 1; "
    + forever(call("mprotect", "rbx", 8 * MIB, "r15") + "xor r15d, 2; "),
    "madvise": mapped(2 * MIB) + forever(touched(2 * MIB) + call("madvise", "rbx", 2 * MIB, 4)),
    "munmap": forever(mapped(2 * MIB) + touched(2 * MIB) + call("munmap", "rbx", 2 * MIB)),
    "mremap": mapped(2 * MIB)
    + touched(2 * MIB)
    + "mov r14, 0x200000000000; "
    + forever(call("mremap", "rbx", 2 * MIB, 2 * MIB, 3, "r14") + "xchg rbx, r14; "),
    "pread64": mapped(32 * MIB)
    + opened("/tmp/x")
    + call("ftruncate", "r12", 32 * MIB)
    + forever(call("pread64", "r12", "rbx", 32 * MIB, 0)),
    "write to standard output": mapped(32 * MIB) + forever(call("write", 1, "rbx", 32 * MIB)),
    "writev": mapped(MIB) + "mov ecx, 0x3ff; fill: mov rax, rcx; shl rax, 4; mov [rbx + rax], rbx; "
    "mov qword ptr [rbx + rax + 8], 0x1000; dec ecx; jns fill; " + forever(call("writev", 1, "rbx", 0x400)),
    "readv of nothing": mapped(MIB) + opened("/tmp/x") + forever(call("readv", "r12", "rbx", 0x400)),
    "sendfile": filled(8 * MIB)
    + opened("/tmp/y", into="r13")
    + "push 0; mov r14, rsp; "
    + forever("mov qword ptr [r14], 0; " + call("sendfile", "r13", "r12", "r14", 8 * MIB)),
    "copy_file_range": filled(8 * MIB)
    + opened("/tmp/y", into="r13")
    + "push 0; mov r14, rsp; push 0; mov r15, rsp; "
    + forever(
        "mov qword ptr [r14], 0; mov qword ptr [r15], 0; "
        + call("copy_file_range", "r12", "r14", "r13", "r15", 8 * MIB, 0)
    ),
    "mmap of a file": filled(8 * MIB)
    + forever(call("mmap", 0, 8 * MIB, 1, 2, "r12", 0) + call("munmap", "rax", 8 * MIB)),
    "ftruncate": opened("/tmp/x") + forever(call("ftruncate", "r12", MIB) + call("ftruncate", "r12", 0)),
    "fallocate": filled(8 * MIB) + forever(call("fallocate", "r12", 3, 0, 8 * MIB)),
    "getrandom": mapped(8 * MIB) + forever(call("getrandom", "rbx", 8 * MIB, 0)),
    "getdents": mapped(0x1000)
    + opened("/", 0o200000)
    + forever(call("lseek", "r12", 0, 0) + call("getdents64", "r12", "rbx", 0x1000)),
    "poll": mapped(0x4000) + forever(call("poll", "rbx", 0x400, 0)),
    "mincore": mapped(0x20_0000) + forever(call("mincore", "rbx", 0x20_0000, "rsp")),
    "long paths": mapped(0x1000)
    + "mov ecx, 0xff0; slash: mov word ptr [rbx + rcx], 0x2e2f; sub ecx, 2; jns slash; "
    + forever(call("access", "rbx", 0)),
    "calls": forever(call("getpid")),
}


def after_run(listing: str, limits: Limits, world: World | None = None) -> tuple[Session, StopCause]:
    guest = session(listing, kernel="linux", limits=limits, world=world)[0]
    return guest, guest.run().cause


@pytest.mark.parametrize("case", ENDLESS)
def test_a_guest_that_asks_for_endless_work_ends_at_the_limit(case: str) -> None:
    guest, cause = after_run(ENDLESS[case], SMALL)
    assert cause is StopCause.KERNEL_WORK
    assert guest.process is not None
    assert guest.process.alive


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_command_line_names_the_limit(tmp_path: Path, engine: str) -> None:
    path = listing_file(tmp_path, ENDLESS["madvise"])
    options = ("--engine", engine, "--kernel", "linux", "--max-kernel-work", "4000000")
    ran = command_line("run", *options, "-e", "!syscall script { .n = .n + 1; }", path)
    assert ran.code == ExitCode.LIMIT
    assert ran.errors.splitlines()[-1].endswith("; stopped: limit max_kernel_work")


def test_each_run_has_its_own_limit() -> None:
    guest, cause = after_run(ENDLESS["calls"], SMALL)
    first = guest.instructions
    assert (cause, guest.run().cause) == (StopCause.KERNEL_WORK, StopCause.KERNEL_WORK)
    assert abs(guest.instructions - 2 * first) <= first // 10


@pytest.mark.parametrize(
    ("case", "before"),
    [
        ("pread64", 32 * MIB), ("write to standard output", 0), ("sendfile", 8 * MIB), ("copy_file_range", 8 * MIB),
        ("getrandom", 0),
    ],
)  # fmt: skip
def test_a_call_ends_within_a_piece_of_the_limit(case: str, before: int) -> None:
    """The call is shorter than the program asked for, as it may be; so much work was done before."""
    guest, cause = after_run(ENDLESS[case], Limits(max_kernel_work=before + 4 * MIB))
    assert cause is StopCause.KERNEL_WORK
    assert guest.process is not None
    assert 0 < guest.process.cpu.registers.read(STORAGE_INDEX["rax"]) <= 4 * MIB + PIECE


def test_a_call_that_moves_much_ends_when_the_run_is_to_end() -> None:
    sizes: list[int] = []

    class Stopping:
        def report(self, record: Record, /) -> None:
            if isinstance(record, GuestOutput):
                sizes.append(len(record.data))
                guest.machine.stop()

    listing = mapped(64 * MIB) + call("write", 1, "rbx", 64 * MIB)
    guest = Session(listing.encode(), kind="asm", kernel="linux", reporter=Stopping())
    assert guest.run().cause is StopCause.STOPPED
    assert sizes == [PIECE]


def test_a_mapping_of_a_file_is_whole_or_none() -> None:
    listing = filled(8 * MIB) + call("mmap", 0, 8 * MIB, 1, 2, "r12", 0)
    guest, cause = after_run(listing, Limits(max_kernel_work=10 * MIB))
    assert cause is StopCause.KERNEL_WORK
    assert guest.process is not None
    assert guest.process.cpu.registers.read(STORAGE_INDEX["rax"]) == (1 << 64) - 12  # ENOMEM


def test_a_reservation_costs_nothing() -> None:
    listing = call("mmap", 0, 1 << 36, 0, _PRIVATE, -1 & (1 << 64) - 1, 0) + call("munmap", "rax", 1 << 36)
    assert after_run(listing, SMALL)[1] is StopCause.END


def test_an_honest_program_meets_max_instructions_first() -> None:
    """Hardly any program makes more calls than one that copies single bytes; its start is not measured."""
    arguments = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=4000"]

    def run(limits: Limits) -> Session:
        guest = Session(busybox(), arguments=arguments, limits=limits)
        guest.run()
        return guest

    whole = run(DEFAULT_LIMITS)
    share = whole.instructions / DEFAULT_LIMITS.max_instructions
    limited = run(Limits(max_kernel_work=MIB + int(DEFAULT_LIMITS.max_kernel_work * share)))
    assert (limited.totals.last, limited.instructions) == (whole.totals.last, whole.instructions)
