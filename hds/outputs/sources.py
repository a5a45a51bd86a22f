"""Event forwarding: named sources that the messages of events are sent to instead of the console (B.11).

A source is created, then opened, then closed, and never opened again. Its file, connection, pipe or module is acquired
when it is created. What is transmitted is exactly the text of each print or printf, without framing. A source that
fails ends alone: the guest, the scripts and the other sources go on, its failure is reported once, and every byte that
it did not carry is counted. The log of `.logopen` is such a source, too, which no event can name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from hds.outputs import file as file_output
from hds.outputs.carriers import Carrier, OutputFailed, Patience, Rest
from vm.facts.outputs import OUTPUT_KINDS

LONGEST_NAME = 49  # characters
_LOG = "log"
_TYPE_WIDTH, _STATE_WIDTH = 9, 10  # of the columns in the list


class OutputState(Enum):
    """Where a source is in its life; the values are what the list shows."""

    CREATED = "not opened"
    OPENED = "opened"
    CLOSED = "closed"


class OutputSource(msgspec.Struct):
    """One source, and what became of the bytes that events sent to it. `failure` says why it ended early."""

    name: str
    kind: str  # as `output create` names it, or `log`
    address: str
    carrier: Carrier
    state: OutputState = OutputState.CREATED
    sent: int = 0
    lost: int = 0
    failure: str | None = None
    reported: bool = False  # that it is not open

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"the log {self.name}" if self.kind == _LOG else f"the output '{self.name}'"


class Outputs(msgspec.Struct):
    """The sources of a session, by name in the order of their creation.

    `report` receives a line when a transfer fails. Modules run code in this process, so `allow_modules` must ask for
    them. `locate` gives the file that a path means; `guarded` is a folder that the guest writes to (`vm.files`).
    """

    report: Callable[[str], None] = lambda text: None
    allow_modules: bool = False
    locate: Callable[[str], Path] = Path
    guarded: Path | None = None
    patience: Patience = msgspec.field(default_factory=Patience)
    sources: dict[str, OutputSource] = msgspec.field(default_factory=dict)
    logs: list[OutputSource] = msgspec.field(default_factory=list)

    def create(self, name: str, kind: str, address: str) -> None:
        """Create a source and acquire what it writes to. Raises OutputFailed."""
        if kind.lower() not in OUTPUT_KINDS:
            raise OutputFailed(f"incorrect type near '{kind}' ({', '.join(OUTPUT_KINDS)} are known)")
        if len(name) > LONGEST_NAME:
            raise OutputFailed(f"the name of an output has at most {LONGEST_NAME} characters")
        if name in self.sources:
            raise OutputFailed(f"there is an output named '{name}' already")
        self.sources[name] = OutputSource(name, kind.lower(), address, _acquire(self, kind.lower(), address))

    def open(self, name: str) -> None:
        """Start forwarding to a source. Raises OutputFailed."""
        source = self._get(name)
        if source.state is OutputState.OPENED:
            raise OutputFailed(f"the output '{name}' is open already")
        if source.state is OutputState.CLOSED:
            raise OutputFailed(f"the output '{name}' was closed and cannot be opened again; create another one")
        source.state = OutputState.OPENED

    def close(self, name: str) -> None:
        """Stop forwarding to a source for good, after it took what was sent. Raises OutputFailed."""
        source = self._get(name)
        if source.state is OutputState.CREATED:
            raise OutputFailed(f"the output '{name}' is not open")
        if source.state is OutputState.CLOSED:
            raise OutputFailed(f"the output '{name}' is closed already")
        self._let_go(source)

    def close_all(self) -> None:
        """The end of the session: every source takes what was sent to it."""
        for source in self.sources.values():
            if source.state is not OutputState.CLOSED:
                self._let_go(source)

    def check(self, names: Sequence[str]) -> list[str]:
        """Whether an event may name these sources; the names of those not opened yet. Raises OutputFailed."""
        for name in names:
            source = self.sources.get(name)
            if source is None:
                raise OutputFailed(f"the output '{name}' is not found, did you use 'output create'?")
            if source.state is OutputState.CLOSED:
                raise OutputFailed(f"the output '{name}' is closed")
        return [name for name in names if self.sources[name].state is OutputState.CREATED]

    def open_log(self, path: Path) -> OutputSource:
        """Begin a log in a file, which is emptied unless an output or another log writes to it. Raises OutputFailed."""
        outputs = [source.carrier for source in self.sources.values() if source.state is not OutputState.CLOSED]
        carrier = file_output.FileCarrier(path, (*outputs, *self.open_logs), guarded=self.guarded)
        log = OutputSource(str(path), _LOG, str(path), carrier, OutputState.OPENED)
        self.logs.append(log)
        return log

    def close_log(self, log: OutputSource) -> None:
        """End a log."""
        self._let_go(log)

    @property
    def open_logs(self) -> list[Carrier]:
        """What the logs that are not closed write to."""
        return [log.carrier for log in self.logs if log.state is OutputState.OPENED]

    @property
    def losses(self) -> list[OutputSource]:
        """The sources and logs that did not carry everything."""
        return [source for source in (*self.sources.values(), *self.logs) if source.lost]

    def forward(self, names: Sequence[str], text: bytes) -> None:
        """Send the text of one message to each of these sources, in this order."""
        for name in names:
            self.send(self.sources[name], text)

    def send(self, source: OutputSource, data: bytes) -> None:
        """Send bytes to one source or log."""
        if source.state is not OutputState.OPENED or source.failure is not None:
            self._lose(source, len(data))
            return
        try:
            source.carrier.send(data)
            source.sent += len(data)
        except OutputFailed as error:
            source.failure = str(error)
            source.lost += len(data)
            self.report(f"err, the transfer to {source.title} failed and ends: {error}")

    def listing(self) -> str:
        """What the command `output` shows."""
        if not self.sources:
            return "output forwarding list is empty\n"
        return "".join(
            f"{number:x}  {source.kind:<{_TYPE_WIDTH}}   {source.state.value:<{_STATE_WIDTH}}\t{source.name}\n"
            for number, source in enumerate(self.sources.values(), 1)
        )

    def _get(self, name: str) -> OutputSource:
        source = self.sources.get(name)
        if source is None:
            raise OutputFailed(f"there is no output named '{name}'")
        return source

    def _lose(self, source: OutputSource, count: int) -> None:
        source.lost += count
        if source.failure is None and not source.reported:
            source.reported = True
            self.report(f"err, the output '{source.name}' is {source.state.value}: what is sent to it is lost")

    def _let_go(self, source: OutputSource) -> None:
        rest = source.carrier.close()
        source.state = OutputState.CLOSED
        source.sent -= rest.count
        source.lost += rest.count
        if source.failure is not None or rest == Rest():
            return
        lost = f" lost {rest.count} byte{'' if rest.count == 1 else 's'} that it had taken" if rest.count else ""
        self.report(f"err, {source.title}{lost}" + (f": {rest.reason}" if rest.reason else ""))
        if rest.count:
            source.failure = rest.reason or "the other end did not take everything"


def _acquire(outputs: Outputs, kind: str, address: str) -> Carrier:
    """What a source of this kind writes to, by the module of the kind. Raises OutputFailed."""
    carrier: Carrier = importlib.import_module(f"hds.outputs.{kind}").acquire(outputs, address)
    return carrier
