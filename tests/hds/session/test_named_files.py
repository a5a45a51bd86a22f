"""Files that a command line or a command names: hds neither waits for any of them nor runs out of memory."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file, refused, session

from hds import Session
from lang.compiler import Compiler
from machine.kernel.linux import World
from machine.loaders import LoadError
from vm.bundle import MAGIC as BUNDLE_MAGIC
from vm.drives import read_drives
from vm.program import MAGIC as PROGRAM_MAGIC

pytestmark = pytest.mark.slow

WATCHDOG_SECONDS = 60


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """A call that waits for ever fails the test."""

    def give_up(*_: object) -> None:
        raise AssertionError("hds waits")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(WATCHDOG_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


@pytest.fixture
def stuck(fifo: str) -> Iterator[str]:
    """A FIFO that somebody holds at both ends, and neither reads nor writes."""
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    yield fifo
    os.close(descriptor)


# --- command lines

INPUTS = (
    ("run", "{}"), ("run", "-e", "g", "{}"), ("run", "--stdin", "{}", "--kernel", "linux", "-e", "g"),
    ("check", "{}"), ("compile", "-o", "-", "{}"), ("compile", "-o", "{}", "-e", "print(1);"), ("fmt", "{}"),
    ("fmt", "-w", "{}"), ("disasm", "{}"), ("conform", "{}"), ("eval", "{}"), ("eval", "--memory", "0=@{}", "-e", ";"),
)  # fmt: skip


@pytest.mark.parametrize("words", INPUTS, ids=" ".join)
def test_a_command_line_refuses_a_fifo(fifo: str, words: tuple[str, ...]) -> None:
    ran = command_line(*(word.format(fifo) for word in words))
    assert f"{fifo}: it is a FIFO" in ran.errors
    assert ran.code in (3, 5)
    assert ran.output == ""


@pytest.mark.parametrize("words", INPUTS, ids=" ".join)
def test_a_command_line_refuses_a_fifo_that_is_held_open(stuck: str, words: tuple[str, ...]) -> None:
    assert f"{stuck}: it is a FIFO" in command_line(*(word.format(stuck) for word in words)).errors


@pytest.mark.parametrize("suffix", ["", ".hds", ".hdc"])
@pytest.mark.parametrize("words", [words for words in INPUTS if "-o" not in words or "-" in words], ids=" ".join)
def test_a_command_line_refuses_an_endless_and_a_huge_file(tmp_path: Path, words: tuple[str, ...], suffix: str) -> None:
    device, large = tmp_path / f"device{suffix}", tmp_path / f"large{suffix}"
    device.symlink_to("/dev/zero")
    with large.open("wb") as file:
        file.write(BUNDLE_MAGIC)
        file.truncate(20 << 30)
    ran = command_line(*(word.format(device) for word in words))
    assert f"{device}: it is a device" in ran.errors
    ran = command_line(*(word.format(large) for word in words))
    assert f"{large} is larger than " in ran.errors
    assert "(limit max_" in ran.errors
    assert ran.code in (3, 5)


def test_the_limit_of_a_compiled_file_has_a_flag(tmp_path: Path) -> None:
    path = str(tmp_path / "small.hdc")
    assert command_line("compile", "-e", "? print(1);", "-o", path).code == 0
    assert command_line("run", path).output == "1\n"
    ran = command_line("run", "--max-compiled-bytes", "10", path)
    assert (ran.code, ran.errors) == (3, f"hds: {path} is larger than 10 bytes (limit max_compiled_bytes)\n")


@pytest.mark.parametrize("words", [("run", "--timeout", "0.2", "-"), ("run", "--timeout", "0.2", "-", "{}")])
def test_a_script_from_standard_input_has_until_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"print 5\n")
    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        ran = command_line(*(word.format(listing_file(tmp_path)) for word in words))
    os.close(writing)
    assert (ran.code, ran.output) == (6, "")
    assert ran.errors == "hds: standard input did not end within 0.2 s (--timeout)\n"


def test_a_script_comes_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"print 5\n")
    os.close(writing)
    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert command_line("run", "--timeout", "50", "-").output == "5\n"


# --- commands

COMMANDS = (
    'output create o file "{}"', '.logopen "{}"', '.dump 400000 400010 path "{}"', '.script "{}"', '.start path "{}"',
    '!syscall script {{file:{}}}', '? #include "{}"', 'output create o module "{}"',
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_a_fifo(stuck: str, tmp_path: Path, command: str) -> None:
    ran = command_line(
        "run", "--timeout", "1", "--quiet", "--allow-modules", "-e", command.format(stuck), listing_file(tmp_path)
    )
    assert ran.code == 1
    assert "it is a FIFO" in ran.errors or "no such file" in ran.errors


@pytest.mark.parametrize("command", [command for command in COMMANDS if "module" not in command])
def test_a_command_refuses_a_folder_and_a_device(tmp_path: Path, command: str) -> None:
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("device", "folder"):
        ran = command_line("run", "--quiet", "-e", command.format(tmp_path / name), listing_file(tmp_path))
        assert ran.code == 1
        assert "it is a device" in ran.errors or "it is a directory" in ran.errors


@pytest.mark.parametrize("command", ['.script "{}"', "!syscall script {{file:{}}}", '? #include "{}"'])
def test_a_command_refuses_a_huge_script(tmp_path: Path, command: str) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(20 << 30)
    ran = command_line("run", "--quiet", "-e", command.format(tmp_path / "large"))
    assert ran.code == 1
    assert "(limit max_source_bytes)" in ran.errors


def test_the_log_of_a_full_disk_is_named_and_ends_nothing() -> None:
    made, said = session(listing="")
    made.execute(".logopen /dev/full\nprint 5")
    assert "5\n" in said.text


def test_python_refuses_the_same(stuck: str, tmp_path: Path) -> None:
    for program in (stuck, Path(stuck)):
        with pytest.raises(LoadError, match="it is a FIFO"):
            Session(program)
    with pytest.raises(LoadError, match=r"'c:.x' is a path of Windows") as caught:
        Session("c:\\x")
    assert caught.value.hint == "--drive c=DIR says where it is"
    with pytest.raises(LoadError, match="it is a FIFO"):
        Session(listing_file(tmp_path, "nop"), kernel="linux", world=World(standard_input=Path(stuck)))


# --- compiled files


@pytest.mark.parametrize("magic", [BUNDLE_MAGIC, PROGRAM_MAGIC])
@pytest.mark.parametrize("version", [0, 3, 65_535])
@pytest.mark.parametrize("subcommand", ["run", "disasm"])
def test_another_format_version_is_refused_by_name(tmp_path: Path, magic: bytes, version: int, subcommand: str) -> None:
    path = tmp_path / "x.hdc"
    path.write_bytes(struct.pack("<4sHHI", magic, version, 0, 0) + bytes(50))
    ran = command_line(subcommand, str(path))
    assert ran.code == 1
    assert f"format version {version}, this hds reads 1: compile the source again with this hds, or use" in ran.errors
    assert ("newer" if version else "older") in ran.errors


def test_a_compiled_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "compiled"
    command_line("compile", "-e", "? print(7);", "-o", str(path))
    assert command_line("run", str(path)).output == "7\n"
    for subcommand in ("check", "fmt"):
        ran = command_line(subcommand, str(path))
        assert (ran.code, ran.output) == (1, "")
        assert f"{path} is a compiled file; hds run executes it" in ran.errors
    assert command_line("disasm", "-e", "HDS_x = 7;").code == 0
    (tmp_path / "text").write_text("HDS_x = 7;")
    assert command_line("disasm", str(tmp_path / "text")).code == 0


def test_a_text_with_the_name_of_a_compiled_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.hdc"
    path.write_text("print 5")
    ran = command_line("run", str(path))
    assert (ran.code, ran.output) == (1, "")
    assert "not a compiled hds program" in ran.errors


# --- paths of Windows


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder that stands for drive c, with a script of each kind and a program."""
    disk = tmp_path / "disk"
    (disk / "Scripts").mkdir(parents=True)
    (disk / "Scripts" / "Main.hds").write_text('? { #include "Inner\\\\Part.hds"; print(five()); }\n')
    (disk / "Scripts" / "Inner").mkdir()
    (disk / "Scripts" / "Inner" / "Part.hds").write_text("int five() { return 5; }\n")
    (disk / "Scripts" / "Event.txt").write_text("print(@rax);")
    listing_file(disk)
    return disk


PATHS = (
    ".script c:\\scripts\\main.hds", "? {{ #include \"c:\\\\scripts\\\\inner\\\\part.hds\"; print(five()); }}",
    "!syscall script {{file:c:/scripts/event.txt}}", ".start path C:\\GUEST.ASM", ".logopen c:\\scripts\\new.log",
    ".dump 400000 400010 path c:\\scripts\\new.bin", "output create o file c:\\scripts\\new.txt",
    "output create o namedpipe c:\\scripts\\pipe", "output create o module c:\\scripts\\new.py",
)  # fmt: skip


@pytest.mark.parametrize("command", PATHS)
def test_every_command_refuses_a_path_of_windows_without_a_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    program = listing_file(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    ran = command_line("run", "--quiet", "--allow-modules", "-e", command.format(), program)
    assert ran.code == 1
    assert "error E226: " in ran.errors or "error E025: " in ran.errors
    assert "is a path of Windows" in ran.errors
    assert "hint: --drive c=DIR says where it is" in ran.errors
    assert os.listdir(".") == []


@pytest.mark.parametrize("command", PATHS[:7])
def test_every_command_finds_a_path_of_windows_on_its_drive(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    ran = command_line("run", "--drive", f"C={disk}", "-e", command.format(), listing_file(tmp_path))
    assert "error" not in ran.errors
    assert ran.code == 0
    assert os.listdir(".") == []
    if "new" in command:
        name = command.rpartition("\\")[2]
        assert (disk / "Scripts" / name).is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("run",), ("check",), ("compile", "-o", "x"), ("disasm",), ("fmt",), ("fmt", "-w"), ("eval",), ("conform",),
        ("fuzz", "--cases", "0", "--save"), ("run", "-e", "g", "--root"), ("run", "-e", "g", "--root-rw"),
    ],
)  # fmt: skip
def test_files_of_the_command_line_follow_the_same_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c:\\main.hds").write_text("print(1);")
    ran = command_line(*words, "c:\\main.hds")
    assert ran.code == 3
    assert "'c:\\main.hds' is a path of Windows\n  hint: --drive c=DIR says where it is" in ran.errors


@pytest.mark.parametrize("words", [("run",), ("check",), ("compile", "-o", "c:\\x.hdc"), ("fmt",), ("fmt", "-w")])
def test_a_script_of_the_command_line_is_found_on_a_drive(disk: Path, words: tuple[str, ...]) -> None:
    ran = command_line(*words, "--drive", f"c={disk}", "c:\\SCRIPTS\\main.hds")
    assert ran.code == 0, ran.errors
    assert (disk / "x.hdc").exists() == ("compile" in words)


def test_a_program_of_the_command_line_and_of_python_is_found_on_a_drive(disk: Path) -> None:
    assert command_line("run", "--drive", f"c={disk}", "-e", "g", "c:\\Guest.asm").code == 0
    made = Session("c:\\GUEST.asm", compiler=Compiler(drives=read_drives([f"c={disk}"])))
    assert made.process is not None
    assert made.process.name == "guest.asm"


@pytest.mark.parametrize("flag", ["--root", "--root-rw"])
def test_the_folder_of_a_guest_may_be_on_a_drive_and_has_to_be_there(disk: Path, flag: str) -> None:
    words = ("run", "--drive", f"c={disk}", "-e", "g", flag)
    assert command_line(*words, "c:\\SCRIPTS", str(disk / "guest.asm")).code == 0
    for folder, why in (("c:\\none", "No such file or directory"), ("c:\\guest.asm", "it is no folder")):
        ran = command_line(*words, folder, str(disk / "guest.asm"))
        assert (ran.code, ran.errors) == (3, f"hds: cannot read {folder}: {why}\n")


@pytest.mark.parametrize("text", ["c", "cc=.", "c=/no/where"])
def test_a_wrong_drive_is_a_mistake_of_the_command_line(text: str) -> None:
    assert command_line("run", "--drive", text, "-e", "g").code == 2


def test_a_backslash_separates_folders_in_every_other_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    command_line("run", "--quiet", "-e", ".logopen logs\\a.txt\noutput create o file logs\\b.txt")
    assert sorted(os.listdir("logs")) == ["a.txt", "b.txt"]
    assert refused(".script \\logs\\c") == "err, '\\logs\\c' is a path of Windows without a drive"


def test_an_output_through_a_link_that_leads_out_of_its_drive_is_refused(tmp_path: Path, disk: Path) -> None:
    (disk / "link").symlink_to(tmp_path / "secret")
    ran = command_line("run", "--drive", f"c={disk}", "-e", "output create o file c:\\link")
    assert ran.code == 1
    assert "leads out of the folder" in ran.errors
    assert not (tmp_path / "secret").exists()


# --- the folder that a guest may write to


@pytest.mark.parametrize("command", [".logopen {}", "output create o file {}", ".dump 400000 400010 path {}"])
def test_no_output_follows_a_link_of_the_guests_folder(tmp_path: Path, command: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "secret")
    program = listing_file(tmp_path)
    ran = command_line("run", "--root-rw", str(root), "-e", command.format(root / "link"), program)
    assert ran.code == 1
    assert "a symbolic link in the folder that the guest writes to" in ran.errors
    assert not (tmp_path / "secret").exists()
    assert command_line("run", "--root-rw", str(root), "-e", command.format(root / "file"), program).code == 0
    assert (root / "file").is_file()


FILLER = """
    mov eax, 2; lea rdi, [rip + name]; mov esi, 0x41; mov edx, 0x1b4; syscall   // open(name, O_WRONLY | O_CREAT)
    mov ebx, eax
again:
    mov eax, 1; mov edi, ebx; lea rsi, [rip + name]; mov edx, 5; syscall        // write until it fails
    cmp rax, 5; je again
    mov edi, eax; neg edi; mov eax, 0x3c; syscall                               // exit(errno)
name: db "/new", 0
"""


@pytest.mark.parametrize("limit", ["max_root_bytes", "max_file_bytes"])
def test_a_run_names_the_limit_that_stopped_a_guest_from_writing(tmp_path: Path, limit: str) -> None:
    program = listing_file(tmp_path, FILLER)
    (tmp_path / "root").mkdir()
    flag = "--" + limit.replace("_", "-")
    common = ("run", "--kernel", "linux", "--root-rw", str(tmp_path / "root"), flag, "12", "-e", "g", program)
    ran = command_line(*common)
    assert f"the guest reached {limit} (12)" in ran.errors
    assert f"exited with code {122 if limit == 'max_root_bytes' else 27}" in ran.errors
    assert (tmp_path / "root" / "new").stat().st_size == 10
