"""Event forwarding: the life of a source, what it transmits, and what becomes of a peer that fails (B.11)."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest
from hds_guests import closing, command_line, lines, listing_file, refused, session, shown

from hds.exit_codes import ExitCode
from hds.outputs.carriers import OutputFailed, Patience
from hds.outputs.sources import Outputs
from hds.report.records import summary
from hds.session.session import Session
from hds.session.summary import failure_of, summarize

SAY = '!syscall script {{ printf("%llx;", @rax); }} output {{{}}}'
HASTY = Patience(queue_bytes=64, message_seconds=0.1, close_seconds=0.2)


def exit_code_of(made: Session) -> ExitCode:
    failure = failure_of(made, summarize(made), fail_on_break=False, fail_on_script_errors=False)
    return ExitCode.OK if failure is None else failure.kind.exit_code


class Peer:
    """A TCP server on this machine that keeps what the first client sends; it may refuse to read."""

    def __init__(self, *, reads: bool = True) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._reads = reads
        self.received = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        connection.settimeout(5)
        with connection:
            if not self._reads:
                self._stop.wait(10)
                return
            while data := connection.recv(4096):
                self.received += data

    def join(self) -> bytes:
        """All that was received; the client has closed."""
        self._thread.join(5)
        return self.received

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._server.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    with socket.socket() as client:  # in case nobody came
        client.connect_ex(("127.0.0.1", int(made.address.rpartition(":")[2])))
    made.close()


# --- the command


def test_the_list_is_empty_at_first() -> None:
    assert shown("output") == "output forwarding list is empty\n"


def test_the_list_shows_index_type_state_and_name(tmp_path: Path) -> None:
    text = shown(
        lines(
            *(f'output create log{n} FILE "{tmp_path / str(n)}"' for n in (1, 2, 3)),
            "output open log1",
            "output open log2",
            "output close log2",
            "output",
        )
    )
    assert text == (
        "1  file        opened    \tlog1\n2  file        closed    \tlog2\n3  file        not opened\tlog3\n"
    )


@pytest.mark.parametrize(
    "command",
    ["output create", "output create name file", "output create name file a b", "output drop name", "output open",
     "output open a b", "output close", "output list"],
)  # fmt: skip
def test_other_shapes_are_incorrect_use(command: str) -> None:
    assert refused(command).startswith("incorrect use of the 'output'")


def test_an_unknown_type_is_named() -> None:
    assert refused("output create name pigeon x") == (
        "err, incorrect type near 'pigeon' (file, namedpipe, tcp, module are known)"
    )


def test_a_name_has_at_most_49_characters(tmp_path: Path) -> None:
    shown(f'output create {"n" * 49} file "{tmp_path / "a"}"\n')
    message = refused(f'output create {"n" * 50} file "{tmp_path / "b"}"')
    assert message == "err, the name of an output has at most 49 characters"


def test_a_name_is_used_once_even_after_close(tmp_path: Path) -> None:
    create = f'output create log file "{tmp_path / "a"}"'
    text = refused(lines(create, "output open log", "output close log", create))
    assert text == "err, there is an output named 'log' already"


def test_names_are_case_sensitive(tmp_path: Path) -> None:
    assert (
        refused(f'output create log file "{tmp_path / "a"}"\noutput open LOG') == "err, there is no output named 'LOG'"
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (("open none",), "there is no output named 'none'"),
        (("close none",), "there is no output named 'none'"),
        (("close log",), "the output 'log' is not open"),
        (("open log", "open log"), "the output 'log' is open already"),
        (("open log", "close log", "close log"), "the output 'log' is closed already"),
        (
            ("open log", "close log", "open log"),
            "the output 'log' was closed and cannot be opened again; create another one",
        ),
    ],
)
def test_a_source_is_created_opened_and_closed_in_this_order(
    tmp_path: Path, steps: tuple[str, ...], message: str
) -> None:
    create = f'output create log file "{tmp_path / "log"}"'
    assert refused(lines(create, *(f"output {step}" for step in steps))) == f"err, {message}"


# --- events


def forwarded(names: str, *commands: str) -> str:
    """What a run of two system calls says with these output commands before it."""
    return shown(lines(*commands, SAY.format(names), "g"))


def test_a_file_receives_exactly_the_bytes_and_the_console_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert forwarded("log", f'output create log file "{log}"', "output open log") == ""
    assert log.read_bytes() == b"55;66;"


def test_several_sources_receive_the_same_bytes(tmp_path: Path, peer: Peer) -> None:
    log = tmp_path / "log"
    commands = (f'output create log file "{log}"', f"output create net tcp {peer.address}", "output open log",
                "output open net")  # fmt: skip
    assert forwarded(" log , net ", *commands) == ""
    assert log.read_bytes() == peer.join() == b"55;66;"


def test_five_sources_are_allowed_and_six_are_not(tmp_path: Path) -> None:
    commands = [f'output create o{n} file "{tmp_path / str(n)}"\noutput open o{n}' for n in range(5)]
    assert forwarded("o0,o1,o2,o3,o4", *commands) == ""
    assert (tmp_path / "4").read_bytes() == b"55;66;"
    ran = command_line("run", "-e", SAY.format("o0,o1,o2,o3,o4,o5"))
    assert (ran.code, "E224: an event has at most 5 output sources" in ran.errors) == (1, True)


def test_only_script_text_is_forwarded(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = '!syscall 55 script { printf("said"); x = poi(0); } output {log}'
    text = shown(lines(f'output create log file "{log}"', "output open log", script, "!syscall 66", "g"))
    assert log.read_bytes() == b"said"
    assert "fault invalid_address" in text
    assert "event 0x1 triggered (pre)" in text


def test_an_unknown_source_is_refused() -> None:
    assert refused(SAY.format("nowhere")) == "err, the output 'nowhere' is not found, did you use 'output create'?"


def test_a_closed_source_is_refused(tmp_path: Path) -> None:
    commands = (f'output create log file "{tmp_path / "log"}"', "output open log", "output close log")
    assert refused(lines(*commands, SAY.format("log"))) == "err, the output 'log' is closed"


def test_a_source_that_is_not_opened_is_noted_and_its_bytes_are_lost_not_shown(tmp_path: Path) -> None:
    made, said = session()
    made.execute(lines(f'output create log file "{tmp_path / "log"}"', SAY.format("log"), "g"))
    made.close()
    assert said.text == (
        "the output 'log' is not opened yet: use 'output open log'\n"
        "err, the output 'log' is not opened: what is sent to it is lost\n"
    )
    assert made.outputs.sources["log"].lost == 6


def test_a_source_may_be_opened_after_the_event(tmp_path: Path) -> None:
    log = tmp_path / "log"
    shown(lines(f'output create log file "{log}"', SAY.format("log"), "output open log", "g"))
    assert log.read_bytes() == b"55;66;"


def test_the_first_source_empties_a_file_and_later_ones_continue_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("from another session")
    one, two = (
        (f'output create {name} file "{log}"', f"output open {name}", SAY.format(name)) for name in ("one", "two")
    )
    shown(lines(*one, "events c all", "output close one", *two, "g"))
    assert log.read_bytes() == b"55;66;"
    shown(lines(*one, "g"))
    assert log.read_bytes() == b"55;66;"


def test_messages_that_are_forwarded_are_in_the_python_session(tmp_path: Path) -> None:
    made, _ = session()
    made.execute(lines(f'output create log file "{tmp_path / "log"}"', "output open log", SAY.format("log"), "g"))
    made.close()
    assert [(item.text, item.outputs) for item in made.messages] == [(b"55;", ("log",)), (b"66;", ("log",))]


# --- what cannot be created


@pytest.mark.parametrize(
    ("kind", "address", "message"),
    [
        ("file", "/nowhere/at/all", "cannot open the file /nowhere/at/all: No such file or directory"),
        ("file", "a\0b", "cannot open the file a\0b: embedded null byte"),
        ("tcp", "127.0.0.1", "'127.0.0.1' is no address and port, such as 127.0.0.1:8080"),
        ("tcp", "127.0.0.1:70000", "'127.0.0.1:70000' is no address and port, such as 127.0.0.1:8080"),
        ("tcp", "127.0.0.1:x", "'127.0.0.1:x' is no address and port, such as 127.0.0.1:8080"),
        ("namedpipe", "/nowhere/at/all", "cannot open the named pipe /nowhere/at/all: No such file or directory"),
        ("namedpipe", "/dev/null", "/dev/null is no named pipe"),
        ("module", "x.py", "modules run code of their own: they need --allow-modules"),
    ],
)
def test_a_source_that_cannot_be_opened_is_not_created(kind: str, address: str, message: str) -> None:
    outputs = Outputs()
    with pytest.raises(OutputFailed) as failure:
        outputs.create("name", kind, address)
    assert (str(failure.value), outputs.sources) == (message, {})


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OutputFailed, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
        Outputs().create("net", "tcp", f"127.0.0.1:{port}")


# --- failures during the run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_ends_that_output_only_and_is_counted(tmp_path: Path) -> None:
    log, program = tmp_path / "log", listing_file(tmp_path)
    commands = lines("output create full file /dev/full", "output open full", f'output create log file "{log}"',
                     "output open log", SAY.format("full, log"))  # fmt: skip
    ran = command_line("run", "-e", commands, program)
    assert log.read_bytes() == b"55;66;"
    assert "err, the transfer to the output 'full' failed and ends: No space left on device" in ran.errors
    assert "output full lost 6 bytes" in ran.errors
    assert ran.code == 8


def _replace(path: Path) -> None:
    (path.parent / "new").touch()
    (path.parent / "new").replace(path)


def _make_anew(path: Path) -> None:
    path.unlink()
    path.touch()


REMOVALS: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "replaced": _replace,
    "removed and made anew": _make_anew,
}


@pytest.mark.parametrize("how", REMOVALS)
def test_a_file_that_nobody_can_open_any_more_has_lost_everything(how: str, tmp_path: Path) -> None:
    made, said = session()
    log = tmp_path / "log"
    made.execute(f'output create o file "{log}"\noutput open o\n{SAY.format("o")}')
    made.run()
    REMOVALS[how](log)
    made.close()
    source = made.outputs.sources["o"]
    assert (source.sent, source.lost) == (0, 6)
    assert f"err, the output 'o' lost 6 bytes that it had taken: {log} was removed or replaced meanwhile\n" in said.text
    assert summary.shown(summarize(made)).text.count("output o lost 6 bytes") == 1
    assert exit_code_of(made) == ExitCode.OUTPUT


def test_a_file_that_was_moved_still_has_the_bytes_and_is_named(tmp_path: Path) -> None:
    made, said = session()
    log = tmp_path / "log"
    made.execute(f'output create o file "{log}"\noutput open o\n{SAY.format("o")}')
    made.run()
    log.rename(tmp_path / "old")
    made.close()
    assert (tmp_path / "old").read_bytes() == b"55;66;"
    assert f"err, the output 'o': {log} was moved or replaced meanwhile; the old file has the bytes\n" in said.text
    assert exit_code_of(made) == ExitCode.OK


def test_a_file_that_stays_is_not_mentioned(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    made, said = session()
    made.execute(f'output create o file "{tmp_path / "link"}"\noutput open o\n{SAY.format("o")}')
    made.run()
    made.close()
    assert "err" not in said.text
    assert exit_code_of(made) == ExitCode.OK


WAYS: dict[str, Callable[[Path, Path], object]] = {
    "hard link": os.link,
    "symbolic link": lambda file, other: other.symlink_to(file),
    "the same name": lambda file, other: None,
}


@pytest.mark.parametrize("how", WAYS)
def test_outputs_that_lead_to_one_file_do_not_overwrite_each_other(how: str, tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"from before")
    WAYS[how](file, other)
    second = other if other.exists() else tmp_path / "x" / ".." / "file"
    (tmp_path / "x").mkdir()
    made, said = session()
    made.execute(f"output create o file {file}\noutput create p file {second}\noutput open o\noutput open p")
    made.execute(SAY.format("o,p"))
    made.run()
    made.close()
    assert file.read_bytes() == b"55;55;66;66;"
    assert "err" not in said.text


def test_an_output_and_a_log_may_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    made, said = session()
    made.execute(f"output create o file {file}\noutput open o\n.logopen {file}\n{SAY.format('o')}")
    made.run()
    made.execute('? printf("said");\n.logclose')
    made.close()
    assert file.read_bytes().count(b"55;66;") == file.read_bytes().count(b";\nsaid") == 1
    assert "err" not in said.text


def test_a_log_empties_a_file_that_nobody_writes_to_any_more(tmp_path: Path) -> None:
    file = tmp_path / "file"
    made, _ = session()
    made.execute(f'.logopen {file}\n? printf("first");\n.logclose\n.logopen {file}\n? printf("second");\n.logclose')
    assert b"first" not in file.read_bytes()
    assert b"second" in file.read_bytes()


def test_what_somebody_cuts_off_is_lost(tmp_path: Path) -> None:
    made, said = session()
    log = tmp_path / "log"
    made.execute(f'output create o file "{log}"\noutput open o\n{SAY.format("o")}')
    made.run()
    os.truncate(log, 2)
    made.close()
    assert f"err, the output 'o' lost 4 bytes that it had taken: {log} was cut off meanwhile\n" in said.text
    assert exit_code_of(made) == ExitCode.OUTPUT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_log_on_a_full_disk_ends_alone(tmp_path: Path) -> None:
    ran = command_line("run", "-e", '.logopen /dev/full\n? printf("a");\ng', listing_file(tmp_path))
    assert "a" in ran.output
    assert ran.errors.count("err, the transfer to the log /dev/full failed and ends: No space left on device") == 1
    assert "7 guest instructions" in ran.errors
    assert "log /dev/full lost " in ran.errors
    assert ran.code == ExitCode.OUTPUT


def test_a_log_that_was_removed_is_told_of(tmp_path: Path) -> None:
    made, said = session()
    log = tmp_path / "log"
    made.execute(f'.logopen {log}\n? printf("a");')
    log.unlink()
    made.close()
    assert f"err, the log {log} lost " in said.text
    assert exit_code_of(made) == ExitCode.OUTPUT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_the_console_has_the_exit_code_of_lost_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(".logopen /dev/full\n"))
    ran = command_line("console")
    assert ran.code == ExitCode.OUTPUT
    assert "log /dev/full lost " in ran.errors


def test_other_failures_come_before_lost_output(tmp_path: Path) -> None:
    commands = f"output create o file {os.devnull}\n{SAY.format('o')}"
    assert command_line("run", "-e", commands, listing_file(tmp_path)).code == ExitCode.OUTPUT
    assert (
        command_line("run", "--keep-going", "-e", commands + "\nr zzz", listing_file(tmp_path)).code == ExitCode.FAILED
    )


def test_a_peer_that_reads_nothing_ends_the_output_and_every_byte_is_counted() -> None:
    peer = Peer(reads=False)
    reports: list[str] = []
    outputs = Outputs(reports.append, patience=HASTY)
    with closing(outputs):
        outputs.create("net", "tcp", peer.address)
        outputs.open("net")
        sent, piece = 0, bytes(60_000)
        while not reports and sent < 100_000_000:
            outputs.forward(["net"], piece)
            sent += len(piece)
        outputs.forward(["net"], b"more")
    peer.close()
    source = outputs.sources["net"]
    assert reports == ["err, the transfer to the output 'net' failed and ends: the other end did not take a message "
                       "within 0.1 s"]  # fmt: skip
    assert source.lost >= len(piece) + 4
    assert source.sent + source.lost == sent + 4


def test_a_peer_that_goes_away_ends_the_output() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reports: list[str] = []
        outputs = Outputs(reports.append)
        outputs.create("net", "tcp", f"127.0.0.1:{server.getsockname()[1]}")
        outputs.open("net")
        server.accept()[0].close()
        deadline = time.monotonic() + 5
        while not reports and time.monotonic() < deadline:
            outputs.forward(["net"], b"hello")
            time.sleep(0.01)
        outputs.close_all()
    assert reports[0].startswith("err, the transfer to the output 'net' failed and ends: ")
    assert outputs.sources["net"].lost > 0


def test_what_a_slow_peer_has_not_taken_at_the_end_is_counted() -> None:
    peer = Peer(reads=False)
    reports: list[str] = []
    outputs = Outputs(reports.append, patience=Patience(queue_bytes=1 << 30, close_seconds=0.2))
    outputs.create("net", "tcp", peer.address)
    outputs.open("net")
    outputs.forward(["net"], bytes(50_000_000))
    outputs.close_all()
    peer.close()
    source = outputs.sources["net"]
    assert source.lost > 0
    assert source.sent + source.lost == 50_000_000
    assert reports == [f"err, the output 'net' lost {source.lost} bytes that it had taken"]


def test_a_message_larger_than_the_queue_passes_when_the_queue_is_empty(peer: Peer) -> None:
    outputs = Outputs(patience=HASTY)
    outputs.create("net", "tcp", peer.address)
    outputs.open("net")
    outputs.forward(["net"], b"x" * 1000)
    outputs.close_all()
    assert peer.join() == b"x" * 1000


# --- named pipes and modules


def test_a_named_pipe_receives_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert forwarded("pipe", f'output create pipe namedpipe "{pipe}"', "output open pipe") == ""
    assert os.read(reader, 100) == b"55;66;"
    os.close(reader)


def test_a_named_pipe_needs_a_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputFailed, match=r"cannot open the named pipe .*: No such device or address"):
        Outputs().create("pipe", "namedpipe", str(pipe))


PYTHON_MODULE = """
calls = []
def hyperdbg_event_forwarding(text, length):
    with open({!r}, "ab") as file:
        file.write(b"%d:%s " % (length, text))
"""


def test_a_python_module_is_called_with_every_message(tmp_path: Path) -> None:
    module, log = tmp_path / "forward.py", tmp_path / "log"
    module.write_text(PYTHON_MODULE.format(str(log)))
    text = shown(
        lines(f'output create mod module "{module}"', "output open mod", SAY.format("mod"), "g"), allow_modules=True
    )
    assert text == ""
    assert log.read_bytes() == b"3:55; 3:66; "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x = 1", r"the module .* has no function hyperdbg_event_forwarding\(text, length\)"),
        ("x = ", r"cannot load the module .*: SyntaxError: "),
        ("raise ValueError('no')", r"cannot load the module .*: ValueError: no"),
    ],
)
def test_a_python_module_that_cannot_be_used_is_not_created(tmp_path: Path, body: str, message: str) -> None:
    module = tmp_path / "forward.py"
    module.write_text(body)
    with pytest.raises(OutputFailed, match=message):
        Outputs(allow_modules=True).create("mod", "module", str(module))


def test_a_module_that_does_not_exist_or_is_no_library_is_not_created(tmp_path: Path) -> None:
    outputs = Outputs(allow_modules=True)
    with pytest.raises(OutputFailed, match="there is no such file"):
        outputs.create("mod", "module", str(tmp_path / "none.so"))
    library = tmp_path / "text.so"
    library.write_text("no library")
    with pytest.raises(OutputFailed, match="cannot load the module"):
        outputs.create("mod", "module", str(library))


def test_an_exception_in_a_module_ends_that_output(tmp_path: Path) -> None:
    module = tmp_path / "forward.py"
    module.write_text("def hyperdbg_event_forwarding(text, length):\n    raise KeyError(length)\n")
    text = shown(
        lines(f'output create mod module "{module}"', "output open mod", SAY.format("mod"), "g"), allow_modules=True
    )
    assert text == (
        "err, the transfer to the output 'mod' failed and ends: hyperdbg_event_forwarding raised KeyError: 3\n"
    )


C_MODULE = """
#include <stdio.h>
void hyperdbg_event_forwarding(const char *text, unsigned int length) {
    FILE *file = fopen("%s", "ab");
    fprintf(file, "%%u:%%.*s ", length, (int)length, text);
    fclose(file);
}
"""


@pytest.mark.skipif(which("cc") is None or sys.platform == "win32", reason="there is no C compiler")
def test_a_shared_library_is_called_with_every_message(tmp_path: Path) -> None:
    source, library, log = tmp_path / "forward.c", tmp_path / "forward.so", tmp_path / "log"
    source.write_text(C_MODULE % log)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    outputs = Outputs(allow_modules=True)
    with closing(outputs):
        outputs.create("mod", "module", str(library))
        outputs.open("mod")
        outputs.forward(["mod"], b"55;")
    assert log.read_bytes() == b"3:55; "
