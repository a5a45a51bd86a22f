"""Memory commands: display, editing, search, dump, translation (events-and-commands E.3, E.4, E.6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import refused, session, shown

# Sixteen bytes at 400000, then a pointer that ends a list, one that goes on and one that is circular.
DATA = """
    db "UH", 0x89, 0xe5, 0x90, 0x90, 0x90, 0x90, 0xc3, 0, 0, 0, 0, 0, 0, 0x7f
    dq 0x400020, 0, 0x400010, 0x400028
"""
ROW = "00000000`00400000  "


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("db 400000 l 10", ROW + "55 48 89 E5 90 90 90 90 C3 00 00 00 00 00 00 7F  UH.............."),
        ("dc 400000 l 10", ROW + "E5894855 90909090 000000C3 7F000000  UH.............."),
        ("dd 400000 l 10", ROW + "E5894855 90909090 000000C3 7F000000"),
        ("dq 400000 l 10", ROW + "90909090`E5894855 7F000000`000000C3"),
        ("DB l 10 0x400000", ROW + "55 48 89 E5 90 90 90 90 C3 00 00 00 00 00 00 7F  UH.............."),
        ("db 400001 l 2", "00000000`00400001  48 89" + " ??" * 14 + "  H."),
        ("dd 400000 l 6", ROW + "E5894855 ???????? ???????? ????????"),
    ],
)
def test_d_shows_a_row_of_sixteen_bytes(command: str, line: str) -> None:
    assert shown(command, DATA) == line + "\n"


def test_d_shows_80_hex_bytes_by_default() -> None:
    assert len(shown("db 400000", DATA).splitlines()) == 8


def test_d_takes_expressions_and_symbols() -> None:
    assert shown("dq poi(400010) l 8", DATA) == "00000000`00400020  00000000`00400010 ????????`????????\n"


def test_d_marks_what_is_not_mapped() -> None:
    text = shown("db 400ff8 l 10", DATA)
    assert text == "00000000`00400ff8  00 00 00 00 00 00 00 00 ?? ?? ?? ?? ?? ?? ?? ??  ........\n"


def test_d_shows_the_original_bytes_under_breakpoints() -> None:
    assert shown("bp 400000\ndb 400000 l 1", DATA).startswith(ROW + "55 ")


def test_d_reads_the_buffer_of_an_event() -> None:
    text = shown("!syscall 55 buffer 10 script { eq($buffer, 41); print($buffer); }\ng")
    assert shown(
        f"!syscall 55 buffer 10 script {{ eq($buffer, 41); print($buffer); }}\ng\ndb {text.strip()} l 8"
    ).endswith("  41 00 00 00 00 00 00 00" + " ??" * 8 + "  A.......\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("db", "incorrect use of the 'db': db ADDRESS [l LENGTH] [pid P]"),
        ("db 400000 400010", "incorrect use of the 'db': db ADDRESS [l LENGTH] [pid P]"),
        ("db 0", "err, please enter a valid address"),
        ("db 400000 l100", "incorrect use of the 'db': db ADDRESS [l LENGTH] [pid P]"),
        ("db 400000 l", "err, please specify a value for 'l'"),
        ("db 400000 l xx", "err, please specify a correct hex value for the length, not 'xx'"),
        ("db 400000 l 1000000", "err, at most 100000 bytes are shown at once"),
        ("db 9999999", "err, invalid address (c0000005)"),
        ("!db 9999999", "err, invalid physical address (c0000052)"),
        ("db 400000 pid 77", "err, process id is invalid (c000001e)"),
        ("db no_such_thing", "err, couldn't resolve error at 'no_such_thing'"),
        ("eb 400000", "incorrect use of the 'eb': eb ADDRESS VALUE [VALUE ...] [pid P]"),
        ("eb 400000 100", "err, please specify a byte value, not '100'"),
        ("ed 400000 zz", "err, please specify a dword value, not 'zz'"),
        ("eq 9999999 1", "err, the address is not mapped in the layout of the process (c000000c)"),
        ("!eb 9999999 1", "err, invalid physical address (c0000052)"),
        ("sb 400000 55", "incorrect use of the 'sb': sb ADDRESS l LENGTH VALUE [VALUE ...] [pid P]"),
        ("sb 400000 l 2000 55", "err, invalid address (c0000005)"),
        ("sb 400000 l 0 55", "err, invalid address (c0000005)"),
        (".dump 400000 400010", "err, please specify the file: path FILE"),
        (".dump 400010 400000 path x", "err, the end must lie behind the start"),
        (".dump 400000 path x", "incorrect use of the '.dump': .dump FROM TO [pid P] path FILE"),
        (".dump 400000 400010 path /no/where", "err, cannot write /no/where: No such file or directory"),
        ("!va2pa 9999999", "err, invalid address (c0000005)"),
        ("!va2pa", "incorrect use of the '!va2pa': !va2pa ADDRESS [pid P]"),
    ],
)
def test_what_is_wrong_is_said(command: str, message: str) -> None:
    assert refused(command, DATA) == message


def test_commands_without_a_program_say_how_to_load_one() -> None:
    assert refused("db 400000", "") == "err, there is no program: load one with .start path FILE"


@pytest.mark.parametrize(
    ("command", "shows"),
    [("eb 400000 1 2", "01 02 89"), ("ed 400000 1", "01 00 00 00 90"), ("eq 400000 1 0n2", "01" + " 00" * 7 + " 02")],
)
def test_e_writes_values_of_its_size_one_behind_the_other(command: str, shows: str) -> None:
    assert shown(f"{command}\ndb 400000", DATA).startswith(ROW + shows)


@pytest.mark.parametrize(
    ("command", "places"),
    [
        ("sb 400000 l 30 90 90", "400004\n400005\n400006\n"),
        ("sd 400000 l 30 90909090", "400004\n"),
        ("sd 400002 l 10 90909090", "not found\n"),
        ("sq 400000 l 30 400010 400028", "400020\n"),
        ("sq 400000 l 30 400010 400029", "not found\n"),
    ],
)
def test_s_finds_all_elements_in_steps_of_their_size(command: str, places: str) -> None:
    assert shown(command, DATA) == places


def test_dl_follows_a_list_to_its_end() -> None:
    assert shown("dl 400018", DATA) == (
        "walking linked list, virtual address: 0000000000400018, start: 400018, offset: 0\n\n00: 0000000000400018\n"
    )


def test_dl_stops_where_the_list_closes_and_says_so() -> None:
    assert shown("dl 400010", DATA).endswith("\n00: 0000000000400010\n01: 0000000000400020\n(the list is circular)\n")


def test_dl_takes_a_largest_number_of_nodes_and_an_offset() -> None:
    assert shown("dl 400010 l 1", DATA).endswith("\n00: 0000000000400010\n")
    assert "01: 0000000000400020" in shown("dl 400008 o 8", DATA)


def test_dump_writes_the_bytes_without_the_last_address(tmp_path: Path) -> None:
    path = tmp_path / "dump.bin"
    assert shown(f'.dump 400000 400004 path "{path}"', DATA) == f"the dump file is saved at: {path}\n"
    assert path.read_bytes() == b"UH\x89\xe5"


def test_dump_reports_and_leaves_out_what_is_not_mapped(tmp_path: Path) -> None:
    path = tmp_path / "dump.bin"
    text = shown(f'.dump 400ffc 9000000 path "{path}"', DATA)
    assert text.startswith("err, invalid address (c0000005) at 401000\n")
    assert path.read_bytes() == bytes(4)


# --- physical addresses

THERE = "virtual_to_physical(400000)"  # as a parameter


def physical(address: int, listing: str = DATA) -> int:
    return int(shown(f"!va2pa {address:x}", listing), 16)


def test_va2pa_and_pa2va_agree_with_each_other_and_with_the_functions() -> None:
    place = physical(0x40_0123)
    assert place != 0x40_0123
    assert place % 0x1000 == 0x123
    text = shown(f"!va2pa 400123\n!pa2va {place:x}\nprint virtual_to_physical(400123)\nprint dw_pa({THERE})", DATA)
    assert text == f"{place:x}\n400123\n{place:x}\n4855\n"


def test_two_processes_have_the_same_address_at_different_places() -> None:
    made, said = session(DATA)
    second = made.load(b"db 0x77", kind="asm")
    made.execute(f"!va2pa 400000\n!va2pa 400000 pid {second.pid:x}\ndb 400000 l 1 pid {second.pid:x}")
    mine, other, _ = said.take().splitlines()
    made.execute(f"!db {mine} l 1\n!db {other} l 1")
    assert mine != other
    assert [line.split()[2] for line in said.text.splitlines()] == ["55", "77"]


def test_kernel_memory_is_one_for_all_processes() -> None:
    made, said = session(DATA)
    second = made.load(b"db 0x77", kind="asm")
    made.execute(f"!va2pa fffff80300000000\n!va2pa fffff80300000000 pid {second.pid:x}")
    first, other = said.text.splitlines()
    assert first == other


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        (f"!eb {THERE} 1 2\n!db {THERE} l 3", "01 02 89"),
        (f"!ed {THERE} 1\n!dd {THERE} l 4", "00000001"),
        (f"!eq {THERE} 1\n!dq {THERE} l 8", "00000000`00000001"),
        (f"!eb {THERE} 1 2\ndb 400000 l 3", "01 02 89"),
        (f"!u {THERE} l 1", "push rbp"),
        (f"!dd {THERE} l 4", "#\t00000000`"),
    ],
)
def test_commands_with_a_mark_take_physical_addresses(command: str, shows: str) -> None:
    assert shows in shown(command, DATA)


def test_physical_searches_and_dumps_give_physical_addresses(tmp_path: Path) -> None:
    place, path = physical(0x40_0000), tmp_path / "dump.bin"
    assert shown(f"!sb {THERE} l 30 90 90", DATA) == f"{place + 4:x}\n{place + 5:x}\n{place + 6:x}\n"
    assert shown(f'!dump {THERE} {THERE}+4 path "{path}"', DATA) == f"the dump file is saved at: {path}\n"
    assert path.read_bytes() == b"UH\x89\xe5"


def test_a_physical_dump_of_all_memory_has_pages_only(tmp_path: Path) -> None:
    path = tmp_path / "dump.bin"
    text = shown(f'!dump 0 ffffffffffffffff path "{path}"', DATA)
    assert "err, invalid physical address (c0000052) at 0\n" in text
    assert path.read_bytes().count(bytes.fromhex("554889e590909090c3")) == 1
    assert len(path.read_bytes()) < 1 << 20


def test_code_that_is_changed_at_its_physical_address_is_executed_as_it_is_then() -> None:
    guest = "mov ebx, 2; again: mov rax, 0x55; syscall; dec ebx; jnz again"
    patch = "place = virtual_to_physical(@rip); eb_pa(place, 0x90); eb_pa(place + 1, 0x90);"
    assert shown(f'!syscall 55 script {{ {patch} printf("once\\n"); }}\ng', guest) == "once\n"


def test_page_tables_and_the_memory_of_the_debugger_have_no_physical_address() -> None:
    made, _ = session(DATA)
    made.execute('!syscall buffer 10 script { print($buffer); }\n? printf("%s", $date);')
    memory = made.machine.physical
    assert memory.tables
    assert not any(memory.is_page(frame) for frame in memory.tables)
    assert not any(memory.is_page(frame) for frame in memory.own.given_from(0))
    assert (memory.read(0, 1), memory.write(0, b"x"), memory.read(1 << 60, 1)) == (None, False, None)
