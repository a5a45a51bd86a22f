"""Symbols in commands, scripts and on the command line: case, bare names, near misses, readable names, `--program`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import command_line, elf_file, refused, shown

from hds.session.session import Session
from hds.session.symbols import locate
from hds.symbols.demangling import readable
from hds.symbols.table import new_table
from lang.symbols import Place, SymbolTable, Unresolved
from machine.memory import Area, Protection
from vm.facts.events import EVENT_KINDS, EventKind
from vm.facts.limits import Limits

# Every function leaves its own number in rax and is called once, in this order.
NAMES = (
    "Log",
    "log",
    "check",
    "_ZN3Foo3barEi",
    "_ZN3Foo3barEiPKc",
    "_ZN3Foo3bazEi",
    "_ZN2rs6helper17h7ce0015ced815ee7E",
)
PROGRAM = "start: " + "".join(f"call {name}; " for name in NAMES) + "mov eax, 0x3c; xor edi, edi; syscall; "
PROGRAM += "".join(f"{name}: mov eax, {number}; ret; " for number, name in enumerate(NAMES, 1))
RUST, FOO_BAR, FOO_BAR_TEXT, FOO_BAZ = 7, 4, 5, 6


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return elf_file(tmp_path_factory.mktemp("symbols") / "tool.elf", PROGRAM, "start", *NAMES)


def hooked(program: str, parameter: str) -> list[int]:
    """The numbers of the functions whose last instruction an event stands at."""
    session = Session(program)
    session.execute(f"!epthook {parameter} script {{ print(@rax); }}")
    session.run()
    return [int(message.text, 16) for message in session.messages]


def what_is_wrong(program: str, command: str) -> list[str]:
    """Codes and hints of a text that is compiled for the program."""
    ran = command_line("check", "--format", "json", "--program", program, "-e", command)
    return [f"{item['code']} {item['hint']}" for item in map(json.loads, ran.output.splitlines())]


# --- case


@pytest.mark.parametrize(
    ("parameter", "number"),
    [("tool!Log+5", 1), ("tool!log+5", 2), ("Log+5", 1), ("log+5", 2), ("TOOL!log+5", 2), ("tool!CHECK+5", 3)],
)
def test_a_name_is_found_as_it_is_written_else_in_any_case(program: str, parameter: str, number: int) -> None:
    assert hooked(program, parameter) == [number]


def test_a_name_that_fits_two_in_another_case_is_refused_with_both(program: str) -> None:
    assert what_is_wrong(program, "!epthook tool!LOG") == [
        "E014 write one of these as it stands: tool!Log at 4000a4, tool!log at 4000aa"
    ]


def test_commands_scripts_and_code_spell_names_as_the_program_does(program: str) -> None:
    commands = (
        f'.start path "{program}"\n.cls\n? print(tool!Log - tool!log);\nu log l 5\nx tool!L*\nx tool!CH*\nx tool!l?g'
    )
    text = shown(commands, "").split("\x1b[2J")[-1].splitlines()
    assert text[0] == "fffffffffffffffa"
    assert text[1] == "tool!log:"
    assert [line.split()[-1] for line in text[3:]] == ["tool!Log", "tool!check", "tool!log"]


def test_a_crash_is_named_with_the_case_of_its_function(tmp_path: Path) -> None:
    path = elf_file(tmp_path / "crash.elf", "start: call Fails; Fails: hlt", "start", "Fails")
    assert "(crash!Fails)" in command_line("run", "-e", "? print(1);", path).errors


def test_given_names_of_the_kernel_win_in_any_case() -> None:
    table = new_table({"NT!ntclose": 0x55}, Limits())
    assert table.find("nt!NtClose") == Place("nt", "ntclose", 0x55)


# --- places that no symbol names


def test_a_place_before_the_first_symbol_of_a_program_is_an_offset_in_its_module(tmp_path: Path) -> None:
    path = elf_file(tmp_path / "bare.elf", "start: hlt; ret", "start")
    session = Session(path)
    assert session.process is not None
    place = session.symbols.place
    base = session.process.image.base
    assert place(session.process, base + 0x10) == "bare+0x10"
    assert place(session.process, base) == "bare"
    assert place(session.process, session.process.image.entry + 1) == "bare!start+0x1"


def test_a_symbol_names_nothing_outside_of_its_module(tmp_path: Path) -> None:
    session = Session(elf_file(tmp_path / "bare.elf", "start: hlt; ret", "start"))
    assert session.process is not None
    assert session.symbols.place(session.process, session.process.image.base + 0x1000) == ""


def test_a_crash_of_a_program_without_symbols_is_named_by_its_module(tmp_path: Path) -> None:
    path = elf_file(tmp_path / "crash.elf", "nop; hlt")
    assert "at 0x400079 (crash+0x79): exception 0xd" in command_line("run", "-e", "? print(1);", path).errors


def test_bare_code_is_no_module() -> None:
    assert "+0x" not in shown("u 400000 l 4", "nop; hlt")


# --- readable names


@pytest.mark.parametrize(
    ("parameter", "number"),
    [
        ("tool!Foo::baz", FOO_BAZ),
        ("Foo::baz(int)", FOO_BAZ),
        ("tool!Foo::bar(int)", FOO_BAR),
        ("tool!foo::BAZ", FOO_BAZ),
        ('"tool!Foo::bar(int, char const*)"', FOO_BAR_TEXT),
        ("tool!Foo::bar(int,charconst*)", FOO_BAR_TEXT),
        ("rs::helper", RUST),
        ("tool!_ZN3Foo3barEi", FOO_BAR),
    ],
)
def test_a_mangled_name_may_be_written_in_its_readable_form(program: str, parameter: str, number: int) -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    quote = '"' if parameter.startswith('"') else ""
    assert hooked(program, f"{quote}{parameter.strip(quote or None)}+5{quote}") == [number]


def test_a_readable_name_of_two_functions_is_refused_with_both(program: str) -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    (finding,) = what_is_wrong(program, "!epthook tool!Foo::bar")
    assert finding.startswith("E014 write one of these as it stands: tool!_ZN3Foo3barEi at ")
    assert "tool!_ZN3Foo3barEiPKc" in finding


def test_readable_names_are_shown(program: str) -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    text = shown(f'.start path "{program}"\n.cls\nx tool!Foo::ba*\nx *helper*\nu Foo::baz l 5', "").split("\x1b[2J")[-1]
    lines = text.splitlines()
    assert [line.split("  ", 1)[1] for line in lines[:4]] == [
        "tool!_ZN3Foo3barEi  Foo::bar(int)",
        "tool!_ZN3Foo3barEiPKc  Foo::bar(int, char const*)",
        "tool!_ZN3Foo3bazEi  Foo::baz(int)",
        "tool!_ZN2rs6helper17h7ce0015ced815ee7E  rs::helper",
    ]
    assert lines[4] == "tool!Foo::baz(int):"


def test_a_script_takes_a_readable_name_of_one_word() -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    assert new_table({"tool!_Z5twicei": 0x401000}, Limits()).find("tool!twice") == Place("tool", "_Z5twicei", 0x401000)


@pytest.mark.parametrize(
    "name",
    [
        "_Z1f4pairIiiE" + "".join(f"S_IS{digit}_S{digit}_E" for digit in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 9),
        "_Z1f" + "P" * 4000 + "i",
        "_Z1f" + "FvP" * 1300 + "i",
        "_Z" + "N" * 4000,
        "_RNvC1a1" + "B" * 4000,
        "_RINvC1a1f" + "T" * 4000,
        "_RNvC1au900" + "z" * 900,
        "_ZN" + "9" * 4000 + "E",
        "?" * 4000,
        "?f@@YAX" + "V0@" * 1300 + "Z",
        "_ZN4core9u202e$u202e$17h7ce0015ced815ee7E",
        "_Z",
        "_Z" + "1a" * 1_000_000,
    ],
    ids=lambda name: name[:12],
)
def test_a_hostile_name_stays_as_it_is_or_is_read_within_bounds(name: str) -> None:
    found = readable(name)
    assert len(found.full) <= 4096
    assert found.full == "" or found.full.isprintable()


def test_only_so_many_mangled_names_are_looked_at() -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    names = {f"tool!_Z3foo{kind}": number for number, kind in enumerate("ijlm")}
    assert isinstance(new_table(names, Limits(max_demangled_names=2)).find("tool!foo(long)"), Unresolved)
    assert new_table(names, Limits()).find("tool!foo(long)") == Place("tool", "_Z3fool", 2)


# --- names without a module, and near misses


@pytest.mark.parametrize("command", ["bp check+5", "bp tool!check+5", "bp CHECK+5"])
def test_a_bare_name_is_one_of_the_program(program: str, command: str) -> None:
    text = shown(f'.start path "{program}"\n{command}\ng\nr rax', "")
    assert text.endswith("rax=0000000000000003\n") or "rax=3" in text.replace("0", "")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("main", 0x401000),
        ("tool!main+eb", 0x4010EB),
        ("main+0n16", 0x401010),
        ("main-`10", 0x400FF0),
        ("print", 0x402000),
        ("print+8", 0x402008),
        ("tool!main", 0x401000),
        ("KiSystemCall64+3", 0xFFFF_F802_0000_1003),
        ("nt!kisystemcall64", 0xFFFF_F802_0000_1000),
    ],
)
def test_a_parameter_that_names_a_place(text: str, address: int) -> None:
    table = new_table({}, Limits())
    table.add("tool", {"main": 0x401000, "print": 0x402000, "rax": 0x403000}, program=True)
    found = locate(table, text)
    assert found is not None
    assert not isinstance(found, Unresolved)
    assert found.address == address


@pytest.mark.parametrize("text", ["rax", "rax+8", "main+rax", "main+cf", "main+@rax", "poi(main)", "main*2", "@rsp+8"])
def test_registers_and_expressions_keep_their_meaning(text: str) -> None:
    table = new_table({}, Limits())
    table.add("tool", {"main": 0x401000, "rax": 0x403000}, program=True)
    assert locate(table, text) is None


def test_a_bare_name_in_an_expression_of_a_command_is_a_symbol(program: str) -> None:
    text = shown(f'.start path "{program}"\n? print(1);\nprint check - log\nprint tool!check', "")
    assert text.endswith("\n1\n6\n4000b0\n")


def test_a_variable_of_a_script_keeps_its_meaning(program: str) -> None:
    assert shown(f'.start path "{program}"\n.cls\n? check = 5; print(check);', "").endswith("5\n")


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("!epthook tool!chek", "did you mean `tool!check`?"),
        ("!epthook chek", "did you mean `tool!check`?"),
        ("!epthook tol!check", "did you mean `tool!check`?"),
        ("!epthook other!check", "did you mean `tool!check`?"),
        ("!epthook nt!KiSystmCall64", "did you mean `nt!KiSystemCall64`?"),
        ("!epthook tool!chek+@rax", "did you mean `tool!check`?"),
        ("!epthook chek+@rax", "did you mean `tool!check`?"),
        ("? print(tool!chek);", "did you mean `tool!check`?"),
    ],
)
def test_a_near_miss_is_suggested(program: str, command: str, hint: str) -> None:
    assert what_is_wrong(program, command) == [f"E011 {hint}"]


@pytest.mark.parametrize("command", ["x tool!chek", "x chek", "x tol!check", "bp chek", "u tool!chek", "db chek+@rax"])
def test_a_near_miss_in_a_command_is_suggested(program: str, command: str) -> None:
    ran = command_line("run", "--quiet", "-e", command, program)
    assert "E240" in ran.errors
    assert "did you mean `tool!check`?" in ran.errors


def test_a_near_readable_name_is_suggested(program: str) -> None:
    pytest.importorskip("demangle", reason="the package demangle is not installed")
    assert what_is_wrong(program, "!epthook tool!Foo::baaz") == ["E011 did you mean `tool!Foo::baz`?"]


def test_a_program_of_which_nothing_is_known_changes_nothing() -> None:
    table = SymbolTable({"tool!main": 1})
    table.prefer("guest")
    assert isinstance(table.find("main"), Unresolved)
    assert table.find("tool!main") == Place("tool", "main", 1)


def test_hints_end_after_some_dozens() -> None:
    table = SymbolTable({f"tool!name{number}": number for number in range(200)})
    hints = [table.find(f"tool!nam{number}") for number in range(200)]
    offered = [item for item in hints if isinstance(item, Unresolved) and "did you mean" in str(item.hint)]
    assert 0 < len(offered) <= 32


def test_an_event_at_a_symbol_gives_no_warning(program: str) -> None:
    assert what_is_wrong(program, "!epthook check script { print(1); }") == []


def test_a_number_like_function_says_how_the_number_is_written(program: str) -> None:
    assert what_is_wrong(program, "? print(tool!check+eb);") == ["E030 eb(...); the number is written 0xeb"]
    assert what_is_wrong(program, "!epthook tool!check+eb") == []


# --- check, compile and eval know the symbols of a program


def test_check_compile_and_eval_take_programs(program: str, tmp_path: Path) -> None:
    script = tmp_path / "hook.hds"
    script.write_text("!epthook tool!check script { print(tool!Log); }")
    assert command_line("check", str(script)).code == 1
    assert command_line("check", "--program", program, str(script)).code == 0
    assert command_line("compile", "--program", program, str(script), "-o", str(tmp_path / "hook.hdc")).code == 0
    assert command_line("eval", "--program", program, "-e", "print(tool!check);").output == "4000b0\n"
    assert command_line("run", "--quiet", str(tmp_path / "hook.hdc"), program).output == "4000a4\n"


def test_check_takes_several_programs(program: str, tmp_path: Path) -> None:
    other = elf_file(tmp_path / "other.elf", "start: nop; second: nop", "start", "second")
    ran = command_line("check", "--program", program, "--program", other, "-e", "? print(tool!check + other!second);")
    assert ran.code == 0


@pytest.mark.parametrize("content", [b"", b"echo hello\n", b"\x7fELF", b"MZ"])
def test_a_program_without_symbols_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tool"
    path.write_bytes(content)
    ran = command_line("check", "--program", str(path), "-e", "? print(1);")
    assert (ran.code, ran.errors.startswith(f"hds: --program {path}: ")) == (5, True)


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot read" in command_line("check", "--program", str(tmp_path / "no"), "-e", "? print(1);").errors


# --- what hds does not carry out


def test_check_warns_of_what_hds_refuses() -> None:
    ran = command_line("check", "--format", "json", "-e", "!syscall\ntest query\nr\n!smi count")
    found = [json.loads(line) for line in ran.output.splitlines()]
    assert [(item["code"], item["severity"], item["line"]) for item in found] == [
        ("W030", "warning", 2),
        ("W030", "warning", 4),
    ]
    assert ran.code == 0


@pytest.mark.parametrize("kind", [kind for kind in EVENT_KINDS if kind.commands], ids=lambda kind: kind.name)
def test_check_warns_of_the_events_that_run_refuses(kind: EventKind) -> None:
    _, _, access = kind.name.partition(" ")
    options = {"!monitor": f" {access} 401000 401fff", "!epthook": " 401000", "!epthook2": " 401000"}
    options |= {"!interrupt": " 20", "!crwrite": " 0", "!mode": " u pid 4", "!trace": " step-in"}
    ran = command_line("check", "--format", "json", "-e", kind.commands[0] + options.get(kind.commands[0], ""))
    codes = [json.loads(line)["code"] for line in ran.output.splitlines()]
    assert codes == ([] if kind.emulated else ["W030"])


def test_the_list_of_commands_says_the_same_as_the_list_of_events() -> None:
    def rows(table: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in command_line("list", table, "--format", "json").output.splitlines()]

    waiting = {
        c for row in rows("events") if "not emulated yet" in row["triggers when"] for c in row["commands"].split(", ")
    }
    shown_so = {row["command"] for row in rows("commands") if row["offline"] == "not emulated yet"}
    assert shown_so == waiting - {"-"}
    assert "!syscall" not in shown_so


# --- the kernel's


@pytest.mark.parametrize(("kernel", "lstar"), [("nt", 0xFFFF_F802_0000_1000), ("bare", 0xFFFF_F800_0000_1000)])
def test_the_handler_at_lstar_has_its_name(kernel: str, lstar: int) -> None:
    text = shown(f"x nt!KiSys*\nprint nt!KiSystemCall64\nu {lstar:x} l 3", kernel=kernel).splitlines()
    assert text[0].endswith("  nt!KiSystemCall64")
    assert text[1:3] == [f"{lstar:x}", "nt!KiSystemCall64:"]


def test_the_kernel_is_a_module() -> None:
    assert "fffff802`00001000\t1000\tnt\t" in shown("lm km", kernel="nt")


def test_the_service_of_a_system_call_is_hooked_by_its_name() -> None:
    guest = (
        "mov r10, 0x1234; mov rdx, 5; mov eax, 0xf; syscall; mov ebx, eax; mov eax, 0x7ee; syscall; mov esi, eax; hlt"
    )
    commands = '!epthook nt!NtClose script { printf("%llx %llx %llx\\n", @rcx, @r10, @rax); }\ng\nr rbx\nr rsi'
    text = shown(commands, guest, kernel="nt")
    assert text.splitlines()[0] == "1234 1234 f"
    assert text.count("1234 1234") == 1
    assert "c0000008" in text  # STATUS_INVALID_HANDLE, whether or not somebody looks on
    assert "c000001c" in text


def test_names_of_services_are_known_under_nt_only() -> None:
    assert refused("bp nt!NtClose", kernel="bare") == "err, couldn't resolve error at 'nt!NtClose'"
    assert "NtClose" not in shown("bp nt!NtClose", kernel="nt")


def test_what_is_mapped_and_unmapped_later_is_looked_for_anew(program: str) -> None:
    session = Session(program)
    process, place = session.process, 0x7000_0000
    assert process is not None
    memory = process.cpu.memory
    before = session.symbols.place(process, place + 0x20)
    library = Area(place, place + 0x1000, Protection.READ, "/lib/libnone.so")
    memory.map(library)
    memory.write(place, b"\x7fELF" + bytes(60))
    assert [module.path for module in session.symbols.modules(process)] == ["/lib/libnone.so"]
    memory.unmap(place, place + 0x1000)
    assert session.symbols.modules(process) == ()
    assert session.symbols.place(process, place + 0x20) == before
