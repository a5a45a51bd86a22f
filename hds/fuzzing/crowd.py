"""Linux programs of several threads and processes that make any calls: no internal error, and twice the same.

A case is a text: what the program does, and what those do that it starts.

    start process 1                     block 1 is done by a new process; also `thread`, `vfork`, or flags of clone
    call futex @word 0 0 0              a call with its arguments
    old 4 1 @scratch 5                  a call of 32-bit x86 by its number: INT 0x80
    block 1
    call kill *last 9

Numbers are hexadecimal. `@NAME` is the address of a place in the program's memory, `*NAME` what stands there: `last`
has the result of the last call, `child` that of the last start, `pair` and `other` two descriptors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hds.fuzzing.carriers import Seen
from hds.fuzzing.choices import Choices
from hds.fuzzing.loaded import VALUES, numbers, run_differences, seen_run
from hds.fuzzing.templates import ELF_BASE, ELF_DATA, elf, words
from vm import Engine
from vm.facts.limits import Limits

_MOST_CALLS, _MOST_BLOCKS = 20, 4
_DATA = ELF_BASE + ELF_DATA
_PLACES = {
    "last": 0, "child": 8, "pair": 0x10, "other": 0x14, "word": 0x18, "time": 0x20, "twice": 0x30, "mask": 0x50,
    "action": 0x60, "filter": 0x80, "rules": 0x90, "queue": 0xC0, "path": 0xD0, "program": 0xE0, "zero": 0xF0,
    "vector": 0x100, "watched": 0x120, "event": 0x140, "head": 0x180, "attributes": 0x1A0, "scratch": 0x240,
}  # fmt: skip
_HANDLER = b"\xc3"
_RESTORER = b"\xb8\x0f\0\0\0\x0f\x05"
_CODE = ELF_BASE + 0x1000
_STARTS = ("process", "thread", "vfork", "50f00", "10f00", "11", "4111", "100", "80000911", "3d0f00", "0")
_THREAD, _FORK, _VFORK, _CLONE = 0x50F00, 57, 58, 56

# What programs do, besides any call with any arguments.
_USUAL = (
    "pipe2 @pair 0", "pipe2 @pair 800", "socketpair 1 1 0 @pair", "socketpair 1 5 0 @pair", "read *pair @scratch 10",
    "write *other @scratch 10", "write *other @scratch 20000", "close *pair", "close *other", "dup *pair",
    "futex @word 0 0 0", "futex @word 0 0 @time", "futex @word 80 0 0", "futex @word 1 1", "futex @word 81 7fffffff",
    "futex @word 3 1 1 @head 0", "futex @word 4 1 1 @head 0", "futex @word 9 0 @time 0 1", "futex @word 6 0 0",
    "futex @word 5 1 1 @head 4000001", "futex @child 0 *child 0",
    "set_robust_list @head 18", "set_tid_address @word", "gettid", "getpid", "sched_yield", "nanosleep @time 0",
    "clock_nanosleep 1 0 @time 0", "wait4 ffffffffffffffff @scratch 0 0", "wait4 *child @scratch 0 0",
    "wait4 ffffffffffffffff @scratch 40000001 0", "wait4 ffffffffffffffff @scratch 2 0", "wait4 0 @scratch a 0",
    "waitid 0 0 @scratch 4 0", "waitid 1 *child @scratch 1000006 0", "waitid 3 *last @scratch 4 0",
    "pidfd_open *child 0", "pidfd_open *child 800", "pidfd_send_signal *last a 0 0", "pidfd_send_signal *last 9 0 0",
    "pidfd_getfd *last 0 0", "poll @watched 1 5", "poll @watched 1 ffffffff", "kill *child a", "kill *child 9",
    "kill *child 13", "kill *child 12", "kill 0 a", "kill ffffffffffffffff c", "tgkill *child *child a",
    "tkill *last e", "rt_sigqueueinfo *child 22 @scratch", "rt_sigaction a @action 0 8", "rt_sigaction b @action 0 8",
    "rt_sigaction e @action 0 8", "rt_sigaction 11 @action 0 8", "rt_sigaction 1f @action 0 8",
    "rt_sigprocmask 0 @mask 0 8", "rt_sigprocmask 1 @mask @scratch 8", "rt_sigpending @scratch 8",
    "rt_sigsuspend @zero 8", "rt_sigtimedwait @mask @scratch @time 8", "rt_sigtimedwait @mask 0 0 8", "pause",
    "sigaltstack @vector @scratch", "alarm 1", "setitimer 0 @twice 0", "setitimer 1 @twice 0",
    "timer_create 0 0 @scratch", "timer_settime 0 0 @twice 0", "timer_delete 0", "timerfd_create 1 0",
    "timerfd_settime *last 0 @twice 0", "signalfd4 ffffffffffffffff @mask 8 0", "read *last @scratch 80",
    "write *last @scratch 8", "eventfd2 1 0", "epoll_create1 0", "epoll_ctl *last 1 *pair @event",
    "epoll_wait *last @scratch 4 5", "ptrace 0 0 0 0", "ptrace 10 *child 0 0", "ptrace 4206 *child 0 0",
    "ptrace 4206 *child 0 1f", "ptrace 4207 *child 0 0", "ptrace 7 *child 0 0", "ptrace 9 *child 0 0",
    "ptrace 18 *child 0 0", "ptrace 18 *child 0 9", "ptrace 11 *child 0 0", "ptrace 8 *child 0 0",
    "ptrace c *child 0 @scratch", "ptrace d *child 0 @scratch", "ptrace 4 *child @scratch *last",
    "ptrace 2 *child @scratch @scratch", "ptrace 6 *child 80 *last", "ptrace 4200 *child 0 1f",
    "prctl 26 1 0 0 0", "prctl 16 1 0", "prctl 16 2 @filter", "prctl 1 a 0 0 0", "prctl 24 1 0 0 0",
    "seccomp 1 0 @filter", "seccomp 1 1 @filter", "seccomp 0 0 0", "seccomp 2 0 @word",
    "mq_open @queue 42 1b0 0", "mq_open @queue 842 1b0 @attributes", "mq_timedsend *last @scratch 8 1 @time",
    "mq_timedreceive *last @scratch 2000 0 @time", "mq_timedreceive *last @scratch 2000 0 0", "mq_notify *last 0",
    "mq_unlink @queue", "semget 0 2 3b0", "semop *last @scratch 1", "semtimedop 0 @scratch 1 @time",
    "shmget 0 2000 3b0",
    "shmat *last 0 0", "shmdt *last", "shmctl *last 0 0", "msgget 0 3b0", "msgsnd 0 @scratch 8 0",
    "msgrcv 0 @scratch 8 0 0",
    "mmap 0 2000 3 21 ffffffffffffffff 0", "mmap 0 2000 3 22 ffffffffffffffff 0", "munmap *last 1000",
    "mprotect *last 1000 1", "mremap *last 2000 4000 1 0", "madvise *last 1000 4", "brk 0",
    "openat ffffffffffffff9c @path 42 1b0", "flock *last 2", "fcntl *pair 7 @vector", "fcntl *pair 4 800",
    "inotify_init1 0", "inotify_add_watch *last @path fff",
    "vmsplice *other @vector 1 0", "mbind *last 1000 2 @word 40 0", "mincore *last 1000 @scratch",
    "splice *pair 0 *other 0 10 0", "tee *pair *other 10 0", "setpgid 0 0", "setsid", "getppid", "personality 40000",
    "process_vm_readv *child @vector 1 @vector 1 0", "kcmp *child *child 0 0 0", "execve @program @zero @zero",
    "exit 3",
    "exit_group 4", "clone3 @scratch 58", "membarrier 8 0 0", "rt_sigreturn",
    "tgkill *child *last 9", "sched_setscheduler 0 3 @zero", "prlimit64 *child 7 0 @scratch",
    "get_robust_list 0 @scratch @scratch",
)  # fmt: skip


def _data() -> bytes:
    """What the program's memory begins with."""
    rules = b"".join((
        (0x20).to_bytes(8, "little"),  # the number of the call; getpid is an error
        (0x15 | 1 << 24 | 39 << 32).to_bytes(8, "little"),
        (0x06 | 0x5_0001 << 32).to_bytes(8, "little"),
        (0x06 | 0x7FFF_0000 << 32).to_bytes(8, "little"),
    ))  # fmt: skip
    texts = {
        "time": words(0, 700), "twice": words(0, 0, 0, 900), "mask": words(0x2A00),
        "filter": words(4, _DATA + _PLACES["rules"]), "rules": rules, "queue": b"queue\0", "path": b"/tmp/file\0",
        "program": b"/prog\0", "vector": words(_DATA + _PLACES["scratch"], 0x40, 0x800),
        "watched": words(0x0005_0000_0003, 0x0005_0000_0004), "event": words(0x5, 7),
        "head": words(_DATA + _PLACES["head"], 0, 0), "attributes": words(0, 2, 16, 0),
        "scratch": words(1, 2, 3, 4),
    }  # fmt: skip
    data = bytearray(0x400)
    for name, value in texts.items():
        data[_PLACES[name] : _PLACES[name] + len(value)] = value
    return bytes(data)


def crowd(choices: Choices) -> str:
    """What several threads and processes do."""
    blocks = choices.between(1, _MOST_BLOCKS)
    names, left = list(numbers("linux")), _MOST_CALLS
    lines = []
    for number in range(blocks):
        if number:
            lines.append(f"block {number:x}")
        for _ in range(choices.between(1, max(1, left // (blocks - number)))):
            left -= 1
            lines.append(_line(choices, names, number, blocks))
        if choices.chance(60):
            lines.append("call wait4 ffffffffffffffff @scratch 0 0")
    return "\n".join((*lines, ""))


def _line(choices: Choices, names: list[str], number: int, blocks: int) -> str:
    match choices.weighted(((9, "usual"), (3, "start"), (2, "any"), (1, "changed"), (1, "old"))):
        case "usual":
            return "call " + choices.pick(_USUAL)
        case "start":
            return f"start {choices.pick(_STARTS)} {choices.between(min(number + 1, blocks - 1), blocks - 1):x}"
        case "changed":
            name, *arguments = choices.pick(_USUAL).split()
            if arguments:
                arguments[choices.below(len(arguments))] = _argument(choices)
            return " ".join(("call", name, *arguments))
        case "old":
            return " ".join((f"old {choices.below(0x1C8):x}", *(_argument(choices) for _ in range(choices.below(6)))))
        case _:
            return " ".join(("call", choices.pick(names), *(_argument(choices) for _ in range(choices.below(7)))))


def _argument(choices: Choices) -> str:
    kind = choices.weighted(((5, ""), (4, "@"), (2, "*")))
    return choices.pick(VALUES) if not kind else kind + choices.pick(list(_PLACES))


# --- the program

_NEW, _OLD = (7, 6, 2, 10, 8, 9), (3, 1, 2, 6, 7, 5)  # registers of arguments


def _into(register: int, text: str) -> bytes:
    """Code that puts an argument into a register."""
    low, high = register & 7, register >> 3
    if text[0] == "*":
        return bytes((0x48 | high << 2, 0x8B, 4 | low << 3, 0x25)) + (_DATA + _PLACES[text[1:]]).to_bytes(4, "little")
    value = _DATA + _PLACES[text[1:]] if text[0] == "@" else int(text, 16)
    if value < 1 << 32:
        return (b"\x41" if high else b"") + bytes((0xB8 | low,)) + value.to_bytes(4, "little")
    return bytes((0x48 | high, 0xB8 | low)) + value.to_bytes(8, "little")


def _kept(place: str) -> bytes:
    return b"\x48\x89\x04\x25" + (_DATA + _PLACES[place]).to_bytes(4, "little")


def _started(kind: str) -> bytes:
    """Code that starts somebody, who has 0 in rax then."""
    if kind in ("process", "vfork"):
        return b"\xb8" + (_FORK if kind == "process" else _VFORK).to_bytes(4, "little") + b"\x0f\x05"
    flags = _THREAD if kind == "thread" else int(kind, 16)
    stack = b"\x48\x8d\xb4\x24" + (-0x800).to_bytes(4, "little", signed=True)  # LEA RSI, [RSP-0x800]
    rest = b"".join(_into(register, "@word") for register in (2, 10)) + _into(8, "0")
    return _into(7, f"{flags:x}") + stack + rest + b"\xb8" + _CLONE.to_bytes(4, "little") + b"\x0f\x05"


def program_of(case: str) -> bytes:
    """The ELF file of a case."""
    handler = _CODE + 0x7F0
    code, starts, ways = bytearray(), dict[str, int](), list[tuple[int, str]]()
    known = numbers("linux")
    ending = b"\xbf\x07\0\0\0\xb8\x3c\0\0\0\x0f\x05\xcc"
    for line in case.splitlines():
        word, *rest = line.split()
        if word == "block":
            code += ending
            starts[rest[0]] = len(code)
        elif word == "start":
            code += _started(rest[0]) + b"\x85\xc0\x0f\x84\0\0\0\0" + _kept("child")
            ways.append((len(code) - 8, rest[1]))
        else:
            number = known[rest[0]] if word == "call" else int(rest[0], 16)
            for register, text in zip(_NEW if word == "call" else _OLD, rest[1:], strict=False):
                code += _into(register, text)
            code += b"\xb8" + number.to_bytes(4, "little") + (b"\x0f\x05" if word == "call" else b"\xcd\x80")
            code += _kept("last")
    code += ending
    for end, name in ways:  # the last one goes on behind the start
        code[end - 4 : end] = (starts.get(name, end) - end).to_bytes(4, "little", signed=True)
    code = code[: handler - _CODE].ljust(handler - _CODE, b"\xcc") + _HANDLER + _RESTORER
    data = bytearray(_data())
    action = words(handler, 0x1400_0000, handler + len(_HANDLER), 0)
    data[_PLACES["action"] : _PLACES["action"] + len(action)] = action
    return bytes(elf(bytes(code), is_fixed=True, data=bytes(data)).data)


def crowd_differs(case: str, *engines: Callable[[Limits], Engine]) -> str | None:
    """Where runs of a case on these engines differ; None where all are the same. Raises what is an internal error."""
    with tempfile.TemporaryDirectory(prefix="hds-") as folder:
        program = Path(folder) / "prog"
        program.write_bytes(program_of(case))
        program.chmod(0o755)
        seen: list[Seen | str] = [seen_run(Path(folder), program, _COMMANDS, engine) for engine in engines]
    return run_differences(seen)


_COMMANDS = ("!syscall script { .calls = .calls + 1; }", "!sysret pid all script { print(@rax); }")
