"""Python at a trigger: `Session.on` and `Session.events`, and what they are given.

A callback is an action of its event, before the event's own ones (machine.events.CallAction). `events` lets the guest
run in a thread of its own, which waits inside the trigger while the loop's body looks at it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from hds.report.records import json_object
from hds.session.access import Globals, Memory, Registers
from hds.session.recording import Recording, arguments_at
from hds.session.refused import CommandFailed, ScriptError
from lang import Code, Diagnostic, Severity, SourceFile, Span
from machine.events import CallAction, RegistrationError, Trigger as MachineTrigger
from vm.facts.events import CALL_NUMBER
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from hds.session.session import Session
    from vm import Host

Callback = Callable[["Trigger"], object]


class TriggerIsOver(RuntimeError):  # noqa: N818 - it reads as what happened
    """The guest has gone on since: what belonged to the trigger cannot be looked at any more."""

    def __init__(self) -> None:
        super().__init__("the trigger is over: read what you need in the callback, or keep trigger.to_record()")


class Trigger:
    """An event that holds the guest. The names are those of JSON records (docs/records.schema.json).

    `event` is the event's id, `kind` its kind (`syscall`), `stage` `pre` or `post`; `pid`, `tid` and `process` (its
    name) say whose trigger it is, `pc` where, `context` is `$context`. These stay; all else belongs to the trigger, and
    raises TriggerIsOver behind it.
    """

    __slots__ = (
        "_host", "_memory", "_registers", "_session", "_tick", "_trigger", "context", "core", "event", "kind", "pc",
        "pid", "process", "stage", "tid",
    )  # fmt: skip

    def __init__(self, session: Session, trigger: MachineTrigger) -> None:
        process = trigger.process
        self._session: Session = session
        self._trigger: MachineTrigger | None = trigger
        self._host: Host | None = None
        self._registers: Registers | None = None
        self._memory: Memory | None = None
        self.event: int = trigger.event.definition.id
        self.kind: str = trigger.event.definition.kind.name
        self.stage: str = "post" if trigger.stage is Stage.POST else "pre"
        self.core: int = trigger.core
        self._tick: int | None = None
        self.pid: int = process.pid
        self.tid: int = process.tid
        self.process: str = process.name
        self.pc: int = trigger.instruction_pointer
        self.context: int = trigger.context

    def _require(self) -> MachineTrigger:
        if self._trigger is None:
            raise TriggerIsOver
        return self._trigger

    def _host_now(self) -> Host:
        if self._host is None:
            self._host = self._session.machine.host_for(self._require())
        return self._host

    @property
    def tick(self) -> int:
        """The virtual time."""
        if self._tick is None:
            self._require()
            self._tick = self._session.machine.clock.elapsed()
        return self._tick

    @property
    def registers(self) -> Registers:
        """The guest's registers, which may be written."""
        if self._registers is None:
            self._registers = Registers(self._host_now)
        return self._registers

    @property
    def memory(self) -> Memory:
        """The guest's memory, which may be written."""
        if self._memory is None:
            self._memory = Memory(self._host_now)
        return self._memory

    @property
    def globals(self) -> Globals:
        """The globals of the session's scripts."""
        return self._session.globals

    @property
    def arguments(self) -> tuple[int, ...]:
        """Six words in the places where the system call, or a function that begins here, has its arguments."""
        return arguments_at(self._require(), self._session.machine.options.kernel)

    @property
    def symbol(self) -> str | None:
        """`module!name+0x..` of `pc`; None where none is near."""
        return self._session.symbols.place(self._require().process, self.pc) or None

    @property
    def name(self) -> str | None:
        """The name of the system call; None elsewhere, and where the kernel does not know it."""
        is_number = self._require().event.definition.kind.context == CALL_NUMBER
        return self._session.machine.kernels.known_call_name(self.context) if is_number else None

    @property
    def thread(self) -> str:
        """The name of the thread."""
        return self._session.machine.kernels.thread_name(self._require().process.thread)

    @property
    def short_circuit(self) -> bool:
        """Whether the operation is not to be carried out (`sc`, `event_sc`)."""
        return self._require().short_circuit

    @short_circuit.setter
    def short_circuit(self, blocks: bool) -> None:
        self._require().short_circuit = blocks

    def block(self) -> None:
        """Do not carry the operation out, as `event_sc(1)`; only the pre stage of kinds that allow it obeys."""
        self._require().short_circuit = True

    def stop(self) -> None:
        """End the run when this trigger has been handled; `Session.run` goes on from there."""
        self._require()
        self._session.machine.stop()

    def to_record(self) -> dict[str, object]:
        """The trigger as a JSON record, with registers and arguments."""
        record = Recording(registers=True, arguments=True).record(self._session, self._require())
        return json_object(record) or {}

    def end(self) -> None:
        """The guest goes on."""
        self._trigger = self._host = None

    def __repr__(self) -> str:
        where = f"at 0x{self.pc:x}, context 0x{self.context:x}, pid 0x{self.pid:x}"
        return f"<trigger of event {self.event} ({self.stage}) {where}>"


class Subscription:
    """An event that `Session.on` has made: its id, what it did, and how to switch it."""

    def __init__(self, session: Session, number: int) -> None:
        self._registry = session.machine.registry
        self._event = self._registry.get(number)
        self.event = number

    @property
    def triggers(self) -> int:
        """How often its actions ran."""
        return self._event.triggers

    @property
    def rejections(self) -> int:
        """How often its condition was false."""
        return self._event.rejections

    @property
    def time_ns(self) -> int:
        """Real nanoseconds that its condition and actions took; 0 without `Session(record="times")`."""
        return self._event.time_ns

    def enable(self) -> None:
        """Let it trigger again. Raises machine.events.RegistrationError when it was cleared."""
        self._registry.enable(self.event)

    def disable(self) -> None:
        """Keep it from triggering. Raises as `enable`."""
        self._registry.disable(self.event)

    def clear(self) -> None:
        """Remove it for good; nothing happens when that is done."""
        if self.event in self._registry.ids:
            self._registry.clear(self.event)

    def __repr__(self) -> str:
        return f"<event {self.event}: {self._event.definition.command}>"


def subscribe(session: Session, text: str, callback: Callback) -> Subscription:
    """Create the event of a command, with a callback. Raises ScriptError, and TypeError for what is neither."""
    if not isinstance(text, str):
        raise TypeError(f"an event is given as its command, a text, not as {text!r}")
    if not callable(callback):
        raise TypeError(f"{callback!r} cannot be called")

    def call(held: MachineTrigger) -> None:
        session.machine.messages.catch_up()  # with what was said before
        trigger = Trigger(session, held)
        try:
            callback(trigger)
        finally:
            trigger.end()

    return Subscription(session, register(session, text, CallAction(call)))


def register(session: Session, text: str, action: CallAction) -> int:
    """Create the event of a command, with this action before its own; its id. Raises ScriptError."""
    from hds.session.commands import create_event

    source = SourceFile("<on>", text)
    prepared = session.prepare(source)
    commands = prepared.file.commands
    errors = [item for item in prepared.diagnostics if item.severity is Severity.ERROR]
    if not errors and (len(commands) != 1 or not commands[0].row.is_event):
        message = "one event command is wanted, as in `!syscall 1`"
        errors = [Diagnostic(Code.REFUSED, message, Span(source, 0, len(text)))]
    if errors:
        raise ScriptError(errors)
    session.reach_entry()
    try:
        return create_event(session, commands[0], prepared, (action,))
    except CommandFailed as error:
        raise ScriptError([Diagnostic(error.code, str(error), commands[0].span, error.hint)]) from None
    except RegistrationError as error:
        raise ScriptError([Diagnostic(Code.REFUSED, str(error), commands[0].span)]) from None


def iterate(session: Session, texts: tuple[str, ...], timeout: float | None) -> Generator[Trigger]:
    """The triggers of new events, while the guest runs; each holds it until the next one is asked for.

    Raises ScriptError, and what `Session.run` raises.
    """
    waiting = _Handover(session)
    events: list[Subscription] = []
    try:
        events += [subscribe(session, text, waiting.arrive) for text in texts]
        yield from waiting.triggers(timeout)
    finally:
        waiting.close()
        for event in events:
            event.clear()


class _Handover:
    """The run in its own thread, and the loop: one of the two waits for the other at any time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._arrivals: queue.SimpleQueue[Trigger | BaseException | None] = queue.SimpleQueue()
        self._goes_on = threading.Semaphore(0)
        self._is_over = False
        self._thread: threading.Thread | None = None

    def arrive(self, trigger: Trigger) -> None:
        """In the thread of the run."""
        if not self._is_over:
            self._arrivals.put(trigger)
            self._goes_on.acquire()
        if self._is_over:
            self._session.machine.stop()

    def triggers(self, timeout: float | None) -> Iterator[Trigger]:
        """In the thread of the loop."""
        self._thread = threading.Thread(target=self._run, args=(timeout,), name="hds guest", daemon=True)
        self._thread.start()
        while (item := self._arrivals.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
            self._goes_on.release()

    def _run(self, timeout: float | None) -> None:
        try:
            self._session.run(timeout=timeout)
        except BaseException as error:
            self._arrivals.put(error)
        else:
            self._arrivals.put(None)

    def close(self) -> None:
        """The loop has ended: so does the run."""
        self._is_over = True
        if self._thread is not None:
            while self._thread.is_alive():
                self._session.machine.stop()  # again: a request that comes between two turns is forgotten
                self._goes_on.release()
                self._thread.join(0.01)
