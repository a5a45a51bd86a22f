"""What a debugger asks of a session (GDB manual, appendix E "GDB Remote Serial Protocol").

The guest is one inferior of gdb: the session's current process with its threads. Breakpoints are those of `bp`, a
watchpoint is a `!monitor` event behind the access, a step is `t`: a system call up to its return. `monitor` takes the
commands of hds; those that name files of the host are refused unless the user trusts the debugger.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import msgspec

from hds.gdb import target
from hds.gdb.listening import Gone, Link, listen
from hds.gdb.packets import MOST
from hds.gdb.resuming import DETACH, KILL, STEP, Resume, resumption
from hds.report import Questions
from hds.report.records import Bytes, Halt, Line, Output, Record, Result, shown
from lang import SourceFile
from lang.commands import read_commands
from machine import ProcessEnd, Reporter, StopCause
from machine.debugger import BreakpointError, modules_of, seen_before_its_end
from machine.events import BreakAction
from vm.facts.commands import COMMAND_BY_NAME
from vm.facts.events import MONITORS, MonitoredAccess
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from hds.session import Session
    from machine.events import Event
    from machine.schedule import Process, Thread

TRAP, INTERRUPT, KILLED, SEGV, LIMIT = 5, 2, 9, 11, 24  # GDB's numbers of signals
_OWN_NUMBERS = {7: 10, 10: 30, 12: 31, 17: 20, 18: 19, 19: 17, 20: 18, 23: 16, 29: 23, 30: 32, 31: 12}  # by Linux'
_FIRST_REAL_TIME, _REAL_TIME = 33, 45  # Linux' number of a real-time signal, and GDB's
_SIGNALS = {0: 8, 1: 5, 3: 5, 4: 8, 6: 4, 16: 8, 17: 10, 19: 8}  # of exceptions, by vector; others are SEGV
_ACCESSES = {
    "2": (MonitoredAccess.W, "watch"), "3": (MonitoredAccess.R, "rwatch"), "4": (MonitoredAccess.RW, "awatch"),
}  # fmt: skip
_MOST_WATCHED = 1 << 20  # bytes of a watchpoint
_SOON = 0.005  # seconds
_OK, _EMPTY = b"OK", b""
_NO_MEMORY, _BAD, _REFUSED = b"E14", b"E22", b"E01"  # as errno has them: EFAULT, EINVAL, EPERM
_FILE = re.compile(r"\bFILE\b")
_NAMES_FILES = re.compile(r"#\s*include|\bfile\s*:", re.IGNORECASE)
_RUN_ON = frozenset(("g", "p", "t", "i", "pr", "tr", "ir", "gu", "go", "q", "exit", ".exit", "unload", "pause"))
_BREAKPOINTS = ("0", "1")
_MOST_TEXT = MOST // 2 - 1  # bytes in a packet
_DIGITS = re.compile("[0-9a-fA-F]{1,32}")
_DEFAULT_OS = {"linux": "GNU/Linux", "nt": "Windows"}


class Watch(msgspec.Struct, frozen=True):
    """A watchpoint: the event that carries it out, its first byte, and what gdb calls it."""

    event: Event
    address: int
    name: str


class Server:
    """The other end of one debugger, for one session."""

    def __init__(self, address: str, *, trusted: bool = False) -> None:
        """Listen at `[HOST:]PORT`; `trusted` debuggers may name files of the host. Exits where nobody can listen."""
        self.steps = False  # the step under way is a command, whose instruction gdb shows
        self.ended = False  # the debugger has gone, or killed the program
        self._listening = listen(address)
        self._trusted = trusted
        self._link: Link | None = None
        self._first: Process | None = None  # the process that gdb has come to, or what has taken its place
        self._points: set[int] = set()  # addresses of its breakpoints
        self._watches: dict[tuple[str, int, int], Watch] = {}
        self._session: Session
        self._thread: int | None = None  # what `Hg` has chosen
        self._stepped: int | None = None  # what `Hc` has
        self._running = self._interrupted = False
        self._signal: int | None = None  # the program has ended by an exception, and is looked at before that
        self._told: list[bytes] | None = None  # what a `monitor` command shows

    # --- the session's side

    @property
    def address(self) -> str:
        """Where it listens, as `target remote` takes it."""
        host, port = self._listening.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def stand_before(self, reporter: Reporter[Record]) -> tuple[Reporter[Record], Questions]:
        """What a session is to report to, and to ask: what `monitor` commands show goes to the debugger."""
        return _Telling(reporter, self), Questions(self._passes, self._next_commands)

    def interact(self, session: Session) -> None:
        """Wait for the debugger, and do what it says until it lets go or the program is over."""
        self._session, self._first = session, session.process
        session.machine.taken_in = self._taken_in
        connection, _ = self._listening.accept()
        self._listening.close()  # one client
        self._link = link = Link(connection, self._interrupt)
        try:
            while not self.ended:
                resume = self._talk()
                if resume.kind == DETACH:
                    break
                if resume.kind == KILL:
                    self.ended = True
                    break
                self._resume(resume)
                if not self.ended:
                    self._show_end()
                if not self.ended:
                    link.send_stop(self._stop_reply())
        except Gone:
            self.ended = True
        finally:
            self._let_go()
            link.close()
        if not self.ended and session.guest_alive:
            session.run()

    def _resume(self, resume: Resume) -> None:
        session, process = self._session, self._session.process
        if process is None or not session.guest_alive:
            return
        if self._interrupted:
            return
        if resume.kind == STEP:
            thread = next((each for each in process.threads if each.tid == resume.thread and not each.ended), None)
            if thread is not None and process.alive:
                session.machine.switch(process, thread)
            session.execution.step(process)
        else:
            session.run()
        self._running = False

    def _taken_in(self, process: Process) -> None:
        """A process is new: one that executes another program has the breakpoints of the one before."""
        breakpoints = self._session.execution.breakpoints
        before = next((each for each in self._session.machine.processes if each.successor is process), None)
        if before is not None and before is self._first:
            self._first = process
        for row in [row for row in breakpoints.rows if row.process is before and row.address in self._points]:
            with suppress(BreakpointError):
                breakpoints.add(process, row.address)

    def _show_end(self) -> None:
        """Let the debugger look at a program that an exception has just ended, before it learns that it has."""
        process, link = self._session.process, self._link
        if process is None or link is None or self._session.guest_alive:
            return
        with seen_before_its_end(process) as fault:
            if fault is not None:
                self._signal = _SIGNALS.get(fault.vector, SEGV)
                link.send_stop(self._stop_reply())
                self.ended = self._talk().kind in (DETACH, KILL)
                self._signal = None

    def _next_commands(self) -> str | None:
        """At an event that holds the guest: the command that lets it go; None ends the run."""
        if self._link is None or self.ended:
            return None
        try:
            self._link.send_stop(self._stop_reply())
            kind = self._talk().kind
        except Gone:
            kind = KILL
        if kind == KILL:
            self.ended = True
            return None
        if kind == DETACH:
            self._let_go()
        self.steps = kind == STEP
        return "t" if kind == STEP else "g"

    def _passes(self, halt: Halt) -> bool:
        """Whether a halt is passed over: nobody is there."""
        return self._link is None or self.ended

    def _interrupt(self) -> None:
        """In the connection's thread: end the run, which may be about to begin."""
        self._interrupted = True
        while self._running and self._interrupted:
            self._session.machine.stop()
            time.sleep(_SOON)

    def _let_go(self) -> None:
        """Nothing of the debugger's stays."""
        self._running = False
        self._session.execution.breakpoints.clear_all()
        for watch in self._watches.values():
            self._session.machine.end_lookout(watch.event)
        self._watches.clear()
        self._link = None

    @property
    def is_asked(self) -> bool:
        """Whether a debugger is there."""
        return self._link is not None

    def tell(self, text: bytes) -> bool:
        """Take what is shown, if a `monitor` command shows it."""
        if self._told is None:
            return False
        self._told.append(text)
        return True

    # --- packets

    def _talk(self) -> Resume:
        """Answer packets until one lets the guest go on."""
        link = self._link
        assert link is not None
        self._running = self.steps = False
        while True:
            packet = link.receive()
            resume = resumption(packet, self._stepped)
            if resume is not None:
                self._running = True
                if resume.kind == DETACH or packet.startswith(b"vKill"):
                    link.send(_OK)
                return resume
            link.send(self._answer(packet)[:MOST])
            if packet == b"QStartNoAckMode":
                link.acknowledges = False

    def _answer(self, packet: bytes) -> bytes:
        text = packet.decode("latin-1")
        for prefix, answer in _ANSWERS.items():
            if text.startswith(prefix):
                try:
                    return answer(self, text[len(prefix) :], packet[len(prefix) :])
                except (ValueError, IndexError):
                    return _BAD
        return _EMPTY  # what an empty answer says: it is not known here

    def _why(self, text: str, data: bytes) -> bytes:
        return self._stop_reply()

    def _stop_reply(self) -> bytes:
        """Where the program is and why: a signal, or its end."""
        session, process = self._session, self._session.process
        if process is None:
            return b"W00"
        if not process.alive and not session.guest_alive:
            return self._end(process)
        signal, why = TRAP, ""
        last = session.totals.last
        held = session.execution.held
        if self._signal is not None:
            signal = self._signal
        elif held is not None:
            watch = next((watch for watch in self._watches.values() if watch.event is held.event), None)
            if watch is not None:
                why = f"{watch.name}:{max(held.context, watch.address):x};"
        elif self._interrupted:
            signal = INTERRUPT
        elif last is not None and last.cause not in (StopCause.BREAK, StopCause.END, StopCause.STOPPED):
            signal = LIMIT
        self._interrupted = False
        self._thread = None  # from now on the one that is named here is meant
        return f"T{signal:02x}{why}thread:{process.tid:x};".encode()

    def _end(self, process: Process) -> bytes:
        end = ProcessEnd.of(process)
        if process.killed_by:
            return b"X%02x" % _gdb_signal(process.killed_by)
        if end.cause in (StopCause.EXIT, StopCause.END, StopCause.HALT):
            return b"W%02x" % ((end.exit_code or 0) & 0xFF)
        return b"X%02x" % (KILLED if end.fault is None else _SIGNALS.get(end.fault.vector, SEGV))

    # --- what the debugger asks

    def _supported(self, text: str, data: bytes) -> bytes:
        words = (
            f"PacketSize={MOST:x}", "qXfer:features:read+", "qXfer:libraries-svr4:read+", "qXfer:libraries:read+",
            "qXfer:threads:read+", "QStartNoAckMode+", "swbreak-", "hwbreak-", "vContSupported+",
            "qXfer:auxv:read+",
        )  # fmt: skip
        return ";".join(words).encode()

    def _process(self) -> Process:
        process = self._session.process
        if process is None or not process.alive:
            raise ValueError("the program is over")
        return process

    def _threads(self) -> list[Thread]:
        return [thread for thread in self._process().threads if not thread.ended]

    def _choose(self, text: str, data: bytes) -> bytes:
        """`Hg THREAD`, `Hc THREAD`: 0 is any, -1 all of them."""
        number = int(text[1:], 16)
        if number > 0 and number not in {thread.tid for thread in self._threads()}:
            return _REFUSED
        if text[:1] == "g":
            self._thread = number if number > 0 else None
        else:
            self._stepped = number if number > 0 else None
        return _OK

    def _is_alive(self, text: str, data: bytes) -> bytes:
        return _OK if int(text, 16) in {thread.tid for thread in self._threads()} else _REFUSED

    def _thread_info(self, text: str, data: bytes) -> bytes:
        return b"m" + ",".join(f"{thread.tid:x}" for thread in self._threads()).encode()

    def _current_thread(self, text: str, data: bytes) -> bytes:
        return f"QC{self._process().tid:x}".encode()

    def _offsets(self, text: str, data: bytes) -> bytes:
        bias = self._process().image.bias
        return f"Text={bias:x};Data={bias:x};Bss={bias:x}".encode()

    @contextmanager
    def _state(self) -> Iterator[target.State]:
        """The registers of the chosen thread; of one that has no CPU they are only read."""
        process = self._process()
        thread = next((each for each in process.threads if each.tid == self._thread), process.thread)
        cpu = process.cpu
        if thread is process.thread or thread.saved is None:
            registers = self._session.registers
            host = registers._host()
            yield target.State(
                host.read_register, host.write_register, cpu.read_fxsave, cpu.write_fxsave, cpu.read_msr, cpu.write_msr
            )
            return
        saved = thread.saved

        def refuse(*_: object) -> None:
            raise ValueError("another thread has the CPU")

        yield target.State(saved.read, refuse, saved.read_fxsave, refuse, lambda number: 0, refuse)

    def _read_registers(self, text: str, data: bytes) -> bytes:
        with self._state() as state:
            image = state.fxsave()
            return b"".join(target.value(row, state, image) for row in target.REGISTERS).hex().encode()

    def _write_registers(self, text: str, data: bytes) -> bytes:
        values = bytes.fromhex(text)
        with self._state() as state:
            for row in target.REGISTERS:
                part, values = values[: row.size], values[row.size :]
                if len(part) == row.size and part != target.value(row, state, state.fxsave()):
                    target.set_value(row, state, part)
        return _OK

    def _read_register(self, text: str, data: bytes) -> bytes:
        row = target.REGISTERS[_number(text)]
        with self._state() as state:
            return target.value(row, state, state.fxsave()).hex().encode()

    def _write_register(self, text: str, data: bytes) -> bytes:
        number, _, digits = text.partition("=")
        row, value = target.REGISTERS[_number(number)], bytes.fromhex(digits)
        if len(value) != row.size:
            return _BAD
        with self._state() as state:
            target.set_value(row, state, value)
        return _OK

    def _read_memory(self, text: str, data: bytes) -> bytes:
        """As much as is there of what is wanted."""
        address, _, size = text.partition(",")
        at, most = _number(address), min(_number(size), MOST // 2)
        found = self._process().cpu.memory.read_up_to(at, most)
        return found.hex().encode() if found or not most else _NO_MEMORY

    def _write_memory(self, text: str, data: bytes) -> bytes:
        place, _, digits = text.partition(":")
        return self._written(place, bytes.fromhex(digits))

    def _write_binary(self, text: str, data: bytes) -> bytes:
        place, _, _ = text.partition(":")
        return self._written(place, data[len(place) + 1 :])

    def _written(self, place: str, data: bytes) -> bytes:
        address, _, size = place.partition(",")
        at = _number(address)
        if _number(size) != len(data):
            return _BAD
        written = not data or self._session.machine.write_memory(at, data)
        return _OK if written else _NO_MEMORY

    def _insert(self, text: str, data: bytes) -> bytes:
        kind, address, size = self._point(text)
        process, machine = self._process(), self._session.machine
        if kind in _BREAKPOINTS:
            others = [] if self._first in (None, process) else [self._first]
            return self._halt_at(address, process, *(each for each in others if each is not None and each.alive))
        if kind not in _ACCESSES:
            return _EMPTY
        if (kind, address, size) in self._watches:
            return _OK
        if not 0 < size <= _MOST_WATCHED or address + size > 1 << 64:
            return _BAD
        access, name = _ACCESSES[kind]
        last = address + size - 1
        event = machine.look_out(process, MONITORS[access], address, last, Stage.POST, BreakAction())
        self._watches[kind, address, size] = Watch(event, address, name)
        return _OK

    def _halt_at(self, address: int, process: Process, *others: Process) -> bytes:
        """A breakpoint in a process, and in others that have something there, too."""
        breakpoints = self._session.execution.breakpoints
        if breakpoints.at(process, address) is None:  # else it halts there already
            try:
                breakpoints.add(process, address)
            except BreakpointError:
                return _NO_MEMORY
            self._points.add(address)
        for each in others:
            if address in self._points and breakpoints.at(each, address) is None:
                with suppress(BreakpointError):
                    breakpoints.add(each, address)
        return _OK

    def _remove(self, text: str, data: bytes) -> bytes:
        kind, address, size = self._point(text)
        breakpoints = self._session.execution.breakpoints
        if kind in _BREAKPOINTS:
            rows = [row for row in breakpoints.rows if row.address == address and address in self._points]
            self._points.discard(address)
            for row in rows:
                if row.number is not None:
                    breakpoints.clear(row.number)
            return _OK
        watch = self._watches.pop((kind, address, size), None)
        if watch is not None:
            self._session.machine.end_lookout(watch.event)
        return _OK

    def _point(self, text: str) -> tuple[str, int, int]:
        kind, address, size = text.split(";")[0].split(",")
        return kind, _number(address), _number(size)

    # --- objects

    def _features(self, text: str, data: bytes) -> bytes:
        process = self._session.process
        kernel = None if process is None else process.image.kernel
        return self._part(target.description(_DEFAULT_OS.get(kernel or "")), text.partition("target.xml:")[2])

    def _auxiliary(self, text: str, data: bytes) -> bytes:
        return self._part(self._session.machine.kernels.auxiliary_vector(self._process().thread), text)

    def _part(self, whole: str | bytes, place: str) -> bytes:
        offset, _, size = place.partition(",")
        start, most = _number(offset), _number(size)
        data = whole.encode() if isinstance(whole, str) else whole
        piece = data[start : start + min(most, MOST - 8)]
        return (b"l" if start + len(piece) >= len(data) else b"m") + piece

    def _thread_list(self, text: str, data: bytes) -> bytes:
        rows = "".join(f'<thread id="{thread.tid:x}"/>' for thread in self._threads())
        return self._part(f'<?xml version="1.0"?><threads>{rows}</threads>', text)

    def _libraries(self, text: str, data: bytes) -> bytes:
        rows = "".join(
            f'<library name={quoteattr(module.path)}><segment address="{module.start:#x}"/></library>'
            for module in modules_of(self._process())
        )
        return self._part(f"<library-list>{rows}</library-list>", text)

    def _elf_libraries(self, text: str, data: bytes) -> bytes:
        rows = "".join(
            f'<library name={quoteattr(module.path)} lm="{module.start:#x}" l_addr="{module.start:#x}" '
            f'l_ld="{self._dynamic(module.start):#x}"/>'
            for module in modules_of(self._process())
        )
        return self._part(f'<library-list-svr4 version="1.0">{rows}</library-list-svr4>', text.partition(":")[2])

    def _dynamic(self, base: int) -> int:
        """Where the dynamic section of a library is (ELF, PT_DYNAMIC = 2), by its headers in memory."""
        memory = self._process().cpu.memory
        header = memory.read(base, 64)
        if header is None:
            return 0
        at, size, count = (
            int.from_bytes(header[32:40], "little"),
            *(int.from_bytes(header[place : place + 2], "little") for place in (54, 56)),
        )
        for number in range(min(count, 64)):
            row = memory.read(base + at + number * size, 56) or bytes(56)
            if int.from_bytes(row[:4], "little") == 2:
                return base + int.from_bytes(row[16:24], "little")
        return 0

    # --- commands of hds

    def _monitor(self, text: str, data: bytes) -> bytes:
        """`monitor COMMAND`."""
        line = bytes.fromhex(text).decode("utf-8", "replace")
        refused = self._refusal(line)
        if refused is not None:
            return f"{refused}\n".encode().hex().encode()
        self._told = []
        try:
            self._session.interpret(SourceFile("<gdb>", line))
            told = b"".join(self._told)
        finally:
            self._told = None
        return self._shown(told) or _OK

    def _shown(self, text: bytes) -> bytes:
        """What is left of a text for the answer to `monitor` when all that does not fit was shown before."""
        assert self._link is not None
        while len(text) > _MOST_TEXT:
            self._link.send(b"O" + text[:_MOST_TEXT].hex().encode())
            text = text[_MOST_TEXT:]
        return text.hex().encode()

    def _refusal(self, line: str) -> str | None:
        commands, _ = read_commands(SourceFile("<gdb>", line))
        for command in commands:
            row = COMMAND_BY_NAME.get(command.name.lower)
            if row is not None and row.name in _RUN_ON:
                return f"err, '{row.name}' is gdb's business here: continue, stepi, detach"
            if not self._trusted and row is not None and (row.name == "output" or _FILE.search(row.usage)):
                return f"err, '{row.name}' may name files of the host: `hds run --gdb-trusted` allows it"
        if not self._trusted and _NAMES_FILES.search(line):
            return "err, this names files of the host: `hds run --gdb-trusted` allows it"
        return None


def _number(text: str) -> int:
    """A number of a packet: hexadecimal digits and nothing else. Raises ValueError."""
    if not _DIGITS.fullmatch(text):
        raise ValueError(text)
    return int(text, 16)


class _Telling:
    """A reporter that gives what `monitor` commands show to the debugger."""

    def __init__(self, reporter: Reporter[Record], server: Server) -> None:
        self._reporter, self._server = reporter, server

    def report(self, record: Record, /) -> None:
        """Show it here or there."""
        if isinstance(record, Halt) and self._server.is_asked:
            return  # gdb says it
        if isinstance(record, Result) and self._server.steps:
            return
        form = shown(record)
        text: bytes | None = None
        match form:
            case Bytes(data):
                text = data
            case Output(shown_text):
                text = shown_text.encode("utf-8", "replace")
            case Line(line):
                text = f"{line}\n".encode("utf-8", "replace")
        if text is None or not self._server.tell(text):
            self._reporter.report(record)


Answer = Callable[[Server, str, bytes], bytes]


def _gdb_signal(number: int) -> int:
    """GDB's number of a signal of Linux."""
    return _REAL_TIME + number - _FIRST_REAL_TIME if number >= _FIRST_REAL_TIME else _OWN_NUMBERS.get(number, number)


# The packets by their beginnings, longer ones before shorter ones.
_ANSWERS: dict[str, Answer] = {
    "qSupported": Server._supported,
    "QStartNoAckMode": lambda server, text, data: _OK,
    "qXfer:features:read:": Server._features,
    "qXfer:threads:read::": Server._thread_list,
    "qXfer:auxv:read::": Server._auxiliary,
    "qXfer:libraries:read::": Server._libraries,
    "qXfer:libraries-svr4:read:": Server._elf_libraries,
    "qfThreadInfo": Server._thread_info,
    "qsThreadInfo": lambda server, text, data: b"l",
    "qAttached": lambda server, text, data: b"1",
    "qOffsets": Server._offsets,
    "qC": Server._current_thread,
    "qRcmd,": Server._monitor,
    "vCont?": lambda server, text, data: b"vCont;c;C;s;S",
    "?": Server._why,
    "H": Server._choose,
    "T": Server._is_alive,
    "g": Server._read_registers,
    "G": Server._write_registers,
    "p": Server._read_register,
    "P": Server._write_register,
    "m": Server._read_memory,
    "M": Server._write_memory,
    "X": Server._write_binary,
    "Z": Server._insert,
    "z": Server._remove,
}
