"""Session: executes the commands of .hds files against a machine. The command line, the console and Python use it.

    session = hds.Session(program="guest.bin")
    session.execute("!syscall 3c script { print(@rdi); }")
    summary = session.run()
    session.messages        # what the scripts said
    session.close()         # the output sources take what was sent to them

`with hds.Session(...) as session` closes it at the end. docs/python.md has all that Python can do with one.

A file is read and compiled as a whole before any of its commands is executed, so that a mistake anywhere in it costs
nothing. All that is said goes to a `Reporter` as records (hds.report.records).

While an event holds the guest (a break action, `pause()`), the commands behind the `g` that let it run are executed at
that trigger, up to the next `g` or step: they see and change the state of the trigger, as at HyperDbg's prompt.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

import msgspec
from msgspec.structs import replace

from hds.outputs import Outputs, OutputSource
from hds.report import Questions
from hds.report.records import Aggregated, Forwarded, Record, Result, Settled, Triggered, with_symbol
from hds.session import access, captured
from hds.session.engines import engine_of
from hds.session.execution import Execution
from hds.session.libraries import Libraries
from hds.session.python_face import PythonFace
from hds.session.recording import BLOCKS, LINES, TIMES, Recording, recorded
from hds.session.refused import CommandFailed, ScriptError, unresolved
from hds.session.scripts import Counted, Prepared, Scripts
from hds.session.symbols import Symbols
from lang import Code, Compiler, Diagnostic, Severity, SourceFile, Span
from machine import (
    CodeFault,
    Kept,
    Keywords,
    Machine,
    MachineOptions,
    Message,
    Notice,
    Program,
    ProgramStart,
    Reporter,
    RunSummary,
    ScriptFault,
    Silent,
    takes_many,
    with_names,
)
from machine.events import RegistrationError
from machine.loaders import LoadError
from machine.schedule import Process
from vm import DriveRefused, Engine, GlobalStore, Host, Loaded
from vm.facts.numbers import SCRIPT, number_in

if TYPE_CHECKING:
    from hds.aggregation import Aggregation
    from hds.session.timeline import Timeline
    from lang.commands import Command
    from vm import Program as Bytecode

__all__ = ["Session", "Totals"]

PROMPT = "HyperDbg> "
ENDED_AT_REFUSAL = "the run ends at the refused command; with --keep-going the next ones are carried out"


class Totals(msgspec.Struct):
    """What a session did, for the summary; triggers and instructions are the machine's to count."""

    messages: int = 0
    unkept_messages: int = 0  # of them, those for which `Session.messages` had no room
    script_faults: int = 0
    code_faults: int = 0
    failed_commands: int = 0
    breaks: int = 0
    last: RunSummary | None = None


class Settings(msgspec.Struct):
    """What the command `settings` shows and sets."""

    autounpause: bool = True
    autoflush: bool = False
    addressconversion: bool = True
    syntax: str = "intel"
    context: bool = False  # at a stop, all of the state and not one line


class _Stream(msgspec.Struct):
    """A prepared file whose commands are being executed, and those that were refused.

    Unless `keeps_going`, the session ends at the first of those.
    """

    prepared: Prepared
    commands: Iterator[Command]
    keeps_going: bool
    problems: list[Diagnostic] = msgspec.field(default_factory=list)


class Session(PythonFace):
    """One debugging session: a machine, its events, and the globals that the scripts share.

    `program` is a `machine.Program`, or a path or the bytes of one, loaded at once; ELF and PE show by their content,
    .asm, .bin, .raw and .sc by the name, and anything else is refused without a `kind`. `named` are fields of `Program`
    and of `machine.MachineOptions`: `Session("a.asm", kernel="nt", arguments=["x"])`. `engine` is one, or the name
    of one. `compiler` brings include folders and symbols. `reporter` hears everything that is said. `messages` has the
    first `max_kept_messages` messages (a RuntimeWarning and `totals.unkept_messages` tell of others); clear it to make
    room. `events_from` is `start` or
    `entry`: whether the first command finds a program where its loader begins, or at its entry point, which is what
    Windows programs with DLLs do where nothing is said (None). `record` has triggers reported as records, too:
    `triggers`, or with more in each `registers` and `arguments`; `blocks`, `lines` and `times` have the code of guests,
    the lines of scripts and the real time of events counted. `root` is a folder that the guest sees as / or C:,
    read-only unless `root_writable`; `stdin` what it reads, bytes or the path of a file. Raises machine.LoadError, and
    TypeError or ValueError for options that are none.
    """

    def __init__(
        self,
        program: Program | str | Path | bytes | None = None,
        options: MachineOptions | None = None,
        *,
        engine: Engine | str | None = None,
        compiler: Compiler | None = None,
        reporter: Reporter[Record] | None = None,
        questions: Questions | None = None,
        allow_modules: bool = False,
        events_from: str | None = None,
        record: Iterable[str] | str | None = None,
        root: str | Path | None = None,
        root_writable: bool = False,
        stdin: bytes | str | Path | None = None,
        **named: Unpack[Keywords],
    ) -> None:
        super().__init__()
        options, of_program = with_names(options, named)
        options = _with_files(options, root, root_writable, stdin)
        self.limits = limits = options.limits
        self.reporter: Reporter[Record] = Silent() if reporter is None else reporter
        self.questions = Questions() if questions is None else questions
        names = recorded(record)
        self.recording = Recording.of(names)
        if BLOCKS in names:
            options = replace(options, record_blocks=True)
        if TIMES in names:
            options = replace(options, measure_times=True)
        self._aggregation: Aggregation | None = None
        self.names_places = False  # symbols of instruction pointers in messages and halts
        self.engine: Engine = engine_of(engine, limits)
        self.store = GlobalStore(limits)
        compiler = Compiler(limits=limits) if compiler is None else compiler
        self.symbols = Symbols(compiler.symbols.given, limits, options.kernel, options.build, self._read_guest_file)
        self._libraries = Libraries(self.symbols, options)
        self.symbols.table.more = lambda _, module: self._libraries.look_for(module)
        self._events_from = events_from
        self._before_entry: list[Process] = []  # programs that are to come to their entry points first
        compiler = replace(compiler, portability=False, symbols=self.symbols.table)
        world = options.world
        root = None if world is None else world.root
        self.scripts = Scripts(compiler, self.engine, self.store, options.kernel, self._libraries.announce, root)
        if LINES in names:
            self.scripts.counted = Counted(limits)
        self.guest_folder = world.root if world is not None and world.writable else None  # of --root-rw
        self.outputs = Outputs(self.notice, allow_modules, self.locate, self.guest_folder)
        self.settings = Settings()
        self.messages: list[Message] = []  # the first ones, see Limits.max_kept_messages
        self.records: list[Record] = []  # of all kinds, as many
        self.totals = Totals()
        self.started: tuple[Path, tuple[str, ...]] | None = None  # program and arguments of the last .start
        self.debugged: list[Process] = []  # those that .start and .restart loaded, the one that is debugged last
        self.event_spans: dict[int, Span] = {}  # of their commands, by id
        self.bound_events: set[int] = set()  # ids of events that apply to one of these because no pid was given
        self.log: OutputSource | None = None  # of .logopen; `unlogged` is the reporter without it
        self.unlogged = self.reporter
        self.ended = False
        self.timeline: Timeline | None = None  # where going back is possible
        self.timeout: float | None = None
        self._streams: list[_Stream] = []
        self.machine = Machine(
            self.engine,
            options,
            store=self.store,
            reporter=self,
            goes_on=lambda trigger: self.execution.broke(trigger),
        )
        self.execution = Execution(self)
        if program is not None:
            self.load(program, **of_program)

    @cached_property
    def globals(self) -> access.Globals:
        """The globals of the scripts."""
        return access.Globals(self.store)

    @cached_property
    def registers(self) -> access.Registers:
        """Those of the current process."""
        return access.Registers(self._host)

    @cached_property
    def memory(self) -> access.Memory:
        """That of the current process."""
        return access.Memory(self._host)

    def load(
        self, program: Program | str | Path | bytes, kind: str | None = None, **named: Unpack[ProgramStart]
    ) -> Process:
        """Load a program as a new process, as `Machine.load` does; its symbols are known from now on."""
        given = Program.of(program, kind, **named)
        if not isinstance(given.source, bytes):
            try:
                given = replace(given, source=self.scripts.compiler.drives.locate(str(given.source)))
            except DriveRefused as error:
                raise LoadError(str(error), error.hint or "") from None
        process = self.machine.load(self._libraries.with_named(given))
        self.symbols.add(process)
        self._libraries.take(given, process)
        image = process.image
        wants = self._events_from == "entry" or (self._events_from is None and image.windows is not None)
        if wants and image.start != image.entry:
            self._before_entry.append(process)
        return process

    def reach_entry(self) -> None:
        """Let what has just been loaded come to its entry point, where that is wanted."""
        waiting, self._before_entry = self._before_entry, []
        for process in waiting:
            self.execution.run_to_entry(process)

    def _read_guest_file(self, path: str) -> bytes:
        return self.machine.kernels.guest_file(path)

    def follow(self, old: Process, new: Process) -> None:
        """Let the events that were bound to a process because no pid was given apply to another one instead."""
        registry = self.machine.registry
        for number in self.bound_events & set(registry.ids):
            if registry.get(number).definition.process_id == old.pid:
                registry.bind(number, new.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The end of the session: loops over triggers end, and every output source takes what was sent to it."""
        self._end_loops()
        self.outputs.close_all()
        self.close_log()

    def close_log(self) -> None:
        """End the copy that .logopen began, if there is one."""
        if self.log is not None:
            log, self.log = self.log, None
            self.reporter = self.unlogged
            self.outputs.close_log(log)

    # --- commands

    def execute(self, text: str | SourceFile) -> None:
        """Execute the commands of a text, in order. Raises ScriptError when it does not compile or one was refused."""
        if not isinstance(text, str | SourceFile):
            raise TypeError(f"commands are a text, not {text!r}")
        source = text if isinstance(text, SourceFile) else SourceFile("<text>", text)
        prepared = self.prepare(source)
        problems = [item for item in prepared.diagnostics if item.severity is Severity.ERROR]
        if not problems:
            problems = self.perform(prepared)
        if problems:
            raise ScriptError(problems)

    def prepare(self, source: SourceFile, compiled: Mapping[int, Bytecode] | None = None) -> Prepared:
        """Read and compile every command of a file; nothing is executed."""
        return self.scripts.prepare(source, compiled)

    def perform(self, prepared: Prepared, *, keeps_going: bool = True) -> list[Diagnostic]:
        """Execute prepared commands; each that is refused is reported and the others go on, as in HyperDbg.

        Unless it `keeps_going`: the session ends then at the first refused command, of files that `.script` runs, too.
        """
        depth = len(self._streams)
        stream = self.push(prepared, keeps_going)
        try:
            self._perform_down_to(depth)
        finally:
            del self._streams[depth:]
            self.report(Settled())
        return stream.problems

    def push(self, prepared: Prepared, keeps_going: bool | None = None) -> _Stream:
        """Execute these commands before those that would be next, and as those at refusals (`.script`)."""
        most = self.limits.max_script_depth
        if len(self._streams) >= most:
            raise CommandFailed(f"err, command files are nested deeper than {most} levels (limit max_script_depth)")
        if keeps_going is None:
            keeps_going = not self._streams or self._streams[-1].keeps_going
        stream = _Stream(prepared, iter(prepared.file.commands), keeps_going)
        self._streams.append(stream)
        return stream

    def interpret(self, source: SourceFile) -> bool:
        """Read, compile and execute a text, reporting all that is wrong with it; whether nothing was."""
        prepared = self.prepare(source)
        for item in prepared.diagnostics:
            self.report(item)
        return not prepared.has_errors and not self.perform(prepared)

    def perform_at_halt(self) -> None:
        """Carry out what follows in the files that are being executed, then what the user says, until that lets go."""
        execution = self.execution
        while not self.ended and not execution.released:
            self._perform_down_to(0)
            if self.ended or execution.released:
                return
            self.report(Settled())
            text = self.questions.next_commands()
            if text is None:
                return
            self.interpret(SourceFile("<console>", text))

    def _perform_down_to(self, depth: int) -> None:
        """Execute commands until only `depth` streams are left, the session ends, or a held event is let go."""
        while len(self._streams) > depth and not self.ended and not self.execution.released:
            stream = self._streams[-1]
            command = next(stream.commands, None)
            if command is None:
                self._streams.pop()
                continue
            if self.log is not None:
                self.outputs.send(self.log, f"{PROMPT}{command.span.text}\n".encode("utf-8", "backslashreplace"))
            try:
                self._perform(command, stream.prepared)
            except (CommandFailed, RegistrationError) as error:
                code, hint = (error.code, error.hint) if isinstance(error, CommandFailed) else (Code.REFUSED, None)
                item = Diagnostic(code, str(error), command.span, hint)
                self.totals.failed_commands += 1
                self.report(item)
                stream.problems.append(item)
                if not stream.keeps_going:
                    self.ended = True
                    self.notice(ENDED_AT_REFUSAL)

    def _perform(self, command: Command, prepared: Prepared) -> None:
        from hds.session.commands import handler_of

        self.reach_entry()
        handler = handler_of(command.canonical_name)
        if handler is None:
            raise CommandFailed(f"err, '{command.name.text}' is not available offline: {command.row.plain_notes}")
        handler(self, command, prepared)

    def locate(self, path: str) -> Path:
        """The file on the host that a command names (`vm.drives`). Raises CommandFailed."""
        try:
            return self.scripts.compiler.drives.locate(path)
        except DriveRefused as error:
            raise CommandFailed(f"err, {error}", error.hint, Code.WINDOWS_PATH) from None

    def show(self, text: str) -> None:
        """Report what a command shows."""
        self.report(Result(text))

    def notice(self, text: str) -> None:
        """Report what HyperDbg would say beside the results."""
        self.report(Notice(text))

    def _host(self) -> Host:
        return self.machine.host_for_commands()

    # --- running

    def run(self, max_instructions: int | None = None, timeout: float | None = None) -> RunSummary:
        """Let the guest run until it ends or something stops it."""
        self.reach_entry()
        return self.execution.run(max_instructions, self.timeout if timeout is None else timeout)

    @property
    def triggers(self) -> int:
        """How often events ran their actions, cleared ones too."""
        return sum(event.triggers for event in self.machine.registry.ever_registered)

    @property
    def instructions(self) -> int:
        """The guest instructions that were executed, steps included."""
        return self.machine.executed

    @property
    def guest_alive(self) -> bool:
        """Whether a process is left that can run."""
        return any(process.alive for process in self.machine.processes)

    @property
    def process(self) -> Process | None:
        """The current process: the one that ran last, or that was switched to."""
        return self.machine.current

    # --- scripts outside events

    def run_script(self, loaded: Loaded) -> None:
        """Run a script outside events."""
        with self.machine.run_loop.guarding(self.timeout):
            result = self.engine.run(loaded, self.machine.host_for_commands())
        if result.fault is not None:
            self.report(ScriptFault(None, loaded, result.fault))

    def evaluate(self, loaded: Loaded) -> int | None:
        """The value that a compiled expression prints, or None when it stopped; its fault was reported then."""
        host = captured.Captured(self.machine.host_for_commands())
        with self.machine.run_loop.guarding(self.timeout):
            result = self.engine.run(loaded, host)
        if result.fault is not None:
            self.report(ScriptFault(None, loaded, result.fault))
            return None
        return number_in(host.text.decode().strip(), SCRIPT)

    def value_of(self, span: Span) -> int:
        """The value of the expression that a command has at this place, on the current state. Raises CommandFailed."""
        loaded = self.scripts.load_expression(span)
        if isinstance(loaded, Diagnostic):
            raise unresolved(span.text, loaded.message, loaded.hint)
        value = self.evaluate(loaded)
        if value is None:
            raise unresolved(span.text)
        return value

    # --- what is said

    def aggregate(self, aggregation: Aggregation) -> None:
        """Let it hear all that is said from now on, and of the triggers of events that are yet to be made."""
        self._aggregation = aggregation
        if self.recording is None and aggregation.needs_triggers:
            self.recording = Recording(is_reported=False)

    def aggregated(self) -> list[Aggregated]:
        """What it has come to, up to now."""
        return [] if self._aggregation is None else self._aggregation.records()

    def report(self, record: Record, /) -> None:
        """Count it and hand it to the reporter; the machine reports here, too, and a message may go elsewhere."""
        if self._aggregation is not None:
            self._aggregation.hear(record)
            if isinstance(record, Triggered) and self.recording is not None and not self.recording.is_reported:
                return
        if self.names_places:
            record = with_symbol(record, self.symbol_of)
        if len(self.records) < self.limits.max_kept_messages:
            self.records.append(record)
        if isinstance(record, Message):
            self.totals.messages += 1
            self._keep(record)
            if record.outputs:
                self.outputs.forward(record.outputs, record.text)
                record = Forwarded(record)
        elif isinstance(record, ScriptFault):
            self.totals.script_faults += 1
        elif isinstance(record, CodeFault):
            self.totals.code_faults += 1
        self.reporter.report(record)

    def report_messages(self, messages: Kept, /) -> None:
        """The same of many messages; nobody has asked for more of them than their texts, where only those are told."""
        needs_each = self.limits.max_kept_messages or self._aggregation is not None
        if needs_each or len(messages) == 1 or not takes_many(self.reporter):
            for message in messages:
                self.report(message)
            return
        count = len(messages)
        self.totals.messages += count
        self.totals.unkept_messages += count
        if self.names_places:
            symbol_of = cache(self.symbol_of)
            messages.change(lambda message: with_symbol(message, symbol_of))
        self.reporter.report_messages(messages)

    def _keep(self, message: Message) -> None:
        """Add it to `messages` if there is room; the first one that finds none is announced."""
        if len(self.messages) < self.limits.max_kept_messages:
            self.messages.append(message)
            return
        if self.limits.max_kept_messages and not self.totals.unkept_messages:
            warnings.warn(
                f"Session.messages has {len(self.messages)} messages and keeps no more (limit max_kept_messages); "
                "a reporter hears them all",
                RuntimeWarning,
                stacklevel=2,
            )
        self.totals.unkept_messages += 1


def _with_files(
    options: MachineOptions, root: str | Path | None, writable: bool, stdin: bytes | str | Path | None
) -> MachineOptions:
    """What a guest is shown of the host, with these in it."""
    if root is None and stdin is None:
        return options
    from machine.kernel import World

    if not isinstance(stdin, bytes | str | Path | None):
        raise TypeError(f"stdin is bytes or the path of a file, not {stdin!r}")
    world = options.world or World()
    if root is not None:
        world = replace(world, root=Path(root), writable=writable)
    if stdin is not None:
        world = replace(world, standard_input=Path(stdin) if isinstance(stdin, str) else stdin)
    return replace(options, world=world)
