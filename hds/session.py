"""Session: executes the commands of .hds files against a machine. The command line, the console and Python use it.

    session = hds.Session(program="guest.bin")
    session.execute("!syscall 3c script { print(@rdi); }")
    summary = session.run()
    session.messages        # what the scripts said
    session.close()         # the output sources take what was sent to them

A file is read and compiled as a whole before any of its commands is executed, so that a mistake anywhere in it costs
nothing. What commands show, and what scripts say outside events, goes to `Outlets`.

While an event holds the guest (a break action, `pause()`), the commands behind the `g` that let it run are executed at
that trigger, up to the next `g` or step: they see and change the state of the trigger, as at HyperDbg's prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hds.scripts import Prepared, Scripts
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic, Severity
from lang.source import SourceFile
from machine.events.dispatch import Trigger
from machine.events.registry import Event, RegistrationError
from machine.machine import Machine, RunSummary, Sinks, StopCause
from machine.messages import Message
from vm.engine import Engine, Fault, Loaded
from vm.host import Host
from vm.interpreter import Interpreter
from vm.limits import DEFAULT_LIMITS, Limits
from vm.script_memory import GlobalStore

if TYPE_CHECKING:
    from lang.commands import Command


class CommandFailed(Exception):  # noqa: N818 - it reads as what happened
    """A command was refused when it was executed; the text is HyperDbg's `err, ...` line."""


class ScriptError(Exception):
    """A text does not compile, or a command of it was refused; `diagnostics` say where and why."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        from lang.diagnostics import render

        super().__init__("\n".join(render(item) for item in diagnostics))
        self.diagnostics = tuple(diagnostics)


@dataclass
class Outlets:
    """Where a session sends what people read. All default to nothing; `Session.messages` collects in any case."""

    message: Callable[[Message], None] = lambda message: None
    result: Callable[[str], None] = lambda text: None  # what a command shows
    notice: Callable[[str], None] = lambda text: None  # what HyperDbg would say beside it
    finding: Callable[[Diagnostic], None] = lambda item: None
    script_fault: Callable[[int | None, Loaded, Fault], None] = lambda event, program, fault: None
    broke: Callable[[Trigger], bool] = lambda trigger: False  # whether the run goes on
    guest_output: Callable[[int, bytes], None] = lambda descriptor, data: None


@dataclass
class Totals:
    """What all runs of a session did, for the summary."""

    triggers: int = 0
    instructions: int = 0
    messages: int = 0
    lost_messages: int = 0
    script_faults: int = 0
    failed_commands: int = 0
    unknown_system_calls: dict[int, int] = field(default_factory=dict)
    last: RunSummary | None = None


class Session:
    """One debugging session: a machine, its events, and the globals that the scripts share.

    `program` is a path or the bytes of a guest, loaded at once; `kind` is elf, raw or asm. `compiler` brings include
    folders and symbols. Raises machine.LoadError.
    """

    def __init__(
        self,
        program: str | Path | bytes | None = None,
        *,
        arguments: Sequence[str] = (),
        environment: Sequence[str] = (),
        kind: str | None = None,
        base: int | None = None,
        entry: int | None = None,
        kernel: str | None = None,
        cores: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        engine: Engine | None = None,
        compiler: Compiler | None = None,
        outlets: Outlets | None = None,
    ) -> None:
        self.limits = limits
        self.outlets = Outlets() if outlets is None else outlets
        self.engine: Engine = Interpreter(limits) if engine is None else engine
        self.store = GlobalStore(limits)
        compiler = Compiler(limits=limits) if compiler is None else compiler
        self.scripts = Scripts(replace(compiler, portability=False), self.engine, self.store)
        self.messages: list[Message] = []
        self.totals = Totals()
        self.ended = False
        self.timeout: float | None = None
        sinks = Sinks(
            self._message, self._notice, self._event_fault, lambda trigger: self.outlets.broke(trigger),
            lambda descriptor, data: self.outlets.guest_output(descriptor, data),
        )  # fmt: skip
        self.machine = Machine(self.engine, limits, kernel=kernel, cores=cores, sinks=sinks)
        if program is not None:
            guest = Path(program) if isinstance(program, str) else program
            self.machine.load(guest, kind, arguments=arguments, environment=environment, base=base, entry=entry)

    # --- commands

    def execute(self, text: str | SourceFile) -> None:
        """Execute the commands of a text, in order. Raises ScriptError when it does not compile or one was refused."""
        source = text if isinstance(text, SourceFile) else SourceFile("<text>", text)
        prepared = self.prepare(source)
        problems = [item for item in prepared.diagnostics if item.severity is Severity.ERROR]
        if not problems:
            problems = self.perform(prepared)
        if problems:
            raise ScriptError(problems)

    def prepare(self, source: SourceFile) -> Prepared:
        """Read and compile every command of a file; nothing is executed."""
        return self.scripts.prepare(source)

    def perform(self, prepared: Prepared) -> list[Diagnostic]:
        """Execute prepared commands; each that is refused is reported and the others go on, as in HyperDbg."""
        problems: list[Diagnostic] = []
        for command in prepared.file.commands:
            if self.ended:
                break
            try:
                self._perform(command, prepared)
            except (CommandFailed, RegistrationError) as error:
                item = Diagnostic("E240", str(error), command.span)
                self.totals.failed_commands += 1
                self.outlets.finding(item)
                problems.append(item)
        return problems

    def _perform(self, command: Command, prepared: Prepared) -> None:
        from hds.commands import HANDLERS

        handler = HANDLERS.get(command.canonical_name)
        if handler is None:
            raise CommandFailed(f"err, '{command.name.text}' is not available offline")
        handler(self, command, prepared)

    # --- running

    def run(self, max_instructions: int | None = None, timeout: float | None = None) -> RunSummary:
        """Let the guest run until it ends or something stops it."""
        before = self.totals.last
        summary = self.machine.run(max_instructions, self.timeout if timeout is None else timeout)
        totals = self.totals
        if summary.cause is not StopCause.NOTHING_LOADED or before is None:
            totals.last = summary
        totals.triggers += sum(summary.triggers.values())
        totals.instructions += summary.instructions
        for number, count in summary.unknown_system_calls.items():
            totals.unknown_system_calls[number] = totals.unknown_system_calls.get(number, 0) + count
        return summary

    @property
    def guest_alive(self) -> bool:
        """Whether a process is left that can run."""
        return any(process.alive for process in self.machine.processes)

    def run_script(self, loaded: Loaded) -> None:
        """Run a script outside events."""
        result = self.engine.run(loaded, self.machine.host_for_commands())
        if result.fault is not None:
            self._fault(None, loaded, result.fault)

    def evaluate(self, loaded: Loaded) -> int | None:
        """The value that a compiled expression prints, or None when it stopped; its fault was reported then."""
        host = _Capture(self.machine.host_for_commands())
        result = self.engine.run(loaded, host)
        if result.fault is not None:
            self._fault(None, loaded, result.fault)
            return None
        return int(host.text, 16)

    # --- what the machine reports

    def _message(self, message: Message) -> None:
        self.messages.append(message)
        self.totals.messages += 1
        self.outlets.message(message)

    def _notice(self, text: str) -> None:
        self.outlets.notice(text)

    def _event_fault(self, event: Event, fault: Fault, program: Loaded) -> None:
        self._fault(event.definition.id, program, fault)

    def _fault(self, event: int | None, program: Loaded, fault: Fault) -> None:
        self.totals.script_faults += 1
        self.outlets.script_fault(event, program, fault)


class _Capture:
    """A host that keeps the message instead of delivering it."""

    def __init__(self, host: Host) -> None:
        self.text = b""
        self.read_register, self.write_register = host.read_register, host.write_register
        self.read_memory, self.write_memory = host.read_memory, host.write_memory
        self.read_physical, self.write_physical = host.read_physical, host.write_physical
        self.pseudo_register, self.request = host.pseudo_register, host.request

    def message(self, text: bytes) -> None:
        """Keep the text of print."""
        self.text = text
