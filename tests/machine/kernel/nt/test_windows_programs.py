"""Windows programs on Wine's DLLs: their output, their exit codes, the calls that they make after the loader's."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest
from effort import often
from windows_world import make_root, needs_wine, run

from hds.cli.main import main
from hds.report.records import GuestOutput, Record
from hds.session.engines import load_engine
from hds.session.execution import ENDED_BEFORE_ENTRY
from hds.session.session import Session
from hds.session.summary import summarize
from machine.kernel.linux import World
from machine.loaders import LoadError
from machine.machine import StopCause
from machine.options import MachineOptions
from machine.records import Notice
from vm.facts.registers import RIP

pytestmark = [needs_wine, pytest.mark.programs]
PLAIN = ("free", "k32", "hello", "virt", "thr", "exc", "div", "seh", "seh2", "cpp", "reg", "clock", "cat")
both_engines = pytest.mark.parametrize("engine", ["native", "reference"])
MORE = ("int3", "lib", "sync", "guard")


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
    assert re.search(r"div\.exe exited with code 3221225501: exception c000001d at 0x1400\w+ .*in thread 1004", text)


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


def test_the_doctor_names_the_files_that_a_program_misses(own_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_root / "Windows" / "System32" / "msvcrt.dll").unlink()
    assert main(["doctor", "--root", str(own_root), str(own_root / "prog" / "file.exe")]) == 1
    text = capsys.readouterr().out
    assert re.search(r"^files: \d+ found, 1 missing$", text, re.MULTILINE)
    assert re.search(r"^  missing +msvcrt\.dll$", text, re.MULTILINE)


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
    root: Path, name: str, *modules: str, writable: bool = True, events_from: str | None = None,
    engine: str | None = None,
) -> tuple[Session, Output]:  # fmt: skip
    said = Output()
    options = MachineOptions(world=World(root, writable))
    program = root / "prog" / f"{name}.exe"
    made = load_engine(engine, options.limits)
    return Session(program, options, engine=made, reporter=said, modules=modules, events_from=events_from), said


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
@pytest.mark.parametrize("name", often(("free", "exc"), PLAIN + MORE))
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
    session, _ = session_of(root, "lib", "version", engine=engine)
    session.execute('!epthook version!GetFileVersionInfoSizeA script { printf("%s", @rcx); }')
    assert session.run().cause is StopCause.EXIT
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
