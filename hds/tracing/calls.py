"""Calls of a run, from `!syscall` and `!sysret` events: who makes them, with what, and what they come to."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from signal import SIGKILL
from typing import TYPE_CHECKING, Protocol

import msgspec

from hds.session import arguments_at, register
from hds.tracing.linux import siginfo, signal_name
from hds.tracing.systems import WORDS, Linux, System, arguments, system_of, unknown_call
from hds.tracing.views import LONGEST_PATH, LONGEST_TEXT, Prototype, View, signed
from machine import told_code
from machine.events import CallAction, Trigger
from machine.kernel import Answered, Ended, Happening, Requested, Signalled
from vm.facts.registers import STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session import Session
    from machine.schedule import Process, Thread

_RAX, _RSP = STORAGE_INDEX["rax"], STORAGE_INDEX["rsp"]
_FRAME_RAX = 144  # of the frame to which rsp points at rt_sigreturn
_SENDING = (
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
)
_WORD, _AT_EXECFN = 8, 31
_EXECVE = 59
_MOST_OF_INTERPRETERS = 12  # arguments that the lines of scripts come to
# How calls go on behind a signal in Linux' own words: again where it has no handler, or with the time that is left.
_WITHOUT_HANDLER = ("pause", "rt_sigsuspend", "select", "_newselect", "pselect6", "ppoll", "msgsnd", "msgrcv")
_WITH_TIME_LEFT = ("nanosleep", "clock_nanosleep", "poll", "futex")
_SHORT = "int 0x80"
_MAKING = ("clone", "clone3", "fork", "vfork")


class Call(msgspec.Struct):
    """A call of a thread. Times are ticks of the virtual clock; `shown` are its arguments, as far as they are known.

    `pid` and `tid` are those by which the program knows itself. `word` is the result, and `ended` when it came.
    """

    pid: int
    tid: int
    number: int
    name: str
    system: System
    prototype: Prototype
    view: View
    began: int
    shown: list[str | None] = msgspec.field(default_factory=list)
    ended: int | None = None
    again: bool = False  # behind a handler
    is_interrupted: bool = False  # by a signal, which comes behind it
    is_short: bool = False  # by INT 0x80
    at_entry: int = 0  # how many of `shown` were known before it was carried out
    is_wanted: bool = True

    @property
    def error(self) -> str | None:
        """The name of the error with which it has failed."""
        return None if self.view.result is None else self.system.failed(self.view.result)

    @property
    def result(self) -> str:
        """What it came to, as a text."""
        if self.again:
            return "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
        if self.is_interrupted and self.name in _WITHOUT_HANDLER:
            return "? ERESTARTNOHAND (To be restarted if no handler)"
        if self.is_interrupted and self.name in _WITH_TIME_LEFT:
            is_of_a_point = self.name == "clock_nanosleep" and self.view.words[1] & 1
            if is_of_a_point:
                return "? ERESTARTNOHAND (To be restarted if no handler)"
            return "? ERESTART_RESTARTBLOCK (Interrupted by signal)"
        return self.system.result(self.view, self.prototype.result)

    def enter(self) -> None:
        """Look at the arguments that are not filled in by the call."""
        rows = self.prototype.parameters
        first = next((at for at, each in enumerate(rows) if self.system.is_filled(each, self.view)), len(rows))
        self.shown = arguments(self.system, self.prototype, self.view, range(first))
        self.at_entry = first

    def leave(self, result: int | None, now: int) -> None:
        """It is over."""
        self.view.result, self.ended = result, now
        self.view.failed = result is not None and self.system.failed(result) is not None
        rows = range(self.at_entry, len(self.prototype.parameters))
        self.shown += arguments(self.system, self.prototype, self.view, rows)


class Sink(Protocol):
    """Takes what a trace finds."""

    def entered(self, call: Call) -> None:
        """A call has begun."""
        ...

    def left(self, call: Call) -> None:
        """A call is over; one that never returns has no result."""
        ...

    def signal(self, pid: int, tid: int, name: str, info: str, now: int) -> None:
        """A signal has come to a thread."""
        ...

    def joined(self, tid: int) -> None:
        """There is one more thread."""
        ...

    def ended(self, pid: int, tid: int, code: int, killed_by: str | None, how: str, now: int) -> None:
        """A thread has ended, with its process or alone; `how` is the line of it."""
        ...

    def finish(self) -> None:
        """Nothing more comes."""
        ...


class Calls:
    """Follows the calls of all processes of a session. `wanted` says of a name whether it is told of."""

    def __init__(
        self,
        session: Session,
        sinks: Sequence[Sink],
        wanted: Callable[[str], bool],
        *,
        longest: int = LONGEST_TEXT,
        shows_files: bool = False,
    ) -> None:
        self._session, self._sinks, self._wanted = session, tuple(sinks), wanted
        self._longest, self._shows_files = longest, shows_files
        self._under_way: dict[int, Call] = {}  # by id of the thread
        self._late: dict[int, list[bytes]] = {}  # signals that come when the call is over
        self._threads: dict[int, int] = {}  # the living: the process of each
        self._systems: dict[str, System] = {}

    def follow(self) -> None:
        """Create the events."""
        register(self._session, "!syscall", CallAction(self._enter, looks_on=True))
        register(self._session, "!sysret", CallAction(self._return, looks_on=True))
        self._session.machine.watcher = self._hear
        for process in self._session.machine.processes:
            for thread in process.threads:
                self._join(process.pid, self._session.machine.kernels.thread_id(thread))
            self._show_start(process)

    def _show_start(self, process: Process) -> None:
        """What has begun an ELF program, as its stack says: strace has made that call itself."""
        kernel = self._session.machine.options.kernel or process.image.kernel
        if kernel != "linux" or process.image.program_headers is None:
            return
        view = View("", (), process.cpu.memory.read_up_to)
        count_at = process.cpu.registers.read(_RSP)
        arguments = count_at + _WORD
        environment = at = arguments + _WORD * ((view.integer(count_at, _WORD) or 0) + 1)
        while view.integer(at, _WORD):
            at += _WORD
        at += _WORD
        while view.integer(at, _WORD) not in (None, 0, _AT_EXECFN):
            at += 2 * _WORD
        path = view.integer(at + _WORD, _WORD) or 0
        arguments = _behind_interpreter(view, path, arguments)
        call = self._begin(process.thread, self._system(kernel), _EXECVE, "execve", (path, arguments, environment))
        self._leave(call, 0, self._now)

    @property
    def _now(self) -> int:
        return self._session.machine.clock.elapsed()

    def _join(self, pid: int, tid: int) -> None:
        if tid not in self._threads:
            self._threads[tid] = pid
            for sink in self._sinks:
                sink.joined(tid)

    def _enter(self, trigger: Trigger) -> None:
        process, machine = trigger.process, self._session.machine
        machine.messages.catch_up()
        kernel = machine.options.kernel or process.image.kernel
        system = self._system(kernel)
        name = machine.kernels.known_call_name(trigger.context) or unknown_call(trigger.context)
        words = arguments_at(trigger, machine.options.kernel, max(len(system.prototype(name).parameters), WORDS))
        self._begin(process.thread, system, trigger.context, name, words)

    def _begin(
        self, thread: Thread, system: System, number: int, name: str, words: tuple[int, ...], *, is_short: bool = False
    ) -> Call:
        process, now = thread.process, self._now
        pid, tid = process.pid, self._session.machine.kernels.thread_id(thread)
        before = self._under_way.pop(tid, None)
        if before is not None:
            self._leave(before, 0 if before.name.startswith("execve") else None, now)
        self._join(pid, tid)
        view = View(
            name, words, process.cpu.memory.read_up_to, self._longest, stack=process.cpu.registers.read(_RSP),
            file_at=self._files_of(thread) if self._shows_files else None,
        )  # fmt: skip
        call = Call(pid, tid, number, name, system, system.prototype(name), view, now, is_short=is_short)
        call.is_wanted = self._wanted(name) or self._wanted(system.same_call.get(name, name))
        self._under_way[tid] = call
        if call.is_wanted:
            call.enter()
            for sink in self._sinks:
                sink.entered(call)
        if name == "rt_sigreturn":
            self._leave(call, view.integer(view.stack + _FRAME_RAX, 8, signed=True), now)
        elif name == "exit":
            self._leave(call, None, now)
            self._end(pid, tid, words[0] & 0xFF, 0, "", now)
        return call

    def _return(self, trigger: Trigger) -> None:
        process, machine = trigger.process, self._session.machine
        call = self._under_way.get(machine.kernels.thread_id(process.thread))
        if call is not None:
            machine.messages.catch_up()
            self._leave(call, signed(process.cpu.registers.read(_RAX)), self._now)

    def _leave(self, call: Call, result: int | None, now: int) -> None:
        self._under_way.pop(call.tid, None)
        if call.is_wanted:
            call.leave(result, now)
            for sink in self._sinks:
                sink.left(call)
        if call.name in _MAKING and result is not None and result > 0:
            self._join(call.pid if _shares_process(call) else result, result)
        for info in self._late.pop(call.tid, ()):
            self._tell(call.pid, call.tid, info, now)

    def _hear(self, happening: Happening) -> None:
        self._session.machine.messages.catch_up()
        now = self._now
        if isinstance(happening, Ended):
            self._end_process(happening.process, happening.code, happening.killed_by, now)
        elif isinstance(happening, Requested):
            self._begin(
                happening.thread, self._system(_SHORT), happening.number, happening.name, happening.words, is_short=True
            )
        elif isinstance(happening, Answered):
            call = self._under_way.get(self._session.machine.kernels.thread_id(happening.thread))
            if call is not None and call.is_short:
                self._leave(call, signed(happening.result), now)
        else:
            self._hear_signal(happening, now)

    def _hear_signal(self, signalled: Signalled, now: int) -> None:
        thread = signalled.thread
        tid = self._session.machine.kernels.thread_id(thread)
        call = self._under_way.get(tid)
        if call is not None and signalled.result is None:
            self._late.setdefault(tid, []).append(signalled.info)
            return
        if call is not None:
            call.again = signalled.restarts
            call.is_interrupted = signed(signalled.result or 0) == -errno.EINTR
            self._leave(call, signed(signalled.result or 0), now)
        self._tell(thread.process.pid, tid, signalled.info, now)

    def _tell(self, pid: int, tid: int, info: bytes, now: int) -> None:
        number = int.from_bytes(info[:4], "little")
        if number == SIGKILL:  # no tracer hears of it before the end
            return
        for sink in self._sinks:
            sink.signal(pid, tid, signal_name(number), siginfo(info), now)

    def _end_process(self, process: Process, code: int, killed_by: int, now: int) -> None:
        pid, named = process.pid, process.name_exit(code)
        for tid in [tid for tid, owner in self._threads.items() if owner == pid]:
            call = self._under_way.get(tid)
            if call is not None:
                self._leave(call, 0 if call.name in _SENDING and killed_by not in (0, SIGKILL) else None, now)
            self._end(pid, tid, code, killed_by, named, now)

    def _end(self, pid: int, tid: int, code: int, killed_by: int, named: str, now: int) -> None:
        if self._threads.pop(tid, None) is not None:
            signal = signal_name(killed_by) if killed_by else None
            how = f"exited with {told_code(code, named)}" if signal is None else f"killed by {signal}"
            for sink in self._sinks:
                sink.ended(pid, tid, code, signal, f"+++ {how} +++", now)

    def finish(self) -> None:
        """The run is over: the ends of which the system does not tell are told."""
        now = self._now
        for process in self._session.machine.processes:
            code = process.crash_code if process.exit_code is None else process.exit_code
            if code is not None and process.pid in self._threads.values():
                self._end_process(process, code, 0, now)
        for sink in self._sinks:
            sink.finish()

    def _system(self, kernel: str) -> System:
        if kernel not in self._systems:
            self._systems[kernel] = Linux(is_short=True) if kernel == _SHORT else system_of(kernel)
        return self._systems[kernel]

    def _files_of(self, thread: Thread) -> Callable[[int], bytes | None]:
        return lambda number: self._session.machine.kernels.file_at(thread, number)


def _behind_interpreter(view: View, path: int, arguments: int) -> int:
    """Where the arguments begin that a script was called with: its interpreter has found its path in front of them."""
    name, at = view.until_zero(path, LONGEST_PATH), arguments
    for _ in range(_MOST_OF_INTERPRETERS):
        pointer = view.integer(at, _WORD)
        if not pointer:
            break
        if view.until_zero(pointer, LONGEST_PATH) == name:
            return at
        at += _WORD
    return arguments


def _shares_process(call: Call) -> bool:
    if call.name == "clone":
        return bool(call.view.words[0] & 0x10000)
    return call.name == "clone3" and bool((call.view.integer(call.view.words[0], 8) or 0) & 0x10000)
