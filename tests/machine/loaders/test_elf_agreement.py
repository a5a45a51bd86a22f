"""Agreement with Linux: hand-made ELF files, executed natively and here, end in the same way.

Each program reads, writes or calls one address and exits with the byte that it found there; a file that Linux refuses,
and one that it kills, count as "dies". Natively uid 0 may map page 0, so no segment lies below mmap_min_addr.
"""

from __future__ import annotations

import platform
import random
import struct
import subprocess
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pytest
from linux_guests import flags_below
from machine_guests import bench
from native_runs import NativeRuns

from machine.loaders import LoadError
from machine.machine import StopCause
from machine.root.assembler import assemble
from vm.facts.limits import Limits

pytestmark = pytest.mark.programs

PT_NULL, PT_LOAD, PT_INTERP, PT_GNU_STACK = 0, 1, 3, 0x6474_E551
X, W, R = 1, 2, 4
BASE, CODE_AT, DATA = 0x40_0000, 0x1800, 0x1000_0000
PAGE, FILE_SIZE = 0x1000, 0x6000
RET = 0xC3
HIDES_CODE = "ospke" in flags_below()  # by protection keys Linux makes what is only executable so; guests have none


@dataclass(frozen=True)
class Segment:
    """A program header."""

    address: int
    offset: int
    file_size: int
    memory_size: int | None = None  # None: as in the file
    flags: int = R | W
    kind: int = PT_LOAD
    alignment: int = PAGE

    def packed(self) -> bytes:
        sizes = self.file_size, self.file_size if self.memory_size is None else self.memory_size
        return struct.pack("<IIQQQQQQ", self.kind, self.flags, self.offset, self.address, 0, *sizes, self.alignment)


CODE = Segment(BASE, 0, 0x2000, flags=R | X)
STACK = Segment(0, 0, 0, flags=R | W, kind=PT_GNU_STACK)
READ = "movzx edi, byte ptr [{target:#x}]; mov eax, 60; syscall"
WRITE = "mov byte ptr [{target:#x}], 0x4d; " + READ
CALL = "mov eax, {target:#x}; call rax; mov edi, 7; mov eax, 60; syscall"
CALL_STACK = "push 0xc3; call rsp; mov edi, 7; mov eax, 60; syscall"
READ_PROGRAM_HEADERS = """
    mov rbx, rsp
find: add rbx, 8
    cmp qword ptr [rbx], 3
    jne find
    mov rbx, [rbx + 8]
    movzx edi, byte ptr [rbx]
    mov eax, 60
    syscall
"""


@dataclass(frozen=True)
class Shape:
    """A file: the code, its segments, and what is strange about it."""

    code: str = READ
    target: int = DATA
    segments: tuple[Segment, ...] = (STACK,)
    ident: bytes = b"\2\1\1".ljust(12, b"\0")
    kind: int = 2
    machine: int = 62
    version: int = 1
    entry: int = BASE + CODE_AT
    table: int | None = None  # where the program headers are
    entry_size: int = 56
    count: int | None = None
    section_headers: tuple[int, int, int, int] = (0, 0, 0, 0)  # offset, entry size, count, index of names
    fill: int | None = None  # None: the number of the byte's 256-byte block, plus 1
    length: int = FILE_SIZE
    code_segment: Segment = CODE

    def file(self) -> bytes:
        segments = (self.code_segment, *self.segments)
        table = 64 if self.table is None else self.table
        count = len(segments) if self.count is None else self.count
        sections, section_size, section_count, names = self.section_headers
        head = b"\x7fELF" + self.ident
        head += struct.pack("<HHIQQQIHHHHHH", self.kind, self.machine, self.version, self.entry, table, sections, 0x55,
                            self.version * 64, self.entry_size, count, section_size, section_count, names)  # fmt: skip
        data = bytearray((self.fill or (at >> 8) + 1) & 0xFF for at in range(FILE_SIZE))
        data[:64] = head
        rows = b"".join(segment.packed() for segment in segments)
        data.extend(bytes(max(0, self.length - FILE_SIZE)))
        data[table : table + len(rows)] = rows[: max(0, len(data) - table)]
        code = assembled(self.code.format(target=self.target))
        data[CODE_AT : CODE_AT + len(code)] = code
        return bytes(data[: self.length])


@cache
def assembled(text: str) -> bytes:
    return assemble(text, address=BASE + CODE_AT).code


def load(*segments: Segment, **strange: object) -> Shape:
    return replace(Shape(segments=(STACK, *segments)), **strange)  # type: ignore[arg-type]


DIES = "dies"


def natively(data: bytes, folder: Path) -> int | str:
    """The exit code on this machine; the test is skipped where it cannot execute the file."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("only x86-64 Linux executes these files")
    path = folder / "program"
    path.write_bytes(data)
    path.chmod(0o755)
    try:
        code = subprocess.run([path], cwd=folder, stdin=subprocess.DEVNULL, timeout=100).returncode
    except PermissionError:
        pytest.skip(f"programs in {folder} may not be executed")
    except OSError:
        return DIES
    return code if code >= 0 else DIES


def here(data: bytes) -> int | str:
    guest = bench(limits=Limits(max_guest_memory=1 << 24, max_instructions=100_000))
    try:
        guest.machine.load(data, "elf")
    except LoadError:
        return DIES
    summary = guest.machine.run()
    return summary.exit_code if summary.cause is StopCause.EXIT and summary.exit_code is not None else DIES


SHARED = (Segment(DATA, 0x1000, 0x1800), Segment(DATA + 0x1900, 0x2900, 0x100))
SHAPES: dict[str, Shape] = {
    "a plain segment": load(Segment(DATA, 0x1000, 0x1000)),
    "read-only": load(Segment(DATA, 0x1000, 0x1000, flags=R)),
    "read-only, written": load(Segment(DATA, 0x1000, 0x1000, flags=R), code=WRITE),
    "write-only is readable": load(Segment(DATA, 0x1000, 0x1000, flags=W)),
    "write-only is writable": load(Segment(DATA, 0x1000, 0x1000, flags=W), code=WRITE),
    "write-only is not executable": load(Segment(DATA, 0x1000, 0x1000, flags=W), code=CALL, fill=RET),
    "execute-only is readable": load(Segment(DATA, 0x1000, 0x1000, flags=X)),
    "execute-only is executable": load(Segment(DATA, 0x1000, 0x1000, flags=X), code=CALL, fill=RET),
    "execute-only is not writable": load(Segment(DATA, 0x1000, 0x1000, flags=X), code=WRITE),
    "write and execute is readable": load(Segment(DATA, 0x1000, 0x1000, flags=W | X)),
    "no rights": load(Segment(DATA, 0x1000, 0x1000, flags=0)),
    "unknown flags": load(Segment(DATA, 0x1000, 0x1000, flags=R | 0xFFFF_FFF8)),
    "read and write is not executable": load(Segment(DATA, 0x1000, 0x1000), code=CALL, fill=RET),
    "the stack: RW": Shape(code=CALL_STACK, segments=(STACK,)),
    "the stack: RWX": Shape(code=CALL_STACK, segments=(replace(STACK, flags=7),)),
    "the stack: X": Shape(code=CALL_STACK, segments=(replace(STACK, flags=X),)),
    "the stack: no header": Shape(code=CALL_STACK, segments=()),
    "the stack: two headers, X last": Shape(code=CALL_STACK, segments=(STACK, replace(STACK, flags=7))),
    "the stack: two headers, X first": Shape(code=CALL_STACK, segments=(replace(STACK, flags=7), STACK)),
    "no stack header: data stays not executable": Shape(
        CALL, segments=(Segment(DATA, 0x1000, 0x1000),), fill=RET
    ),
    "a shared page is the later segment's": load(*SHARED, target=DATA + 0x1704),
    "a shared page has the later segment's file page behind it, too": load(*SHARED, target=DATA + 0x1F04),
    "a shared page, the other order": load(*SHARED[::-1], target=DATA + 0x1904),
    "a shared page has the rights of the later one": load(
        SHARED[0], replace(SHARED[1], flags=R), target=DATA + 0x1704, code=WRITE
    ),
    "the same pages twice": load(Segment(DATA, 0x1000, 0x1000), Segment(DATA, 0x3000, 0x1000)),
    "a segment within another": load(Segment(DATA, 0x1000, 0x3000), Segment(DATA + 0x1000, 0x4000, 0x10)),
    "behind a segment within another": load(
        Segment(DATA, 0x1000, 0x3000), Segment(DATA + 0x1000, 0x4000, 0x10), target=DATA + 0x2004
    ),
    "before the segment's first byte": load(Segment(DATA + 0x800, 0x1800, 0x10), target=DATA + 4),
    "behind the segment's last byte": load(Segment(DATA, 0x1000, 0x10), target=DATA + 0x104),
    "bss begins behind the last byte": load(Segment(DATA, 0x1000, 0x10, 0x20), target=DATA + 0x104),
    "bss of a read-only segment keeps the file's bytes": load(
        Segment(DATA, 0x1000, 0x10, 0x20, R), target=DATA + 0x104
    ),
    "bss pages of a read-only segment are writable": load(
        Segment(DATA, 0x1000, 0x10, 0x2000, R), target=DATA + 0x1104, code=WRITE
    ),
    "bss pages of an executable segment are executable": load(
        Segment(DATA, 0x1000, 0x10, 0x2000, R | X), target=DATA + 0x1104,
        code="mov eax, {target:#x}; mov byte ptr [rax], 0xc3; call rax; mov edi, 7; mov eax, 60; syscall",
    ),
    "bss pages of a segment without X are not executable": load(
        Segment(DATA, 0x1000, 0x10, 0x2000, R), target=DATA + 0x1104,
        code="mov eax, {target:#x}; mov byte ptr [rax], 0xc3; call rax; mov edi, 7; mov eax, 60; syscall",
    ),
    "bss pages over another segment": load(
        Segment(DATA + 0x1000, 0x3000, 0x1000), Segment(DATA, 0x1000, 0x10, 0x1800), target=DATA + 0x1904
    ),
    "only bss": load(Segment(DATA, 0x1000, 0, 0x1000), code=WRITE),
    "only bss, at an address that is not congruent": load(Segment(DATA + 0x123, 0x1456, 0, 0x1000), target=DATA + 4),
    "nothing at all": load(Segment(DATA, 0x1000, 0, 0)),
    "address and offset not congruent": load(Segment(DATA, 0x1001, 0x1000)),
    "more in the file than in memory": load(Segment(DATA, 0x1000, 0x1000, 0x800)),
    "the last page of the file is partial": load(
        Segment(DATA, 0x5000, 0x1000), target=DATA + 0x904, length=0x5800
    ),
    "a page beyond the end of the file": load(Segment(DATA, 0x5000, 0x2000), target=DATA + 0x1004),
    "before a page beyond the end of the file": load(Segment(DATA, 0x5000, 0x2000), target=DATA + 0x104),
    "bss behind a page beyond the end of the file": load(
        Segment(DATA, 0x5000, 0x1800, 0x3000), target=DATA + 0x104
    ),
    "read-only bss behind a page beyond the end of the file": load(
        Segment(DATA, 0x5000, 0x1800, 0x3000, R), target=DATA + 0x2104
    ),
    "beyond the user's addresses": load(Segment(0x7FFF_FFFF_F000, 0x1000, 0x1000), code=READ, target=BASE),
    "beyond all addresses": load(Segment(0xFFFF_FFFF_FFFF_F000, 0x1000, 0x1000), target=BASE),
    "a size that overflows": load(Segment(DATA, 0x1000, 0x10, 0xFFFF_FFFF_FFFF_F000), target=BASE),
    "an offset that overflows": load(Segment(DATA, 0xFFFF_FFFF_FFFF_F000, 0x1000), target=BASE),
    "ident: nothing is read": Shape(READ, BASE + 4, ident=bytes(12)),
    "ident: everything is strange": Shape(READ, BASE + 4, ident=b"\xff" * 12),
    "ident: 32 bits, big-endian, Solaris": Shape(READ, BASE + 4, ident=b"\1\2\x07\x06".ljust(12, b"\1")),
    "a version of 0": Shape(READ, BASE + 4, version=0),
    "a version of 77, and header size": Shape(READ, BASE + 4, version=77),
    "section headers anywhere": Shape(READ, BASE + 4, section_headers=(0xFFFF_FFFF_FFFF_FFF0, 1, 0xFFFF, 0xFFFE)),
    "another machine": Shape(READ, BASE + 4, machine=3),
    "an object file": Shape(READ, BASE + 4, kind=1),
    "a core file": Shape(READ, BASE + 4, kind=4),
    "program headers of another size": Shape(READ, BASE + 4, entry_size=64),
    "no program headers": Shape(READ, BASE + 4, count=0),
    "program headers elsewhere": Shape(READ, BASE + 4, table=0x5800),
    "program headers beyond the end": Shape(READ, BASE + 4, table=0x5FF0),
    "program headers far beyond the end": Shape(READ, BASE + 4, table=0xFFFF_FFFF_FFFF_FF00),
    "73 program headers": Shape(READ, BASE + 4, (replace(STACK, kind=PT_NULL),) * 72, table=0x3000),
    "1171 program headers": Shape(READ, BASE + 4, (replace(STACK, kind=PT_NULL),) * 1170, table=0x3000, length=0x20000),
    "AT_PHDR": Shape(READ_PROGRAM_HEADERS),
    "AT_PHDR of a table elsewhere": load(Segment(DATA, 0x5000, 0x1000), code=READ_PROGRAM_HEADERS, table=0x5800),
    "AT_PHDR of two mappings": load(
        Segment(DATA, 0, 0x1000, flags=R), Segment(DATA + PAGE, 0, 0x1000), code=READ_PROGRAM_HEADERS
    ),
    "AT_PHDR of a table that is not mapped": Shape(READ_PROGRAM_HEADERS, table=0x5800),
    "a heap behind an empty segment": load(
        Segment(DATA + 0x10_0000, 0, 0, 0),
        code=f"mov eax, 12; xor edi, edi; syscall; cmp rax, {DATA + 0x10_0000}; setae dil; mov eax, 60; syscall",
    ),
    "entry in no segment": Shape(entry=DATA),
    "entry behind the segment's last byte, in its page": Shape(
        READ, BASE + 4, code_segment=replace(CODE, file_size=0x1801)
    ),
    "entry in a page without X": Shape(READ, BASE + 4, code_segment=replace(CODE, flags=R | W)),
    "entry outside the user's addresses": Shape(entry=1 << 47),
    "no segment": Shape(code_segment=replace(CODE, kind=PT_NULL)),
    "alignment 0": Shape(READ, BASE + 4, code_segment=replace(CODE, alignment=0)),
    "alignment 3": Shape(READ, BASE + 4, code_segment=replace(CODE, alignment=3)),
    "alignment 1 << 63": Shape(READ, BASE + 4, code_segment=replace(CODE, alignment=1 << 63)),
    "position-independent": Shape(
        "mov edi, 9; mov eax, 60; syscall", kind=3, code_segment=replace(CODE, address=0), entry=CODE_AT
    ),
    "position-independent, at an address of its own": Shape("mov edi, 9; mov eax, 60; syscall", kind=3),
    "position-independent, aligned": Shape(
        "lea rdi, [rip]; shr rdi, 12; and edi, 0xff; mov eax, 60; syscall", kind=3,
        code_segment=replace(CODE, address=0, alignment=1 << 20), entry=CODE_AT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_strange_file_ends_as_on_linux(shape: Shape, tmp_path: Path) -> None:
    if HIDES_CODE and shape.code == READ and any(segment.flags == X for segment in shape.segments):
        pytest.skip("the processor below has memory that can be executed and not read")
    data = shape.file()
    ours = here(data)
    assert ours == NativeRuns(partial(natively, data), tmp_path).like(ours)


def some_segments(source: random.Random) -> list[Segment]:
    """Segments that meet, overlap, end beyond the file, and now and then cannot be mapped."""
    segments = []
    for _ in range(source.randrange(1, 5)):
        address = DATA + source.choice((0, 0x400, 0x1000, 0x1400, 0x1C00, 0x2000, 0x3000, 0x3A00))
        offset = 0x1000 * source.randrange(2, 7) + (address if source.random() < 0.98 else address + 1) % 0x1000
        file_size = source.choice((0, 1, 0x10, 0x200, 0x400, 0x1000, 0x1800, 0x2400))
        memory_size = file_size + source.choice((0, 0, 0, 0, 0, 1, 1, 0x100, 0x1000, 0x2000, 0x2000, 0x2000, -1))
        flags = source.choice((R, R, R | W, R | W, R | W, R | X, W, R | X if HIDES_CODE else X, 7, 7, 0))
        segments.append(Segment(address, offset, file_size, max(0, memory_size), flags))
    return segments


@pytest.mark.parametrize("seed", range(6))
def test_random_segments_end_as_on_linux(seed: int, tmp_path: Path) -> None:
    source = random.Random(seed)
    ended = []
    for _ in range(20):
        code, fill = source.choice(((READ, None), (READ, None), (WRITE, None), (CALL, RET)))
        segments = some_segments(source)
        chosen = source.choice(segments)
        target = (chosen.address + source.randrange(max(0x100, chosen.memory_size or 0))) & -0x100 | 0x80
        shape = load(*segments, code=code, target=target, fill=fill)
        data = shape.file()
        ended.append(here(data))
        folder = tmp_path / str(len(ended))
        folder.mkdir()
        assert ended[-1] == NativeRuns(partial(natively, data), folder).like(ended[-1]), shape
    assert len(set(ended)) > 2
