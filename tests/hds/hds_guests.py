"""Guests and sessions for the tests of hds/: listings, a session that records what it says, the command line."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from record_schema import check_lines

from hds.cli.main import main
from hds.outputs.sources import Outputs
from hds.report.records import Diagnostic, Halt, Message, Notice, Record, Result, ScriptFault
from hds.report.reporters import Questions
from hds.session.session import Session
from lang.diagnostics import render
from lang.source import SourceFile
from machine.root.assembler import assemble

# System calls 55 and 66, then the end; rbx counts what comes after each. The first SYSCALL is at CODE + e.
TWO_CALLS = "mov rdi, 1; mov rax, 0x55; syscall; inc rbx; mov eax, 0x66; syscall; inc rbx"
CODE = 0x40_0000
_ELF_HEADERS = 64 + 56  # bytes in front of the code of `elf_file`
FIRST_CALL = CODE + 14

# A function that adds 5 to rdx, called twice.
CALLS = """
start:
    mov edx, 1
    call add_five
    call add_five
    hlt
add_five:
    push rbp
    mov rbp, rsp
    cmp edx, 1
    jne skip
    nop
skip:
    add rdx, 5
    pop rbp
    ret
"""


@dataclass
class Said:
    """What a session said, in order: what was shown, and the halts."""

    lines: list[str] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def take(self) -> str:
        """What was said since the last time."""
        text = self.text
        self.lines.clear()
        return text

    def report(self, record: Record, /) -> None:
        match record:
            case Message(text):
                self.lines.append(text.decode("utf-8", "replace"))
            case Result(text):
                self.lines.append(text)
            case Notice(text):
                self.lines.append(text + "\n")
            case Diagnostic(code, message):
                self.lines.append(f"{code} {message}\n")
            case ScriptFault():
                self.lines.append(f"fault {record.fault.kind.value}\n")
            case Halt():
                self.halts.append(record)
                self.lines.append(f"{record.headline}\n{record.instruction}\n")


def session(listing: str = TWO_CALLS, *, goes_on: bool = False, **options: Any) -> tuple[Session, Said]:
    """A session with a guest and a record of everything it says; `options` are those of Session."""
    said = Said()

    questions = Questions(broke=lambda halt: goes_on)
    program = listing.encode() if listing else None
    kind = "asm" if listing else None
    return Session(program, kind=kind, reporter=said, questions=questions, **options), said


def shown(commands: str, listing: str = TWO_CALLS, **options: Any) -> str:
    """What the commands of a text show; the guest is not run unless they say so."""
    made, said = session(listing, **options)
    source = SourceFile("<test>", commands)
    prepared = made.prepare(source)
    assert not prepared.has_errors, "\n".join(render(item) for item in prepared.diagnostics)
    made.perform(prepared)
    made.close()
    return said.text


def refused(commands: str, listing: str = TWO_CALLS, **options: Any) -> str:
    """The message of the only command that is refused."""
    lines = [line for line in shown(commands, listing, **options).splitlines() if line.startswith("E")]
    assert len(lines) == 1, lines
    return lines[0].partition(" ")[2]


@dataclass
class Ran:
    """The outcome of a command line: exit code, and what it wrote, standard output and error apart and together."""

    code: int
    output: str
    errors: str


def command_line(*arguments: str) -> Ran:
    """Run a command line in this process."""
    output, errors = text_stream(), text_stream()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(arguments)
    if arguments[:1] in (("run",), ("check",)) and ("--format", "json") in pairwise(arguments):
        check_lines(output.text)
    return Ran(code, output.text, errors.text)


def command_line_together(*arguments: str) -> str:
    """What a command line writes to a terminal: both streams in order."""
    stream = text_stream()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        main(arguments)
    return stream.text


class _TextStream(io.TextIOWrapper):
    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode("utf-8", "replace")


def text_stream() -> _TextStream:
    """A stream in the place of sys.stdout, with what was written to it as `text`."""
    return _TextStream()


def listing_file(folder: Path, text: str = TWO_CALLS) -> str:
    """The path of a listing."""
    path = folder / "guest.asm"
    path.write_text(text)
    return str(path)


@contextlib.contextmanager
def closing(outputs: Outputs) -> Iterator[Outputs]:
    """Output sources that are closed whatever happens."""
    try:
        yield outputs
    finally:
        outputs.close_all()


def lines(*parts: str) -> str:
    """Lines with their line feeds."""
    return "".join(part + "\n" for part in parts)


def elf_file(path: Path, listing: str, *names: str, base: int = CODE) -> str:
    """The path of a static ELF64 program with a symbol at each of these labels of its listing."""
    made = assemble(listing, address=base + _ELF_HEADERS)
    texts = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    symbols = bytes(24)
    for name in names:
        symbols += struct.pack("<IBBHQQ", texts.index(name.encode() + b"\0"), 0x12, 0, 1, made.labels[name], 0)
    at = _ELF_HEADERS + len(made.code)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, at, len(symbols), 2, 1, 8, 24)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, at + len(symbols), len(texts), 0, 0, 1, 0)
    table = at + len(symbols) + len(texts)
    start = base + _ELF_HEADERS
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, start, 64, table, 0, 64, 56, 1, 64, 3, 0)
    size = table + len(sections)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    path.write_bytes(header + segment + made.code + symbols + texts + sections)
    return str(path)
