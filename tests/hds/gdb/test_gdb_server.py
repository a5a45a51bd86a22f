"""What a debugger gets from a session, packet by packet."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from engines import make_engine

import hds
from hds.gdb import Server
from hds.gdb.packets import INTERRUPT, Reader, framed
from hds.gdb.target import REGISTERS
from hds.report.records import Record, Result
from vm.facts.limits import Limits

GUEST = """
start:
    mov ebx, 3
next:
    inc qword ptr [rsp - 0x40]
    mov eax, 0x55
    syscall
    dec ebx
    jnz next
    mov eax, 60
    mov edi, 7
    syscall
"""
BASE, NEXT, SYSCALL = 0x40_0000, 0x40_0005, 0x40_000F
LOOP = "again: inc rax; jmp again"


class Client:
    """The debugger's side."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        self._reader = Reader()
        self._waiting: list[bytes] = []

    def ask(self, data: bytes | str) -> str:
        """Send a packet and wait for its answer."""
        self._socket.sendall(framed(data.encode() if isinstance(data, str) else data))
        return self.answer()

    def answer(self) -> str:
        while not self._waiting:
            received = self._socket.recv(0x1000)
            assert received, "the connection is closed"
            self._waiting += [packet for kind, packet in self._reader.feed(received) if kind == "packet"]
        return self._waiting.pop(0).decode("latin-1")

    def raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()

    def register(self, name: str) -> int:
        number = next(index for index, row in enumerate(REGISTERS) if row.name == name)
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")


@dataclass
class Debugged:
    """A session with a debugger; the session runs in a thread of its own."""

    session: hds.Session
    client: Client
    records: list[Record]
    thread: threading.Thread
    errors: list[BaseException] = field(default_factory=list)

    def end(self) -> None:
        self.client.close()
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert not self.errors


def debugged(guest: str, engine: str, commands: str = "", *, trusted: bool = False, kernel: str = "bare") -> Debugged:
    records: list[Record] = []

    class Keeping:
        def report(self, record: Record, /) -> None:
            records.append(record)

    server = Server("0", trusted=trusted)
    reporter, questions = server.stand_before(Keeping())
    limits = Limits(max_instructions=1 << 40)
    session = hds.Session(
        guest.encode(), kind="asm", kernel=kernel, limits=limits, engine=make_engine(engine, limits), reporter=reporter,
        questions=questions,
    )  # fmt: skip
    session.execute(commands)
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            server.interact(session)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    return Debugged(session, Client(server.address), records, thread, errors)


@pytest.fixture(params=["reference", "native"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    make_engine(name)
    return name


@pytest.fixture
def world(engine: str) -> Iterator[Debugged]:
    made = debugged(GUEST, engine, "!syscall script { .n = .n + 1; }")
    yield made
    made.end()


def test_the_program_waits_until_it_is_let_go(world: Debugged) -> None:
    client = world.client
    assert "PacketSize=4000" in client.ask("qSupported:multiprocess+")
    assert client.ask("?") == "T05thread:1004;"
    assert client.register("rip") == BASE
    assert client.ask("vCont;c") == "W00"
    assert world.session.globals[".n"] == 4


def test_breakpoints_steps_and_the_end(world: Debugged) -> None:
    client = world.client
    assert client.ask(f"Z0,{NEXT:x},1") == "OK"
    for rounds in range(3):
        assert client.ask("c").startswith("T05")
        assert (client.register("rip"), client.register("rbx")) == (NEXT, 3 - rounds)
    assert client.ask(f"z0,{NEXT:x},1") == "OK"
    assert client.ask("s").startswith("T05")
    assert client.register("rip") == NEXT + 5
    assert client.ask("c") == "W00"
    assert client.ask("m400000,4") == "E22"  # nothing is left to look at


def test_registers_and_memory_are_read_and_written(world: Debugged) -> None:
    client = world.client
    whole = client.ask("g")
    assert len(whole) == 2 * sum(row.size for row in REGISTERS)
    rbx = next(index for index, row in enumerate(REGISTERS) if row.name == "rbx")
    assert client.ask(f"P{rbx:x}=2100000000000000") == "OK"
    assert client.ask("g")[16 * rbx : 16 * rbx + 4] == "2100"
    xmm3, tags = (next(i for i, row in enumerate(REGISTERS) if row.name == name) for name in ("xmm3", "ftag"))
    assert client.ask(f"P{xmm3:x}=" + "11" * 16) == "OK"
    assert client.register("xmm3") == int("11" * 16, 16)
    assert client.ask(f"P{tags:x}=ffff0000") == "OK"
    assert client.ask("G" + whole) == "OK"
    assert client.ask("g") == whole
    assert client.ask(f"m{BASE:x},5") == "bb03000000"
    assert client.ask(f"M{BASE + 1:x},1:05") == "OK"
    assert client.ask(b"X%x,2:\x07\x00" % (BASE + 1)) == "OK"
    assert client.ask(f"m{BASE:x},5") == "bb07000000"
    for bad in ("m0,8", "mffffffffffffff00,20", "M0,1:00"):
        assert client.ask(bad) == "E14"
    for bad in (
        "m",
        "p999",
        "Pzz=1",
        "G00",
        "Mq,1:00",
        "M400000,2:00",
        "Z9",
        "Z0,x,1",
        "qXfer:features:read:target.xml:",
    ):
        assert client.ask(bad) in ("E22", "OK"), bad


@pytest.mark.parametrize(("number", "told"), [(6, "X06"), (10, "X1e"), (34, "X2e")])
def test_a_signal_that_ends_the_program_is_told_by_its_number_of_gdb(number: int, told: str, engine: str) -> None:
    guest = f"mov edi, 0x1000; mov esi, {number}; mov eax, 62; syscall"
    world = debugged(guest, engine, kernel="linux")
    assert world.client.ask("c") == told
    world.end()


@pytest.mark.parametrize(("kind", "name"), [("2", "watch"), ("4", "awatch")])
def test_a_watchpoint_stops_behind_the_access(world: Debugged, kind: str, name: str) -> None:
    client = world.client
    place = client.register("rsp") - 0x40
    assert client.ask(f"Z{kind},{place:x},8") == "OK"
    assert client.ask("c") == f"T05{name}:{place:x};thread:1004;"
    assert client.register("rip") == NEXT + 5
    assert client.ask("s").startswith("T05")
    assert client.ask("c").startswith(f"T05{name}")
    assert client.ask(f"z{kind},{place:x},8") == "OK"
    assert client.ask("c") == "W00"


def test_an_event_that_breaks_is_the_debugger_s(engine: str) -> None:
    world = debugged(GUEST, engine, "!syscall 55 script { if (@rbx == 2) { pause(); } }")
    client = world.client
    assert client.ask("c").startswith("T05")
    assert (client.register("rip"), client.register("rbx")) == (SYSCALL, 2)
    assert client.ask("s").startswith("T05")
    assert client.register("rip") == SYSCALL + 2
    assert client.ask("c") == "W00"
    assert not [record for record in world.records if isinstance(record, Result)]  # gdb shows the instruction
    world.end()


def test_an_exception_is_looked_at_before_the_end(engine: str) -> None:
    world = debugged("mov eax, 5; mov ecx, [0x10]; nop", engine)
    client = world.client
    assert client.ask("c") == "T0bthread:1004;"
    assert (client.register("rip"), client.register("rax")) == (BASE + 5, 5)
    assert client.ask("c") == "X0b"
    world.end()


def test_a_running_program_is_interrupted(engine: str) -> None:
    world = debugged(LOOP, engine)
    client = world.client
    client.raw(framed(b"c") + INTERRUPT)
    assert client.answer() == "T02thread:1004;"
    assert client.register("rip") in range(BASE, BASE + 5)
    assert client.ask("s").startswith("T05")
    world.end()


def test_a_program_that_is_let_go_runs_on(world: Debugged) -> None:
    client = world.client
    assert client.ask(f"Z0,{NEXT:x},1") == "OK"
    assert client.ask("c").startswith("T05")
    assert client.ask("D") == "OK"
    world.thread.join(20)
    assert world.session.globals[".n"] == 4


def test_a_debugger_that_goes_ends_the_run(engine: str) -> None:
    world = debugged(LOOP, engine)
    world.client.raw(framed(b"c"))
    world.end()


def test_threads_libraries_and_the_description_are_read_in_pieces(world: Debugged) -> None:
    client = world.client
    text, at = "", 0
    while True:
        piece = client.ask(f"qXfer:features:read:target.xml:{at:x},200")
        text, at = text + piece[1:], at + len(piece) - 1
        if piece[0] == "l":
            break
    registers = ElementTree.fromstring(text.partition("?>")[2].partition(">")[2]).iter("reg")
    assert [row.get("name") for row in registers] == [row.name for row in REGISTERS]
    assert client.ask("qfThreadInfo") == "m1004"
    assert client.ask("qsThreadInfo") == "l"
    assert client.ask("Hg1004") == client.ask("T1004") == "OK"
    assert client.ask("T77") == "E01"
    assert client.ask("qXfer:threads:read::0,100").startswith("l<?xml")
    assert client.ask("qXfer:libraries:read::0,100") == "l<library-list></library-list>"
    assert client.ask("qOffsets") == "Text=0;Data=0;Bss=0"
    assert client.ask("qWhatever") == ""


def told(client: Client, command: str) -> str:
    answer = client.ask("qRcmd," + command.encode().hex())
    return "" if answer == "OK" else bytes.fromhex(answer).decode()


@pytest.mark.parametrize(
    "command",
    [
        ".dump 400000 400010 path out.bin",
        "output create it file out.txt",
        ".logopen out.txt",
        ".script other.hds",
        '? { #include "other.ds" }',
        "!syscall script file:other.ds",
    ],
)
def test_commands_that_name_files_are_for_debuggers_that_are_trusted(command: str) -> None:
    world = debugged(GUEST, "reference")
    assert "--gdb-trusted" in told(world.client, command)
    world.end()


def test_monitor_takes_commands_and_shows_what_they_show(world: Debugged) -> None:
    client = world.client
    assert "!syscall" in told(client, "events")
    assert told(client, "print 5 + 6") == "b\n"
    assert "gdb's business" in told(client, "g")
    assert told(client, "!syscall 60 script { .m = 9; }") == ""
    assert "error E200" in told(client, "nonsense")
    assert client.ask("c") == "W00"
    assert "killed" not in str(world.records)


def test_nothing_that_is_sent_breaks_it(world: Debugged) -> None:
    client, numbers = world.client, random.Random(7)
    words = [b"g", b"p1", b"m400000,40", b"Z0,400005,1", b"z0,400005,1", b"qXfer:threads:read::0,9", b"Hg-1", b"QStart"]
    for _ in range(300):
        word = bytearray(numbers.choice(words))
        for _ in range(numbers.randrange(3)):
            word[numbers.randrange(len(word))] = numbers.randrange(256)
        if bytes(word[:1]) not in b"cCsSDkv" and word != b"QStartNoAckMode":
            client.ask(bytes(word))
    assert client.register("rip") == BASE


# Two threads that count; the second one is there when AT_WORK is reached in the first.
THREADS = """
    mov eax, 56
    mov edi, 0x10f00
    lea rsi, [rsp - 0x2000]
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    syscall
work:
    inc rbx
    jmp work
"""
AT_WORK = BASE + 28


def rip_of(client: Client, thread: str) -> int:
    assert client.ask(f"Hg{thread}") == "OK"
    return client.register("rip")


@pytest.mark.parametrize(
    "packets", [("vCont;s:1008;c:1004",), ("vCont;s:1008",), ("vCont;S05:1008;c",), ("Hc1008", "s")]
)
def test_the_thread_that_is_meant_is_stepped(engine: str, packets: tuple[str, ...]) -> None:
    world = debugged(THREADS, engine, kernel="linux")
    client = world.client
    assert client.ask(f"Z0,{AT_WORK:x},1") == "OK"
    assert client.ask("c").startswith("T05")
    assert client.ask(f"z0,{AT_WORK:x},1") == "OK"
    assert client.ask("qfThreadInfo") == "m1004,1008"
    before = rip_of(client, "1004"), rip_of(client, "1008")
    for packet in packets[:-1]:
        assert client.ask(packet) == "OK"
    assert client.ask(packets[-1]) == "T05thread:1008;"
    assert rip_of(client, "1004") == before[0]
    assert rip_of(client, "1008") != before[1]
    assert client.ask("Hg1234") == "E01"
    assert client.ask("Hc77") == "E01"
    world.end()


def test_registers_are_those_of_the_thread_that_has_stopped_until_another_is_chosen(engine: str) -> None:
    world = debugged(THREADS, engine, kernel="linux")
    client = world.client
    assert client.ask(f"Z0,{AT_WORK:x},1") == "OK"
    assert client.ask("c").startswith("T05")
    assert client.ask("Hg1008") == "OK"
    assert client.ask(f"z0,{AT_WORK:x},1") == "OK"
    assert client.ask("vCont;s:1004") == "T05thread:1004;"
    assert client.register("rip") == AT_WORK + 3
    world.end()


# A process and its child, both of which come to AT_END.
FORKS = """
    mov eax, 57
    syscall
    test eax, eax
    jnz end
    nop
end:
    mov eax, 60
    syscall
"""
IN_CHILD, AT_END = BASE + 11, BASE + 12


def test_a_breakpoint_that_is_set_in_a_child_is_one_of_the_first_process_too(engine: str) -> None:
    world = debugged(FORKS, engine, f"!epthook {IN_CHILD:x} script {{ pause(); }}", kernel="linux")
    client = world.client
    assert client.ask("c").startswith("T05thread:1014")
    assert client.register("rip") == IN_CHILD
    assert client.ask(f"Z0,{AT_END:x},1") == "OK"
    threads = set()
    for _ in range(2):
        threads.add(client.ask("c"))
        assert client.register("rip") == AT_END
    assert threads == {"T05thread:1004;", "T05thread:1014;"}
    assert client.ask("c").startswith("W")
    world.end()


def test_an_interrupt_that_has_crossed_a_stop_stops_nothing(world: Debugged) -> None:
    client = world.client
    assert client.ask(f"Z0,{NEXT:x},1") == "OK"
    assert client.ask("c").startswith("T05")
    client.raw(INTERRUPT)
    assert client.ask("c").startswith("T05")
    assert client.register("rbx") == 2


def test_a_watchpoint_is_hit_by_a_store_that_begins_before_it(engine: str) -> None:
    world = debugged(GUEST, engine)
    client = world.client
    place = client.register("rsp") - 0x40 + 5
    assert client.ask(f"Z2,{place:x},1") == "OK"
    assert client.ask("c") == f"T05watch:{place:x};thread:1004;"
    assert client.register("rip") == NEXT + 5
    assert client.ask("s").startswith("T05")
    assert client.register("rip") == NEXT + 10
    world.end()


def test_a_breakpoint_that_is_there_already_is_no_error_and_stays_whose_it_was(world: Debugged) -> None:
    client = world.client
    assert told(client, f"bp {NEXT:x}") == ""
    assert client.ask(f"Z0,{NEXT:x},1") == "OK"
    assert client.ask(f"z0,{NEXT:x},1") == "OK"
    assert client.ask("c").startswith("T05")
    assert client.register("rip") == NEXT
    assert told(client, "bc all") == ""


def test_long_answers_of_monitor_come_in_pieces(world: Debugged) -> None:
    client = world.client
    text, answer = b"", client.ask("qRcmd," + b"u 400000 l 4000".hex())
    while answer.startswith("O") and answer != "OK":
        text, answer = text + bytes.fromhex(answer[1:]), client.answer()
    text += b"" if answer == "OK" else bytes.fromhex(answer)
    assert len(text) > 0x2000
    assert text.endswith(b"\n")


@pytest.mark.parametrize(
    "packet",
    [
        "Z,400005,1", "Z01,400005,1", "Z0,-5,1", "Z2,400005,0", "Z2,400005,ffffffffffffffff", "Z2,ffffffffffffffff,2",
        "m-1,4", "m400000,-4", "m0x400000,4", "m4_0,4", "m 400000,4", "p-1", "P-1=00", "M400000,-1:", "X-1,0:",
        "qXfer:threads:read::-5,10", "qXfer:threads:read::0,-10", "m" + "f" * 1000 + ",4", "m400000," + "f" * 1000,
        "P0=" + "0" * 2000, "G" + "zz" * 100, "Hgzz", "Tzz", "qRcmd,zz", "qRcmd,6", "z2,q,1",
    ],
)  # fmt: skip
def test_what_is_no_packet_of_gdb_is_refused(packet: str) -> None:
    world = debugged(GUEST, "reference")
    assert world.client.ask(packet) in ("E22", "E14", ""), packet
    assert world.client.register("rip") == BASE
    world.end()


def test_what_is_damaged_is_asked_for_again_and_what_is_endless_is_dropped(world: Debugged) -> None:
    client = world.client
    client.raw(b"$g#00")
    client.raw(b"$" + b"m" * 100_000)
    client.raw(b"junk+++---\x00\xff$#00$qC#b4")
    answers = [client.answer()]
    while answers[-1] != "QC1004":
        answers.append(client.answer())
    assert client.register("rip") == BASE


def test_a_client_that_floods_is_left(engine: str) -> None:
    world = debugged(LOOP, engine)
    client = world.client
    client.raw(framed(b"c"))
    with contextlib.suppress(OSError):
        client.raw(framed(b"?") * 10_000)
    world.thread.join(20)
    assert not world.thread.is_alive()
    assert not world.errors
