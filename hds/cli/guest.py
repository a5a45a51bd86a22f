"""The options of the subcommands that run a guest: script, program, machine and session; and the session they make."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.cli.options import (
    Compiling,
    Input,
    Reading,
    add_compiling,
    add_engine,
    add_execute,
    add_limits,
    number_of_seconds,
    options_of,
)
from hds.cli.word_order import note_known_flags
from hds.exit_codes import ExitCode
from hds.inputs import InputError, parse_number, read_bytes, refuse
from hds.report import output, wait_at_most
from hds.session import load_engine
from machine.loaders import KINDS
from vm import FileRefused, write_file
from vm.facts.limits import MOST_CORES, MOST_PROCESS_ID
from vm.facts.numbers import DECIMAL, number_in

if TYPE_CHECKING:
    from hds.report import Questions
    from hds.report.records import Record
    from hds.session import Session
    from machine import MachineOptions, Program, Reporter
    from machine.kernel import Capture, ScriptedNetwork, World

GUEST_OUTPUT = ("stderr", "stdout", "none")
EVENTS_FROM = ("start", "entry")


class GuestOptions(msgspec.Struct, frozen=True):
    """The guest program and its machine: `words` are the program and its arguments; none for a machine without one."""

    words: tuple[str, ...]
    reading: Reading
    kind: str | None
    base: int | None
    entry: int | None
    ring: int | None
    pid: int | None
    kernel: str | None
    env: tuple[str, ...]
    guest_output: str
    root: str | None
    root_rw: str | None
    stdin: str
    registry: tuple[str, ...]
    net: str | None
    pcap: str | None
    seed: int
    cores: int
    parallel: bool
    emulate_message_loss: bool
    timer: int | None

    def program(self) -> Program | None:
        """What is loaded, if anything."""
        from machine import Program

        if not self.words:
            return None
        return Program(
            self.words[0],
            self.kind,
            arguments=self.words[1:],
            environment=self.env,
            base=self.base,
            entry=self.entry,
            process_id=self.pid,
            ring=self.ring,
        )

    def machine(self) -> MachineOptions:
        """The machine of a session whose messages are told as they come. Exits as `world`."""
        from machine import MachineOptions

        return MachineOptions(
            limits=replace(self.reading.limits, max_kept_messages=0),
            kernel=self.kernel,
            cores=self.cores,
            parallel=self.parallel,
            world=self.world(),
            emulate_message_loss=self.emulate_message_loss,
            prompt_messages=False,
            timer=self.timer,
        )

    def network(self) -> ScriptedNetwork | None:
        """The hosts of `--net`. Exits when a file cannot be read, or is not what it should be."""
        if self.net is None:
            return None
        from machine.kernel import NetworkFileError, read_network

        limits, path = self.reading.limits, self.reading.locate(self.net)
        folder = Path(path).absolute().parent
        try:
            text = read_bytes(path, limits).decode()
            return read_network(text, lambda name: read_bytes(str(folder / name), limits, "max_file_bytes"))
        except NetworkFileError as error:
            raise InputError(f"{path}: {error}", ExitCode.FAILED) from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is no UTF-8", ExitCode.FAILED) from None

    def capture(self, guarded: Path | None) -> Capture | None:
        """What takes the packets of `--pcap`. Exits when the file cannot be written."""
        if self.pcap is None:
            return None
        from machine.kernel import Capture

        capture = Capture(self.reading.limits.max_capture_bytes)
        self._write(capture, ExitCode.NO_INPUT, guarded)
        return capture

    def write_capture(self, session: Session) -> None:
        """The run is over: write the file of `--pcap`. Exits when it cannot be written."""
        world = session.machine.options.world
        if world is not None and world.capture is not None:
            self._write(world.capture, ExitCode.OUTPUT, session.guest_folder)

    def _write(self, capture: Capture, code: ExitCode, guarded: Path | None) -> None:
        assert self.pcap is not None
        try:
            write_file(self.reading.locate(self.pcap), bytes(capture.data), guarded=guarded)
        except FileRefused as error:
            raise InputError(str(error), code) from None

    def world(self) -> World:
        """What a Linux guest is shown of the host. Exits when its standard input or its folder cannot be read."""
        from machine.kernel import World

        reading = self.reading
        source: bytes | HostInput | None = None
        if self.stdin == "-":
            from machine.kernel import HostInput

            source = HostInput(0, output().flush)
        elif self.stdin != "none":
            source = read_bytes(reading.locate(self.stdin), reading.limits, "max_file_bytes")
        shown = self.root_rw or self.root
        folder = None if shown is None else reading.folder(shown)
        registry = tuple(Path(reading.locate(file)) for file in self.registry)
        network, capture = self.network(), self.capture(folder if self.root_rw is not None else None)
        return World(
            folder, self.root_rw is not None, source, self.seed, registry=registry, network=network, capture=capture
        )


class SessionOptions(msgspec.Struct, frozen=True):
    """A session; `flags` are those of the subcommand, which a guest may be given by mistake."""

    guest: GuestOptions
    compiling: Compiling
    engine: str | None
    timeout: float | None  # seconds
    allow_modules: bool
    events_from: str | None
    no_progress: bool
    flags: frozenset[str]

    @classmethod
    def of(cls, found: argparse.Namespace, words: tuple[str, ...]) -> SessionOptions:
        """The flags of `add_session`; `words` are the program and its arguments."""
        compiling = Compiling.of(found)
        guest = options_of(GuestOptions, found, words=words, reading=compiling.reading)
        return options_of(cls, found, guest=guest, compiling=compiling, flags=frozenset(found.flags))


class ScriptOptions(msgspec.Struct, frozen=True):
    """A command file, and the session that carries it out."""

    input: Input
    session: SessionOptions

    @classmethod
    def of(cls, found: argparse.Namespace) -> ScriptOptions:
        """The flags of `add_script_and_program`: the first word is SCRIPT, where -e does not stand in its place."""
        words = tuple(found.words)
        file = words[0] if found.execute is None and words else None
        session = SessionOptions.of(found, words if file is None else words[1:])
        return cls(Input(file, found.execute, session.compiling.reading, session.timeout), session)


def add_script_and_program(parser: argparse.ArgumentParser, subcommand: str, title: str) -> argparse._ArgumentGroup:
    """SCRIPT or -e, PROGRAM, and the options of both; a group with this title, for those of the subcommand itself."""
    parser.usage = f"hds {subcommand} [OPTION...] (SCRIPT | -e COMMAND) [PROGRAM [ARG...]]"
    add_execute(parser, "COMMAND", "commands as an argument, in place of SCRIPT")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="SCRIPT [PROGRAM [ARG...]]", help="- for stdin")
    add_guest(parser)
    group = parser.add_argument_group(title)
    add_session(group)
    add_engine(parser, default=None)
    add_compiling(parser)
    add_limits(parser)
    return group


def _kind_help() -> str:
    by_content = " and ".join(kind.name for kind in KINDS.values() if not kind.suffixes)
    by_name = (f"{kind.name} by {', '.join(kind.suffixes)}" for kind in KINDS.values() if kind.suffixes)
    return f"what PROGRAM is (default: {by_content} by content, {' and '.join(by_name)} by name)"


def add_guest(parser: argparse.ArgumentParser) -> None:
    """The options about the guest program and its machine."""
    guest = parser.add_argument_group("guest program")
    guest.add_argument("--kind", choices=tuple(KINDS), help=_kind_help())
    guest.add_argument("--base", type=_number, metavar="ADDRESS", help="where raw code or a listing is loaded (hex)")
    guest.add_argument("--entry", type=_number, metavar="ADDRESS", help="where it starts (hex; default: its start)")
    guest.add_argument(
        "--ring", type=int, choices=(0, 3), help="the privilege level of raw code or a listing (default 0)"
    )
    guest.add_argument("--pid", type=_process_id, metavar="PID", help="its process id (hex; default 1000)")
    guest.add_argument("--kernel", choices=("linux", "nt", "bare"), help="what answers system calls")
    guest.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="an environment variable")
    guest.add_argument("--guest-output", choices=GUEST_OUTPUT, default="stderr", help="where it writes")
    shown = guest.add_mutually_exclusive_group()
    shown.add_argument("--root", metavar="DIR", help="a folder that a guest sees as / or C:, read-only")
    shown.add_argument("--root-rw", metavar="DIR", help="the same, and it may write there")
    guest.add_argument("--stdin", default="none", metavar="FILE", help="what it reads: a file, -, none (default)")
    guest.add_argument(
        "--registry", action="append", default=[], metavar="FILE.reg", help="values for a Windows guest's registry"
    )
    guest.add_argument("--net", metavar="FILE", help="hosts that a Linux guest reaches, and what they answer (TOML)")
    guest.add_argument("--pcap", metavar="FILE", help="write what Linux guests send by TCP and UDP (a capture file)")
    guest.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="what a guest's random numbers start from (default 0)"
    )
    guest.add_argument("--cores", type=_count, default=1, metavar="N", help="emulated cores (default 1)")
    guest.add_argument(
        "--timer", type=_frequency, metavar="HZ", help="clock interrupts (vector d1) in a virtual second (default none)"
    )
    guest.add_argument(
        "--parallel", action="store_true", help="run the cores at the same time; no two runs are the same then"
    )


def add_session(group: argparse._ActionsContainer) -> None:
    """The options about the session, which all subcommands share that run a guest."""
    group.set_defaults(flags=group._option_string_actions.keys())  # those that are added later, too
    group.add_argument(
        "--timeout",
        type=number_of_seconds,
        metavar="SECONDS",
        help="end every run after this much real time, and a moment later scripts; time at a prompt does not count",
    )
    group.add_argument(
        "--events-from",
        choices=EVENTS_FROM,
        help="where a program is when the first command is carried out: entry (its entry point; default for Windows "
        "programs with DLLs) or start (where its loader begins)",
    )
    group.add_argument("--allow-modules", action="store_true", help="let `output create ... module` load code")
    group.add_argument(
        "--emulate-message-loss", action="store_true", help="lose collected messages (imm no) as HyperDbg does"
    )
    group.add_argument(
        "--no-progress", action="store_true", help="no line on a terminal that says how far a long run is"
    )


def _number(text: str) -> int:
    value = parse_number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number (hexadecimal, or 0n and decimal digits)")
    return value


def _process_id(text: str) -> int:
    value = _number(text)
    if not 0 < value <= MOST_PROCESS_ID:
        raise argparse.ArgumentTypeError(f"1 to {MOST_PROCESS_ID:x}")
    return value


def _count(text: str) -> int:
    value = number_in(text, DECIMAL, MOST_CORES)
    if not value:
        raise argparse.ArgumentTypeError(f"1 to {MOST_CORES}")
    return value


def _seed(text: str) -> int:
    value = number_in(text, DECIMAL, (1 << 64) - 1)
    if value is None:
        raise argparse.ArgumentTypeError("0 to 18446744073709551615, in decimal")
    return value


def _frequency(text: str) -> int:
    value = number_in(text, DECIMAL, 10_000_000)
    if not value:
        raise argparse.ArgumentTypeError("1 or more, in decimal, up to the limit max_timer_hz")
    return value


def new_session(
    options: SessionOptions,
    reporter: Reporter[Record],
    questions: Questions,
    record: Sequence[str] = (),
) -> Session:
    """The session with its guest. Exits when it cannot be loaded."""
    from hds.session import Session
    from machine import LoadError, Notice
    from machine.loaders import UnreadableFile

    timer, most = options.guest.timer, options.guest.reading.limits.max_timer_hz
    if timer is not None and timer > most:
        refuse(f"--timer {timer} is more than max_timer_hz ({most})", ExitCode.USAGE, "raise --max-timer-hz")
    note_known_flags(options.guest.words, options.flags, lambda text: reporter.report(Notice(text)))
    try:
        session = Session(
            options.guest.program(),
            options.guest.machine(),
            engine=load_engine(options.engine, options.compiling.limits),
            compiler=options.compiling.compiler(),
            reporter=reporter,
            questions=questions,
            allow_modules=options.allow_modules,
            events_from=options.events_from,
            record=record,
        )
    except LoadError as error:
        code = ExitCode.NO_INPUT if isinstance(error, UnreadableFile) else ExitCode.GUEST
        refuse(str(error), code, error.hint or None)
    session.timeout = options.timeout
    if options.timeout is not None:
        wait_at_most(options.timeout)
    return session
