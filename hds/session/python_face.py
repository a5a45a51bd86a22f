"""What a Session is to Python beyond commands: callbacks, triggers in a loop, records as tables (docs/python.md)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from weakref import WeakSet

from hds.report.records import Record, json_object, with_symbol
from hds.session import access, callbacks, tables

if TYPE_CHECKING:
    from hds.session.callbacks import Callback, Subscription, Trigger
    from hds.session.session import Session
    from hds.session.symbols import Symbols
    from machine import Machine

CallbackT = TypeVar("CallbackT", bound="Callback")


class PythonFace:
    """The part of `Session`, its only heir, that needs no more than these of it."""

    machine: Machine
    symbols: Symbols
    records: list[Record]

    def __init__(self) -> None:
        self._loops: WeakSet[Generator[Trigger]] = WeakSet()

    @property
    def _session(self) -> Session:
        return cast("Session", self)

    # --- Python at triggers

    @overload
    def on(self, event: str, callback: Callback) -> Subscription: ...

    @overload
    def on(self, event: str) -> Callable[[CallbackT], CallbackT]: ...

    def on(self, event: str, callback: Callback | None = None) -> Subscription | Callable[[CallbackT], CallbackT]:
        """Call a function at each trigger of a new event, given as its command: `session.on("!syscall 1", f)`.

        It is called with a `Trigger`, before the script and the code that the command may have; without those there is
        no break. Without a callback the result decorates one. What it raises ends the run, and comes out of it
        unchanged. With `parallel` it is called in other threads, by one at a time. Raises ScriptError.
        """
        if callback is not None:
            return callbacks.subscribe(self._session, event, callback)

        def decorate(function: CallbackT) -> CallbackT:
            callbacks.subscribe(self._session, event, function)
            return function

        return decorate

    def events(self, *events: str, timeout: float | None = None) -> Iterator[Trigger]:
        """Let the guest run, and go through the triggers of new events, given as their commands.

        The guest waits inside each trigger, which may be read and changed as in a callback, until the next one is asked
        for. The events are cleared at the end; leaving the loop early ends the run. `timeout` is in seconds of real
        time, the loop's body included. Raises ScriptError, and what `run` raises.
        """
        loop = callbacks.iterate(self._session, events, timeout)
        self._loops.add(loop)
        return loop

    def _end_loops(self) -> None:
        """Nobody asks for more triggers: what still waits for that goes on, and its run ends."""
        for loop in tuple(self._loops):
            try:
                loop.close()
            except ValueError:  # it is asked for its next trigger just now, so this is a callback
                self.machine.stop()

    # --- tables

    def to_records(self, kind: str | None = None) -> list[dict[str, object]]:
        """The kept records as JSON objects (docs/records.schema.json), all or those of a type such as `message`.

        Raises ValueError for a type that no record can have.
        """
        from hds.report import record_types

        if kind is not None and kind not in record_types():
            raise ValueError(f"there are no records of the type {kind!r}; there are {', '.join(record_types())}")
        made = (json_object(with_symbol(record, self.symbol_of)) for record in self.records)
        return [each for each in made if each is not None and kind in (None, each["type"])]

    def to_arrow(self, kind: str = "message") -> Any:
        """The kept records of a type as a pyarrow.Table (extra `arrow`). Raises MissingExtra, an ImportError."""
        return tables.arrow_table(self.to_records(kind))

    def to_pandas(self, kind: str = "message") -> Any:
        """The kept records of a type as a pandas.DataFrame (extra `pandas`). Raises MissingExtra, an ImportError."""
        return tables.pandas_frame(self.to_records(kind))

    def _repr_html_(self) -> str:
        rows = (
            (f"{event.definition.id:x}", event.definition.command, str(event.triggers), str(event.faults))
            for event in self.machine.registry.ever_registered
        )
        return access.html_table(("event", "command", "triggers", "errors"), rows)

    def symbol_of(self, process_id: int, address: int) -> str | None:
        """`module!name+0x..` of an address in a process that the session has; None where none is near."""
        process = next((each for each in self.machine.processes if each.pid == process_id), None)
        return None if process is None else self.symbols.place(process, address) or None
