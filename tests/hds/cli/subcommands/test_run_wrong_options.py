"""Every wrong option of an event, by its message on the command line (events-and-commands B.2, B.7, G.5 32)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

# The command, and the first line of what is said about it behind the place.
WRONG: tuple[tuple[str, str], ...] = (
    # the system-call number
    ("!syscall 55 66", "error E230: unknown parameter '66'"),
    ("!syscall no_such_symbol", "error E011: the symbol `no_such_symbol` is unknown"),
    ("!syscall nt!NoSuchSymbol", "error E011: the symbol `nt!NoSuchSymbol` is unknown"),
    # pid
    ("!syscall pid", "error E210: please specify a value for 'pid'"),
    ("!syscall pid xyz", "error E211: pid is invalid"),
    ("!syscall pid 100000000", "error E211: pid is invalid"),
    ("!syscall pid 77 script { print(1); }", "error E240: err, process id is invalid (c000001e)"),
    # core
    ("!syscall core", "error E210: please specify a value for 'core'"),
    ("!syscall core all", "error E212: core id is invalid"),
    ("!syscall core 99", "error E240: err, invalid core id (c0000006)"),
    # imm
    ("!syscall imm", "error E210: please specify a value for 'imm'"),
    ("!syscall imm maybe", "error E213: immediate messaging token is invalid"),
    # sc
    ("!syscall sc", "error E210: please specify a value for 'sc'"),
    ("!syscall sc yes", "error E214: the short-circuiting state is invalid"),
    ("!syscall sc on stage post", "error E217: short-circuiting is not possible with a post stage (c000003a)"),
    ("!syscall stage all sc on", "error E217: short-circuiting is not possible with a post stage (c000003a)"),
    # stage
    ("!syscall stage", "error E210: please specify a value for 'stage'"),
    ("!syscall stage middle", "error E215: the specified execution mode is invalid"),
    ("!epthook 400000 stage post", "error E219: !epthook has the `pre` stage only"),
    # buffer
    ("!syscall buffer", "error E210: please specify a value for 'buffer'"),
    ("!syscall buffer big", "error E216: buffer size is invalid"),
    ("!syscall buffer 400 script { }", "error E240: err, a buffer has at most 3e7 bytes (c0000048)"),
    # script
    ("!syscall script", "error E230: unknown parameter 'script'"),
    ("!syscall script { print(; }", "error E"),
    ("!syscall script {file:}", "error E222: `file:` needs a path"),
    ("!syscall script {file:/no/where.hds}", "error E222: cannot read /no/where.hds: No such file or directory"),
    ("!syscall script {}", "error E230: unknown parameter 'script'"),
    # condition and code
    ("!syscall condition", "error E230: unknown parameter 'condition'"),
    ("!syscall condition {zz}", "error E220: 'z' is not a hexadecimal digit"),
    ("!syscall code { }", "error E221: this block holds no bytes (c0000002)"),
    ("!syscall code {90,90}", "error E220: ',' is not a hexadecimal digit"),
    ("!syscall asm script { nop }", "error E230: unknown parameter 'asm'"),
    ("!syscall asm code { bogus eax }", "error E225: `bogus eax` cannot be assembled: "),
    # output
    ("!syscall output { , }", "error E223: no output source is named here"),
    ("!syscall script { } output {nowhere}", "error E240: err, the output 'nowhere' is not found"),
    ("!syscall output {a,b,c,d,e,f}", "error E224: an event has at most 5 output sources"),
    ("!syscall imm no output {log}", "error E218: non-immediate messages (`imm no`) cannot be forwarded to an output"),
    # others of the family
    ("!sysret stage never", "error E215: the specified execution mode is invalid"),
    ("!epthook", "error E231: incorrect use of the '!epthook': ADDRESS is missing"),
    ("!epthook 0", "error E233: choose an address other than 0"),
    ("!epthook 400000 400010", "error E230: unknown parameter '400010'"),
    ("!epthook 9999999", "error E240: err, invalid address"),
    ("!epthook no_such_symbol", "error E011: the symbol `no_such_symbol` is unknown"),
    ("bp no_such_symbol", "error E240: err, couldn't resolve error at 'no_such_symbol'"),
    ("!interrupt 5", "error E233: the vector of an external interrupt is 20 to ff (c0000008)"),
    ("!monitor r 400000", "error E234: a range is FROM TO or FROM l LEN"),
    # the list
    ("events e 0", "error E240: err, there is no event with id 0 (c000000e)"),
    ("events c all", "error E240: err, there is no event"),
    ("events d zz", "error E240: please specify a correct hex value for the event id, not 'zz'"),
    ("events x 0", "error E240: incorrect use of the 'events'"),
    ("events e", "error E240: incorrect use of the 'events'"),
)


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_a_wrong_option_is_named_with_its_place(tmp_path: Path, command: str, message: str) -> None:
    ran = command_line("run", "--quiet", "-e", command, listing_file(tmp_path, "nop"))
    errors = [line for line in ran.errors.splitlines() if ": error E" in line]
    place, _, said = errors[0].partition(": ")
    assert place.startswith("<command line>:1:")
    assert said.startswith(message)
    assert len(errors) == 1
    assert ran.code == 1
    assert ran.output == ""


def test_a_registration_that_fails_leaves_a_gap_in_the_ids(tmp_path: Path) -> None:
    commands = "!syscall script { }\n!syscall core 99\n!syscall 1 script { }\nevents"
    ran = command_line("run", "--keep-going", "-e", commands, listing_file(tmp_path, "nop"))
    assert [line.split("\t")[0] for line in ran.output.splitlines()] == ["0", "2"]


def test_a_word_behind_sysret_is_ignored_with_a_note(tmp_path: Path) -> None:
    ran = command_line("run", "-e", "!sysret 55 script { }", listing_file(tmp_path, "nop"))
    assert ran.errors.startswith("'55' is ignored by !sysret\n")
