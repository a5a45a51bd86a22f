"""`hds eval`: one run of a bare script on an in-memory host. What the script prints is all that goes to stdout."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from hds.cli.options import (
    Compiling,
    Input,
    Reading,
    add_compiling,
    add_engine,
    add_input,
    add_limits,
    add_programs,
    options_of,
)
from hds.exit_codes import ExitCode
from hds.inputs import parse_number, read_bytes, refuse
from hds.report import Failure, FailureKind, compile_failure
from hds.session import load_engine

if TYPE_CHECKING:
    from hds.cli.eval_host import EvalHost
    from lang import Compilation, SourceFile
    from vm import Engine, GlobalStore, Host, Loaded, RunResult

SHOWN_REGISTERS = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags"),
)
MAX_DUMP = 0x10_0000


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds eval`."""
    add_input(parser, "a bare script, as inside `? { ... }`")
    parser.add_argument(
        "--reg", action="append", default=[], metavar="NAME=VALUE", help="the start value of a register (hexadecimal)"
    )
    parser.add_argument(
        "--memory",
        action="append",
        default=[],
        metavar="ADDRESS=HEX|@FILE",
        help="map the pages at an address and put these bytes, or those of a file, there",
    )
    parser.add_argument("--dump-registers", action="store_true", help="show the general registers after the run")
    parser.add_argument(
        "--dump-memory", action="append", default=[], metavar="ADDRESS:LENGTH", help="show memory after the run"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of the messages")
    add_engine(parser)
    add_compiling(parser)
    add_programs(parser)
    add_limits(parser)


class _Region(msgspec.Struct, frozen=True):
    """A range of memory to show."""

    address: int
    length: int


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    input: Input
    compiling: Compiling
    reg: tuple[str, ...]
    memory: tuple[str, ...]
    dump_registers: bool
    dump_memory: tuple[str, ...]
    json: bool
    engine: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, input=Input.of(found), compiling=Compiling.of(found))


class Evaluated(msgspec.Struct, frozen=True):
    """What came of a script; `result` is None where it did not compile."""

    made: Compilation
    result: RunResult | None
    host: EvalHost
    engine: Engine
    store: GlobalStore


def run(options: Options) -> ExitCode:
    """Compile, run, show."""
    regions = [_region(text) for text in options.dump_memory]
    source = options.compiling.with_arguments(options.input.source())
    evaluated = evaluate(options, source, shows=not options.json)
    made, result, host = evaluated.made, evaluated.result, evaluated.host
    if options.json:
        from hds.report import write_object

        write_object(_as_json(made, result, host, regions))
    else:
        _show(options, made, result, host, regions)
    if result is None:
        return ExitCode.FAILED
    return ExitCode.OK if result.ok else ExitCode.RUNTIME


def evaluate(options: Options, source: SourceFile, *, shows: bool, timeout: float | None = None) -> Evaluated:
    """Compile and run a script, for at most so many seconds; `shows`: its findings and messages, at once."""
    from vm import GlobalConflict, GlobalStore, VerificationError

    limits = options.compiling.limits
    host = _host(options, shows=shows)
    made = options.compiling.compiler().compile(source)
    _show_findings(made, not shows)
    engine, store = load_engine(options.engine, limits), GlobalStore(limits)
    if made.program is None:
        return Evaluated(made, None, host, engine, store)
    try:
        loaded = engine.load(made.program, store)
    except (VerificationError, GlobalConflict) as error:
        refuse(str(error), ExitCode.FAILED)
    return Evaluated(made, run_on(engine, loaded, host, timeout), host, engine, store)


def run_on(engine: Engine, loaded: Loaded, host: Host, timeout: float | None = None) -> RunResult:
    """Run a script. Raises KeyboardInterrupt behind it if Ctrl-C ended it."""
    from machine.schedule import RunGuard
    from vm import Brake, Shareable, Sharing

    brake = Brake()
    if isinstance(engine, Shareable):
        engine.sharing = Sharing(brake=brake)
    with RunGuard(brake.pull, brake.pull).guarding(timeout):
        return engine.run(loaded, host)


def _host(options: Options, *, shows: bool) -> EvalHost:
    from hds.cli.eval_host import EvalHost
    from vm.facts.registers import REGISTER_INDEX, REGISTERS, STORAGES

    host = EvalHost(shows=shows, most=options.compiling.limits.max_kept_messages)
    for text in options.reg:
        name, _, number = text.partition("=")
        index, value = REGISTER_INDEX.get(name.removeprefix("@").lower()), parse_number(number)
        if index is None or value is None:
            refuse(f"--reg {text}: expected NAME=VALUE with a register and a number", ExitCode.USAGE)
        view = REGISTERS[index]
        storage = STORAGES[view.storage]
        host.registers[storage] = view.insert(host.registers.get(storage, 0), value)
    for text in options.memory:
        place, _, content = text.partition("=")
        address = parse_number(place)
        data = _content(content, options.compiling.reading)
        if address is None or data is None or address + max(len(data), 1) > 1 << 64:
            refuse(f"--memory {text[:60]}: expected ADDRESS=HEX or ADDRESS=@FILE", ExitCode.USAGE)
        host.map(address, len(data), data)
    return host


def _content(text: str, reading: Reading) -> bytes | None:
    if text.startswith("@"):
        return read_bytes(reading.locate(text[1:]), reading.limits, "max_guest_memory")
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _region(text: str) -> _Region:
    place, _, size = text.partition(":")
    address, length = parse_number(place), parse_number(size)
    if address is None or length is None or not 0 < length <= MAX_DUMP:
        refuse(f"--dump-memory {text}: expected ADDRESS:LENGTH with a length of at most 100000", ExitCode.USAGE)
    return _Region(address, length)


def _show_findings(made: Compilation, as_json: bool) -> None:
    from lang import render

    if not as_json:
        for item in made.diagnostics:
            if item.severity.is_for_everybody:
                print(render(item), file=sys.stderr)


def _show(
    options: Options,
    made: Compilation,
    result: RunResult | None,
    host: EvalHost,
    regions: list[_Region],
) -> None:
    if result is None:
        return
    if result.fault is not None and made.program is not None:
        from hds.report import render_fault

        print(render_fault(made.program, result.fault), file=sys.stderr)
    for name, arguments_given in host.requests:
        shown = ", ".join(f"{value:x}" for value in arguments_given)
        print(f"hds: request of the host: {name}({shown})", file=sys.stderr)
    if host.unkept_requests:
        print(f"hds: and {host.unkept_requests} more requests (limit max_kept_messages)", file=sys.stderr)
    if options.dump_registers:
        for name in SHOWN_REGISTERS:
            print(f"{name:<6} {host.registers.get(name, 0):016x}", file=sys.stderr)
    for region in regions:
        print("\n".join(_dump(host, region)), file=sys.stderr)


def _dump(host: EvalHost, region: _Region) -> list[str]:
    """The region as lines of sixteen bytes; `??` where nothing is mapped."""
    lines = []
    for start in range(region.address, region.address + region.length, 16):
        cells = [
            host.read_memory(at, 1) if at < 1 << 64 else None
            for at in range(start, min(start + 16, region.address + region.length))
        ]
        shown = " ".join("??" if cell is None else cell.hex() for cell in cells)
        text = "".join(chr(cell[0]) if cell and 32 <= cell[0] < 127 else "." for cell in cells)
        lines.append(f"{start:016x}  {shown:<47}  {text}")
    return lines


def _as_json(made: Compilation, result: RunResult | None, host: EvalHost, regions: list[_Region]) -> dict[str, object]:
    from hds.report.records import as_object

    status = "compile_error" if result is None else "ok" if result.ok else "runtime_error"
    failure = _failure(made, result)
    found: dict[str, object] = {
        "status": status,
        "failure": None if failure is None else as_object(failure),
        "messages": [message.decode("utf-8", "backslashreplace") for message in host.messages],
        "unkept_messages": host.unkept_messages,
        "diagnostics": [as_object(item) for item in made.diagnostics],
    }
    if result is not None and made.program is not None:
        found["steps"] = result.steps
        if result.fault is not None:
            found["fault"] = _fault_object(made, result)
    found["registers"] = {name: f"0x{host.registers.get(name, 0):x}" for name in SHOWN_REGISTERS}
    found["memory"] = [
        {"address": f"0x{region.address:x}", "bytes": data.hex() if data is not None else None}
        for region in regions
        for data in [host.read_memory(region.address, region.length)]
    ]
    return found


def _failure(made: Compilation, result: RunResult | None) -> Failure | None:
    """Why it did not end well."""
    from hds.report import FAULTS, fault_message

    if result is None:
        return compile_failure(made.diagnostics)
    if result.fault is None:
        return None
    return Failure(FailureKind.SCRIPT, fault_message(result.fault), FAULTS[result.fault.kind].hint)


def _fault_object(made: Compilation, result: RunResult) -> dict[str, object]:
    from hds.report import fault_message, fault_span

    assert result.fault is not None
    assert made.program is not None
    span = fault_span(made.program, result.fault)
    place = {} if span is None else {"file": span.file.name, "line": span.line, "column": span.column}
    values = {name: f"0x{value:x}" for name, value in result.fault.values.items()}
    return {"kind": result.fault.kind.value, "message": fault_message(result.fault), **place, "values": values}
