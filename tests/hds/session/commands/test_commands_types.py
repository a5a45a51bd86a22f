"""`dt`, `!dt`, `struct` (events-and-commands E.7), and Windows' structures (G.1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hds_guests import lines, refused, session, shown

from hds.symbols.symbol_file import read_symbol_file
from hds.symbols.type_library import TypeLibrary
from lang import Compiler, SourceFile
from machine.kernel import BUILDS
from vm.facts.limits import DEFAULT_LIMITS

TYPES = """{"module": "game", "symbols": {"player": "40"},
"declarations": "struct _POINT { short x; int y; }; typedef struct _POINT Point, *PPoint;",
"types": {
  "_PLAYER": {"size": "40", "members": {"0": "char Name[8]", "8": "struct _POINT At", "10": "struct _LIST_ENTRY Links",
              "20": "struct _PLAYER *Next", "28": "float Speed", "2c": "Point Where[2]"}},
  "_VALUE": {"members": {"0": "ULONG64 Whole", "4": "ULONG High"}}
}}"""
PLAYER = """
    db "Ann", 0, 0, 0, 0, 0
    dw -2, 0
    dd 7
    dq 0x400010, 0x400010, 0
    dd 0x3fc00000
"""


@pytest.fixture
def added(tmp_path: Path) -> str:
    """The command that adds these types."""
    path = tmp_path / "game.json"
    path.write_text(TYPES)
    return f'.sym add base 400000 path "{path}"\n'


def dt(command: str, added: str, listing: str = PLAYER) -> str:
    return shown(added + command, listing).partition("\n")[2]


def test_dt_shows_members_with_their_offsets(added: str) -> None:
    assert dt("dt _POINT", added) == lines(" _POINT", "  +0x0000 short x", "  +0x0004 int y")


def test_dt_shows_what_is_at_an_address(added: str) -> None:
    assert dt("dt game!_PLAYER 400000", added) == lines(
        " _PLAYER",
        '  +0x0000 char Name[0x8] : "Ann"',
        "  +0x0008 struct _POINT At : _POINT",
        "  +0x0010 struct _LIST_ENTRY Links : _LIST_ENTRY [ 00000000`00400010 - 00000000`00400010 ]",
        "  +0x0020 struct _PLAYER *Next : (null)",
        "  +0x0028 float Speed : 1.500000",
        "  +0x002c struct _POINT Where[0x2]",
    )


def test_dt_shows_what_is_within_if_that_is_wanted(added: str) -> None:
    text = dt("dt _player 400000 inline all", added)
    assert (
        lines("  +0x0008 struct _POINT At : _POINT", "    +0x0008 short x : 0xfffe", "    +0x000c int y : 0x7") in text
    )


def test_padding_is_shown_if_that_is_wanted(added: str) -> None:
    assert "  +0x0002 unsigned char Padding_2[0x2]\n" in dt("dt POINT padding yes", added)


def test_members_may_overlap(added: str) -> None:
    text = dt("dt _VALUE 400008", added)
    assert text == lines(" _VALUE", "  +0x0000 unsigned long Whole : 0x70000fffe", "  +0x0004 unsigned int High : 0x7")


def test_what_cannot_be_read_is_marked(added: str) -> None:
    assert dt("dt _POINT 400ffe", added) == lines(" _POINT", "  +0x0000 short x : 0x0", "  +0x0004 int y : ??")


def test_dt_reads_physical_memory(added: str) -> None:
    assert dt("!dt _POINT virtual_to_physical(400008)", added) == dt("dt _POINT 400008", added)


def test_symbols_of_a_file_are_addresses(added: str) -> None:
    assert shown(f"{added}print game!player\nx game!*\ndq game!player l 8", PLAYER).splitlines()[1:] == [
        "400040", "00000000`00400040  game!player", "00000000`00400040  00000000`00000000 ????????`????????",
    ]  # fmt: skip


def test_struct_declares_what_a_script_reads(added: str) -> None:
    assert dt("struct Point", added) == lines(
        "struct _POINT", "{", "  /* 0x0000 */ short x;", "  /* 0x0002 */ unsigned char Padding_2[0x2];",
        "  /* 0x0004 */ int y;", "}; /* size: 0x0008 */",
    )  # fmt: skip


def test_struct_takes_options(added: str, tmp_path: Path) -> None:
    assert dt("struct _POINT padding no offset no prefix my suffix _t", added) == lines(
        "struct my_POINT_t", "{", "  short x;", "  int y;", "}; /* size: 0x0008 */"
    )
    text = dt("struct _PLAYER inline all", added)
    assert "  /* 0x0008 */ struct _POINT\n  {\n    /* 0x0008 */ short x;\n" in text
    assert "\n  } At;\n" in text
    path = tmp_path / "types.h"
    assert dt(f'struct _POINT output "{path}"', added) == f"the types are saved at: {path}\n"
    assert path.read_text() == dt("struct _POINT", added)


def test_struct_declares_all_that_fit_a_mask(added: str) -> None:
    text = dt("struct game!_P*", added)
    assert re.findall(r"^struct (\w+)$", text, re.MULTILINE) == ["_PEB", "_PLAYER", "_POINT"]
    assert refused("struct nt!_X*") == "err, couldn't resolve error at 'nt!_X*'"


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_the_declarations_of_windows_structures_have_their_layout_in_scripts(build: object) -> None:
    made, said = session("nop", build=build)
    names = [name for name in made.symbols.types.names if name.startswith("_")]
    made.execute("\n".join(f"struct {name}" for name in names))
    sizes = [int(size, 16) for size in re.findall(r"/\* size: (0x[0-9a-f]+) \*/", said.text)]
    announced = "".join(f"struct {name}; " for name in names)
    printed = "".join(f"print(sizeof(struct {name}));" for name in names)
    order = sorted(re.findall(r"struct \w+\n\{.*?\}; ", said.take(), re.DOTALL), key=_uses)
    made.execute(f"? {{ {announced} {''.join(order)} {printed} }}")
    assert [int(line, 16) for line in said.text.splitlines()] == sizes


def _uses(declaration: str) -> int:
    return len(re.findall(r"struct \w+ [A-Z]\w+;", declaration)) + ("_KPROCESS Pcb" in declaration)


def test_the_structures_of_a_process_are_what_the_stand_in_has_filled() -> None:
    text = shown("dt nt!_EPROCESS $proc\ndt nt!_KPCR fffff80300000000 inline all\ndt _ETHREAD $thread inline all")
    assert re.search(r"\+0x0450 unsigned char ImageFileName\[0xf\] : \"\w", text)
    thread = shown("print $thread").strip()
    assert f"CurrentThread : {int(thread, 16) >> 32:08x}`{int(thread, 16) & 0xFFFFFFFF:08x}" in text
    process = int(shown("print $proc"), 16)
    assert f"Process : {process >> 32:08x}`{process & 0xFFFFFFFF:08x}" in text


def test_user_blocks_of_the_nt_stand_in() -> None:
    text = shown("dt _TEB $teb\ndt _PEB $peb\ndt _UNICODE_STRING poi($peb+20)+70", kernel="nt")
    peb = int(shown("print $peb", kernel="nt"), 16)
    assert f"ProcessEnvironmentBlock : {peb >> 32:08x}`{peb & 0xFFFFFFFF:08x}" in text
    assert "NumberOfProcessors : 0x1" in text
    assert "MaximumLength : 0x" in text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("dt", "incorrect use of the 'dt': dt [MODULE!]TYPE"),
        ("dt no_such", "err, couldn't resolve error at 'no_such'"),
        ("struct no_such", "err, couldn't resolve error at 'no_such'"),
        ("dt ULONG", "err, 'ULONG' is no structure with members: `unsigned int`"),
        ("dt _EPROCESS 0", "err, please enter a valid address"),
        ("dt _EPROCESS 10", "err, invalid address (c0000005)"),
        ("!dt _EPROCESS 10", "err, invalid physical address (c0000052)"),
        ("dt _EPROCESS 400000 400000", "err, unknown argument at '400000'"),
        ("dt _EPROCESS padding", "err, incomplete argument at 'padding'"),
        ("dt _EPROCESS padding maybe", "err, please specify yes or no for 'padding', not 'maybe'"),
        ("dt _EPROCESS inline some", "err, 'inline' is none, unnamed or all, not 'some'"),
        ("struct _EPROCESS 400000", "err, unknown argument at '400000'"),
        ("dt _EPROCESS 400000 pid 77", "err, process id is invalid (c000001e)"),
        ('struct _TEB output "/no/where"', "err, cannot write /no/where: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said(command: str, message: str) -> None:
    assert refused(command).startswith(message)


def test_types_that_double_at_each_level_are_not_shown_without_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    text = "struct T0 { char m; };"
    text += "".join(f"struct T{n} {{ struct T{n - 1} m; struct T{n - 1} n; }};" for n in range(1, 25))
    path.write_text(f'{{"declarations": "{text}"}}')
    assert refused(f'.sym add base 0 path "{path}"\nstruct T20 inline all').startswith("err, more than 65536 members")


# --- files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "the file should be an object in braces"),
        ('{"names": {}}', "there is no `names`"),
        ('{"symbols": []}', "symbols should be an object in braces"),
        ('{"symbols": {"a b": "1"}}', "`a b` is no name of a symbol"),
        ('{"symbols": {"a": "xyz"}}', "a should have a hexadecimal number"),
        ('{"symbols": {"a": -1}}', "a should have a hexadecimal number"),
        ('{"symbols": {"a": true}}', "a should have a hexadecimal number"),
        ('{"symbols": {"a": 1.5}}', "a should have a hexadecimal number"),
        ('{"types": {"T": {"members": {"0": "int a; int b"}}}}', "a member of T is one declaration"),
        ('{"types": {"T": {"members": {"0": "int m, n"}}}}', "every offset of `struct T` has one member"),
        ('{"types": {"T": {"members": {"ffffffff": "int a"}}}}', "T is too large"),
        ('{"types": {"T": {"offset": "0"}}}', "T has no `offset`"),
        ('{"declarations": "struct T { struct U m; };"}', "is incomplete"),
        ('{"declarations": "x = 1;"}', "only structs and typedefs are declared here"),
        ('{"declarations": "struct T { int m"}', "cannot be read"),
        ('{"declarations": 5}', "declarations should be a text"),
        ("Microsoft C/C++ MSF 7.00", "is a PDB file, which is not read"),
    ],
)
def test_files_that_say_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    assert message in refused(f'.sym add base 0 path "{path}"')


def test_missing_files_and_wrong_words_are_refused() -> None:
    assert "err, cannot read /no/where.json" in refused(".sym add base 0 path /no/where.json")
    assert refused(".sym add path x base 0").startswith("incorrect use of the '.sym'")


def test_files_are_listed_read_again_and_forgotten(added: str, tmp_path: Path) -> None:
    path = tmp_path / "game.json"
    assert shown(f"{added}.sym table").splitlines()[1] == (
        f"00000000`00400000  game              1 symbols, 2 types  {path}"
    )
    made, said = session(PLAYER)
    made.execute(added)
    path.write_text('{"module": "game", "symbols": {"player": "50"}}')
    made.execute(".sym reload")
    made.execute("print game!player\n.sym unload\n.sym table")
    assert said.text.splitlines()[-2:] == ["400050", "no file of symbols was added"]
    assert made.symbols.types.find("_PLAYER") is None
    assert made.symbols.types.find("_TEB") is not None


def test_a_file_names_addresses_in_listings(added: str) -> None:
    assert "game!player:" in shown(f"{added}u 400040 l 1", "nop\n" * 0x48)


def test_a_symbol_that_was_given_comes_first(added: str) -> None:
    from lang import SymbolTable

    compiler = Compiler(symbols=SymbolTable({"game!player": 0x99}))
    assert shown(f"{added}print game!player\n.sym unload\nprint game!player", compiler=compiler).count("99\n") == 2


def test_types_of_a_file_take_the_place_of_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('{"types": {"_TEB": {"members": {"4": "int Own"}}}}')
    library = TypeLibrary(BUILDS[0], DEFAULT_LIMITS)
    assert not library.add(read_symbol_file(path, DEFAULT_LIMITS))
    assert str(library.find("_TEB")) == "struct _TEB"
    assert [member.name for member in library.find("_TEB").members or ()] == ["Own"]  # type: ignore[union-attr]


def test_scripts_behind_it_may_name_its_symbols(added: str) -> None:
    made, _ = session()
    prepared = made.prepare(SourceFile("<test>", f"{added}? print(game!player);\n!epthook game!player"))
    assert not prepared.has_errors
