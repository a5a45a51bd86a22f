"""`hds trace`: filters, forms, what it is made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hds_guests import CALLS, command_line, elf_file
from record_schema import check_lines
from source_trees import ROOT

from hds.exit_codes import ExitCode

GREET = str(ROOT / "examples" / "guests" / "greet.asm")


def test_the_calls_of_a_program_are_lines() -> None:
    ran = command_line("trace", "--guest-output", "none", GREET)
    assert ran.code == 0
    assert ran.output.splitlines()[-1] == "+++ exited with 7 +++"
    assert all(") " in line and " = " in line for line in ran.output.splitlines()[:-1])


def test_what_is_traced_can_be_chosen() -> None:
    assert command_line("trace", "--guest-output", "none", "-e", "exit", GREET).output.startswith("exit(7)")
    ran = command_line("trace", "-e", "trace=opena", GREET)
    assert (ran.code, ran.errors) == (2, "hds: -e: there is no call 'opena'\n  hint: did you mean openat?\n")


MOUNTS = """
    mov eax, 165; xor edi, edi; lea rsi, [rip + place]; xor edx, edx; mov r10d, 0xc0ed0021; lea r8, [rip + place]
    syscall
    mov eax, 166; lea rdi, [rip + place]; mov esi, 0x42; syscall
    mov eax, 262; mov rdi, -100; lea rsi, [rip + place]; xor edx, edx; xor r10d, r10d; syscall
    mov eax, 60; syscall
place: db "/none", 0
"""


def test_classes_are_those_of_strace_and_a_name_that_may_be_missing_is_none(tmp_path: Path) -> None:
    listing = tmp_path / "mounts.asm"
    listing.write_text(MOUNTS.replace(";", "\n"))

    def shown(chosen: str) -> list[str]:
        lines = command_line("trace", "-e", chosen, str(listing)).output.splitlines()
        return [line.partition(" = ")[0].rstrip() for line in lines[:-1]]

    mounts = [
        'mount(NULL, "/none", NULL, MS_MGC_VAL|MS_RDONLY|MS_REMOUNT, "/none")',
        'umount2("/none", MNT_DETACH|0x40)',
    ]
    status = ['newfstatat(AT_FDCWD, "/none", NULL, 0)']
    assert shown("trace=%file") == [*mounts, *status]
    assert shown("trace=%desc") == shown("trace=%%stat") == status
    assert shown("trace=?nosuch,umount2") == mounts[1:]


@pytest.mark.parametrize("words", [("-e", "trace=/("), ("-e", "color=red"), ("-s", "many"), ("--json", "-o", "x"), ()])
def test_bad_options_are_refused(words: tuple[str, ...]) -> None:
    ran = command_line("trace", *words, *([GREET] if words else []))
    assert ran.code == 2
    assert ran.errors or "usage" in ran.output


def test_the_script_is_shown_and_runs() -> None:
    shown = command_line("trace", "--show-script")
    assert shown.code == 0
    ran = command_line("run", "--quiet", "--guest-output", "none", "-e", shown.output, GREET)
    assert (ran.code, ran.errors) == (0, "")
    assert "] 3c(7, " in ran.output.splitlines()[-1]


def test_records_have_words_and_texts() -> None:
    ran = command_line("trace", "--json", "--guest-output", "none", GREET)
    records = [json.loads(line) for line in ran.output.splitlines()]
    check_lines(ran.output)
    assert ran.code == 0
    assert [each["type"] for each in records] == [*["call"] * 5, "incident", "summary"]
    assert records[0]["name"] == "write"
    assert records[0]["arguments"] == ["1", '"hello\\n"', "6"]
    assert (records[0]["words"][0], records[0]["result"], records[0]["error"]) == (1, 6, None)
    assert records[0]["text"] == 'write(1, "hello\\n", 6) = 6'
    assert (records[4]["result"], records[5]["kind"], records[5]["code"]) == (None, "exit", 7)


SHORT = """
    mov eax, 24; int 0x80
    mov eax, 5; lea rbx, [rip + text]; mov ecx, 0x80000; int 0x80
    mov eax, 162; xor ebx, ebx; xor ecx, ecx; int 0x80
    mov eax, 999; int 0x80
    mov eax, 39; syscall
    mov eax, 252; mov ebx, 7; int 0x80
text: db "/none", 0
"""


def test_calls_of_int_0x80_are_traced(tmp_path: Path) -> None:
    (tmp_path / "short.asm").write_text(SHORT)
    words = ("--kernel", "linux", str(tmp_path / "short.asm"))
    ran = command_line("trace", *words)
    assert [re.sub(" += ", " = ", line) for line in ran.output.splitlines()] == [
        "[ Process PID=4096 runs in 32 bit mode. ]",
        "getuid() = 1000",
        'open("/none", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)',
        "nanosleep(NULL, NULL) = -1 EFAULT (Bad address)",
        "syscall_0x3e7(0, 0, 0, 0, 0, 0) = -1 ENOSYS (Function not implemented)",
        "[ Process PID=4096 runs in 64 bit mode. ]",
        "getpid() = 4096",
        "[ Process PID=4096 runs in 32 bit mode. ]",
        "exit_group(7) = ?",
        "+++ exited with 7 +++",
    ]
    first = json.loads(command_line("trace", "--json", *words).output.splitlines()[0])
    assert (first["name"], first["number"], first["result"]) == ("getuid", 1 << 32 | 24, 1000)
    chosen = command_line("trace", "-e", "trace=exit_group,nanosleep", *words).output
    assert re.findall(r"(?m)^\w+(?=\()", chosen) == ["nanosleep", "exit_group"]


@pytest.mark.parametrize("ring", ["0", "3"])
def test_a_crash_is_told_with_its_signal_on_every_level(tmp_path: Path, ring: str) -> None:
    (tmp_path / "crash.asm").write_text("xor eax, eax; mov [rax], eax")
    ran = command_line("trace", "--kernel", "linux", "--ring", ring, str(tmp_path / "crash.asm"))
    assert ran.output.splitlines() == [
        "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---",
        "+++ killed by SIGSEGV +++",
    ]


def test_a_trace_of_an_elf_program_begins_with_its_start(tmp_path: Path) -> None:
    words = ("--env", "A=b", elf_file(tmp_path / "calls", CALLS, "start"), "first", "second")
    line, *_ = command_line("trace", *words).output.splitlines()
    assert re.fullmatch(r'execve\("/calls", \["calls", "first", "second"\], 0x[0-9a-f]+ /\* 1 var \*/\) += 0', line)


def test_a_status_that_is_none_is_refused() -> None:
    ran = command_line("trace", "-e", "status=faild", GREET)
    assert (ran.code, ran.errors) == (
        2, "hds: -e status=faild: a status is all, successful or failed\n  hint: did you mean failed?\n"
    )  # fmt: skip
    assert "as in -e status=failed" in command_line("trace", "-e", "status=x", GREET).errors


def test_descriptors_are_shown_with_their_paths() -> None:
    lines = command_line("trace", "-y", "--guest-output", "none", GREET).output.splitlines()
    assert re.match(r'write\(1<pipe:\[\d+\]>, "hello', lines[0])


TIMES = {"-t": r"\d\d:\d\d:\d\d", "-tt": r"\d\d:\d\d:\d\d\.\d{6}", "-ttt": r"\d{9,}\.\d{6}", "-r": r" +\d\.\d{6}"}


@pytest.mark.parametrize("option", TIMES)
def test_lines_begin_with_the_time_of_the_guest(option: str) -> None:
    first = command_line("trace", option, "--guest-output", "none", GREET)
    assert re.match(TIMES[option] + r" write\(1, ", first.output)
    assert command_line("trace", option, "--guest-output", "none", GREET).output == first.output


def test_lines_end_with_the_time_of_the_call() -> None:
    lines = command_line("trace", "-T", "--guest-output", "none", GREET).output.splitlines()
    assert re.search(r"= 6 <\d\.\d{6}>$", lines[0])
    assert lines[-2].endswith("= ?")


def test_the_trace_goes_to_a_file(tmp_path: Path) -> None:
    ran = command_line("trace", "--guest-output", "none", "-o", str(tmp_path / "t"), GREET)
    assert (ran.code, ran.output) == (0, "")
    assert re.fullmatch(r"\d+ +exit\(7\) += \?", (tmp_path / "t").read_text().splitlines()[-2])
    ran = command_line("trace", "-o", str(tmp_path / "nowhere" / "t"), GREET)
    assert ran.code == ExitCode.NO_INPUT
    assert ran.errors.startswith("hds: -o ")


def test_texts_are_cut() -> None:
    lines = command_line("trace", "-s", "3", "--guest-output", "none", GREET).output.splitlines()
    assert lines[0].startswith('write(1, "hel"..., 6)')
    assert command_line("trace", "-s", "-1", GREET).code == 2
    assert command_line("trace", "-s", "99999999999", GREET).code == 2


def test_calls_are_counted() -> None:
    only = command_line("trace", "-c", "--guest-output", "none", GREET).output
    both = command_line("trace", "-C", "--guest-output", "none", GREET).output
    assert only.startswith("% time     seconds")
    assert re.search(r" +\d+ +write$", only, re.MULTILINE)
    assert only.endswith(" total\n")
    assert both.endswith(only)
    assert both.startswith("write(")


def test_only_calls_that_fail_or_succeed(tmp_path: Path) -> None:
    listing = tmp_path / "two.asm"
    calls = ("mov eax, 39", "mov eax, 3\n mov edi, 99", "mov eax, 60\n mov edi, 0")  # getpid, close, exit
    listing.write_text("".join(f" {each}\n syscall\n" for each in calls))
    failed, successful = (command_line("trace", option, str(listing)).output.splitlines() for option in ("-Z", "-z"))
    assert [line.partition("(")[0] for line in failed] == ["close", "+++ exited with 0 +++"]
    assert failed[0].endswith("= -1 EBADF (Bad file descriptor)")
    assert [line.partition("(")[0] for line in successful] == ["getpid", "+++ exited with 0 +++"]


def test_programs_that_are_missing_are_refused() -> None:
    ran = command_line("trace", "no/such/program")
    assert ran.code != 0
    assert ran.errors.startswith("hds: ")


NT_CALLS = """
    mov r10, 0x1234             // NtClose(0x1234)
    mov eax, 0xf
    syscall
    lea r10, [rip + handle]     // NtOpenFile(&handle, GENERIC_READ, {}, &block, 0, 0)
    mov edx, 0x80000000
    lea r8, [rip + attributes]
    lea r9, [rip + block]
    mov eax, 0x33
    syscall
    lea r10, [rip + handle]     // NtCreateEvent(&handle, SYNCHRONIZE, NULL, 0, ...)
    mov edx, 0x100000
    xor r8d, r8d
    xor r9d, r9d
    mov eax, 0x48
    syscall
    mov r10, -1                 // NtTerminateProcess(-1, 5)
    mov edx, 5
    mov eax, 0x2c
    syscall
handle: dq 0
attributes: dq 48, 0, 0, 0, 0, 0
block: dq 0, 0
"""


def test_windows_calls_have_handles_and_statuses(tmp_path: Path) -> None:
    listing = tmp_path / "nt.asm"
    listing.write_text(NT_CALLS)
    ran = command_line("trace", "--kernel", "nt", str(listing))
    lines = ran.output.splitlines()
    assert lines[0] == "NtClose(0x1234)                         = STATUS_INVALID_HANDLE"
    shown = r"NtOpenFile\(OUT 0x\w+ -> 0x\w+, GENERIC_READ, \{\}, \{Status=STATUS_SUCCESS, Information=1\}, 0, 0\) ="
    assert re.match(shown, lines[1])
    shown = r"NtCreateEvent\(OUT 0x\w+ -> 0x\w+, SYNCHRONIZE, NULL, NotificationEvent, (FALSE|TRUE)\) = STATUS_SUCCESS$"
    assert re.match(shown, lines[2])
    assert lines[3] == "NtTerminateProcess(NtCurrentProcess(), 0x00000005) = ?"
    assert lines[4] == "+++ exited with 5 +++"


def test_windows_handles_are_shown_with_what_they_stand_for(tmp_path: Path) -> None:
    listing = tmp_path / "nt.asm"
    listing.write_text(NT_CALLS.replace("mov r10, 0x1234 ", "mov r10, 0x54 ", 1))
    lines = command_line("trace", "-y", "--kernel", "nt", str(listing)).output.splitlines()
    assert lines[0].startswith("NtClose(0x54<File>)")
    assert re.search(r"-> 0x\w+<Event>", lines[2])
