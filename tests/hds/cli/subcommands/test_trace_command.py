"""`hds trace`: filters, forms, what it is made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hds_guests import command_line
from record_schema import check_lines
from source_trees import ROOT

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


def test_descriptors_are_shown_with_their_paths() -> None:
    lines = command_line("trace", "-y", "--guest-output", "none", GREET).output.splitlines()
    assert re.match(r'write\(1<pipe:\[\d+\]>, "hello', lines[0])


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
    assert re.match(r"NtCreateEvent\(OUT 0x\w+ -> 0x\w+, SYNCHRONIZE, NULL, 0, \d+\) = STATUS_SUCCESS$", lines[2])
    assert lines[3] == "NtTerminateProcess(NtCurrentProcess(), 0x00000005) = ?"
    assert lines[4] == "+++ exited with 5 +++"


def test_windows_handles_are_shown_with_what_they_stand_for(tmp_path: Path) -> None:
    listing = tmp_path / "nt.asm"
    listing.write_text(NT_CALLS.replace("mov r10, 0x1234 ", "mov r10, 0x54 ", 1))
    lines = command_line("trace", "-y", "--kernel", "nt", str(listing)).output.splitlines()
    assert lines[0].startswith("NtClose(0x54<File>)")
    assert re.search(r"-> 0x\w+<Event>", lines[2])
