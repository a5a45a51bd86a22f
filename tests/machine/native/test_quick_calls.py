"""Calls that machine code answers come to the same as in Python, and nobody can tell them apart but by the time."""

from __future__ import annotations

import random
from pathlib import Path
from unittest import mock

import pytest
from carrier_worlds import NATIVE, Outcome, make_engine, run
from effort import often
from engines import need_machine_code

from hds.report.records import GuestOutput
from hds.session.session import Session
from machine.kernel.linux.names import NUMBERS
from machine.kernel.linux.quick import QUICK_CALLS
from machine.native import quick_calls
from vm.facts.limits import Limits

need_machine_code()

COMMANDS = {
    "no event": "",
    "counter": "!syscall script { .n++; }",
    "messages": '!syscall script { printf("%llx(%llx, %llx, %llx)", $context, @rdi, @rsi, @rdx); }\n'
    '!sysret script { printf(" = %lld\\n", @rax); }',
    "post": "!syscall stage post script { .n = .n * 3 + @rcx; }",
    "arguments written": "!syscall 0 script { .n++; if (.n % 3 == 0) { @rdx = 5; } }\n"
    "!sysret script { .m = .m + @rax; }",
    "watched memory": "!syscall 27 script { .n++; }\n!monitor w 7fffffffe010 7fffffffe02f script { .m++; }",
}
_DATA = 0x3000  # bytes of what is read into
_OPEN, _READ_WRITE_CREATE = NUMBERS["open"], 0o102


def _text(text: str) -> str:
    """Put a path below the buffers, and its address into rdi."""
    data = text.encode() + b"\0"
    words = [data[at : at + 8].ljust(8, b"\0") for at in range(0, len(data), 8)]
    steps = [
        f"mov rax, {int.from_bytes(word, 'little'):#x}; mov qword ptr [r15 - {0x100 - 8 * index}], rax"
        for index, word in enumerate(words)
    ]
    return "; ".join((*steps, "lea rdi, [r15 - 0x100]"))


def _call(name: str, *arguments: object) -> str:
    registers = ("rdi", "rsi", "rdx", "r10")
    steps = [f"mov {register}, {value}" for register, value in zip(registers, arguments, strict=False)]
    steps += [f"mov eax, {NUMBERS[name]}", "syscall", "imul rbx, rbx, 31", "add rbx, rax"]
    return "; ".join(steps)


def _open(path: str, flags: int) -> str:
    return f"{_text(path)}; mov esi, {flags}; mov edx, 0x1a4; mov eax, {_OPEN}; syscall; add rbx, rax"


def _random_call(generator: random.Random, of_host: bool) -> str:
    """One that machine code may answer, or one that changes what it knows; what the host tells `of_host` is random."""
    pick = generator.choice
    looks = "getppid" if of_host else pick(("fstat", "fstatfs"))
    descriptor = pick((3, 4, 5, 6, 3, 4, 5, 6, 7, 8, 63, 64, -1, 0xFFFF_FFFF_0000_0003))
    place = pick(("r15", "r14", "r13", "0", "-8", "0x7ffffffff000"))
    size = pick((0, 1, 7, 64, 100, 4096, 5000, 1 << 20, (1 << 20) + 1, -1))
    size = size if place not in ("r15", "r14") or size not in (1 << 20,) else 4097
    offset = pick((0, 1, 3, 99, 4095, 70_000, -1, 1 << 61, 1 << 62, (1 << 63) - 1))
    stream = pick((1, 2, 1, 2, 9))
    calls = (
        ("write", 4, place, size), (looks, descriptor, "r15"),
        ("write", 4, "r15", pick((1, 8, 64, 3000))), ("pwrite64", 4, "r14", pick((1, 600)), pick((0, 300, 4000))),
        ("write", stream, place, size), ("write", stream, "r14", pick((1, 8, 64))), ("write", stream, "r12", 8),
        ("pwrite64", stream, "r15", 8, offset), ("lseek", stream, 0, 1), ("dup2", pick((1, 2, 4)), 9),
        ("dup2", 9, pick((1, 2))), ("close", pick((9, 9, 1))), ("fcntl", stream, 4, pick((0, 0o2000))),
        ("read", descriptor, place, size), ("read", descriptor, "r15", pick((1, 8, 64))),
        ("pread64", descriptor, place, size, offset), ("write", descriptor, place, size),
        ("pwrite64", descriptor, "r15", pick((1, 100)), pick((0, 50, -1))),
        ("lseek", descriptor, offset, pick((0, 1, 2, 3, 9, 0x1_0000_0000))),
        ("lseek", descriptor, pick((0, 5, -3)), 1),
        ("futex", pick(("r15", "r14", "0", "-8")), pick((0x81, 0x81, 1, 0x8A, 0x83)), 1, 0),
        ("getpid",), ("gettid",), ("getuid",), ("geteuid",), ("getgid",), ("getegid",), ("getppid",),
        ("clock_gettime", pick((0, 1, 2, 5, 7, 77, 0x1_0000_0001)), place),
        ("gettimeofday", place, pick((0, 0, "r15"))),
        ("ftruncate", descriptor, pick((0, 10, 5000))), ("close", pick((7, 8))), ("dup", descriptor),
        ("fcntl", descriptor, 4, pick((0, 0o2000))), ("mmap_file",), ("unmap",),
    )  # fmt: skip
    call = pick(calls)
    if call[0] == "mmap_file":
        return f"mov r8, {descriptor}; xor r9d, r9d; mov r10d, 1; " + _call("mmap", 0, 4096, 3).replace(
            "imul rbx, rbx, 31", "mov r12, rax"
        )
    if call[0] == "unmap":
        return _call("munmap", "r12", 4096)
    return _call(*call)


def _guest(seed: int, calls: int, of_host: bool) -> str:
    """Opens files, makes calls three times over, and sums up what they have left."""
    generator = random.Random(seed)
    parts = [
        f"mov r15, rsp; and r15, -4096; sub r15, {2 * _DATA:#x}; lea r14, [r15 + 0xffd]; mov r13, rsp; and r13, -4096",
        _open("/dev/zero", 2), _open("/tmp/made", _READ_WRITE_CREATE), _open("/dev/null", 2), _open("/etc/given", 0),
        _open("/dev/full", 2),
        _call("write", 4, "rsp", 300), _call("lseek", 4, 0, 0), "mov ebp, 3", "again: nop",
        _call("read", 3, "r13", 64), *(_random_call(generator, of_host) for _ in range(calls)),
        "dec ebp; jnz again",
        f"mov rsi, r15; mov ecx, {_DATA:#x}; sum: movzx eax, byte ptr [rsi]; imul rbx, rbx, 7; add rbx, rax; inc rsi; "
        "dec ecx; jnz sum",
        "mov edi, 9; mov eax, 60; syscall",
    ]  # fmt: skip
    return "; ".join(parts)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What guests are shown."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "etc" / "given").write_bytes(bytes(range(256)) * 40)
    return tmp_path


def _of(carrier: str, guest: str, commands: str, root: Path | None, slow: int = 1) -> Outcome:
    with mock.patch("machine.native.process_hook.SLOW_CALLS", slow):
        return run(carrier, guest, commands, kernel="linux", root=root)


@pytest.mark.parametrize("name", COMMANDS)
def test_calls_come_to_the_same_as_in_python(name: str, root: Path) -> None:
    first = list(COMMANDS).index(name)
    for seed in range(first, first + often(1, 60)):
        for shown in (None, root):
            guest = _guest(seed, 40, shown is not None)
            (root / "tmp" / "made").unlink(missing_ok=True)
            expected = _of("portable", guest, COMMANDS[name], shown)
            assert expected.summary is not None
            for carrier in NATIVE if shown else ("native",):
                (root / "tmp" / "made").unlink(missing_ok=True)
                assert _of(carrier, guest, COMMANDS[name], shown) == expected, (seed, carrier, shown)


@pytest.mark.parametrize("cores", [1, 2])
def test_the_time_of_several_processes_is_the_same(cores: int) -> None:
    guests = [LOOP.replace("mov ebp, 100", f"mov ebp, {count}") for count in (15, 25, 10)]
    commands = (
        "!syscall e4 script { .n++; }\n!sysret script { if (.n % 10 == 0) { print(poi(@r15) + poi(@r15 + 8)); } }"
    )
    with mock.patch("machine.native.process_hook.SLOW_CALLS", 1):
        outcomes = [run(carrier, guests, commands, kernel="linux", cores=cores) for carrier in ("portable", *NATIVE)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert len(outcomes[0].lines) > 8


WRITES = (
    "lea r15, [rsp - 0x800]; lea r14, [rip]; mov ebp, 400; "
    "again: mov qword ptr [r15], rbp; " + _call("write", 1, "r15", 5) + "; " + _call("write", 2, "r14", 64) + "; "
    "mov rdx, rbp; shl rdx, 4; and rdx, 0x3ff; mov rsi, r15; mov edi, 1; mov eax, 1; syscall; "
    "dec ebp; jnz again; mov edi, 0; mov eax, 60; syscall"
)  # fmt: skip
WRITING = {
    "no event": "",
    "a message now and then": "!syscall script { .n++; if (.n % 7 == 0) { print(.n); } }",
    "collected": "!syscall imm no script { .n++; if (.n % 7 == 0) { print(.n); } }",
    "both": "!syscall script { .n++; if (.n % 9 == 0) { print(.n); } }\n"
    "!sysret imm no script { if (.n % 11 == 0) { print(@rax); } }",
    "behind a call": "!sysret script { .n++; if (.n % 10 < 2) { print(@rax); } }",
    "an error": "!syscall script { .n++; if (.n % 50 == 0) { print(poi(0)); } }",
}


@pytest.mark.parametrize("name", WRITING)
def test_what_guests_and_scripts_say_keeps_its_order(name: str) -> None:
    with mock.patch("machine.kernel.quick._KEPT_BYTES", 4096):
        outcomes = [_of(carrier, WRITES, WRITING[name], None) for carrier in ("portable", *NATIVE)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert sum(line[0] == "guest" for line in outcomes[0].lines) == 1200


def test_python_has_few_writes_to_standard_streams() -> None:
    engine = make_engine("native")
    session = Session(engine=engine, kernel="linux", prompt_messages=False)
    session.machine.load(WRITES.encode(), "asm", name="guest")
    session.execute("!syscall script { .n++; }")
    session.run(1_000_000)
    assert 60 < engine.callbacks["system call"] < 100  # type: ignore[attr-defined]  # of 1201, by the native engine


@pytest.mark.parametrize("prompt", [True, False])
def test_a_prompt_session_tells_of_output_before_the_guest_goes_on(prompt: bool) -> None:
    seen: list[int] = []
    session: Session

    class Reading:
        def report(self, record: object, /) -> None:
            if isinstance(record, GuestOutput):
                seen.append(session.machine.executed)

    session = Session(engine=make_engine("native"), kernel="linux", prompt_messages=prompt, reporter=Reading())
    session.machine.load(WRITES.encode(), "asm", name="guest")
    with mock.patch("machine.native.process_hook.SLOW_CALLS", 1):
        session.run(1_000_000)
    assert len(seen) == 1200
    assert (len(set(seen)) == 1200) == prompt


def test_a_reporter_that_fails_gets_the_rest_of_the_output_later() -> None:
    taken: list[bytes] = []
    guest = WRITES.replace("mov ebp, 400", "mov ebp, 60")

    class Failing:
        def report(self, record: object, /) -> None:
            if isinstance(record, GuestOutput):
                taken.append(record.data)
                if len(taken) == 150:
                    raise OSError

    session = Session(engine=make_engine("native"), kernel="linux", prompt_messages=False, reporter=Failing())
    session.machine.load(guest.encode(), "asm", name="guest")
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        session.run(1_000_000)
    session.run(1_000_000)
    expected = [line[2] for line in _of("portable", guest, "", None).lines]
    assert taken == expected


@pytest.mark.parametrize("stream", [1, 2])
def test_the_work_of_writes_ends_a_run_at_the_same_call(stream: int) -> None:
    guest = WRITES.replace("mov edi, 1;", f"mov edi, {stream};")
    limits = Limits(max_kernel_work=200_000)
    with mock.patch("machine.native.process_hook.SLOW_CALLS", 1):
        outcomes = [run(carrier, guest, "", kernel="linux", limits=limits) for carrier in ("portable", *NATIVE)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert 0 < outcomes[0].registers["rbp"] < 400


FILE_WRITES = "; ".join(
    (
        "lea r15, [rsp - 0x800]; mov qword ptr [r15], 3000; mov qword ptr [r15 + 8], 3000",
        _open("/tmp/made", _READ_WRITE_CREATE), "prepare: nop; mov ebp, 200", "again: nop",
        _call("write", 3, "r15", 16), _call("fstat", 3, "r15"), _call("write", 3, "r15", 144),
        _call("lseek", 3, -100, 1), _call("write", 3, "r15", 20), "dec ebp; jnz again",
        _call("lseek", 3, 0, 2), "mov edi, eax; mov eax, 60; syscall",
    )
)  # fmt: skip
LIMITED = {
    "nothing": (Limits(), ""),
    "work": (Limits(max_kernel_work=100_000), ""),
    "all bytes": (Limits(max_file_bytes=12_000), ""),
    "the size of a file": (Limits(), _call("setrlimit", 1, "r15")),
    "appending": (Limits(), _call("fcntl", 3, 4, 0o2000)),
}


@pytest.mark.parametrize("name", LIMITED)
def test_writes_to_files_of_memory_meet_the_same_limits(name: str) -> None:
    limits, prepare = LIMITED[name]
    guest = FILE_WRITES.replace("prepare: nop", f"prepare: nop; {prepare}")
    with mock.patch("machine.native.process_hook.SLOW_CALLS", 1):
        outcomes = [run(carrier, guest, "", kernel="linux", limits=limits) for carrier in ("portable", *NATIVE)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert (outcomes[0].registers["rbp"] > 0) == (name == "work")


def test_python_has_few_writes_to_files_of_memory() -> None:
    engine = make_engine("native")
    session = Session(engine=engine, kernel="linux")
    session.machine.load(FILE_WRITES.replace(_call("fstat", 3, "r15"), "nop").encode(), "asm", name="guest")
    session.run(1_000_000)
    assert 60 < engine.callbacks["system call"] < 110  # type: ignore[attr-defined]  # of 803, by the native engine


LOOP = "; ".join(
    (
        "lea r15, [rsp - 0x200]", _open("/dev/zero", 0), "mov ebp, 100", "again: nop", _call("read", 3, "r15", 64),
        _call("getpid"), _call("clock_gettime", 1, "r15"), "dec ebp; jnz again", "mov edi, 0; mov eax, 60; syscall",
    )
)  # fmt: skip


@pytest.mark.parametrize("name", ["no event", "messages"])
def test_python_has_only_the_first_of_many_calls(name: str) -> None:
    engine = make_engine("native")
    session = Session(engine=engine, kernel="linux")
    session.machine.load(LOOP.encode(), "asm", name="guest")
    session.execute(COMMANDS[name])
    session.run(1_000_000)
    assert 60 < engine.callbacks["system call"] < 80  # type: ignore[attr-defined]  # of 302, by the native engine


def test_the_work_of_calls_ends_a_run_at_the_same_call() -> None:
    outcomes = [_limited(carrier) for carrier in ("portable", *NATIVE)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert 0 < outcomes[0][0] < 100


def _limited(carrier: str) -> tuple[int, object]:
    with mock.patch("machine.native.process_hook.SLOW_CALLS", 1):
        outcome = run(carrier, LOOP, "", kernel="linux", limits=Limits(max_kernel_work=20_000))
    return outcome.registers["rbp"], outcome


def test_each_quick_call_is_one_that_linux_has() -> None:
    assert all(number in NUMBERS.values() for number in QUICK_CALLS)
    assert "call_0" in quick_calls.llvm_text(tuple(dict.fromkeys(QUICK_CALLS.values())))
