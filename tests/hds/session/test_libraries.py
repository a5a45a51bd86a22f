"""Symbols of the libraries of a dynamic program: known before they are mapped, listed once they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from linux_guests import build

from hds.report.records import Record, Result
from hds.session import Session, summarize
from hds.session.refused import ScriptError
from hds.session.symbols import Symbols
from machine.debugger import Module
from machine.kernel import DEFAULT_BUILD
from machine.kernel.linux import World
from vm.facts.limits import Limits

pytestmark = pytest.mark.slow

PROGRAM = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline, noclone)) int hidden(int n) { return n + 1; }
int main(int argc, char **argv) {
    char *text = malloc(77);
    strcpy(text, "from a library\n");
    write(1, text, strlen(text));
    if (argc > 1) return (int)strlen((char *)(long)argc);
    return hidden(4);
}
"""


class Shown:
    """What commands show."""

    def __init__(self) -> None:
        self.text = ""

    def report(self, record: Record, /) -> None:
        if isinstance(record, Result):
            self.text += record.text


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(PROGRAM, "dynamic", tmp_path_factory.mktemp("dynamic"))


def session_of(program: Path, *arguments: str) -> tuple[Session, Shown]:
    shown = Shown()
    return Session(program, arguments=arguments, name="prog", world=World(Path("/")), reporter=shown), shown


def test_events_wait_in_libraries_that_are_not_there_yet(program: Path) -> None:
    """As a parameter of an event, in scripts, and in the program itself."""
    session, _ = session_of(program)
    session.execute("""
        !epthook libc!malloc script { if (@rdi == 0n77) { printf("malloc %d %d\\n", @rdi, @rip == libc!malloc); } }
        !epthook libc!write script { printf("write %s", @rsi); }
        !epthook prog!hidden script { printf("hidden %d\\n", @rdi); }
    """)
    summary = session.run(timeout=60)
    assert summary.exit_code == 5
    assert b"".join(message.text for message in session.messages) == (b"malloc 77 1\nwrite from a library\nhidden 4\n")


def test_a_breakpoint_waits_there_and_commands_list_what_is_mapped(program: Path) -> None:
    session, shown = session_of(program)
    session.execute("lm um")
    assert "/ld-linux-x86-64.so.2" in shown.text
    assert "libc.so.6" not in shown.text
    shown.text = ""
    session.execute("bp libc!write\ng\nlm um\nx libc!wri*e\nu libc!write l 1")
    assert "/libc.so.6" in shown.text
    assert "  libc!write\n" in shown.text
    assert "libc!write:" in shown.text or "libc!write" in shown.text.rpartition("\n\n")[2]
    base = next(int(line.split()[0], 16) for line in shown.text.splitlines() if line.endswith("libc.so.6"))
    place = next(int(line.split()[0].replace("`", ""), 16) for line in shown.text.splitlines() if "libc!write" in line)
    assert base < place < base + 0x20_0000


def test_a_program_that_a_file_of_commands_starts_has_libraries_too(program: Path) -> None:
    session = Session(world=World(Path("/")))
    session.execute(f"""
        .start path "{program}" x y
        !epthook libc!write script {{ printf("%d", @rdi == 1 && @rip == libc!write); }}
    """)
    session.run(timeout=60)
    assert b"".join(message.text for message in session.messages) == b"1"


def test_symbols_are_found_again_behind_sym_unload(program: Path) -> None:
    session, shown = session_of(program)
    session.execute("bp libc!write\ng\n.sym unload")
    shown.text = ""
    session.execute("x libc!wri*e")
    assert "  libc!write\n" in shown.text


def test_a_crash_in_a_library_is_named_by_it(program: Path) -> None:
    session, _ = session_of(program, "x")
    session.run(timeout=60)
    assert re.search(r"\(libc(!\w+)?\+0x", summarize(session).stopped)  # a function of it that may have no symbol


def test_no_more_is_read_than_a_guest_may_have() -> None:
    """A guest maps what it likes, for instance one large file under many names."""
    read: list[str] = []

    def read_file(path: str) -> bytes:
        read.append(path)
        return bytes(0x1000)

    symbols = Symbols({}, Limits(max_guest_memory=0x3000), "linux", DEFAULT_BUILD, read_file)
    symbols.add_modules("prog", [Module(f"/tmp/{number}.so", 0x1000, 0x2000) for number in range(100)])
    assert read == ["/tmp/0.so", "/tmp/1.so", "/tmp/2.so"]


def test_an_unknown_name_of_a_library_is_refused_with_what_is_near(program: Path) -> None:
    session, _ = session_of(program)
    with pytest.raises(ScriptError, match="libc!write"):
        session.execute("!epthook libc!writ_ script { }")
    with pytest.raises(ScriptError, match="unknown"):
        session.execute("!epthook libnothing!f script { }")


def test_events_may_begin_behind_the_dynamic_linker(program: Path) -> None:
    session = Session(program, world=World(Path("/")), events_from="entry")
    session.execute('!syscall script { printf("%llx", $context); }')
    session.run()
    seen = [message.text for message in session.messages]
    assert b"1" in seen  # write
    assert b"101" not in seen  # openat, of the linker
    assert summarize(session).exit_code == 5
