"""Programs that are loaded from damaged files, and make calls in any order: nothing but a LoadError, twice the same.

A case is a text: the system, then what is damaged, and the calls that the program makes.

    windows
    put user.dll export_0 80000000      a field by its name (hds.fuzzing.templates)
    flip ntdll.dll 95 3                 one bit: offset, number
    cut tool.exe 1f0                    what is left of a file
    call NtClose 4 0                    a call of the program, with its arguments

`@NAME` among the arguments is a place in the program's memory. Numbers are hexadecimal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from hds.fuzzing.carriers import Collecting, Seen, differences, outcome
from hds.fuzzing.choices import Choices
from hds.fuzzing.templates import (
    DATA,
    DLL_BASE,
    ELF_DATA,
    NTDLL_BASE,
    PROGRAM_BASE,
    TEXT,
    File,
    api_sets,
    elf,
    pe,
    words,
)
from hds.session import ScriptError, Session
from machine.kernel import DEFAULT_BUILD, World
from machine.kernel.linux import linux_calls
from machine.kernel.nt import nt_calls
from machine.loaders import LoadError
from vm import Engine
from vm.facts.limits import Limits

LIMITS = Limits(
    max_steps=300, max_instructions=20_000, quantum_instructions=64, max_processes=4, max_threads=4,
    max_guest_memory=1 << 25, max_handles=64, max_open_files=32, max_kernel_work=1 << 26,
)  # fmt: skip
_WINDOWS, _LINUX = "windows", "linux"
_SYSTEM = "Windows/System32/"
_THUNKS, _ENDS = 0xC00, 0xBC0  # in the code of ntdll
_MOST_CALLS, _CALLS_SIZE = 10, 0xB80
_API_SET, _HOST = "api-ms-win-core-work-l1-1-0", "user.dll"
_DLL_NAME = "\\??\\C:\\windows\\system32\\user.dll"
_PATHS = b"/lib/lib.so\0", b"/prog\0"
PLACES = {
    _WINDOWS: {"file": 0, "section": 8, "base": 0x10, "size": 0x18, "io": 0x20, "attributes": 0x40, "name": 0x80,
               "scratch": 0x200, "code": TEXT - DATA},
    _LINUX: {"path": 0, "program": 0x10, "zero": 0x20, "iovec": 0x30, "action": 0x50, "scratch": 0x200,
             "code": 0x1000 - ELF_DATA},
}  # fmt: skip
_LOADS = {
    _WINDOWS: (
        "call NtOpenFile @file 100021 @attributes @io 7 60",
        "call NtCreateSection @section d 0 0 10 1000000 *file",
        "call NtMapViewOfSection *section ffffffffffffffff @base 0 0 0 @size 1 0 4",
    ),
    _LINUX: (
        "call openat ffffffffffffff9c @path 0 0",
        "call mmap 0 3000 5 2 3 0",
        "call execve @program @zero @zero",
    ),
}
VALUES = (
    "0", "1", "2", "3", "4", "5", "8", "10", "20", "40", "80", "1000", "2000", "3000", "10000", "ffffffff", "7fffffff",
    "80000000", "ffffffffffffffff", "fffffffffffffffe", "7ffffffff000", "800000000000", "7fffffffffffffff", "100000000",
)  # fmt: skip
_COMMANDS = {
    _WINDOWS: ("!syscall script { .calls = .calls + 1; }", "!epthook user!Work script { print(1); }", "lm", "x user!*"),
    _LINUX: ("!syscall script { .calls = .calls + 1; }", "!epthook lib!work script { print(1); }", "lm", "x lib!*"),
}


# --- the program's calls


@cache
def numbers(system: str) -> dict[str, int]:
    """The calls that are carried out."""
    rows = nt_calls(DEFAULT_BUILD.number) if system == _WINDOWS else linux_calls()
    return {row.name: int(row.number, 16) for row in rows if row.error is None and " " not in row.number}


def _argument(text: str, place: int, data: int) -> bytes:
    """Code at a relative address that puts an argument into rax."""
    if text[0] in "@*":
        kind = b"\x48\x8d\x05" if text[0] == "@" else b"\x48\x8b\x05"
        return kind + (data - place - 7).to_bytes(4, "little", signed=True)
    return b"\x48\xb8" + int(text, 16).to_bytes(8, "little")


def calling(system: str, calls: list[list[str]], start: int, data: int) -> bytes:
    """Code at a relative address that makes these calls; data are at another."""
    is_windows = system == _WINDOWS
    moves = (  # from rax
        (b"\x49\x89\xc2", b"\x48\x89\xc2", b"\x49\x89\xc0", b"\x49\x89\xc1")
        if is_windows
        else (b"\x48\x89\xc7", b"\x48\x89\xc6", b"\x48\x89\xc2", b"\x49\x89\xc2", b"\x49\x89\xc0", b"\x49\x89\xc1")
    )
    code = b"\x48\x81\xec\x88\0\0\0" if is_windows else b""
    for name, *arguments in calls:
        for index, text in enumerate(arguments):
            place = data + PLACES[system].get(text[1:], 0)
            code += _argument(text, start + len(code), place)
            code += moves[index] if index < len(moves) else b"\x48\x89\x44\x24" + bytes([0x28 + 8 * (index - 4)])
        code += b"\xb8" + numbers(system)[name].to_bytes(4, "little") + b"\x0f\x05"
    last = ("NtTerminateProcess", "ffffffffffffffff", "7") if is_windows else ("exit_group", "7")
    return code if calls and calls[-1][0] == last[0] else code + _ending(system, *last)


def _ending(system: str, name: str, *arguments: str) -> bytes:
    code = b""
    for text, move in zip(
        arguments, (b"\x49\x89\xc2", b"\x48\x89\xc2") if system == _WINDOWS else (b"\x48\x89\xc7",), strict=True
    ):
        code += _argument(text, 0, 0) + move
    return code + b"\xb8" + numbers(system)[name].to_bytes(4, "little") + b"\x0f\x05\xcc"


# --- the files


def files(system: str, calls: list[list[str]]) -> dict[str, File]:
    """The undamaged files by their names; the program is the first."""
    return _windows_files(calls) if system == _WINDOWS else _linux_files(calls)


def _windows_files(calls: list[list[str]]) -> dict[str, File]:
    names = sorted({name for name, *_ in calls} | {"NtTerminateProcess"})
    code = bytearray(calling(_WINDOWS, calls, TEXT, DATA).ljust(_ENDS, b"\xcc")[:_ENDS])
    code += _ending(_WINDOWS, "NtTerminateProcess", "ffffffffffffffff", "9")
    code = code.ljust(_THUNKS, b"\xcc")
    exports: dict[str, int | str] = dict.fromkeys(
        ("KiUserApcDispatcher", "KiUserExceptionDispatcher", "RtlUserThreadStart"), TEXT + _ENDS
    )
    exports |= {"LdrInitializeThunk": TEXT, "Chain": "user.Chain", "Loop": "ntdll.Loop"}
    for index, name in enumerate(names):
        exports[name] = TEXT + _THUNKS + 16 * index
        code += (b"\x4c\x8b\xd1\xb8" + numbers(_WINDOWS)[name].to_bytes(4, "little") + b"\x0f\x05\xc3").ljust(
            16, b"\xcc"
        )
    text = _DLL_NAME.encode("utf-16-le")
    data = words(0, 0, 0, 0, 0, 0, 0, 0, 0x30, 0, NTDLL_BASE + DATA + 0x80, 0x40, 0, 0, 0, 0)
    data += words(len(text) | (len(text) + 2) << 16, NTDLL_BASE + DATA + 0xA0, 0, 0) + text
    work: dict[str, int | str] = {
        "Chain": f"{_API_SET}.Chain", "Data": DATA, "Numbered": "ntdll.#1", "Work": TEXT, "Zone": "ntdll.Loop"
    }  # fmt: skip
    return {
        "prog/tool.exe": pe(
            PROGRAM_BASE,
            b"\xcc",
            imports=("user.dll", f"{_API_SET}.dll", "ntdll.dll"),
            exports={"Tool": TEXT},
            is_dll=False,
        ),
        f"{_SYSTEM}ntdll.dll": pe(
            NTDLL_BASE, bytes(code), data=data, exports=exports, pointers=(DATA + 0x50, DATA + 0x88)
        ),
        f"{_SYSTEM}user.dll": pe(DLL_BASE, b"\xc3", exports=work, imports=("ntdll.dll", "tool.exe", "user.dll")),
        f"{_SYSTEM}apisetschema.dll": api_sets(_API_SET, _HOST),
    }


def _linux_files(calls: list[list[str]]) -> dict[str, File]:
    data = (_PATHS[0].ljust(16, b"\0") + _PATHS[1]).ljust(0x30, b"\0") + words(0, 16, 0, 0, 0, 0)
    code = calling(_LINUX, calls, 0x1000, ELF_DATA)
    return {
        "prog": elf(b"\xcc", is_fixed=True, interpreter=b"/lib/ld.so", needed=b"lib.so"),
        "lib/ld.so": elf(code, data=data),
        "lib/lib.so": elf(b"\xc3", needed=b"lib.so"),
    }


# --- cases


def hostile_program(choices: Choices) -> str:
    """Damaged files, and calls."""
    system = choices.pick((_WINDOWS, _LINUX))
    calls = list(_LOADS[system]) if choices.chance(70) else []
    names, places = list(numbers(system)), list(PLACES[system])
    for _ in range(choices.below(_MOST_CALLS - len(calls) + 1)):
        kinds = [(5, "value"), (4, "@"), (1, "*")]
        most = 10 if system == _WINDOWS else 6
        arguments = [
            choices.pick(VALUES) if kind == "value" else kind + choices.pick(places)
            for kind in [choices.weighted(kinds) for _ in range(choices.below(most + 1))]
        ]
        calls.append(" ".join(("call", choices.pick(names), *arguments)))
    made = files(system, [])
    damages = []
    for _ in range(choices.below(5)):
        name = choices.pick(list(made))
        short = name.rpartition("/")[2]
        match choices.weighted(((7, "put"), (2, "flip"), (1, "cut"))):
            case "put":
                field = choices.pick(list(made[name].fields))
                damages.append(f"put {short} {field} {_value(choices, made[name], field)}")
            case "flip":
                damages.append(f"flip {short} {choices.below(len(made[name].data)):x} {choices.below(8)}")
            case _:
                damages.append(f"cut {short} {choices.below(len(made[name].data)):x}")
    return "\n".join((system, *damages, *calls, ""))


def _value(choices: Choices, file: File, field: str) -> str:
    """What a field is set to: extremes, a number close to its own, or that of another field."""
    offset, size = file.fields[field]
    own = int.from_bytes(file.data[offset : offset + size], "little")
    match choices.below(3):
        case 0:
            value = int(choices.pick(VALUES), 16)
        case 1:
            value = own + choices.between(0, 16) - 8
        case _:
            at, length = file.fields[choices.pick(list(file.fields))]
            value = int.from_bytes(file.data[at : at + length], "little")
    return f"{value & (1 << 8 * size) - 1:x}"


def _damaged(system: str, rows: list[list[str]]) -> dict[str, bytes]:
    made = files(system, [words for word, *words in rows if word == "call"])
    paths = {path.rpartition("/")[2]: path for path in made}
    for word, *rest in rows:
        if word == "call":
            continue
        file = made[paths[rest[0]]]
        if word == "put" and rest[1] in file.fields:
            offset, size = file.fields[rest[1]]
            if offset + size <= len(file.data):
                file.data[offset : offset + size] = int(rest[2], 16).to_bytes(size, "little")
        elif word == "flip" and int(rest[1], 16) < len(file.data):
            file.data[int(rest[1], 16)] ^= 1 << int(rest[2], 16)
        elif word == "cut":
            del file.data[int(rest[1], 16) :]
    return {path: bytes(file.data) for path, file in made.items()}


def loaded_twice(case: str, *engines: Callable[[Limits], Engine]) -> str | None:
    """Where runs of a case on these engines differ; None where all are the same. Raises what is an internal error."""
    system, *lines = case.split("\n")
    rows = [line.split() for line in lines if line]
    with tempfile.TemporaryDirectory(prefix="hds-") as folder:
        root = Path(folder)
        for path, data in _damaged(system, rows).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            (root / path).chmod(0o755)
        program = root / ("prog/tool.exe" if system == _WINDOWS else "prog")
        seen = [seen_run(root, program, _COMMANDS[system], engine) for engine in engines]
    return run_differences(seen)


def run_differences(seen: list[Seen | str]) -> str | None:
    """Where runs differ from the first one; None where all are the same."""
    first = seen[0]
    for other in seen[1:]:
        if other != first:
            if isinstance(first, Seen) and isinstance(other, Seen):
                return "; ".join(differences(first, other))
            return f"first run {first!r}, then {other!r}"
    return None


def seen_run(root: Path, program: Path, commands: Iterable[str], make: Callable[[Limits], Engine]) -> Seen | str:
    """What can be seen of one run of a program in a folder, behind these commands, or why there is none."""
    lines: list[object] = []
    session = Session(
        limits=LIMITS, engine=make(LIMITS), reporter=Collecting(lines), world=World(root), events_from="start"
    )
    try:
        try:
            session.load(program)
        except LoadError as error:
            return f"LoadError: {error}"
        for command in commands:
            try:
                session.execute(command)
            except ScriptError as error:
                lines.append(("refused", str(error)))
        return outcome(session, lines, [session.run(LIMITS.max_instructions)])
    finally:
        session.close()
