"""Windows programs on Wine's DLLs: their output, their exit codes, the calls that they make after the loader's."""

from __future__ import annotations

import io
import json
import re
import struct
import sys
from pathlib import Path

import pytest
from effort import often
from windows_world import make_root, needs_wine, run

from hds.cli.main import main
from hds.exit_codes import ExitCode
from hds.report.records import GuestOutput, Record
from hds.session.engines import load_engine
from hds.session.execution import ENDED_BEFORE_ENTRY
from hds.session.session import Session
from hds.session.summary import summarize
from hds.session.symbols import Located
from machine.kernel.linux import World
from machine.loaders import LoadError
from machine.machine import StopCause
from machine.options import MachineOptions
from machine.records import Notice
from vm.facts.registers import RIP

pytestmark = [needs_wine, pytest.mark.programs]
PLAIN = ("free", "k32", "hello", "virt", "thr", "exc", "div", "seh", "seh2", "cpp", "reg", "clock", "cat")
both_engines = pytest.mark.parametrize("engine", ["native", "reference"])
MORE = ("int3", "lib", "sync", "guard", "deep", "stub")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="session")
def root(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("windows") / "c", built, *PLAIN, *MORE)


@pytest.fixture
def own_root(built: Path, tmp_path: Path) -> Path:
    """A folder that the program may write to."""
    return make_root(tmp_path / "c", built, "file")


def test_the_summary_names_the_exception_that_nobody_has_handled(root: Path) -> None:
    session, _ = session_of(root, "div")
    session.run()
    text = summarize(session).stopped
    wanted = r"div\.exe exited with code \d+ \(0xc000001d, STATUS_ILLEGAL_INSTRUCTION\): exception at 0x1400\w+ .* 1004"
    assert re.search(wanted, text)


@pytest.mark.parametrize(("how", "thread"), [("m", "1004"), ("t", "1008"), ("g", "1008"), ("h", "1004")])
def test_a_stack_that_is_used_up_ends_the_program_with_its_status(root: Path, how: str, thread: str) -> None:
    found = run(root, "deep", how)
    assert found.code == 0xC000_00FD
    assert found.lines == {"g": ["guarantee 1"], "h": [f"{n}: 1 reset 1" for n in range(5)]}.get(how, [])
    assert found.summary is not None
    assert found.summary.ends[0].describe().endswith(f"in thread {thread}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "msvcrt.dll!_heapused is not implemented: a stub in Wine's DLLs, not in Windows' own"),
        (("x",), "the KERNEL32.dll of this folder has no InitializeSynchronizationBarrier"),
    ],
)
def test_a_stub_of_wine_is_named(root: Path, words: tuple[str, ...], told: str) -> None:
    found = run(root, "stub", *words)
    assert (found.code, found.lines) == (0x8000_0100, ["before"])
    assert found.summary is not None
    assert found.summary.ends[0].describe().endswith(f" in thread 1004: {told}")


@both_engines
def test_a_folder_that_is_only_shown_is_not_written(own_root: Path, engine: str) -> None:
    session, said = session_of(own_root, "file", writable=False, engine=engine)
    session.execute("!syscall 55 script { .asked = 1; } ")
    session.execute('!sysret script { if (.asked) { printf("%llx", @rax & ffffffff); } .asked = 0; }')
    session.run()
    assert [message.text for message in session.messages] == [b"c0000022"]
    assert (said.text, summarize(session).exit_code) == (b"open 0 err 5\r\n", 1)
    assert sorted(path.name for path in (own_root / "prog").iterdir()) == ["file.exe"]


@pytest.mark.parametrize("writable", [False, True])
def test_no_path_leads_out_of_the_folder(built: Path, tmp_path: Path, writable: bool) -> None:
    root = make_root(tmp_path / "c", built, "outside")
    secret = tmp_path / "secret.txt"
    secret.write_text("kept")
    (root / "prog" / "link.txt").symlink_to(secret)
    (root / "prog" / "up").symlink_to(tmp_path)
    outside = str(secret).replace("/", "\\")
    ways = [
        "link.txt", "up\\secret.txt", "..\\..\\secret.txt", "C:\\..\\secret.txt", "\\\\?\\C:\\..\\secret.txt",
        f"Z:{secret}", f"\\\\?\\unix{secret}", "\\\\host\\share\\secret.txt", "\\\\.\\C:", "\\\\.\\PhysicalDrive0",
        str(secret), outside, f"C:\\prog\\..\\..\\..{outside}", f"\\\\?\\C:\\prog\\..\\..\\..{outside}",
    ]  # fmt: skip
    before = sorted(tmp_path.iterdir())
    found = run(root, "outside", *ways, writable=writable)
    assert len(found.lines) == len(ways)
    assert [line for line in found.lines if line.startswith("[kept]")] == []
    assert secret.read_text() == "kept"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.nightly
def test_threads_take_the_same_turns_in_every_run(root: Path) -> None:
    first = run(root, "thr")
    for _ in range(often(2, 20) - 1):
        again = run(root, "thr")
        assert (again.text, again.calls) == (first.text, first.calls)


def test_a_reg_file_sets_what_the_program_reads(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.reg"
    file.write_text(
        "Windows Registry Editor Version 5.00\n\n"
        "[HKEY_LOCAL_MACHINE\\Software\\Microsoft\\Windows NT\\CurrentVersion]\n"
        '"ProductName"="Mine"\n[HKEY_LOCAL_MACHINE\\Software\\Nobody]\n"x"=dword:00000005\n'
    )
    assert run(root, "reg", registry=(file,)).lines == ["open 0", "query 0 Mine", "absent 0"]


def test_a_broken_reg_file_is_refused(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.reg"
    file.write_text("Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\a]\nnonsense\n")
    with pytest.raises(LoadError, match="line 3"):
        run(root, "reg", registry=(file,))


def test_without_a_folder_the_program_is_refused_with_the_way_out(root: Path) -> None:
    with pytest.raises(LoadError) as caught:
        Session(root / "prog" / "hello.exe")
    assert "imports from DLLs" in caught.value.message
    assert "--root" in caught.value.hint


def test_the_doctor_says_what_becomes_of_the_calls_of_this_ntdll(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--root", str(root), "--format", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    calls = {row["call"]: (row["number"], row["here"]) for row in rows if row["type"] == "call"}
    assert calls["NtCreateFile"] == ("55", "carried out")
    assert calls["NtReplyWaitReceivePort"] == ("b", "answered by default: STATUS_NOT_IMPLEMENTED")
    assert calls["__wine_dbg_write"] == ("800, private", "unknown: STATUS_NOT_IMPLEMENTED")
    assert {row["here"] for row in rows if row["type"] == "file"} >= {"C:\\windows\\system32\\ntdll.dll"}


def test_the_doctor_names_the_files_that_a_program_misses_and_who_imports_them(
    own_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("msvcrt", "kernelbase"):
        (own_root / "Windows" / "System32" / f"{name}.dll").unlink()
    program = str(own_root / "prog" / "file.exe")
    assert main(["doctor", "--root", str(own_root), program]) == 1
    text = capsys.readouterr().out
    assert re.search(r"^files: \d+ found, 2 missing$", text, re.MULTILINE)
    assert re.search(r"^  missing +msvcrt\.dll \(imported by file\.exe\)$", text, re.MULTILINE)
    assert re.search(r"^  missing +kernelbase\.dll \(imported by kernel32\.dll\)$", text, re.MULTILINE)
    assert main(["doctor", "--root", str(own_root), "--format", "json", program]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    missing = {row["file"]: row["importers"] for row in rows if row["here"] == "missing"}
    assert missing == {"kernelbase.dll": ["kernel32.dll"], "msvcrt.dll": ["file.exe"]}


_OTHER_MACHINE = b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x4c\x01" + bytes(300)


@pytest.mark.parametrize("name", ["msvcrt.dll", "kernelbase.dll", "ntdll.dll"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "section '.text': its bytes lie beyond the end of the file; is the file complete?"),
        (b"", "not a PE file: it does not begin with the magic bytes 4d 5a"),
        (b"MZ", "not a PE file: "),
        (_OTHER_MACHINE, "not an x86-64 program (machine 0x14c); only 64-bit x86 can be emulated"),
    ],
    ids=["truncated", "empty", "none", "32-bit"],
)
def test_the_doctor_reports_a_broken_file_beside_all_others(
    own_root: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes | None, why: str
) -> None:
    path, program = own_root / "Windows" / "System32" / name, str(own_root / "prog" / "file.exe")
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:2000] if data is None else data)
    assert main(["doctor", "--root", str(own_root), program]) == 1
    text = capsys.readouterr().out
    assert re.search(r"^files: [1-9]\d* found, 0 missing, 1 broken$", text, re.MULTILINE)
    assert "kernel32.dll" in text
    importer = r"kernel32\.dll" if name == "kernelbase.dll" else r"file\.exe"
    where = re.escape(f"C:\\windows\\system32\\{name}")
    assert re.search(rf"^  broken +{where} \(imported by .*{importer}.*\): {re.escape(why)}", text, re.MULTILINE)
    assert main(["doctor", "--root", str(own_root), "--format", "json", program]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    broken = [row for row in rows if row["here"] == "broken"]
    assert [row["file"] for row in broken] == [name]
    assert broken[0]["why"].startswith(why)
    assert not [row for row in rows if row["here"] == "missing"]
    assert main(["run", "--root", str(own_root), "-e", "? print(1);", program]) == 5
    said = capsys.readouterr().err
    assert re.search(rf"hds: {where} \(imported by .*{importer}\): {re.escape(why.partition(';')[0])}", said)


def test_the_doctor_looks_at_a_dll_as_at_a_program(own_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = own_root / "Windows" / "System32"
    (system / "sechost.dll").unlink()
    assert main(["doctor", "--root", str(own_root), str(system / "advapi32.dll")]) == 1
    assert re.search(r"^  missing +sechost\.dll \(imported by .*advapi32\.dll", capsys.readouterr().out, re.MULTILINE)
    assert main(["doctor", "--root", str(own_root), str(system / "msvcrt.dll")]) == 0
    (own_root / "prog" / "x.dll").write_bytes(b"\x7fELF" + bytes(100))
    assert main(["doctor", "--root", str(own_root), str(own_root / "prog" / "x.dll")]) == 5
    assert "not a PE file" in capsys.readouterr().err


NAMED = "!epthook version!GetFileVersionInfoSizeA script { print(@rcx); }\n? print(kernel32!CreateFileW);\n"


def test_the_checker_knows_the_dlls_of_a_folder(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, folder = tmp_path / "named.hds", str(root)
    script.write_text(NAMED)
    assert main(["check", str(script)]) == 1
    assert capsys.readouterr().out.count("E011") == 2
    assert main(["check", "--root", folder, str(script)]) == 0
    assert main(["check", "--root", folder, "--program", str(root / "prog" / "lib.exe"), str(script)]) == 0
    capsys.readouterr()
    script.write_text("? print(kernel32!CreateFileV);\n")
    assert main(["check", "--root", folder, str(script)]) == 1
    assert "did you mean `kernel32!CreateFile" in capsys.readouterr().out


def test_the_checker_has_the_addresses_of_the_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = str(root / "prog" / "lib.exe")
    question = ["--root", str(root), "-e", '? printf("%llx", version!GetFileVersionInfoSizeA);']
    assert main(["run", "--guest-output", "none", *question, program]) == 0
    wanted = capsys.readouterr().out.strip()
    script = 'printf("%llx", version!GetFileVersionInfoSizeA);'
    assert main(["eval", "--root", str(root), "--program", program, "-e", script]) == 0
    assert wanted
    assert wanted in capsys.readouterr().out


def test_a_folder_without_dlls_is_refused_by_the_checker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--root", str(tmp_path), "-e", "? print(kernel32!X);"]) == ExitCode.NO_INPUT
    assert "ntdll.dll" in capsys.readouterr().err


# --- events


class Output:
    """What the guest prints, and what is noted."""

    def __init__(self) -> None:
        self.text = b""
        self.notices: list[str] = []

    def report(self, record: Record, /) -> None:
        if isinstance(record, GuestOutput):
            self.text += record.data
        elif isinstance(record, Notice):
            self.notices.append(record.text)


def session_of(
    root: Path, name: str, *, arguments: tuple[str, ...] = (), writable: bool = True, events_from: str | None = None,
    engine: str | None = None,
) -> tuple[Session, Output]:  # fmt: skip
    said = Output()
    options = MachineOptions(world=World(root, writable))
    program = root / "prog" / f"{name}.exe"
    made = load_engine(engine, options.limits)
    return Session(program, options, engine=made, reporter=said, arguments=arguments, events_from=events_from), said


@both_engines
def test_a_dll_whose_place_is_taken_has_its_symbols_where_it_is(built: Path, tmp_path: Path, engine: str) -> None:
    root = make_root(tmp_path / "c", built, "taken")
    planned, _ = session_of(root, "taken", engine=engine)
    planned.execute("!epthook version!GetFileVersionInfoSizeA script { }")
    found = planned.symbols.locate("version!GetFileVersionInfoSizeA", planned.process)
    assert isinstance(found, Located)
    plan = planned.process.image.windows if planned.process is not None else None
    assert plan is not None
    base = plan.modules["version.dll"].base
    session, said = session_of(root, "taken", arguments=(f"{base:x}",), engine=engine)
    session.execute("!epthook version!GetFileVersionInfoSizeA script { }")
    session.run()
    assert said.text == b"taken 1 moved 1 size 0\r\n"
    assert session.process is not None
    (module,) = (each for each in session.symbols.modules(session.process) if each.path.endswith("version.dll"))
    told = f"it waits at {found.address:#x}, where version.dll was to be, which is mapped at {module.start:#x} instead"
    assert said.notices == [told]
    assert module.start != base
    assert module.entry - module.start == plan.modules["version.dll"].file.entry
    moved = found.address - base + module.start
    assert session.symbols.place(session.process, moved) == "version!GetFileVersionInfoSizeA"
    data = next(each for each in plan.modules["version.dll"].file.sections if each.name == ".rdata").relative
    assert session.symbols.place(session.process, module.start + data + 8) == f"version+0x{data + 8:x}"
    assert "(taken!main+0x" in summarize(session).stopped


def test_a_function_that_has_no_name_is_an_offset_in_its_module(root: Path) -> None:
    session, _ = session_of(root, "free")
    session.execute("!syscall script { }")
    process = session.process
    assert process is not None
    assert process.image.windows is not None
    ntdll = process.image.windows.ntdll
    begins = [begin for begin, _, _ in struct.iter_unpack("<III", ntdll.file.read(*ntdll.file.directory(3)))]
    known = {symbol.address - ntdll.base for symbol in process.image.windows.symbols(ntdll)}
    named, hidden = (next(each for each in begins if (each in known) is wanted) for wanted in (True, False))
    assert session.symbols.place(process, ntdll.base + hidden + 4) == f"ntdll+0x{hidden + 4:x}"
    assert re.fullmatch(r"ntdll!\w+\+0x4", session.symbols.place(process, ntdll.base + named + 4))


@both_engines
def test_events_begin_at_the_entry_point_of_a_windows_program(root: Path, engine: str) -> None:
    session, _ = session_of(root, "free", engine=engine)
    session.execute('!syscall script { printf("%llx", $context); }')
    assert session.process is not None
    assert session.process.cpu.registers.read(RIP) == session.process.image.entry
    session.run()
    assert [message.text for message in session.messages] == [b"8", b"2c"]  # NtWriteFile, NtTerminateProcess
    assert summarize(session).exit_code == 7


EVERY_CALL = """
!syscall script { printf("%llx(%llx, %llx, %llx)", $context, @r10, @rdx, @r8); }
!sysret script { .returned = .returned + 1; printf(" = %llx, %lld", @rax, .returned); }
"""


@pytest.mark.nightly
@pytest.mark.parametrize("name", often(("free", "exc"), PLAIN + MORE[:4]))
def test_scripts_on_every_call_say_the_same_on_both_engines(root: Path, name: str) -> None:
    found = []
    for engine in ("native", "reference"):
        session, said = session_of(root, name, events_from="start", engine=engine)
        session.execution.halts_at_int3 = False
        session.execute(EVERY_CALL)
        session.run()
        texts = [message.text for message in session.messages]
        assert len(texts) > 50
        found.append((texts, said.text, summarize(session)))
    assert found[0] == found[1]


def test_the_console_begins_at_the_entry_point(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("r rip\n"))
    assert main(["console", "--root", str(root), str(root / "prog" / "free.exe")]) == 0
    found = capsys.readouterr()
    entry = re.search(r"rip=([0-9a-f]{8})([0-9a-f]{8})", found.out)
    assert entry is not None
    assert f"{entry[1]}`{entry[2]} " in found.err


def test_a_program_that_ends_in_its_loader_says_so(own_root: Path) -> None:
    (own_root / "Windows" / "System32" / "msvcrt.dll").unlink()
    session, said = session_of(own_root, "file")
    session.execute("!syscall script { print($context); }")
    assert [notice for notice in said.notices if "hds doctor" in notice] == [ENDED_BEFORE_ENTRY]
    assert summarize(session).exit_code == 0xC000_0135  # STATUS_DLL_NOT_FOUND


def test_events_from_the_start_see_the_calls_of_the_loader(root: Path) -> None:
    session, _ = session_of(root, "free", events_from="start")
    session.execute('!syscall script { .seen = .seen + 1; if (.seen == 1) { printf("%llx", $context); } }')
    session.run()
    assert session.triggers > 20


def test_start_loads_a_windows_program_up_to_its_entry_point(root: Path) -> None:
    session = Session(None, MachineOptions(world=World(root)))
    session.execute('!syscall script { printf("%llx", $context); }')
    session.execute(f".start path {root / 'prog' / 'free.exe'}")
    assert session.messages == []
    assert session.process is not None
    assert session.process.cpu.registers.read(RIP) == session.process.image.entry
    session.run()
    assert [message.text for message in session.messages] == [b"8", b"2c"]


@both_engines
def test_a_script_reads_the_name_in_every_call_of_its_windows_number(own_root: Path, engine: str) -> None:
    session, _ = session_of(own_root, "file", engine=engine)
    session.execute('!syscall 55 script { printf("%ws", poi(poi(@r8+10)+8)); }')
    session.run()
    assert [message.text for message in session.messages] == [b"\\??\\C:\\prog\\t.txt"] * 3


@both_engines
def test_an_export_is_hooked_before_its_module_is_mapped(own_root: Path, engine: str) -> None:
    session, _ = session_of(own_root, "file", events_from="start", engine=engine)
    session.execute('!epthook kernel32!CreateFileW script { printf("%ws", @rcx); }')
    session.run()
    assert [message.text for message in session.messages] == [b"t.txt"] * 2


@both_engines
def test_a_module_that_only_scripts_name_is_hooked_before_it_is_loaded(root: Path, engine: str) -> None:
    session, _ = session_of(root, "lib", engine=engine)
    session.execute('!epthook version!GetFileVersionInfoSizeA script { printf("%s", @rcx); }')
    assert session.run().cause is StopCause.EXIT
    assert [message.text for message in session.messages] == [b"nothing.dll"]


@pytest.fixture
def with_plugins(built: Path, tmp_path: Path) -> Path:
    """A folder whose program finds more DLLs below its own folder."""
    made = make_root(tmp_path / "c", built, "late")
    (made / "prog" / "more" / "inner").mkdir(parents=True)
    data = (made / "Windows" / "System32" / "version.dll").read_bytes()
    (made / "prog" / "more" / "inner" / "Plugin.dll").write_bytes(data)
    return made


@both_engines
@pytest.mark.parametrize("path", ["more\\inner\\plugin.dll", "C:\\PROG\\more\\inner\\Plugin.dll"])
def test_a_dll_below_the_programs_folder_is_hooked_before_it_is_loaded(
    with_plugins: Path, engine: str, path: str
) -> None:
    session, said = session_of(with_plugins, "late", arguments=(path,), engine=engine)
    session.execute('!epthook plugin!GetFileVersionInfoSizeA script { printf("%s", @rcx); }')
    session.run()
    assert [message.text for message in session.messages] == [b"nothing.dll"]
    assert said.text == b"size 0\r\n"


def test_the_names_of_a_dll_that_nobody_has_planned_are_known_once_it_is_mapped(with_plugins: Path) -> None:
    """It comes into being while the program runs, and is named by nobody before."""
    arguments = ("more\\inner\\plugin.dll=own.dll", "own.dll")
    session, _ = session_of(with_plugins, "late", arguments=arguments)
    session.execute("!syscall 28 script { .mapped = .mapped + 1; }")
    session.run()
    assert session.process is not None
    modules = {module.path: module for module in session.symbols.modules(session.process)}
    own = modules["C:\\prog\\own.dll"]
    found = session.symbols.locate("own!GetFileVersionInfoSizeA", session.process)
    assert isinstance(found, Located)
    assert own.start < found.address < own.end
    assert session.symbols.place(session.process, found.address) == "own!GetFileVersionInfoSizeA"


def test_a_planned_dll_that_the_program_has_changed_is_mapped_as_it_is_then(with_plugins: Path) -> None:
    prog = with_plugins / "prog"
    (prog / "Plugin.dll").write_bytes((prog / "more" / "inner" / "Plugin.dll").read_bytes())
    changed = with_plugins / "Windows" / "System32" / "zlib1.dll"
    arguments = (f"C:\\Windows\\System32\\{changed.name}=plugin.dll",)
    session, said = session_of(with_plugins, "late", arguments=arguments)
    session.execute('!epthook plugin!GetFileVersionInfoSizeA script { printf("%s", @rcx); }')
    session.run()
    assert said.text == b"copy 1\r\nsize -1\r\n"
    assert session.messages == []
    (told,) = said.notices
    assert re.fullmatch(r"it waits at 0x\w+, where plugin\.dll was to be, which is mapped at 0x\w+ instead", told)


def test_a_started_program_may_have_its_dlls_named_in_the_same_file(root: Path) -> None:
    session = Session(None, MachineOptions(world=World(root)))
    path = root / "prog" / "lib.exe"
    session.execute(f'.start path {path}\n!epthook version!GetFileVersionInfoSizeA script {{ printf("%s", @rcx); }}')
    session.run()
    assert [message.text for message in session.messages] == [b"nothing.dll"]


def test_a_forwarder_is_a_name_of_its_target(root: Path) -> None:
    session, _ = session_of(root, "hello")
    names = ("kernel32!HeapAlloc", "ntdll!RtlAllocateHeap")
    addresses = {getattr(session.symbols.locate(name, session.process), "address", None) for name in names}
    assert len(addresses) == 1
    assert None not in addresses


@both_engines
def test_a_blocked_call_is_what_the_program_sees(own_root: Path, engine: str) -> None:
    session, said = session_of(own_root, "file", engine=engine)
    session.execute("!syscall 55 sc on stage pre script { event_sc(1); @rax = c0000022; }")
    session.run()
    assert re.fullmatch(r"open 0 err 5\s*", said.text.decode())
