"""What a terminal is shown: no control characters of others, whole characters, and lines of their own for hds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hds_guests import listing_file
from stream_doubles import Pipe, Terminal, on_one_terminal, on_terminal, run_with, through_pipes

from hds.report.streams import Stream
from lang.characters import escaped

# Every character that is escaped, and its sequence.
HIDDEN = {
    **{chr(code): f"\\x{code:02x}" for code in (*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))},
    "\r": "\\r",
    **{chr(code): f"\\u{code:04x}" for code in (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))},
}  # fmt: skip
NASTY = "\x1b[2J\u202e\x9b1m\x00"
SAFE = "\\x1b[2J\\u202e\\x9b1m\\x00"


def write_call(data: bytes) -> str:
    """A listing that writes these bytes to its standard output."""
    bytes_ = "; ".join(f"mov byte ptr [rsp+{at}], {value}" for at, value in enumerate(data))
    return f"sub rsp, 64\n{bytes_}\nmov eax, 1\nmov edi, 1\nmov rsi, rsp\nmov edx, {len(data)}\nsyscall\n"


def shown(*parts: str | bytes) -> str:
    """What a terminal is shown of these writes."""
    terminal = Terminal()
    stream = Stream("standard output", terminal.stream)
    for part in parts:
        if isinstance(part, bytes):
            stream.write_bytes(part)
        else:
            stream.write(part)
    stream.finish()
    return terminal.text


# --- the rule


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_characters_that_do_not_show_what_they_do_are_escaped(character: str) -> None:
    assert escaped(f"a{character}b") == f"a{HIDDEN[character]}b"


def test_all_other_characters_stay() -> None:
    text = "".join(chr(code) for code in range(0x3000) if chr(code) not in HIDDEN)
    assert escaped(text) == text


def test_a_carriage_return_in_front_of_a_line_feed_stays() -> None:
    assert escaped("a\r\nb\rc\r\r\n") == "a\r\nb\\rc\\r\r\n"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((b"a\r", b"\nb"), "a\r\nb"),
        ((b"a\r", b"b"), "a\\rb"),
        ((b"a\r",), "a\\r"),
        ((b"\xe2\x82", b"\xac"), "\u20ac"),
        ((b"\xe2\x82", "x"), "\\xe2\\x82x"),
        ((b"\xe2\x82",), "\\xe2\\x82"),
        ((b"\xe2\x80", b"\xae"), "\\u202e"),
        ((b"\xc2", b"\x9b"), "\\x9b"),
        ((b"\xff\x9b",), "\\xff\\x9b"),
        (("a\udcffb",), "a\\udcffb"),
    ],
)
def test_what_is_cut_between_two_writes_is_put_together(parts: tuple[str | bytes, ...], text: str) -> None:
    assert shown(*parts) == text


# --- where text comes from

SOURCES = {
    "a message": ("run", "-e", f'? printf("{NASTY}\n");'),
    "a message of eval": ("eval", "-e", f'printf("{NASTY}\n");'),
    "a result": ("run", "-e", f'? printf("{NASTY}\n"); \n.logopen {os.devnull}\n? x = 1;'),
    "a diagnostic": ("check", "-e", f"print {NASTY[:-1]}\n"),
    "a layout": ("fmt", "-e", f'printf("{NASTY[:-1]}");'),
    "bytecode": ("disasm", "-e", f'printf("{NASTY[:-1]}\n");'),
    "a file name": ("check", f"no{NASTY[:-1]}"),
    "an argument": ("explain", NASTY[:-1]),
    "an option": ("run", f"--{NASTY[:-1]}"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_terminal_is_shown_escapes(source: str) -> None:
    ran = on_terminal(*SOURCES[source])
    said = ran.output + ran.errors
    assert "\\x1b[2J" in said
    assert not set(said) & (HIDDEN.keys() - {"\r"})


@pytest.mark.parametrize("source", ["a message", "a message of eval", "a file name", "an argument", "a layout"])
def test_a_pipe_gets_the_characters_themselves(source: str) -> None:
    _, output, errors = through_pipes(*SOURCES[source])
    assert NASTY[:-1].encode() in output + errors


@pytest.mark.parametrize("where", ["stderr", "stdout"])
def test_the_output_of_the_guest_obeys_the_same_rule(where: str, tmp_path: Path) -> None:
    guest = listing_file(tmp_path, write_call(NASTY.encode() + b"\n"))
    words = ("run", "--quiet", "--guest-output", where, "-e", "g", guest)
    ran = on_terminal(*words)
    assert (ran.output if where == "stdout" else ran.errors) == SAFE + "\n"
    _, output, errors = through_pipes(*words)
    assert (output if where == "stdout" else errors) == NASTY.encode() + b"\n"


def test_each_stream_has_the_rule_of_what_it_leads_to() -> None:
    terminal, pipe = Terminal(), Pipe()
    run_with(pipe, terminal.stream, "run", "-e", f'? printf("{NASTY[:-1]}");\nr {NASTY[:-1]}')
    assert pipe.data == NASTY[:-1].encode()
    assert SAFE[:-4] in terminal.text


def test_a_record_on_a_terminal_is_still_json() -> None:
    output = on_terminal("run", "--format", "json", "-e", '? printf("\x1b\x9b\x7f\u202e\n");').output
    assert '"text": "\\u001b\\u009b\\u007f\\u202e\\n"' in output


def test_clearing_the_screen_is_for_the_terminal_to_do() -> None:
    assert on_terminal("run", "-e", ".cls").output == "\x1b[H\x1b[2J"


def test_a_terminal_of_a_narrow_encoding_is_shown_escapes_too() -> None:
    assert on_terminal("run", "-e", '? printf("\u20ac\n");', encoding="ascii").output == "\\u20ac\n"


# --- lines


def test_the_summary_begins_a_line(tmp_path: Path) -> None:
    guest = listing_file(tmp_path, write_call(b"Hello") + "mov eax, 60\nxor edi, edi\nsyscall")
    assert "Hello\nhds: 0 triggers" in on_one_terminal("run", "-e", "g", guest)
    assert "Hello\nhds: 0 triggers" in on_one_terminal("run", "--guest-output", "stdout", "-e", "g", guest)
    assert through_pipes("run", "-e", "g", guest)[2].startswith(b"Hello\nhds: 0 triggers")
    assert on_one_terminal("run", "-e", '? printf("a");').startswith("a\nhds: ")
    assert on_one_terminal("run", "--stats", "--quiet", "-e", '? printf("a");').startswith("a\n0.")


def test_nothing_is_added_to_a_pipe_of_its_own() -> None:
    code, output, errors = through_pipes("run", "-e", '? printf("a");')
    assert (code, output) == (0, b"a")
    assert errors.startswith(b"hds: ")


def test_no_line_is_added_where_one_has_ended() -> None:
    assert on_one_terminal("run", "-e", '? printf("a\n");').startswith("a\nhds: ")
    assert on_one_terminal("run", "-e", ".cls").startswith("\x1b[H\x1b[2Jhds: ")


def test_findings_and_errors_begin_a_line() -> None:
    text = on_one_terminal(
        "run", "--keep-going", "-e", '? printf("a");\nr zzz\n? printf("b"); print(1 / (@rax - @rax));'
    )
    assert text.startswith("a\n<command line>:2:1: error E240")
    assert "b\n<command line>:3:" in text
